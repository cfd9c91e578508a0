"""kill -9 at random moments: the database opens, is whole, and holds the old state or the new one.
`python -m tests.tools.reliability` kills more often."""

import http.client
import json
import random
import shutil
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.api import PATH

from .conftest import NOW, WAITRESS, Hub, a_conversion, a_session, flask, listening, serving

KILLS = 10
NEXT_DAY = "2025-08-16"


def state(path: Path) -> str:
    """All that a sound database holds; "" where there are no tables yet."""
    if not path.exists():
        return ""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        if not database.execute("SELECT 1 FROM sqlite_schema").fetchall():
            return ""
        # A key's day is the real clock's, and the data version is random.
        apart = ('INSERT INTO "keys"', 'INSERT INTO "data_version"')
        return "\n".join(line for line in database.iterdump() if not line.startswith(apart))


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


# What is there, and the command that is killed.
WRITES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "a first import": (nothing, IMPORT),
    "an import": (imported, IMPORT),
    "a replacing import": (imported, [*IMPORT, "--replace"]),
    "a first seeding": (nothing, ["seed"]),
    "a seeding": (seeded, ["seed", "--as-of", NEXT_DAY]),
}


def outcomes_of_kills(folder: Path, name: str, kills: int) -> Counter:
    """How often a killed command left the old state, the new one, and neither."""
    prepare, command = WRITES[name]
    lines = folder / "lines"
    lines.write_text(file_of("new", 2000))
    original = folder / "original.sqlite"
    prepare(original)
    old = state(original)
    path = folder / "conversions.sqlite"

    def run(moment: float | None) -> float:
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
            assert process.wait(moment) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return time.monotonic() - began

    whole = run(None)
    new = state(path)
    assert new != old
    outcomes = Counter(old=0, new=0, neither=0)
    for _ in range(kills):
        run(random.uniform(0.3, 1.02) * whole)  # Python needs the first part to start
        try:
            found = state(path)
        except (sqlite3.Error, AssertionError):
            found = None
        outcomes["old" if found == old else "new" if found == new else "neither"] += 1
        assert Hub(path).run("keys", "list").exit_code == (0 if found else 1)
    return outcomes


@pytest.mark.parametrize("name", ["a replacing import", "a seeding"])
def test_what_is_killed_leaves_the_old_state_or_the_new_one(tmp_path, name):
    assert outcomes_of_kills(tmp_path, name, KILLS)["neither"] == 0


def post(address: tuple[str, int], body: str = "{}", key: str = "key", **headers: str) -> tuple[int, dict]:
    with closing(http.client.HTTPConnection(*address, timeout=30)) as connection:
        connection.request("POST", PATH, body, {"Authentication": key, "Content-Type": "application/json"} | headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)


def miscounts(folder: Path, kills: int) -> int:
    """How often a server that was killed while it counted had answered more calls than the database knows, or made some up."""
    hub = Hub(folder / "conversions.sqlite")
    hub.load([], "example.com", "key", "--monthly-limit", "1000000")
    before = wrong = 0
    for _ in range(kills):
        begun, answered = [], []

        def ask(address: tuple[str, int], begun: list = begun, answered: list = answered) -> None:
            try:
                while True:
                    begun.append(1)
                    answered.append(post(address)[0])
            except (OSError, http.client.HTTPException):
                pass

        # What takes its own port is killed when it is left.
        with listening(hub, *WAITRESS) as address:
            clients = [threading.Thread(target=ask, args=(address,)) for _ in range(4)]
            for client in clients:
                client.start()
            clients[0].join(random.uniform(0.05, 0.4))
        for client in clients:
            client.join()
        state(hub.path)
        with closing(sqlite3.connect(hub.path)) as database:
            (used,) = database.execute("SELECT used FROM usage").fetchone() or (0,)
        wrong += not (len(answered) <= used - before <= len(begun) and set(answered) <= {200})
        before = used
    return wrong


def test_a_server_that_is_killed_while_it_counts_has_counted_every_call_that_it_answered(tmp_path):
    assert miscounts(tmp_path, KILLS) == 0


def totals_while_seeding(folder: Path, seedings: int) -> tuple[Counter, set]:
    """The totals that requests saw while the bundled data was brought to another day and back, and those of the two days."""
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
            status, answer = post(address, query, "YOUR_API_KEY")
            seen[answer["pagination"]["total_records"] if status == 200 else status] += 1

    with serving(hub, "--workers", "2", "--threads", "4") as address:
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


def test_while_the_data_is_seeded_anew_a_request_sees_the_old_totals_or_the_new_ones(tmp_path):
    seen, days = totals_while_seeding(tmp_path, 2)
    assert len(days) == 2
    assert set(seen) == days
