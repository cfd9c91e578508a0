"""Recognise the format of a file by its content, and load the sessions in it. Decisions 43, 45, 66 to 68."""

import base64
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO, Any, cast

from marshmallow import ValidationError

from .. import fields, schemas, strict_json
from . import imported, rows
from .columns import FILTERS, KINDS, Columns, at, paths
from .imported import OF_CONVERSION, OF_SESSION, Faults

# How much of a file is in memory at once, so that no file can fill it.
LONGEST_LINE = 32 * 1_048_576  # bytes; a session with 80,000 conversions
LARGEST_DOCUMENT = 128 * 1_048_576  # bytes of JSON that is not one session per line

_LOOKED_AT = 64 * 1024  # bytes at a file's beginning
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OURS = {"started_at", "landing_page", "conversions", "conversion_page", "conversion_meta"}

Captured = tuple[str, dict | None, list]  # a response's place in the file, the query that it answers if it is known, its records


def load(file: IO[bytes], columns: Columns) -> Iterator[tuple[str, dict]]:
    """Load the sessions of a file: each with its place in the file, as imported.load returns it.

    What is wrong with a session is added to the faults. Raises ValueError with a sentence if the format is not one of these.
    """
    reader: io.BufferedReader = io.BufferedReader(cast(io.RawIOBase, file), _LOOKED_AT)
    if reader.peek().startswith(b"\x1f\x8b"):
        reader = io.BufferedReader(gzip.GzipFile(fileobj=reader), _LOOKED_AT)
    try:
        if reader.peek().startswith(_BYTE_ORDER_MARK):
            reader.read(len(_BYTE_ORDER_MARK))
        start = reader.peek()
        for kind in KINDS["foreign"]:
            if re.match(kind["begins"].encode(), start):
                raise ValueError(f"This looks like {kind['what']}: {kind['advice']}.")
        start = start.lstrip()
        if start[:1] in (b"{", b"["):
            yield from _load_json([("", _document(reader))] if _is_document(start) else _lines(reader), columns)
        elif start:
            yield from rows.load_csv((line for _, line in _lines(reader)), start, columns)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"The gzip file is damaged or incomplete, and nothing was changed: {error}.") from None


def _is_document(start: bytes) -> bool:
    """Return True if this is the start of one document: an array, or an object that continues after its first line."""
    first, line_end, rest = start.partition(b"\n")
    ends_open = bool(line_end) and first.rstrip().endswith((b"{", b"[", b",", b":"))
    return first.startswith(b"[") or ends_open or rest.lstrip().startswith((b"}", b"]", b",", b":"))


def _lines(reader: io.BufferedReader) -> Iterator[tuple[str, bytes]]:
    """Return the lines of a file with their places. Raises ValueError with a sentence if one is too long."""
    for number, line in enumerate(iter(lambda: reader.readline(LONGEST_LINE + 1), b""), start=1):
        if len(line) > LONGEST_LINE:
            raise ValueError(f"Line {number} has more than {LONGEST_LINE:,} bytes, which is the most that a line can have.")
        yield f"line {number}", line


def _document(reader: io.BufferedReader) -> bytes:
    """Return the whole file. Raises ValueError with a sentence if it is too large."""
    raw = reader.read(LARGEST_DOCUMENT + 1)
    if len(raw) > LARGEST_DOCUMENT:
        raise ValueError(f"A JSON document can have {LARGEST_DOCUMENT:,} bytes. Write one session per line: jq -c '.[]' FILE.")
    return raw


# JSON: one session per line, or one document


def _load_json(texts: Iterable[tuple[str, bytes]], columns: Columns) -> Iterator[tuple[str, dict]]:
    """Load the sessions of lines of JSON, each with its place in the file, or of one document, whose place is empty."""
    if columns.named:
        yield from rows.load_items((value for place, text in texts for value in _parsed(text, place, columns.faults)), columns)
        return
    captured: list[Captured] = []
    is_plain = not columns.options()
    for place, text in texts:
        if place and is_plain and (session := imported.load_line(text)):
            yield place, session
            continue
        for value in _parsed(text, place, columns.faults):
            responses = _captured(value, place)
            if responses is None:
                yield from _one(value, place or "item 1", columns)
            else:
                captured += responses
    yield from _records(captured, columns)


def _parsed(text: bytes, place: str, faults: Faults) -> Iterator[object]:
    """Return the value of a text; none if it is a line that is blank or not JSON, which is a fault."""
    try:
        if text.strip():
            yield strict_json.parse(text.rstrip(b"\r\n"))
    except ValueError as fault:
        if place:
            faults.add(place, "", f"The line {fault}.".replace("at line 1, ", "at "))
        elif re.search(rb"^\}\s*\{", text, re.MULTILINE):
            raise ValueError("These are JSON documents one after another. Write each on one line: jq -c . FILE.") from None
        else:
            raise ValueError(f"The file {fault}, and nothing was changed.") from None


def _one(given: object, place: str, columns: Columns, asked: dict | None = None) -> Iterator[tuple[str, dict]]:
    """Load a session or a record; asked are fields of the session that the query says."""
    is_record = imported.is_record(given)
    session = _completed({"conversions": [given]} if is_record else given, columns, (asked or {}) | columns.values)
    try:
        yield place, imported.load_made_of(session) if is_record else imported.load(session)
    except ValidationError as error:
        if isinstance(given, dict) and given and not _OURS & given.keys():
            first = dict(paths(rows.items(given)[0]))
            names = ", ".join([*first][:40])
            columns.faults.add(place, "", f"This is neither a session nor a record of the API. Its fields are: {names}.")
            columns.advise(first, known=set())
            raise columns.faults from None
        for field, sentences in fields.flat(error.messages_dict).items():
            columns.faults.add(place, field.removeprefix("conversions.0.") if is_record else field, *sentences)


def _completed(given: object, columns: Columns, values: dict[str, str]):
    """Return a session with the values that options or a query say."""
    if not isinstance(given, dict):
        return given
    session = columns.tidy(given) | {name: value for name, value in values.items() if name in OF_SESSION}
    if isinstance(conversions := given.get("conversions"), list):
        session["conversions"] = [_conversion(conversion, columns, values) for conversion in conversions]
    return session


def _conversion(given: object, columns: Columns, values: dict[str, str]):
    if not isinstance(given, dict):
        return given
    found = {name: values[name] for name in OF_CONVERSION if name in values}
    meta = {name: found.pop(name) for name in ("type", "id") if name in found}
    return columns.tidy(given) | found | ({"conversion_meta": (given.get("conversion_meta") or {}) | meta} if meta else {})


# Captured responses


def _captured(given: object, place: str) -> list[Captured] | None:
    """Return the responses in a capture: a response, its records, pairs of request and response, or a browser's HAR file."""
    prefix = f"{place}, " if place else ""
    if given == {"message": schemas.NOTHING_FOUND}:
        return []
    if isinstance(given, dict) and isinstance(given.get("records"), list):
        return [(prefix, None, given["records"])]
    pairs = given if isinstance(given, list) else at(given, "log.entries") or [given]
    if not all(isinstance(pair, dict) and {"request", "response"} <= pair.keys() for pair in pairs) or not pairs:
        return [(prefix, None, pairs)] if isinstance(given, list) and not place else None
    found = [(f"{prefix}pair {number}, ", _body(pair["request"]), _body(pair["response"])) for number, pair in enumerate(pairs, 1)]
    return [(where, query, response["records"]) for where, query, response in found if isinstance(response.get("records"), list)]


def _body(message: Any) -> dict:
    """Return the JSON of a request or a response: in a capture's "body", or where HAR files have it."""
    body = next((found for path in ("postData.text", "content.text", "body") if (found := at(message, path)) is not None), message)
    if at(message, "content.encoding") == "base64":
        body = base64.b64decode(body).decode(errors="replace")
    with suppress(ValueError):  # another site's response, in a HAR file
        body = strict_json.parse(body.encode()) if isinstance(body, str) else body
    return body if isinstance(body, dict) else {}


def _records(captured: list[Captured], columns: Columns) -> Iterator[tuple[str, dict]]:
    """Load captured records: one that several queries returned is loaded once, with the filters of all of them."""
    pages = {(repr(query), place if query is None else ""): (place, query or {}, records) for place, query, records in captured}
    found: dict[tuple[str, int], tuple[str, object, dict]] = {}
    times: Counter[tuple[str, str]] = Counter()
    for place, query, records in pages.values():
        walk = repr({name: value for name, value in query.items() if name != "offset"})
        filters = {FILTERS[name]: value for name, value in query.items() if name in FILTERS}
        for number, record in enumerate(records, start=1):
            times[walk, repr(record)] += 1
            same = (repr(record), times[walk, repr(record)])
            _, _, known = found.setdefault(same, (f"{place}item {number}", record, {}))
            known |= filters
    loaded = [one for place, record, asked in found.values() for one in _one(record, place, columns, asked)]
    # The API returns the newest record first. Of two conversions at one moment it returns the last imported first.
    is_newest_first = bool(captured) and bool(captured[0][2]) and imported.is_record(captured[0][2][0])
    yield from reversed(loaded) if is_newest_first else loaded
