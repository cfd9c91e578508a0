"""The app behind nginx, with the settings of .deploy/nginx.conf."""

import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from conversions_api.api import PATH
from conversions_api.body import LARGEST_BODY
from conversions_api.schemas import ApiError

from .conftest import REPOSITORY, Hub, a_conversion, a_session, serving
from .test_served import CLIENTS, STALLED
from .third_party import needs

pytestmark = needs("nginx", "openssl")

SETTINGS = (REPOSITORY / ".deploy" / "nginx.conf").read_text(encoding="utf-8")
UNVERIFIED = ssl._create_unverified_context()  # the certificate is self-signed
WRITES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")  # by default, nginx writes these where this user may not
NO_SERVER = ("127.0.0.1", 9)


@contextmanager
def nginx(folder: Path, behind: tuple[str, int]) -> Iterator[tuple[str, int]]:
    """Run nginx with the documented settings, except for the port, the certificate and the server behind it. Return its address."""
    certificate = ["-subj", "/CN=api.example.org", "-keyout", folder / "key", "-out", folder / "pem"]
    made = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *certificate]
    subprocess.run(made, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0), backlog=511) as listener:
        address = listener.getsockname()
        settings = re.sub(r"/etc/ssl/api\.example\.org\.(pem|key)", rf"{folder}/\1", SETTINGS)
        settings = settings.replace("listen 443", "listen {}:{}".format(*address))
        settings = settings.replace("127.0.0.1:8080", "{}:{}".format(*behind))
        writable = "".join(f"{what}_temp_path {folder}/{what};\n" for what in WRITES)
        (folder / "conf").write_text(
            f"daemon off; pid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{writable}{settings}}}\n", encoding="utf-8"
        )
        # nginx inherits the open socket, as in an upgrade, so clients can connect before it has started.
        inherited = os.environ | {"NGINX": f"{listener.fileno()};"}
        command = ["nginx", "-p", folder, "-c", folder / "conf", "-e", folder / "log"]
        server = subprocess.Popen(command, env=inherited, pass_fds=[listener.fileno()])
    try:
        yield address
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def hub(hub) -> Hub:
    hub.load([a_session(conversions=[a_conversion()])])
    return hub


@pytest.fixture
def address(hub, tmp_path) -> Iterator[tuple[str, int]]:
    with serving(hub, PROXIES="1") as behind, nginx(tmp_path, behind) as address:
        yield address


def ask(address: tuple[str, int], body="{}", client: str = "127.0.0.1", forwarded: str = ""):
    """Return the status, headers and body of the response."""
    with closing(HTTPSConnection(*address, timeout=30, context=UNVERIFIED, source_address=(client, 0))) as connection:
        headers = {"Authentication": "key", "Content-Type": "application/json", "X-Forwarded-For": forwarded}
        connection.request("POST", PATH, body, headers)
        response = connection.getresponse()
        return response.status, response.headers, json.load(response)


def refusal(response: tuple) -> int:
    """Return the status of an error response, which must have the common form of errors."""
    status, headers, body = response
    assert (headers["Content-Type"], ApiError().validate(body)) == ("application/json", {})
    return status


def test_a_response_has_the_records_and_does_not_reveal_the_nginx_version(hub, address):
    status, headers, body = ask(address)
    assert (status, body) == (200, hub.ask({}))
    assert (headers["Server"], headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("nginx", "no-store", "nosniff")


@pytest.mark.parametrize("sent", [lambda body: body, lambda body: iter([body])], ids=["with a length", "chunked"])
def test_a_body_of_64_kib_is_accepted_and_one_byte_more_returns_413_in_json(hub, address, sent):
    assert ask(address, sent(b"{}".ljust(LARGEST_BODY)))[2] == hub.ask({})
    assert refusal(ask(address, sent(b"{}".ljust(LARGEST_BODY + 1)))) == 413


def test_requests_over_the_rate_limit_get_429_in_json_with_retry_after(address):
    responses = [ask(address)]
    while responses[-1][0] == 200:
        responses.append(ask(address))
    assert len(responses) > 20
    assert (refusal(responses[-1]), responses[-1][1]["Retry-After"]) == (429, "1")


REFUSED_BY_NGINX = {
    "not HTTP": (b"conversions\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "headers of 40 KB": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 400),
    "a URL of 9 KB": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
    "an unknown transfer encoding": (f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n".encode(), 501),
    "an unknown version": (f"POST {PATH} HTTP/9.1\r\nHost: localhost\r\n\r\n".encode(), 505),
    "a page of errors": (b"GET /.error/large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED_BY_NGINX.values(), ids=REFUSED_BY_NGINX)
def test_what_nginx_refuses_by_itself_is_json(tmp_path, sent, status):
    with nginx(tmp_path, NO_SERVER) as address, UNVERIFIED.wrap_socket(socket.create_connection(address)) as connection:
        connection.sendall(sent)
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Type: application/json" in head
    assert ApiError().validate(json.loads(body)) == {}


def test_behind_nginx_redirects_and_the_openapi_document_say_https(address):
    with closing(HTTPSConnection(*address, timeout=30, context=UNVERIFIED)) as connection:
        connection.request("GET", "/docs", headers={"Host": "api.example.org"})
        response = connection.getresponse()
        response.read()
        assert response.headers["Location"] in ("/docs/", "https://api.example.org/docs/")
        connection.request("GET", "/openapi.json", headers={"Host": "api.example.org"})
        assert json.load(connection.getresponse())["servers"] == [{"url": "https://api.example.org"}]


def test_behind_nginx_each_visitor_has_a_rate_limit_and_cannot_choose_an_address(hub, tmp_path):
    with serving(hub, PROXIES="1", RATE_LIMIT="1 per hour") as behind, nginx(tmp_path, behind) as address:
        statuses = [ask(address, client=f"127.0.0.{number}", forwarded="203.0.113.9")[0] for number in (2, 3, 2)]
    assert statuses == [200, 200, 429]


def test_without_a_server_behind_it_nginx_returns_502_in_json(tmp_path):
    with nginx(tmp_path, NO_SERVER) as address:
        assert refusal(ask(address)) == 502


@pytest.mark.parametrize("sent", STALLED.values(), ids=STALLED)
def test_stalled_clients_do_not_delay_other_requests(address, sent):
    assert ask(address)[0] == 200
    with ExitStack() as stack:
        for number in range(CLIENTS):  # each from its own address, because of the rate limit
            stalled = socket.create_connection(address, source_address=(f"127.0.1.{number + 1}", 0))
            stack.enter_context(UNVERIFIED.wrap_socket(stalled)).sendall(sent)
        began = time.monotonic()
        assert ask(address)[0] == 200
        assert time.monotonic() - began < 1
