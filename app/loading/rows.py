"""Load sessions from rows: a row is a conversion, and rows with the same session_id are one session. Decision 46."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from typing import Any

import orjson
from marshmallow import ValidationError

from .. import fields, instants
from ..strict_json import shown
from . import imported
from .columns import Columns
from .faults import Faults
from .imported import OF_SESSION

Row = tuple[int, dict[str, str]]  # its number in the file, and its fields that are not empty

_KEEP_ROWS = "CREATE TABLE rows (number INTEGER PRIMARY KEY, session_id TEXT, cells BLOB)"
_KEEP_ROW = "INSERT INTO rows VALUES (?, ?, ?)"
_BY_SESSION = """
SELECT first, number, cells
FROM (SELECT *, min(number) OVER (PARTITION BY coalesce(session_id, number)) AS first FROM rows)
ORDER BY first, number
"""


def load(
    rows: Iterable[Row], are_sessions: bool, columns: Columns, faults: Faults, unit: str = "row"
) -> Iterator[tuple[str, dict]]:
    """Load the sessions of rows, in the order of their first rows. If they are sessions, rows have a session_id."""
    for several in _together(rows) if are_sessions else ([row] for row in rows):
        yield from _session(several, columns, faults, unit)


def _together(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Bring the rows of each session together, wherever they are in the file, without having all of them in memory."""
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as on_disk:  # a temporary file
            on_disk.execute(_KEEP_ROWS)
            on_disk.execute("BEGIN")
            on_disk.executemany(_KEEP_ROW, ((number, row.get("session_id"), orjson.dumps(row)) for number, row in rows))
            for _, found in groupby(on_disk.execute(_BY_SESSION), key=lambda row: row[0]):
                yield [(number, orjson.loads(cells)) for _, number, cells in found]
    except sqlite3.Error as error:
        sentence = "There is no room for temporary files, and nothing was changed. Set SQLITE_TMPDIR to a folder with more room"
        raise OSError(f"{sentence}: {error}.") from None


def _session(rows: list[Row], columns: Columns, faults: Faults, unit: str) -> Iterator[tuple[str, dict]]:
    session: dict[str, Any] = {}
    conversions, numbers = [], []
    for number, row in rows:
        for name in OF_SESSION:
            if name in row and session.setdefault(name, row[name]) != row[name]:
                expected = f"but another row of session {row['session_id']} has {shown(session[name])}"
                faults.add(f"{unit} {number}", name, f"Is {shown(row[name])}, {expected}.")
        if "timestamp" in row:
            meta = {name: row[name] for name in ("type", "id") if name in row}
            conversion = {name: row[name] for name in ("email", "timestamp", "conversion_page", "previous_page") if name in row}
            conversions.append(conversion | {"conversion_meta": meta})
            numbers.append(number)
    place, given = f"{unit} {rows[0][0]}", session | {"conversions": conversions}
    if conversions:
        first = min(conversions, key=_moment)
        given = {"started_at": first["timestamp"], "landing_page": first.get("conversion_page")} | given
    try:
        yield place, imported.load(given)
    except ValidationError as error:
        columns.advise(faults, rows[0][1])
        for field, sentences in fields.flat(error.messages_dict).items():
            of_conversion = re.match(r"conversions\.(\d+)", field)
            if field in ("started_at", "landing_page") and field not in session and conversions:
                continue  # it is the conversion's, where it is a fault too
            row_place = f"{unit} {numbers[int(of_conversion[1])]}" if of_conversion else place
            for sentence in sentences:
                faults.add(row_place, field.rpartition(".")[2], sentence)


def _moment(conversion: dict) -> int:
    try:
        return instants.span(conversion["timestamp"])[1]
    except ValueError:
        return 0
