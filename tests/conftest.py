"""Fixtures: each test has its own server and uses it as a client would."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import venv
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conversions_api import create_app

NOW = "2025-08-15T12:00:00Z"
REPOSITORY = Path(__file__).parent.parent


class Hub:
    """The app with its own database file and a fixed clock, used only through HTTP and the command line."""

    def __init__(self, path: Path, now: str = NOW, **settings: str):
        self.path, self.now = path, now
        self.app = create_app({"DATABASE": path, "NOW": now} | settings)
        self.client = self.app.test_client()

    def run(self, *arguments: str, stdin: str | bytes = ""):
        """Run `flask ARGUMENTS` and return the result, which has exit_code, stdout and stderr."""
        return self.app.test_cli_runner().invoke(args=list(arguments), input=stdin)

    def load(self, sessions: list[dict], domain: str = "example.com", key: str = "key", *options: str) -> None:
        # An import without sessions fails, so an account without any gets one that is too old for the tests' windows.
        lines = "".join(
            json.dumps(session) + "\n" for session in sessions or [a_session(session_id=key, started_at="0001-01-01T00:00:00Z")]
        )
        outcome = self.run("import", "-", "--domain", domain, "--key", key, *options, stdin=lines)
        assert outcome.exit_code == 0, outcome.output

    def post(self, body: str | bytes, key: str | None = "key", content_type: str | None = "application/json", **more):
        """Send this exact body and return the response."""
        headers = more.pop("headers", {}) | ({"Authentication": key} if key is not None else {})
        return self.client.post("/api/v1/conversions", data=body, headers=headers, content_type=content_type, **more)

    def ask(self, query: dict, key: str = "key") -> dict:
        """Send a query, check that the status is 200, and return the JSON of the response."""
        response = self.post(json.dumps(query), key)
        assert response.status_code == 200, response.text
        return response.json

    def walk(self, query: dict, key: str = "key") -> Iterator[dict]:
        """Yield all pages, with records_processed of each as the offset of the next; yield none if nothing is found."""
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
        """Return the records of all pages."""
        return [record for page in self.walk(query, key) for record in page["records"]]


@pytest.fixture
def hub(tmp_path) -> Hub:
    """Provide a server whose database does not exist until something is loaded."""
    return Hub(tmp_path / "conversions.sqlite")


@pytest.fixture(scope="session")
def bundled(tmp_path_factory) -> Hub:
    """Provide a server with the bundled data as of NOW, for read-only tests."""
    hub = Hub(tmp_path_factory.mktemp("bundled") / "conversions.sqlite")
    assert hub.run("seed").exit_code == 0
    return hub


def a_session(**fields) -> dict:
    """Return a session in the import format, with defaults for the required fields."""
    return {"started_at": "2025-08-01T10:00:00Z", "landing_page": "https://example.com/"} | fields


def a_conversion(**fields) -> dict:
    """Return a conversion in the import format, with defaults for all fields."""
    return {
        "email": "a@example.org",
        "timestamp": "2025-08-01 10:00:00",
        "conversion_page": "https://example.com/thankyou",
        "previous_page": None,
        "conversion_meta": {"type": "html_form", "id": "form"},
    } | fields


def flask(*arguments: str, **settings: object) -> dict:
    """Return arguments for `subprocess.run` that start a real `flask` process, without the settings of this process."""
    return {
        "args": [sys.executable, "-m", "flask", *arguments],
        "cwd": REPOSITORY,
        "env": {name: value for name, value in os.environ.items() if not name.startswith(("CONVERSIONS_", "FLASK_"))}
        | {f"CONVERSIONS_{name}": str(value) for name, value in settings.items()},
        "text": True,
    }


@contextmanager
def serving(hub: Hub, *options: str, app: str = "wsgi:app", **settings: str) -> Iterator[tuple[str, int]]:
    """Start Gunicorn with a hub's database and clock, and yield its address. It logs to server.log next to the database."""
    settings = {"DATABASE": str(hub.path), "NOW": hub.now} | settings
    # The socket listens before the server starts. Early requests wait in its queue, so no test has to check that the server is up.
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
            assert server.wait(timeout=30) in (0, -signal.SIGTERM)  # -SIGTERM if it had no time to start
        finally:
            server.kill()
            server.wait()


@contextmanager
def listening(hub: Hub, *module: str, stop: signal.Signals = signal.SIGKILL, **settings: str) -> Iterator[tuple[str, int]]:
    """Start another server, which picks a free port and prints it, and yield its address."""
    process = flask(**{"DATABASE": hub.path, "NOW": hub.now} | settings)
    process["args"] = [sys.executable, "-m", *module]
    server = subprocess.Popen(**process, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        port = next(int(match[1]) for line in server.stderr if (match := re.search(r"http://127\.0\.0\.1:(\d+)$", line.strip())))
        # Read what it prints: a full pipe would block the server.
        reading = threading.Thread(target=deque, args=(server.stderr, 0))
        reading.start()
        yield "127.0.0.1", port
    finally:
        server.send_signal(stop)
        server.wait()
        reading.join()
        server.stderr.close()


WAITRESS = ("waitress", "--ident=", "--connection-limit=500", "--listen", "127.0.0.1:0", "wsgi:app")

# The servers that tests run the app with. Waitress gets the options that the README gives.
SERVERS = {
    "flask run": lambda hub: listening(hub, "flask", "run", "--port", "0"),
    "waitress": lambda hub: listening(hub, *WAITRESS),
    "gunicorn": lambda hub: serving(hub, "--workers", "4", "--threads", "8"),
}


def once(name: str, tmp_path_factory, make: Callable[[Path], None]) -> Path:
    """Return a folder that one of the processes that run the tests makes, while the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            make(folder)
            (folder / "complete").touch()
    return folder


@pytest.fixture(scope="session")
def distributions(tmp_path_factory) -> Path:
    """Return a folder with the wheel and the source distribution, built from a copy of the repository."""

    def build(folder: Path) -> None:
        unwanted = shutil.ignore_patterns(".git", ".venv", "build", "instance", "*.egg-info", "__pycache__", ".*_cache")
        copy = shutil.copytree(REPOSITORY, folder / "copy", ignore=unwanted)
        for kind in ("wheel", "sdist"):  # as pip builds them, but with the setuptools that is here
            program = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
            subprocess.run([sys.executable, "-c", program], cwd=copy, check=True, capture_output=True)

    return once("distributions", tmp_path_factory, build)


@pytest.fixture(scope="session")
def installed(distributions, tmp_path_factory) -> Path:
    """Return the bin folder of a virtual environment with the wheel, which takes everything else from this environment."""

    def install(folder: Path) -> None:
        venv.create(folder, symlinks=True)
        (wheel,) = distributions.glob("*.whl")
        pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, wheel], check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")

    return once("installed", tmp_path_factory, install) / "bin"
