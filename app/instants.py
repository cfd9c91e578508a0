"""Instants: whole seconds since 1970-01-01 00:00:00 UTC, read from the two forms that a date may have. Decisions 9, 10.

The range of years is 1 to 9999. The pattern alone decides what is accepted, so that it is the same on every version of Python.
"""

import re
import time
from datetime import UTC, date, datetime
from typing import Literal

DAY = 86_400
EARLIEST = -62_135_596_800  # 0001-01-01 00:00:00
LATEST = 253_402_300_799  # 9999-12-31 23:59:59

FORMS = "Must be a day that exists, as YYYY-MM-DD, or an RFC 3339 date-time, for example 2025-07-31T23:59:59Z."

_YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_MONTH_AND_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = f"({_YEAR}-{_MONTH_AND_DAY}|{_LEAP_YEAR}-02-29)"
_MINUTE = "((?:[01][0-9]|2[0-3]):[0-5][0-9])"
_FRACTION = r"(\.[0-9]+)?"
_ZONE = "([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"

PATTERN = re.compile(f"{_DATE}(?:[Tt ]{_MINUTE}:([0-5][0-9]|60){_FRACTION}{_ZONE})?")

# The same for contracts, whose patterns cannot compute: of the leap seconds, those that are written in UTC.
PUBLISHED_PATTERN = f"^{_DATE}(?:[Tt ](?:{_MINUTE}:[0-5][0-9]{_FRACTION}{_ZONE}|23:59:60{_FRACTION}(?:[Zz]|[+-]00:00)?))?$"


def parse(text: str, edge: Literal["start", "end"]) -> int:
    """The first (edge "start") or last (edge "end") whole second of what the text names.

    So a date alone is 00:00:00 or 23:59:59 of its day, and a fraction rounds into the window. Without an offset the time is UTC.
    An offset can lead out of the years 1 to 9999: such an instant is before EARLIEST or after LATEST.
    Raises ValueError with a sentence for people.
    """
    match = PATTERN.fullmatch(text)
    if not match:
        raise ValueError(FORMS)
    day, minute, second, fraction, zone = match.groups(default="")
    midnight = (date.fromisoformat(day) - date(1970, 1, 1)).days * DAY
    if not minute:
        return midnight if edge == "start" else midnight + DAY - 1

    ahead = _seconds(zone[1:]) if len(zone) > 1 else 0
    seconds = midnight + _seconds(minute) + (ahead if zone.startswith("-") else -ahead)
    if second == "60":
        # A leap second ends a UTC day, and has no number of its own among the seconds since 1970.
        if seconds % DAY != DAY - 60:
            raise ValueError("A second 60 is possible at 23:59 UTC alone.")
        second = "59"
    seconds += int(second)
    return seconds + 1 if edge == "start" and fraction.strip(".0") else seconds


def _seconds(minute: str) -> int:
    hours, minutes = minute.split(":")
    return int(hours) * 3600 + int(minutes) * 60


class Clock:
    """Tells the time: the system's, or an instant at which it stands still."""

    def __init__(self, setting: str = ""):
        """Raises ValueError where the setting, an instant, is none."""
        self.setting = min(max(parse(setting, "start"), EARLIEST), LATEST) if setting else None
        self.instant = self.setting

    def __call__(self) -> int:
        return int(time.time()) if self.instant is None else self.instant

    def today(self) -> date:
        return datetime.fromtimestamp(self(), UTC).date()
