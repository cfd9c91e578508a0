"""Hostile requests: each one gets a response in JSON, quickly, and never a 5xx.

Requests that a client library would correct are sent over sockets, to each server that the README names. Such a server may respond
to malformed HTTP in its own way. Requests that a client library does not change are sent in process.
"""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import quote

import pytest
from conversions_api.api import PATH
from conversions_api.body import LARGEST_BODY
from conversions_api.schemas import ConversionsPage, Message

from .conftest import REPOSITORY, SERVERS, Hub, a_conversion, a_session
from .test_limits import rows
from .test_request import DATES, STRINGS
from .test_request import post as post_in_form

VECTORS = json.loads((REPOSITORY / "tests" / "hostile.json").read_text())
TEXTS = VECTORS["sql"] + VECTORS["texts"] + ["a" * 60_000, "\U0001f4a9" * 5_000, "(" * 30_000, "%" * 30_000]

LONGEST = 5  # seconds that a response over a socket may take on a busy machine


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Hub:
    hub = Hub(tmp_path_factory.mktemp("hostile") / "conversions.sqlite")
    hub.load([a_session(utm_source="s'--", conversions=[a_conversion()])])
    return hub


@pytest.fixture(scope="module")
def addresses(hub) -> Iterator[dict[str, tuple[str, int]]]:
    """Start each server that the README names, on the same database, and return the addresses."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(serve(hub)) for name, serve in SERVERS.items()}


def exchange(address: tuple[str, int], sent: bytes, is_whole: bool) -> tuple[int | None, bytes, bytes]:
    """Return the status, head and body of the response to these bytes. The status is None if there is no response.

    A client that has not sent a whole request says that nothing more comes. Granian takes that for the end of the connection.
    """
    received = b""
    with socket.create_connection(address, timeout=LONGEST) as connection:
        try:
            with suppress(ConnectionError):  # the server may close the connection early
                connection.sendall(sent)
            if not is_whole:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except TimeoutError:
            raise
        except OSError:
            pass  # closed before everything was sent: what was received counts
    status = re.match(rb"HTTP/1\.[01] (\d{3}) ?", received)
    head, _, body = received.partition(b"\r\n\r\n")
    return int(status[1]) if status else None, head, body


def post(*headers: str | bytes, body: bytes = b"", start: str | bytes = f"POST {PATH} HTTP/1.1") -> bytes:
    lines = [start, "Host: localhost", "Connection: close", *headers]
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\r\n\r\n" + body


KEY, JSON, CHUNKED = "Authentication: key", "Content-Type: application/json", "Transfer-Encoding: chunked"


def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def of(length: int) -> str:
    return f"Content-Length: {length}"


BLANK = b" " * LARGEST_BODY

# Well-formed HTTP, with the statuses that it may get. The app itself responds, in JSON.
WELL_FORMED = {
    "a valid request": (post(KEY, JSON, of(2), body=b"{}"), {200}),
    "a valid request in chunks": (post(KEY, JSON, CHUNKED, body=chunks(b"{", b"}")), {200, 400}),  # 400: chunks unsupported
    "the key header twice": (post(KEY, KEY, JSON, of(2), body=b"{}"), {401}),
    "the key, then a wrong key": (post(KEY, "Authentication: other", JSON, of(2), body=b"{}"), {401}),
    "a wrong key, then the key": (post("Authentication: other", KEY, JSON, of(2), body=b"{}"), {401}),
    "two keys in one header": (post("Authentication: key, key", JSON, of(2), body=b"{}"), {401}),
    "a key between spaces and tabs": (post("Authentication: \t key \t", JSON, of(2), body=b"{}"), {200}),
    "a scheme before the key": (post("Authentication: Bearer key", JSON, of(2), body=b"{}"), {401}),
    "an empty key": (post("Authentication:", JSON, of(2), body=b"{}"), {401}),
    "a key in UTF-8": (post("Authentication: ключ", JSON, of(2), body=b"{}"), {401, 400}),
    "a key in Latin-1": (post(b"Authentication: cl\xe9", JSON, of(2), body=b"{}"), {401, 400}),
    "a key in no valid encoding": (post(b"Authentication: \xff\xfe\xc0", JSON, of(2), body=b"{}"), {401, 400}),
    "a key of 4 KB": (post("Authentication: " + "k" * 4000, JSON, of(2), body=b"{}"), {401}),
    "SQL as a key": (post("Authentication: ' OR 1=1 --", JSON, of(2), body=b"{}"), {401}),
    "a content type in no valid encoding": (post(KEY, b"Content-Type: \xff\xfe", of(2), body=b"{}"), {415, 400}),
    "the content type twice": (post(KEY, JSON, "Content-Type: text/plain", of(2), body=b"{}"), {200, 400, 415}),
    "an unknown charset": (post(KEY, JSON + "; charset=klingon", of(2), body=b"{}"), {200}),
    "a multipart body": (post(KEY, "Content-Type: multipart/form-data; boundary=x", of(7), body=b"--x--\r\n"), {415}),
    "form data": (post(KEY, "Content-Type: application/x-www-form-urlencoded", of(3), body=b"a=b"), {415}),
    "a compressed body": (post(KEY, JSON, "Content-Encoding: gzip", of(2), body=b"\x1f\x8b"), {400, 415}),
    "a Range header": (post(KEY, JSON, "Range: bytes=0-0", of(2), body=b"{}"), {200}),
    "conditional headers": (post(KEY, JSON, "If-None-Match: *", "If-Modified-Since: x", of(2), body=b"{}"), {200}),
    "Accept headers that accept nothing": (post(KEY, JSON, "Accept: */*;q=0", "Accept-Encoding: *;q=0", of(2), body=b"{}"), {200}),
    "a method override header": (post(KEY, JSON, "X-HTTP-Method-Override: DELETE", of(2), body=b"{}"), {200}),
    "a forged client address": (post(KEY, JSON, "X-Forwarded-For: ' OR 1=1", "Forwarded: for=_", of(2), body=b"{}"), {200}),
    "an invalid host": (post(KEY, JSON, of(2), body=b"{}").replace(b"localhost", b"a@b:c/../\xff"), {200, 400}),
    "a cookie of 4 KB": (post(KEY, JSON, "Cookie: " + "c=d; " * 800, of(2), body=b"{}"), {200}),
    "ninety headers": (post(KEY, JSON, *(f"X-{n}: {n}" for n in range(90)), of(2), body=b"{}"), {200}),
    "a body at the limit": (post(KEY, JSON, of(LARGEST_BODY), body=BLANK), {200}),
    "a body over the limit": (post(KEY, JSON, of(LARGEST_BODY + 1), body=BLANK + b" "), {413, None}),
    "chunks at the limit": (post(KEY, JSON, CHUNKED, body=chunks(BLANK)), {200, 400}),
    "chunks over the limit": (post(KEY, JSON, CHUNKED, body=chunks(b'{"meta_type": "x"}', BLANK)), {413, 400, None}),
    "many chunks over the limit": (post(KEY, JSON, CHUNKED, body=chunks(b"{}", *[b" "] * (LARGEST_BODY + 1))), {413, 400, None}),
    "valid up to the limit": (post(KEY, JSON, CHUNKED, body=chunks(b"{}".ljust(LARGEST_BODY), b"}")), {413, 400, None}),
    "a length over the limit and no body": (post(KEY, JSON, of(10**9)), {413, 400, None}),
    "a header of 64 KB": (post("X-Long: " + "a" * 65_536, KEY, JSON, of(2), body=b"{}"), {200, 400, 431}),
    "a thousand headers": (post(KEY, JSON, *(f"X-{n}: {n}" for n in range(1000)), of(2), body=b"{}"), {200, 400, 431, None}),
    "HTTP/1.0": (post(KEY, JSON, of(2), body=b"{}", start=f"POST {PATH} HTTP/1.0"), {200}),
    "HTTP/1.0 without a length": (post(KEY, JSON, body=b"{}", start=f"POST {PATH} HTTP/1.0"), {200}),
    "a method of another protocol": (post(KEY, start=f"PROPFIND {PATH} HTTP/1.1"), {405, 501}),
    "a method in lower case": (post(KEY, start=f"post {PATH} HTTP/1.1"), {200, 405, 400, 501}),
    "TRACE": (post(KEY, start=f"TRACE {PATH} HTTP/1.1"), {405, 501}),
    "an absolute URL": (post(KEY, JSON, of(2), body=b"{}", start=f"POST http://elsewhere.example{PATH} HTTP/1.1"), {200, 404}),
    "a double slash": (post(KEY, JSON, of(2), body=b"{}", start=f"POST /{PATH} HTTP/1.1"), {200, 404}),
    "a path traversal": (post(KEY, start="GET /docs/../../../../etc/passwd HTTP/1.1"), {404}),
    "an encoded path traversal": (post(KEY, start="GET /docs/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), {404}),
    "a path traversal in /static": (post(KEY, start="GET /static/..%2f..%2fschema.sql HTTP/1.1"), {404}),
    "a path with a null byte": (post(KEY, start="GET /docs/swagger-ui.css%00.js HTTP/1.1"), {404}),
    "a path in no valid encoding": (post(KEY, start="GET /api/%ff%fe HTTP/1.1"), {404}),
    "a path of 4 KB": (post(KEY, start="GET /api/" + "a" * 3900 + " HTTP/1.1"), {404}),
    "a script as a path": (post(KEY, start="GET /api/<script>alert(1)</script> HTTP/1.1"), {404, 400}),
    "a parameter in the URL": (post(KEY, JSON, of(2), body=b"{}", start=f"POST {PATH}?source=%ff%00 HTTP/1.1"), {400}),
    "a question mark without parameters": (post(KEY, JSON, of(2), body=b"{}", start=f"POST {PATH}? HTTP/1.1"), {200}),
    "Expect: 100-continue": (post(KEY, JSON, "Expect: 100-continue", of(2), body=b"{}"), {200, 100}),
    "an unknown expectation": (post(KEY, JSON, "Expect: a-wonder", of(2), body=b"{}"), {200, 417, 400}),
    "an Upgrade header": (post(KEY, JSON, "Upgrade: websocket", "Sec-WebSocket-Key: x", of(2), body=b"{}"), {200, 400}),
}

# Input that is not HTTP, or that two programs could read differently. The first one that sees it refuses it. A part of a body never
# gets a 200.
MALFORMED = {
    "a key of 64 KB": post("Authentication: " + "k" * 65_536, JSON, of(2), body=b"{}"),
    "a path of 64 KB": post(KEY, start="GET /" + "a" * 65_536 + " HTTP/1.1"),
    "a length with a space": post(KEY, JSON, "Content-Length: 1 00", body=b"{}"),
    "a header without a colon": post("nonsense", KEY, JSON, of(100), body=b"{}"),
    "a header without a name": post(": key", KEY, JSON, of(100), body=b"{}"),
    "a header name with a space": post("Authentication : key", JSON, of(100), body=b"{}"),
    "a header with control characters": post("X-Bell: \x07\x1b[2J\x7f", KEY, JSON, of(100), body=b"{}"),
    "a key with a null byte": post("Authentication: key\x00", JSON, of(2), body=b"{}"),
    "a key with a bare carriage return": post("Authentication: other\rAuthentication: key", JSON, of(100), body=b"{}"),
    "a folded header": post("X-Folded: a\r\n b", KEY, JSON, of(100), body=b"{}"),
    "a body shorter than its length": post(KEY, JSON, of(100), body=b"{}"),
    "a length without a body": post(KEY, JSON, of(100)),
    "a negative length": post(KEY, JSON, of(-2), body=b"{}"),
    "a length with a sign": post(KEY, JSON, "Content-Length: +100", body=b"{}"),
    "a length in hexadecimal": post(KEY, JSON, "Content-Length: 0x64", body=b"{}"),
    "a length in Arabic digits": post(KEY, JSON, "Content-Length: ١٠٠", body=b"{}"),
    "a length of 5,000 digits": post(KEY, JSON, "Content-Length: " + "9" * 5000, body=b"{}"),
    "two different lengths": post(KEY, JSON, of(2), of(100), body=b"{}"),
    "two lengths in one header": post(KEY, JSON, "Content-Length: 2, 100", body=b"{}"),
    "a length and truncated chunks": post(KEY, JSON, of(2), CHUNKED, body=b'2\r\n{}\r\n5\r\n"a'),
    "chunks without the last one": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"")),
    "chunks truncated in a chunk": post(KEY, JSON, CHUNKED, body=b"64\r\n{}"),
    "chunks truncated in a size": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"5")),
    "a chunk with an invalid size": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"xyz\r\n{}\r\n0\r\n\r\n")),
    "a chunk with a negative size": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"-5\r\n{}\r\n0\r\n\r\n")),
    "a chunk with a size of 500 digits": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"f" * 500 + b"\r\n")),
    "a chunk longer than its size": post(KEY, JSON, CHUNKED, body=b'2\r\n{}"more"\r\n0\r\n\r\n'),
    "chunks in HTTP/1.0": post(KEY, JSON, CHUNKED, body=chunks(b"{}"), start=f"POST {PATH} HTTP/1.0"),
    "chunks in HTTP/2.0": post(KEY, JSON, CHUNKED, body=chunks(b"{}"), start=f"POST {PATH} HTTP/2.0"),
    "an unknown transfer encoding": post(KEY, JSON, "Transfer-Encoding: gzip", body=b"{}"),
    "chunked twice": post(KEY, JSON, "Transfer-Encoding: chunked, chunked", body=chunks(b"{}", end=b"")),
    "chunked and identity": post(KEY, JSON, "Transfer-Encoding: chunked, identity", body=chunks(b"{}", end=b"")),
    "chunked misspelt": post(KEY, JSON, "Transfer-Encoding: xchunked", body=chunks(b"{}", end=b"")),
    "an unknown version": post(KEY, JSON, of(100), body=b"{}", start=f"POST {PATH} HTTP/9.9"),
    "a version in words": post(KEY, JSON, of(100), body=b"{}", start=f"POST {PATH} HTTP/one"),
    "another protocol": post(KEY, JSON, of(100), body=b"{}", start=f"POST {PATH} FTP/1.1"),
    "a method with a null byte": post(KEY, start=f"P\x00ST {PATH} HTTP/1.1"),
    "a method of 64 KB": post(KEY, start="P" * 65_536 + f" {PATH} HTTP/1.1"),
    "a path without a slash": post(KEY, start="POST conversions HTTP/1.1"),
    "a path with a space": post(KEY, start=f"POST {PATH} {PATH} HTTP/1.1"),
    "a line of spaces": b"   \r\n\r\n",
    "nothing": b"",
    "empty lines": b"\r\n" * 50,
    "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "the beginning of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(16),
    "all byte values": bytes(range(256)) * 16 + b"\r\n\r\n",
}


def is_documented(body: bytes) -> bool:
    try:
        return (Message().validate(json.loads(body)) and ConversionsPage().validate(json.loads(body))) == {}
    except ValueError:
        return False


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", WELL_FORMED)
def test_hostile_http_gets_the_documented_response(addresses, server, name):
    sent, statuses = WELL_FORMED[name]
    status, head, body = exchange(addresses[server], sent, is_whole=True)
    assert status in statuses, (head, body)
    assert b"Traceback" not in body
    if status == 200:
        assert is_documented(body) or b"chunked" in head.lower()
    if b"nosniff" in head:  # the app's response
        assert b"content-type: application/json" in head.lower()
    else:
        assert status in (None, 100, 400, 417, 431, 501)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_http_is_refused_and_never_processed(addresses, server, name):
    status, head, body = exchange(addresses[server], MALFORMED[name], is_whole=False)
    assert status is None or 400 <= status < 500 or status in (501, 505), (head, body)
    assert b"Traceback" not in body


# In process: JSON texts, valid and nearly valid


@pytest.mark.parametrize("text", VECTORS["json that RFC 8259 accepts"])
def test_json_that_the_rfc_accepts_is_parsed_as_a_body_and_as_a_value(hub, text):
    """If it is refused, the reason is its type or its fields."""
    response = post_in_form(hub, f'{{"source": {text}}}')
    assert response.status_code == (200 if isinstance(json.loads(text), str) else 400)
    assert response.status_code == 200 or list(response.json["fields"]) == ["source"]
    assert "JSON at" not in post_in_form(hub, text).json.get("error", "")


@pytest.mark.parametrize("text", VECTORS["json that RFC 8259 refuses"])
def test_json_that_the_rfc_refuses_returns_400_as_a_body_and_as_a_value(hub, text):
    for body in (text, f'{{"source": {text}}}', f'{{"source": [{text}]}}'):
        response = post_in_form(hub, body)
        assert response.status_code == 400
        assert "fields" not in response.json, response.json


@pytest.mark.parametrize("text", VECTORS["json that RFC 8259 leaves open, other than strings and numbers"])
def test_json_that_the_rfc_leaves_open_returns_400(hub, text):
    for body in (text, f'{{"source": {text}}}', f'{{"meta_id": "a", "source": {text}}}'):
        assert post_in_form(hub, body).status_code == 400


# In process: odd texts in every field


@pytest.mark.parametrize("field", STRINGS)
def test_a_text_in_a_filter_is_only_compared(hub, field):
    """No text finds anything: a filter is not SQL, a pattern or a path."""
    everything = rows(hub)
    for text in TEXTS:
        response = post_in_form(hub, json.dumps({field: text}))
        assert (response.status_code, list(response.json)) == (200, ["message"]), text
    assert rows(hub) == everything


@pytest.mark.parametrize("field", ["offset", *DATES])
def test_a_text_in_place_of_a_number_or_a_date_returns_a_400_that_names_the_field(hub, field):
    for text in TEXTS:
        response = post_in_form(hub, json.dumps({field: text}))
        assert response.status_code == 400, text
        assert list(response.json["fields"]) == [field]


def test_a_text_as_a_field_name_returns_400_in_json(hub):
    for text in TEXTS:
        response = post_in_form(hub, json.dumps({text: "x"}))
        assert response.status_code == 400, text
        assert response.mimetype == "application/json"


def test_a_text_as_a_key_returns_401(hub):
    for text in TEXTS:
        # Only what a header can contain.
        key = text.encode()[:8000].translate(None, b"\r\n\x00").decode("latin-1")
        assert post_in_form(hub, "{}", key=key).status_code == 401, text


def test_a_text_in_the_path_returns_404_or_405_in_json(hub):
    for text in TEXTS:
        response = hub.client.post("/api/" + quote(text[:2000]))
        assert (response.status_code, response.mimetype) in [(404, "application/json"), (405, "application/json")], text


def test_a_text_in_the_query_string_returns_400(hub):
    for text in TEXTS:
        response = hub.client.post(f"{PATH}?{quote(text[:2000]) or 'x'}", headers={"Authentication": "key"})
        assert (response.status_code, response.mimetype) == (400, "application/json"), text


# In process: dates in the forms of ISO 8601 and RFC 3339, and strings that only other parsers accept as dates


@pytest.mark.parametrize("field", DATES)
@pytest.mark.parametrize("text", VECTORS["dates"])
def test_a_valid_date_is_accepted(hub, text, field):
    assert post_in_form(hub, json.dumps({field: text})).status_code == 200


@pytest.mark.parametrize("field", DATES)
@pytest.mark.parametrize("text", VECTORS["strings that only other parsers accept as dates"])
def test_a_string_that_only_other_parsers_accept_as_a_date_returns_400(hub, text, field):
    for around in ("{}", " {}", "{} ", "{}\n"):
        response = post_in_form(hub, json.dumps({field: around.format(text)}))
        assert response.status_code == 400
        assert list(response.json["fields"]) == [field]
