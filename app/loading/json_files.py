"""Load the sessions of JSON: one per line, or one document. Decision 45."""

import io
from collections.abc import Iterator

from marshmallow import ValidationError

from .. import schemas, strict_json
from . import fast_path, imported
from .faults import Faults


def load(reader: io.BufferedReader, start: bytes, faults: Faults) -> Iterator[tuple[str, dict]]:
    """Load the sessions of a JSON file that starts like this."""
    if _is_document(start):
        try:
            document = strict_json.parse(reader.read())
        except ValueError as fault:
            raise ValueError(f"The file {fault}, and nothing was changed.") from None
        yield from _several(document, "", faults)
    else:
        yield from _lines(reader, faults)


def _is_document(start: bytes) -> bool:
    """Return True if this is one document: an array, or an object that continues after its first line."""
    first, line_end, _ = start.lstrip().partition(b"\n")
    goes_on = bool(line_end) and first.rstrip().endswith((b"{", b"[", b",", b":"))
    return first.startswith(b"[") or goes_on


def _lines(reader: io.BufferedReader, faults: Faults) -> Iterator[tuple[str, dict]]:
    responses = []
    for number, line in enumerate(reader, start=1):
        if session := fast_path.load_line(line):
            yield f"line {number}", session
        elif line.strip():
            try:
                given = strict_json.parse(line.rstrip(b"\r\n"))
            except ValueError as fault:
                faults.add(f"line {number}", "", f"The line {fault}.".replace("at line 1, ", "at "))
                continue
            if isinstance(given, dict) and ("records" in given or "message" in given):
                responses.append((f"line {number}, ", given))
            else:
                yield from _one(given, f"line {number}", faults)
    for place, response in reversed(responses):
        yield from _several(response, place, faults)


def _several(given: object, place: str, faults: Faults) -> Iterator[tuple[str, dict]]:
    """Load an array of sessions or records, a captured response, or a single session."""
    if given == {"message": schemas.NOTHING_FOUND}:
        return
    if isinstance(given, dict) and isinstance(given.get("records"), list):
        given = given["records"]
    if not isinstance(given, list):
        yield from _one(given, f"{place}item 1", faults)
        return
    loaded = [session for number, item in enumerate(given, start=1) for session in _one(item, f"{place}item {number}", faults)]
    # The API returns the newest record first. Of two conversions at one moment it returns the last imported first.
    yield from reversed(loaded) if given and fast_path.is_record(given[0]) else loaded


def _one(given: object, place: str, faults: Faults) -> Iterator[tuple[str, dict]]:
    try:
        yield place, imported.load(given)
    except ValidationError as error:
        faults.add_all(place, error)
