"""flask accounts: list the accounts, or delete one. Decision 49."""

from collections.abc import Iterator

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from .. import accounts
from ..database import Connection
from .options import primary_domain
from .sentences import errors_as_sentences


@click.group("accounts", cls=AppGroup, invoke_without_command=True)
@click.pass_context
@with_appcontext
def list_accounts(context: click.Context):
    """List the accounts, or delete one."""
    if context.invoked_subcommand is None:
        with errors_as_sentences(), current_app.extensions["database"].reading() as connection:
            for line in _table(connection):
                click.echo(line)


def _table(connection: Connection) -> Iterator[str]:
    """Return the lines of a table of the accounts. The days are those on which the first session starts and the last one ends."""
    header = ("domain", "sessions", "conversions", "first day", "last day", "monthly limit", "keys")
    rows = [header] + [
        (domain, f"{many:,}", f"{conversions:,}", first or "-", last or "-", "-" if limit is None else f"{limit:,}", str(keys))
        for domain, many, conversions, first, last, limit, keys in connection.rows(accounts.ACCOUNTS, {})
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(header))]
    for domain, *cells in rows:
        yield f"{domain:<{widths[0]}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))


@list_accounts.command("delete")
@click.argument("domain", callback=primary_domain)
def delete_account(domain: str):
    """Delete the account of DOMAIN with its keys, sessions and conversions."""
    with errors_as_sentences(), current_app.extensions["database"].writing() as connection:
        accounts.delete(connection, domain)
    click.echo(f"The account of {domain} is deleted, with everything that belonged to it.")
