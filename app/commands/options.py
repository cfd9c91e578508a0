"""Options and arguments of several commands: a domain, a key, a query."""

from typing import Any

import click
from flask import current_app

from .. import accounts, fields, schemas, strict_json
from ..database import Connection
from ..loading import attribution


def primary_domain(_context, _parameter, value: str) -> str:
    """Return the domain in the form that browsers send; refuse one that is not a primary domain."""
    host = attribution.host(value if "://" in value else f"https://{value}")
    if host is None:
        raise click.BadParameter(f"{value!r} is not a domain. An account has a primary domain, for example example.com.")
    primary = attribution.primary_domain(host)
    if primary != value and (value.isascii() or primary != host or "/" in value or ":" in value):
        raise click.BadParameter(f"An account has a primary domain. Instead of {value!r}, use {primary}.")
    return primary


DOMAIN: dict[str, Any] = {"required": True, "metavar": "D", "callback": primary_domain}
KEY = click.option("--key", required=True, metavar="K", help="The account's key.")


def load_query(text: str) -> dict:
    """Return the JSON body of a request as strategies.page takes it. Raises click.ClickException with a sentence."""
    try:
        body = strict_json.parse(text.encode())
    except ValueError as fault:
        raise click.ClickException(f"QUERY {fault}.") from None
    if not isinstance(body, dict):
        raise click.ClickException(f"QUERY must be a JSON object, not {fields.kind(body)}.")
    return schemas.load_query(body, current_app.extensions["clock"]())


def account_of(connection: Connection, key: str) -> accounts.Account:
    account = accounts.authenticate(connection, key)
    if account is None:
        raise click.ClickException(f"The key {key} is unknown. The command conversions keys list shows the keys of this database.")
    return account
