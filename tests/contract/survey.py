"""What the kit finds out about a server's data before the checks: windows with enough data, session filters, samples.

Results are remembered, including failures, so that no call is made twice.
"""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import wraps
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from client import Client, Unusable
from records import SECOND, Record, Records, Walk, Window, iso

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SESSION_FILTERS = ["source", "medium", "campaign", "content", "term", "landing_page"]
CONVERSION_FILTERS = ["conversion_page", "meta_type", "meta_id"]
BATCH = 200
# Values that many sites have, tried in turn. Those of campaign, content and term are from this project's demo account.
WELL_KNOWN = {
    "source": ["google.com", "(direct)", "facebook.com"],
    "medium": ["organic", "cpc", "(none)"],
    "campaign": ["brand-search"],
    "content": ["headline-a"],
    "term": ["attribution software"],
    "landing_page": [],
}
UTM = {"source": "utm_source", "medium": "utm_medium", "campaign": "utm_campaign", "content": "utm_content", "term": "utm_term"}
MOST_CANDIDATES = 3  # of one session filter


def once(method: Callable) -> Callable:
    """Remember what a method returns or raises, for each of its arguments."""

    @wraps(method)
    def remembered(self, *arguments):
        known = self.known
        place = (method.__name__, *arguments)
        if place not in known:
            try:
                known[place] = (method(self, *arguments), None)
            except (Unusable, pytest.skip.Exception) as fault:
                known[place] = (None, fault)
        value, fault = known[place]
        if fault:
            # Without the traceback, which would grow each time.
            raise fault.with_traceback(None) from None
        return value

    return remembered


class Survey:
    # Why the check of a session filter is left out. It does not count as not checked.
    ALREADY = "another check says the same"

    def __init__(self, api: Client, named: list[str], dates: dict[str, str], other_key: str = "", over_limit_key: str = ""):
        self.api, self.dates = api, dates
        self.other_key, self.over_limit_key = other_key, over_limit_key
        self.named = [tuple(pair.split("=", 1)) for pair in named]  # the session filters that the caller gave
        self.known: dict[tuple, tuple] = {}
        self.reported: dict[str, str] = {}  # unusable responses, with the check that reported each
        self.wrong_types_reported: set[str] = set()
        self.is_brief = api.max_calls < 150
        # Each walk through the direct window takes a call for every 50 conversions of it.
        self.most_conversions = 100 if self.is_brief else min(1000, 2 * api.max_calls)
        self.most_sessions = 450 if self.is_brief else 1100

    # Time

    @once
    def clock(self) -> tuple[datetime, datetime]:
        """Return the server's current time, as the earliest and the latest that it can be.

        That is the Date header, unless the newest conversion of the default window is much older: then the server's clock may be
        fixed, and now lies between that conversion and the one after it.
        """
        date = self.api.clock({})
        newest = self.newest({})
        if newest is None:
            return date, date
        if newest > date - 2 * DAY:
            return date, date
        after = Window(newest + SECOND, newest + DAY).query
        later = self.api.page(after)
        if later.total_records > 50:
            later = self.api.page(after | {"offset": later.total_records - 1})
        following = min((record.moment for record in later.records), default=newest + DAY)
        return newest, max(newest, following - SECOND)

    def newest(self, query: dict) -> datetime | None:
        """Return the newest timestamp that a direct query finds, whether its first page or its last has the newest conversions."""
        first = self.api.page(query)
        if not first.records:
            return None
        last = self.api.page(query | {"offset": first.total_records - 1}) if first.total_records > 1 else first
        return max(record.moment for record in first.records + last.records)

    @once
    def end(self) -> datetime:
        """Return the end of every window: an hour before now, so that conversions that are still coming in do not matter."""
        if "end_date" in self.dates:
            return end_of(self.dates["end_date"])
        newest = self.newest(self.dates)
        if newest is None:
            pytest.skip(
                f"there are no conversions in {self.dates or 'the last 30 days'}; --start-date and --end-date choose another window"
            )
        now, _ = self.clock()
        return min(newest, now - HOUR).replace(microsecond=0)

    def start_of_data(self) -> datetime | None:
        return end_of(self.dates["start_date"], whole_day=False) if "start_date" in self.dates else None

    @once
    def window(self) -> Window:
        """Return the window of the direct queries: back to the oldest conversion that leaves enough calls."""
        first = self.start_of_data() or self.end() - 30 * DAY
        query = Window(first, self.end()).query
        newest = self.api.page(query)
        if not newest.records:
            pytest.skip(f"there are no conversions from {query['start_date']} to {query['end_date']}")
        oldest = self.api.page(query | {"offset": max(0, min(newest.total_records, self.most_conversions) - 1)})
        moments = [record.moment for record in newest.records + oldest.records[:1]]
        return Window(min(moments).replace(microsecond=0), self.end())

    @once
    def wide_window(self) -> Window:
        """Return the window of the session queries: so long that the largest pool needs several pages, if there is enough data."""
        month = Window(self.start_of_data() or self.end() - 30 * DAY, self.end())
        if "start_date" in self.dates:
            return month
        total = max((size for _, _, size in self.sizes()), default=0)
        if not total or total >= self.most_sessions:
            return month
        days = min(30 * self.most_sessions * 1.1 / total, 20 * 365)
        return Window(self.end() - timedelta(days=int(days) + 1), self.end())

    @once
    def direct(self) -> Walk:
        return self.api.walk(self.window().query)

    @once
    def halves(self) -> tuple[Window, Window, Window]:
        """Return a window with more than 1,000 conversions, if the data has that many, and its two halves."""
        total = self.api.page(Window(self.end() - 30 * DAY, self.end()).query).total_records
        days = min(max(61, 30 * 1100 / max(total, 1)), 20 * 365)
        start, middle = self.start_of_data() or self.end() - timedelta(days=int(days)), self.end() - timedelta(days=int(days / 2))
        middle = max(start + SECOND, middle)
        return Window(start, self.end()), Window(start, middle - SECOND), Window(middle, self.end())

    # Session filters

    @once
    def sizes(self) -> list[tuple[str, str, int]]:
        """Return the session filters that match something in the last 30 days, with the number of sessions."""
        found = []
        for name in SESSION_FILTERS:
            for value in self.candidates(name):
                if (page := self.first_page(name, value)).records:
                    found.append((name, value, page.total_records))
                    if self.is_brief:
                        return found
        return found

    @once
    def first_page(self, name: str, value: str):
        month = Window(self.start_of_data() or self.end() - 30 * DAY, self.end())
        return self.api.page(month.query | {name: value})

    @once
    def candidates(self, name: str) -> tuple[str, ...]:
        """Return values to try for a session filter: those that the caller gave, or else well-known ones and those seen in URLs."""
        if named := [value for other, value in self.named if other == name]:
            return tuple(named)
        records = self.direct().records
        if name == "landing_page":
            # Visitors without a previous page converted on the page on which they landed.
            entries = Counter(record.get("conversion_page") for record in records if record.get("previous_page") is None)
            seen = Counter(record.get(field) for record in records for field in ("previous_page", "conversion_page"))
            values = [value for value, _ in entries.most_common(2) + seen.most_common(2)]
        else:
            urls = {record.get(field) for record in records for field in ("conversion_page", "previous_page")}
            found = Counter(value for url in urls if isinstance(url, str) for value in utm_values(url, UTM[name]))
            values = [value for value, _ in found.most_common(1)]
        values = [*WELL_KNOWN[name], *(value for value in values if isinstance(value, str) and value)]
        return tuple(dict.fromkeys(values))[:MOST_CANDIDATES]

    @once
    def filter(self, name: str) -> dict[str, str]:
        """Return the session filter of this name with the value that matches the most."""
        values, found = self.candidates(name), []
        for value in values:
            if (page := self.first_page(name, value)).records:
                found.append((page.total_records, value))
                if self.is_brief:
                    break
        if not found:
            tried = f" (tried: {', '.join(values)})" if values else ""
            pytest.skip(f"no value of {name} is known that finds conversions{tried}; --session-filter '{name}=VALUE' gives one")
        # Compare only the sizes: of equal ones, the first counts.
        return {name: max(found, key=lambda pair: pair[0])[1]}

    @once
    def main_name(self) -> str:
        """Return the session filter with the largest pool."""
        found = self.sizes()
        if not found:
            pytest.skip("no session filter is known that finds conversions; --session-filter 'NAME=VALUE' gives one")
        return max(found, key=lambda size: size[2])[0]

    @once
    def session_walk(self, name: str) -> Walk:
        """Return all pages of a session query with one filter, in the wide window."""
        query = self.filter_of(name)
        walk = self.api.walk(self.wide_window().query | query)
        if not walk.records:
            pytest.skip(f"{query} finds no conversions in {self.wide_window().query}")
        return walk

    def walk(self, name: str) -> Walk:
        """Return the direct walk, or that of a session filter. "main" is the one with the most sessions."""
        if name in SESSION_FILTERS and name == self.main_name():
            pytest.skip(self.ALREADY)
        return self.direct() if name == "direct" else self.session_walk(name)

    def filter_of(self, name: str) -> dict[str, str]:
        return self.filter(self.main_name() if name == "main" else name)

    # Samples

    @once
    def sample(self) -> Record:
        """Return a conversion from the middle of the window, not at midnight, when a date is easy to get right."""
        return next((record for record in self.middle() if f"{record.moment:%X}" != "00:00:00"), self.middle()[0])

    @once
    def middle(self) -> Records:
        records = self.direct().records
        half = len(records) // 2
        return Records(records[half:] + records[:half][::-1])

    @once
    def near_midnight(self) -> Record:
        """Return the conversion closest to midnight, which reveals a date in local time; inside full days if possible."""
        window = self.window()
        full = Window(window.start + DAY, window.end - DAY)
        inside = self.direct().records.where(full.has) or self.direct().records

        def distance(record: Record) -> timedelta:
            since = record.moment - datetime.combine(record.moment, time(), UTC)
            return min(since, DAY - since)

        return min(inside, key=distance)

    @once
    def facts(self) -> dict[str, Any]:
        """Return the values that the cases can name with a dollar sign."""
        window, sample = self.window(), self.sample()
        moment, day = sample.moment.replace(microsecond=0), f"{self.near_midnight().moment:%Y-%m-%d}"
        shown = moment.strftime
        return {
            "start": iso(window.start),
            "end": iso(window.end),
            "thirty_days_before_instant": iso(moment - 30 * DAY),
            "instant": iso(moment),
            "instant_at_plus_2": f"{moment + 2 * HOUR:%Y-%m-%dT%X}+02:00",
            "instant_at_plus_2_without_colon": f"{moment + 2 * HOUR:%Y-%m-%dT%X}+0200",
            "instant_at_plus_2_hours": f"{moment + 2 * HOUR:%Y-%m-%dT%X}+02",
            "instant_at_minus_5_30": f"{moment - 5 * HOUR - HOUR / 2:%Y-%m-%dT%X}-05:30",
            "minute": shown("%Y-%m-%dT%H:%M"),
            "timestamp": str(sample.get("timestamp")),
            "day": day,
            "bare_instant": iso(moment)[:-1],
            "bare_second_before": iso(moment - SECOND)[:-1],
            "second_after": iso(moment + SECOND),
        } | {name: str(value) for name, value in sample.filters.items()}

    # Other readings of "timestamp" and of the window

    @once
    def slack(self, name: str) -> timedelta:
        """Return how far from a window's ends it is uncertain which conversions belong to it.

        That is 0 if the window selects by the timestamps that the records show. The text also allows that either of the two is the
        session's start ("When the session started"); then a record can lie outside the window by the length of a session.
        """
        if name not in ("direct", "main"):
            return self.slack("main")
        walk = self.walk(name)
        query = {key: value for key, value in walk.query.items() if key not in ("start_date", "end_date")}
        records = walk.records
        samples = (1,) if self.is_brief else (1, 3, 5) if name == "direct" else (1, 3)
        moments: list[datetime | None] = []
        for record in [records[len(records) * n // 6] for n in samples]:
            start, end = whole_seconds(record)
            if not any(self._finds(query, record, start - by, end + by) for by in (0 * SECOND, SECOND)):
                moments.append(self._moment_that_counts(query, record))
                # A whole minute can be a coincidence, or a server that ignores seconds. The next record decides.
                if moments[-1] is None or moments[-1].second or len(moments) == 2:
                    break
        is_rounded = all(moment is None or not moment.second for moment in moments)
        return 0 * DAY if is_rounded and len(moments) != 1 else DAY if moments and moments[0] else 0 * DAY

    def _finds(self, query: dict, record: Record, start: datetime, end: datetime) -> bool:
        page = self.api.page(query | Window(start, end).query)
        return record in page.records or (page.has_more and record in self.api.walk(query | Window(start, end).query).records)

    def _moment_that_counts(self, query: dict, record: Record) -> datetime | None:
        """Return the moment by which the window selects a record that shows another moment, if the text can be read like that.

        A difference of whole quarters of an hour is a wrong time zone, and midnight is a date in place of a date-time.
        """
        start, end = whole_seconds(record)
        if self._finds(query, record, start - DAY, end):
            near, far, step = 0, -86_400, -1
        elif self._finds(query, record, start, end + DAY):
            near, far, step = 0, 86_400, 1
        else:
            return None
        # Find the nearest second that the window must include.
        while abs(far - near) > 1:
            middle = (near + far) // 2
            reach = timedelta(seconds=middle)
            if self._finds(query, record, start + min(reach, 0 * SECOND), end + max(reach, 0 * SECOND)):
                far = middle
            else:
                near = middle
        moment = (start if step < 0 else end) + timedelta(seconds=far)
        if far % 900 == 0 or f"{moment:%X}" in ("00:00:00", "23:59:59"):
            return None
        return moment


def whole_seconds(record: Record) -> tuple[datetime, datetime]:
    """Return the seconds around a record's moment; both are the moment if it has no fraction."""
    start = record.moment.replace(microsecond=0)
    return start, start if start == record.moment else start + SECOND


def utm_values(url: str, parameter: str) -> list[str]:
    try:
        return parse_qs(urlsplit(url).query).get(parameter, [])
    except ValueError:
        return []


def end_of(text: str, whole_day: bool = True) -> datetime:
    """Read --start-date or --end-date."""
    moment = datetime.fromisoformat(text)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        moment = datetime.combine(moment, time(23, 59, 59) if whole_day else time())
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)
