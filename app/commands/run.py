"""flask seed, and what flask run does before it serves. Decisions 31, 33, 81."""

import sqlite3
from contextlib import suppress
from datetime import date, datetime

import click
from flask import Flask, current_app
from flask.cli import run_command
from werkzeug.serving import is_running_from_reloader

from .. import accounts, api
from ..database import Database
from ..loading import sessions, traffic
from .options import bp, errors_as_sentences


@bp.cli.command("seed")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The day, as YYYY-MM-DD; by default today (UTC).")
def seed(as_of: datetime | None):
    """Bring the bundled data up to a day.

    Creates the database if there is none. Imported data stays as it is.
    """
    day = as_of.date() if as_of else current_app.extensions["clock"].today()
    with errors_as_sentences(), current_app.extensions["database"].writing(create=True) as connection:
        left_alone = sessions.seed(connection, day)
    for sentence in left_alone:
        click.echo(sentence)
    click.echo(f"The bundled data is that of {day}, in {current_app.config['DATABASE']}.")


def is_flask_run() -> bool:
    """Return True if the command is flask run, rather than another command or a server."""
    context = click.get_current_context(silent=True)
    return context is not None and context.command is run_command


def seed_if_writable(database: Database, day: date) -> list[str]:
    """Bring the bundled data up to a day; return what was left out, as sentences: everything, if the database can only be read."""
    try:
        with database.writing(create=True) as connection:
            return sessions.seed(connection, day)
    except (sqlite3.Error, OSError) as error:
        with suppress(sqlite3.Error), database.reading():
            return [f"The bundled data is not brought up to today, since the database can't be written: {error}."]
        raise


def prepare(app: Flask) -> None:
    """Add the bundled accounts that are missing, bring their data up to today, and print how to send a request."""
    host, port = (click.get_current_context().params[name] for name in ("host", "port"))
    if not 0 <= port <= 65535:
        raise click.BadParameter(f"{port} is not a port: choose one from 0 to 65535.", param_hint="--port")
    database = app.extensions["database"]
    with app.app_context(), errors_as_sentences():
        left_out = seed_if_writable(database, app.extensions["clock"].today())
        with database.reading() as connection:
            bundled, imported = traffic.present(connection), connection.rows(accounts.IMPORTED, {})
    if is_running_from_reloader():
        return
    click.echo(f" * Database: {database.path}")
    for account in bundled:
        click.echo(f"     {account['key']:<17}{account['shows']}")
    demo_domains = {account["domain"] for account in traffic.accounts()}  # what is imported there is among the sentences
    for domain in [domain for (domain,) in imported if domain not in demo_domains]:
        click.echo(f"     (your key)       {domain}, imported")
    for sentence in left_out:
        click.echo(f"     {sentence}")
    if port == 0:  # the system picks one when the server starts, which then prints its address
        click.echo(" * The explorer is at / of the address below, the documentation at /docs/.")
        return
    key_to_try = bundled[0]["key"] if bundled else "<your key>"
    click.echo(f" * Explorer: http://{host}:{port}/")
    click.echo(f" * Documentation: http://{host}:{port}/docs/")
    click.echo(f""" * Try: curl http://{host}:{port}{api.PATH} \\
       -H 'Authentication: {key_to_try}' -H 'Content-Type: application/json' -d '{{"source": "google.com"}}'""")
