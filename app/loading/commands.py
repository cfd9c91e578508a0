"""The commands that write sessions: seed and import. Decisions 30, 31."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import click
from flask import Blueprint, current_app

from app.errors import clear_errors
from app.loading import attribution, sessions

commands = Blueprint("loading", __name__, cli_group=None)


@commands.cli.command("seed")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The day, as YYYY-MM-DD; left out: today, in UTC.")
def seed(as_of: datetime | None):
    """Bring the bundled data up to a day.

    Makes the database where there is none. Data that somebody imported stays as it is.
    """
    day = as_of.date() if as_of else current_app.extensions["clock"].today()
    with clear_errors(), current_app.extensions["database"].writing_sessions() as connection:
        left_alone = sessions.seed(connection, day)
    for domain in left_alone:
        click.echo(f"{domain} holds imported data and was left as it is.")
    click.echo(f"The bundled data is that of {day}, in {current_app.extensions['database'].path}.")


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

    with clear_errors(), current_app.extensions["database"].writing_sessions() as connection:
        account, key_to_tell = sessions.open_for_import(connection, domain, key, monthly_limit, replace)
        with _progress(file) as lines:
            many, conversions = sessions.load_lines(connection, account, domain, lines)
    click.echo(f"{many:,} sessions with {conversions:,} conversions imported for {domain}.")
    if key_to_tell:
        click.echo(f"Its key, which is shown this once: {key_to_tell}")


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
