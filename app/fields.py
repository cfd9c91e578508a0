"""Strict marshmallow fields: where marshmallow is lenient (true or "50" as an integer), these are not. Decisions 6 to 8, 59."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import NoReturn

from marshmallow import Schema, ValidationError, fields

from . import instants
from .strict_json import shown

MOST_FAULTS = 20  # that one error or one import lists
LARGEST_COUNT = 2**63 - 1

# Marshmallow's name for a fault of a whole object. A field can have that name too, so handle_error() puts None in its place.
WHOLE = "_schema"


def kind(value) -> str:
    """Return what JSON calls the value, for error sentences."""
    kinds = {str: "a string", int: "a number", Decimal: "a number", list: "an array", dict: "an object"}
    return kinds.get(type(value)) or shown(value)  # null, true or false


def flat(messages: dict, path: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Return the messages of a ValidationError by the whole name of each field, such as conversions.0.timestamp."""
    found: dict[str, list[str]] = {}
    for name, inner in messages.items():
        inner_path = path if name is None else (*path, str(name))
        by_field = flat(inner, inner_path) if isinstance(inner, dict) else {".".join(inner_path): inner}
        for field, sentences in by_field.items():
            found.setdefault(field, []).extend(sentences)
    return found


def shown_name(field: str) -> str:
    """Return a field's name for an error sentence: a plain one as it is, any other as a JSON string, cut at 60 characters."""
    return field if re.fullmatch(r"[\w.-]{1,60}", field) else shown(field)


class Exact(fields.Field):
    """A field of one JSON type; a value of another type is refused, never converted."""

    default_error_messages = {"required": "Is missing.", "null": "{wanted}, not null.", "type": "{wanted}, not {value}."}
    wanted: str
    json_schema: dict
    json_type: type

    def __init__(self, description: str = "", example=None, **kwargs):
        in_the_document = {"description": description, **self.json_schema}
        if example is not None:
            in_the_document["example"] = example
        super().__init__(metadata=in_the_document, **kwargs)

    def make_error(self, key, **values):
        return super().make_error(key, wanted=self.wanted, **values)

    def refuse(self, value) -> NoReturn:
        raise self.make_error("type", value=shown(value))

    def _deserialize(self, value, attr, data, **kwargs):
        return value if isinstance(value, self.json_type) else self.refuse(value)


class Text(Exact):
    """A string, kept exactly as it is: never trimmed, never normalised."""

    wanted = "Must be a string"
    json_schema = {"type": "string"}
    json_type = str


class Count(Exact):
    """A whole number in JSON Schema's sense: 50, and 50.0 too."""

    wanted = f"Must be an integer from 0 to {LARGEST_COUNT}"
    # int64 rather than a maximum, which tools that read numbers as doubles round to one that is too large.
    json_schema = {"type": "integer", "format": "int64", "minimum": 0}

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
        # The range first: 1e999999 as an integer would fill the memory.
        return int(value) if is_number and 0 <= value <= LARGEST_COUNT and value == int(value) else self.refuse(value)


class Flag(Exact):
    """true or false."""

    wanted = "Must be true or false"
    json_schema = {"type": "boolean"}
    json_type = bool


class Date(Text):
    """One edge of the window, as an instant: "start" is the first second that the text names, "end" the last."""

    def __init__(self, edge: str = "end", description: str = "", example=None, **kwargs):
        super().__init__(description, example, **kwargs)
        self.edge = edge

    def span(self, value) -> tuple[int, int]:
        """Return the first and the last second that the value names. Raises ValidationError."""
        if not isinstance(value, str):
            self.refuse(value)
        try:
            return instants.span(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        first, last = self.span(value)
        return first if self.edge == "start" else last


class Moment(Date):
    """A moment of an imported session, as an instant; a fraction of a second is dropped, and hh:mm is the minute's first second."""

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if meant := of_epoch(value):
            raise ValidationError(f"Must be a date-time, not a number: write {meant} instead of {value}.")
        moment = min(self.span(value))
        if len(value) <= len("YYYY-MM-DD"):
            raise ValidationError(f"{shown(value)} has no time of day. Use a date-time such as 2025-07-15T10:00:00Z.")
        if not instants.EARLIEST <= moment <= instants.LATEST:
            raise ValidationError(f"{shown(value)} is outside the years 1 to 9999 UTC.")
        return moment


def of_epoch(value) -> str | None:
    """Return the date-time that a number of seconds, milli-, micro- or nanoseconds since 1970 means, or None for anything else."""
    if not re.fullmatch(r"([0-9]{10}|[0-9]{13}|[0-9]{16}|[0-9]{19})(\.[0-9]+)?", str(value)):
        return None
    return f"{datetime.fromtimestamp(int(str(value)[:10]), UTC):%Y-%m-%dT%H:%M:%SZ}"


def unknown_field(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    all_known = f"the known fields are {', '.join(known)}" if known else "there are none here"
    return f"Unknown field: did you mean {near[0]}?" if near else f"Unknown field: {all_known}."


class Strict(Schema):
    """A schema that refuses unknown fields, and names the nearest known one."""

    error_messages = {"type": "Must be an object."}

    def handle_error(self, error: ValidationError, data, **kwargs):
        given = data if isinstance(data, dict) else {}
        messages = dict(error.messages_dict)
        whole = None if WHOLE in given else messages.pop(WHOLE, None)
        unknown = [name for name in given if name in messages and name not in self.fields]
        for name in unknown[:MOST_FAULTS]:
            messages[name] = [unknown_field(name, self.fields)]
        # In the order of the request, which marshmallow loses.
        error.messages = {name: messages[name] for name in dict.fromkeys([*given, *self.fields]) if name in messages}
        if whole:
            error.messages[None] = whole
        raise error
