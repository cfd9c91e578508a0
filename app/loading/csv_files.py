"""Read the rows of a CSV file. Decision 46."""

import csv
import io
import re
from collections.abc import Iterator

from . import limits, rows
from .columns import Columns
from .faults import Faults
from .imported import OF_CONVERSION, OF_SESSION

DELIMITERS = ",;\t"


def is_csv(start: bytes, columns: Columns) -> bool:
    """Tell whether a file that starts like this is CSV: its first line has several columns, or one that is known."""
    header = start.split(b"\n")[0].decode(errors="replace")
    names = [*OF_SESSION, *OF_CONVERSION, *columns.named.values()]
    return any(mark in header for mark in DELIMITERS) or header.strip(' "\r') in names


def load(reader: io.BufferedReader, start: bytes, columns: Columns, faults: Faults) -> Iterator[tuple[str, dict]]:
    """Load the sessions of a CSV file that starts like this, in the order of their first rows."""
    said = re.match(rb"sep=([,;\t])\r?\n", start)  # Excel's
    header = re.sub(rb'"[^"]*"', b"", start.split(b"\n")[0]).decode(errors="replace")
    csv.field_size_limit(limits.LONGEST_FIELD)
    delimiter = said[1].decode() if said else max(DELIMITERS, key=header.count)
    table = csv.reader((line.decode() for line in limits.lines(reader)), delimiter=delimiter, strict=True)
    numbered = ((number, cells) for number, cells in enumerate(table, start=1) if any(cells) and cells[0] != "sep=")
    try:
        number, names = next(numbered)
        names = [name.strip() for name in names]
        places = _places(number, names, columns, faults)
        found = _rows(numbered, names, places, columns, faults)
        if faults.count:
            columns.advise(faults, dict(zip(names, next(numbered, (0, [""] * len(names)))[1], strict=False)), known={*names})
            return
        yield from rows.load(found, "session_id" in places, columns, faults)
    except UnicodeDecodeError:
        faults.add(f"line {table.line_num + 1}", "", "The line is not UTF-8. Save the file as “CSV UTF-8”.")
    except csv.Error as error:
        is_long = "field limit" in str(error)
        faults.add(
            f"line {table.line_num}", "", f"A field {limits.TOO_LONG}" if is_long else f"The line is not valid CSV: {error}."
        )


def _places(number: int, header: list[str], columns: Columns, faults: Faults) -> dict[str, int]:
    """Return the place of each field's column. What prevents that is added to the faults."""
    row, there = f"row {number}", f"The columns are: {', '.join(header)}."
    if any(re.match(r"\d{4}-\d\d-\d\d[T ]\d|https?://", name) for name in header):
        sentence = "This is data, and not a header. Add a line before it with the names of the columns, for example:"
        faults.add(row, "", f"{sentence} (echo timestamp,email,conversion_page; cat FILE) | flask import - …")
        return {}
    names = {field: columns.named.get(field, field) for field in [*OF_SESSION, *OF_CONVERSION] if field not in columns.values}
    places = {field: header.index(name) for field, name in names.items() if name in header}
    columns.used = {field: header[place] for field, place in places.items()}
    columns.ignored = [name for name in header if name not in columns.used.values()]
    for field, name in names.items():
        if header.count(name) > 1:
            faults.add(row, field, f"There is more than one column {name!r}.")
        elif field in columns.named and name not in header:
            faults.add(row, field, f"There is no column {name!r}. {there}")
    given = {*places, *columns.values}
    needed = ["conversion_page", "type", "id"] if "timestamp" in given else ["started_at", "landing_page"]
    missing = [name for name in needed if name not in given]
    if missing and not faults.count:
        name = "timestamp" if missing == ["started_at", "landing_page"] else missing[0]
        advice = f"Name it with --column {name}=COLUMN, or set a value for all rows with --set {name}=VALUE. {there}"
        faults.add(row, " and ".join(missing), f"No column has this name. {advice}")
    return places


def _rows(numbered: Iterator, names: list[str], places: dict[str, int], columns: Columns, faults: Faults) -> Iterator[rows.Row]:
    for number, cells in numbered:
        if len(cells) != len(names):
            faults.add(f"row {number}", "", f"The row has {len(cells)} cells, and the header has {len(names)}.")
            continue
        row = columns.row({field: cells[place] for field, place in places.items() if cells[place]})
        if "conversion_page" in row and "timestamp" in places and "timestamp" not in row:
            faults.add(f"row {number}", "timestamp", "Is missing, and the row has a conversion_page.")
        yield number, row
