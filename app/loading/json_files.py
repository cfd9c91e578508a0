"""Load the sessions of JSON: one per line, or one document. Decisions 45, 66 and 67."""

import base64
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from marshmallow import ValidationError

from .. import fields, schemas, strict_json
from . import imported, limits, rows
from .columns import FILTERS, KINDS, Columns, at, paths
from .faults import Faults
from .imported import OF_CONVERSION, OF_SESSION

Captured = tuple[str, dict | None, list]  # a response's place in the file, the query that it answers if it is known, its records

_OURS = {"started_at", "landing_page", "conversions", "conversion_page", "conversion_meta"}


def load(reader: io.BufferedReader, start: bytes, columns: Columns, faults: Faults) -> Iterator[tuple[str, dict]]:
    """Load the sessions of a JSON file that starts like this."""
    is_document = _is_document(start)
    numbered = ((f"line {number}", line) for number, line in enumerate([] if is_document else limits.lines(reader), start=1))
    if columns.named:
        given = (
            [_document(reader)] if is_document else (value for place, line in numbered for value in _parsed(line, place, faults))
        )
        items = (item for value in given for item in _items(value))
        yield from rows.load(_rows(items, columns, faults), "session_id" in columns.named, columns, faults, "item")
        columns.ignored = [path for name, path in columns.named.items() if name not in columns.used]
    elif is_document:
        document = _document(reader)
        captured = _captured(document, "")
        yield from _one(document, "item 1", columns, faults) if captured is None else _records(captured, columns, faults)
    else:
        responses: list[Captured] = []
        for place, line in numbered:
            if not columns and (session := imported.load_line(line)):
                yield place, session
                continue
            for value in _parsed(line, place, faults):
                captured = _captured(value, f"{place}, ") if isinstance(value, dict) else None
                if captured is None:
                    yield from _one(value, place, columns, faults)
                else:
                    responses += captured
        yield from _records(responses, columns, faults)


def _is_document(start: bytes) -> bool:
    """Return True if this is one document: an array, or an object that continues after its first line."""
    first, line_end, rest = start.lstrip().partition(b"\n")
    goes_on = bool(line_end) and first.rstrip().endswith((b"{", b"[", b",", b":"))
    goes_on = goes_on or rest.lstrip().startswith((b"}", b"]", b",", b":"))
    return first.startswith(b"[") or goes_on


def _document(reader: io.BufferedReader):
    raw = limits.document(reader)
    try:
        return strict_json.parse(raw)
    except ValueError as fault:
        if re.search(rb"^\}\s*\{", raw, re.MULTILINE):
            raise ValueError("These are JSON documents one after another. Write each on one line: jq -c . FILE.") from None
        raise ValueError(f"The file {fault}, and nothing was changed.") from None


def _parsed(line: bytes, place: str, faults: Faults) -> Iterator[object]:
    """Return the value of a line; none if it is blank or not JSON, which is a fault."""
    if line.strip():
        try:
            yield strict_json.parse(line.rstrip(b"\r\n"))
        except ValueError as fault:
            faults.add(place, "", f"The line {fault}.".replace("at line 1, ", "at "))


def _one(given: object, place: str, columns: Columns, faults: Faults, asked: dict | None = None) -> Iterator[tuple[str, dict]]:
    """Load a session or a record; asked are fields of the session that the query says."""
    try:
        yield place, imported.load(_completed(given, columns, (asked or {}) | columns.values))
    except ValidationError as error:
        if isinstance(given, dict) and given and not _OURS & given.keys():
            first = dict(paths(_items(given)[0]))
            faults.add(place, "", f"This is neither a session nor a record of the API. Its fields are: {', '.join([*first][:40])}.")
            columns.advise(faults, first, known=set())
            raise faults from None
        faults.add_all(place, error)


def _completed(given: object, columns: Columns, values: dict[str, str]):
    """Return a session or a record with the values that options or a query say."""
    if not isinstance(given, dict):
        return given
    of_session = {name: value for name, value in values.items() if name in OF_SESSION}
    if imported.is_record(given):
        record = _conversion(given, columns, values)
        return imported.as_session(record) | of_session if of_session else record
    session = columns.tidy(given) | of_session
    if isinstance(conversions := given.get("conversions"), list):
        session["conversions"] = [_conversion(conversion, columns, values) for conversion in conversions]
    return session


def _conversion(given: object, columns: Columns, values: dict[str, str]):
    if not isinstance(given, dict):
        return given
    found = {name: values[name] for name in OF_CONVERSION if name in values}
    meta = {name: found.pop(name) for name in ("type", "id") if name in found}
    return columns.tidy(given) | found | ({"conversion_meta": (given.get("conversion_meta") or {}) | meta} if meta else {})


# The payloads of other services, in which --column names paths


def _items(document: object) -> list:
    """Return the items of a payload of another service; a payload that is not a list of items is one."""
    if isinstance(document, dict):
        lists = [document[name] for name in KINDS["json"]["items"] if isinstance(document.get(name), list)]
        return next(filter(None, lists), [document])
    return document if isinstance(document, list) else [document]


def _rows(items: Iterable, columns: Columns, faults: Faults) -> Iterator[rows.Row]:
    for number, item in enumerate(items, start=1):
        cells = {name: value for name, path in columns.named.items() if (value := at(item, path)) not in (None, "", [], {})}
        for name, value in cells.items():
            if isinstance(value, (bool, dict, list)):
                inside = ", ".join(f"{columns.named[name]}.{path}" for path, _ in paths(value) if path) or "none"
                kind = f"{columns.named[name]} is {fields.kind(value)}"
                faults.add(f"item {number}", name, f"{kind}, not a text. Paths inside it: {inside[:200]}.")
        columns.used |= {name: columns.named[name] for name in cells}
        yield number, columns.row({name: value if isinstance(value, str) else str(value) for name, value in cells.items()})


# Captured responses


def _captured(given: object, place: str) -> list[Captured] | None:
    """Return the responses in a capture: a response, its records, pairs of request and response, or a browser's HAR file."""
    if given == {"message": schemas.NOTHING_FOUND}:
        return []
    if isinstance(given, dict) and isinstance(given.get("records"), list):
        return [(place, None, given["records"])]
    pairs = given if isinstance(given, list) else at(given, "log.entries") or [given]
    if not all(isinstance(pair, dict) and {"request", "response"} <= pair.keys() for pair in pairs) or not pairs:
        return [(place, None, pairs)] if isinstance(given, list) else None
    found = [(f"{place}pair {number}, ", _body(pair["request"]), _body(pair["response"])) for number, pair in enumerate(pairs, 1)]
    return [(where, query, response["records"]) for where, query, response in found if isinstance(response.get("records"), list)]


def _body(message: Any) -> dict:
    """Return the JSON of a request or a response: in a capture's "body", or where HAR files have it."""
    body = next((found for path in ("postData.text", "content.text", "body") if (found := at(message, path)) is not None), message)
    if at(message, "content.encoding") == "base64":
        body = base64.b64decode(body).decode(errors="replace")
    try:
        body = strict_json.parse(body.encode()) if isinstance(body, str) else body
    except ValueError:  # another site's response, in a HAR file
        return {}
    return body if isinstance(body, dict) else {}


def _records(captured: list[Captured], columns: Columns, faults: Faults) -> Iterator[tuple[str, dict]]:
    """Load captured records: one that several queries returned is loaded once, with the filters of all of them."""
    pages = {(repr(query), place if query is None else ""): (place, query, records) for place, query, records in captured}
    found: dict[tuple[str, int], tuple[str, object, dict]] = {}
    seen: dict[str, Counter[str]] = {}
    for place, query, records in pages.values():
        asked = {name: value for name, value in (query or {}).items() if name != "offset"}
        times = seen.setdefault(repr(asked), Counter())
        filters = {FILTERS.get(name, name): value for name, value in asked.items() if name in FILTERS or name == "landing_page"}
        for number, record in enumerate(records, start=1):
            times[repr(record)] += 1
            _, _, known = found.setdefault((repr(record), times[repr(record)]), (f"{place}item {number}", record, {}))
            known |= filters
    loaded = [one for place, record, asked in found.values() for one in _one(record, place, columns, faults, asked)]
    # The API returns the newest record first. Of two conversions at one moment it returns the last imported first.
    is_newest_first = bool(captured) and bool(captured[0][2]) and imported.is_record(captured[0][2][0])
    yield from reversed(loaded) if is_newest_first else loaded
