"""The database file: its connections and their transactions. Decisions 28, 39, 40."""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import NamedTuple

from app import tables

PATIENCE = 5  # seconds to wait for another program that writes
IDLE_CONNECTIONS = 8  # that read; a new connection costs as much as a page
# The sqlite3 module releases Python's lock at each row, so threads that read at once slow each other down. They take turns; before
# a statement, a thread waits at most this long for its turn.
LONGEST_TURN = 0.1  # seconds


class Statement(NamedTuple):
    sql: str
    values: dict
    rows: list[tuple]
    seconds: float


class Connection(sqlite3.Connection):
    ran: list[Statement]  # by rows(), in this transaction
    turn: Lock
    longest_query: float  # seconds, or 0
    file: tuple[int, ...]  # device, inode, size and modification time when it was opened
    is_immutable: bool  # opened without locks: SQLite can't take any in a folder where this user may not write

    def rows(self, sql: str, values: dict) -> list[tuple]:
        has_turn = self.turn.acquire(timeout=LONGEST_TURN)
        try:
            started = perf_counter()
            if self.longest_query:
                deadline = started + self.longest_query
                self.set_progress_handler(lambda: perf_counter() > deadline, 10_000)  # every 10,000 steps of SQLite
            rows = self.execute(sql, values).fetchall()
            self.ran.append(Statement(sql, values, rows, perf_counter() - started))
        finally:
            if has_turn:
                self.turn.release()
        return rows


class Database:
    """One database file. Safe to share between threads.

    Every method raises sqlite3.Error if the file is missing, locked, broken, or not a database of this program.
    """

    def __init__(self, path: Path, longest_query: float = 0):
        """longest_query: the seconds after which a statement that reads is interrupted; 0 means never."""
        self.path, self.longest_query = path, longest_query
        self._idle: deque[Connection] = deque()
        self._turn = Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that reads one snapshot of the data and cannot write."""
        connection = self._take()
        try:
            connection.ran = []
            connection.execute("BEGIN")
            yield connection
            if connection.is_immutable and connection.file != self._file():
                raise sqlite3.OperationalError("another program wrote to it during the request; send the request again")
        finally:
            self._give_back(connection)

    @contextmanager
    def writing_accounts(self) -> Iterator[Connection]:
        """Open a transaction that writes accounts, keys and usage, all of it or, if an exception is raised, nothing.

        It keeps the data version, so it must not change sessions or conversions: SQLite refuses a statement that would.
        """
        with closing(self._connect("rw")) as connection:
            tables.check(connection)
            connection.set_authorizer(_deny_sessions_and_conversions)
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def writing_sessions(self) -> Iterator[Connection]:
        """Open a transaction that writes sessions, conversions and anything else, all of it or, if an exception is raised, nothing.

        It replaces the data version, on which everything that is cached between requests depends. It creates the file and its
        tables if they are missing, and upgrades a file of an earlier version.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect("rwc")) as connection:
            if not tables.is_empty(connection) and not tables.is_version_1(connection):
                tables.check(connection)  # before anything in it is changed
            connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
            connection.execute("PRAGMA cache_size = -65536")  # KiB; filling a dozen indexes writes all over the file
            connection.execute("BEGIN IMMEDIATE")
            before = connection.total_changes
            indexes = tables.create(connection)
            yield connection
            for statement in indexes:
                connection.execute(statement)
            if connection.total_changes > before:
                connection.execute("UPDATE data_version SET number = random()")
                # With statistics, SQLite looks up the rarer of two filters. Open connections notice them if their table is new.
                connection.execute("DROP TABLE IF EXISTS sqlite_stat1")
                connection.execute("ANALYZE")
            connection.execute("COMMIT")

    def _take(self) -> Connection:
        file = self._file()
        with suppress(IndexError):  # another thread took the last one
            while self._idle:
                connection = self._idle.pop()
                if connection.file[:2] == file[:2]:
                    return connection
                connection.close()  # its file was deleted, or another one took its place
        connection = self._connect("ro")
        try:
            tables.check(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _give_back(self, connection: Connection) -> None:
        connection.rollback()
        if connection.is_immutable or len(self._idle) >= IDLE_CONNECTIONS:
            connection.close()
        else:
            self._idle.append(connection)

    def _file(self) -> tuple[int, ...]:
        try:
            file = os.stat(self.path)
        except OSError as error:
            raise sqlite3.OperationalError(error.strerror) from None
        return file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns

    def _connect(self, mode: str) -> Connection:
        file = () if mode == "rwc" else self._file()
        real = os.path.realpath(self.path)
        is_immutable = mode == "ro" and not os.access(os.path.dirname(real), os.W_OK) and not os.path.exists(f"{real}-wal")
        uri = f"{self.path.absolute().as_uri()}?mode={mode}{'&immutable=1' if is_immutable else ''}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False, factory=Connection
        )
        connection.ran, connection.turn, connection.longest_query = [], self._turn, self.longest_query
        connection.file, connection.is_immutable = file, is_immutable
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")  # with WAL, a power cut can undo the last commits, but not break the file
        return connection


def _deny_sessions_and_conversions(action: int, table: str | None, *_) -> int:
    is_write = action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE)
    return sqlite3.SQLITE_DENY if is_write and table in ("sessions", "conversions") else sqlite3.SQLITE_OK
