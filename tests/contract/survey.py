"""What the kit finds out about a server's data before the checks: windows with enough data, session filters, walks, readings.

Results are remembered, including failures, so that no call is made twice.
"""

from collections import Counter
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from urllib.parse import parse_qs, urlsplit

import learn
import learn_pages  # noqa: F401 (registers what it learns)
import learn_sessions  # noqa: F401
import pytest
from client import Client, Exchange
from learn import once
from pages import Page, Walk
from records import DAY, HOUR, SECOND, Record, Records, Window, instant_of

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
LONGEST = 20 * 365 * DAY  # of a window


class Survey:
    def __init__(self, api: Client, named: list[str], dates: dict[str, str], other_key: str = "", over_limit_key: str = ""):
        self.api, self.dates = api, dates
        self.other_key, self.over_limit_key = other_key, over_limit_key
        self.known_data_key = ""
        self.broken = ""  # why only the first check makes sense
        self.named = [tuple(pair.split("=", 1)) for pair in named]  # the session filters that the caller gave
        self.known: dict[tuple, tuple] = {}
        self.reported: dict[str, str] = {}  # unusable responses, with the check that reported each
        self.wrong_types_reported: set[str] = set()
        self.shown_readings: dict[str, learn.Told] = {}
        self.told_by: dict[str, list[Exchange]] = {}  # the last requests that told each reading
        self.is_brief = api.max_calls < 150
        # Each walk through the direct window takes a call for every 50 conversions of it.
        self.most_conversions = 100 if self.is_brief else min(1000, 2 * api.max_calls)
        self.most_sessions = 450 if self.is_brief else 1100

    # Readings

    @once
    def told(self, name: str) -> learn.Told:
        """Return which of the readings of this name the server has. Skips the check that asks if that can't be told."""
        before = len(self.api.seen)
        told = learn.LEARN[name](self)
        if len(self.api.seen) == before:
            self.api.ask(self.window().query)  # a page that was read before
        self.told_by[name] = list(dict.fromkeys(self.api.seen[before:]))[-3:]
        return told

    def reading(self, name: str) -> str:
        """Return the server's reading of this name, or ours if it can't be told."""
        try:
            return self.told(name).value
        except pytest.skip.Exception:
            return learn.READINGS[name]["values"][0]

    # Time

    @once
    def clocks(self) -> list[Window]:
        """Return what the server's current time can be: the Date header says it, unless the server has a fixed clock.

        If the newest conversion of the default window is old, then the clock may be fixed between it and the one after it, or up to
        30 days after it.
        """
        date = self.api.clock({}).replace(microsecond=0)
        clocks = [Window(date, date)]
        newest = self.newest({})
        if newest is not None and newest < date - 2 * DAY:
            after = Window(newest + SECOND, min(newest + 30 * DAY, date)).query
            later = self.api.page(after)
            if later.total_records > 50:
                later = self.api.page(after | {"offset": later.total_records - 1})
            following = min((record.moment for record in later.records), default=min(newest + 30 * DAY, date))
            clocks.append(Window(newest, max(newest, following - SECOND)))
        return clocks

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
            return instant_of(self.dates["end_date"])
        newest = self.newest(self.dates)
        if newest is None:
            pytest.skip(
                f"there are no conversions in {self.dates or 'the last 30 days'}; --start-date and --end-date choose another window"
            )
        return min(newest, self.clocks()[0].start - HOUR).replace(microsecond=0)

    def start(self) -> datetime:
        """Return where the data to look at begins: 30 days before its end, if the caller does not say it."""
        return instant_of(self.dates["start_date"], whole_day=False) if "start_date" in self.dates else self.end() - 30 * DAY

    @once
    def month(self) -> Window:
        if self.start() > self.end():
            pytest.skip("there are no conversions that are older than an hour")
        return Window(self.start(), self.end())

    @once
    def window(self) -> Window:
        """Return the window of the direct queries: back to the oldest conversion that leaves enough calls."""
        query, most = self.month().query, self.most_conversions
        first = self.api.page(query)
        if not first.records:
            pytest.skip(f"there are no conversions from {query['start_date']} to {query['end_date']}")
        if first.total_records <= most:
            return self.month()
        is_oldest_first = first.records[0].moment < first.records[-1].moment
        oldest = self.api.page(query | {"offset": first.total_records - most if is_oldest_first else most - 1})
        start = min((record.moment for record in oldest.records[:1]), default=self.start())
        return Window(max(self.start(), start.replace(microsecond=0)), self.end())

    @once
    def wide_window(self) -> Window:
        """Return the window of the session queries: so long that the largest pool needs several pages, if there is enough data."""
        if "start_date" in self.dates:
            return self.month()
        total = max((size for _, _, size in self.sizes()), default=0)
        if not total or total >= self.most_sessions:
            return self.month()
        days = int(30 * self.most_sessions * 1.1 / total) + 1
        return Window(self.end() - min(timedelta(days=days), LONGEST), self.end())

    @once
    def direct(self) -> Walk:
        return self.api.walk(self.window().query)

    @once
    def halves(self) -> tuple[Window, Window, Window]:
        """Return a window with more than 1,000 conversions, if the data has that many, and its two halves."""
        total = self.api.page(self.month().query).total_records
        length = min(timedelta(days=int(max(61, 30 * 1100 / max(total, 1)))), LONGEST)
        start = self.start() if "start_date" in self.dates else self.end() - length
        middle = max(start + SECOND, self.end() - length / 2).replace(microsecond=0)
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
    def first_page(self, name: str, value: str) -> Page:
        return self.api.page(self.month().query | {name: value})

    @once
    def candidates(self, name: str) -> tuple[str, ...]:
        """Return values to try for a session filter: those that the caller gave, or else well-known ones and those seen in URLs."""
        if named := [value for other, value in self.named if other == name]:
            return tuple(named)
        records = self.direct().records
        if name == "landing_page":
            # Visitors without a previous page converted on the page on which they landed.
            entries = Counter(record.get("conversion_page") for record in records if not record.get("previous_page"))
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
        if name == "main":
            name = self.main_name()
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
        """Return all pages of a session query with one filter, in the wide window. "main" is the filter with the most sessions."""
        query = self.filter(name)
        walk = self.api.walk(self.wide_window().query | query)
        if not walk.records:
            pytest.skip(f"{query} finds no conversions in {self.wide_window().query}")
        return walk

    def walks(self, name: str) -> list[Walk]:
        """Return the direct walk, that of the largest session filter ("main"), or those of the others that find something."""
        if name != "others":
            return [self.direct() if name == "direct" else self.session_walk("main")]
        main = self.main_name()
        names = list(dict.fromkeys(other for other, _, _ in self.sizes() if other != main))
        if not names:
            pytest.skip("only one session filter is known that finds conversions; --session-filter 'NAME=VALUE' gives another")
        return [self.session_walk(other) for other in names]

    def window_of(self, walk: Walk) -> Window:
        return self.wide_window() if is_session_query(walk.query) else self.window()

    def parts_of(self, walk: Walk, name: str) -> list[Window]:
        """Return adjoining parts of a walk's window."""
        moments = [record.moment for record in walk.records]
        return self.window_of(walk).parts(moments, 2 if self.is_brief or name == "others" else 3)

    # Samples

    @once
    def sample(self) -> Record:
        """Return a conversion from the middle of the window, not at midnight, when a date is easy to get right."""
        records = self.direct().records
        half = len(records) // 2
        middle = records[half:] + records[:half][::-1]
        return next((record for record in middle if f"{record.moment:%X}" != "00:00:00"), middle[0])

    @once
    def pairs(self) -> list[tuple[Record, Record]]:
        """Return pairs of conversions, the earlier one first, that are of one visitor and most likely of one session."""
        of_visitor: dict[str, Records] = {}
        for record in self.session_walk("main").records:
            if isinstance(email := record.get("email"), str) and email:
                of_visitor.setdefault(email, Records()).append(record)
        pairs = []
        for records in of_visitor.values():
            records.sort(key=lambda record: record.moment)
            pairs += [pair for pair in pairwise(records) if pair[1].moment - pair[0].moment < HOUR]
        return pairs

    # Other readings of "timestamp" and of the window

    def is_shown(self) -> bool:
        """Return whether the window selects by the timestamps that the records show, as far as can be told."""
        return self.is_ours() or (self.reading("timestamp") == "session" and self.reading("window") == "session")

    def selects_by_what_it_shows(self, name: str) -> bool:
        """Return this for the direct query, or for the session queries."""
        return self.is_shown() if name == "direct" else self.is_exact()

    def is_ours(self) -> bool:
        return self.reading("timestamp") == "conversion" and self.reading("window") != "session"

    def is_exact(self) -> bool:
        """Return whether a session query finds exactly the conversions whose timestamps lie in the window, as far as can be told.

        That is not so with some readings of timestamp, window and pool: then a conversion counts by its session, which lies
        around it.
        """
        if not self.is_shown() or self.reading("window") == "associated":
            return False
        return self.reading("pool") != "started" or self.reading("window") == "session"

    def parts_add_up(self) -> bool:
        """Return whether each conversion that a session query finds is found by one part of its window, as far as can be told."""
        return self.reading("window") == "session" or (self.reading("window") == "conversion" and self.reading("pool") != "started")

    # Batches

    @once
    def sparse_walks(self) -> list[Walk]:
        """Return walks of the largest session filter with so few conversions that a page needs several batches."""
        walk = self.session_walk("main")
        if walk.total <= 2 * BATCH:
            return []
        wanted = walk.total / BATCH * 50 * 0.4
        counts = filters_of(walk.records)
        rare = min(counts, key=lambda pairs: (abs(counts[pairs] - wanted), pairs), default=None)
        return [self.api.walk(walk.query | dict(rare))] if rare else []


def filters_of(records: Records) -> Counter[tuple]:
    """Count what the conversion filters of these records, and their combinations, match."""
    names = [names for count in (1, 2, 3) for names in combinations(CONVERSION_FILTERS, count)]
    found = Counter(tuple((name, record.filters[name]) for name in of_names) for record in records for of_names in names)
    return Counter({pairs: count for pairs, count in found.items() if all(isinstance(value, str) for _, value in pairs)})


def is_session_query(query: dict) -> bool:
    return not query.keys().isdisjoint(SESSION_FILTERS)


def utm_values(url: str, parameter: str) -> list[str]:
    try:
        return parse_qs(urlsplit(url).query).get(parameter, [])
    except ValueError:
        return []
