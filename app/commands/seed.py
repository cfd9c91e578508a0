"""flask seed: bring the bundled data up to a day. Decision 31."""

from datetime import datetime

import click
from flask import current_app
from flask.cli import with_appcontext

from ..loading import sessions
from .sentences import errors_as_sentences


@click.command("seed")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The day, as YYYY-MM-DD; by default today (UTC).")
@with_appcontext
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
