"""A fast path that loads a session that is obviously valid, ten times as fast as marshmallow does. Decision 44.

Anything unusual or wrong is left to imported.ImportedSession, which alone defines what a valid session is, and reports faults. A
test checks that both load the same.
"""

import re
from functools import lru_cache
from typing import Any, TypeGuard

import orjson

from .. import instants
from .attribution import UTM, host

_NULLABLE = ("session_id", "referrer", *UTM, "derived_source", "derived_medium")
_NOTHING = dict.fromkeys(["session_id", "started_at", "ended_at", "landing_page", *_NULLABLE[1:], "conversions"])
_CONVERSION = dict.fromkeys(["email", "timestamp", "conversion_page", "previous_page", "conversion_meta"])
_META = {"type", "id"}

_moment = re.compile("([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])Z?").fullmatch
_names = re.compile(rb'"[ \t\r\n]*:').findall


class _Unusual(Exception):
    pass


def load_line(line: bytes) -> dict | None:
    """Load a line of JSON, which is a session or a record; return None if it is not obviously valid.

    orjson keeps the last of two members with the same name, silently. Each name is followed by a colon: if there are no more such
    places than members, no name occurs twice.
    """
    try:
        given = orjson.loads(line)
        session = as_session(given) if is_record(given) else given
        members = len(given) if session is given else 0
        for conversion in session.get("conversions", ()):
            members += len(conversion) + len(conversion["conversion_meta"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return load(session) if members == len(_names(line)) else None


def load(given: Any) -> dict | None:
    """Return the session as imported.load does; None if it is not obviously valid."""
    try:
        return _session(as_session(given) if is_record(given) else given)
    except (_Unusual, TypeError, AttributeError):
        return None


def is_record(given: object) -> TypeGuard[dict]:
    """Return True if this is a conversion as the API returns it, rather than a session."""
    return isinstance(given, dict) and "started_at" not in given and ("timestamp" in given or "conversion_page" in given)


def as_session(record: dict) -> dict:
    """Make a session that has only this conversion: it starts at the conversion and lands on its page."""
    return {"started_at": record.get("timestamp"), "landing_page": record.get("conversion_page"), "conversions": [record]}


def _session(given: dict) -> dict:
    _require(given.keys() <= _NOTHING.keys())
    session = _NOTHING | given
    for name in _NULLABLE:
        session[name] = _text(session[name])
    _require(host(session["landing_page"]) and (session["referrer"] is None or host(session["referrer"])))
    _require((session["derived_source"] is None) == (session["derived_medium"] is None))
    session["started_at"] = start = _instant(session["started_at"])
    _require("conversions" not in given or type(given["conversions"]) is list)
    session["conversions"] = [_conversion(conversion) for conversion in given.get("conversions", [])]
    moments = [conversion["timestamp"] for conversion in session["conversions"]]
    ended_at = _text(session["ended_at"])
    session["ended_at"] = end = _instant(ended_at) if ended_at else max([start, *moments])
    _require(start <= end and all(start <= moment <= end for moment in moments))
    return session


def _conversion(given: dict) -> dict:
    _require(given.keys() <= _CONVERSION.keys())
    conversion = _CONVERSION | given
    meta, previous_page = conversion["conversion_meta"], _text(conversion["previous_page"])
    _require(meta.keys() == _META and type(meta["type"]) is str and type(meta["id"]) is str)
    _require(host(conversion["conversion_page"]) and (previous_page is None or host(previous_page)))
    conversion["email"], conversion["previous_page"] = _text(conversion["email"]), previous_page
    conversion["timestamp"] = _instant(conversion["timestamp"])
    return conversion


def _require(condition: object) -> None:
    if not condition:
        raise _Unusual


def _text(value: Any) -> str | None:
    _require(value is None or type(value) is str)
    return value or None


def _instant(text: str) -> int:
    match = _moment(text)
    if match is None:
        raise _Unusual
    day, hour, minute, second = match.groups()
    return _midnight(day) + int(hour) * 3600 + int(minute) * 60 + int(second)


@lru_cache(1000)
def _midnight(day: str) -> int:
    try:
        return instants.parse(day, "start")
    except ValueError:
        raise _Unusual from None
