"""Instants: whole seconds since 1970-01-01 00:00:00 UTC, read from the two forms that a date may have. Decisions 9, 10.

The range of years is 1 to 9999. No datetime object takes part: what is accepted must not depend on the version of Python.
"""

import re
from datetime import date
from typing import Literal

DAY = 86_400
EARLIEST = -62_135_596_800  # 0001-01-01 00:00:00
LATEST = 253_402_300_799  # 9999-12-31 23:59:59

FORMS = "YYYY-MM-DD or an RFC 3339 date-time, for example 2025-07-31 or 2025-07-31T23:59:59Z"

_DATE = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
_TIME = r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)(?:\.(?P<fraction>[0-9]+))?"
_ZONE = r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<zone_hour>[01][0-9]|2[0-3]):(?P<zone_minute>[0-5][0-9]))"
PATTERN = re.compile(rf"{_DATE}(?:[Tt ]{_TIME}{_ZONE}?)?")


def parse(text: str, edge: Literal["start", "end"]) -> int:
    """The first (edge "start") or last (edge "end") whole second of what the text names.

    So a date alone is 00:00:00 or 23:59:59 of its day, and a fraction rounds into the window. Without an offset the time is UTC.
    An offset can lead out of the years 1 to 9999: such an instant is before EARLIEST or after LATEST.
    Raises ValueError with a sentence for people.
    """
    match = PATTERN.fullmatch(text)
    if not match:
        raise ValueError(f"Must be {FORMS}.")
    part = match.groupdict(default="0")
    try:
        midnight = (date(int(part["year"]), int(part["month"]), int(part["day"])) - date(1970, 1, 1)).days * DAY
    except ValueError:
        raise ValueError(f"There is no such day; must be {FORMS}.") from None
    if match["hour"] is None:
        return midnight if edge == "start" else midnight + DAY - 1

    offset = (int(part["zone_hour"]) * 60 + int(part["zone_minute"])) * 60
    seconds = midnight + (int(part["hour"]) * 60 + int(part["minute"])) * 60 - (-offset if part["sign"] == "-" else offset)
    if part["second"] == "60":
        # A leap second is inserted at the end of a UTC day, and has no number of its own among the seconds since 1970.
        if seconds % DAY != DAY - 60:
            raise ValueError("A second 60 is possible at 23:59 UTC alone.")
        seconds += 59
    else:
        seconds += int(part["second"])
    return seconds + 1 if edge == "start" and part["fraction"].strip("0") else seconds
