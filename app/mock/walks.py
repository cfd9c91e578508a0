"""Walks: does a client page correctly? The record of the requests that page through a query, and the verdict. Decisions 54 to 56.

A walk is a series of requests of one account with the same query, which is the body without its offset. A page covers the positions
from its offset to its records_processed. The faults of a walk are:

    repeats       a page covers positions that another page covers, and it is not the same request again
    gaps          no page covers positions below the highest one reached
    past_the_end  more than one request at or beyond total_records

A false alarm is worse than a miss: if it is not certain that a client is wrong, nothing is said.
"""

from collections import OrderedDict, deque
from http import HTTPStatus
from threading import Lock
from typing import NamedTuple

from flask import Blueprint, Response, current_app, g, request

from ..strategies import BATCH_SIZE, PAGE_SIZE
from . import requests
from .ranges import Ranges

MOST_WALKS = 200
MOST_PAGES = 2_000  # of a walk

UNITS = {"direct": "conversions", "session": "sessions"}
RIGHT = {
    "direct": "In a direct query add 50 to offset, or set it to records_processed",
    "session": "In a session query set offset to records_processed",
}

# How a client can compute its next offset from a page.
HABITS = {
    "add 50": lambda page: page.offset + PAGE_SIZE,
    "add the number of records": lambda page: page.offset + page.records,
    "add records_processed instead of replacing the offset": lambda page: page.offset + page.records_processed,
    "step by 200": lambda page: page.offset + BATCH_SIZE,
}

bp = Blueprint("walks", __name__)
bp.before_request(requests.refuse_several_processes)


class WalkedPage(NamedTuple):
    offset: int
    records_processed: int
    records: int


class Walk:
    """One walk. Its positions are those of one state of the data: another total_records is another walk."""

    def __init__(self, number: int, name: tuple, domain: str, query: dict, strategy: str, total_records: int):
        self.number, self.name, self.domain, self.query = number, name, domain, query
        self.strategy, self.total_records = strategy, total_records
        self.needed = total_records  # positions; with the reading has-more=conversions, none after the last conversion
        self.pages: deque[WalkedPage] = deque()
        self.starts: dict[int, int] = {}  # the pages' offsets, each with its page's records_processed
        self.ends: set[int] = set()
        self.covered, self.repeated = Ranges(), Ranges()
        self.reached = 0
        self.past_the_end = 0
        self.last_past_the_end: int | None = None
        self.has_retried_past_the_end = False
        self.habits = list(HABITS)  # those that explain every step so far
        self.first_offset = 0
        self.has_forgotten_pages = False
        self.warning = ""  # the first one

    @property
    def is_of_explorer(self) -> bool:
        return self.name[-1]

    @property
    def is_whole(self) -> bool:
        """True if every page of it is known. A server that was restarted sees only the rest of a walk."""
        return self.first_offset == 0 and not self.has_forgotten_pages

    @property
    def is_past_the_end(self) -> bool:
        """True if it went there more than once. Loops that stop at an empty page go there once."""
        return self.past_the_end > 1 and self.first_offset == 0

    @property
    def is_finished(self) -> bool:
        return self.covered.end >= self.needed

    @property
    def is_complete(self) -> bool:
        return not self.covered.missing(0, self.needed)

    def add(self, page: WalkedPage, has_more: bool) -> str:
        """Add a page. Returns a warning if it repeats positions, or if in a session query it leaves a gap."""
        offset, end, _ = page
        before = self.pages[-1] if self.pages else None
        if before is None:
            self.first_offset = offset
        elif offset != before.offset:
            self.habits = [habit for habit in self.habits if HABITS[habit](before) == offset]
        if offset and offset >= self.total_records:
            if offset == self.last_past_the_end and not self.has_retried_past_the_end:
                self.has_retried_past_the_end = True
            else:
                self.past_the_end += 1
                self.last_past_the_end = offset

        is_retry = offset in self.starts
        repeats = [] if is_retry else self.covered.within(offset, end)
        leaves_gap = self.strategy == "session" and before is not None and offset > self.reached < self.total_records
        for positions in repeats:
            self.repeated.add(*positions)
        self._keep(page)
        if not has_more:
            self.needed = min(self.needed, end)
        if before is None or not (repeats or leaves_gap):
            return ""
        if offset == before.records_processed:
            fault = f"offset {offset} was requested, but earlier pages already went up to {repeats[-1][1]}"
        else:
            fault = f"offset {offset} was requested, but the previous page ended at {before.records_processed}"
        return f"{fault}{self._guess()}. {RIGHT[self.strategy]}, {before.records_processed}."

    def _keep(self, page: WalkedPage) -> None:
        if len(self.pages) == MOST_PAGES:
            oldest = self.pages.popleft()
            self.starts.pop(oldest.offset, None)
            self.ends.discard(oldest.records_processed)
            self.has_forgotten_pages = True
        self.pages.append(page)
        end = min(page.records_processed, self.total_records)  # with the reading last-offset=plus-50 it can be beyond the total
        self.reached = max(self.reached, min(page.offset, self.total_records), end)
        if page.offset <= self.total_records:
            self.starts[page.offset] = page.records_processed
            self.ends.add(page.records_processed)
            self.covered.add(page.offset, end)

    def _guess(self) -> str:
        return f": the client seems to {' or to '.join(self.habits)}" if self.habits else ""

    def verdict(self, others: list["Walk"]) -> dict:
        """Describe the walk, given the other walks of its query."""
        gaps = self.covered.missing(self.first_offset, self.reached)
        if self.strategy == "direct":
            # Pages come in any order here, and other clients' pages with them: a gap is certain only if nobody has filled it.
            for other in others:
                gaps = [part for gap in gaps for part in other.covered.missing(*gap)]
            gaps = gaps if self.first_offset == 0 else []
        faults = {
            "repeats": any(self.repeated),
            "gaps": bool(gaps),
            "past_the_end": self.is_past_the_end,
        }
        return {
            "number": self.number,
            "domain": self.domain,
            "query": self.query,
            "strategy": self.strategy,
            "total_records": self.total_records,
            "pages": [page._asdict() for page in self.pages],
            "complete": self.is_complete,
            "faults": [fault for fault, is_there in faults.items() if is_there],
            "repeats": [list(positions) for positions in self.repeated],
            "gaps": [list(positions) for positions in gaps],
            "past_the_end": self.past_the_end,
            "message": self._message(gaps),
        }

    def _message(self, gaps: list[tuple[int, int]]) -> str:
        unit, said = UNITS[self.strategy], [self.warning] if self.warning else []
        if any(self.repeated) and not self.warning:
            said.append(f"Returned more than once: {_count(self.repeated)} of {self.total_records} {unit}. {RIGHT[self.strategy]}.")
        if gaps and not (self.warning and self.strategy == "session"):
            said.append(f"Skipped: {_count(gaps)} of {self.total_records} {unit}{self._guess()}. {RIGHT[self.strategy]}.")
        if self.is_past_the_end:
            said.append(
                f"{self.past_the_end} requests were at or beyond total_records, {self.total_records}. Stop when has_more is false."
            )
        if not said:
            said = [f"All {self.total_records} {unit}."]
            if not self.is_complete:
                said = [f"Unfinished, which is not a fault: {_count(self.covered)} of {self.total_records} {unit}."]
        return " ".join(said)


def _count(ranges) -> int:
    return sum(end - start for start, end in ranges)


def find_walk(of_query: list[Walk], total_records: int, page: WalkedPage) -> tuple[Walk | None, bool]:
    """Return the walk of a query that a page belongs to, if it is not a new one, and whether a fault of it would be certain.

    A client that pages correctly asks only for an offset at which one of its own pages ended, or for its last offset again. So it
    is certainly wrong if no page explains the offset. If one does, two clients may have been mistaken for each other.
    """
    offset, end, _ = page
    if offset == 0:
        return None, True
    same_data, retried, is_explained = [], [], False
    for walk in reversed(of_query):  # newest first
        starts_here, ends_here = offset in walk.starts, offset in walk.ends
        if walk.total_records != total_records:
            is_explained = is_explained or starts_here or ends_here
        elif ends_here and not starts_here and not (walk.past_the_end and offset == total_records):
            others = (other for other in of_query if other is not walk and other.total_records == total_records)
            return walk, all(other.is_finished for other in others)
        else:
            same_data.append(walk)
            if starts_here:
                retried.append(walk)
    if retried and offset < total_records:
        # The same request with another end: the data has changed.
        return (retried[0] if retried[0].starts[offset] == end else None), True
    is_direct = of_query and of_query[0].strategy == "direct"
    if offset == total_records or (is_direct and offset > total_records):
        # How clients end that stop at an empty page: one request each, and perhaps its retry. After a change of the data, one may
        # still go by the old total.
        possible = same_data if len(same_data) == len(of_query) else [walk for walk in same_data if walk.first_offset]
        finished = [walk for walk in possible if walk.is_finished and not walk.past_the_end]
        retry = [walk for walk in possible if walk.last_past_the_end == offset and not walk.has_retried_past_the_end]
        fresh = [walk for walk in possible if not walk.past_the_end]
        return next(iter(finished + retry + fresh + possible), None), True
    if is_explained:
        return None, True  # the data has changed since the page before
    if not same_data:
        return None, True
    newest = same_data[0]
    may_be_right = not is_direct and offset % BATCH_SIZE == 0 and not newest.is_whole
    return (None if may_be_right else newest), True


class Record:
    """The last walks of this process. Safe to share between threads."""

    def __init__(self):
        self._lock = Lock()
        self._walks: OrderedDict[int, Walk] = OrderedDict()  # by number; the walk with the latest page comes last
        self._of_query: dict[tuple, list[Walk]] = {}  # oldest first
        self._begun = 0

    def add(
        self,
        domain: str,
        query: dict,
        strategy: str,
        total_records: int,
        page: WalkedPage,
        has_more: bool,
        is_of_explorer: bool = False,
    ) -> tuple[int, str]:
        """Add a page to its walk. Returns the walk's number and a warning, or "" if the page is right or may be right."""
        name = (domain, frozenset(query.items()), is_of_explorer)
        with self._lock:
            walk, is_certain = find_walk(self._of_query.get(name, []), total_records, page)
            if walk is None:
                self._begun += 1
                walk = self._walks[self._begun] = Walk(self._begun, name, domain, query, strategy, total_records)
                self._of_query.setdefault(name, []).append(walk)
                if len(self._walks) > MOST_WALKS:
                    self._forget_one()
            else:
                self._walks.move_to_end(walk.number)
            warning = walk.add(page, has_more)
            if not is_certain:
                return walk.number, ""
            walk.warning = walk.warning or warning
            return walk.number, warning

    def _forget_one(self) -> None:
        _, walk = self._walks.popitem(last=False)
        self._of_query[walk.name].remove(walk)
        if not self._of_query[walk.name]:
            del self._of_query[walk.name]

    def verdicts(self, with_explorer: bool = False) -> list[dict]:
        """Describe the walks, oldest first; without those of the explorer, unless they are asked for."""
        with self._lock:
            return [
                walk.verdict([other for other in self._of_query[walk.name] if other is not walk])
                for _, walk in sorted(self._walks.items())
                if with_explorer or not walk.is_of_explorer
            ]

    def clear(self) -> None:
        with self._lock:
            self._walks.clear()
            self._of_query.clear()


# The interface


def record_page(response: Response) -> Response:
    """Record the page that the endpoint returned, and add Pagination-Warning if it should not have been asked for."""
    page = g.get("page")
    if page is None or request.is_multiprocess:
        return response
    query, account = dict(g.body), g.account
    offset = int(query.pop("offset", 0))
    if page.nothing_matches and offset:
        return response  # there is no page, and nothing to continue
    of_walk = WalkedPage(offset, page.records_processed, len(page.conversions))
    record, is_of_explorer = current_app.extensions["walks"], requests.is_of_explorer()
    about = (account.domain, query, page.strategy, page.total_records)
    g.walk, g.warning = record.add(*about, of_walk, page.has_more, is_of_explorer)
    if g.warning:
        current_app.logger.warning(g.warning)
        response.headers["Pagination-Warning"] = f'"{g.warning}"'
    return response


@bp.get("/walks")
def list_walks():
    asked = requests.parameters("after", "domain", "explorer")
    later = current_app.extensions["requests"].after(int(asked.get("after", 0)))
    return {
        "walks": [
            walk
            for walk in current_app.extensions["walks"].verdicts("explorer" in asked)
            if asked.get("domain") in (None, walk["domain"])
            and ("after" not in asked or any(entry["walk"] == walk["number"] for entry in later))
        ]
    }


@bp.delete("/walks")
def forget_walks():
    current_app.extensions["walks"].clear()
    return "", HTTPStatus.NO_CONTENT
