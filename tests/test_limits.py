"""Accounts, their keys and their monthly limits, decisions 25 and 26; also with several processes counting at once."""

import hashlib
import json
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from conversions_api.schemas import LimitExceeded

from .conftest import NOW, Hub, a_conversion, a_session, serving
from .test_kill import post


def stored(hub: Hub) -> bytes:
    """Return the bytes of the database file and of its write-ahead log."""
    return b"".join(path.read_bytes() for path in sorted(hub.path.parent.glob(hub.path.name + "*")) if path.suffix != ".sqlite-shm")


def rows(hub: Hub) -> list[str]:
    """Return the contents of the database as SQL statements."""
    with closing(sqlite3.connect(hub.path)) as database:
        return list(database.iterdump())


def body_of_429(response) -> dict:
    """Check that the response is a 429 in the documented format, and return its body."""
    assert response.status_code == 429, response.text
    assert response.mimetype == "application/json"
    assert LimitExceeded().validate(response.json) == {}
    return response.json


def statuses(hub: Hub, times: int, key: str = "key") -> list[int]:
    return [hub.post("{}", key).status_code for _ in range(times)]


# Accounts and keys


@pytest.mark.decision(25)
@pytest.mark.parametrize("filters", [{}, {"campaign": "shared"}], ids=["direct", "session"])
def test_an_account_sees_its_own_data_and_nothing_else(hub, filters):
    for domain, times in [("one.example", 3), ("two.example", 2)]:
        conversions = [a_conversion(email=f"{number}@{domain}") for number in range(times)]
        # Both accounts have the same session_id, which is unique only within an account.
        hub.load([a_session(session_id="s", utm_campaign="shared", conversions=conversions)], domain, f"key-of-{domain}")
    hub.load([], "none.example", "key-of-none.example")
    for domain, times in [("one.example", 3), ("two.example", 2)]:
        page = hub.ask(filters, f"key-of-{domain}")
        assert sorted(record["email"] for record in page["records"]) == [f"{number}@{domain}" for number in range(times)]
        assert page["pagination"]["total_records"] == (1 if filters else times)
    assert hub.ask(filters, "key-of-none.example") == {"message": "No conversions matched the given filters."}


# The sessions of two accounts have the same values, so that only the account can tell them apart.
SHARED_VALUES = {
    "landing_page": "https://shared.example/",
    "utm_source": "shared.example",
    "utm_medium": "cpc",
    "utm_campaign": "c",
    "utm_content": "t",
    "utm_term": "w",
}


@pytest.mark.parametrize(
    "filters",
    [
        {"offset": 0},
        {"start_date": "2025-08-01"},
        {"end_date": "2025-08-01"},
        {"conversion_page": "https://example.com/thankyou"},
        {"meta_type": "html_form"},
        {"meta_id": "form"},
        {"source": "shared.example"},
        {"medium": "cpc"},
        {"campaign": "c"},
        {"content": "t"},
        {"term": "w"},
        {"landing_page": "https://shared.example/"},
    ],
    ids=lambda filters: next(iter(filters)),
)
def test_accounts_with_identical_sessions_see_only_their_own_records(hub, filters):
    for domain, times in [("one.example", 2), ("two.example", 3)]:
        sessions = [
            a_session(session_id=f"s-{n}", conversions=[a_conversion(email=f"{n}@{domain}")], **SHARED_VALUES) for n in range(times)
        ]
        hub.load(sessions, domain, f"key-of-{domain}")
    for domain, times in [("one.example", 2), ("two.example", 3)]:
        page = hub.ask(filters, f"key-of-{domain}")
        assert sorted(record["email"] for record in page["records"]) == [f"{n}@{domain}" for n in range(times)]
        assert page["pagination"] == {"records_processed": times, "total_records": times, "has_more": False}


def test_an_account_may_have_several_keys(hub):
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "first")
    hub.load([], "example.com", "second")
    assert hub.ask({}, "first") == hub.ask({}, "second")


def test_a_key_belongs_to_one_account(hub):
    hub.load([a_session(conversions=[a_conversion()])], "one.example", "key")
    before = rows(hub)
    outcome = hub.run("import", "-", "--domain", "two.example", "--key", "key", stdin=json.dumps(a_session()))
    assert outcome.exit_code not in (0, None)
    assert isinstance(outcome.exception, SystemExit), outcome.exception
    assert "key" in outcome.output
    assert rows(hub) == before


def test_keys_are_stored_only_as_sha_256_digests(hub):
    key = "a-key-that-occurs-nowhere-else"
    hub.load([a_session(conversions=[a_conversion()])], "example.com", key)
    assert hub.post("{}", key).status_code == 200
    data = stored(hub)
    assert key.encode() not in data
    digest = hashlib.sha256(key.encode())
    assert digest.digest() in data or digest.hexdigest().encode() in data.lower()


def test_a_digest_is_not_a_key(hub):
    hub.load([a_session()], "example.com", "key")
    assert statuses(hub, 1, hashlib.sha256(b"key").hexdigest()) == [401]


# Monthly limits


def test_an_account_over_its_monthly_limit_gets_a_429_with_its_own_figures(hub):
    hub.load([a_session(conversions=[a_conversion()])], "shop.example", "key", "--monthly-limit", "3")
    assert statuses(hub, 3) == [200, 200, 200]
    for _ in range(3):
        expected = {"error": "API monthly limit exceeded.", "limit": 3, "used": 3, "domain": "shop.example"}
        assert body_of_429(hub.post("{}")) == expected


@pytest.mark.decision(26)
@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        pytest.param('{"start_date": "2025-08-01"}', {}, 200, id="records"),
        pytest.param('{"source": "nobody"}', {}, 200, id="nothing found"),
        pytest.param("", {}, 200, id="no body"),
        pytest.param("{", {}, 400, id="not JSON"),
        pytest.param('{"offset": -1}', {}, 400, id="an invalid field"),
        pytest.param("{}", {"query_string": {"source": "a"}}, 400, id="a filter in the URL"),
        pytest.param("{}", {"content_type": "text/plain"}, 415, id="another content type"),
        pytest.param(" " * 70_000, {}, 413, id="too large"),
    ],
)
def test_every_post_with_a_valid_key_counts_once(hub, body, more, status):
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "key", "--monthly-limit", "2")
    assert [hub.post(body, **more).status_code for _ in range(3)] == [status, status, 429]


def test_a_request_with_another_method_or_an_invalid_key_does_not_count(hub):
    hub.load([a_session()], "example.com", "key", "--monthly-limit", "1")
    for key in (None, "", "unknown"):
        assert hub.post("{}", key).status_code == 401
    assert hub.client.get("/api/v1/conversions", headers={"Authentication": "key"}).status_code == 405
    assert statuses(hub, 2) == [200, 429]


def test_the_keys_of_an_account_share_its_limit(hub):
    for key in ("first", "second"):
        hub.load([], "example.com", key, "--monthly-limit", "3")
    assert statuses(hub, 2, "first") + statuses(hub, 2, "second") == [200, 200, 200, 429]


def test_each_account_has_its_own_limit(hub):
    hub.load([], "one.example", "one", "--monthly-limit", "1")
    hub.load([], "two.example", "two", "--monthly-limit", "2")
    hub.load([], "three.example", "three")
    assert [statuses(hub, 3, key) for key in ("one", "two", "three")] == [[200, 429, 429], [200, 200, 429], [200, 200, 200]]


def test_a_limit_of_0_refuses_every_request(hub):
    hub.load([], "example.com", "key", "--monthly-limit", "0")
    expected = {"error": "API monthly limit exceeded.", "limit": 0, "used": 0, "domain": "example.com"}
    assert body_of_429(hub.post("{}")) == expected


@pytest.mark.parametrize("limit", ["-1", "many", "1.5", ""])
def test_a_limit_must_be_a_non_negative_integer(hub, limit):
    outcome = hub.run("import", "-", "--domain", "example.com", "--key", "key", "--monthly-limit", limit)
    assert outcome.exit_code not in (0, None)
    assert isinstance(outcome.exception, SystemExit), outcome.exception


@pytest.fixture(scope="module")
def limit_of_0(tmp_path_factory) -> Path:
    """Provide the database of an account whose limit is 0."""
    hub = Hub(tmp_path_factory.mktemp("limit-of-0") / "conversions.sqlite")
    hub.load([], "example.com", "key", "--monthly-limit", "0")
    return hub.path


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        ("2025-08-15T12:00:00Z", 16 * 86400 + 12 * 3600),
        ("2025-08-31T23:59:59Z", 1),
        ("2025-09-01T00:00:00Z", 30 * 86400),
        ("2025-12-01T00:00:00Z", 31 * 86400),
        ("2025-12-31T00:00:00Z", 86400),
        ("2025-12-31T23:59:59Z", 1),
        ("2024-02-28T23:59:00Z", 86400 + 60),
        ("2025-02-28T23:59:00Z", 60),
        ("2025-09-01T01:00:00+02:00", 3600),
        ("2025-08-31T23:00:00-02:00", 30 * 86400 - 3600),
    ],
)
def test_retry_after_is_the_number_of_seconds_until_the_next_month_in_utc(limit_of_0, now, seconds):
    response = Hub(limit_of_0, now).post("{}")
    body_of_429(response)
    assert response.headers["Retry-After"] == str(seconds)


@pytest.mark.parametrize(
    ("used_up", "later"),
    [
        ("2025-08-31T23:59:59Z", "2025-09-01T00:00:00Z"),
        ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
        ("2025-08-15T12:00:00Z", "2026-08-15T12:00:00Z"),
        ("2025-09-01T01:59:59+02:00", "2025-09-01T02:00:00+02:00"),
        ("0999-12-31T23:59:59Z", "1000-01-01T00:00:00Z"),
    ],
)
def test_the_count_starts_again_in_the_next_month(hub, used_up, later):
    hub.load([], "example.com", "key", "--monthly-limit", "2")
    assert statuses(Hub(hub.path, used_up), 3) == [200, 200, 429]
    assert statuses(Hub(hub.path, later), 3) == [200, 200, 429]


def test_the_count_continues_in_another_process_until_the_last_second_of_the_month(hub):
    hub.load([], "example.com", "key", "--monthly-limit", "2")
    counted = [statuses(Hub(hub.path, now), 1) for now in ("2025-08-01T00:00:00Z", "2025-08-15T12:00:00Z", "2025-08-31T23:59:59Z")]
    assert counted == [[200], [200], [429]]


def test_a_request_from_an_account_without_a_limit_writes_nothing(hub):
    hub.load([a_session(conversions=[a_conversion()])])
    assert hub.post("{}").status_code == 200
    dump, data = rows(hub), stored(hub)
    for body in ("{}", '{"source": "(direct)"}', "{"):
        hub.post(body)
    assert stored(hub) == data
    assert rows(hub) == dump


@pytest.mark.parametrize(
    "now", [NOW, "2025-08-31T23:59:59Z", "2025-09-01T00:00:00Z", "2024-02-29T12:00:00Z", "2040-12-31T23:59:59Z"]
)
def test_the_bundled_key_over_limit_is_over_its_limit_in_any_month(bundled, now):
    hub = Hub(bundled.path, now)
    for body in ("{}", "{", '{"source": "google.com"}'):
        expected = {"error": "API monthly limit exceeded.", "limit": 5000, "used": 5000, "domain": "over-limit.example"}
        assert body_of_429(hub.post(body, "over-limit")) == expected


WORKERS = ("--workers", "4")


def test_every_post_is_counted_once_whatever_the_number_of_workers(hub):
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "key", "--monthly-limit", "150")
    with serving(hub, *WORKERS) as address, ThreadPoolExecutor(60) as clients:
        assert Counter(status for status, _ in clients.map(lambda _: post(address), range(200))) == {200: 150, 429: 50}
    assert body_of_429(hub.post("{}"))["used"] == 150


def count_statuses_at_the_turn_of_a_month(hub: Hub, times: int) -> Counter:
    """Send this many requests to each of two servers, 32 at a time, and count the responses by month and status.

    Both servers use the same database. One is in the last second of a month, the other in the first second of the next.
    """
    months = ["2025-08-31T23:59:59Z", "2025-09-01T00:00:00Z"]
    with ExitStack() as stack:
        addresses = {now: stack.enter_context(serving(Hub(hub.path, now), *WORKERS)) for now in months}
        clients = stack.enter_context(ThreadPoolExecutor(32))
        return Counter(clients.map(lambda now: (now[:7], post(addresses[now])[0]), months * times))


def test_two_months_are_counted_separately_at_the_turn_of_the_month(hub):
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "key", "--monthly-limit", "75")
    expected = {(month, status): times for month in ("2025-08", "2025-09") for status, times in ((200, 75), (429, 25))}
    assert count_statuses_at_the_turn_of_a_month(hub, 100) == expected
    with closing(sqlite3.connect(hub.path)) as database:
        assert database.execute("SELECT month, used FROM usage").fetchall() == [("2025-08", 75), ("2025-09", 75)]
