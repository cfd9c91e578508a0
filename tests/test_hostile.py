"""Hostile requests: whatever comes, an answer comes, in JSON, in time, and never a 5xx.

Over sockets where a client library would tidy the request up, against each server that the README names; what that server
answers by itself to what is no HTTP is its own. In process where a library changes nothing.
"""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import quote

import pytest

from app.api import PATH
from app.body import LARGEST_BODY
from app.schemas import ConversionsPage, Message

from .conftest import REPOSITORY, SERVERS, Hub, a_conversion, a_session
from .test_limits import rows
from .test_request import DATES, STRINGS
from .test_request import post as post_in_form

VECTORS = json.loads((REPOSITORY / "tests" / "hostile.json").read_text())
TEXTS = VECTORS["sql"] + VECTORS["texts"] + ["a" * 60_000, "\U0001f4a9" * 5_000, "(" * 30_000, "%" * 30_000]

LONGEST = 5  # seconds that an answer over a socket may take, on a machine that does other things too


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Hub:
    hub = Hub(tmp_path_factory.mktemp("hostile") / "conversions.sqlite")
    hub.load([a_session(utm_source="s'--", conversions=[a_conversion()])])
    return hub


@pytest.fixture(scope="module")
def addresses(hub) -> Iterator[dict[str, tuple[str, int]]]:
    """Each server that the README names, on the same database."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(serve(hub)) for name, serve in SERVERS.items()}


def exchange(address: tuple[str, int], sent: bytes) -> tuple[int | None, bytes, bytes]:
    """Status, head and body of the answer to what is sent; None where the connection is closed without one."""
    received = b""
    with socket.create_connection(address, timeout=LONGEST) as connection:
        try:
            with suppress(ConnectionError):  # it has heard enough
                connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except TimeoutError:
            raise
        except OSError:
            pass  # closed before all was sent: what it said, stands
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

# Well-formed HTTP: our own answer, in JSON.
OURS = {
    "a good request": (post(KEY, JSON, of(2), body=b"{}"), {200}),
    "a good request in chunks": (post(KEY, JSON, CHUNKED, body=chunks(b"{", b"}")), {200, 400}),  # 400: not passed on
    "a key twice": (post(KEY, KEY, JSON, of(2), body=b"{}"), {401}),
    "a key and a wrong one": (post(KEY, "Authentication: other", JSON, of(2), body=b"{}"), {401}),
    "a wrong key and a right one": (post("Authentication: other", KEY, JSON, of(2), body=b"{}"), {401}),
    "two keys in one": (post("Authentication: key, key", JSON, of(2), body=b"{}"), {401}),
    "a key with blanks around it": (post("Authentication: \t key \t", JSON, of(2), body=b"{}"), {200}),
    "a scheme before the key": (post("Authentication: Bearer key", JSON, of(2), body=b"{}"), {401}),
    "an empty key": (post("Authentication:", JSON, of(2), body=b"{}"), {401}),
    "a key in UTF-8": (post("Authentication: ключ", JSON, of(2), body=b"{}"), {401, 400}),
    "a key in Latin-1": (post(b"Authentication: cl\xe9", JSON, of(2), body=b"{}"), {401, 400}),
    "a key of no encoding": (post(b"Authentication: \xff\xfe\xc0", JSON, of(2), body=b"{}"), {401, 400}),
    "a key of 4 KB": (post("Authentication: " + "k" * 4000, JSON, of(2), body=b"{}"), {401}),
    "a key that is SQL": (post("Authentication: ' OR 1=1 --", JSON, of(2), body=b"{}"), {401}),
    "a content type of no encoding": (post(KEY, b"Content-Type: \xff\xfe", of(2), body=b"{}"), {415, 400}),
    "a content type twice": (post(KEY, JSON, "Content-Type: text/plain", of(2), body=b"{}"), {200, 400, 415}),
    "a charset that nobody knows": (post(KEY, JSON + "; charset=klingon", of(2), body=b"{}"), {200}),
    "a boundary": (post(KEY, "Content-Type: multipart/form-data; boundary=x", of(7), body=b"--x--\r\n"), {415}),
    "a form": (post(KEY, "Content-Type: application/x-www-form-urlencoded", of(3), body=b"a=b"), {415}),
    "a compressed body": (post(KEY, JSON, "Content-Encoding: gzip", of(2), body=b"\x1f\x8b"), {400, 415}),
    "a range": (post(KEY, JSON, "Range: bytes=0-0", of(2), body=b"{}"), {200}),
    "conditions": (post(KEY, JSON, "If-None-Match: *", "If-Modified-Since: x", of(2), body=b"{}"), {200}),
    "accepting nothing": (post(KEY, JSON, "Accept: */*;q=0", "Accept-Encoding: *;q=0", of(2), body=b"{}"), {200}),
    "another method by header": (post(KEY, JSON, "X-HTTP-Method-Override: DELETE", of(2), body=b"{}"), {200}),
    "a forged address": (post(KEY, JSON, "X-Forwarded-For: ' OR 1=1", "Forwarded: for=_", of(2), body=b"{}"), {200}),
    "a host that is none": (post(KEY, JSON, of(2), body=b"{}").replace(b"localhost", b"a@b:c/../\xff"), {200, 400}),
    "a cookie of 4 KB": (post(KEY, JSON, "Cookie: " + "c=d; " * 800, of(2), body=b"{}"), {200}),
    "ninety headers": (post(KEY, JSON, *(f"X-{n}: {n}" for n in range(90)), of(2), body=b"{}"), {200}),
    "a body on the limit": (post(KEY, JSON, of(LARGEST_BODY), body=BLANK), {200}),
    "a body past the limit": (post(KEY, JSON, of(LARGEST_BODY + 1), body=BLANK + b" "), {413, None}),
    "chunks on the limit": (post(KEY, JSON, CHUNKED, body=chunks(BLANK)), {200, 400}),
    "chunks past the limit": (post(KEY, JSON, CHUNKED, body=chunks(b'{"meta_type": "x"}', BLANK)), {413, 400, None}),
    "many chunks past the limit": (post(KEY, JSON, CHUNKED, body=chunks(b"{}", *[b" "] * (LARGEST_BODY + 1))), {413, 400, None}),
    "a valid beginning past the limit": (post(KEY, JSON, CHUNKED, body=chunks(b"{}".ljust(LARGEST_BODY), b"}")), {413, 400, None}),
    "a length past the limit and no body": (post(KEY, JSON, of(10**9)), {413, 400, None}),
    "a header of 64 KB": (post("X-Long: " + "a" * 65_536, KEY, JSON, of(2), body=b"{}"), {200, 400, 431}),
    "a thousand headers": (post(KEY, JSON, *(f"X-{n}: {n}" for n in range(1000)), of(2), body=b"{}"), {200, 400, 431, None}),
    "HTTP/1.0": (post(KEY, JSON, of(2), body=b"{}", start=f"POST {PATH} HTTP/1.0"), {200}),
    "HTTP/1.0 without a length": (post(KEY, JSON, body=b"{}", start=f"POST {PATH} HTTP/1.0"), {200}),
    "a method of another protocol": (post(KEY, start=f"PROPFIND {PATH} HTTP/1.1"), {405, 501}),
    "a method in small letters": (post(KEY, start=f"post {PATH} HTTP/1.1"), {200, 405, 400, 501}),
    "TRACE": (post(KEY, start=f"TRACE {PATH} HTTP/1.1"), {405, 501}),
    "a whole URL": (post(KEY, JSON, of(2), body=b"{}", start=f"POST http://elsewhere.example{PATH} HTTP/1.1"), {200, 404}),
    "two slashes": (post(KEY, JSON, of(2), body=b"{}", start=f"POST /{PATH} HTTP/1.1"), {200, 404}),
    "a path upwards": (post(KEY, start="GET /docs/../../../../etc/passwd HTTP/1.1"), {404}),
    "a path upwards in disguise": (post(KEY, start="GET /docs/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), {404}),
    "a path upwards in static": (post(KEY, start="GET /static/..%2f..%2fschema.sql HTTP/1.1"), {404}),
    "a path with a zero": (post(KEY, start="GET /docs/swagger-ui.css%00.js HTTP/1.1"), {404}),
    "a path of no encoding": (post(KEY, start="GET /api/%ff%fe HTTP/1.1"), {404}),
    "a path of 4 KB": (post(KEY, start="GET /api/" + "a" * 3900 + " HTTP/1.1"), {404}),
    "a path that is a script": (post(KEY, start="GET /api/<script>alert(1)</script> HTTP/1.1"), {404, 400}),
    "a query in the URL": (post(KEY, JSON, of(2), body=b"{}", start=f"POST {PATH}?source=%ff%00 HTTP/1.1"), {400}),
    "a question mark alone": (post(KEY, JSON, of(2), body=b"{}", start=f"POST {PATH}? HTTP/1.1"), {200}),
    "an expectation": (post(KEY, JSON, "Expect: 100-continue", of(2), body=b"{}"), {200, 100}),
    "an expectation of wonders": (post(KEY, JSON, "Expect: a-wonder", of(2), body=b"{}"), {200, 417, 400}),
    "an upgrade": (post(KEY, JSON, "Upgrade: websocket", "Sec-WebSocket-Key: x", of(2), body=b"{}"), {200, 400}),
}

# No HTTP, or HTTP that could be read in two ways: refused by whoever sees it first, and never a 200 for a part of a body.
THE_FRONTS = {
    "a key of 64 KB": post("Authentication: " + "k" * 65_536, JSON, of(2), body=b"{}"),
    "a path of 64 KB": post(KEY, start="GET /" + "a" * 65_536 + " HTTP/1.1"),
    "a length of blanks": post(KEY, JSON, "Content-Length: 1 00", body=b"{}"),
    "a header without a colon": post("nonsense", KEY, JSON, of(100), body=b"{}"),
    "a header without a name": post(": key", KEY, JSON, of(100), body=b"{}"),
    "a header name with a blank": post("Authentication : key", JSON, of(100), body=b"{}"),
    "a header of control characters": post("X-Bell: \x07\x1b[2J\x7f", KEY, JSON, of(100), body=b"{}"),
    "a key with a zero": post("Authentication: key\x00", JSON, of(2), body=b"{}"),
    "a key with a bare line end": post("Authentication: other\rAuthentication: key", JSON, of(100), body=b"{}"),
    "a folded header": post("X-Folded: a\r\n b", KEY, JSON, of(100), body=b"{}"),
    "a body shorter than announced": post(KEY, JSON, of(100), body=b"{}"),
    "no body where one is announced": post(KEY, JSON, of(100)),
    "a negative length": post(KEY, JSON, of(-2), body=b"{}"),
    "a length with a sign": post(KEY, JSON, "Content-Length: +100", body=b"{}"),
    "a length in hexadecimal": post(KEY, JSON, "Content-Length: 0x64", body=b"{}"),
    "a length in other digits": post(KEY, JSON, "Content-Length: ١٠٠", body=b"{}"),
    "a length past all measure": post(KEY, JSON, "Content-Length: " + "9" * 5000, body=b"{}"),
    "two lengths": post(KEY, JSON, of(2), of(100), body=b"{}"),
    "two lengths in one": post(KEY, JSON, "Content-Length: 2, 100", body=b"{}"),
    "a length and chunks that break off": post(KEY, JSON, of(2), CHUNKED, body=b'2\r\n{}\r\n5\r\n"a'),
    "chunks that break off": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"")),
    "chunks that break off in a chunk": post(KEY, JSON, CHUNKED, body=b"64\r\n{}"),
    "chunks that break off in a size": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"5")),
    "a chunk of a size that is none": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"xyz\r\n{}\r\n0\r\n\r\n")),
    "a chunk of a negative size": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"-5\r\n{}\r\n0\r\n\r\n")),
    "a chunk of a size past all measure": post(KEY, JSON, CHUNKED, body=chunks(b"{}", end=b"f" * 500 + b"\r\n")),
    "a chunk longer than its size": post(KEY, JSON, CHUNKED, body=b'2\r\n{}"more"\r\n0\r\n\r\n'),
    "chunks in HTTP/1.0": post(KEY, JSON, CHUNKED, body=chunks(b"{}"), start=f"POST {PATH} HTTP/1.0"),
    "chunks in a version to come": post(KEY, JSON, CHUNKED, body=chunks(b"{}"), start=f"POST {PATH} HTTP/2.0"),
    "an encoding that nobody knows": post(KEY, JSON, "Transfer-Encoding: gzip", body=b"{}"),
    "chunked twice": post(KEY, JSON, "Transfer-Encoding: chunked, chunked", body=chunks(b"{}", end=b"")),
    "chunked and not": post(KEY, JSON, "Transfer-Encoding: chunked, identity", body=chunks(b"{}", end=b"")),
    "chunked by another name": post(KEY, JSON, "Transfer-Encoding: xchunked", body=chunks(b"{}", end=b"")),
    "a version that is none": post(KEY, JSON, of(100), body=b"{}", start=f"POST {PATH} HTTP/9.9"),
    "a version of words": post(KEY, JSON, of(100), body=b"{}", start=f"POST {PATH} HTTP/one"),
    "another protocol": post(KEY, JSON, of(100), body=b"{}", start=f"POST {PATH} FTP/1.1"),
    "a method of control characters": post(KEY, start=f"P\x00ST {PATH} HTTP/1.1"),
    "a method of 64 KB": post(KEY, start="P" * 65_536 + f" {PATH} HTTP/1.1"),
    "a path that is none": post(KEY, start="POST conversions HTTP/1.1"),
    "a path with blanks": post(KEY, start=f"POST {PATH} {PATH} HTTP/1.1"),
    "a line of blanks": b"   \r\n\r\n",
    "nothing": b"",
    "empty lines": b"\r\n" * 50,
    "a greeting in TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(16),
    "bytes": bytes(range(256)) * 16 + b"\r\n\r\n",
}


def is_ours(body: bytes) -> bool:
    try:
        return (Message().validate(json.loads(body)) and ConversionsPage().validate(json.loads(body))) == {}
    except ValueError:
        return False


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", OURS)
def test_hostile_http_gets_the_documented_answer(addresses, server, name):
    sent, statuses = OURS[name]
    status, head, body = exchange(addresses[server], sent)
    assert status in statuses, (head, body)
    assert b"Traceback" not in body
    if status == 200:
        assert is_ours(body) or b"chunked" in head.lower()
    if b"nosniff" in head:  # it is ours
        assert b"Content-Type: application/json" in head
    else:
        assert status in (None, 100, 400, 417, 431, 501)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", THE_FRONTS)
def test_what_is_no_http_is_refused_and_never_taken_for_a_whole_request(addresses, server, name):
    status, head, body = exchange(addresses[server], THE_FRONTS[name])
    assert status is None or 400 <= status < 500 or status in (501, 505), (head, body)
    assert b"Traceback" not in body


# In process: whatever is a JSON text, or nearly one


@pytest.mark.parametrize("text", VECTORS["json that RFC 8259 accepts"])
def test_what_the_rfc_accepts_is_read_wherever_it_stands(hub, text):
    """Where it is refused, then for its type or its fields."""
    answer = post_in_form(hub, f'{{"source": {text}}}')
    assert answer.status_code == (200 if isinstance(json.loads(text), str) else 400)
    assert answer.status_code == 200 or list(answer.json["fields"]) == ["source"]
    assert "JSON at" not in post_in_form(hub, text).json.get("error", "")


@pytest.mark.parametrize("text", VECTORS["json that RFC 8259 refuses"])
def test_what_the_rfc_refuses_is_400_wherever_it_stands(hub, text):
    for body in (text, f'{{"source": {text}}}', f'{{"source": [{text}]}}'):
        answer = post_in_form(hub, body)
        assert answer.status_code == 400
        assert "fields" not in answer.json, answer.json


@pytest.mark.parametrize("text", VECTORS["json that RFC 8259 leaves open, and that is no text or number"])
def test_what_the_rfc_leaves_open_and_is_no_text_or_number_is_400(hub, text):
    for body in (text, f'{{"source": {text}}}', f'{{"meta_id": "a", "source": {text}}}'):
        assert post_in_form(hub, body).status_code == 400


# In process: whatever is a text, in every field


@pytest.mark.parametrize("field", STRINGS)
def test_no_text_in_a_filter_is_more_than_a_text(hub, field):
    """It finds nothing, or what has it to the letter: a filter is neither SQL nor a pattern nor a path."""
    everything = rows(hub)
    for text in TEXTS:
        answer = post_in_form(hub, json.dumps({field: text}))
        assert (answer.status_code, list(answer.json)) == (200, ["message"]), text
    assert rows(hub) == everything


@pytest.mark.parametrize("field", ["offset", *DATES])
def test_a_text_where_a_number_or_a_date_belongs_is_400_that_names_the_field(hub, field):
    for text in TEXTS:
        answer = post_in_form(hub, json.dumps({field: text}))
        assert answer.status_code == 400, text
        assert list(answer.json["fields"]) == [field]


def test_a_text_as_a_field_is_400_and_does_not_come_back_as_html(hub):
    for text in TEXTS:
        answer = post_in_form(hub, json.dumps({text: "x"}))
        assert answer.status_code == 400, text
        assert answer.mimetype == "application/json"


def test_a_text_as_a_key_opens_nothing(hub):
    for text in TEXTS:
        # What a header can carry.
        key = text.encode()[:8000].translate(None, b"\r\n\x00").decode("latin-1")
        assert post_in_form(hub, "{}", key=key).status_code == 401, text


def test_a_text_in_the_path_is_404_in_json(hub):
    for text in TEXTS:
        answer = hub.client.post("/api/" + quote(text[:2000]))
        assert (answer.status_code, answer.mimetype) in [(404, "application/json"), (405, "application/json")], text


def test_a_text_in_the_url_is_400_whatever_its_name(hub):
    for text in TEXTS:
        answer = hub.client.post(f"{PATH}?{quote(text[:2000]) or 'x'}", headers={"Authentication": "key"})
        assert (answer.status_code, answer.mimetype) == (400, "application/json"), text


# In process: dates. Forms that ISO 8601 or RFC 3339 has, and what somebody else's parser takes for one.


@pytest.mark.parametrize("field", DATES)
@pytest.mark.parametrize("text", VECTORS["dates"])
def test_a_good_date_is_taken(hub, text, field):
    assert post_in_form(hub, json.dumps({field: text})).status_code == 200


@pytest.mark.parametrize("field", DATES)
@pytest.mark.parametrize("text", VECTORS["what only others take for a date"])
def test_what_only_others_take_for_a_date_is_400(hub, text, field):
    for around in ("{}", " {}", "{} ", "{}\n"):
        answer = post_in_form(hub, json.dumps({field: around.format(text)}))
        assert answer.status_code == 400
        assert list(answer.json["fields"]) == [field]
