"""The conformance kit does not blame servers that strangers wrote from the published text alone, each with an honest reading of it.

They share no code with this project, and not much with each other.
"""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from tests import endpoint
from tests.tools import random_accounts
from tests.tools.kit_in_process import InProcess, checks, run_checks
from tests.tools.learnt_readings import OWN

SESSION = ("source", "medium", "campaign", "content", "term", "landing_page")
MESSAGE = {"message": "No conversions matched the given filters."}


def answer(start_response, status: int, body: dict) -> list[bytes]:
    start_response(f"{status} X", [("Content-Type", "application/json; charset=utf-8")])
    return [json.dumps(body).encode()]


def body_of(environ) -> dict:
    return json.loads(environ["wsgi.input"].read() or b"{}")


def source_of(session: dict, name: str) -> str | None:
    derived = {"source": "(direct)", "medium": "(none)", "landing_page": session["landing_page"]}
    return session.get(f"utm_{name}") or derived.get(name)


class ToTheLetter:
    """A timestamp is "when the session started", and so is what the window selects by. Times are compared as texts."""

    def __init__(self, sessions: list[dict], now: datetime):
        self.now, self.sessions = now, sorted(sessions, key=lambda session: session["started_at"], reverse=True)

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] != "POST" or environ.get("HTTP_AUTHENTICATION") != "k":
            return answer(start_response, 403, {"message": "no access"})
        try:
            query = {name: value for name, value in body_of(environ).items() if value is not None}
            start, end = self.window(query)
            offset = query.get("offset", 0)
            if type(offset) is not int or offset < 0:
                raise ValueError("offset")
        except (ValueError, TypeError, AttributeError) as fault:
            return answer(start_response, 422, {"message": f"invalid: {fault}"})
        pool = [session for session in self.sessions if start <= session["started_at"].replace("+00:00", "Z") <= end]
        pool = [one for one in pool if all(source_of(one, name) == query[name] for name in SESSION if query.get(name))]
        found = [[record for record in self.records(session) if self.fits(record, query)] for session in pool]
        if not any(query.get(name) for name in SESSION):
            rows = [record for records in found for record in records]
            page, total, processed = rows[offset : offset + 50], len(rows), min(offset + 50, len(rows))
        else:
            page, processed, total = [], offset, len(pool) if any(found) else 0
            while processed < len(pool) and len(page) < 50:
                page += [record for records in found[processed : processed + 200] for record in records]
                processed = min(processed + 200, len(pool))
        if not total:
            return answer(start_response, 200, MESSAGE)
        pagination = {
            "records_processed": max(processed, min(offset, total)),
            "total_records": total,
            "has_more": processed < total,
        }
        return answer(start_response, 200, {"records": page, "pagination": pagination})

    def window(self, query: dict) -> tuple[str, str]:
        texts = {name: query.get(name) or None for name in ("start_date", "end_date")}
        moments = {}
        for name, text in texts.items():
            if text is not None:
                moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                is_date = len(text) == 10 and name == "end_date"
                moments[name] = moment + timedelta(days=1, seconds=-1) if is_date else moment
        end = moments.get("end_date", self.now)
        start = moments.get("start_date", end - timedelta(days=30))
        if start > end:
            raise ValueError("start_date is after end_date")
        return tuple(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in (start, end))

    def records(self, session: dict) -> list[dict]:
        shown = f"{datetime.fromisoformat(session['started_at']):%Y-%m-%d %H:%M:%S}"
        return [conversion | {"timestamp": shown} for conversion in session["conversions"]]

    def fits(self, record: dict, query: dict) -> bool:
        found = (record["conversion_page"], record["conversion_meta"]["type"], record["conversion_meta"]["id"])
        wanted = (query.get(name) for name in ("conversion_page", "meta_type", "meta_id"))
        return all(not value or value == own for value, own in zip(wanted, found, strict=True))


class InSql:
    """SQLite with LIMIT and OFFSET; whole days as the default window; every conversion of the sessions that overlap the window."""

    def __init__(self, sessions: list[dict], now: datetime):
        self.now, self.db = now, sqlite3.connect(":memory:")
        self.db.execute(f"create table s (id integer primary key, first, last, {', '.join(SESSION)})")
        self.db.execute("create table c (id integer primary key, s, at, conversion_page, meta_type, meta_id, record)")
        for number, session in enumerate(sessions):
            times = [int(datetime.fromisoformat(session[name]).timestamp()) for name in ("started_at", "ended_at")]
            values = [number, *times, *(source_of(session, name) for name in SESSION)]
            self.db.execute(f"insert into s values ({','.join('?' * len(values))})", values)
            for one in session["conversions"]:
                meta, at = one["conversion_meta"], int(datetime.fromisoformat(one["timestamp"] + "+00:00").timestamp())
                iso = {"timestamp": one["timestamp"].replace(" ", "T") + "Z"}
                row = [number, at, one["conversion_page"], meta["type"], meta["id"], json.dumps(one | iso)]
                self.db.execute("insert into c (s, at, conversion_page, meta_type, meta_id, record) values (?,?,?,?,?,?)", row)

    def __del__(self):
        self.db.close()

    def __call__(self, environ, start_response):
        if environ.get("HTTP_AUTHENTICATION") != "k":
            return answer(start_response, 401, {"error": "unauthorized"})
        try:
            query = body_of(environ)
            start, end = (self.time(query.get(name), name) for name in ("start_date", "end_date"))
            offset = int(query.get("offset") or 0)
            unknown = query.keys() - {"offset", "start_date", "end_date", "conversion_page", "meta_type", "meta_id", *SESSION}
            if unknown or offset < 0 or offset >= 2**63:
                raise ValueError(unknown)
        except (ValueError, TypeError, AttributeError):
            return answer(start_response, 400, {"error": "bad request"})
        own = {name: query[name] for name in SESSION if query.get(name) is not None}
        of = {name: query[name] for name in ("conversion_page", "meta_type", "meta_id") if query.get(name) is not None}
        where = " and ".join([f"c.{name} = ?" for name in of] + ["1"])
        if not own:
            where, values = f"from c where at between ? and ? and {where}", [start, end, *of.values()]
            total = self.db.execute(f"select count(*) {where}", values).fetchone()[0]
            rows = self.db.execute(
                f"select record {where} order by at desc, id desc limit 50 offset ?", [*values, offset]
            ).fetchall()
            processed = min(offset + 50, total)
        else:
            where_session = " and ".join([f"{name} = ?" for name in own] + ["first <= ? and last >= ?"])
            sessions = self.db.execute(
                f"select id from s where {where_session} order by first desc, id desc", [*own.values(), end, start]
            ).fetchall()
            rows, processed, total = [], min(offset, len(sessions)), len(sessions)
            select = f"select record from c where s = ? and {where} order by at desc, id desc"
            of_batch = 0
            while processed < total and not self.is_enough(len(rows), of_batch):
                batch = sessions[processed : processed + 200]
                found = [row for (session,) in batch for row in self.db.execute(select, [session, *of.values()])]
                rows, of_batch, processed = rows + found, len(found), processed + len(batch)
            if not rows and not any(self.db.execute(select, [one, *of.values()]).fetchone() for (one,) in sessions):
                total = 0
        if not total:
            return answer(start_response, 200, MESSAGE)
        pagination = {"records_processed": processed, "total_records": total, "has_more": processed < total}
        return answer(start_response, 200, {"records": [json.loads(record) for (record,) in rows], "pagination": pagination})

    def is_enough(self, count: int, of_last_batch: int) -> bool:
        return count >= 50

    def time(self, text: str | None, name: str) -> int:
        day = self.now.replace(hour=0, minute=0, second=0)
        if text is None:
            return int((day - timedelta(days=29) if name == "start_date" else day + timedelta(days=1, seconds=-1)).timestamp())
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) + timedelta(days=len(text) == 10 and name == "end_date")
        return int(moment.timestamp()) - (len(text) == 10 and name == "end_date")


class Generous(InSql):
    """The same with 201, with counts as 200.0, and with fields that the text does not name."""

    def __call__(self, environ, start_response):
        began: list = []
        (content,) = super().__call__(environ, lambda *arguments: began.append(arguments[0]))
        body = json.loads(content)
        for name in ("records_processed", "total_records"):
            if "pagination" in body:
                body["pagination"][name] = float(body["pagination"][name])
        body = {"records": [one | {"country": "NO"} for one in body["records"]], "took": 1} | body if "records" in body else body
        return answer(start_response, 201 if began[0] == "200 X" else int(began[0][:3]), body)


class UntilOneBatchHas50(InSql):
    """ "50 or more conversion records from each batch": a page goes on until one batch has 50 by itself."""

    def is_enough(self, count: int, of_last_batch: int) -> bool:
        return of_last_batch >= 50


STRANGERS = [ToTheLetter, InSql, Generous, UntilOneBatchHas50]
ACCOUNTS = {f"account {number}": random_accounts.account(number) for number in (29, 62)}


@pytest.mark.parametrize("data", ["a long one", *ACCOUNTS])
@pytest.mark.parametrize("kind", STRANGERS)
def test_a_strangers_server_is_not_blamed(kind, data):
    account = ACCOUNTS.get(data)
    sessions, now = (account.sessions, account.now) if account else (OWN, endpoint.NOW)
    found = run_checks(checks(), InProcess(kind(sessions, now), now).send, "k")
    assert [finding for finding in found.findings if not finding.is_reading] == []
    assert found.held > 60
