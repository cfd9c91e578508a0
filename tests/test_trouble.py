"""An unusable database: a documented 503, the reason in the log, and no file created. Reading needs no write access."""

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conversions_api.api import PATH

from .conftest import NOW, REPOSITORY, SERVERS, Hub, a_conversion, a_session, flask, serving
from .test_kill import post
from .third_party import unavailable

UNAVAILABLE = {"error": "The database can't be used at the moment. The server's log says why."}


def create_hub(folder: Path, email: str = "a@example.org") -> Hub:
    """Create a hub with one conversion, for the key "key", and an account with a limit, for the key "limited"."""
    folder.mkdir(exist_ok=True)
    hub = Hub(folder / "conversions.sqlite")
    hub.load([a_session(conversions=[a_conversion(email=email)])])
    hub.load([], "limited.example", "limited", "--monthly-limit", "100")
    close(hub)
    return hub


def files(folder: Path) -> list[Path]:
    """Return the files in a folder, without those that SQLite keeps beside an open database."""
    return [path for path in sorted(folder.rglob("*")) if not path.name.endswith(("-wal", "-shm"))]


def close(hub: Hub) -> None:
    """Close the hub's connections, as if its process had ended, so that SQLite deletes -wal and -shm."""
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


def truncate(path: Path) -> None:
    """Keep only the first half of the file, as after an interrupted copy."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def overwrite(path: Path) -> None:
    """Replace everything after the first page with zeros, as a failing disk might."""
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))


TROUBLES = {
    "missing": Path.unlink,
    "folder missing": lambda path: shutil.rmtree(path.parent),
    "an empty file": lambda path: path.write_bytes(b""),
    "not a database": lambda path: path.write_bytes(b"conversions, of which there are many\n" * 1000),
    "truncated": truncate,
    "overwritten": overwrite,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "older schema version": set_version,
}


@pytest.mark.parametrize("is_in_use", [False, True], ids=["before the start", "while serving"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_unusable_database_returns_a_503_with_the_reason_in_the_log_and_no_file_is_created(tmp_path, caplog, trouble, is_in_use):
    hub = create_hub(tmp_path / "hub")
    if is_in_use:
        assert emails(hub) == ["a@example.org"]
    TROUBLES[trouble](hub.path)
    before = files(tmp_path)
    for key in ("key", "limited"):
        with caplog.at_level(logging.ERROR):
            caplog.clear()
            response = hub.post("{}", key)
        # Open connections may still serve pages that they have already read.
        if is_in_use and trouble in ("truncated", "overwritten", "older schema version") and response.status_code == 200:
            continue
        assert (response.status_code, response.json) == (503, UNAVAILABLE)
        (record,) = caplog.records
        assert str(hub.path) in record.message
        assert record.exc_info is None
    assert hub.client.get("/readyz").status_code in ((200, 503) if is_in_use else (503,))
    assert hub.client.get("/livez").status_code == 200
    assert [path for path in files(tmp_path) if path.suffix == ".sqlite"] == [p for p in before if p.suffix == ".sqlite"]


@pytest.mark.parametrize("command", [["walk", "{}", "--key", "key"], ["explain", "{}", "--key", "key"]], ids=["walk", "explain"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_command_says_in_one_sentence_what_is_wrong_with_the_database(tmp_path, trouble, command):
    hub = create_hub(tmp_path / "hub")
    TROUBLES[trouble](hub.path)
    before = files(tmp_path)
    outcome = hub.run(*command)
    assert outcome.exit_code == 1
    assert isinstance(outcome.exception, SystemExit), outcome.exception
    assert outcome.stderr.startswith(f"Error: The database {hub.path} can't be used: ")
    assert outcome.stderr.count("\n") == 1
    assert files(tmp_path) == before


@pytest.mark.parametrize("command", [["seed"], ["import", "-", "--domain", "new.example"]], ids=["seed", "import"])
@pytest.mark.parametrize("trouble", ["not a database", "overwritten", "a folder", "older schema version"])
def test_a_command_does_not_write_to_an_unusable_database(tmp_path, trouble, command):
    hub = create_hub(tmp_path / "hub")
    TROUBLES[trouble](hub.path)
    before = hub.path.is_file() and hub.path.read_bytes()
    outcome = hub.run(*command)
    assert outcome.exit_code == 1
    assert isinstance(outcome.exception, SystemExit), outcome.exception
    assert outcome.stderr.startswith(f"Error: The database {hub.path} can't be used: ")
    assert (hub.path.is_file() and hub.path.read_bytes()) == before


def test_a_database_of_another_program_is_refused_and_not_changed(tmp_path):
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


# Replaced while serving


def test_a_database_that_replaces_another_is_used_at_once(tmp_path):
    hub = create_hub(tmp_path / "old", "old@example.org")
    new = create_hub(tmp_path / "new", "new@example.org")
    assert emails(hub) == ["old@example.org"]
    with closing(sqlite3.connect(new.path)) as database:
        database.execute("VACUUM INTO ?", (str(tmp_path / "whole"),))
    os.replace(tmp_path / "whole", hub.path)
    assert emails(hub) == ["new@example.org"]


def test_a_symbolic_link_that_is_changed_to_another_database_is_followed(tmp_path):
    create_hub(tmp_path / "old", "old@example.org"), create_hub(tmp_path / "new", "new@example.org")
    link = tmp_path / "link.sqlite"
    link.symlink_to(tmp_path / "old" / "conversions.sqlite")
    hub = Hub(link)
    assert hub.post("{}", "limited").status_code == 200
    link.unlink()
    link.symlink_to(tmp_path / "new" / "conversions.sqlite")
    assert emails(hub) == ["new@example.org"]


def test_a_database_that_is_deleted_and_created_again_is_used(tmp_path):
    hub = create_hub(tmp_path / "hub", "old@example.org")
    assert hub.post("{}", "limited").status_code == 200
    hub.path.unlink()
    assert hub.post("{}").status_code == 503
    assert not hub.path.exists()
    Hub(hub.path).load([a_session(conversions=[a_conversion(email="new@example.org")])])
    assert emails(hub) == ["new@example.org"]


class LongBody(BytesIO):
    """The body of an empty query. Something happens before it has arrived."""

    def __init__(self, event: Callable):
        super().__init__(b"{}")
        self.event = event

    def read(self, size=-1) -> bytes:
        self.event()
        return super().read(size)


@pytest.mark.decision(39)
def test_if_the_database_is_replaced_while_a_body_arrives_the_key_is_checked_in_the_new_one(tmp_path):
    hub = create_hub(tmp_path / "old")
    another = Hub(tmp_path / "conversions.sqlite")
    another.load([a_session(conversions=[a_conversion(email="b@example.org")])], "another.example", "another")
    close(another)
    body = LongBody(lambda: another.path.exists() and os.replace(another.path, hub.path))
    assert hub.post("{}", environ_overrides={"wsgi.input": body}).status_code == 401
    assert emails(hub, "another") == ["b@example.org"]


def test_a_key_that_is_revoked_while_the_body_arrives_returns_401(tmp_path):
    hub = create_hub(tmp_path / "hub")
    body = LongBody(lambda: hub.run("keys", "revoke", "key"))
    assert hub.post("{}", environ_overrides={"wsgi.input": body}).status_code == 401


# Without write access


AS_ANOTHER_USER = """
import json, os, sys
from conversions_api import create_app
client = create_app({"DATABASE": sys.argv[1], "NOW": sys.argv[2]}).test_client()
client.post("/api/v1/conversions", json={})  # load all modules first: the other user may not be able to read them
os.setgroups([]), os.setgid(65534), os.setuid(65534)
for line in sys.stdin:
    response = client.post("/api/v1/conversions", json={}, headers={"Authentication": line.strip()})
    print(json.dumps([response.status_code, response.json]), flush=True)
"""


class Reader:
    """A server of another user, who can read the database but not write to it."""

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
        status, response = self._ask(key)
        assert status == 200, response
        return [record["email"] for record in response["records"]]

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
    """Create a hub whose files everybody can read and only root can write."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield create_hub(Path(folder))


@pytest.mark.decision(40)
def test_reading_needs_no_write_access_but_a_monthly_limit_does(theirs):
    before = sorted(theirs.path.parent.iterdir())
    with Reader(theirs) as reader:
        assert reader.emails() == ["a@example.org"]
        assert [reader.status(), reader.status("limited"), reader.status(), reader.status("nobody")] == [200, 503, 200, 401]
    assert sorted(theirs.path.parent.iterdir()) == before


def test_without_write_access_what_another_user_writes_is_visible_at_once(theirs):
    with Reader(theirs) as reader:
        assert len(reader.emails()) == 1
        for times in range(2, 4):
            # A separate process that ends, so the write-ahead log is created and deleted.
            done = subprocess.run(
                **flask("import", "-", "--domain", "example.com", DATABASE=theirs.path, NOW=NOW),
                input=json.dumps(a_session(session_id=f"s-{times}", conversions=[a_conversion()])),
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert len(reader.emails()) == times
            assert len(reader.emails()) == times


def test_without_write_access_the_write_ahead_log_is_read_through_a_symbolic_link_too(theirs):
    link = theirs.path.with_name("link.sqlite")
    link.symlink_to(theirs.path)
    assert len(emails(theirs)) == 1  # keeps the database open, so that what is written now stays in the write-ahead log
    theirs.load([a_session(session_id="later", conversions=[a_conversion()])])
    assert beside(theirs, "-wal").stat().st_size > 0
    with Reader(Hub(link)) as reader:
        assert len(reader.emails()) == 2


def test_without_write_access_reading_works_while_another_user_writes(theirs):
    with Reader(theirs) as reader, theirs.app.extensions["database"].writing() as connection:
        connection.execute("DELETE FROM conversions")
        assert reader.emails() == ["a@example.org"]
        assert reader.emails() == ["a@example.org"]


def test_a_database_without_read_access_returns_a_503(theirs):
    theirs.path.chmod(0o600)
    with Reader(theirs) as reader:
        assert reader.status() == 503
        theirs.path.chmod(0o644)
        assert reader.status() == 200


# A locked database, and a full disk


def test_the_server_waits_briefly_for_a_locked_database(tmp_path):
    hub = create_hub(tmp_path / "hub")
    hub.app.extensions["database"].patience = 0.2
    with closing(sqlite3.connect(hub.path, isolation_level=None)) as locking:
        locking.execute("PRAGMA locking_mode = EXCLUSIVE")
        locking.execute("BEGIN EXCLUSIVE")
        for key in ("key", "limited"):
            response = hub.post("{}", key)
            assert (response.status_code, response.json) == (503, UNAVAILABLE)
    assert [hub.post("{}", key).status_code for key in ("key", "limited")] == [200, 200]


def run_on_a_full_disk(hub: Hub, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
    """Run a command that cannot make any file larger than the database is."""
    command = flask(*arguments, DATABASE=hub.path, NOW=NOW)
    limit = f"import resource, os, sys; size = {hub.path.stat().st_size if hub.path.exists() else 8192}; "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)); os.execv(sys.argv[1], sys.argv[1:])"
    command["args"] = [sys.executable, "-c", limit, *command["args"]]
    return subprocess.run(**command, input=stdin, capture_output=True, check=False)


MANY = "".join(json.dumps(a_session(conversions=[a_conversion(email="x" * 500)])) + "\n" for _ in range(2000))


@pytest.mark.parametrize("arguments", [["import", "-", "--domain", "example.com", "--replace"], ["seed"]], ids=["import", "seed"])
def test_on_a_full_disk_a_command_fails_with_a_sentence_and_the_data_is_unchanged(tmp_path, arguments):
    hub = create_hub(tmp_path / "hub")
    done = run_on_a_full_disk(hub, *arguments, stdin=MANY)
    assert done.returncode == 1
    error = done.stderr
    assert "Traceback" not in error
    assert f"Error: The database {hub.path} can't be used: " in error
    assert emails(hub) == ["a@example.org"]
    with closing(sqlite3.connect(hub.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_after_a_first_import_on_a_full_disk_the_next_one_creates_the_database(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    assert run_on_a_full_disk(hub, "import", "-", "--domain", "example.com", stdin=MANY).returncode == 1
    hub.load([a_session(conversions=[a_conversion()])])
    assert emails(hub) == ["a@example.org"]


def test_on_a_full_disk_requests_that_only_read_succeed(tmp_path):
    hub = create_hub(tmp_path / "hub")
    full = f"""
import json, resource
from conversions_api import create_app
client = create_app({{"DATABASE": {str(hub.path)!r}, "NOW": {NOW!r}}}).test_client()
ask = lambda key: client.post({PATH!r}, json={{}}, headers={{"Authentication": key}}).status_code
ask("key")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
print([ask("key"), ask("limited"), ask("key")])
"""
    done = subprocess.run([sys.executable, "-c", full], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[200, 503, 200]", done.stderr


def test_a_copy_made_with_vacuum_into_counts_calls_and_keeps_its_rows(hub, tmp_path):
    """Such a copy is not in WAL mode, in which counting a call would wait for the reader of the same request."""
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "key", "--monthly-limit", "2")
    copy = tmp_path / "copy.sqlite"
    with closing(sqlite3.connect(hub.path)) as database:
        database.execute("VACUUM INTO ?", [str(copy)])
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    restored = Hub(copy)
    assert [restored.post("{}").status_code for _ in range(3)] == [200, 200, 429]


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """Mount a file system of 64 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> None:
    with suppress(OSError), (folder / "rest").open("wb", buffering=0) as rest:
        while rest.write(bytes(65536)):
            pass


def mount_again(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


DISKS = {
    "full": (fill, lambda folder: (folder / "rest").unlink()),
    "read-only": (lambda folder: mount_again(folder, "ro"), lambda folder: mount_again(folder, "rw")),
}


@pytest.mark.decision(81)
@pytest.mark.parametrize(("spoil", "mend"), DISKS.values(), ids=DISKS)
@pytest.mark.parametrize("program", ["granian", "flask run"])
def test_a_server_that_starts_on_a_full_or_read_only_disk_serves_what_it_can_read(small_disk, program, spoil, mend):
    hub = create_hub(small_disk)
    spoil(small_disk)
    with started_on(hub, program) as address:
        assert [post(address, key=key)[0] for key in ("key", "limited", "key")] == [200, 503, 200]
    mend(small_disk)
    with started_on(hub, program) as address:
        assert [post(address, key=key)[0] for key in ("key", "limited")] == [200, 200]


@contextmanager
def started_on(hub: Hub, program: str) -> Iterator[tuple[str, int]]:
    """Start a server whose log is not on the hub's disk."""
    with TemporaryDirectory() as folder:
        link = Path(folder) / "conversions.sqlite"
        link.symlink_to(hub.path)
        with SERVERS[program](Hub(link)) as address:
            yield address


@pytest.mark.parametrize("program", ["granian", "flask run"])
def test_a_server_that_starts_while_an_import_runs_serves(tmp_path, program):
    hub = create_hub(tmp_path / "hub")
    with importing(hub), SERVERS[program](hub) as address:
        assert post(address)[0] == 200


@contextmanager
def importing(hub: Hub) -> Iterator[None]:
    """Hold the transaction that an import holds while it runs."""
    with closing(sqlite3.connect(hub.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield
        writer.execute("ROLLBACK")


@pytest.mark.parametrize("create", [lambda folder: folder / "nowhere" / "conversions.sqlite", lambda folder: folder])
def test_flask_run_without_a_database_that_it_can_read_says_why_and_ends(tmp_path, create):
    (tmp_path / "nowhere").write_text("a file where a folder should be")
    done = subprocess.run(**flask("run", "--port", "0", DATABASE=create(tmp_path)), capture_output=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize("port", ["-1", "99999"])
def test_flask_run_refuses_a_number_that_is_no_port(tmp_path, port):
    command = flask("run", "--port", port, DATABASE=tmp_path / "conversions.sqlite")
    done = subprocess.run(**command, capture_output=True, check=False, timeout=60)
    assert done.stderr.splitlines()[-1] == f"Error: Invalid value for --port: {port} is not a port: choose one from 0 to 65535."


@pytest.mark.decision(82)
def test_while_an_import_runs_calls_that_count_fail_soon_and_delay_no_other_request(tmp_path):
    hub = create_hub(tmp_path / "hub")
    hub.load([], "over.example", "over", "--monthly-limit", "0")
    with serving(hub) as address, importing(hub), ThreadPoolExecutor(30) as clients:
        began = time.monotonic()
        limited = [clients.submit(post, address, key="limited") for _ in range(12)]
        over = [clients.submit(post, address, key="over") for _ in range(12)]
        assert post(address)[0] == 200
        with closing(HTTPConnection(*address, timeout=30)) as connection:
            connection.request("GET", "/livez")
            assert connection.getresponse().status == 200
        assert time.monotonic() - began < 3
        assert {call.result()[0] for call in limited} == {503}
        assert {call.result()[0] for call in over} == {429}


# A power cut: what was not synced to the disk is lost

SYNC = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int synced(int fd) {
    char link[64], path[PATH_MAX], copy[PATH_MAX + 8], piece[65536];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1), got;
    if (length < 0) return 0;
    path[length] = 0;
    if (!strstr(path, ".sqlite")) return 0;
    snprintf(copy, sizeof copy, "%s.synced", path);
    int from = open(path, O_RDONLY), to = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    while ((got = read(from, piece, sizeof piece)) > 0)
        if (write(to, piece, got) != got) break;
    close(from), close(to);
    return 0;
}
int fsync(int fd) { return synced(fd); }
int fdatasync(int fd) { return synced(fd); }
"""


@pytest.fixture(scope="session")
def synced(tmp_path_factory) -> Path:
    """Return a library that keeps, of each database file, a copy of what was synced last."""
    if not (shutil.which("gcc") and Path("/proc/self/fd").exists()):
        unavailable("gcc is not installed, or this is not Linux")
    folder = tmp_path_factory.mktemp("synced")
    (folder / "synced.c").write_text(SYNC)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "synced.so", folder / "synced.c", "-ldl"], check=True)
    return folder / "synced.so"


def cut_power(path: Path) -> None:
    """Leave of a database file, and of its write-ahead log, what was synced."""
    for file in (path, Path(f"{path}-wal")):
        if Path(f"{file}.synced").exists():
            os.replace(f"{file}.synced", file)
        elif file != path:
            file.unlink(missing_ok=True)
    Path(f"{path}-shm").unlink(missing_ok=True)


# Each command that says it is done, and what is then true.
DONE = {
    "keys revoke": (["keys", "revoke", "key"], lambda hub: hub.post("{}", "key").status_code == 401),
    "keys add": (["keys", "add", "--domain", "example.com"], lambda hub: len(hub.run("keys", "list").stdout.splitlines()) == 3),
    "accounts delete": (["accounts", "delete", "example.com"], lambda hub: hub.post("{}", "key").status_code == 401),
    "import": (["import", "-", "--domain", "new.example", "--key", "new"], lambda hub: hub.post("{}", "new").status_code == 200),
    "seed": (["seed"], lambda hub: hub.post("{}", "dense").status_code == 200),
}


@pytest.mark.decision(83)
@pytest.mark.parametrize("name", DONE)
def test_what_a_command_has_done_survives_a_power_cut(tmp_path, synced, name):
    arguments, is_done = DONE[name]
    hub = create_hub(tmp_path / "hub")
    assert emails(hub) == ["a@example.org"]  # an open connection, like that of a server, so that the log is not written back
    command = flask(*arguments, DATABASE=hub.path, NOW=NOW)
    command["env"]["LD_PRELOAD"] = str(synced)
    subprocess.run(**command, input=json.dumps(a_session()), check=True, capture_output=True)
    copy = shutil.copytree(hub.path.parent, tmp_path / "copy") / hub.path.name
    cut_power(copy)
    assert is_done(Hub(copy))
