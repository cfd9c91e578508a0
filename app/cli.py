"""What flask run does before it serves, and the commands keys, walk and explain. Decisions 31, 32."""

import click
from flask import Blueprint, Flask, current_app
from flask.cli import run_command
from werkzeug.serving import is_running_from_reloader

from app import accounts, api, fast, fields, instants, schemas, strategies, strict_json
from app.database import Connection, Database
from app.errors import errors_as_sentences
from app.loading import sessions, traffic

commands = Blueprint("commands", __name__, cli_group=None)


def is_flask_run() -> bool:
    """Tell whether flask run loads the app."""
    context = click.get_current_context(silent=True)
    return context is not None and context.command is run_command


def init_app(app: Flask) -> None:
    app.register_blueprint(commands)
    if is_flask_run():
        with app.app_context():
            prepare_to_run(**click.get_current_context().params)


def prepare_to_run(host: str, port: int, **_) -> None:
    """Add the bundled accounts that are missing, bring their data up to today, and print how to send a request."""
    database = _database()
    with errors_as_sentences():
        with database.writing_sessions() as connection:
            left_out = sessions.seed(connection, _clock().today())
        is_bundled = _accounts(database)
    if is_running_from_reloader():
        return
    key_to_try = None
    click.echo(f" * Database: {database.path}")
    for account in traffic.accounts():
        if is_bundled.get(account["domain"]):
            click.echo(f"     {account['key']:<17}{account['shows']}")
            key_to_try = key_to_try or account["key"]
    bundled_domains = {account["domain"] for account in traffic.accounts()}
    for domain in [domain for domain in is_bundled if domain not in bundled_domains]:
        click.echo(f"     (your key)       {domain}, imported")
    for sentence in left_out:
        click.echo(f"     {sentence}")
    click.echo(f" * Explorer: http://{host}:{port}/")
    click.echo(f" * Documentation: http://{host}:{port}/docs/")
    click.echo(f""" * Try: curl http://{host}:{port}{api.PATH} \\
       -H 'Authentication: {key_to_try or "<your key>"}' -H 'Content-Type: application/json' -d '{{"source": "google.com"}}'""")


@commands.cli.group("keys")
def keys():
    """Make, list and revoke keys."""


@keys.command("add")
@click.option("--domain", required=True, metavar="D", help="The primary domain of the account.")
def keys_add(domain: str):
    """Make another key for an account. It is shown only once."""
    key = accounts.make_key()
    with errors_as_sentences(), _database().writing_accounts() as connection:
        row = connection.execute(accounts.FIND_ACCOUNT, {"domain": domain}).fetchone()
        if row is None:
            raise ValueError(f"There is no account of {domain}; flask import creates one.")
        accounts.add_key(connection, row[0], key)
    click.echo(f"A new key for {domain}, shown only this time: {key}")


@keys.command("list")
def keys_list():
    """List all keys: their first characters, the day they were made, and their account."""
    with errors_as_sentences(), _database().reading() as connection:
        for prefix, day, domain in connection.rows(accounts.KEYS, {}):
            click.echo(f"{prefix + '…':<{accounts.LONGEST_PREFIX + 1}} {day} {domain}")


@keys.command("revoke")
@click.argument("prefix")
def keys_revoke(prefix: str):
    """Revoke the key that the list shows as PREFIX. If it shows several, give the whole key."""
    with errors_as_sentences(), _database().writing_accounts() as connection:
        accounts.revoke_key(connection, prefix)
    click.echo("The key is revoked. Requests with it get a 401 from now on.")


@commands.cli.command("walk")
@click.argument("query")
@click.option("--key", required=True, metavar="K", help="The account's key.")
def walk(query: str, key: str):
    """Fetch all pages of QUERY, the JSON body of a request.

    Sends records_processed as the next offset until has_more is false, and checks that no conversion is returned twice. Reads the
    database directly, so it counts no calls.
    """
    with errors_as_sentences():
        # Loaded once, so that a default window does not move with the clock from page to page.
        loaded = _load_query(query)
        seen, records, pages, has_more = set(), 0, 0, True
        while has_more:
            with _database().reading() as connection:
                page = fast.page(connection, loaded | _account(connection, key).scope, current_app.extensions["cache"])
            if page.nothing_matches:
                click.echo(schemas.NOTHING_FOUND)
                return
            pages += 1
            records += len(page.conversions)
            seen.update(row[0] for row in page.conversions)
            unit = "sessions" if page.strategy == "session" else "conversions"
            progress = f"{page.records_processed} of {page.total_records} {unit} processed"
            click.echo(f"page {pages}: offset {loaded['offset']}, {len(page.conversions)} records, {progress}")
            loaded["offset"], has_more = page.records_processed, page.has_more
        click.echo(f"Conversions: {records}, on pages: {pages}.")
        if records > len(seen):
            raise click.ClickException(f"{records - len(seen)} conversions were returned twice.")
        click.echo("No conversion was returned twice.")


@commands.cli.command("explain")
@click.argument("query")
@click.option("--key", required=True, metavar="K", help="The account's key.")
def explain(query: str, key: str):
    """Show how plain SQL statements answer QUERY, the JSON body of a request.

    Prints the strategy, and for each statement its SQL, its values, its query plan, the number of rows and the time. These are the
    plain statements of app/strategies.py, which define the pages; the server gets the same pages faster, with those of app/fast.
    """
    with errors_as_sentences():
        loaded = _load_query(query)
        with _database().reading() as connection:
            page = strategies.page(connection, loaded | _account(connection, key).scope)
            for number, (sql, values, rows, seconds) in enumerate(connection.ran, start=1):
                click.secho(f"\n{number}. {len(rows)} rows, {seconds * 1000:.2f} ms", bold=True)
                click.echo("\n".join(line for line in sql.splitlines() if line.strip()))
                click.echo("with " + ", ".join(f"{name} = {value!r}" for name, value in values.items() if f":{name}" in sql))
                for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values):
                    click.echo(f"  {step}")
    batches = f" Batches of sessions: {page.batches}." if page.strategy == "session" else ""
    click.secho(f"\nStrategy: {page.strategy}. Conversions on the page: {len(page.conversions)}.{batches}", bold=True)


def _load_query(text: str) -> dict:
    try:
        body = strict_json.parse(text.encode())
    except ValueError as fault:
        raise click.ClickException(f"QUERY {fault}.") from None
    if not isinstance(body, dict):
        raise click.ClickException(f"QUERY must be a JSON object, not {fields.kind(body)}.")
    return schemas.load_query(body, _clock()())


def _account(connection: Connection, key: str) -> accounts.Account:
    account = accounts.authenticate(connection, key)
    if account is None:
        raise click.ClickException(f"The key {key} is unknown. flask keys list shows the keys of this database.")
    return account


def _database() -> Database:
    return current_app.extensions["database"]


def _clock() -> instants.Clock:
    return current_app.extensions["clock"]


def _accounts(database: Database) -> dict[str, bool]:
    """Return the domains of the accounts, and whether each has bundled data."""
    with database.reading() as connection:
        return dict(connection.rows(accounts.IS_BUNDLED, {}))
