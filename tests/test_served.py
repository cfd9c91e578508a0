"""Served as the README starts it: stalled clients keep nobody waiting, and a server that is told to end answers what was begun."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing

import pytest

from app.api import PATH

from .conftest import SERVERS, WAITRESS, Hub, a_conversion, a_session, flask, listening, serving
from .test_kill import post

HEAD = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthentication: key\r\nContent-Type: application/json\r\n".encode()
STALLED = {
    "who send nothing": b"",
    "in the first line": HEAD[:20],
    "among the headers": HEAD,
    "in the body": HEAD + b"Content-Length: 100\r\n\r\n{",
    "in a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{",
}
CLIENTS = 80


@pytest.fixture
def hub(hub) -> Hub:
    hub.load([a_session(conversions=[a_conversion()])])
    return hub


def slowest_beside_stalled(hub: Hub, server: str, sent: bytes, times: int = 3, clients: int = CLIENTS) -> float:
    """The seconds that the slowest honest request takes beside clients that have sent that much and no more."""
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


# Gunicorn gives each client a thread until its request is there: the README puts it behind a proxy, which waits in its place.
@pytest.mark.parametrize("server", ["flask run", "waitress"])
@pytest.mark.parametrize("sent", STALLED.values(), ids=STALLED)
def test_an_honest_request_is_answered_beside_80_stalled_clients(hub, server, sent):
    assert slowest_beside_stalled(hub, server, sent) < 10


def test_waitress_as_the_readme_starts_it_has_room_for_more_of_them(hub):
    assert slowest_beside_stalled(hub, "waitress", HEAD, clients=400) < 10


@pytest.mark.parametrize(
    "server",
    [
        lambda hub: serving(hub, "--threads", "4", MOCK="1"),
        lambda hub: listening(hub, *WAITRESS, stop=signal.SIGTERM, MOCK="1"),
    ],
    ids=["gunicorn", "waitress"],
)
def test_a_server_that_is_told_to_end_answers_what_was_begun(hub, server):
    answers = []
    with server(hub) as address:
        assert post(address)[0] == 200
        asking = threading.Thread(target=lambda: answers.append(post(address, Prefer="delay=1500")))
        asking.start()
        asking.join(0.5)  # it is under way now, and the server is told to end
    asking.join()
    assert [status for status, _ in answers] == [200]


def test_waitress_as_the_readme_starts_it_logs_each_request_once(hub, tmp_path):
    process = flask(DATABASE=hub.path, NOW=hub.now)
    process["args"] = [sys.executable, "-m", *WAITRESS]
    with subprocess.Popen(**process, stderr=subprocess.PIPE) as server:
        serving_on = next(line for line in server.stderr if "Serving on" in line)
        assert post(("127.0.0.1", int(serving_on.strip().rpartition(":")[2])))[0] == 200
        server.terminate()
        assert sum("POST 200" in line for line in server.stderr) == 1


def test_waitress_as_the_readme_starts_it_says_nothing_of_itself(hub):
    with SERVERS["waitress"](hub) as address, closing(http.client.HTTPConnection(*address)) as connection:
        connection.request("GET", "/livez")
        assert "Server" not in connection.getresponse().headers


@pytest.mark.parametrize("body", ["{}", "{", '{"source": "nobody"}'], ids=["records", "a fault", "nothing found"])
def test_nobody_on_the_way_keeps_an_answer_or_takes_it_for_anything_else(hub, body):
    for key in ("key", "unknown"):
        headers = hub.post(body, key).headers
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("path", ["/api/nothing", "/livez", "/readyz", "/openapi.json", PATH])
def test_no_other_json_is_kept_either(hub, path):
    headers = hub.client.get(path).headers
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("path", ["/", "/decisions", "/docs/", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"])
def test_a_page_runs_and_asks_what_this_server_sends_alone(hub, path):
    with hub.client.get(path) as answer:
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy.pop("img-src") == "'self' data:"
    assert {policy.pop(name) for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert set(policy.values()) == {"'none'"}
    assert "default-src" in policy
