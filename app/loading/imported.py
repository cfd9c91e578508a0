"""An imported session and its conversions: what each field may be, and what is wrong, the same for every form of file.

Decisions 30, 43, 44.

These are functions, and not marshmallow schemas, which would take most of an import's time. Their errors are marshmallow's.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any

import orjson
from marshmallow import ValidationError

from .. import fields, instants
from ..strict_json import shown
from . import attribution

LONGEST_FIELD = 1_048_576  # characters
TOO_LONG = f"has more than {LONGEST_FIELD:,} characters, which is the most that a field can have."

_quick_moment = re.compile("([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])Z?").fullmatch
_names = re.compile(rb'"[ \t\r\n]*:').findall
_any_moment = fields.Moment().deserialize
_day = lru_cache(1000)(instants.span)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValidationError(f"Must be a string, not {shown(value)}.")
    if len(value) > LONGEST_FIELD:
        raise ValidationError(f"Has {TOO_LONG}")
    return value


def _url(value: object) -> str:
    if attribution.host(url := _text(value)) is None:
        raise ValidationError(f"Must be a full URL such as https://example.com/pricing, not {shown(url)}.")
    return url


def _moment(value: object) -> int:
    match = _quick_moment(value) if isinstance(value, str) else None
    if match is None:
        return _any_moment(value)
    try:
        return _day(match[1])[0] + int(match[2]) * 3600 + int(match[3]) * 60 + int(match[4])
    except ValueError:  # there is no such day
        return _any_moment(value)


def _optional(read: Callable) -> Callable:
    """Let null stand for a value that is not given, and "" too: that is how CSV exports write it."""
    return lambda value: None if value is None or value == "" else read(value)


def _array(read: Callable, values: object) -> list:
    if not isinstance(values, list):
        raise ValidationError("Must be an array.")
    loaded, faults = [], {}
    for number, value in enumerate(values):
        try:
            loaded.append(read(value))
        except ValidationError as error:
            faults[number] = error.messages
    if faults:
        raise ValidationError(faults)
    return loaded


def _object(readers: dict[str, Callable], required: list[str], given: object) -> dict:
    if not isinstance(given, dict):
        raise ValidationError({None: ["Must be an object."]})
    faults: dict[str | None, Any] = {}
    loaded: dict[str, Any] = dict.fromkeys(readers)
    for name, value in given.items():
        if (read := readers.get(name)) is None:
            faults[name] = ["Unknown field."] if len(faults) > fields.MOST_FAULTS else [fields.unknown_field(name, readers)]
            continue
        try:
            loaded[name] = read(value)
        except ValidationError as error:
            faults[name] = error.messages
    faults |= {name: ["Is missing."] for name in required if name not in given}
    if faults:
        raise ValidationError(faults)
    return loaded


_meta = partial(_object, {"type": _text, "id": _text}, ["type", "id"])
_of_conversion = {"email": _optional(_text), "timestamp": _moment, "conversion_page": _url, "previous_page": _optional(_url)}
_conversion = partial(_object, _of_conversion | {"conversion_meta": _meta}, ["timestamp", "conversion_page", "conversion_meta"])
# Only flask export writes the last two: such a session keeps the source and medium that it had, whatever the rules are by now.
_texts = dict.fromkeys(["session_id", *attribution.UTM, "derived_source", "derived_medium"], _optional(_text))
_times = {"started_at": _moment, "ended_at": _optional(_moment)}
_of_session = {**_times, "landing_page": _url, "referrer": _optional(_url), **_texts}
_session: dict[str, Callable] = {**_of_session, "conversions": partial(_array, _conversion)}

OF_SESSION = [*_of_session]
OF_CONVERSION = [*_of_conversion, "type", "id"]
FIELDS = OF_SESSION + OF_CONVERSION

# What a session that is made of conversions has from the first of them, unless it has its own.
_OF_FIRST = {"started_at": "timestamp", "landing_page": "conversion_page"}


def _complete(session: dict) -> dict:
    """Fill in the end and the conversions, and refuse a conversion outside its session."""
    session["conversions"] = session["conversions"] or []
    if (session["derived_source"] is None) != (session["derived_medium"] is None):
        raise ValidationError({"derived_source": ["Must be given both or neither."]})
    start, moments = session["started_at"], [conversion["timestamp"] for conversion in session["conversions"]]
    if session["ended_at"] is None:
        session["ended_at"] = max([start, *moments])
    end = session["ended_at"]
    if end < start:
        raise ValidationError({"ended_at": [f"Is {_shown(end)}, before started_at, {_shown(start)}."]})
    if moments and not start <= min(moments) <= max(moments) <= end:
        lasts = f"its session, which lasts from {_shown(start)} to {_shown(end)}"
        outside = {number: at for number, at in enumerate(moments) if not start <= at <= end}
        faults = {number: {"timestamp": [f"Is {_shown(at)}, outside {lasts}."]} for number, at in outside.items()}
        raise ValidationError({"conversions": faults})
    return session


def _shown(moment: int) -> str:
    return str(datetime(1970, 1, 1) + timedelta(seconds=moment))


def is_record(given: object) -> bool:
    """Return True if this is a conversion as the API returns it, rather than a session."""
    return isinstance(given, dict) and "started_at" not in given and ("timestamp" in given or "conversion_page" in given)


def load(given: Any) -> dict:
    """Load a session in the import format, or a record as the API returns it, which becomes a session of its own.

    Moments become instants. Raises marshmallow.ValidationError, whose fields are those of what was given.
    """
    if not is_record(given):
        return _complete(_object(_session, [*_OF_FIRST], given))
    try:
        return load_made_of({"conversions": [given]})
    except ValidationError as error:
        raise ValidationError(error.messages_dict["conversions"][0]) from None


def load_made_of(given: dict) -> dict:
    """Load a session that is made of conversions: unless it says otherwise, it starts at the first one, and lands on its page."""
    session = _object(_session, [] if given["conversions"] else [*_OF_FIRST], given)
    first: dict = min(session["conversions"], key=itemgetter("timestamp"), default={})
    return _complete(session | {name: first[of] for name, of in _OF_FIRST.items() if session[name] is None})


def load_line(line: bytes) -> dict | None:
    """Load a line of JSON as load() does, three times as fast as strict_json parses it; return None if it is not obviously valid.

    orjson keeps the last of two members with the same name, silently. Each name is followed by a colon: if there are no more such
    places than members, no name occurs twice.
    """
    try:
        given = orjson.loads(line)
        members = 0 if is_record(given) else len(given)
        for conversion in [given] if is_record(given) else given.get("conversions", ()):
            members += len(conversion) + len(conversion["conversion_meta"])
        return load(given) if members == len(_names(line)) else None
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
        return None


class Faults(ValueError):
    """The first faults of a file, each with its place, and how many there are in all."""

    def __init__(self):
        self.sentences: list[str] = []
        self.count = 0
        self.advice = ""  # how to go on

    def add(self, place: str, field: str, *sentences: str) -> None:
        shown = sentences[: max(fields.MOST_FAULTS - self.count, 0)]
        self.sentences += [f"{place}{', ' + field if field else ''}: {sentence}" for sentence in shown]
        self.count += len(sentences)

    def __str__(self) -> str:
        lines = ["The file has faults, and nothing was changed.", *self.sentences]
        if self.count > len(self.sentences):
            lines.append(f"… and {self.count - len(self.sentences)} more")
        return "\n".join(lines + [self.advice] * bool(self.advice))
