"""The commands, and what flask run does before it serves. Decisions 31, 32."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

import click
from flask import Blueprint, Flask, current_app
from flask.cli import ScriptInfo
from marshmallow import ValidationError
from werkzeug.serving import is_running_from_reloader

from app import accounts, api, attribution, instants, loading, schemas, strategies, strict_json, traffic
from app.database import Database

commands = Blueprint("commands", __name__, cli_group=None)


def is_flask_run() -> bool:
    """Whether flask run is what loads the app."""
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name == "run"


def init_app(app: Flask) -> None:
    app.register_blueprint(commands)
    if is_flask_run():
        with app.app_context():
            prepare_to_run(**click.get_current_context().params)


def prepare_to_run(host: str, port: int, **_) -> None:
    """Makes the database where there is none, brings bundled data up to today, and says how to ask."""
    database = _database()
    with _clear_errors():
        if not database.is_made() or any(_accounts(database).values()):
            with database.creating() as connection:
                loading.seed(connection, _clock().today())
        is_bundled = _accounts(database)
    if is_running_from_reloader():
        return
    key_to_try = None
    click.echo(f" * Database: {database.path}")
    for account in traffic.accounts():
        if is_bundled.get(account["domain"]):
            click.echo(f"     {account['key']:<17}{account['shows']}")
            key_to_try = key_to_try or account["key"]
    for domain in [domain for domain in is_bundled if not is_bundled[domain]]:
        click.echo(f"     (your key)       {domain}, imported")
    click.echo(f" * Documentation: http://{host}:{port}/docs/")
    click.echo(f""" * Try: curl http://{host}:{port}{api.PATH} \\
       -H 'Authentication: {key_to_try or "<your key>"}' -H 'Content-Type: application/json' -d '{{"source": "google.com"}}'""")


@commands.cli.command("seed")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The day, as YYYY-MM-DD; left out: today, in UTC.")
def seed(as_of: datetime | None):
    """Bring the bundled data up to a day.

    Makes the database where there is none. Data that somebody imported stays as it is.
    """
    day = as_of.date() if as_of else _clock().today()
    with _clear_errors(), _database().creating() as connection:
        left_alone = loading.seed(connection, day)
    for domain in left_alone:
        click.echo(f"{domain} holds imported data and was left as it is.")
    click.echo(f"The bundled data is that of {day}, in {_database().path}.")


@commands.cli.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--domain", required=True, metavar="D", help="The primary domain of the account that the sessions belong to.")
@click.option("--key", metavar="K", help="A key that opens the account; left out: a new account gets one, which is printed once.")
@click.option("--monthly-limit", type=click.IntRange(min=0), metavar="N", help="Calls a calendar month; left out: no change.")
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


@commands.cli.group("keys")
def keys():
    """Make, list and revoke keys."""


@keys.command("add")
@click.option("--domain", required=True, metavar="D", help="The primary domain of an account that is there.")
def keys_add(domain: str):
    """Make another key for an account, and show it this once."""
    key = accounts.make_key()
    with _clear_errors(), _database().writing() as connection:
        row = connection.execute(loading.FIND_ACCOUNT, {"domain": domain}).fetchone()
        if row is None:
            raise ValueError(f"There is no account of {domain}; flask import makes one.")
        accounts.add_key(connection, row[0], key)
    click.echo(f"A key of {domain}, which is shown this once: {key}")


@keys.command("list")
def keys_list():
    """List the keys, each by its first characters, its day and its account."""
    with _clear_errors(), _database().reading() as connection:
        for prefix, day, domain in connection.rows(accounts.KEYS, {}):
            click.echo(f"{prefix + '…':<{accounts.LONGEST_PREFIX + 1}} {day} {domain}")


@keys.command("revoke")
@click.argument("prefix")
def keys_revoke(prefix: str):
    """Revoke the key that the list shows as PREFIX; where several are shown so, give the whole key."""
    with _clear_errors(), _database().writing() as connection:
        accounts.revoke_key(connection, prefix)
    click.echo("The key is revoked; requests that carry it get a 401 from now on.")


@contextmanager
def _progress(file) -> Iterator[Iterator[bytes]]:
    """The file's lines, with a bar on a terminal that shows how much of it has been read; of a pipe, that it is being read."""
    try:
        size = os.fstat(file.fileno()).st_size
    except OSError:
        size = 0
    with click.progressbar(file, length=size or None, update_min_steps=2**16, label="Importing", file=sys.stderr) as bar:

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
    with _clear_errors():
        # Loaded once, so that a default window does not move on with the clock between two pages.
        loaded = _load_query(query, key)
        seen, records, pages, has_more = set(), 0, 0, True
        while has_more:
            with _database().reading() as connection:
                page = strategies.page(connection, loaded, current_app.extensions["memory"])
            if page.nothing_matches:
                click.echo(schemas.NOTHING_FOUND)
                return
            pages += 1
            records += len(page.conversions)
            seen.update(row[0] for row in page.conversions)
            unit = "sessions" if page.strategy == "session" else "conversions"
            place = f"{page.records_processed} of {page.total_records} {unit} processed"
            click.echo(f"page {pages}: offset {loaded['offset']}, {len(page.conversions)} records, {place}")
            loaded["offset"], has_more = page.records_processed, page.has_more
        click.echo(f"{records} conversions on {pages} pages.")
        if records > len(seen):
            raise click.ClickException(f"{records - len(seen)} conversions came twice.")
        click.echo("Nothing came twice.")


@commands.cli.command("explain")
@click.argument("query")
@click.option("--key", required=True, metavar="K", help="The account's key.")
def explain(query: str, key: str):
    """Show how QUERY, a request's body in JSON, is answered.

    Prints the strategy, and of each of the plain statements the SQL with its values, the query plan, the rows it found and the time
    it took. What a server remembers between requests is left out.
    """
    with _clear_errors():
        loaded = _load_query(query, key)
        with _database().reading() as connection:
            page = strategies.page(connection, loaded)
            for number, (sql, values, rows, seconds) in enumerate(connection.ran, start=1):
                click.secho(f"\n{number}. {len(rows)} rows, {seconds * 1000:.2f} ms", bold=True)
                click.echo("\n".join(line for line in sql.splitlines() if line.strip()))
                click.echo("with " + ", ".join(f"{name} = {value!r}" for name, value in values.items() if f":{name}" in sql))
                for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values):
                    click.echo(f"  {step}")
    click.secho(f"\nStrategy: {page.strategy}; batches: {page.batches}; rows looked at: {page.rows_looked_at}.", bold=True)


def _load_query(text: str, key: str) -> dict:
    try:
        body = strict_json.parse(text.encode())
    except ValueError as fault:
        raise click.ClickException(f"QUERY {fault}.") from None
    if not isinstance(body, dict):
        raise click.ClickException(f"QUERY must be a JSON object, not {schemas.kind(body)}.")
    with _database().reading() as connection:
        account = accounts.authenticate(connection, key)
    if account is None:
        raise click.ClickException("There is no such key.")
    return schemas.load_query(body, _clock()()) | {"account": account.id}


@commands.cli.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def exec_(context: click.Context, command: tuple[str, ...]):
    """Run COMMAND beside a server with fresh bundled data.

    The server listens on a free port until COMMAND ends; CONVERSIONS_URL and CONVERSIONS_KEY tell COMMAND how to ask it. Ends with
    the exit status of COMMAND.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    script = context.find_object(ScriptInfo)
    flask = [sys.executable, "-m", "flask", *(["--app", script.app_import_path] if script.app_import_path else [])]
    with TemporaryDirectory() as folder:
        environment = os.environ | {"CONVERSIONS_DATABASE": str(Path(folder) / "conversions.sqlite")}
        with open(Path(folder) / "log", "w+b") as log:
            server = subprocess.Popen([*flask, "run", "--port", url.rpartition(":")[2]], env=environment, stdout=log, stderr=log)
            try:
                if not _becomes_ready(server, url):
                    log.seek(0)
                    raise click.ClickException(f"The server did not start.\n{log.read().decode(errors='replace')}")
                environment = os.environ | {"CONVERSIONS_URL": url + api.PATH, "CONVERSIONS_KEY": "YOUR_API_KEY"}
                status = subprocess.run(command, env=environment, check=False).returncode
            except OSError as error:
                raise click.ClickException(f"{command[0]} cannot be run: {error.strerror}.") from None
            finally:
                server.terminate()
                server.wait()
    context.exit(status if status >= 0 else 128 - status)


def _becomes_ready(server: subprocess.Popen, url: str) -> bool:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            return urlopen(f"{url}/readyz").status == 200
        except URLError:
            time.sleep(0.05)
    return False


def _database() -> Database:
    return current_app.extensions["database"]


def _clock() -> instants.Clock:
    return current_app.extensions["clock"]


def _accounts(database: Database) -> dict[str, bool]:
    """The accounts' domains, and whether each holds bundled data."""
    with database.reading() as connection:
        return dict(connection.rows("SELECT domain, seeded_to IS NOT NULL FROM accounts", {}))


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
        raise click.ClickException(f"The database {_database().path} cannot be used: {error}.") from None
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
