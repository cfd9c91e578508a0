"""Load the sessions of a CSV file: a row is a conversion, and rows with the same session_id are one session. Decision 46."""

import csv
import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby

import orjson
from marshmallow import ValidationError

from .. import fields, instants
from ..strict_json import shown
from . import imported
from .faults import Faults

OF_SESSION = [name for name in imported.ImportedSession().fields if name != "conversions"]
OF_CONVERSION = ["email", "timestamp", "conversion_page", "previous_page", "type", "id"]
DELIMITERS = ",;\t"

Row = tuple[int, dict[str, str]]  # its number in the file, in which the header is row 1, and its cells that are not empty


class Columns:
    """Which column has which field, if the header does not say it, and which fields are set for all rows."""

    def __init__(self, named: dict[str, str], values: dict[str, str]):
        self.named = named
        self.values = values
        self.ignored: list[str] = []  # columns that no field is read from

    def __bool__(self) -> bool:
        return bool(self.named or self.values)

    def places(self, header: list[str], faults: Faults) -> dict[str, int]:
        """Return the position of each field's column. Missing and repeated columns are added to the faults."""
        names = {field: self.named.get(field, field) for field in [*OF_SESSION, *OF_CONVERSION] if field not in self.values}
        places = {field: header.index(name) for field, name in names.items() if name in header}
        self.ignored = [name for place, name in enumerate(header) if place not in places.values()]
        there = f"The columns are: {', '.join(header)}."
        for field, name in names.items():
            if header.count(name) > 1:
                faults.add("row 1", field, f"There is more than one column {name!r}.")
            elif field in self.named and name not in header:
                faults.add("row 1", field, f"There is no column {name!r}. {there}")
        given = {*places, *self.values}
        needed = ["conversion_page", "type", "id"] if "timestamp" in given else ["started_at", "landing_page"]
        missing = [name for name in needed if name not in given]
        if missing and not faults.count:
            name = "timestamp" if missing[0] == "started_at" else missing[0]
            faults.add(
                "row 1",
                " and ".join(missing),
                f"No column has this name. Name it with --column {name}=COLUMN, or set a value for all rows with --set "
                f"{name}=VALUE. {there}",
            )
        return places


def is_csv(start: bytes, columns: Columns) -> bool:
    """Return True if a file that starts like this is CSV: its first line has several columns, or one with a known name."""
    header = start.splitlines()[0].decode(errors="replace")
    return any(mark in header for mark in DELIMITERS) or header.strip(' "') in [
        *OF_SESSION,
        *OF_CONVERSION,
        *columns.named.values(),
    ]


def load(reader: io.BufferedReader, start: bytes, columns: Columns, faults: Faults) -> Iterator[tuple[str, dict]]:
    """Load the sessions of a CSV file that starts like this, in the order of their first rows."""
    header = re.sub(rb'"[^"]*"', b"", start.splitlines()[0]).decode(errors="replace")
    rows = csv.reader((line.decode() for line in reader), delimiter=max(DELIMITERS, key=header.count), strict=True)
    numbered = enumerate(rows, start=1)
    try:
        _, names = next(numbered)
        names = [name.strip() for name in names]
        places = columns.places(names, faults)
        if faults.count:
            return
        found = _rows(numbered, names, places, columns.values, faults)
        for several in _together(found) if "session_id" in places else ([row] for row in found):
            yield from _session(several, faults)
    except UnicodeDecodeError:
        faults.add(f"line {rows.line_num + 1}", "", "The line is not UTF-8. Save the file as “CSV UTF-8”.")
    except csv.Error as error:
        faults.add(f"line {rows.line_num}", "", f"The line is not valid CSV: {error}.")


def _rows(numbered: Iterator, names: list[str], places: dict[str, int], values: dict[str, str], faults: Faults) -> Iterator[Row]:
    for number, cells in numbered:
        if not cells:
            continue
        if len(cells) != len(names):
            faults.add(f"row {number}", "", f"The row has {len(cells)} cells, and the header has {len(names)}.")
            continue
        row = {field: cells[place] for field, place in places.items() if cells[place]}
        if "conversion_page" in row and "timestamp" in places and "timestamp" not in row:
            faults.add(f"row {number}", "timestamp", "Is missing, and the row has a conversion_page.")
        yield number, row | values


_KEEP_ROWS = "CREATE TABLE rows (number INTEGER PRIMARY KEY, session_id TEXT, cells BLOB)"
_KEEP_ROW = "INSERT INTO rows VALUES (?, ?, ?)"
_BY_SESSION = """
SELECT first, number, cells
FROM (SELECT *, min(number) OVER (PARTITION BY coalesce(session_id, number)) AS first FROM rows)
ORDER BY first, number
"""


def _together(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Bring the rows of each session together, wherever they are in the file, without having all of them in memory."""
    with closing(sqlite3.connect("", isolation_level=None)) as on_disk:  # a temporary file
        on_disk.execute(_KEEP_ROWS)
        on_disk.execute("BEGIN")
        on_disk.executemany(_KEEP_ROW, ((number, row.get("session_id"), orjson.dumps(row)) for number, row in rows))
        for _, found in groupby(on_disk.execute(_BY_SESSION), key=lambda row: row[0]):
            yield [(number, orjson.loads(cells)) for _, number, cells in found]


def _session(rows: list[Row], faults: Faults) -> Iterator[tuple[str, dict]]:
    session: dict[str, str] = {}
    conversions, numbers = [], []
    for number, row in rows:
        for name in OF_SESSION:
            if name in row and session.setdefault(name, row[name]) != row[name]:
                expected = f"but another row of session {row['session_id']} has {shown(session[name])}"
                faults.add(f"row {number}", name, f"Is {shown(row[name])}, {expected}.")
        if "timestamp" in row:
            meta = {name: row[name] for name in ("type", "id") if name in row}
            conversion = {name: row[name] for name in ("email", "timestamp", "conversion_page", "previous_page") if name in row}
            conversions.append(conversion | {"conversion_meta": meta})
            numbers.append(number)
    place = f"row {rows[0][0]}"
    given: dict = session | {"conversions": conversions}
    if conversions:
        first = min(conversions, key=_moment)
        given = {"started_at": first["timestamp"], "landing_page": first.get("conversion_page")} | given
    try:
        yield place, imported.load(given)
    except ValidationError as error:
        for field, sentences in fields.flat(error.messages_dict).items():
            of_conversion = re.match(r"conversions\.(\d+)", field)
            if field in ("started_at", "landing_page") and field not in session and conversions:
                continue  # it is the conversion's, where it is a fault too
            row_place = f"row {numbers[int(of_conversion[1])]}" if of_conversion else place
            for sentence in sentences:
                faults.add(row_place, field.rpartition(".")[2], sentence)


def _moment(conversion: dict) -> int:
    try:
        return instants.parse(conversion["timestamp"], "end")
    except ValueError:
        return 0
