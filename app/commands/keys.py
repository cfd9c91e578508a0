"""flask keys: make, list and revoke keys. Decision 41."""

import click
from flask import current_app
from flask.cli import AppGroup

from .. import accounts
from .sentences import errors_as_sentences

keys = AppGroup("keys", help="Make, list and revoke keys.")


@keys.command("add")
@click.option("--domain", required=True, metavar="D", help="The primary domain of the account.")
def keys_add(domain: str):
    """Make another key for an account. It is shown only once."""
    key = accounts.make_key()
    with errors_as_sentences(), current_app.extensions["database"].writing() as connection:
        accounts.add_key(connection, accounts.find(connection, domain), key)
    click.echo(f"A new key for {domain}, shown only this time: {key}")


@keys.command("list")
def keys_list():
    """List all keys: their first characters, the day they were made, and their account."""
    with errors_as_sentences(), current_app.extensions["database"].reading() as connection:
        for prefix, day, domain in connection.rows(accounts.KEYS, {}):
            click.echo(f"{prefix + '…':<{accounts.LONGEST_PREFIX + 1}} {day} {domain}")


@keys.command("revoke")
@click.argument("prefix")
def keys_revoke(prefix: str):
    """Revoke the key that the list shows as PREFIX. If it shows several, give the whole key."""
    with errors_as_sentences(), current_app.extensions["database"].writing() as connection:
        accounts.revoke_key(connection, prefix)
    click.echo("The key is revoked. Requests with it get a 401 from now on.")
