"""Every error of a command as a sentence."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import current_app
from marshmallow import ValidationError


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
