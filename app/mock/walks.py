"""Walks: does a client page correctly? The record of the requests that page through a query. Decisions 54 to 57, 74, 77."""

import json
from collections.abc import Iterator
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
        self._of_query: dict[Name, list[Walk]] = {}  # oldest first; the query with the latest page comes last
        self._begun = 0
        self._era = 0  # how often walks that are kept have been cleared

    def add(self, name: Name, query: dict, offset: int, page: Page) -> tuple[int, str]:
        """Add a page to its walk. Returns the walk's number, and a warning or "" if the page is right or may be right."""
        walked = WalkedPage(offset, page.records_processed, len(page.conversions))
        with self._lock:
            name = name._replace(era=self._era)
            of_query = self._of_query[name] = self._of_query.pop(name, [])
            walk = find_walk(of_query, page.total_records, walked)
            if walk is None:
                self._begun += 1
                total = page.total_records
                walk = Walk(self._begun, name, query, page.strategy, total, needed=total, first_offset=offset)
                if offset:
                    self._connect(walk)
                of_query.append(walk)
                if sum(map(len, self._of_query.values())) > MOST_WALKS and not self.keeps_all:
                    self._forget_one()
            return walk.number, walk.add(walked, page.has_more, _without(walk, of_query))

    def _connect(self, walk: Walk) -> None:
        """Find the walk that this one continues after a change of the data or a reset."""
        for era in range(self._era + 1):
            for earlier in self._of_query.get(walk.name._replace(era=era), ()):
                if walk.first_offset in earlier.ends or walk.first_offset in earlier.starts:
                    walk.is_continuation = earlier.is_continued = True

    def _forget_one(self) -> None:
        name, walks = next(iter(self._of_query.items()))
        del walks[0]
        if not walks:
            del self._of_query[name]

    def _with_others(self) -> list[tuple[Walk, list[Walk]]]:
        """Return the walks in the order of their numbers, each with the others of its query."""
        pairs = [(walk, _without(walk, walks)) for walks in self._of_query.values() for walk in walks]
        return sorted(pairs, key=lambda pair: pair[0].number)

    def verdicts(self, with_explorer: bool = False) -> list[dict]:
        """Describe the walks, oldest first; without those of the explorer, unless they are asked for."""
        with self._lock:
            return [
                walk.verdict(others)
                for walk, others in self._with_others()
                if walk.name.era == self._era and (with_explorer or not walk.name.is_of_explorer)
            ]

    def judge(self, complete: bool) -> Iterator[tuple[bool, dict, str]]:
        """Yield each walk, oldest first: whether it passes, its verdict, and what there is to say.

        A walk with a fault never passes. If walks have to be complete, each has to begin at 0, or continue another, and to end.
        """
        with self._lock:
            walks = [pair for pair in self._with_others() if not pair[0].name.is_of_explorer]
        for walk, others in walks:
            verdict, said = walk.verdict(others), []
            if walk.first_offset and not walk.is_continuation:
                said.append(f"Begins at offset {walk.first_offset}, not at 0{_origin(walk, walks)}.")
            if complete and walk.is_unfinished(others):
                said.append(f"Unfinished: {walk.progress}.")
            is_incomplete = complete and bool(said)
            if verdict["faults"] or not is_incomplete:
                said.insert(0, verdict["message"])
            yield not verdict["faults"] and not is_incomplete, verdict, " ".join(said)

    def clear(self) -> None:
        with self._lock:
            if self.keeps_all:
                self._era += 1
            else:
                self._of_query.clear()


def _without(walk: Walk, walks: list[Walk]) -> list[Walk]:
    return [other for other in walks if other is not walk]


def _origin(walk: Walk, walks: list[tuple[Walk, list[Walk]]]) -> str:
    """Say which other query of the account had a page that ended where this walk begins."""
    for other, _ in reversed(walks):
        if other.number < walk.number and other.name.domain == walk.name.domain and walk.first_offset in other.ends:
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
