"""Instants: whole seconds since 1970-01-01 00:00:00 UTC, parsed from the forms that a date may have. Decisions 9, 10.

The range of years is 1 to 9999. The pattern alone decides what is accepted, so the result is the same on every version of Python.
"""

import re
import time
from datetime import UTC, date, datetime
from typing import Literal

from app.strict_json import shown

DAY = 86_400
EARLIEST = -62_135_596_800  # 0001-01-01 00:00:00
LATEST = 253_402_300_799  # 9999-12-31 23:59:59

# 0001 to 9999
_YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
# 2024 and 2000, but not 2023 and 2100
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
# 07-31, 06-30 and 02-28, but not 06-31 and 02-29
_MONTH_AND_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = f"({_YEAR}-{_MONTH_AND_DAY}|{_LEAP_YEAR}-02-29)"
# 00:00 to 23:59
_MINUTE = "((?:[01][0-9]|2[0-3]):[0-5][0-9])"
# :00 to :60, and after it .5 or .123456; 60 is a leap second
_SECOND = r"(?::([0-5][0-9]|60)(\.[0-9]+)?)?"
# Z, +02:00, -0530, +02
_ZONE = "([Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"

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
    if not match:
        raise ValueError(
            f"{shown(text)} is not a valid date. Use YYYY-MM-DD, or an ISO 8601 date-time such as 2025-07-31T23:59:59Z."
        )
    day, minute, second, fraction, zone = match.groups(default="")
    midnight = (date.fromisoformat(day) - date(1970, 1, 1)).days * DAY
    if not minute:
        return midnight, midnight + DAY - 1

    ahead = _seconds(zone[1:]) if len(zone) > 1 else 0
    start = midnight + _seconds(minute) + (ahead if zone.startswith("-") else -ahead)
    if not second:
        return start, start + 59
    if second == "60":
        # A leap second ends a UTC day, and has no number of its own among the seconds since 1970.
        if start % DAY != DAY - 60:
            raise ValueError(f"{shown(text)} is not a valid date. Second 60 exists only at 23:59 UTC.")
        second = "59"
    last = start + int(second)
    return last + bool(fraction.strip(".0")), last


def parse(text: str, edge: Literal["start", "end"]) -> int:
    """Return the first (edge "start") or last (edge "end") whole second that the text names. Raises ValueError as span does."""
    first, last = span(text)
    return first if edge == "start" else last


def _seconds(minute: str) -> int:
    """Return the seconds of 05:30, 0530 or 05."""
    return int(minute[:2]) * 3600 + int(minute[-2:] if len(minute) > 2 else 0) * 60


class Clock:
    """Tells the time: the system's, or a fixed instant."""

    def __init__(self, setting: str = ""):
        """Raises ValueError if the setting is not empty and not a date."""
        self.setting = min(max(parse(setting, "start"), EARLIEST), LATEST) if setting else None
        self.instant = self.setting

    def __call__(self) -> int:
        return int(time.time()) if self.instant is None else self.instant

    def today(self) -> date:
        return datetime.fromtimestamp(self(), UTC).date()
