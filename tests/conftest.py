"""A server of its own for each test, asked as a client would ask it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import create_app

NOW = "2025-08-15T12:00:00Z"
REPOSITORY = Path(__file__).parent.parent


class Hub:
    """The app on a database file of its own, at a fixed time; asked through HTTP and the command line alone."""

    def __init__(self, path: Path, now: str = NOW, **settings: str):
        self.path, self.now = path, now
        self.app = create_app({"DATABASE": path, "NOW": now} | settings)
        self.client = self.app.test_client()

    def run(self, *arguments: str, stdin: str | bytes = ""):
        """The outcome of `flask ARGUMENTS`: exit_code, stdout, stderr."""
        return self.app.test_cli_runner().invoke(args=list(arguments), input=stdin)

    def load(self, sessions: list[dict], domain: str = "example.com", key: str = "key", *options: str) -> None:
        # An import without sessions is a fault: an account without any gets one that no window has.
        lines = "".join(
            json.dumps(session) + "\n" for session in sessions or [a_session(session_id=key, started_at="0001-01-01T00:00:00Z")]
        )
        outcome = self.run("import", "-", "--domain", domain, "--key", key, *options, stdin=lines)
        assert outcome.exit_code == 0, outcome.output

    def post(self, body: str | bytes, key: str | None = "key", content_type: str | None = "application/json", **more):
        """The response to a body given to the letter."""
        headers = more.pop("headers", {}) | ({"Authentication": key} if key is not None else {})
        return self.client.post("/api/v1/conversions", data=body, headers=headers, content_type=content_type, **more)

    def ask(self, query: dict, key: str = "key") -> dict:
        """The answer, which must be 200."""
        response = self.post(json.dumps(query), key)
        assert response.status_code == 200, response.text
        return response.json

    def walk(self, query: dict, key: str = "key") -> Iterator[dict]:
        """The pages, each with records_processed of the one before as its offset; none where nothing was found."""
        offset = 0
        while True:
            page = self.ask(query | {"offset": offset}, key)
            if "message" in page:
                return
            yield page
            if not page["pagination"]["has_more"]:
                return
            assert page["pagination"]["records_processed"] > offset
            offset = page["pagination"]["records_processed"]

    def everything(self, query: dict, key: str = "key") -> list[dict]:
        """The records of all pages."""
        return [record for page in self.walk(query, key) for record in page["records"]]


@pytest.fixture
def hub(tmp_path) -> Hub:
    """A server whose database does not exist until something is loaded."""
    return Hub(tmp_path / "conversions.sqlite")


@pytest.fixture(scope="session")
def bundled(tmp_path_factory) -> Hub:
    """A server with the bundled data of the day of NOW, for tests that change nothing."""
    hub = Hub(tmp_path_factory.mktemp("bundled") / "conversions.sqlite")
    assert hub.run("seed").exit_code == 0
    return hub


def a_session(**fields) -> dict:
    """A session in the import format, complete but for what the test is about."""
    return {"started_at": "2025-08-01T10:00:00Z", "landing_page": "https://example.com/"} | fields


def a_conversion(**fields) -> dict:
    """A conversion in the import format, likewise."""
    return {
        "email": "a@example.org",
        "timestamp": "2025-08-01 10:00:00",
        "conversion_page": "https://example.com/thankyou",
        "previous_page": None,
        "conversion_meta": {"type": "html_form", "id": "form"},
    } | fields


def flask(*arguments: str, **settings: object) -> dict:
    """What starts a real process: its command line and its environment, without the settings of this one."""
    return {
        "args": [sys.executable, "-m", "flask", *arguments],
        "cwd": REPOSITORY,
        "env": {name: value for name, value in os.environ.items() if not name.startswith(("CONVERSIONS_", "FLASK_"))}
        | {f"CONVERSIONS_{name}": str(value) for name, value in settings.items()},
        "text": True,
    }


@contextmanager
def serving(hub: Hub, *options: str, app: str = "wsgi:app", **settings: str) -> Iterator[tuple[str, int]]:
    """The address of real worker processes on a hub's database, at its time; they write to server.log beside it."""
    settings = {"DATABASE": str(hub.path), "NOW": hub.now} | settings
    # Listening before the server starts: what is asked meanwhile waits in the queue, so nobody has to look whether it is up.
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, (hub.path.parent / "server.log").open("wb") as log:
        address = listener.getsockname()
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}", "--no-control-socket", *options, app],
            cwd=REPOSITORY,
            env=os.environ | {f"CONVERSIONS_{name}": setting for name, setting in settings.items()},
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
    try:
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            assert server.wait(timeout=30) in (0, -signal.SIGTERM)  # that, if it had no time to begin
        finally:
            server.kill()
            server.wait()


@contextmanager
def listening(hub: Hub, *module: str, stop: signal.Signals = signal.SIGKILL, **settings: str) -> Iterator[tuple[str, int]]:
    """The same of another server, which takes a free port and says which."""
    process = flask(**{"DATABASE": hub.path, "NOW": hub.now} | settings)
    process["args"] = [sys.executable, "-m", *module]
    server = subprocess.Popen(**process, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        port = next(int(said[1]) for line in server.stderr if (said := re.search(r"http://127\.0\.0\.1:(\d+)$", line.strip())))
        # A full pipe would stop it.
        reading = threading.Thread(target=deque, args=(server.stderr, 0))
        reading.start()
        yield "127.0.0.1", port
    finally:
        server.send_signal(stop)
        server.wait()
        reading.join()
        server.stderr.close()


WAITRESS = ("waitress", "--ident=", "--connection-limit=500", "--listen", "127.0.0.1:0", "wsgi:app")

# The servers that the README names, as it starts them.
SERVERS = {
    "flask run": lambda hub: listening(hub, "flask", "run", "--port", "0"),
    "waitress": lambda hub: listening(hub, *WAITRESS),
    "gunicorn": lambda hub: serving(hub, "--workers", "4", "--threads", "8"),
}
