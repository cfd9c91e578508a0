"""flask accounts and flask keys: list accounts or delete one; make, list and revoke keys. Decisions 41, 49."""

import click
from flask import current_app
from flask.cli import with_appcontext

from .. import accounts
from .options import bp, errors_as_sentences, primary_domain


@bp.cli.group("accounts", invoke_without_command=True)
@click.pass_context
@with_appcontext
def list_accounts(context: click.Context):
    """List the accounts, or delete one."""
    if context.invoked_subcommand is not None:
        return
    with errors_as_sentences(), current_app.extensions["database"].reading() as connection:
        found = connection.rows(accounts.ACCOUNTS, {})
    # The days are those on which the first session starts and the last one ends.
    rows = [("domain", "sessions", "conversions", "first day", "last day", "monthly limit", "keys")] + [
        (domain, f"{many:,}", f"{conversions:,}", first or "-", last or "-", "-" if limit is None else f"{limit:,}", str(keys))
        for domain, many, conversions, first, last, limit, keys in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for domain, *cells in rows:
        line = [f"{domain:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))]
        click.echo("  ".join(line))


@list_accounts.command("delete")
@click.argument("domain", type=primary_domain)
def delete_account(domain: str):
    """Delete the account of DOMAIN with its keys, sessions and conversions."""
    with errors_as_sentences(), current_app.extensions["database"].writing() as connection:
        accounts.delete(connection, domain)
    click.echo(f"The account of {domain} is deleted, with everything that belonged to it.")


@bp.cli.group("keys")
def keys():
    """Make, list and revoke keys."""


@keys.command("add")
@click.option("--domain", required=True, metavar="D", help="The primary domain of the account.")
def add_key(domain: str):
    """Make another key for an account. It is shown only once."""
    key = accounts.make_key()
    with errors_as_sentences(), current_app.extensions["database"].writing() as connection:
        accounts.add_key(connection, accounts.find(connection, domain), key)
    click.echo(f"A new key for {domain}, shown only this time: {key}")


@keys.command("list")
def list_keys():
    """List all keys: their first characters, the day they were made, and their account."""
    with errors_as_sentences(), current_app.extensions["database"].reading() as connection:
        for prefix, day, domain in connection.rows(accounts.KEYS, {}):
            click.echo(f"{prefix + '…':<{accounts.LONGEST_PREFIX + 1}} {day} {domain}")


@keys.command("revoke")
@click.argument("prefix")
def revoke_key(prefix: str):
    """Revoke the key that the list shows as PREFIX. If it shows several, give the whole key."""
    with errors_as_sentences(), current_app.extensions["database"].writing() as connection:
        accounts.revoke_key(connection, prefix)
    click.echo("The key is revoked. Requests with it get a 401 from now on.")
