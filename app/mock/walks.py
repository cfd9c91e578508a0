"""Walks: does a client page correctly? The record of the requests that page through a query. Decisions 54 to 57, 74, 77."""

import json
from collections.abc import Iterator
from itertools import chain
from operator import attrgetter
from threading import Lock

from flask import Response, current_app, g, request

from ..strategies import Page
from . import requests
from .walk import Name, Walk, WalkedPage, find_walk

MOST_WALKS = 200


class Record:
    """The last walks of this process. Safe to share between threads."""

    def __init__(self):
        self.keeps_all = False  # for a judgement: neither a reset nor the limit makes it forget any
        self._lock = Lock()
        self._of_query: dict[Name, list[Walk]] = {}  # oldest first
        self._cleared: list[Walk] = []  # but kept
        self._begun = self._pages = 0

    def add(self, name: Name, query: dict, offset: int, page: Page) -> tuple[int, str]:
        """Add a page to its walk. Returns the walk's number, and a warning or "" if the page is right or may be right."""
        walked, total = WalkedPage(offset, page.records_processed, len(page.conversions)), page.total_records
        with self._lock:
            of_query = self._of_query.get(name, [])
            walk = find_walk(of_query, total, walked)
            if walk is None:
                self._begun += 1
                walk = Walk(self._begun, name, query, page.strategy, total, of_query, needed=total, first_offset=offset)
                for earlier in [*self._cleared, *of_query]:
                    if offset and earlier.name == name and earlier.has_been_at(offset):  # the data has changed, or a reset
                        walk.is_continuation = earlier.is_continued = True
                if not self.keeps_all and len(kept := self._walks()) >= MOST_WALKS:
                    self._forget(min(kept, key=attrgetter("latest_page")))
                self._of_query.setdefault(name, of_query).append(walk)
            self._pages += 1
            walk.latest_page = self._pages
            return walk.number, walk.add(walked, page.has_more)

    def _forget(self, walk: Walk) -> None:
        walk.of_query.remove(walk)
        if not walk.of_query:
            del self._of_query[walk.name]

    def _walks(self) -> list[Walk]:
        """Return the walks since the last clear(), oldest first."""
        return sorted(chain(*self._of_query.values()), key=attrgetter("number"))

    def verdicts(self, with_explorer: bool = False) -> list[dict]:
        """Describe the walks, oldest first; without those of the explorer, unless they are asked for."""
        with self._lock:
            return [walk.verdict() for walk in self._walks() if with_explorer or not walk.name.is_of_explorer]

    def judge(self, complete: bool) -> Iterator[tuple[bool, dict, str]]:
        """Yield each walk, oldest first: whether it passes, its verdict, and what there is to say.

        A walk with a fault never passes. If walks have to be complete, each has to begin at 0, or continue another, and to end.
        """
        with self._lock:
            walks = [walk for walk in self._cleared + self._walks() if not walk.name.is_of_explorer]
        for walk in walks:
            verdict, said = walk.verdict(), []
            if walk.first_offset and not walk.is_continuation:
                said.append(f"Begins at offset {walk.first_offset}, not at 0{_origin(walk, walks)}.")
            if complete and walk.is_unfinished:
                said.append(f"Unfinished: {walk.progress}.")
            is_incomplete = complete and bool(said)
            if verdict["faults"] or not is_incomplete:
                said.insert(0, verdict["message"])
            yield not verdict["faults"] and not is_incomplete, verdict, " ".join(said)

    def clear(self) -> None:
        with self._lock:
            if self.keeps_all:
                self._cleared += self._walks()
            self._of_query.clear()


def _origin(walk: Walk, walks: list[Walk]) -> str:
    """Say which other query of the account had a page that ended where this walk begins."""
    for other in reversed(walks[: walks.index(walk)]):
        if other.name.domain == walk.name.domain and walk.first_offset in other.ends:
            has_fewer_filters = walk.query.items() < other.query.items()
            guess = ": the client seems to send its filters only with the first page" if has_fewer_filters else ""
            return f", where a page of {json.dumps(other.query)} ended{guess}"
    return ""


# The interface


def record_page(response: Response) -> Response:
    """Record the page that the endpoint returned, and add Pagination-Warning if it should not have been asked for."""
    page = g.get("page")
    if page is None or request.is_multiprocess:
        return response
    query = dict(g.body)
    offset = int(query.pop("offset", 0))
    if page.nothing_matches and offset:
        return response  # there is no page, and nothing to continue
    record: Record = current_app.extensions["walks"]
    name = Name(g.account.domain, frozenset(query.items()), requests.is_of_explorer())
    g.walk, g.warning = record.add(name, query, offset, page)
    if g.warning:
        current_app.logger.warning(g.warning)
        response.headers["Pagination-Warning"] = f'"{g.warning}"'
    return response


@requests.bp.get("/walks")
def list_walks():
    asked = requests.parameters("after", "domain", "explorer")
    later = {entry["walk"] for entry in current_app.extensions["requests"].after(int(asked.get("after", 0)))}
    return {
        "walks": [
            walk
            for walk in current_app.extensions["walks"].verdicts("explorer" in asked)
            if asked.get("domain") in (None, walk["domain"]) and ("after" not in asked or walk["number"] in later)
        ]
    }
