"""flask import: read what people have into an account. Decisions 30, 43 to 49."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from difflib import get_close_matches
from typing import IO, cast

import click
from flask import current_app
from flask.cli import with_appcontext

from .. import fields
from ..loading import csv_files, formats, sessions
from ..loading.csv_files import Columns
from ..loading.faults import Faults
from ..schemas import DEFAULT_WINDOW
from . import watching
from .options import DOMAIN
from .sentences import errors_as_sentences


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


@click.command("import")
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
@with_appcontext
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
            current_app.extensions["database"].writing(create=True) as connection,
        ):
            account_id, made_key = sessions.open_for_import(connection, domain, key, monthly_limit, replace)
            with _progress(opened) as counted:
                loaded = formats.load(counted, columns, faults)
                many, conversions = sessions.add_all(connection, account_id, domain, loaded, faults)
            days = connection.execute(sessions.FIRST_AND_LAST_CONVERSION, {"account_id": account_id}).fetchone()
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
    if first_day is None or last_day is None:
        return True
    return str(today - timedelta(seconds=DEFAULT_WINDOW)) < first_day <= last_day <= str(today)


@contextmanager
def _progress(file: IO[bytes]) -> Iterator[io.RawIOBase]:
    """Show a progress bar on a terminal: how much of the file has been read, or that a pipe is being read."""
    try:
        size = os.fstat(file.fileno()).st_size
    except OSError:
        size = 0
    with click.progressbar(file, length=size or None, label="Importing", file=sys.stderr) as bar:
        yield _Counted(file, bar.update)


class _Counted(io.RawIOBase):
    """A file that tells how many bytes have been read."""

    def __init__(self, file: IO[bytes], add: Callable[[int], None]):
        self.read_into = cast(io.BufferedIOBase, file).readinto  # click's type leaves it out, but every binary file has it
        self.add = add

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        count = self.read_into(buffer)
        self.add(count)
        return count
