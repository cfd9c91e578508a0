"""Black-box checks of POST /api/v1/conversions: they hold for any data, and ask over HTTP alone.

    pytest tests/contract --base-url https://app.example.com --api-key KEY

tells where that server differs from the published text. It reads, and changes nothing but the count of calls. All it needs is this
folder, Python 3.11 and pytest. With -m "not beyond_the_text", what the text does not state itself is left out.

Without --base-url, the same checks run against this project's own server, once for each key of OWN.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

PATH = "/api/v1/conversions"
MAX_CALLS = 200
SESSION_FILTERS = ["source", "medium", "campaign", "content", "term", "landing_page"]
# Values that most sites have; those that match nothing are skipped. People often convert on the page on which they came.
WELL_KNOWN = ["source=google.com", "source=(direct)", "medium=organic", "landing_page=$entry_page"]
OWN = {
    "YOUR_API_KEY": [
        "source=google.com",
        "landing_page=$entry_page",
        "campaign=brand-search",
        "content=headline-a",
        "term=attribution software",
    ],
    "boundaries": ["source=google.com", "campaign=60-in-one-session", "campaign=tied-timestamps"],
    "sparse": ["source=google.com", "medium=organic"],
}
SECOND = timedelta(seconds=1)


def iso(moment: datetime) -> str:
    """The form of the published examples: 2025-07-01T23:59:59Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Record(dict):
    """A conversion, as it came."""

    def __hash__(self):
        return hash(json.dumps(self, sort_keys=True))

    @property
    def moment(self) -> datetime:
        moment = datetime.fromisoformat(self["timestamp"])
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def filters(self) -> dict[str, Any]:
        """What the conversion filters would have to be to find it."""
        meta = self.get("conversion_meta") or {}
        return {"conversion_page": self.get("conversion_page"), "meta_type": meta.get("type"), "meta_id": meta.get("id")}

    def matches(self, filters: dict) -> bool:
        return filters.items() <= self.filters.items()


class Records(list[Record]):
    """Conversions as a multiset: different ones can look the same."""

    def where(self, condition: Callable[[Record], bool]) -> "Records":
        return Records(record for record in self if condition(record))

    def minus(self, other: "Records") -> list[Record]:
        return list((Counter(self) - Counter(other)).elements())


class Window(NamedTuple):
    start: datetime
    end: datetime

    @property
    def query(self) -> dict[str, str]:
        return {"start_date": iso(self.start), "end_date": iso(self.end)}

    def has(self, record: Record) -> bool:
        return self.start <= record.moment <= self.end

    def parts(self, records: Records) -> "list[Window]":
        """The same window as up to three that meet without a gap, each with about as many of the records."""
        moments = sorted(record.moment for record in records)
        cuts = sorted({moments[len(moments) // 3], moments[len(moments) * 2 // 3]} - {self.start})
        return [Window(*ends) for ends in zip([self.start, *cuts], [*(cut - SECOND for cut in cuts), self.end], strict=True)]


class Page(NamedTuple):
    """An answer; that of nothing found is a page of nothing."""

    records: Records
    records_processed: int
    total_records: int
    has_more: bool
    at: datetime


class Walk(NamedTuple):
    """All pages of a query, each asked for as the text says to; it is cut short where it would not end."""

    query: dict
    pages: list[Page]
    offsets: list[int]

    @property
    def records(self) -> Records:
        return Records(record for page in self.pages for record in page.records)


class Answer(NamedTuple):
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            pytest.fail(f"this is not JSON: {self}")

    def __str__(self):
        try:
            body = json.loads(self.body)
            return f"{self.status}, {len(body['records'])} records, {json.dumps(body['pagination'])}"
        except (ValueError, KeyError, TypeError):
            return f"{self.status}, {self.body[:300].decode(errors='replace').strip()}"


class Client:
    """Asks one server with one key, nothing twice, and at most max_calls times."""

    def __init__(
        self, url: str, key: str, session_filters: list[str], max_calls: int, dates: dict[str, str], when_over=pytest.skip
    ):
        self.url = urlsplit(url)
        self.path = self.url.path.rstrip("/").removesuffix(PATH) + PATH
        self.key, self.session_filters, self.max_calls, self.when_over = key, session_filters, max_calls, when_over
        self.most_conversions = 2 * max_calls  # in the window: each walk through it takes a call for 50 of them
        self.dates = dates  # start_date and end_date, where they are given
        self.count = 0
        self.closed = ""
        self.answers: dict[tuple, Answer] = {}
        self.seen: list[str] = []  # what the running test asked, for the report

    @property
    def endpoint(self) -> str:
        return f"{self.url.scheme}://{self.url.netloc}{self.path}"

    def send(self, body: str = "", method: str = "POST", parameters: str = "", **headers: str) -> Answer:
        """The answer to a request given to the letter. Each usual header can be given otherwise, or left out with ""."""
        usual = {"Authentication": self.key, "Content-Type": "application/json"}
        headers = {name: value for name, value in (usual | headers).items() if value}
        request = (method, parameters, body, *headers.items())
        if request not in self.answers:
            self.answers[request] = self._call(method, parameters, body, headers)
        self.seen.append(f"{method} {parameters} {body or '(no body)'} -> {self.answers[request]}")
        return self.answers[request]

    def _call(self, method: str, parameters: str, body: str, headers: dict) -> Answer:
        if self.count >= self.max_calls:
            self.closed = f"the {self.max_calls} calls of --max-calls are made, and this needs more"
        if self.closed:
            self.when_over(self.closed)
        self.count += 1
        connect = HTTPSConnection if self.url.scheme == "https" else HTTPConnection
        connection = connect(self.url.hostname, self.url.port, timeout=30)
        try:
            connection.request(method, self.path + parameters, body.encode(), headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (OSError, HTTPException) as fault:
            pytest.fail(f"{self.endpoint} gives no answer to {method} {body}: {fault or type(fault).__name__}", pytrace=False)
        finally:
            connection.close()
        if answer.status == 429:
            self.closed = f"the server takes no more calls of this key: {answer}"
            self.when_over(self.closed)
        return answer

    def ask(self, query: dict, **headers: str) -> Answer:
        return self.send(json.dumps(query, ensure_ascii=False), **headers)

    def page(self, query: dict) -> Page:
        answer = self.ask(query)
        if answer.status != 200:
            pytest.fail(f"{json.dumps(query)} was answered {answer}")
        at = parsedate_to_datetime(answer.headers["Date"]) if "Date" in answer.headers else datetime.now(UTC)
        body = answer.json
        if "message" in body:
            return Page(Records(), 0, 0, False, at)
        try:
            processed, total, more = (body["pagination"][name] for name in ("records_processed", "total_records", "has_more"))
            return Page(Records(map(Record, body["records"])), processed, total, more, at)
        except (KeyError, TypeError):
            pytest.fail(f"{json.dumps(query)} was answered with neither a page nor a message: {answer}")

    def walk(self, query: dict) -> Walk:
        pages, offsets = [self.page(query)], [0]
        while pages[-1].has_more and pages[-1].records_processed > offsets[-1] and len(pages) <= pages[0].total_records / 50:
            offsets.append(pages[-1].records_processed)
            pages.append(self.page(query | {"offset": offsets[-1]}))
        return Walk(query, pages, offsets)

    @cached_property
    def window(self) -> Window:
        """From the newest conversion back to the oldest that leaves calls enough; it stands still while the clock goes on."""
        newest = self.page(self.dates)
        if not newest.records:
            pytest.skip(f"no conversions in {self.dates or 'the last 30 days'}; --start-date and --end-date choose another window")
        oldest = self.page(self.dates | {"offset": min(newest.total_records, self.most_conversions) - 1})
        moments = [record.moment for record in newest.records + oldest.records[:1]]
        return Window(min(moments), max(moments))

    @cached_property
    def sample(self) -> Record:
        """A conversion from the midst of the window, preferably not at midnight, when a date alone is easy to get right."""
        records = self.walk(self.window.query).records
        later, earlier = records[: len(records) // 2], records[len(records) // 2 :]
        return next((record for record in earlier + later if iso(record.moment)[11:19] != "00:00:00"), records[0])

    @cached_property
    def facts(self) -> dict[str, str]:
        """What the cases, and the session filters, can name with a dollar sign."""
        moment = self.sample.moment
        records = self.walk(self.window.query).records
        entry = next((record for record in records if not record.get("previous_page")), records[0])
        return {
            "start": iso(self.window.start),
            "end": iso(self.window.end),
            "thirty_days_before_end": iso(self.window.end - timedelta(days=30)),
            "instant": iso(moment),
            "instant_at_plus_2": moment.astimezone(timezone(timedelta(hours=2))).isoformat(timespec="seconds"),
            "instant_at_minus_5_30": moment.astimezone(timezone(-timedelta(hours=5, minutes=30))).isoformat(timespec="seconds"),
            "timestamp": self.sample["timestamp"],
            "day": iso(moment)[:10],
            "bare_instant": iso(moment)[:-1],
            "bare_second_before": iso(moment - SECOND)[:-1],
            "second_after": iso(moment + SECOND),
            "entry_page": str(entry.filters["conversion_page"]),
        } | {name: str(value) for name, value in self.sample.filters.items()}

    def fill(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.fill(inner) for name, inner in value.items()}
        return Template(value).substitute(self.facts) if isinstance(value, str) and "$" in value else value

    def filter(self, pair: str) -> dict[str, str]:
        """The query of NAME=VALUE."""
        name, _, value = pair.partition("=")
        return {name: self.fill(value)}


@pytest.fixture(scope="session")
def own_server(tmp_path_factory) -> Iterator[str]:
    """The URL of this project's own server, with its bundled data."""
    folder = tmp_path_factory.mktemp("contract")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CONVERSIONS_", "FLASK_"))}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "run", "--port", "0"],
            cwd=Path(__file__).parents[2],
            env=environment | {"CONVERSIONS_DATABASE": str(folder / "conversions.sqlite")},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 60
        while not (running := re.search(r"Running on (http://\S+)\s", (folder / "log").read_text())):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("flask run does not serve:\n" + (folder / "log").read_text(), pytrace=False)
            time.sleep(0.05)
        yield running[1]
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def own_clients(own_server) -> dict[str, Client]:
    clients = {key: Client(own_server, key, filters, MAX_CALLS, {}, when_over=pytest.fail) for key, filters in OWN.items()}
    # All of its conversions, for there are pages among them that end with exactly 50.
    clients["boundaries"].most_conversions = 1000
    return clients


@pytest.fixture
def api(request) -> Client:
    api = request.config.stash.get(GIVEN, None) or request.getfixturevalue("own_clients")[request.param]
    api.seen.clear()
    return api


@pytest.fixture
def window(api) -> Window:
    return api.window


@pytest.fixture
def direct_walk(api, window) -> Walk:
    return api.walk(window.query)


@pytest.fixture
def walk(request, api, window) -> Walk:
    """Of a direct query, or of a session query with one filter."""
    if request.param == "direct":
        return api.walk(window.query)
    walk = api.walk(window.query | api.filter(request.param))
    if not walk.records:
        pytest.skip(f"nothing matches the session filter {request.param}; --session-filter NAME=VALUE gives others")
    return walk


# The same fixture; the parameters make the difference.
session_walk = walk


# What follows is about pytest alone: options, parameters, reports.

GIVEN = pytest.StashKey[Client]()


def pytest_addoption(parser):
    group = parser.getgroup("contract", "the server to check (default: this project's own)")
    group.addoption("--base-url", metavar="URL", help="root of the server, or the whole URL of the endpoint")
    group.addoption("--api-key", metavar="KEY", help="sent as the header Authentication")
    group.addoption("--max-calls", metavar="N", type=int, default=MAX_CALLS, help=f"skip what needs more (default: {MAX_CALLS})")
    group.addoption(
        "--session-filter",
        metavar="NAME=VALUE",
        action="append",
        help=f"a session filter that should match something; repeatable (default: {', '.join(WELL_KNOWN)})",
    )
    group.addoption("--start-date", metavar="DATE", help="of the data to look at (default: the last 30 days)")
    group.addoption("--end-date", metavar="DATE", help="likewise")


def pytest_configure(config):
    config.addinivalue_line("markers", "beyond_the_text: holds a decision of this project that the published text does not state")
    url, key = config.getoption("base_url", None), config.getoption("api_key", None)
    filters = config.getoption("session_filter", None)
    dates = {name: value for name in ("start_date", "end_date") if (value := config.getoption(name, None))}
    for pair in filters or []:
        if not re.match(rf"({'|'.join(SESSION_FILTERS)})=", pair):
            raise pytest.UsageError(f"--session-filter {pair}: should be NAME=VALUE, with a NAME of {', '.join(SESSION_FILTERS)}")
    if url and key:
        if not re.match(r"https?://[^/]", url):
            raise pytest.UsageError(f"--base-url {url}: should be such as http://127.0.0.1:5000")
        config.stash[GIVEN] = Client(url, key, filters or WELL_KNOWN, config.getoption("max_calls"), dates)
    elif url or key or filters or dates:
        raise pytest.UsageError("give both --base-url and --api-key, or no option at all to check this project's own server")


def pytest_report_header(config):
    if GIVEN in config.stash:
        return f"asking {config.stash[GIVEN].endpoint}, at most {config.stash[GIVEN].max_calls} times"
    return None


def pytest_runtestloop(session):
    """One call first: where it fails, so would all the others."""
    if GIVEN not in session.config.stash or session.config.option.collectonly:
        return
    api = session.config.stash[GIVEN]
    try:
        answer = api.ask(api.dates)
    except (pytest.fail.Exception, pytest.skip.Exception) as fault:
        raise pytest.UsageError(str(fault)) from None
    if answer.status == 401:
        raise pytest.UsageError(f"{api.endpoint} does not know the key of --api-key. It answered {answer}")
    if answer.status != 200:
        raise pytest.UsageError(f"{api.endpoint} should answer {json.dumps(api.dates)} with 200. It answered {answer}")


def pytest_generate_tests(metafunc):
    given = metafunc.config.stash.get(GIVEN, None)
    # The id is the host then: the key to another's server is not for showing.
    filters = {given.url.netloc: given.session_filters} if given else OWN
    if "walk" in metafunc.fixturenames:
        rows = [(key, pair) for key, pairs in filters.items() for pair in ["direct", *pairs]]
        metafunc.parametrize(("api", "walk"), rows, indirect=True)
    elif "session_walk" in metafunc.fixturenames:
        rows = [(key, pair) for key, pairs in filters.items() for pair in pairs]
        metafunc.parametrize(("api", "session_walk"), rows, indirect=True)
    elif "api" in metafunc.fixturenames:
        metafunc.parametrize("api", filters, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        case = item.callspec.params.get("case")
        report.sections.append(("what should hold", case["text"] if case else item.function.__doc__))
        if "api" in item.funcargs:
            report.sections.append(("what was asked", "\n".join(item.funcargs["api"].seen[-5:])))
    return report


def pytest_terminal_summary(terminalreporter, config):
    if GIVEN in config.stash:
        reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", []))
        for reason, count in reasons.items():
            terminalreporter.write_line(f"{count} skipped: {reason}")
        terminalreporter.write_line(f"{config.stash[GIVEN].count} calls were made to {config.stash[GIVEN].endpoint}")
