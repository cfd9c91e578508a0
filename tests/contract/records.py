"""What a server returned, as values that can be compared: records and windows of time."""

import json
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Any, NamedTuple

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
FIELDS = ("email", "timestamp", "conversion_page", "previous_page")  # and conversion_meta


def iso(moment: datetime) -> str:
    """Write a moment in the form of the published examples: 2025-07-01T23:59:59Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant_of(text: str, whole_day: bool = True) -> datetime:
    """Read --start-date or --end-date. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        moment = datetime.combine(moment, time(23, 59, 59) if whole_day else time())
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def whole_seconds(record: "Record") -> "Window":
    """Return the seconds around a record's moment; both are the moment if it has no fraction."""
    start = record.moment.replace(microsecond=0)
    return Window(start, start if start == record.moment else start + SECOND)


def mask_emails(text: str) -> str:
    """Leave only the first letter of each email address; reports are passed on."""
    return re.sub(r"([\w+-])[\w.+-]*@[\w.-]+", r"\1***@***", text)


def identity_of(fields: dict) -> Hashable:
    """Return what makes two records equal: the fields that the text names."""
    meta = fields.get("conversion_meta")
    values = (*map(fields.get, FIELDS), *((meta.get("type"), meta.get("id")) if isinstance(meta, dict) else (meta,)))
    try:
        hash(values)
        return values
    except TypeError:  # a value is a list or an object
        return json.dumps(values, sort_keys=True)


class Record(dict):
    """A conversion as the server returned it. Fields that the text does not name do not count in comparisons."""

    moment: datetime

    def __init__(self, fields: dict, moment: datetime):
        super().__init__(fields)
        self.moment = moment
        self.identity = identity_of(fields)
        self.hash = hash(self.identity)

    def __hash__(self):
        return self.hash

    def __eq__(self, other):
        return self.identity == other.identity

    @cached_property
    def filters(self) -> dict[str, Any]:
        """Return the conversion filters that find this record."""
        meta = self.get("conversion_meta")
        meta = meta if isinstance(meta, dict) else {}
        return {"conversion_page": self.get("conversion_page"), "meta_type": meta.get("type"), "meta_id": meta.get("id")}

    def matches(self, filters: dict) -> bool:
        return filters.items() <= self.filters.items()

    def __str__(self):
        shown = [self.get("timestamp"), self.get("email"), *self.filters.values()]
        return mask_emails(" ".join(str(value) for value in shown if value is not None))


class Records(list[Record]):
    """Conversions as a multiset: different conversions can look the same."""

    def where(self, condition: Callable[[Record], bool]) -> "Records":
        return Records(record for record in self if condition(record))

    def minus(self, other: Iterable[Record]) -> "Records":
        return Records((Counter(self) - Counter(other)).elements())

    def common(self, other: Iterable[Record]) -> "Records":
        return Records((Counter(self) & Counter(other)).elements())

    def unambiguous(self) -> "Records":
        """Leave out the records that look like another one."""
        counts = Counter(self)
        return self.where(lambda record: counts[record] == 1)

    def __str__(self):
        more = f" and {len(self) - 3} more" if len(self) > 3 else ""
        return "; ".join(map(str, self[:3])) + more


class Window(NamedTuple):
    """A period of time that includes both its ends."""

    start: datetime
    end: datetime

    @property
    def query(self) -> dict[str, str]:
        return {"start_date": iso(self.start), "end_date": iso(self.end)}

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def has(self, record: Record) -> bool:
        return self.start <= record.moment <= self.end

    def parts(self, moments: list[datetime], count: int) -> "list[Window]":
        """Divide the window into adjoining windows, each with about the same number of the moments."""
        moments = sorted(moments)
        cuts = {moments[len(moments) * n // count].replace(microsecond=0) for n in range(1, count)} - {self.start}
        # With fractions of a second, no conversion may lie between two parts.
        fractions = {moment.replace(microsecond=0) + SECOND for moment in moments if moment.microsecond}
        cuts = sorted(cut for cut in cuts - fractions if self.start < cut <= self.end)
        return [Window(*ends) for ends in zip([self.start, *cuts], [*(cut - SECOND for cut in cuts), self.end], strict=True)]
