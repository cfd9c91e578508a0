"""A small server of the endpoint that is easy to break, over a list of sessions in the import format.

It does what app/decisions.md says, the slow and obvious way. tools/defects.py changes one thing at a time in it, and test_kit.py
points the conformance kit at the results.
"""

import json
import re
from collections.abc import Hashable
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import orjson

PATH = "/api/v1/conversions"
KEY, OTHER_KEY = "YOUR_API_KEY", "another-key"
NOW = datetime(2025, 11, 20, 12, 0, 0, tzinfo=UTC)
NOTHING = {"message": "No conversions matched the given filters."}
SESSION_FILTERS = ["source", "medium", "campaign", "content", "term", "landing_page"]
CONVERSION_FILTERS = ["conversion_page", "meta_type", "meta_id"]
FIELDS = ["offset", "start_date", "end_date", *CONVERSION_FILTERS, *SESSION_FILTERS]
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


# Data


def sessions(days: int = 110, seed: str = "planted", domain: str = "example.com") -> list[dict]:
    """Draw about 18 sessions a day, like those of the bundled account example.com; the order is that of their ids."""
    draw = Random(seed).random

    def pick(choices: list) -> Any:
        return choices[int(draw() * len(choices))]

    brand = {"utm_campaign": "brand-search", "utm_content": "headline-a", "utm_term": "attribution software"}
    brand_b = brand | {"utm_content": "headline-b", "utm_term": "conversion tracking"}
    channels = [
        *[{"utm_source": "google.com", "utm_medium": "organic"}] * 4,
        *[{"utm_source": "google.com", "utm_medium": "cpc", **brand}] * 2,
        {"utm_source": "google.com", "utm_medium": "cpc", **brand_b},
        {"utm_source": "facebook.com", "utm_medium": "social"},
        {"utm_source": "example.com", "utm_medium": "email", "utm_campaign": "newsletter", "utm_content": "top-button"},
        {},
        {},
    ]
    site = f"https://www.{domain}"
    landing = [f"{site}/", f"{site}/", f"https://{domain}/pricing", f"{site}/features/", f"{site}/request-a-demo/"]
    points = [
        *[(f"{site}/request-a-demo/", "html_form", "request-a-demo-form", [f"https://{domain}/pricing", f"{site}/features/"])] * 3,
        *[(f"{site}/newsletter/", "hubspot_form", "6f1c2f0e-5b0a", [f"{site}/blog/", f"{site}/"])] * 2,
        *[(f"https://store.{domain}/purchase-complete", "custom_event", "purchase-complete", [f"https://store.{domain}/cart"])] * 2,
        (f"https://{domain}/pricing", "custom", "pricing-calculator-used", [f"{site}/", None]),
    ]
    found = []
    for day in range(days):
        midnight = datetime.combine(NOW - timedelta(days=days - 1 - day), time(), UTC)
        for start in sorted(int(draw() * 86_400) for _ in range(14 + int(draw() * 9))):
            moment = started = midnight + timedelta(seconds=start)
            conversions = []
            while draw() < (0.2 if conversions else 0.5):
                moment += timedelta(seconds=30 + int(draw() * 900))
                page, kind, identity, previous = pick(points)
                conversions.append(
                    {
                        "email": None if kind == "custom" else f"visitor-{len(found)}@mail.example",
                        "timestamp": f"{moment:%Y-%m-%d %X}",
                        "conversion_page": page,
                        "previous_page": pick(previous),
                        "conversion_meta": {"type": kind, "id": identity},
                    }
                )
            found.append(
                {
                    "session_id": f"{day}-{len(found)}",
                    "started_at": f"{started:%Y-%m-%dT%XZ}",
                    "ended_at": f"{moment + timedelta(seconds=int(draw() * 600)):%Y-%m-%dT%XZ}",
                    "landing_page": pick(landing),
                    **pick(channels),
                    "conversions": conversions,
                }
            )
    return found


class Conversion:
    """A conversion with its session's values next to it."""

    def __init__(self, place: tuple, fields: dict, session: "Session"):
        self.fields, self.session = fields, session
        self.at = datetime.fromisoformat(fields["timestamp"]).replace(tzinfo=UTC)
        self.order = (self.at, place)
        self.values = {
            "conversion_page": fields["conversion_page"],
            "meta_type": fields["conversion_meta"]["type"],
            "meta_id": fields["conversion_meta"]["id"],
        }


class Session:
    def __init__(self, place: int, fields: dict):
        self.started_at = datetime.fromisoformat(fields["started_at"])
        self.ended_at = datetime.fromisoformat(fields["ended_at"])
        self.order = (self.started_at, place)
        self.values = {
            "source": fields.get("utm_source") or "(direct)",
            "medium": fields.get("utm_medium") or "(none)",
            "campaign": fields.get("utm_campaign"),
            "content": fields.get("utm_content"),
            "term": fields.get("utm_term"),
            "landing_page": fields["landing_page"],
        }
        self.alike: Hashable = tuple(self.values.values())  # the same filters find sessions in which this is equal
        self.conversions = [
            Conversion((place, number), conversion, self) for number, conversion in enumerate(fields["conversions"])
        ]


class Refused(Exception):
    """A request that gets an error: its status, its sentence, and for a 400 the fields at fault."""

    def __init__(self, status: int, sentence: str, fields: dict | None = None, headers: dict | None = None):
        super().__init__(sentence)
        self.status, self.headers = status, headers or {}
        self.body = {"error": sentence} | ({"fields": fields} if fields else {})


def only(query: dict, names: list[str]) -> dict:
    return {name: query[name] for name in names if name in query}


# The endpoint


class Endpoint:
    """POST /api/v1/conversions as app/decisions.md describes it. A defect replaces one of the methods."""

    page_size, batch_size = 50, 200
    default_days = 30

    def __init__(self, own: list[dict], others: list[dict] = (), now: datetime = NOW):
        self.now = now
        self.accounts = {KEY: self.load(own), OTHER_KEY: self.load(others)}
        self.remembered: dict[tuple, list] = {}  # what matches filters

    @staticmethod
    def load(account: list[dict]) -> list[Session]:
        loaded = [Session(place, fields) for place, fields in enumerate(account)]
        return sorted(loaded, key=lambda session: session.order, reverse=True)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["body"] = environ["wsgi.input"].read(length)
        status, body, headers = self.respond(environ)
        headers = {"Content-Type": "application/json", "Date": format_datetime(self.now, usegmt=True)} | headers
        start_response(f"{status} OK", list(headers.items()))
        return [body.encode() if isinstance(body, str) else orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)]

    def respond(self, environ: WSGIEnvironment) -> tuple[int, Any, dict]:
        try:
            return 200, self.answer(environ), {}
        except Refused as refused:
            return refused.status, self.error_body(refused), refused.headers

    def error_body(self, refused: Refused) -> Any:
        return refused.body

    def answer(self, environ: WSGIEnvironment) -> dict:
        if environ["PATH_INFO"] != PATH:
            raise Refused(404, "There is nothing here.")
        if environ["REQUEST_METHOD"] != "POST":
            raise Refused(405, "Only POST is allowed.", headers={"Allow": "POST"})
        account = self.account(environ)
        query = self.read(environ)
        return self.page(account, query)

    def sent_key(self, environ: WSGIEnvironment) -> str:
        return environ.get("HTTP_AUTHENTICATION", "")

    def account(self, environ: WSGIEnvironment) -> list[Session]:
        key = self.sent_key(environ)
        if key not in self.accounts:
            raise Refused(401, "The key is unknown." if key else "The request has no key.")
        return self.accounts[key]

    # The request

    def read(self, environ: WSGIEnvironment) -> dict:
        if environ.get("QUERY_STRING"):
            raise Refused(400, "Send filters in the body.")
        raw = environ["body"]
        if not raw.strip():
            return {}
        self.check_content_type(environ.get("CONTENT_TYPE", ""))
        query = self.parse(raw)
        faults = {name: ["unknown field"] for name in query if name not in FIELDS}
        faults |= {name: [fault] for name, value in query.items() if name in FIELDS and (fault := self.fault(name, value))}
        if faults:
            raise Refused(400, "The body has faults.", self.named(faults))
        return query

    def named(self, faults: dict) -> dict:
        return faults

    def check_content_type(self, content_type: str) -> None:
        if content_type.partition(";")[0].strip() != "application/json":
            raise Refused(415, "Send application/json.")

    def parse(self, raw: bytes) -> dict:
        def unique(pairs: list) -> dict:
            if len(dict(pairs)) < len(pairs):
                raise ValueError("a key occurs twice")
            return dict(pairs)

        def refuse(constant: str):
            raise ValueError(constant)

        try:
            text = self.without_trailing_comma(raw.decode())
            query = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
        except ValueError:
            raise Refused(400, "The body is not valid JSON.") from None
        if not isinstance(query, dict):
            raise Refused(400, "The body is not an object.")
        return query

    def without_trailing_comma(self, text: str) -> str:
        return re.sub(r'(["\w\]}]\s*),(\s*}\s*)$', r"\1\2", text)

    def fault(self, name: str, value: Any) -> str:
        if name == "offset":
            is_integer = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
            return "" if is_integer and 0 <= value < 2**63 else "not an offset"
        if not isinstance(value, str):
            return "not a string"
        if name.endswith("_date"):
            try:
                self.date(value, name)
            except ValueError:
                return "not a date"
        return ""

    # The window

    def date(self, text: str, name: str) -> datetime:
        """Read a date or a date-time, rounded into the window."""
        # The hours are spelled out: from Python 3.14 on, fromisoformat() accepts the hour 24.
        form = r"(\d{4}-\d\d-\d\d)(?:[T ]((?:[01]\d|2[0-3]):\d\d)(:\d\d)?(\.\d+)?(Z|[+-]\d\d(?::?\d\d)?)?)?"
        parts = re.fullmatch(form, text)
        if not parts:
            raise ValueError(text)
        day, minute, second, fraction, zone = parts.groups()
        is_end = name == "end_date"
        if minute is None:
            return self.whole_day(datetime.fromisoformat(day).replace(tzinfo=UTC), is_end)
        is_leap = second == ":60"
        second = ":59" if is_leap or (second is None and is_end) else second or ":00"
        moment = datetime.fromisoformat(f"{day}T{minute}{second}").replace(tzinfo=UTC) - self.offset(zone)
        return moment + SECOND if fraction and fraction.strip(".0") and not is_end else moment

    def whole_day(self, midnight: datetime, is_end: bool) -> datetime:
        return midnight + DAY - SECOND if is_end else midnight

    def offset(self, zone: str | None) -> timedelta:
        if zone in (None, "Z"):
            return timedelta()
        hours, minutes = int(zone[1:3]), int(zone[3:].strip(":") or 0)
        ahead = timedelta(hours=hours, minutes=minutes)
        return ahead if zone[0] == "+" else -ahead

    def window(self, query: dict) -> tuple[datetime, datetime]:
        end = self.date(query["end_date"], "end_date") if "end_date" in query else self.now
        start = self.date(query["start_date"], "start_date") if "start_date" in query else self.default_start(end)
        return start, end

    def default_start(self, end: datetime) -> datetime:
        return end - timedelta(days=self.default_days)

    def moment(self, conversion: Conversion) -> datetime:
        """Return the moment by which the window selects a conversion."""
        return conversion.at

    def is_in_window(self, conversion: Conversion, start: datetime, end: datetime) -> bool:
        return start <= self.moment(conversion) <= end

    def is_in_pool(self, session: Session, start: datetime, end: datetime) -> bool:
        return session.started_at <= end and session.ended_at >= start

    # The filters

    def equals(self, name: str, value: str | None, wanted: str) -> bool:
        return value == wanted

    def session_value(self, session: Session, name: str) -> str | None:
        return session.values[name]

    def conversion_value(self, conversion: Conversion, name: str) -> str | None:
        return conversion.values[name]

    def matches(self, results: list[bool]) -> bool:
        """Say whether a conversion or session matches, from what each filter says."""
        return all(results)

    def session_matches(self, session: Session, filters: dict) -> bool:
        return self.matches([self.equals(name, self.session_value(session, name), filters[name]) for name in filters])

    def conversion_matches(self, conversion: Conversion, filters: dict) -> bool:
        return not filters or self.matches(
            [self.equals(name, self.conversion_value(conversion, name), filters[name]) for name in filters]
        )

    def is_session_query(self, query: dict) -> bool:
        return any(name in query for name in SESSION_FILTERS)

    # The pages

    def page(self, account: list[Session], query: dict) -> dict:
        start, end = self.window(query)
        offset = int(query.get("offset", 0))
        if self.is_session_query(query):
            return self.session_page(account, query, start, end, offset)
        return self.direct_page(account, query, start, end, offset)

    def direct_page(self, account: list[Session], query: dict, start: datetime, end: datetime, offset: int) -> dict:
        filters = only(query, CONVERSION_FILTERS)
        matching = self.conversions_matching(account, filters)
        found = self.sort([conversion for conversion in matching if self.is_in_window(conversion, start, end)])
        if not found:
            return self.nothing_found(offset)
        skip = self.skip(offset)
        records = found[skip : skip + self.page_size]
        processed = min(offset + len(records), len(found)) if records else len(found)
        return self.body(records, processed, len(found), offset)

    def skip(self, offset: int) -> int:
        return offset

    def pool(self, account: list[Session], query: dict, start: datetime, end: datetime) -> list[Session]:
        matching = self.matching(account, only(query, SESSION_FILTERS))
        return [session for session in matching if self.is_in_pool(session, start, end)]

    def matching(self, account: list[Session], filters: dict) -> list[Session]:
        """Return the sessions that match the filters. They are remembered, because a run of the kit has few different filters."""
        key = (id(account), *filters.items())
        if key not in self.remembered:
            alike = {session.alike: session for session in account}
            matching = {key for key, session in alike.items() if self.session_matches(session, filters)}
            self.remembered[key] = [session for session in account if session.alike in matching]
        return self.remembered[key]

    def conversions_matching(self, account: list[Session], filters: dict) -> list[Conversion]:
        key = (id(account), "conversions", *filters.items())
        if key not in self.remembered:
            conversions = [conversion for session in account for conversion in session.conversions]
            self.remembered[key] = [conversion for conversion in conversions if self.conversion_matches(conversion, filters)]
        return self.remembered[key]

    def of_session(self, session: Session, filters: dict, start: datetime, end: datetime) -> list[Conversion]:
        if not session.conversions:
            return []
        return [
            conversion
            for conversion in session.conversions
            if self.is_in_window(conversion, start, end) and self.conversion_matches(conversion, filters)
        ]

    def of_pool(self, pool: list[Session], query: dict, start: datetime, end: datetime) -> list[list[Conversion]]:
        """Return the matching conversions of each session of the pool."""
        filters = only(query, CONVERSION_FILTERS)
        return [self.of_session(session, filters, start, end) for session in pool]

    def has_enough(self, count: int) -> bool:
        return count >= self.page_size

    def session_page(self, account: list[Session], query: dict, start: datetime, end: datetime, offset: int) -> dict:
        pool = self.pool(account, query, start, end)
        of_pool = self.of_pool(pool, query, start, end)
        if not any(of_pool):
            return self.nothing_found(offset)
        records, processed = self.collect(of_pool, self.skip_sessions(offset))
        total = self.session_total(pool, of_pool)
        return self.body(self.sort(records), min(processed, total), total, offset)

    def skip_sessions(self, offset: int) -> int:
        return offset

    def session_total(self, pool: list[Session], of_pool: list[list[Conversion]]) -> int:
        return len(pool)

    def collect(self, of_pool: list[list[Conversion]], first: int) -> tuple[list[Conversion], int]:
        """Return the conversions of one page, and how many sessions are processed after it."""
        records, processed = [], first
        while processed < len(of_pool) and not self.has_enough(len(records)):
            batch = of_pool[processed : processed + self.batch_size]
            records += [conversion for conversions in self.of_batch(batch) for conversion in conversions]
            processed += len(batch)
        return records, processed

    def of_batch(self, batch: list[list[Conversion]]) -> list[list[Conversion]]:
        return batch

    def sort(self, found: list[Conversion]) -> list[Conversion]:
        return sorted(found, key=lambda conversion: conversion.order, reverse=True)

    # The response

    def nothing_found(self, offset: int) -> dict:
        return NOTHING

    def body(self, records: list[Conversion], processed: int, total: int, offset: int) -> dict:
        return {
            "records": [self.record(conversion) for conversion in records],
            "pagination": self.pagination(processed, total, offset, len(records)),
        }

    def pagination(self, processed: int, total: int, offset: int, count: int) -> dict:
        return {"records_processed": processed, "total_records": total, "has_more": processed < total}

    def record(self, conversion: Conversion) -> dict:
        return conversion.fields
