"""The servers as the README starts them: stalled clients do not delay others, and SIGTERM lets the requests in flight finish."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing

import pytest
from conversions_api.api import PATH

from .conftest import SERVERS, WAITRESS, Hub, a_conversion, a_session, flask, listening, serving
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


def slowest_beside_stalled(hub: Hub, server: str, sent: bytes, times: int = 3, clients: int = CLIENTS) -> float:
    """Return how many seconds the slowest request takes while other clients have sent only these bytes."""
    with SERVERS[server](hub) as address, ExitStack() as stack:
        assert post(address)[0] == 200
        for _ in range(clients):
            stack.enter_context(socket.create_connection(address)).sendall(sent)
        took = []
        for _ in range(times):
            began = time.monotonic()
            assert post(address)[0] == 200
            took.append(time.monotonic() - began)
        return max(took)


# Gunicorn needs a thread for each client until its request has arrived, so the README puts it behind a proxy, which waits instead.
@pytest.mark.parametrize("server", ["flask run", "waitress"])
@pytest.mark.parametrize("sent", STALLED.values(), ids=STALLED)
def test_80_stalled_clients_do_not_block_a_request(hub, server, sent):
    assert slowest_beside_stalled(hub, server, sent) < 10


def test_400_stalled_clients_do_not_block_waitress_as_the_readme_starts_it(hub):
    assert slowest_beside_stalled(hub, "waitress", HEAD, clients=400) < 10


@pytest.mark.parametrize(
    "server",
    [
        lambda hub: serving(hub, "--threads", "4", MOCK="1"),
        lambda hub: listening(hub, *WAITRESS, stop=signal.SIGTERM, MOCK="1"),
    ],
    ids=["gunicorn", "waitress"],
)
def test_on_sigterm_a_server_finishes_the_requests_in_flight(hub, server):
    responses = []
    with server(hub) as address:
        assert post(address)[0] == 200
        asking = threading.Thread(target=lambda: responses.append(post(address, Prefer="delay=1500")))
        asking.start()
        asking.join(0.5)  # the request is in flight when the server gets SIGTERM
    asking.join()
    assert [status for status, _ in responses] == [200]


def test_waitress_as_the_readme_starts_it_logs_each_request_once(hub, tmp_path):
    process = flask(DATABASE=hub.path, NOW=hub.now)
    process["args"] = [sys.executable, "-m", *WAITRESS]
    with subprocess.Popen(**process, stderr=subprocess.PIPE) as server:
        serving_on = next(line for line in server.stderr if "Serving on" in line)
        assert post(("127.0.0.1", int(serving_on.strip().rpartition(":")[2])))[0] == 200
        server.terminate()
        assert sum("POST 200" in line for line in server.stderr) == 1


def test_waitress_as_the_readme_starts_it_sends_no_server_header(hub):
    with SERVERS["waitress"](hub) as address, closing(http.client.HTTPConnection(*address)) as connection:
        connection.request("GET", "/livez")
        assert "Server" not in connection.getresponse().headers


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
