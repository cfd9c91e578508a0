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
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue

import pytest
from conversions_api import api, create_app, schemas
from conversions_api.openapi.document import document

NOW = "2025-08-15T12:00:00Z"
REPOSITORY = Path(__file__).parent.parent

# A shell that starts the suite in the background makes it ignore Ctrl-C, and so would every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
    """Return arguments for `subprocess.run` that start a real `flask` process, without the settings of this process.

    Its clock is at NOW, unless the settings say otherwise: by then the bundled data is small.
    """
    return {
        "args": [sys.executable, "-m", "flask", *arguments],
        "cwd": REPOSITORY,
        "env": {name: value for name, value in os.environ.items() if not name.startswith(("CONVERSIONS_", "FLASK_"))}
        | {f"CONVERSIONS_{name}": str(value) for name, value in ({"NOW": NOW} | settings).items()},
        "text": True,
    }


GRANIAN = ("granian", "--http", "1", "--no-ws", "--workers-kill-timeout", "25")  # as the README starts it


@contextmanager
def serving(
    hub: Hub, *options: str, app: str = "wsgi:server", stop: signal.Signals = signal.SIGTERM, **settings: str
) -> Iterator[tuple[str, int]]:
    """Start Granian with a hub's database and clock, and yield its address. At the end it gets that signal."""
    with free_port() as address, started(hub, *GRANIAN, "--port", str(address[1]), *options, app, **settings) as (server, lines):
        for _ in range(int(options[options.index("--workers") + 1]) if "--workers" in options else 1):
            assert any(re.search(r"Started worker-\d+ runtime-1$", line.strip()) for line in lines)
        wait_for(server, address)  # it says that it has started a moment too early
        yield address
        if stop == signal.SIGTERM:
            server.terminate()
            assert server.wait(timeout=50) == 0


@contextmanager
def free_port() -> Iterator[tuple[str, int]]:
    """Reserve a port for a server, and yield its address."""
    with socket.socket() as reserved:  # it does not listen, so all connections are the server's
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()


def wait_for(server: subprocess.Popen, address: tuple[str, int]) -> None:
    """Wait until the server accepts connections."""
    while server.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection(address):
            return
        time.sleep(0.02)
    raise AssertionError(f"The server exited with {server.returncode}.")


@contextmanager
def listening(hub: Hub, *module: str, **settings: str) -> Iterator[tuple[str, int]]:
    """Start another server, which picks a free port and prints it, and yield its address. At the end it is killed."""
    with started(hub, *module, **settings) as (_, lines):
        yield (
            "127.0.0.1",
            next(int(match[1]) for line in lines if (match := re.search(r"http://127\.0\.0\.1:(\d+)$", line.strip()))),
        )


@contextmanager
def started(hub: Hub, *module: str, **settings: str) -> Iterator[tuple[subprocess.Popen, Iterator[str]]]:
    """Start a Python module with a hub's database and clock, and yield its process and the lines that it prints, as they come.

    They are in server.log next to the database, too.
    """
    process = flask(**{"DATABASE": hub.path, "NOW": hub.now} | settings)
    process["args"] = [sys.executable, "-m", *module]
    lines: Queue[str] = Queue()

    def read() -> None:  # all: a full pipe would block the server
        with (hub.path.parent / "server.log").open("w", encoding="utf-8") as log:
            for line in server.stdout:
                log.write(line)
                lines.put(line)
        lines.put("")

    with subprocess.Popen(**process, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as server:
        reading = threading.Thread(target=read)
        reading.start()
        try:
            yield server, iter(lambda: lines.get(timeout=60), "")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)  # and what it has started
            reading.join()


# The servers that tests run the app with.
SERVERS = {
    "flask run": lambda hub: listening(hub, "flask", "run", "--port", "0"),
    "granian": lambda hub: serving(hub),
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


def pytest_xdist_auto_num_workers() -> int:
    """Run one test more than there are processors: many of them wait for a server, a browser or a command."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def check_with_the_document(response) -> None:
    """Check a response of the endpoint with what the OpenAPI document says about its status."""
    described = document()["paths"][api.PATH]["post"]["responses"][str(response.status_code)]
    schema = described["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert getattr(schemas, schema)().validate(response.json) == {}
    assert set(described.get("headers", [])) <= set(response.headers.keys())
