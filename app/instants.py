"""Instants: whole seconds since 1970-01-01 00:00:00 UTC, parsed from the forms that a date may have. Decisions 9, 10.

The range of years is 1 to 9999. A pattern decides which forms are accepted, so the result is the same on every version of Python.
"""

import re
import time
from datetime import UTC, date, datetime, timedelta

from .strict_json import shown

DAY = 86_400
EARLIEST = -62_135_596_800  # 0001-01-01 00:00:00
LATEST = 253_402_300_799  # 9999-12-31 23:59:59

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Only the form: datetime.fromisoformat() decides which days exist.
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
# 00:00 to 23:59
_MINUTE = "((?:[01][0-9]|2[0-3]):[0-5][0-9])"
# :00 to :60, and after it .5 or .123456; 60 is a leap second
_SECOND = r"(?::([0-5][0-9]|60)(\.[0-9]+)?)?"
# Z, +02:00, -0530, +02
_ZONE = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"

PATTERN = re.compile(f"{_DATE}(?:[Tt ]{_MINUTE}{_SECOND}{_ZONE})?")


def span(text: str) -> tuple[int, int]:
    """Return the first and the last whole second that the text names.

    2025-07-01                 00:00:00 and 23:59:59 of that day
    2025-07-01T10:30           10:30:00 and 10:30:59
    2025-07-01T10:30:15        10:30:15 and 10:30:15
    2025-07-01 10:30:15.5Z     10:30:16 and 10:30:15: a fraction rounds up at the start of a window and down at its end

    A time without an offset is UTC. An offset can lead outside the years 1 to 9999, so that the result is before EARLIEST or after
    LATEST. Raises ValueError with a sentence that shows the text.
    """
    match = PATTERN.fullmatch(text)
    try:
        moment = datetime.fromisoformat(text.upper().replace(":60", ":59") if match else "")
    except ValueError:
        raise ValueError(
            f"{shown(text)} is not a valid date. Use YYYY-MM-DD, or an ISO 8601 date-time such as 2025-07-31T23:59:59Z."
        ) from None
    minute, second, fraction = match.groups(default="") if match else ("", "", "")
    start = (moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH) // timedelta(seconds=1)
    if not second:
        return start, start + (59 if minute else DAY - 1)
    # A leap second ends a UTC day, and has no number of its own among the seconds since 1970.
    if second == "60" and start % DAY != DAY - 1:
        raise ValueError(f"{shown(text)} is not a valid date. Second 60 exists only at 23:59 UTC.")
    return start + bool(fraction.strip(".0")), start


def instant(text: str) -> int | None:
    """Return the first second that the text names, within the years 1 to 9999; None for an empty text. Raises ValueError."""
    return min(max(span(text)[0], EARLIEST), LATEST) if text else None


class Clock:
    """Tells the time: the system's, or a fixed instant."""

    def __init__(self, setting: int | None = None):
        self.setting = self.instant = setting

    def __call__(self) -> int:
        return int(time.time()) if self.instant is None else self.instant

    def today(self) -> date:
        return datetime.fromtimestamp(self(), UTC).date()
