"""flask walk and flask explain: fetch all pages of a query, as the published text says to, and show the SQL. Decision 32."""

import click
from flask import current_app

from .. import accounts, fields, schemas, strategies, strict_json
from ..database import Connection
from .options import bp, errors_as_sentences

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


def read_page(connection: Connection, query: dict, key: str) -> strategies.Page:
    account = accounts.authenticate(connection, key)
    if account is None:
        raise click.ClickException(f"The key {key} is unknown. The command conversions keys list shows the keys of this database.")
    return strategies.page(connection, query | account.scope)


@bp.cli.command("walk")
@click.argument("query")
@KEY
@errors_as_sentences()
def walk(query: str, key: str):
    """Fetch all pages of QUERY, the JSON body of a request.

    Sends records_processed as the next offset until has_more is false, and checks that no conversion is returned twice. Reads the
    database directly, so it counts no calls.
    """
    # Loaded once, so that a default window does not move with the clock from page to page.
    loaded = load_query(query)
    ids: list[int] = []
    pages, has_more = 0, True
    while has_more:
        with current_app.extensions["database"].reading() as connection:
            page = read_page(connection, loaded, key)
        if page.nothing_matches:
            click.echo(schemas.NOTHING_FOUND)
            return
        pages += 1
        ids += [row[0] for row in page.conversions]
        unit = "sessions" if page.strategy == "session" else "conversions"
        progress = f"{page.records_processed} of {page.total_records} {unit} processed"
        click.echo(f"page {pages}: offset {loaded['offset']}, {len(page.conversions)} records, {progress}")
        loaded["offset"], has_more = page.records_processed, page.has_more
    click.echo(f"Conversions: {len(ids)}, on pages: {pages}.")
    if repeated := len(ids) - len(set(ids)):
        raise click.ClickException(f"{repeated} conversions were returned twice.")
    click.echo("No conversion was returned twice.")


@bp.cli.command("explain")
@click.argument("query")
@KEY
@errors_as_sentences()
def explain(query: str, key: str):
    """Show how SQL answers QUERY, the JSON body of a request.

    Prints the strategy, and each statement that answers such a request, with its values, its query plan, the number of rows and the
    time. The statements are those of app/strategies.py.
    """
    loaded = load_query(query)
    with current_app.extensions["database"].reading() as connection:
        page = read_page(connection, loaded, key)
        for number, statement in enumerate(connection.ran, start=1):
            click.secho(f"\n{number}. {statement.row_count} rows, {statement.seconds * 1000:.2f} ms", bold=True)
            click.echo("\n".join(line for line in statement.sql.splitlines() if line.strip()))
            click.echo("with " + ", ".join(f"{name} = {value!r}" for name, value in statement.values.items()))
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values):
                click.echo(f"  {step}")
    batches = f" Batches of sessions: {len(page.conversions_per_batch)}." if page.strategy == "session" else ""
    click.secho(f"\nStrategy: {page.strategy}. Conversions on the page: {len(page.conversions)}.{batches}", bold=True)
