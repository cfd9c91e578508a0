"""flask import: read what people have into an account. Decisions 30, 43 to 49, 66 to 69."""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from difflib import get_close_matches

import click
from flask import current_app

from .. import fields
from ..loading import attribution, formats, sessions
from ..loading.columns import FILTERS, Columns
from ..loading.imported import FIELDS
from ..schemas import DEFAULT_WINDOW
from .options import DOMAIN, bp, errors_as_sentences, primary_domain

COUNT = click.IntRange(0, fields.LARGEST_COUNT)
INTERVAL = 0.2  # seconds between two checks of a watched file


def header_value(text: str) -> str:
    if not (text.isascii() and text.isprintable() and text and " " not in text):
        raise click.BadParameter(f"A key consists of printable ASCII characters without spaces, not {text!r}.")
    return text


def assignment(text: str) -> tuple[str, str]:
    """Return the two parts of FIELD=VALUE. A filter's name, such as source, stands for the field that decides it."""
    field, equals, value = text.partition("=")
    field = FILTERS.get(field, field)
    if not equals:
        raise click.BadParameter(f"Must have the form FIELD=VALUE, not {text!r}.")
    if field not in FIELDS:
        near = get_close_matches(field, FIELDS, n=1)
        advice = f"Did you mean {near[0]}?" if near else f"The fields are {', '.join(FIELDS)}."
        raise click.BadParameter(f"There is no field {field!r}. {advice}")
    return field, value


def site_url(text: str) -> str:
    if text and (attribution.host(text) is None or not re.fullmatch("https?://[^/]+/?", text)):
        raise click.BadParameter(f"Must be a site such as https://shop.example, not {text!r}.")
    return text.rstrip("/")


def format_of_times(text: str) -> str:
    moment = datetime(2025, 11, 30, 13, 45)
    has_year = re.search("%[YyGcx]", text)  # without one, strptime warns from Python 3.13 on
    with suppress(ValueError):
        if not text or (has_year and datetime.strptime(moment.strftime(text), text).date() == moment.date()):
            return text
    raise click.BadParameter(f"Must say where the year, the month and the day are, such as '%d/%m/%Y %H:%M', not {text!r}.")


def _tell(columns: Columns, unusual: list[str]) -> None:
    """Print how the file was read."""
    if columns.used:
        used = (field if field == name else f"{field} from {name}" for field, name in columns.used.items())
        click.echo(f"Fields: {', '.join(used)}.", err=True)
    if columns.ignored:
        click.echo(f"Columns that were not used: {', '.join(columns.ignored)}.", err=True)
    if columns.absent:
        absent = ", ".join(f"{value} ({times:,})" for value, times in columns.absent.most_common(10))
        click.echo(f"Values that were taken as absent, and how many: {absent}.", err=True)
    if unusual:
        click.echo("\n".join(["These look like several visits with one session_id:", *unusual]), err=True)


@bp.cli.command("import")
@click.argument("file", type=click.Path(exists=True, allow_dash=True, dir_okay=False))
@click.option("--domain", **DOMAIN, help="The primary domain of the account to import into.")
@click.option("--key", metavar="K", type=header_value, help="A key for the account. By default a new account gets one.")
@click.option("--monthly-limit", type=COUNT, metavar="N", help="Calls per calendar month; by default the limit stays as it is.")
@click.option("--replace", is_flag=True, help="Replace the sessions that the account has.")
@click.option("--watch", is_flag=True, help="Keep running, and import FILE again, with --replace, whenever it changes.")
@click.option(
    "--column", "named", multiple=True, metavar="F=C", type=assignment, help="The column, or path in JSON, that has field F."
)
@click.option("--set", "values", multiple=True, metavar="F=V", type=assignment, help="A value of field F for all rows.")
@click.option("--site", default="", metavar="URL", type=site_url, help="Complete paths, such as /pricing, to URLs of this site.")
@click.option(
    "--time-format", default="", metavar="FORMAT", type=format_of_times, help="How times are written (strptime): '%d/%m/%Y %H:%M'."
)
@click.option(
    "--ignore-referrer", multiple=True, metavar="D", type=primary_domain, help="A domain that is never a source: paypal.com."
)
def import_(
    file: str, domain: str, key: str | None, monthly_limit: int | None, replace: bool, watch: bool, ignore_referrer: tuple, **said
):
    """Import sessions and their conversions from FILE.

    FILE is JSON Lines, a JSON document, captured responses of the API, or CSV with a header, also with gzip; "-" is standard
    input. It is imported completely or not at all. Creates the database and the account if they do not exist.
    """
    command = click.get_current_context().find_root().command_path
    said |= {name: dict(said[name]) for name in ("named", "values")}
    replace = replace or watch

    def import_once() -> None:
        again = [*command.split(), "import", file, "--domain", domain, *(["--key", key] if key else []), *["--replace"] * replace]
        again += [part for ignored in ignore_referrer for part in ("--ignore-referrer", ignored)]
        columns = Columns(domain, **said, command=again)
        with (
            errors_as_sentences(),
            click.open_file(file, "rb") as opened,
            current_app.extensions["database"].writing(create=True) as connection,
        ):
            account_id, made_key = sessions.open_for_import(connection, domain, key, monthly_limit, replace)
            writer = sessions.Writer(connection, account_id, frozenset({domain, *ignore_referrer}), columns.faults)
            loaded = formats.load(opened, columns)
            with click.progressbar(loaded, label="Importing", show_pos=True, update_min_steps=1000, file=sys.stderr) as shown:
                for place, session in shown:
                    writer.add(session, place)
            if columns.faults.count:
                raise columns.faults
            if not writer.sessions:
                raise ValueError("The file has no sessions, and nothing was changed.")
            start, end, longest, first_day, last_day = writer.summary()
        _tell(columns, writer.unusual)
        click.echo(f"Imported for {domain}. Sessions: {writer.sessions:,}, conversions: {writer.conversions:,}.")
        click.echo(f"From {start} to {end} UTC. The longest session lasts {timedelta(seconds=longest)}.")
        if made_key:
            click.echo(f"Its key, which is shown only this once: {made_key}")
        query, today = "{}", current_app.extensions["clock"].today()
        if first_day and not str(today - timedelta(seconds=DEFAULT_WINDOW)) < first_day <= last_day <= str(today):
            query = json.dumps({"start_date": first_day, "end_date": last_day})
            click.echo("A request without dates covers the last 30 days. For all conversions of the account send")
            click.echo(query)
        click.echo(f"To look at it: {command} walk '{query}' --key {made_key or 'KEY'}")
        click.echo(f"or, while {command} run serves, with the same key: http://127.0.0.1:5000/")

    if not watch:
        import_once()
    elif file == "-":
        raise click.BadParameter("Standard input cannot be watched; name a file.", param_hint="--watch")
    else:
        import_after_each_change(file, import_once)


def import_after_each_change(path: str, import_once: Callable[[], None]) -> None:
    """Import the file now and after each change, until interrupted. An error is printed and does not end it. Decision 49.

    It waits until two checks in a row find the same file: an editor may write it in parts, or save under another name first.
    """
    imported = before = None
    with suppress(KeyboardInterrupt):
        while True:
            found = None
            with suppress(OSError):  # there is no file at the moment
                status = os.stat(path)
                found = (status.st_ino, status.st_size, status.st_mtime_ns)
            if found and found == before and found != imported:
                imported = found
                try:
                    import_once()
                except click.ClickException as error:
                    error.show()
                    click.echo("The data that was imported before stays.", err=True)
                click.echo(f"Watching {path} for changes. Press Ctrl-C to stop.")
            before = found
            time.sleep(INTERVAL)
    click.echo("Stopped.")
