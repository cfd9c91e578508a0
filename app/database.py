"""The database file: its creation, and transactions that read (one snapshot) or write (all or nothing). Decisions 28, 39, 40."""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import NamedTuple

_HERE = Path(__file__).parent
SHIPPED = _HERE if (_HERE / "schema.sql").exists() else _HERE.parent  # an installed package; a checkout
SCHEMA = SHIPPED / "schema.sql"
SCHEMA_VERSION = 1  # schema.sql's user_version

PATIENCE = 5  # seconds to wait for another program that writes
IDLE_CONNECTIONS = 8  # that read; a new connection costs as much as a page
# Threads that read at once hinder each other, for SQLite lets go of Python's lock at each row: taking turns, they are twice as
# fast. But nobody waits longer than this for a reading that takes long.
LONGEST_TURN = 0.1  # seconds


class Statement(NamedTuple):
    sql: str
    values: dict
    rows: list[tuple]
    seconds: float


class Connection(sqlite3.Connection):
    """Remembers the statements of its transaction, for those who want to see what a page took."""

    ran: list[Statement]
    file: os.stat_result  # when it was opened
    is_unlocked: bool  # opened without locks, which SQLite cannot take where this user may not write and nobody else does

    def rows(self, sql: str, values: dict) -> list[tuple]:
        started = perf_counter()
        rows = self.execute(sql, values).fetchall()
        self.ran.append(Statement(sql, values, rows, perf_counter() - started))
        return rows


class Database:
    """One file, and connections to it that wait for their next use; safe to share between threads.

    Whatever goes wrong with the file is raised as sqlite3.Error.
    """

    def __init__(self, path: Path):
        self.path = path
        self._idle: deque[Connection] = deque()
        self._turn = Lock()
        self._opened: tuple[os.stat_result, os.stat_result] | None = None  # last: the file, and its log of writes (-wal)

    def is_made(self) -> bool:
        """Whether there is a file with tables in it: a creation that was killed leaves one without."""
        if not self.path.exists():
            return False
        with closing(_connect(self.path, "ro")) as connection:
            return not _is_empty(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the data, whatever is written meanwhile, and cannot write."""
        has_turn = self._turn.acquire(timeout=LONGEST_TURN)
        try:
            with self._lent() as connection:
                yield connection
        finally:
            if has_turn:
                self._turn.release()

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        connection = self._take()
        try:
            connection.execute("BEGIN")
            yield connection
            if connection.is_unlocked and not _is_unchanged(connection.file, _look(self.path)):
                raise sqlite3.OperationalError("it was written while it was read without a lock; ask again")
        except sqlite3.Error:
            connection.close()
            raise
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)

    @contextmanager
    def writing_accounts(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or, if an exception leaves it, was never there."""
        with closing(self._open("rw")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def writing_sessions(self) -> Iterator[Connection]:
        """The same as writing, and makes the file and its tables in that transaction, where they are not there yet."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(_connect(self.path, "rwc")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
            connection.execute("PRAGMA cache_size = -65536")  # KiB: to fill a dozen indexes is to write all over the file
            connection.execute("BEGIN IMMEDIATE")
            tables, indexes = statements() if _is_empty(connection) else ([], [])
            for statement in tables:
                connection.execute(statement)
            _check_version(connection)
            before = connection.total_changes
            yield connection
            for statement in indexes:  # last: to index loaded rows takes half the time
                connection.execute(statement)
            if connection.total_changes > before:
                connection.execute("UPDATE generation SET number = random()")
                connection.execute("ANALYZE")  # so that of two filters the rarer one is looked up
            connection.execute("COMMIT")

    def _take(self) -> Connection:
        """A connection to what is at the path now, which reads."""
        file = _look(self.path)
        while self._idle:
            with suppress(IndexError):  # another thread took the last one
                connection = self._idle.pop()
                if connection.is_unlocked:
                    is_current = _is_unchanged(connection.file, file) and not _log(self.path).st_ino
                else:
                    is_current = os.path.samestat(connection.file, file)
                if is_current:
                    return connection
                connection.close()
        return self._open("ro")

    def _give_back(self, connection: Connection) -> None:
        connection.rollback()
        connection.ran.clear()
        if len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    def _open(self, mode: str) -> Connection:
        file, log = _look(self.path), _log(self.path)
        if self._opened:
            # SQLite would take what an exchanged file left in its log for pages of this one.
            last, its_log = self._opened
            if not os.path.samestat(last, file) and log.st_size and os.path.samestat(its_log, log):
                raise sqlite3.DatabaseError("it took the place of a file in use, whose -wal is still there; delete -wal and -shm")
        connection = _connect(self.path, mode)
        _check_version(connection)
        self._opened = connection.file, _log(self.path)
        return connection


def _look(path: Path) -> os.stat_result:
    """Raises sqlite3.OperationalError where there is nothing to open."""
    try:
        return os.stat(path)
    except OSError as error:
        raise sqlite3.OperationalError(error.strerror) from None


def _is_unchanged(before: os.stat_result, now: os.stat_result) -> bool:
    return os.path.samestat(before, now) and (before.st_mtime_ns, before.st_size) == (now.st_mtime_ns, now.st_size)


def _log(path: Path) -> os.stat_result:
    """The log of writes beside the file; all zeros where there is none."""
    try:
        return os.stat(f"{os.path.realpath(path)}-wal")
    except OSError:
        return os.stat_result([0] * 10)


def _connect(path: Path, mode: str) -> Connection:
    is_unlocked = mode == "ro" and not os.access(Path(os.path.realpath(path)).parent, os.W_OK) and not _log(path).st_ino
    uri = f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if is_unlocked else ''}"
    file = None if mode == "rwc" else _look(path)
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False, factory=Connection)
    connection.ran, connection.file, connection.is_unlocked = [], file, is_unlocked
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL, losing power can undo the last commits, not break the file
    return connection


def _is_empty(connection: Connection) -> bool:
    return connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


def _check_version(connection: Connection) -> None:
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"it has schema version {version}, and this program needs {SCHEMA_VERSION}")
    except sqlite3.Error:
        connection.close()
        raise


def statements() -> tuple[list[str], list[str]]:
    """The statements of schema.sql: those that make tables and triggers, and those that make indexes."""
    statements = [""]
    for line in SCHEMA.read_text(encoding="utf-8").splitlines(keepends=True):
        statements[-1] += line
        if sqlite3.complete_statement(statements[-1]):
            statements.append("")
    indexes = [statement for statement in statements if "CREATE INDEX" in statement]
    return [statement for statement in statements if statement not in indexes], indexes
