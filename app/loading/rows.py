"""Load sessions from rows, of CSV or of another service's JSON. Decisions 46, 66.

A row is a conversion, and rows with the same session_id are one session.
"""

import csv
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from typing import Any

import orjson
from marshmallow import ValidationError

from .. import fields
from ..strict_json import shown
from . import imported
from .columns import KINDS, Columns, at, paths
from .imported import FIELDS, OF_SESSION

Row = tuple[str, dict[str, str]]  # its place in the file, and its fields that are not empty

DELIMITERS = ",;\t"

_KEEP_ROWS = "CREATE TABLE rows (number INTEGER PRIMARY KEY, place TEXT, session_id TEXT, cells BLOB)"
_KEEP_ROW = "INSERT INTO rows (place, session_id, cells) VALUES (?, ?, ?)"
_BY_SESSION = """
SELECT min(number) OVER (PARTITION BY coalesce(session_id, number)) AS first, place, cells
FROM rows
ORDER BY first, number
"""


# CSV


def load_csv(lines: Iterable[bytes], start: bytes, columns: Columns) -> Iterator[tuple[str, dict]]:
    """Load the sessions of a CSV file that starts like this, in the order of their first rows.

    Raises ValueError with a sentence if it is not CSV, whose first line has several columns, or one that is known.
    """
    header = start.split(b"\n")[0].decode(errors="replace").strip(" \r")  # or Excel's sep=;
    if not re.search(f"[{DELIMITERS}]", header) and header.strip('"') not in [*FIELDS, *columns.named.values()]:
        raise ValueError(f"This is neither JSON nor CSV with a header. It begins with: {header[:60]}")
    delimiter = max(DELIMITERS, key=re.sub('"[^"]*"', "", header).count)
    csv.field_size_limit(imported.LONGEST_FIELD)
    table = csv.reader((line.decode() for line in lines), delimiter=delimiter, strict=True)
    rows = ((f"row {number}", cells) for number, cells in enumerate(table, start=1) if any(cells) and cells[0] != "sep=")
    try:
        place, cells = next(rows, ("row 1", []))
        names = [name.strip() for name in cells]
        indexes = _indexes(place, names, columns)
        if columns.faults.count:
            columns.advise(dict.fromkeys(names, "") | dict(zip(names, next(rows, ("", []))[1], strict=False)), known={*names})
            return
        yield from _load(_rows_of_csv(rows, len(names), indexes, columns), columns)
    except UnicodeDecodeError:
        columns.faults.add(f"line {table.line_num + 1}", "", "The line is not UTF-8. Save the file as “CSV UTF-8”.")
    except csv.Error as error:
        sentence = f"A field {imported.TOO_LONG}" if "field limit" in str(error) else f"The line is not valid CSV: {error}."
        columns.faults.add(f"line {table.line_num}", "", sentence)


def _indexes(place: str, header: list[str], columns: Columns) -> dict[str, int]:
    """Return the index of each field's column. What prevents that is added to the faults."""
    faults, there = columns.faults, f"The columns are: {', '.join(header)}."
    if any(re.match(r"\d{4}-\d\d-\d\d[T ]\d|https?://", name) for name in header):
        sentence = "This is data, and not a header. Add a line before it with the names of the columns, for example:"
        faults.add(place, "", f"{sentence} (echo timestamp,email,conversion_page; cat FILE) | flask import - …")
        return {}
    names = {field: columns.named.get(field, field) for field in FIELDS if field not in columns.values}
    columns.used = {field: name for field, name in names.items() if name in header}
    columns.ignored = [name for name in header if name not in columns.used.values()]
    for field, name in names.items():
        if header.count(name) > 1:
            faults.add(place, field, f"There is more than one column {name!r}.")
        elif field in columns.named and name not in header:
            faults.add(place, field, f"There is no column {name!r}. {there}")
    given = {*columns.used, *columns.values}
    needed = ["conversion_page", "type", "id"] if "timestamp" in given else ["started_at", "landing_page"]
    missing = [name for name in needed if name not in given]
    if missing and not faults.count:
        name = "timestamp" if missing == ["started_at", "landing_page"] else missing[0]
        advice = f"Name it with --column {name}=COLUMN, or set a value for all rows with --set {name}=VALUE. {there}"
        faults.add(place, " and ".join(missing), f"No column has this name. {advice}")
    return {field: header.index(name) for field, name in columns.used.items()}


def _rows_of_csv(rows: Iterator[tuple[str, list]], width: int, indexes: dict[str, int], columns: Columns) -> Iterator[Row]:
    for place, cells in rows:
        if len(cells) != width:
            columns.faults.add(place, "", f"The row has {len(cells)} cells, and the header has {width}.")
            continue
        row = columns.row({field: cells[index] for field, index in indexes.items() if cells[index]})
        if "conversion_page" in row and "timestamp" in indexes and "timestamp" not in row:
            columns.faults.add(place, "timestamp", "Is missing, and the row has a conversion_page.")
        yield place, row


# The JSON of other services, in which --column names paths


def load_items(documents: Iterable, columns: Columns) -> Iterator[tuple[str, dict]]:
    """Load the sessions of payloads, in the order of their first items."""
    yield from _load(_rows_of_items((item for document in documents for item in items(document)), columns), columns)
    columns.ignored = [path for name, path in columns.named.items() if name not in columns.used]


def items(document: object) -> list:
    """Return the items of a payload of another service; a payload that is not a list of items is one."""
    if isinstance(document, dict):
        lists = [document[name] for name in KINDS["json"]["items"] if isinstance(document.get(name), list)]
        return next(filter(None, lists), [document])
    return document if isinstance(document, list) else [document]


def _rows_of_items(items: Iterable, columns: Columns) -> Iterator[Row]:
    for number, item in enumerate(items, start=1):
        cells = {name: value for name, path in columns.named.items() if (value := at(item, path)) not in (None, "", [], {})}
        for name, value in cells.items():
            if isinstance(value, (bool, dict, list)):
                inside = ", ".join(f"{columns.named[name]}.{path}" for path, _ in paths(value) if path) or "none"
                kind = f"{columns.named[name]} is {fields.kind(value)}"
                columns.faults.add(f"item {number}", name, f"{kind}, not a text. Paths inside it: {inside[:200]}.")
        columns.used |= {name: columns.named[name] for name in cells}
        yield f"item {number}", columns.row({name: str(value) for name, value in cells.items()})


# Rows of either


def _load(rows: Iterable[Row], columns: Columns) -> Iterator[tuple[str, dict]]:
    has_sessions = "session_id" in columns.used or "session_id" in columns.named
    for several in _together(rows) if has_sessions else ([row] for row in rows):
        yield from _session(several, columns)


def _together(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Bring the rows of each session together, wherever they are in the file, without having all of them in memory."""
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as on_disk:  # a temporary file
            on_disk.execute(_KEEP_ROWS)
            on_disk.execute("BEGIN")
            on_disk.executemany(_KEEP_ROW, ((place, row.get("session_id"), orjson.dumps(row)) for place, row in rows))
            for _, found in groupby(on_disk.execute(_BY_SESSION), key=lambda row: row[0]):
                yield [(place, orjson.loads(cells)) for _, place, cells in found]
    except sqlite3.Error as error:
        sentence = "There is no room for temporary files, and nothing was changed. Set SQLITE_TMPDIR to a folder with more room"
        raise OSError(f"{sentence}: {error}.") from None


def _session(rows: list[Row], columns: Columns) -> Iterator[tuple[str, dict]]:
    session: dict[str, Any] = {}
    conversions, places = [], []
    for place, row in rows:
        for name in OF_SESSION:
            if name in row and session.setdefault(name, row[name]) != row[name]:
                expected = f"but another row of session {row['session_id']} has {shown(session[name])}"
                columns.faults.add(place, name, f"Is {shown(row[name])}, {expected}.")
        if "timestamp" in row:
            meta = {name: row[name] for name in ("type", "id") if name in row}
            conversion = {name: row[name] for name in ("email", "timestamp", "conversion_page", "previous_page") if name in row}
            conversions.append(conversion | {"conversion_meta": meta})
            places.append(place)
    try:
        yield rows[0][0], imported.load_made_of(session | {"conversions": conversions})
    except ValidationError as error:
        columns.advise(rows[0][1])
        for field, sentences in fields.flat(error.messages_dict).items():
            of_conversion = re.match(r"conversions\.(\d+)", field)
            place = places[int(of_conversion[1])] if of_conversion else rows[0][0]
            columns.faults.add(place, field.rpartition(".")[2], *sentences)
