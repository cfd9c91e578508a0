"""flask export: write an account's sessions in the import format. Decision 48."""

import click
from flask import current_app
from flask.cli import with_appcontext

from .. import accounts
from ..loading import exporting
from .options import DOMAIN
from .sentences import errors_as_sentences


@click.command("export")
@click.option("--domain", **DOMAIN, help="The primary domain of the account.")
@with_appcontext
def export(domain: str):
    """Write an account's sessions in the import format to standard output.

    Importing them elsewhere gives the same responses. The account's keys and limit are not part of it.
    """
    with errors_as_sentences(), current_app.extensions["database"].reading() as connection:
        account = accounts.find(connection, domain)
        for line in exporting.lines(connection, account):
            click.echo(line, nl=False)
