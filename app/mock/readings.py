"""Readings: what else the published text could mean. The mock can serve each of them, and several at once. Decisions 75 and 76.

readings.toml is the one list of their names and values. The first value of each is what this server does. With all of these, the
responses are those of app/strategies.py. Under other ones, every page is cut from the whole result: slow, but obvious.
"""

import json
import tomllib
from difflib import get_close_matches
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, current_app, g, request
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest

from .. import api, schemas
from ..accounts import Account
from ..body import parse_body
from ..database import Connection
from ..instants import DAY
from ..strategies import BATCH_SIZE, CONVERSION_FILTERS, PAGE_SIZE, SESSION_FILTERS, Page, is_session_query, with_filters


class Reading(NamedTuple):
    name: str
    decision: int
    text: str  # the published words that allow each value
    values: dict[str, str]  # what each one means

    @property
    def others(self) -> dict[str, str]:
        return dict(list(self.values.items())[1:])


READINGS = {
    name: Reading(name, **table)
    for name, table in tomllib.loads(Path(__file__).with_name("readings.toml").read_text(encoding="utf-8")).items()
}

AS_DECIDED = {name: next(iter(reading.values)) for name, reading in READINGS.items()}
TO_THE_LETTER = "to-the-letter"  # short for these, under which every sentence about a field or a parameter holds literally
LITERAL = "timestamp=session window=session pool=started"
# Each reading that a client's tests can run under.
EACH = [f"{reading.name}={value}" for reading in READINGS.values() for value in reading.others] + [TO_THE_LETTER]


def parse(text: str) -> dict[str, str]:
    """Return the readings that differ from what this server does, from NAME=VALUE pairs or a JSON file of them.

    Raises ValueError with a sentence.
    """
    found: dict[str, str] = {}
    words = text.replace(",", " ").split()
    pairs = [pair for word in words for pair in (LITERAL.split() if word == TO_THE_LETTER else [word])]
    for pair in _pairs_of_file(Path(text.strip())) if text.strip().endswith(".json") else pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{name!r} is not a reading. Write NAME=VALUE, such as page=cut, or {TO_THE_LETTER}, or FILE.json.")
        if name not in READINGS:
            near = get_close_matches(name, READINGS, n=1)
            advice = f"Did you mean {near[0]}?" if near else f"The readings are {', '.join(READINGS)}."
            raise ValueError(f"There is no reading {name!r}. {advice}")
        if value not in READINGS[name].values:
            raise ValueError(f"The reading {name} has no value {value!r}. Its values are {', '.join(READINGS[name].values)}.")
        if found.setdefault(name, value) != value:
            raise ValueError(f"The reading {name} is given twice, as {found[name]} and as {value}.")
    return {name: value for name, value in found.items() if value != AS_DECIDED[name]}


def _pairs_of_file(path: Path) -> list[str]:
    try:
        return [f"{name}={value}" for name, value in json.loads(path.read_text(encoding="utf-8")).items()]
    except OSError as error:
        raise ValueError(f"The file {path} can't be read: {error.strerror}.") from None
    except (ValueError, AttributeError):
        raise ValueError(f'The file {path} must have a JSON object of names and values, such as {{"page": "cut"}}.') from None


# Serving


def serve(app: Flask, readings: dict[str, str]) -> None:
    """Answer requests under these readings from now on. Without any, the definition answers them."""
    app.extensions["readings"] = readings
    app.extensions["answer"] = partial(answer, AS_DECIDED | readings) if readings else api.answer


def reshape(response: Response) -> Response:
    """Give a response of the endpoint the status and the shape of an error that the readings say."""
    if request.path != api.PATH or not (readings := current_app.extensions["readings"]):
        return response
    chosen = AS_DECIDED | readings
    of_query, of_key = chosen["error-status"].split("-")
    statuses = {200: chosen["status"], 400: of_query, 401: of_key}
    is_error = response.status_code >= 400
    response.status_code = int(statuses.get(response.status_code, response.status_code))
    if is_error and "error-field" in readings and isinstance(body := response.get_json(silent=True), dict):
        renamed = {chosen["error-field"] if name == "error" else name: value for name, value in body.items()}
        response.set_data(current_app.json.dumps(renamed))
    return response


# Pages under other readings

# Under every reading, what a query returns belongs to sessions that overlap the window.

SESSIONS = """
SELECT id, started_at
FROM sessions
WHERE account_id = :account_id {session_filters}
  AND started_at BETWEEN :start - :longest_session AND :end AND ended_at >= :start
ORDER BY started_at DESC, id DESC
"""

# The columns of a record as strategies.py has them, then the session, then the extra fields.

CONVERSIONS = """
SELECT
    conversions.id, email, strftime(:form, iif(:timestamp = 'session', started_at, timestamp), 'unixepoch') AS shown,
    conversion_page, previous_page, meta_type, meta_id, sessions.id, sessions.session_id, source, medium
FROM sessions CROSS JOIN conversions ON conversions.session_id = sessions.id
WHERE sessions.account_id = :account_id {session_filters}
  AND started_at BETWEEN :start - :longest_session AND :end AND ended_at >= :start {conversion_filters}
  AND (:window = 'associated' OR iif(:window = 'session', started_at, timestamp) BETWEEN :start AND :end)
ORDER BY shown DESC, conversions.id DESC
"""

ID, SHOWN, SESSION = 0, 2, 7  # places in such a row

FORMS = {"sample": "%Y-%m-%d %H:%M:%S", "iso": "%Y-%m-%dT%H:%M:%SZ", "iso-milliseconds": "%Y-%m-%dT%H:%M:%S.000Z"}


def answer(readings: dict[str, str], connection: Connection, account: Account, raw: bytes, now: int) -> dict:
    """Do what api.answer does, under these readings: each one by its name."""
    g.body = body = parse_body(raw)
    if readings["trailing-comma"] == "refused" and body:
        refuse_trailing_comma(raw)
    if readings["empty-filter"] == "absent":
        filters = SESSION_FILTERS + CONVERSION_FILTERS
        body = {name: value for name, value in body.items() if not (name in filters and value == "")}
    query = schemas.load_query(body, now)
    query |= default_window(readings["default-window"], body, query["end"], now)
    if readings["reversed-window"] == "refused" and query["start"] > query["end"]:
        raise ValidationError({"start_date": ["The window starts after its end. Choose a start_date that is not after end_date."]})
    query |= account.scope
    is_session = is_session_query(query)
    window = "conversion" if readings["window"] == "associated" and not is_session else readings["window"]
    chosen = {"window": window, "timestamp": readings["timestamp"], "form": FORMS[readings["timestamp-form"]]}
    found = connection.rows(with_filters(CONVERSIONS, query), query | chosen)
    sessions = connection.rows(with_filters(SESSIONS, query), query) if is_session else []
    if readings["order"] == "oldest":
        found.reverse()
        sessions.reverse()
    page = session_page(readings, query, sessions, found) if is_session else direct_page(readings, query["offset"], found)
    g.page = page
    if readings["empty-page"] == "message" and not page.conversions:
        return {"message": schemas.NOTHING_FOUND}
    return api.response_of(page, partial(record_of, readings))


def refuse_trailing_comma(raw: bytes) -> None:
    try:
        json.loads(raw)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"The body is not valid JSON: a comma after the last member, at {place}.") from None


def default_window(reading: str, body: dict, end: int, now: int) -> dict[str, int]:
    """Return the ends of the window that the body leaves out, if they differ."""
    window = {}
    if reading == "days" and "end_date" not in body:
        window["end"] = end = now - now % DAY + DAY - 1
    if reading == "days" and "start_date" not in body:
        window["start"] = end - end % DAY - 29 * DAY
    if reading == "before-now" and "start_date" not in body:
        window["start"] = now - schemas.DEFAULT_WINDOW
    return window


def direct_page(readings: dict[str, str], offset: int, found: list[tuple]) -> Page:
    conversions, total = found[offset : offset + PAGE_SIZE], len(found)
    processed = min(offset + len(conversions), total)
    shown = offset + PAGE_SIZE if readings["last-offset"] == "plus-50" else processed
    return Page("direct", conversions, shown, total, [], nothing_matches=not found, has_more=processed < total)


def session_page(readings: dict[str, str], query: dict, sessions: list[tuple], found: list[tuple]) -> Page:
    of_session: dict[int, list[tuple]] = {}
    for conversion in found:
        of_session.setdefault(conversion[SESSION], []).append(conversion)
    pool = [session for session, started_at in sessions if readings["pool"] != "started" or started_at >= query["start"]]
    if readings["pool"] == "converting":
        pool = [session for session in pool if session in of_session]

    position, is_full = min(query["offset"], len(pool)), False
    conversions: list[tuple] = []
    per_batch: list[int] = []
    while position < len(pool) and not is_full:
        before = len(conversions)
        for session in pool[position : position + BATCH_SIZE]:
            more = of_session.get(session, [])
            if readings["page"] == "cut" and conversions and len(conversions) + len(more) > PAGE_SIZE:
                is_full = True
                break
            conversions += more
            position += 1
        per_batch.append(len(conversions) - before)
        collected = per_batch[-1] if readings["batch"] == "each" else len(conversions)
        is_full = is_full or collected >= PAGE_SIZE

    if readings["order"] != "session":
        conversions.sort(key=itemgetter(SHOWN, ID), reverse=readings["order"] == "newest")
    has_more = position < len(pool)
    if readings["has-more"] == "conversions":
        has_more = any(session in of_session for session in pool[position:])
    nothing_matches = not any(session in of_session for session in pool)
    return Page("session", conversions, position, len(pool), per_batch, nothing_matches, has_more)


def record_of(readings: dict[str, str], conversion: tuple) -> dict:
    record = api.record_of(conversion[:SESSION])
    if readings["missing"] == "omitted":
        record = {name: value for name, value in record.items() if value is not None}
    elif readings["missing"] == "empty":
        record = {name: "" if value is None else value for name, value in record.items()}
    if readings["extra-fields"] == "some":
        record |= zip(("session_id", "source", "medium"), conversion[SESSION + 1 :], strict=True)
    return record
