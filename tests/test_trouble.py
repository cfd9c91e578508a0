"""A database in trouble: a documented 503, a reason in the log, no file by accident; and what can still be read is read."""

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.api import PATH

from .conftest import NOW, REPOSITORY, Hub, a_conversion, a_session, flask

UNAVAILABLE = {"error": "The database can't be used at the moment. The server's log says why."}


def made(folder: Path, email: str = "a@example.org") -> Hub:
    """A hub with one conversion, for the key "key", and an account with a limit, for the key "limited"."""
    folder.mkdir(exist_ok=True)
    hub = Hub(folder / "conversions.sqlite")
    hub.load([a_session(conversions=[a_conversion(email=email)])])
    hub.load([], "limited.example", "limited", "--monthly-limit", "100")
    close(hub)
    return hub


def files(folder: Path) -> list[Path]:
    """What is there, without what SQLite keeps beside a database while it is open."""
    return [path for path in sorted(folder.rglob("*")) if not path.name.endswith(("-wal", "-shm"))]


def close(hub: Hub) -> None:
    """As if the hub's process had ended: SQLite then deletes -wal and -shm."""
    idle = hub.app.extensions["database"]._idle
    while idle:
        idle.pop().close()
    assert not beside(hub, "-wal").exists()


def emails(hub: Hub, key: str = "key") -> list[str]:
    return [record["email"] for record in hub.ask({}, key)["records"]]


def beside(hub: Hub, end: str) -> Path:
    return Path(f"{hub.path}{end}")


def set_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 0")


def cut(path: Path) -> None:
    """As a copy that broke off: all of the pages' first half."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def overwrite(path: Path) -> None:
    """As a failing disk: zeros from the second page on."""
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))


TROUBLES = {
    "missing": Path.unlink,
    "its folder missing": lambda path: shutil.rmtree(path.parent),
    "an empty file": lambda path: path.write_bytes(b""),
    "no database": lambda path: path.write_bytes(b"conversions, of which there are many\n" * 1000),
    "cut": cut,
    "overwritten": overwrite,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "of an older schema": set_version,
}


@pytest.mark.parametrize("is_in_use", [False, True], ids=["before the start", "while serving"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_database_in_trouble_is_a_503_with_a_reason_in_the_log_and_no_file_is_made(tmp_path, caplog, trouble, is_in_use):
    hub = made(tmp_path / "hub")
    if is_in_use:
        assert emails(hub) == ["a@example.org"]
    TROUBLES[trouble](hub.path)
    before = files(tmp_path)
    for key in ("key", "limited"):
        with caplog.at_level(logging.ERROR):
            caplog.clear()
            answer = hub.post("{}", key)
        # What the connections at hand have read already may still be answered.
        if is_in_use and trouble in ("cut", "overwritten", "of an older schema") and answer.status_code == 200:
            continue
        assert (answer.status_code, answer.json) == (503, UNAVAILABLE)
        (record,) = caplog.records
        assert str(hub.path) in record.message
        assert record.exc_info is None
    assert hub.client.get("/readyz").status_code in ((200, 503) if is_in_use else (503,))
    assert hub.client.get("/livez").status_code == 200
    assert [path for path in files(tmp_path) if path.suffix == ".sqlite"] == [p for p in before if p.suffix == ".sqlite"]


@pytest.mark.parametrize("command", [["walk", "{}", "--key", "key"], ["explain", "{}", "--key", "key"]], ids=["walk", "explain"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_command_says_in_a_sentence_what_is_wrong_with_the_database(tmp_path, trouble, command):
    hub = made(tmp_path / "hub")
    TROUBLES[trouble](hub.path)
    before = files(tmp_path)
    outcome = hub.run(*command)
    assert outcome.exit_code == 1
    assert isinstance(outcome.exception, SystemExit), outcome.exception
    assert outcome.stderr.startswith(f"Error: The database {hub.path} can't be used: ")
    assert outcome.stderr.count("\n") == 1
    assert files(tmp_path) == before


@pytest.mark.parametrize("command", [["seed"], ["import", "-", "--domain", "new.example"]], ids=["seed", "import"])
@pytest.mark.parametrize("trouble", ["no database", "overwritten", "a folder", "of an older schema"])
def test_nothing_is_written_into_what_is_no_database_of_ours(tmp_path, trouble, command):
    hub = made(tmp_path / "hub")
    TROUBLES[trouble](hub.path)
    before = hub.path.is_file() and hub.path.read_bytes()
    outcome = hub.run(*command)
    assert outcome.exit_code == 1
    assert isinstance(outcome.exception, SystemExit), outcome.exception
    assert outcome.stderr.startswith(f"Error: The database {hub.path} can't be used: ")
    assert (hub.path.is_file() and hub.path.read_bytes()) == before


def test_a_database_of_another_program_is_refused_before_anything_in_it_changes(tmp_path):
    path = tmp_path / "conversions.sqlite"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, domain TEXT)")
        theirs.execute("PRAGMA user_version = 2")
        theirs.commit()
    before = path.read_bytes()
    hub = Hub(path)
    for command in (["seed"], ["import", "-", "--domain", "new.example"], ["keys", "list"], ["keys", "revoke", "k"]):
        outcome = hub.run(*command, stdin=json.dumps(a_session()))
        assert outcome.exit_code == 1
        assert outcome.stderr == f"Error: The database {path} can't be used: it is a database of another program.\n"
    assert hub.post("{}").status_code == 503
    assert path.read_bytes() == before


# Exchanged while serving


def test_a_database_that_another_takes_the_place_of_is_answered_from_the_new_one_at_once(tmp_path):
    hub = made(tmp_path / "old", "old@example.org")
    new = made(tmp_path / "new", "new@example.org")
    assert emails(hub) == ["old@example.org"]
    with closing(sqlite3.connect(new.path)) as database:
        database.execute("VACUUM INTO ?", (str(tmp_path / "whole"),))
    os.replace(tmp_path / "whole", hub.path)
    assert emails(hub) == ["new@example.org"]


def test_a_link_that_is_turned_to_another_database_is_followed(tmp_path):
    made(tmp_path / "old", "old@example.org"), made(tmp_path / "new", "new@example.org")
    link = tmp_path / "link.sqlite"
    link.symlink_to(tmp_path / "old" / "conversions.sqlite")
    hub = Hub(link)
    assert hub.post("{}", "limited").status_code == 200
    link.unlink()
    link.symlink_to(tmp_path / "new" / "conversions.sqlite")
    assert emails(hub) == ["new@example.org"]


def test_a_database_that_was_deleted_and_made_anew_is_answered_from(tmp_path):
    hub = made(tmp_path / "hub", "old@example.org")
    assert hub.post("{}", "limited").status_code == 200
    hub.path.unlink()
    assert hub.post("{}").status_code == 503
    assert not hub.path.exists()
    Hub(hub.path).load([a_session(conversions=[a_conversion(email="new@example.org")])])
    assert emails(hub) == ["new@example.org"]


class LongBody(BytesIO):
    """An empty query that takes its time: something happens before it has come in."""

    def __init__(self, happens: Callable):
        super().__init__(b"{}")
        self.happens = happens

    def readinto(self, buffer) -> int:
        self.happens()
        return super().readinto(buffer)


@pytest.mark.decision(39)
def test_a_request_that_began_before_an_exchange_gets_nothing_of_the_account_that_took_the_place_of_its_own(tmp_path):
    hub = made(tmp_path / "old")
    another = Hub(tmp_path / "conversions.sqlite")
    another.load([a_session(conversions=[a_conversion(email="b@example.org")])], "another.example", "another")
    close(another)
    body = LongBody(lambda: another.path.exists() and os.replace(another.path, hub.path))
    assert hub.post("{}", environ_overrides={"wsgi.input": body}).status_code == 401
    assert emails(hub, "another") == ["b@example.org"]


def test_a_key_that_is_revoked_before_the_body_has_come_in_opens_nothing(tmp_path):
    hub = made(tmp_path / "hub")
    body = LongBody(lambda: hub.run("keys", "revoke", "key"))
    assert hub.post("{}", environ_overrides={"wsgi.input": body}).status_code == 401


# Who may not write


AS_ANOTHER_USER = """
import json, os, sys
from app import create_app
client = create_app({"DATABASE": sys.argv[1], "NOW": sys.argv[2]}).test_client()
client.post("/api/v1/conversions", json={})  # what Python loads late may not be this user's to read
os.setgroups([]), os.setgid(65534), os.setuid(65534)
for line in sys.stdin:
    answer = client.post("/api/v1/conversions", json={}, headers={"Authentication": line.strip()})
    print(json.dumps([answer.status_code, answer.json]), flush=True)
"""


class Reader:
    """Another user's server, who may read the database and not write."""

    def __init__(self, hub: Hub):
        self.process = subprocess.Popen(
            [sys.executable, "-c", AS_ANOTHER_USER, str(hub.path), NOW],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def status(self, key: str = "key") -> int:
        return self._ask(key)[0]

    def emails(self, key: str = "key") -> list[str]:
        status, answer = self._ask(key)
        assert status == 200, answer
        return [record["email"] for record in answer["records"]]

    def _ask(self, key: str):
        self.process.stdin.write(f"{key}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture
def theirs() -> Iterator[Hub]:
    """A hub whose files anybody may read, and root alone may write."""
    if os.geteuid() != 0:
        pytest.skip("root alone can become another user")
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield made(Path(folder))


@pytest.mark.decision(40)
def test_reading_needs_no_write_access_and_a_limit_does(theirs):
    before = sorted(theirs.path.parent.iterdir())
    with Reader(theirs) as reader:
        assert reader.emails() == ["a@example.org"]
        assert [reader.status(), reader.status("limited"), reader.status(), reader.status("nobody")] == [200, 503, 200, 401]
    assert sorted(theirs.path.parent.iterdir()) == before


def test_a_reader_without_write_access_sees_what_another_user_writes_at_once(theirs):
    with Reader(theirs) as reader:
        assert len(reader.emails()) == 1
        for times in range(2, 6):
            # A process of its own, which ends: the log of writes comes and goes.
            done = subprocess.run(
                **flask("import", "-", "--domain", "example.com", DATABASE=theirs.path, NOW=NOW),
                input=json.dumps(a_session(session_id=f"s-{times}", conversions=[a_conversion()])),
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert len(reader.emails()) == times
            assert len(reader.emails()) == times


def test_a_reader_without_write_access_who_follows_a_link_sees_what_is_in_the_log_of_writes(theirs):
    link = theirs.path.with_name("link.sqlite")
    link.symlink_to(theirs.path)
    assert len(emails(theirs)) == 1  # which keeps it open, so that what is written now stays in the log
    theirs.load([a_session(session_id="later", conversions=[a_conversion()])])
    assert beside(theirs, "-wal").stat().st_size > 0
    with Reader(Hub(link)) as reader:
        assert len(reader.emails()) == 2


def test_a_reader_without_write_access_reads_beside_a_writer(theirs):
    with Reader(theirs) as reader, theirs.app.extensions["database"].writing_sessions() as connection:
        connection.execute("DELETE FROM conversions")
        assert reader.emails() == ["a@example.org"]
        assert reader.emails() == ["a@example.org"]


def test_what_another_user_may_not_read_is_a_503(theirs):
    theirs.path.chmod(0o600)
    with Reader(theirs) as reader:
        assert reader.status() == 503
        theirs.path.chmod(0o644)
        assert reader.status() == 200


# Locked, and full


def test_a_locked_database_is_waited_for_briefly(tmp_path, monkeypatch):
    monkeypatch.setattr("app.database.PATIENCE", 0.2)
    hub = made(tmp_path / "hub")
    with closing(sqlite3.connect(hub.path, isolation_level=None)) as locking:
        locking.execute("PRAGMA locking_mode = EXCLUSIVE")
        locking.execute("BEGIN EXCLUSIVE")
        for key in ("key", "limited"):
            answer = hub.post("{}", key)
            assert (answer.status_code, answer.json) == (503, UNAVAILABLE)
    assert [hub.post("{}", key).status_code for key in ("key", "limited")] == [200, 200]


def run_without_room(hub: Hub, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
    """A command that can write no file beyond the size that the database has."""
    command = flask(*arguments, DATABASE=hub.path, NOW=NOW)
    limit = f"import resource, os, sys; size = {hub.path.stat().st_size if hub.path.exists() else 8192}; "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)); os.execv(sys.argv[1], sys.argv[1:])"
    command["args"] = [sys.executable, "-c", limit, *command["args"]]
    return subprocess.run(**command, input=stdin, capture_output=True, check=False)


MANY = "".join(json.dumps(a_session(conversions=[a_conversion(email="x" * 500)])) + "\n" for _ in range(2000))


@pytest.mark.parametrize("arguments", [["import", "-", "--domain", "example.com", "--replace"], ["seed"]], ids=["import", "seed"])
def test_without_room_a_command_says_so_and_the_data_stays_as_it_was(tmp_path, arguments):
    hub = made(tmp_path / "hub")
    done = run_without_room(hub, *arguments, stdin=MANY)
    assert done.returncode == 1
    error = done.stderr
    assert "Traceback" not in error
    assert f"Error: The database {hub.path} can't be used: " in error
    assert emails(hub) == ["a@example.org"]
    with closing(sqlite3.connect(hub.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_without_room_for_a_first_import_the_next_one_makes_the_database(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    assert run_without_room(hub, "import", "-", "--domain", "example.com", stdin=MANY).returncode == 1
    hub.load([a_session(conversions=[a_conversion()])])
    assert emails(hub) == ["a@example.org"]


def test_without_room_what_needs_no_writing_is_answered(tmp_path):
    hub = made(tmp_path / "hub")
    full = f"""
import json, resource
from app import create_app
client = create_app({{"DATABASE": {str(hub.path)!r}, "NOW": {NOW!r}}}).test_client()
ask = lambda key: client.post({PATH!r}, json={{}}, headers={{"Authentication": key}}).status_code
ask("key")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
print([ask("key"), ask("limited"), ask("key")])
"""
    done = subprocess.run([sys.executable, "-c", full], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[200, 503, 200]", done.stderr
