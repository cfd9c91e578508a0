"""Answers a request under other readings of the text. Every page is cut from the whole result: slow, but obvious. Decision 75.

With every reading as this server has it, the responses are those of app/strategies.py.
"""

import json
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from flask import g
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest

from .. import api, schemas
from ..accounts import Account
from ..body import parse_body
from ..database import Connection
from ..instants import DAY
from ..strategies import BATCH_SIZE, CONVERSION_FILTERS, PAGE_SIZE, SESSION_FILTERS, Page, is_session_query, with_filters

# Under every reading, what a query returns belongs to sessions that overlap the window.

SESSIONS = """
SELECT id, started_at
FROM sessions
WHERE account_id = :account_id {session_filters}
  AND started_at BETWEEN :start - :longest_session AND :end AND ended_at >= :start
ORDER BY started_at DESC, id DESC
"""

CONVERSIONS = """
SELECT conversions.id, timestamp, sessions.id, started_at,
       email, conversion_page, previous_page, meta_type, meta_id, sessions.session_id, source, medium
FROM sessions CROSS JOIN conversions ON conversions.session_id = sessions.id
WHERE sessions.account_id = :account_id {session_filters}
  AND started_at BETWEEN :start - :longest_session AND :end AND ended_at >= :start {conversion_filters}
"""

FORMS = {"sample": " {}", "iso": "T{}Z", "iso-milliseconds": "T{}.000Z"}


class Conversion(NamedTuple):
    id: int
    timestamp: int
    session: int
    started_at: int
    email: str | None
    conversion_page: str
    previous_page: str | None
    meta_type: str
    meta_id: str
    session_id: str
    source: str
    medium: str


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
    found = [Conversion(*row) for row in connection.rows(with_filters(CONVERSIONS, query), query)]
    if is_session_query(query):
        sessions = connection.rows(with_filters(SESSIONS, query), query)
        page = session_page(readings, query, sessions, found)
    else:
        page = direct_page(readings, query, found)
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


def is_in_window(readings: dict[str, str], query: dict, conversion: Conversion) -> bool:
    if readings["window"] == "associated" and is_session_query(query):
        return True
    moment = conversion.started_at if readings["window"] == "session" else conversion.timestamp
    return query["start"] <= moment <= query["end"]


def shown_moment(readings: dict[str, str], conversion: Conversion) -> int:
    return conversion.started_at if readings["timestamp"] == "session" else conversion.timestamp


def in_order(readings: dict[str, str], conversions: list[Conversion]) -> list[Conversion]:
    is_newest_first = readings["order"] != "oldest"
    return sorted(conversions, key=lambda each: (shown_moment(readings, each), each.id), reverse=is_newest_first)


def direct_page(readings: dict[str, str], query: dict, found: list[Conversion]) -> Page:
    matching = in_order(readings, [each for each in found if is_in_window(readings, query, each)])
    offset, total = query["offset"], len(matching)
    conversions = matching[offset : offset + PAGE_SIZE]
    processed = min(offset + len(conversions), total)
    has_more = processed < total
    if readings["last-offset"] == "plus-50":
        processed = offset + PAGE_SIZE
    return Page("direct", conversions, processed, total, [], nothing_matches=not matching, has_more=has_more)


def session_page(readings: dict[str, str], query: dict, sessions: list[tuple[int, int]], found: list[Conversion]) -> Page:
    of_session: dict[int, list[Conversion]] = {}
    for conversion in in_order(readings, found):
        if is_in_window(readings, query, conversion):
            of_session.setdefault(conversion.session, []).append(conversion)
    pool = [session for session, started_at in sessions if readings["pool"] != "started" or started_at >= query["start"]]
    if readings["pool"] == "converting":
        pool = [session for session in pool if session in of_session]
    if readings["order"] == "oldest":
        pool.reverse()

    position, is_full = min(query["offset"], len(pool)), False
    conversions: list[Conversion] = []
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
        conversions = in_order(readings, conversions)
    has_more = position < len(pool)
    if readings["has-more"] == "conversions":
        has_more = any(session in of_session for session in pool[position:])
    nothing_matches = not any(session in of_session for session in pool)
    return Page("session", conversions, position, len(pool), per_batch, nothing_matches, has_more)


def record_of(readings: dict[str, str], conversion: Conversion) -> dict:
    moment = datetime(1970, 1, 1) + timedelta(seconds=shown_moment(readings, conversion))
    record = {
        "email": conversion.email,
        "timestamp": f"{moment.date()}{FORMS[readings['timestamp-form']].format(moment.time())}",
        "conversion_page": conversion.conversion_page,
        "previous_page": conversion.previous_page,
        "conversion_meta": {"type": conversion.meta_type, "id": conversion.meta_id},
    }
    if readings["missing"] == "omitted":
        record = {name: value for name, value in record.items() if value is not None}
    elif readings["missing"] == "empty":
        record = {name: "" if value is None else value for name, value in record.items()}
    if readings["extra-fields"] == "some":
        record |= {"session_id": conversion.session_id, "source": conversion.source, "medium": conversion.medium}
    return record
