"""Sends requests to the server that is checked, with one key, and reads the responses."""

import json
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from records import Page, Record, Records, Walk, mask_emails

PATH = "/api/v1/conversions"
LONGEST_WAIT = 60  # seconds that a Retry-After may ask for
MAX_FAILURES = 3  # connections in a row, after which the server counts as gone


class Unusable(Exception):
    """A response that no check can continue with. It is reported once, by the first check that receives it."""

    def __init__(self, fault: str):
        super().__init__(fault)
        self.fault = fault


class Response(NamedTuple):
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unusable("the body of a response is not JSON") from None

    def __str__(self):
        try:
            body = json.loads(self.body)
            return f"{self.status}, {len(body['records'])} records, {json.dumps(body['pagination'])}"
        except (ValueError, KeyError, TypeError, RecursionError):
            return f"{self.status}, {mask_emails(self.body[:300].decode(errors='replace').strip()) or 'no body'}"


class Exchange(NamedTuple):
    """A request in one line, and its response."""

    request: str
    response: Response

    def __str__(self):
        return f"{self.request} -> {self.response}"


class Client:
    """Sends each request once, and at most max_calls in all."""

    def __init__(self, url: str, key: str, max_calls: int, delay: float = 0, when_over=pytest.skip):
        self.url = urlsplit(url)
        self.path = self.url.path.rstrip("/").removesuffix(PATH) + PATH
        self.key, self.max_calls, self.delay, self.when_over = key, max_calls, delay, when_over
        self.count = 0
        self.failures = 0
        self.closed = ""  # why no more calls are made
        self.responses: dict[tuple, Response] = {}
        self.pages: dict[bytes, Page] = {}  # what was read from each body
        self.seen: list[Exchange] = []  # what the running check sent, for the report
        self.too_many: Exchange | None = None  # a 429
        # Fields of a response whose type is wrong, with what was found instead.
        self.wrong_types: dict[str, str] = {}

    @property
    def endpoint(self) -> str:
        return f"{self.url.scheme}://{self.url.netloc}{self.path}"

    def send(self, body: str = "", method: str = "POST", parameters: str = "", **headers: str) -> Response:
        """Send a request exactly as given. Each usual header can be replaced, or left out with ""."""
        usual = {"Authentication": self.key, "Content-Type": "application/json"}
        other = {name: value for name, value in headers.items() if usual.get(name) != value}
        headers = {name: value for name, value in (usual | headers).items() if value}
        request = (method, parameters, body, *headers.items())
        response = self.responses.get(request)
        if response is None:
            response = self._call_with_retry(body, method, parameters, headers)
            if response.status < 500:
                self.responses[request] = response
        # Keys are not shown.
        shown = "".join(f" {name}: {'(another)' if value and name == 'Authentication' else value}" for name, value in other.items())
        exchange = Exchange(f"{method} {parameters}{body or '(no body)'}{shown}", response)
        self.seen.append(exchange)
        if response.status == 429:
            self.too_many = exchange
            if not other.keys() & {"Prefer", "Authentication"}:
                self.closed = f"the server takes no more calls of this key: {response}"
                self.when_over(self.closed)
        return response

    def too_many_of(self, key: str) -> Exchange | None:
        """Return the 429 of a key that is over its limit."""
        self.ask({}, Authentication=key)
        return self.seen[-1] if self.seen[-1].response.status == 429 else None

    def _call_with_retry(self, body: str, method: str, parameters: str, headers: dict) -> Response:
        """Send a request, and once more if the server fails or asks to wait. The second response counts."""
        try:
            response = self._call(body, method, parameters, headers)
        except (OSError, HTTPException):
            wait = 1.0
        else:
            wait = self._seconds_to_wait(response, headers)
            if wait is None:
                self.failures = 0
                return response
        time.sleep(wait)
        try:
            response = self._call(body, method, parameters, headers)
        except (OSError, HTTPException) as fault:
            self.failures += 1
            reason = str(fault) or type(fault).__name__
            if self.failures >= MAX_FAILURES:
                self.closed = f"the server does not respond any more: {reason}"
            raise Unusable(f"{self.endpoint} does not respond: {reason}") from None
        self.failures = 0
        return response

    def _seconds_to_wait(self, response: Response, headers: dict) -> float | None:
        """Return after how many seconds to send a request again, or None if its response counts."""
        if response.status >= 500:
            return 0.2
        retry_after = str(response.headers.get("Retry-After", "")).strip()
        if (
            response.status == 429
            and "Prefer" not in headers
            and headers.get("Authentication") == self.key
            and retry_after.isdecimal()
            and int(retry_after) <= LONGEST_WAIT
        ):
            return int(retry_after)
        return None

    def _call(self, body: str, method: str, parameters: str, headers: dict) -> Response:
        if not self.closed and self.count >= self.max_calls:
            self.closed = f"the {self.max_calls} calls of --max-calls are used up"
        if self.closed:
            self.when_over(self.closed)
        if self.delay and self.count:
            time.sleep(self.delay)
        return self._send(body, method, parameters, headers)

    def _send(self, body: str, method: str, parameters: str, headers: dict) -> Response:
        self.count += 1
        connect = HTTPSConnection if self.url.scheme == "https" else HTTPConnection
        connection = connect(self.url.hostname, self.url.port, timeout=30)
        try:
            connection.request(method, self.path + parameters, body.encode(), headers)
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def ask(self, query: dict, **headers: str) -> Response:
        return self.send(json.dumps(query, ensure_ascii=False), **headers)

    def fresh(self, query: dict) -> Response:
        """Send a query again that was sent before, even if no more calls are left."""
        headers = {"Authentication": self.key, "Content-Type": "application/json"}
        try:
            return self._send(json.dumps(query, ensure_ascii=False), "POST", "", headers)
        except (OSError, HTTPException) as fault:
            raise Unusable(str(fault)) from None

    def page(self, query: dict) -> Page:
        """Return the page of a query, which must get a 200."""
        response = self.ask(query)
        if response.status != 200:
            raise Unusable(f"{json.dumps(query, ensure_ascii=False)} gets the response {response}")
        return self.read(response)

    def read(self, response: Response) -> Page:
        """Return the page that a response contains."""
        if response.body not in self.pages:
            self.pages[response.body] = self._read(response)
        return self.pages[response.body]

    def _read(self, response: Response) -> Page:
        body = response.json
        if not isinstance(body, dict):
            raise Unusable(f"the body of a response is not an object but {kind(body)}")
        if "message" in body and "records" not in body:
            return Page(Records(), 0, 0, False)
        pagination = self._field(body, "pagination", dict)
        return Page(
            Records(self._record(record) for record in self._field(body, "records", list)),
            self._field(pagination, "records_processed", int),
            self._field(pagination, "total_records", int),
            self._field(pagination, "has_more", bool),
        )

    def _field(self, of: dict, name: str, expected: type) -> Any:
        """Return a field's value. If only its type is wrong, note that and go on with what it seems to mean."""
        value = of.get(name)
        if type(value) is expected:
            return value
        self.wrong_types.setdefault(name, kind(value) if name in of else "missing")
        try:
            if expected is bool and value is not None:
                return str(value).lower() in ("true", "1", "yes")
            if expected is int:
                return int(value)
        except (TypeError, ValueError):
            pass
        raise Unusable(f"{name} is not {KINDS[expected]} but {self.wrong_types[name]}")

    def _record(self, fields: Any) -> Record:
        if not isinstance(fields, dict):
            self.wrong_types.setdefault("records", f"a list with {kind(fields)}")
            raise Unusable(f"a record is not an object but {kind(fields)}")
        for name in ("email", "previous_page", "conversion_page"):
            if not isinstance(fields.get(name), str | None):
                self.wrong_types.setdefault(name, kind(fields[name]))
        meta = fields.get("conversion_meta")
        if meta is not None and not isinstance(meta, dict):
            self.wrong_types.setdefault("conversion_meta", kind(meta))
        elif meta:
            for name in ("type", "id"):
                if not isinstance(meta.get(name), str | None):
                    self.wrong_types.setdefault(name, kind(meta[name]))
        return Record(fields, self._moment(fields.get("timestamp")))

    def _moment(self, value: Any) -> datetime:
        """Read a timestamp. A number of seconds is noted as a wrong type, and read all the same."""
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)
                if moment.tzinfo is None:
                    return moment.replace(tzinfo=UTC)
                if moment.utcoffset():
                    self.wrong_types.setdefault("timestamp", f"in another time zone: {value}")
                return moment.astimezone(UTC)
            self.wrong_types.setdefault("timestamp", "missing" if value is None else kind(value))
            if isinstance(value, int | float) and not isinstance(value, bool):
                return datetime.fromtimestamp(value / 1000 if value > 10**11 else value, UTC)
        except (ValueError, OverflowError, OSError):
            self.wrong_types.setdefault("timestamp", f"not ISO 8601 but {value}")
        raise Unusable(f"timestamp is not an ISO 8601 date-time but {self.wrong_types['timestamp']}")

    def walk(self, query: dict) -> Walk:
        """Return all pages. A walk that would not end is cut short."""
        pages, offsets = [self.page(query)], [0]
        while pages[-1].has_more and pages[-1].records_processed > offsets[-1] and len(pages) <= pages[0].total_records / 50:
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


KINDS = {dict: "an object", list: "a list", int: "an integer", bool: "true or false"}


def kind(value: Any) -> str:
    """Name the type of a JSON value, with the value if it is short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    name = {bool: "a boolean", int: "a number", float: "a number", str: "a string", type(None): "null"}[type(value)]
    return name if value is None else mask_emails(f"{name} ({json.dumps(value, ensure_ascii=False)[:60]})")
