"""The servers as the README starts them: stalled clients do not delay others, and SIGTERM lets the requests in flight finish."""

import http.client
import json
import os
import re
import socket
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from conversions_api.api import PATH

from .conftest import SERVERS, Hub, a_conversion, a_session, serving
from .test_kill import post

HEAD = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthentication: key\r\nContent-Type: application/json\r\n".encode()
STALLED = {
    "before the request line": b"",
    "in the request line": HEAD[:20],
    "in the headers": HEAD,
    "in the body": HEAD + b"Content-Length: 100\r\n\r\n{",
    "in a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{",
}
CLIENTS = 80


@pytest.fixture
def hub(hub) -> Hub:
    hub.load([a_session(conversions=[a_conversion()])])
    return hub


def slowest_beside_stalled(hub: Hub, server: str, sent: bytes, times: int = 3, clients: int = CLIENTS, more: bytes = b"") -> float:
    """Return how many seconds the slowest request takes while other clients have sent only these bytes, and some more each time."""
    with SERVERS[server](hub) as address, ExitStack() as stack:
        assert post(address)[0] == 200
        others = [stack.enter_context(socket.create_connection(address)) for _ in range(clients)]
        for other in others:
            other.sendall(sent)
        took = []
        for _ in range(times):
            for other in others:
                with suppress(ConnectionError):  # a body that has not arrived in time
                    other.sendall(more)
            began = time.monotonic()
            assert post(address)[0] == 200
            took.append(time.monotonic() - began)
        return max(took)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("sent", STALLED.values(), ids=STALLED)
def test_80_stalled_clients_do_not_block_a_request(hub, server, sent):
    assert slowest_beside_stalled(hub, server, sent) < 10


IDLE = {"before a request": b"", "after one": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"}


@pytest.mark.parametrize("sent", IDLE.values(), ids=IDLE)
def test_600_idle_clients_do_not_block_granian_as_the_readme_starts_it(hub, sent):
    assert slowest_beside_stalled(hub, "granian", sent, clients=600) < 10


DRIBBLED = {"in the headers": (HEAD, b"X: y\r\n"), "in the body": (HEAD + b"Content-Length: 9999\r\n\r\n", b" ")}
DRIBBLED["in chunks"] = HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"


@pytest.mark.decision(80)
@pytest.mark.parametrize(("sent", "more"), DRIBBLED.values(), ids=DRIBBLED)
def test_520_clients_that_send_slowly_do_not_block_granian_as_the_readme_starts_it(hub, sent, more):
    assert slowest_beside_stalled(hub, "granian", sent, clients=520, more=more) < 10


@pytest.mark.parametrize("key", ["key", "unknown"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "chunked"])
def test_a_body_of_200_mb_is_neither_stored_nor_kept_in_memory(hub, tmp_path, key, is_chunked):
    piece = b" " * 2**20
    with serving(hub, TMPDIR=str(tmp_path)) as address:
        before = memory_of_children(), set(tmp_path.rglob("*"))
        with suppress(ConnectionError), socket.create_connection(address, timeout=30) as connection:
            connection.sendall(HEAD.replace(b": key", f": {key}".encode()))
            connection.sendall(b"Transfer-Encoding: chunked\r\n\r\n" if is_chunked else b"Content-Length: 209715200\r\n\r\n")
            for _ in range(200):
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        assert post(address)[0] == 200
        assert memory_of_children() - before[0] < 20 * 1024
        assert set(tmp_path.rglob("*")) - before[1] <= {Path(f"{hub.path}-wal"), Path(f"{hub.path}-shm")}


def memory_of_children() -> int:
    """Return the most memory, in KiB, that the processes below this one have had."""
    found, children = 0, [os.getpid()]
    while children:
        process = Path("/proc", str(children.pop()))
        with suppress(OSError):
            children += [int(child) for task in (process / "task").iterdir() for child in (task / "children").read_text().split()]
            found += int((process / "status").read_text().split("VmHWM:")[1].split()[0]) if process.name != str(os.getpid()) else 0
    return found


def test_behind_a_proxy_visitors_have_their_own_rate_limits_and_cannot_choose_their_address(hub):
    with serving(hub, PROXIES="1", RATE_LIMIT="1 per hour") as address:
        visitors = [post(address, **{"X-Forwarded-For": f"192.0.2.{number}"})[0] for number in range(6)]
        forged = [post(address, **{"X-Forwarded-For": f"192.0.2.{number}, 203.0.113.9"})[0] for number in range(10, 13)]
        by_another_name = post(address, **{"X-Forwarded-For": "203.0.113.9", "X_Forwarded_For": "203.0.113.10"})[0]
    assert (visitors, forged, by_another_name) == ([200] * 6, [200, 429, 429], 429)


def test_without_a_proxy_a_visitor_cannot_choose_an_address(hub):
    with serving(hub, RATE_LIMIT="1 per hour") as address:
        assert [post(address, **{"X-Forwarded-For": f"192.0.2.{number}"})[0] for number in range(3)] == [200, 429, 429]


def test_on_sigterm_granian_finishes_the_requests_in_flight(hub):
    responses = []
    with serving(hub, MOCK="1") as address:
        assert post(address)[0] == 200
        clients = [threading.Thread(target=lambda: responses.append(post(address, Prefer="delay=1500"))) for _ in range(12)]
        for client in clients:
            client.start()
        clients[0].join(1)  # the requests are in flight when the server gets SIGTERM
    for client in clients:
        client.join()
    assert [status for status, _ in responses] == [200] * 12


def test_a_body_that_does_not_arrive_in_time_is_408_in_json(hub):
    with serving(hub, app="tests.impatient:server") as address, socket.create_connection(address, timeout=30) as connection:
        connection.sendall(STALLED["in the body"])
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"content-type: application/json" in head.lower()
    assert json.loads(body) == {"error": "The body did not arrive within 1 seconds."}


def test_several_workers_refuse_what_belongs_to_one_process(hub):
    with serving(hub, "--workers", "2", MOCK="1") as address, closing(http.client.HTTPConnection(*address)) as connection:
        connection.request("GET", "/_mock/walks")
        assert connection.getresponse().status == 409


def test_a_path_is_decoded_once(hub):
    with SERVERS["granian"](hub) as address, closing(http.client.HTTPConnection(*address)) as connection:
        for path, status in (("/%6civez", 200), ("/%256civez", 404), ("/%C3%A9", 404)):
            connection.request("GET", path)
            response = connection.getresponse()
            assert (path, response.status) == (path, status)
            response.read()


def test_granian_as_the_readme_starts_it_logs_each_request_once_with_its_time(hub):
    with serving(hub) as address:
        assert post(address)[0] == 200
    log = (hub.path.parent / "server.log").read_text(encoding="utf-8")
    (line,) = [line for line in log.splitlines() if "POST 200" in line]
    assert re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line)


def test_granian_as_the_readme_starts_it_does_not_reveal_its_version(hub):
    with SERVERS["granian"](hub) as address, closing(http.client.HTTPConnection(*address)) as connection:
        connection.request("GET", "/livez")
        assert connection.getresponse().headers["Server"] == "granian"


@pytest.mark.parametrize("body", ["{}", "{", '{"source": "nobody"}'], ids=["records", "fault", "nothing found"])
def test_a_response_is_neither_cached_nor_sniffed(hub, body):
    for key in ("key", "unknown"):
        headers = hub.post(body, key).headers
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("path", ["/api/nothing", "/livez", "/readyz", "/openapi.json", PATH])
def test_other_json_is_neither_cached_nor_sniffed(hub, path):
    headers = hub.client.get(path).headers
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("path", ["/", "/decisions", "/docs/", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"])
def test_a_page_loads_only_what_this_server_sends(hub, path):
    with hub.client.get(path) as response:
        policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    assert policy.pop("img-src") == "'self' data:"
    assert {policy.pop(name) for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert set(policy.values()) == {"'none'"}
    assert "default-src" in policy
