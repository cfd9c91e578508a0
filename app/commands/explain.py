"""flask explain: show the statements that answer a query."""

import click
from flask import current_app
from flask.cli import with_appcontext

from .. import strategies
from .options import KEY, account_of, load_query
from .sentences import errors_as_sentences


@click.command("explain")
@click.argument("query")
@KEY
@with_appcontext
def explain(query: str, key: str):
    """Show how SQL answers QUERY, the JSON body of a request.

    Prints the strategy, and each statement that answers such a request, with its values, its query plan, the number of rows and the
    time. The statements are those of app/strategies.py.
    """
    with errors_as_sentences():
        loaded = load_query(query)
        with current_app.extensions["database"].reading() as connection:
            page = strategies.page(connection, loaded | account_of(connection, key).scope)
            for number, statement in enumerate(connection.ran, start=1):
                click.secho(f"\n{number}. {statement.row_count} rows, {statement.seconds * 1000:.2f} ms", bold=True)
                click.echo("\n".join(line for line in statement.sql.splitlines() if line.strip()))
                click.echo("with " + ", ".join(f"{name} = {value!r}" for name, value in statement.values.items()))
                for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values):
                    click.echo(f"  {step}")
    batches = f" Batches of sessions: {len(page.conversions_per_batch)}." if page.strategy == "session" else ""
    click.secho(f"\nStrategy: {page.strategy}. Conversions on the page: {len(page.conversions)}.{batches}", bold=True)
