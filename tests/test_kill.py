"""kill -9 at random moments: the database can be opened, is intact, and contains the old data or the new data.

`python -m tests.tools.reliability` kills more often.
"""

import http.client
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conversions_api.api import PATH

from .conftest import NOW, Hub, a_conversion, a_session, flask, serving

KILLS = 6
NEXT_DAY = "2025-08-16"


def state(path: Path) -> str:
    """Return the contents of a database, which must be intact, or "" if it has no tables yet."""
    if not path.exists():
        return ""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        if not database.execute("SELECT 1 FROM sqlite_schema").fetchall():
            return ""
        # Not the keys, whose day comes from the real clock.
        tables = ("accounts", "usage", "sessions", "conversions")
        return repr([database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables])


def file_of(name: str, sessions: int) -> str:
    return "".join(
        json.dumps(a_session(session_id=f"{name}-{n}", conversions=[a_conversion(email=f"{name}@example.org")])) + "\n"
        for n in range(sessions)
    )


IMPORT = ["import", "-", "--domain", "example.com", "--key", "key"]


def nothing(_: Path) -> None:
    pass


def imported(path: Path) -> None:
    Hub(path).load([json.loads(line) for line in file_of("old", 1000).splitlines()])


def seeded(path: Path) -> None:
    assert Hub(path).run("seed").exit_code == 0


# For each write: what prepares the database, and the command that is killed.
WRITES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "a first import": (nothing, IMPORT),
    "an import": (imported, IMPORT),
    "a replacing import": (imported, [*IMPORT, "--replace"]),
    "a first seeding": (nothing, ["seed"]),
    "a seeding": (seeded, ["seed", "--as-of", NEXT_DAY]),
}


def outcomes_of_kills(folder: Path, name: str, kills: int) -> Counter:
    """Kill a command repeatedly. Count how often it left the old data, the new data, and neither."""
    prepare, command = WRITES[name]
    lines = folder / "lines"
    lines.write_text(file_of("new", 2000))
    original = folder / "original.sqlite"
    prepare(original)
    old = state(original)
    path = folder / "conversions.sqlite"

    def run(kill_after: float | None) -> float:
        for file in folder.glob("conversions.sqlite*"):
            file.unlink()
        if original.exists():
            shutil.copy(original, path)
        began = time.monotonic()
        with lines.open() as stdin:
            process = subprocess.Popen(
                **flask(*command, DATABASE=path, NOW=NOW), stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        try:
            assert process.wait(kill_after) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return time.monotonic() - began

    duration = run(None)
    new = state(path)
    assert new != old
    outcomes = Counter(old=0, new=0, neither=0)
    for _ in range(kills):
        run(random.uniform(0.3, 1.02) * duration)  # during the first part, Python starts
        try:
            found = state(path)
        except (sqlite3.Error, AssertionError):
            found = None
        outcomes["old" if found == old else "new" if found == new else "neither"] += 1
        assert Hub(path).run("keys", "list").exit_code == (0 if found else 1)
    return outcomes


@pytest.mark.parametrize("name", ["a replacing import", "a seeding"])
def test_a_killed_command_leaves_the_old_data_or_the_new_data(tmp_path, name):
    assert outcomes_of_kills(tmp_path, name, KILLS)["neither"] == 0


def post(address: tuple[str, int], body: str = "{}", key: str = "key", **headers: str) -> tuple[int, dict]:
    with closing(http.client.HTTPConnection(*address, timeout=30)) as connection:
        connection.request("POST", PATH, body, {"Authentication": key, "Content-Type": "application/json"} | headers)
        response = connection.getresponse()
        return response.status, json.load(response)


def miscounts(folder: Path, kills: int) -> int:
    """Kill a server repeatedly while it counts calls. Return how often it had counted too few calls, or too many."""
    hub = Hub(folder / "conversions.sqlite")
    hub.load([], "example.com", "key", "--monthly-limit", "1000000")
    before = wrong = 0
    for _ in range(kills):
        sent, statuses = [], []

        def ask(address: tuple[str, int], sent: list = sent, statuses: list = statuses) -> None:
            try:
                while True:
                    sent.append(1)
                    statuses.append(post(address)[0])
            except (OSError, http.client.HTTPException):
                pass

        with serving(hub, stop=signal.SIGKILL) as address:
            clients = [threading.Thread(target=ask, args=(address,)) for _ in range(4)]
            for client in clients:
                client.start()
            clients[0].join(random.uniform(0.05, 0.4))
        for client in clients:
            client.join()
        state(hub.path)
        with closing(sqlite3.connect(hub.path)) as database:
            (used,) = database.execute("SELECT used FROM usage").fetchone() or (0,)
        wrong += not (len(statuses) <= used - before <= len(sent) and set(statuses) <= {200})
        before = used
    return wrong


def test_a_killed_server_has_counted_every_call_that_it_responded_to(tmp_path):
    assert miscounts(tmp_path, KILLS) == 0


def totals_while_seeding(folder: Path, seedings: int) -> tuple[Counter, set]:
    """Count the totals that requests see during seedings for two days in turn. Return them and the totals of the two days."""
    hub = Hub(folder / "conversions.sqlite", "2025-08-16T12:00:00Z")
    query = json.dumps({"start_date": "2025-07-01", "end_date": "2025-12-31"})

    def seed(day: str) -> int:
        assert subprocess.run(**flask("seed", "--as-of", day, DATABASE=hub.path), capture_output=True, check=False).returncode == 0
        return hub.ask(json.loads(query), "YOUR_API_KEY")["pagination"]["total_records"]

    days = {seed("2025-08-14"), seed("2025-08-15")}
    seen: Counter = Counter()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            status, response = post(address, query, "YOUR_API_KEY")
            seen[response["pagination"]["total_records"] if status == 200 else status] += 1

    with serving(hub, "--workers", "2") as address:
        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            for number in range(seedings):
                seed("2025-08-14" if number % 2 == 0 else "2025-08-15")
        finally:
            done.set()
            for client in clients:
                client.join()
    return seen, days


def test_while_the_data_is_seeded_a_request_sees_the_old_data_or_the_new_data(tmp_path):
    seen, days = totals_while_seeding(tmp_path, 2)
    assert len(days) == 2
    assert set(seen) == days
