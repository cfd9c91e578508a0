"""The commands flask seed, import and walk, and what flask run does before it serves. Decisions 31, 32."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import click
from flask import Blueprint, Flask, current_app
from marshmallow import ValidationError
from werkzeug.serving import is_running_from_reloader

from app import accounts, api, attribution, loading, schemas, strategies, strict_json, traffic
from app.database import Database

commands = Blueprint("commands", __name__, cli_group=None)


def init_app(app: Flask) -> None:
    app.register_blueprint(commands)
    context = click.get_current_context(silent=True)
    if context is not None and context.info_name == "run":
        with app.app_context():
            prepare_to_run(**context.params)


def prepare_to_run(host: str, port: int, **_) -> None:
    """Makes the database where there is none, brings bundled data up to today, and says how to ask."""
    database = _database()
    with _clear_errors():
        if not database.is_made() or _has_bundled_data(database):
            with database.creating() as connection:
                loading.seed(connection, _today())
    if is_running_from_reloader():
        return
    click.echo(f" * Database: {database.path}")
    with database.reading() as connection:
        for domain, seeded_to in connection.execute("SELECT domain, seeded_to FROM accounts ORDER BY seeded_to IS NULL, id"):
            bundled = next((account for account in traffic.accounts() if account["domain"] == domain and seeded_to), None)
            click.echo(f"     {bundled['key']:<17}{bundled['shows']}" if bundled else f"     (your key)       {domain}, imported")
    click.echo(f""" * Try: curl http://{host}:{port}{api.PATH} \\
       -H 'Authentication: YOUR_API_KEY' -H 'Content-Type: application/json' -d '{{"source": "google.com"}}'""")


@commands.cli.command("seed")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The day, as YYYY-MM-DD; left out: today, in UTC.")
def seed(as_of: datetime | None):
    """Bring the bundled data up to a day.

    Makes the database where there is none. Data that somebody imported stays as it is.
    """
    day = as_of.date() if as_of else _today()
    with _clear_errors(), _database().creating() as connection:
        left_alone = loading.seed(connection, day)
    for domain in left_alone:
        click.echo(f"{domain} holds imported data and was left as it is.")
    click.echo(f"The bundled data is that of {day}, in {_database().path}.")


@commands.cli.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--domain", required=True, metavar="D", help="The primary domain of the account that the sessions belong to.")
@click.option("--key", metavar="K", help="A key that opens the account; left out: a new account gets one, which is printed once.")
@click.option(
    "--monthly-limit", type=click.IntRange(min=0), metavar="N", help="Calls a calendar month; left out: as it is, or none."
)
@click.option("--replace", is_flag=True, help="Forget the sessions that the account has.")
def import_(file, domain: str, key: str | None, monthly_limit: int | None, replace: bool):
    """Import sessions and their conversions from FILE, in JSON Lines.

    FILE is taken whole or not at all; "-" reads standard input. The README describes the format. Makes the database and the
    account where they are missing.
    """
    host = attribution.host(f"https://{domain}/")
    primary = attribution.primary_domain(host) if host else "one such as example.com"
    if domain != primary:
        raise click.BadParameter(f"an account has a primary domain: instead of {domain!r}, {primary}.", param_hint="--domain")
    if key is not None and not (key.isascii() and key.isprintable() and key and " " not in key):
        raise click.BadParameter("a key is made of printable ASCII characters, without spaces.", param_hint="--key")

    with _clear_errors(), _database().creating() as connection:
        account, key_to_tell = loading.open_for_import(connection, domain, key, monthly_limit, replace)
        with _progress(file) as lines:
            sessions, conversions = loading.load_lines(connection, account, domain, lines)
    click.echo(f"{sessions:,} sessions with {conversions:,} conversions imported for {domain}.")
    if key_to_tell:
        click.echo(f"Its key, which is shown this once: {key_to_tell}")


@contextmanager
def _progress(file) -> Iterator[Iterator[bytes]]:
    """The file's lines, with a bar on a terminal that shows how much of it has been read; of a pipe, that it is being read."""
    try:
        size = os.fstat(file.fileno()).st_size
    except OSError:
        size = 0
    with click.progressbar(file, length=size or None, label="Importing", file=sys.stderr) as bar:

        def lines():
            for line in file:
                yield line
                bar.update(len(line))

        yield lines()


@commands.cli.command("walk")
@click.argument("query")
@click.option("--key", required=True, metavar="K", help="The account's key.")
def walk(query: str, key: str):
    """Walk all pages of QUERY, a request's body in JSON.

    Feeds records_processed back as the next offset until has_more is false, and checks that no conversion came twice. It reads the
    database itself: no call is counted.
    """
    database = _database()
    with _clear_errors():
        try:
            body = strict_json.parse(query.encode())
        except ValueError as fault:
            raise click.ClickException(f"QUERY {fault}.") from None
        if not isinstance(body, dict):
            raise click.ClickException(f"QUERY must be a JSON object, not {schemas.kind(body)}.")
        with database.reading() as connection:
            account = accounts.authenticate(connection, key)
        if account is None:
            raise click.ClickException("There is no such key.")
        # Once, so that a default window does not move on with the clock between two pages.
        query = schemas.load_query(body, current_app.extensions["clock"]()) | {"account": account.id}
        _walk(database, query)


def _walk(database: Database, query: dict) -> None:
    unit = "sessions" if strategies.has_session_filter(query) else "conversions"
    seen, records, pages = set(), 0, 0
    page = None
    while page is None or page.has_more:
        with database.reading() as connection:
            page = strategies.page(connection, query)
        if page is None:
            click.echo(api.NOTHING_FOUND["message"])
            return
        pages += 1
        records += len(page.conversions)
        seen.update(row[0] for row in page.conversions)
        click.echo(
            f"page {pages}: offset {query['offset']}, {len(page.conversions)} records, "
            f"{page.records_processed} of {page.total_records} {unit} processed"
        )
        query["offset"] = page.records_processed
    click.echo(f"{records} conversions on {pages} pages.")
    if records > len(seen):
        raise click.ClickException(f"{records - len(seen)} conversions came twice.")
    click.echo("Nothing came twice.")


def _database() -> Database:
    return current_app.extensions["database"]


def _today() -> date:
    return datetime.fromtimestamp(current_app.extensions["clock"](), UTC).date()


def _has_bundled_data(database: Database) -> bool:
    with database.reading() as connection:
        return connection.execute("SELECT count(*) FROM accounts WHERE seeded_to IS NOT NULL").fetchone() != (0,)


@contextmanager
def _clear_errors():
    """Whatever a user can cause, as a sentence on standard error, with exit status 1."""
    try:
        yield
    except loading.Faults as faults:
        lines = [f"line {line}{', ' + field if field else ''}: {sentence}" for line, field, sentence in faults.told]
        if faults.count > len(lines):
            lines.append(f"… and {faults.count - len(lines)} more")
        raise click.ClickException("\n".join(["The file has faults, and nothing was changed.", *lines])) from None
    except ValidationError as error:
        raise click.ClickException("; ".join(f"{name}: {' '.join(told)}" for name, told in error.messages.items())) from None
    except sqlite3.Error as error:
        raise click.ClickException(f"The database cannot be used: {error}.") from None
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
