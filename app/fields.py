"""Strict marshmallow fields: where marshmallow is lenient (true or "50" as an integer), these are not. Decisions 6 to 8."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches

from marshmallow import Schema, ValidationError, fields

from app import instants

MOST_FAULTS = 20  # that one answer or one import tells in full
LARGEST_COUNT = 2**63 - 1


def kind(value) -> str:
    """What JSON calls the value, for sentences."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {str: "a string", int: "a number", Decimal: "a number", list: "an array", dict: "an object"}
    return kinds[type(value)]


def flat(messages: dict, path: str = "") -> dict[str, list[str]]:
    """The messages of a ValidationError by the whole name of the field, such as conversions.0.timestamp."""
    found = {}
    for name, inner in messages.items():
        field = path if name == "_schema" else f"{path}.{name}".lstrip(".")
        found |= flat(inner, field) if isinstance(inner, dict) else {field: inner}
    return found


class Exact(fields.Field):
    """A field of one type of JSON, that nothing else is turned into."""

    default_error_messages = {"required": "Is missing.", "null": "{wanted}, not null.", "type": "{wanted}, not {kind}."}
    wanted: str
    json_schema: dict

    def __init__(self, about: str = "", **kwargs):
        super().__init__(metadata={"description": about, **self.json_schema}, **kwargs)

    def make_error(self, key, **values):
        return super().make_error(key, wanted=self.wanted, **values)

    def refuse(self, value):
        raise self.make_error("type", kind=kind(value))


class Text(Exact):
    """A string, which is taken as it is: never trimmed, never normalised."""

    wanted = "Must be a string"
    json_schema = {"type": "string"}

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        return value if isinstance(value, str) else self.refuse(value)


class Count(Exact):
    """A whole number as JSON Schema understands it: 50, and 50.0 too."""

    wanted = f"Must be an integer from 0 to {LARGEST_COUNT}"
    json_schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_COUNT}

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            self.refuse(value)
        # The range first: 1e999999 as an integer would fill the memory.
        if not 0 <= value <= LARGEST_COUNT or value != int(value):
            raise ValidationError(f"{self.wanted}, not {value}.")
        return int(value)


class Flag(Exact):
    """true or false."""

    wanted = "Must be true or false"
    json_schema = {"type": "boolean"}

    def _deserialize(self, value, attr, data, **kwargs) -> bool:
        return value if isinstance(value, bool) else self.refuse(value)


class Date(Text):
    """One edge of the window, as an instant: "start" is the first second that the text names, "end" the last."""

    json_schema = {"type": "string", "pattern": instants.PUBLISHED_PATTERN}

    def __init__(self, edge: str = "end", about: str = "", **kwargs):
        super().__init__(about, **kwargs)
        self.edge = edge

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return instants.parse(text, self.edge)
        except ValueError as fault:
            raise ValidationError(str(fault)) from None


class Moment(Date):
    """A moment of an imported session, as an instant. hh:mm is the first second of its minute; fractions are dropped."""

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if moment := _of_epoch(value):
            raise ValidationError(f"Must be a date-time, not a number: write {moment} instead of {value}.")
        text = Text._deserialize(self, value, attr, data, **kwargs)
        try:
            moment = instants.parse(text, "end" if text[16:17] == ":" else "start")  # 2025-07-15T10:14 has 16 characters
        except ValueError as fault:
            raise ValidationError(str(fault)) from None
        if len(text) <= len("YYYY-MM-DD"):
            raise ValidationError("Must have a time of day, for example 2025-07-15T10:00:00Z.")
        if not instants.EARLIEST <= moment <= instants.LATEST:
            raise ValidationError("Must be within the years 1 to 9999 UTC.")
        return moment


def _of_epoch(value) -> str | None:
    """The date-time that a number of seconds, milliseconds, microseconds or nanoseconds since 1970 means; None if it is no such."""
    if not re.fullmatch(r"([0-9]{10}|[0-9]{13}|[0-9]{16}|[0-9]{19})(\.[0-9]+)?", str(value)):
        return None
    return f"{datetime.fromtimestamp(int(str(value)[:10]), UTC):%Y-%m-%dT%H:%M:%SZ}"


class List(fields.List):
    default_error_messages = {"required": "Is missing.", "null": "Must be an array, not null.", "invalid": "Must be an array."}


class Nested(fields.Nested):
    default_error_messages = {"required": "Is missing.", "null": "Must be an object, not null.", "type": "Must be an object."}


class Strict(Schema):
    """Refuses a field that it does not know, and names the nearest one that it does."""

    error_messages = {"type": "Must be an object."}

    def handle_error(self, error: ValidationError, data, **kwargs):
        unknown = [name for name, sentences in error.messages.items() if name not in self.fields and name != "_schema"]
        for name in unknown[:MOST_FAULTS]:
            near = get_close_matches(name, self.fields, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.fields)}."
            error.messages[name] = [f"Unknown field: {advice}"]
        # In the order in which the request has them, which marshmallow loses.
        given = data if isinstance(data, dict) else {}
        error.messages = {name: error.messages[name] for name in [*given, *self.fields, "_schema"] if name in error.messages}
        raise error
