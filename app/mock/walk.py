"""One walk of a client through the pages of a query, and the verdict on it. Decisions 54, 55, 77.

A walk is a series of requests of one account with the same query, which is the body without its offset. A page covers the positions
from its offset to its records_processed. The faults of a walk are:

    repeats       a page covers positions that another page covers, and it is not the same request again
    gaps          no page covers positions below the highest one reached
    past_the_end  more than one request at or beyond total_records

A false alarm is worse than a miss: if it is not certain that a client is wrong, nothing is said.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from ..strategies import BATCH_SIZE, PAGE_SIZE

MOST_PAGES = 2_000  # of a walk that are listed

UNITS = {"direct": "conversions", "session": "sessions"}
RIGHT = {
    "direct": "In a direct query add 50 to offset, or set it to records_processed",
    "session": "In a session query set offset to records_processed",
}

ADD_PROCESSED = "add records_processed instead of replacing the offset"

# How a client can compute its next offset from a page.
HABITS = {
    "add 50": lambda page: page.offset + PAGE_SIZE,
    "add the number of records": lambda page: page.offset + page.records,
    ADD_PROCESSED: lambda page: page.offset + page.records_processed,
    "step by 200": lambda page: page.offset + BATCH_SIZE,
    "add 1 to records_processed": lambda page: page.records_processed + 1,
}

# A direct query's pages can be fetched in any order, so a skipped one is no proof. Two that one habit explains are.
LEAPS = 2


class WalkedPage(NamedTuple):
    offset: int
    records_processed: int
    records: int


# A set of positions is a whole number with a bit for each: | adds positions, & finds common ones, & ~ takes some away.


def positions(start: int, end: int) -> int:
    """Return the set of the positions from start to just before end."""
    return (1 << end) - (1 << start) if start < end else 0


def ranges(found: int) -> list[list[int]]:
    """Return a set of positions as half-open ranges [start, end), in order."""
    return [[*run.span()] for run in re.finditer("1+", f"{found:b}"[::-1])]


class Name(NamedTuple):
    """What the requests of a walk have in common."""

    domain: str
    query: frozenset  # of the items of the body without its offset
    is_of_explorer: bool


@dataclass(eq=False)
class Walk:
    """One walk. Its positions are those of one state of the data: another total_records is another walk."""

    number: int
    name: Name
    query: dict
    strategy: str
    total_records: int
    of_query: list["Walk"]  # the walks of this query, this one too
    needed: int  # positions: all, but with the reading has-more=conversions none after the last conversion
    first_offset: int  # above 0, for example, if the server was restarted and sees only the rest of a walk
    latest_page: int = 0  # among all pages of the record
    pages: deque[WalkedPage] = field(default_factory=lambda: deque(maxlen=MOST_PAGES))
    starts: dict[int, int] = field(default_factory=dict)  # the pages' offsets, each with its page's records_processed
    ends: set[int] = field(default_factory=set)  # all of the latter
    covered: int = 0  # a set of positions, like the next one
    repeated: int = 0
    past_the_end: int = 0
    last_past_the_end: int | None = None
    has_retried_past_the_end: bool = False
    habits: list[str] = field(default_factory=lambda: list(HABITS))  # those that explain every step so far
    leaps: int = 0  # steps to an offset beyond everything before
    warning: str = ""  # the first one, and the offset that it expected
    expected_offset: int | None = None
    is_continuation: bool = False  # of a walk through other data
    is_continued: bool = False

    @property
    def is_past_the_end(self) -> bool:
        """True if it went there more than once. Loops that stop at an empty page go there once."""
        return self.past_the_end > 1 and self.first_offset == 0

    @property
    def reached(self) -> int:
        return self.total_records if self.past_the_end else self.covered.bit_length()

    @property
    def is_finished(self) -> bool:
        return self.covered.bit_length() >= self.needed

    @property
    def progress(self) -> str:
        return f"{self.covered.bit_count()} of {self.total_records} {UNITS[self.strategy]}"

    def has_been_at(self, offset: int) -> bool:
        """Tell whether a page of the walk began or ended there."""
        return offset in self.starts or offset in self.ends

    def missing(self, start: int = 0) -> int:
        """Return the positions from there on that no page covers, of those that are needed."""
        return positions(start, self.needed) & ~self.covered

    def add(self, page: WalkedPage, has_more: bool) -> str:
        """Add a page. Returns a warning if it is a wrong one, and certainly of this walk.

        A client that pages correctly asks only for an offset at which one of its own pages ended, or for its last offset again. So
        it is certainly wrong if no page explains the offset. If one does, two clients may have been mistaken for each other.
        """
        offset, end, _ = page
        others = [walk for walk in self.of_query if walk is not self and walk.total_records == self.total_records]
        is_certain = offset not in self.ends or all(other.is_finished for other in others)
        before = self.pages[-1] if self.pages else page
        if offset != before.offset:
            self.habits = [habit for habit in self.habits if HABITS[habit](before) == offset]
        # Before past_the_end changes, which moves what is reached.
        is_leap = bool(self.pages) and self.reached < min(offset, self.total_records)
        self.leaps += is_leap
        if offset and offset >= self.total_records:
            if offset == self.last_past_the_end and not self.has_retried_past_the_end:
                self.has_retried_past_the_end = True
            else:
                self.past_the_end += 1
                self.last_past_the_end = offset

        on_page = positions(offset, min(end, self.total_records))  # with the reading last-offset=plus-50 it can end after that
        repeats = 0 if offset in self.starts else on_page & self.covered
        self.repeated |= repeats
        self.covered |= on_page
        self.pages.append(page)
        if offset <= self.total_records:
            self.starts[offset] = end
            self.ends.add(end)
        if not has_more:
            self.needed = min(self.needed, end)
        skips = is_leap and (self.strategy == "session" or (self.habits == [ADD_PROCESSED] and self.leaps >= LEAPS))
        if not is_certain or not (repeats or (skips and self.gaps)):
            return ""
        expected = before.records_processed
        is_expected = offset == expected
        why = (
            f"earlier pages already went up to {repeats.bit_length()}" if is_expected else f"the previous page ended at {expected}"
        )
        warning = f"offset {offset} was requested, but {why}{self._guess}. {RIGHT[self.strategy]}, {expected}."
        if not self.warning:
            self.warning, self.expected_offset = warning, expected
        return warning

    @property
    def _guess(self) -> str:
        return f": the client seems to {' or to '.join(self.habits)}" if self.habits else ""

    @property
    def gaps(self) -> int:
        """The positions that it skipped for certain."""
        gaps = positions(self.first_offset, self.reached) & ~self.covered
        if self.strategy == "session":
            return gaps
        # Pages come in any order here, and other clients' pages with them.
        is_certain = self.leaps >= LEAPS or (self.leaps and self.past_the_end)
        if not is_certain or not self.habits or self.first_offset:
            return 0
        for walk in self.of_query:
            gaps &= ~walk.covered
        return gaps

    def verdict(self) -> dict:
        """Describe the walk."""
        gaps = self.gaps
        faults = {"repeats": self.repeated, "gaps": gaps, "past_the_end": self.is_past_the_end}
        return {
            "number": self.number,
            "domain": self.name.domain,
            "query": self.query,
            "strategy": self.strategy,
            "total_records": self.total_records,
            "pages": [page._asdict() for page in self.pages],
            "complete": not self.missing(),
            "faults": [fault for fault, is_there in faults.items() if is_there],
            "repeats": ranges(self.repeated),
            "gaps": ranges(gaps),
            "past_the_end": self.past_the_end,
            "expected_offset": self.expected_offset,
            "message": self._message(gaps),
        }

    @property
    def is_unfinished(self) -> bool:
        """True if it stopped early, and not because it was continued or its first request was sent again."""
        if self.is_continued or not self.missing(self.first_offset):
            return False
        later = [other for other in self.of_query if other.number > self.number and other.total_records == self.total_records]
        return len(self.pages) > 1 or not any(other.first_offset == 0 and other.is_finished for other in later)

    def _message(self, gaps: int) -> str:
        total, right = f"{self.total_records} {UNITS[self.strategy]}", RIGHT[self.strategy]
        said = [self.warning] if self.warning else []
        if self.repeated and not self.warning:
            said.append(f"Returned more than once: {self.repeated.bit_count()} of {total}. {right}.")
        if gaps and not self.warning:
            said.append(f"Skipped: {gaps.bit_count()} of {total}{self._guess}. {right}.")
        if self.is_past_the_end:
            said.append(
                f"{self.past_the_end} requests were at or beyond total_records, {self.total_records}. Stop when has_more is false."
            )
        if not said and not self.missing():
            return f"All {total}."
        return " ".join(said) or f"Unfinished, which is not a fault: {self.progress}."


def find_walk(of_query: list[Walk], total_records: int, page: WalkedPage) -> Walk | None:
    """Return the walk of a query that a page belongs to, or None if it begins a new one."""
    offset, end, _ = page
    if offset == 0:
        return None
    # A retry of a last request: walks without one are left for the last requests of other clients.
    for walk in of_query:
        if walk.total_records == total_records and walk.last_past_the_end == offset and not walk.has_retried_past_the_end:
            return walk
    same_data = [walk for walk in reversed(of_query) if walk.total_records == total_records]  # newest first
    for walk in same_data:
        if offset in walk.ends and offset not in walk.starts and not (walk.past_the_end and offset == total_records):
            return walk
    retried = next((walk for walk in same_data if offset in walk.starts), None)
    if retried and offset < total_records:
        # The same request with another end: the data has changed.
        return retried if retried.starts[offset] == end else None
    is_direct = of_query and of_query[0].strategy == "direct"
    if offset == total_records or (is_direct and offset > total_records):
        # How clients end that stop at an empty page: one request each, and perhaps its retry. After a change of the data, one may
        # still go by the old total.
        possible = same_data if len(same_data) == len(of_query) else [walk for walk in same_data if walk.first_offset]
        finished = [walk for walk in possible if walk.is_finished and not walk.past_the_end]
        fresh = [walk for walk in possible if not walk.past_the_end]
        return next(iter(finished + fresh + possible), None)
    if not same_data or any(walk.has_been_at(offset) for walk in of_query if walk.total_records != total_records):
        return None  # the data has changed since the page before, or the server was restarted
    newest = same_data[0]
    if is_direct:
        # After a change of the data, a client that adds 50 goes on beside one that goes by records_processed.
        may_be_right = len(same_data) < len(of_query) and offset % PAGE_SIZE == 0
    else:
        may_be_right = offset % BATCH_SIZE == 0 and newest.first_offset > 0
    return None if may_be_right else newest
