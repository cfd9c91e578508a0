"""Reads the JSON of a response: pages, and walks of several pages. A field of a wrong type is noted, and read if possible."""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from records import Record, Records, mask_emails


class Unusable(Exception):
    """A response that no check can continue with. It is reported once, by the first check that receives it."""

    def __init__(self, fault: str):
        super().__init__(fault)
        self.fault = fault


class Page(NamedTuple):
    """One response. The message "nothing found" is a page without records."""

    records: Records
    records_processed: int
    total_records: int
    has_more: bool
    is_message: bool = False


class Walk(NamedTuple):
    """All pages of a query, each requested as the text says."""

    query: dict
    pages: list[Page]
    offsets: list[int]

    @property
    def records(self) -> Records:
        return Records(record for page in self.pages for record in page.records)

    @property
    def total(self) -> int:
        return self.pages[0].total_records

    @property
    def steps(self) -> list[tuple[int, Page]]:
        return list(zip(self.offsets, self.pages, strict=True))


class Reader:
    def __init__(self) -> None:
        self.pages: dict[bytes, Page] = {}  # what was read from each body
        self.wrong_types: dict[str, str] = {}  # fields of a response, with what was found instead
        self.bad_emails: list[str] = []
        self.moments: dict[str, datetime] = {}  # what each correct timestamp means

    def read(self, response) -> Page:
        """Return the page that a response contains."""
        if response.body not in self.pages:
            self.pages[response.body] = self._read(response.json)
        return self.pages[response.body]

    def _read(self, body: Any) -> Page:
        if not isinstance(body, dict):
            raise Unusable(f"the body of a response is not an object but {kind(body)}")
        if "message" in body and "records" not in body:
            return Page(Records(), 0, 0, False, True)
        pagination = self._field(body, "pagination", dict)
        return Page(
            Records(self._record(record) for record in self._field(body, "records", list)),
            self._field(pagination, "records_processed", int),
            self._field(pagination, "total_records", int),
            self._field(pagination, "has_more", bool),
        )

    def _field(self, of: dict, name: str, expected: type) -> Any:
        """Return a field's value. If only its type is wrong, note that and go on with what it seems to mean."""
        value = of.get(name)
        # 200.0 is an integer, as JSON Schema defines it.
        if type(value) is expected or (expected is int and type(value) is float and value == int(value)):
            return int(value) if expected is int else value
        self.wrong_types.setdefault(name, kind(value) if name in of else "missing")
        try:
            if expected is bool and value is not None:
                return str(value).lower() in ("true", "1", "yes")
            if expected is int:
                return int(value)
        except (TypeError, ValueError):
            pass
        raise Unusable(f"{name} is not {KINDS[expected]} but {self.wrong_types[name]}")

    def _record(self, fields: Any) -> Record:
        if not isinstance(fields, dict):
            raise Unusable(f"a record is not an object but {kind(fields)}")
        for name in ("email", "conversion_page", "previous_page"):
            if not isinstance(fields.get(name), str | None):
                self.wrong_types.setdefault(name, kind(fields[name]))
        email = fields.get("email")
        if isinstance(email, str) and email and "@" not in email:
            self.bad_emails.append(email)
        meta = fields.get("conversion_meta")
        if meta is not None and not isinstance(meta, dict):
            self.wrong_types.setdefault("conversion_meta", kind(meta))
        elif meta:
            for name in ("type", "id"):
                if not isinstance(meta.get(name), str | None):
                    self.wrong_types.setdefault(name, kind(meta[name]))
        timestamp = fields.get("timestamp")
        moment = self.moments.get(timestamp) if isinstance(timestamp, str) else None
        return Record(fields, moment or self._moment(timestamp))

    def _moment(self, value: Any) -> datetime:
        """Read a timestamp. A number of seconds is noted as a wrong type, and read all the same."""
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)
                if moment.tzinfo is None:
                    return self.moments.setdefault(value, moment.replace(tzinfo=UTC))
                if moment.utcoffset():
                    self.wrong_types.setdefault("timestamp", f"in another time zone: {value}")
                return moment.astimezone(UTC)
            self.wrong_types.setdefault("timestamp", "missing" if value is None else kind(value))
            if isinstance(value, int | float) and not isinstance(value, bool):
                return datetime.fromtimestamp(value / 1000 if value > 10**11 else value, UTC)
        except (ValueError, OverflowError, OSError):
            self.wrong_types.setdefault("timestamp", f"not ISO 8601 but {value}")
        raise Unusable(f"timestamp is not an ISO 8601 date-time but {self.wrong_types['timestamp']}")


KINDS = {dict: "an object", list: "a list", int: "an integer", bool: "true or false"}


def kind(value: Any) -> str:
    """Name the type of a JSON value, with the value if it is short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    name = {bool: "a boolean", int: "a number", float: "a number", str: "a string", type(None): "null"}[type(value)]
    return name if value is None else mask_emails(f"{name} ({json.dumps(value, ensure_ascii=False)[:60]})")
