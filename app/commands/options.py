"""What several commands share: the blueprint that has them, the option --domain, and errors as sentences."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import Blueprint, current_app
from marshmallow import ValidationError

from ..loading import attribution

bp = Blueprint("commands", __name__, cli_group=None)


def primary_domain(text: str) -> str:
    """Return the domain in the form that browsers send; refuse one that is not a primary domain."""
    host = attribution.host(text if "://" in text else f"https://{text}")
    if host is None:
        raise click.BadParameter(f"{text!r} is not a domain. An account has a primary domain, for example example.com.")
    primary = attribution.primary_domain(host)
    if primary != text and (text.isascii() or primary != host or "/" in text or ":" in text):
        raise click.BadParameter(f"An account has a primary domain. Instead of {text!r}, use {primary}.")
    return primary


DOMAIN: dict[str, Any] = {"required": True, "metavar": "D", "type": primary_domain}


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turn every error that a user can cause into a sentence on standard error, and exit status 1."""
    try:
        yield
    except ValidationError as error:
        raise click.ClickException("; ".join(f"{name}: {' '.join(told)}" for name, told in error.messages_dict.items())) from None
    except sqlite3.Error as error:
        is_busy = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
        why = "another import, or another program, is writing to it. Try again when it has finished" if is_busy else f"{error}"
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            why += ". That is its own disk, or the one for temporary files: SQLITE_TMPDIR names another folder for them"
        raise click.ClickException(f"The database {current_app.config['DATABASE']} can't be used: {why}.") from None
    except BrokenPipeError:  # "flask export | head": Click exits without a message
        raise
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
