"""Walks: does a client page correctly? The record of the requests that page through a query. Decisions 54 to 57, 74, 77."""

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from threading import Lock

from flask import Response, current_app, g, request

from ..strategies import Page
from . import requests
from .walk import Walk, WalkedPage, find_walk

MOST_WALKS = 200


class Record:
    """The last walks of this process. Safe to share between threads."""

    def __init__(self):
        self.keeps_all = False  # for a judgement: neither a reset nor the limit makes it forget any
        self._lock = Lock()
        self._walks: OrderedDict[int, Walk] = OrderedDict()  # by number; the walk with the latest page comes last
        self._of_query: dict[tuple, list[Walk]] = {}  # oldest first
        self._cleared: list[list[Walk]] = []  # what was of one query, if it keeps all
        self._begun = 0

    def add(self, domain: str, query: dict, offset: int, page: Page, is_of_explorer: bool) -> tuple[int, str]:
        """Add a page to its walk. Returns the walk's number, and a warning or "" if the page is right or may be right."""
        name = (domain, frozenset(query.items()), is_of_explorer)
        walked = WalkedPage(offset, page.records_processed, len(page.conversions))
        with self._lock:
            of_query = self._of_query.setdefault(name, [])
            walk, is_certain = find_walk(of_query, page.total_records, walked)
            if walk is None:
                self._begun += 1
                walk = self._walks[self._begun] = Walk(self._begun, name, domain, query, page.strategy, page.total_records)
                if offset:
                    self._connect(walk, offset)
                of_query.append(walk)
                if len(self._walks) > MOST_WALKS and not self.keeps_all:
                    self._forget_one()
            else:
                self._walks.move_to_end(walk.number)
            return walk.number, walk.add(walked, page.has_more, _without(walk, of_query), is_certain)

    def _connect(self, walk: Walk, offset: int) -> None:
        """Find the walk that this one continues after a change of the data or a reset."""
        for earlier in (earlier for group in [*self._cleared, self._of_query[walk.name]] for earlier in group):
            if earlier.name == walk.name and (offset in earlier.ends or offset in earlier.starts):
                walk.is_continuation = earlier.is_continued = True

    def _forget_one(self) -> None:
        _, walk = self._walks.popitem(last=False)
        self._of_query[walk.name].remove(walk)
        if not self._of_query[walk.name]:
            del self._of_query[walk.name]

    def verdicts(self, with_explorer: bool = False) -> list[dict]:
        """Describe the walks, oldest first; without those of the explorer, unless they are asked for."""
        with self._lock:
            return [
                walk.verdict(others)
                for walk, others in _with_others(self._of_query.values())
                if with_explorer or not walk.is_of_explorer
            ]

    def judge(self, complete: bool) -> Iterator[tuple[bool, dict, str]]:
        """Yield each walk, oldest first: whether it passes, its verdict, and what there is to say.

        A walk with a fault never passes. If walks have to be complete, each has to begin at 0, or continue another, and to end.
        """
        with self._lock:
            walks = [pair for pair in _with_others([*self._cleared, *self._of_query.values()]) if not pair[0].is_of_explorer]
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
                self._cleared += self._of_query.values()
            self._walks.clear()
            self._of_query = {}


def _without(walk: Walk, walks: list[Walk]) -> list[Walk]:
    return [other for other in walks if other is not walk]


def _with_others(groups: Iterable[list[Walk]]) -> list[tuple[Walk, list[Walk]]]:
    """Return the walks in the order of their numbers, each with the others of its query."""
    pairs = [(walk, _without(walk, group)) for group in groups for walk in group]
    return sorted(pairs, key=lambda pair: pair[0].number)


def _origin(walk: Walk, walks: list[tuple[Walk, list[Walk]]]) -> str:
    """Say which other query of the account had a page that ended where this walk begins."""
    for other, _ in reversed(walks):
        if other.number < walk.number and other.domain == walk.domain and walk.first_offset in other.ends:
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
    g.walk, g.warning = record.add(g.account.domain, query, offset, page, requests.is_of_explorer())
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
