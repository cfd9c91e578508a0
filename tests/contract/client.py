"""Sends requests to the server that is checked, with one key; repeats those that fail on the line, and counts them."""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from pages import Page, Reader, Unusable, Walk
from records import mask_emails

PATH = "/api/v1/conversions"
LONGEST_WAIT = 60  # seconds that a Retry-After may ask for
TIMEOUT = 30
TRIES = 5  # of a request that fails each time, before the failure counts as the response to this request
MOST_FAILURES = 0.1  # of all requests
MOST_PAGES = 40  # of one walk


class NotWell(Exception):
    """The server, or the line to it, fails so often that nothing can be said about it."""


class Response(NamedTuple):
    status: int
    headers: Any
    body: bytes

    def __hash__(self):
        return hash((self.status, self.body))

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unusable("the body of a response is not JSON") from None

    @property
    def is_success(self) -> bool:
        """Return whether this is a page or the message. 201 is another reading; see readings.py."""
        return self.status in (200, 201)

    def __str__(self):
        try:
            body = json.loads(self.body)
            return f"{self.status}, {len(body['records'])} records, {json.dumps(body['pagination'])}"
        except (ValueError, KeyError, TypeError, RecursionError):
            return f"{self.status}, {mask_emails(self.body[:300].decode(errors='replace').strip()) or 'no body'}"


class Exchange(NamedTuple):
    """A request and its response."""

    method: str
    parameters: str
    body: str
    headers: tuple[tuple[str, str], ...]  # those that differ from the usual ones; a key is never shown
    response: Response

    def __str__(self):
        other = "".join(f" {name}: {value}" for name, value in self.headers)
        return f"{self.method} {self.parameters}{self.body or '(no body)'}{other} -> {self.response}"


class Client:
    """Sends each request once, and at most max_calls in all."""

    def __init__(self, url: str, key: str, max_calls: int, delay: float = 0, say: Callable[[str], None] = print):
        self.url = urlsplit(url)
        given = self.url.path
        # A final slash stays if the URL names the endpoint: a server can ask for it with a redirect.
        self.path = given if given.rstrip("/").endswith(PATH) else given.rstrip("/") + PATH
        self.key, self.max_calls, self.delay, self.say = key, max_calls, delay, say
        self.count = 0
        self.failed: Counter[str] = Counter()  # requests that failed on the line and were repeated, by status or fault
        self.closed = ""  # why no more calls are made
        self.not_well = ""
        self.control: tuple | None = None  # the first request that worked: it tells a failing request from a failing server
        self.responses: dict[tuple, Response] = {}
        self.seen: list[Exchange] = []  # what the running check sent, for the report
        self.all_seen: dict[Exchange, None] = {}  # what any check sent
        self.too_many: Exchange | None = None  # a 429
        self.reader = Reader()

    @property
    def endpoint(self) -> str:
        return f"{self.url.scheme}://{self.url.netloc}{self.path}"

    def send(self, body: str = "", method: str = "POST", parameters: str = "", **headers: str) -> Response:
        """Send a request exactly as given. Each usual header can be replaced, or left out with ""."""
        usual = {"Authentication": self.key, "Content-Type": "application/json"}
        other = {name: value for name, value in headers.items() if usual.get(name) != value}
        headers = {name: value for name, value in (usual | headers).items() if value}
        request = (body, method, parameters, tuple(headers.items()))
        response = self.responses.get(request)
        if response is None:
            response = self.responses[request] = self._send_until_certain(request)
        shown = tuple((name, "(another)" if value and name == "Authentication" else value) for name, value in other.items())
        exchange = Exchange(method, parameters, body, shown, response)
        self.seen.append(exchange)
        self.all_seen[exchange] = None
        if response.status == 429:
            self.too_many = exchange
            if not other.keys() & {"Prefer", "Authentication"}:
                self.closed = f"the server takes no more calls of this key: {response}"
                pytest.skip(self.closed)
        return response

    def _send_until_certain(self, request: tuple) -> Response:
        """Repeat a request that fails. A failure is the response to the request if it fails each time and another one does not.

        Raises NotWell if the other one fails too, or if more than a tenth of all requests failed.
        """
        failures: list[str] = []
        while True:
            response = self._waited_for(request)
            if isinstance(response, Response) and response.status < 500:
                self._note(failures)
                self.control = self.control or (request if response.is_success else None)
                return response
            failures.append(str(response.status) if isinstance(response, Response) else response)
            if len(failures) == 2 and not self._is_well(request):
                self._note(failures)
                self._give_up(f"{self.endpoint} fails again and again: {', '.join(failures)}")
            if len(failures) == TRIES and isinstance(response, Response):
                return response
            if len(failures) == 3 and not isinstance(response, Response):
                raise Unusable(f"{request[0][:300] or request[1]} gets no response: {response}")
            if len(failures) == 2 and response == "timeout":
                self._note(failures)
                pytest.skip(f"{request[0][:300] or request[1]} gets no response within {TIMEOUT} seconds")
            time.sleep(0.2 if isinstance(response, Response) else 0.5)

    def _is_well(self, request: tuple) -> bool:
        if self.control is None or self.control == request:
            return False
        response = self._waited_for(self.control)
        return isinstance(response, Response) and response.status < 500

    def _note(self, failures: list[str]) -> None:
        self.failed.update(failures)
        if self.failed.total() > max(3, MOST_FAILURES * self.count):
            self._give_up(self.line_faults)

    def _give_up(self, why: str) -> None:
        self.not_well = self.closed = f"the server is not well: {why}"
        raise NotWell(self.not_well)

    @property
    def line_faults(self) -> str:
        """Say how many requests failed on the line."""
        count = self.failed.total()
        return f"{count} of {self.count} requests failed and were repeated: {', '.join(sorted(self.failed))}" if count else ""

    def _waited_for(self, request: tuple) -> Response | str:
        """Send a request, and once more if the server asks to wait. Return the response, or the fault of the line."""
        response = self._call(request)
        seconds = self._seconds_to_wait(response, dict(request[3])) if isinstance(response, Response) else None
        if seconds is None:
            return response
        if seconds:
            self.say(f"429 with Retry-After: the kit waits {seconds} seconds")
        time.sleep(seconds)
        return self._call(request)

    def _seconds_to_wait(self, response: Response, headers: dict) -> int | None:
        retry_after = str(response.headers.get("Retry-After", "")).strip()
        is_ours = "Prefer" not in headers and headers.get("Authentication") == self.key
        if response.status == 429 and is_ours and retry_after.isdecimal() and int(retry_after) <= LONGEST_WAIT:
            return int(retry_after)
        return None

    def _call(self, request: tuple) -> Response | str:
        if not self.closed and self.count >= self.max_calls:
            self.closed = f"the {self.max_calls} calls of --max-calls are used up"
        if self.closed:
            pytest.skip(self.closed)
        if self.delay and self.count:
            time.sleep(self.delay)
        try:
            return self._send(*request)
        except TimeoutError:
            return "timeout"
        except (OSError, HTTPException) as fault:
            return str(fault) or type(fault).__name__

    def _send(self, body: str, method: str, parameters: str, headers: tuple) -> Response:
        self.count += 1
        connect = HTTPSConnection if self.url.scheme == "https" else HTTPConnection
        connection = connect(self.url.hostname, self.url.port, timeout=TIMEOUT)
        try:
            chunked = any(name == "Transfer-Encoding" for name, _ in headers)
            content = iter([body.encode()]) if chunked else body.encode()
            connection.request(method, self.path + parameters, content, dict(headers), encode_chunked=chunked)
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def ask(self, query: dict, **headers: str) -> Response:
        return self.send(json.dumps(query, ensure_ascii=False), **headers)

    def too_many_of(self, key: str) -> Exchange | None:
        """Return the 429 of a key that is over its limit."""
        response = self.ask({}, Authentication=key)
        return self.seen[-1] if response.status == 429 else None

    def fresh(self, query: dict) -> Response | None:
        """Send a query again that was sent before, even if no more calls are left."""
        headers = (("Authentication", self.key), ("Content-Type", "application/json"))
        try:
            return self._send(json.dumps(query, ensure_ascii=False), "POST", "", headers)
        except (OSError, HTTPException):
            return None

    def page(self, query: dict) -> Page:
        """Return the page of a query, which must get a page or the message."""
        response = self.ask(query)
        if not response.is_success:
            raise Unusable(f"{json.dumps(query, ensure_ascii=False)} gets the response {response}")
        return self.reader.read(response)

    def walk(self, query: dict) -> Walk:
        """Return all pages. A walk that goes on past the total is cut short."""
        pages, offsets = [self.page(query)], [0]
        while pages[-1].has_more and offsets[-1] < pages[-1].records_processed < max(1, pages[0].total_records):
            if len(pages) >= min(MOST_PAGES, max(4, self.max_calls // 8)):
                pytest.skip(f"{json.dumps(query, ensure_ascii=False)} has more pages than --max-calls allows for one query")
            offsets.append(pages[-1].records_processed)
            pages.append(self.page(query | {"offset": offsets[-1]}))
        return Walk(query, pages, offsets)

    def clock(self, query: dict) -> datetime:
        """Return the time of the response to a query by its Date header, or by this machine's clock if it has none."""
        try:
            moment = parsedate_to_datetime(self.ask(query).headers["Date"])
        except (TypeError, ValueError):
            return datetime.now(UTC)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
