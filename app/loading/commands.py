"""The commands that read and write whole accounts: seed, import, export, accounts. Decisions 30, 31, 49."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import BinaryIO

import click
from flask import Blueprint, current_app
from flask.cli import with_appcontext

from app import accounts, fields
from app.database import Connection
from app.errors import errors_as_sentences
from app.loading import attribution, csv_files, exporting, formats, sessions, watching
from app.loading.csv_files import Columns
from app.loading.faults import Faults
from app.schemas import DEFAULT_WINDOW

commands = Blueprint("loading", __name__, cli_group=None)


@commands.cli.command("seed")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The day, as YYYY-MM-DD; by default today (UTC).")
def seed(as_of: datetime | None):
    """Bring the bundled data up to a day.

    Creates the database if there is none. Imported data stays as it is.
    """
    day = as_of.date() if as_of else current_app.extensions["clock"].today()
    with errors_as_sentences(), current_app.extensions["database"].writing_sessions() as connection:
        left_alone = sessions.seed(connection, day)
    for sentence in left_alone:
        click.echo(sentence)
    click.echo(f"The bundled data is that of {day}, in {current_app.extensions['database'].path}.")


def primary_domain(_context, _parameter, value: str) -> str:
    """Return the domain in the form that browsers send; refuse one that is not a primary domain."""
    host = attribution.host(value if "://" in value else f"https://{value}")
    if host is None:
        raise click.BadParameter(f"{value!r} is not a domain. An account has a primary domain, for example example.com.")
    primary = attribution.primary_domain(host)
    if primary != value and (value.isascii() or primary != host or "/" in value or ":" in value):
        raise click.BadParameter(f"An account has a primary domain. Instead of {value!r}, use {primary}.")
    return primary


def header_value(_context, _parameter, value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isprintable() and value and " " not in value):
        raise click.BadParameter(f"A key consists of printable ASCII characters without spaces, not {value!r}.")
    return value


def assignments(_context, _parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return what FIELD=VALUE options say, by field."""
    known, found = [*csv_files.OF_SESSION, *csv_files.OF_CONVERSION], {}
    for value in values:
        field, equals, what = value.partition("=")
        if not equals:
            raise click.BadParameter(f"Must have the form FIELD=VALUE, not {value!r}.")
        if field not in known:
            near = get_close_matches(field, known, n=1)
            advice = f"Did you mean {near[0]}?" if near else f"The fields are {', '.join(known)}."
            raise click.BadParameter(f"There is no field {field!r}. {advice}")
        found[field] = what
    return found


DOMAIN = {"required": True, "metavar": "D", "callback": primary_domain}


@commands.cli.command("import")
@click.argument("file", type=click.Path(exists=True, allow_dash=True, dir_okay=False))
@click.option("--domain", **DOMAIN, help="The primary domain of the account to import into.")
@click.option("--key", metavar="K", callback=header_value, help="A key for the account. By default a new account gets one.")
@click.option(
    "--monthly-limit",
    type=click.IntRange(min=0, max=fields.LARGEST_COUNT),
    metavar="N",
    help="Calls per calendar month; by default the limit stays as it is.",
)
@click.option("--replace", is_flag=True, help="Replace the sessions that the account has.")
@click.option("--watch", is_flag=True, help="Keep running, and import FILE again, with --replace, whenever it changes.")
@click.option(
    "--column", "named", multiple=True, metavar="F=C", callback=assignments, help="CSV: the name of the column that has field F."
)
@click.option("--set", "values", multiple=True, metavar="F=V", callback=assignments, help="CSV: a value of field F for all rows.")
def import_(
    file: str, domain: str, key: str | None, monthly_limit: int | None, replace: bool, watch: bool, named: dict, values: dict
):
    """Import sessions and their conversions from FILE.

    FILE is JSON Lines, a JSON document, a captured response of the API, or CSV with a header, also with gzip; "-" is standard
    input. It is imported completely or not at all. Creates the database and the account if they do not exist.
    """
    columns = Columns(named, values)

    def import_once(replace: bool) -> None:
        faults = Faults()
        with (
            errors_as_sentences(),
            click.open_file(file, "rb") as opened,
            current_app.extensions["database"].writing_sessions() as connection,
        ):
            account, made_key = sessions.open_for_import(connection, domain, key, monthly_limit, replace)
            with _progress(opened) as counted:
                loaded = formats.load(counted, columns, faults)
                many, conversions = sessions.add_all(connection, account, domain, loaded, faults)
            days = connection.execute(sessions.FIRST_AND_LAST_CONVERSION, {"account": account}).fetchone()
        if columns.ignored:
            click.echo(f"Columns that were not used: {', '.join(columns.ignored)}.", err=True)
        click.echo(f"Imported for {domain}. Sessions: {many:,}, conversions: {conversions:,}.")
        if made_key:
            click.echo(f"Its key, which is shown only this once: {made_key}")
        if not _are_in_default_window(*days):
            first, last = days
            click.echo("A request without dates covers the last 30 days. For all conversions of the account send")
            click.echo(f'{{"start_date": "{first}", "end_date": "{last}"}}')

    if not watch:
        import_once(replace)
    elif file == "-":
        raise click.BadParameter("Standard input cannot be watched; name a file.", param_hint="--watch")
    else:
        watching.watch(file, lambda: import_once(replace=True))


def _are_in_default_window(first_day: str | None, last_day: str | None) -> bool:
    """Return True if a request without dates finds all conversions of these days, or if there are none."""
    today: date = current_app.extensions["clock"].today()
    return first_day is None or str(today - timedelta(seconds=DEFAULT_WINDOW)) < first_day <= last_day <= str(today)


@contextmanager
def _progress(file: BinaryIO) -> Iterator[BinaryIO]:
    """Show a progress bar on a terminal: how much of the file has been read, or that a pipe is being read."""
    try:
        size = os.fstat(file.fileno()).st_size
    except OSError:
        size = 0
    with click.progressbar(file, length=size or None, label="Importing", file=sys.stderr) as bar:
        yield _Counted(file, bar.update)


class _Counted(io.RawIOBase):
    """A file that tells how many bytes have been read."""

    def __init__(self, file: BinaryIO, tell):
        self.file = file
        self.tell = tell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        count = self.file.readinto(buffer)
        self.tell(count)
        return count


@commands.cli.command("export")
@click.option("--domain", **DOMAIN, help="The primary domain of the account.")
def export(domain: str):
    """Write an account's sessions in the import format to standard output.

    Importing them elsewhere gives the same responses. The account's keys and limit are not part of it.
    """
    with errors_as_sentences(), current_app.extensions["database"].reading() as connection:
        account = accounts.find(connection, domain)
        for line in exporting.lines(connection, account):
            click.echo(line, nl=False)


@commands.cli.group("accounts", invoke_without_command=True)
@click.pass_context
@with_appcontext
def accounts_list(context: click.Context):
    """List the accounts, or delete one."""
    if context.invoked_subcommand is None:
        with errors_as_sentences(), current_app.extensions["database"].reading() as connection:
            for line in _table(connection):
                click.echo(line)


def _table(connection: Connection) -> Iterator[str]:
    """Return the lines of a table of the accounts, with the days of each one's first start and last end of a session."""
    header = ("domain", "sessions", "conversions", "first day", "last day", "monthly limit", "keys")
    rows = [header] + [
        (domain, f"{many:,}", f"{conversions:,}", first or "-", last or "-", "-" if limit is None else f"{limit:,}", str(keys))
        for domain, many, conversions, first, last, limit, keys in connection.rows(accounts.ACCOUNTS, {})
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(header))]
    for domain, *cells in rows:
        yield f"{domain:<{widths[0]}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))


@accounts_list.command("delete")
@click.argument("domain", callback=primary_domain)
def accounts_delete(domain: str):
    """Delete the account of DOMAIN with its keys, sessions and conversions."""
    with errors_as_sentences(), current_app.extensions["database"].writing_sessions() as connection:
        accounts.delete(connection, domain)
    click.echo(f"The account of {domain} is deleted, with everything that belonged to it.")
