"""flask walk: fetch all pages of a query, as the published text says to. Decision 32."""

import click
from flask import current_app
from flask.cli import with_appcontext

from .. import schemas, strategies
from .options import KEY, account_of, load_query
from .sentences import errors_as_sentences


@click.command("walk")
@click.argument("query")
@KEY
@with_appcontext
def walk(query: str, key: str):
    """Fetch all pages of QUERY, the JSON body of a request.

    Sends records_processed as the next offset until has_more is false, and checks that no conversion is returned twice. Reads the
    database directly, so it counts no calls.
    """
    with errors_as_sentences():
        # Loaded once, so that a default window does not move with the clock from page to page.
        loaded = load_query(query)
        seen: set[int] = set()
        records, pages, has_more = 0, 0, True
        while has_more:
            with current_app.extensions["database"].reading() as connection:
                page = strategies.page(connection, loaded | account_of(connection, key).scope)
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
