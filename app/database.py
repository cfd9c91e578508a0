"""The database file: its connections and their transactions. Decisions 28, 39, 40, 82, 83."""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import perf_counter

from . import tables

PATIENCE = 5  # seconds to wait for another program that writes
PATIENCE_TO_COUNT = 0.5  # seconds for a call of a monthly limit, which holds a thread of the server
IDLE_CONNECTIONS = 8  # kept open for reading; opening one costs as much as a page
REMEMBERED_NUMBERS = 64  # by a connection; their keys have the texts of filters, up to 64 KiB each
MANY_CHANGES = 5_000  # rows; fewer hardly change what the statistics say
# The sqlite3 module releases Python's lock at each row, so threads that read at once slow each other down. They take turns, one
# statement at a time; a thread that has waited this long goes ahead without its turn.
LONGEST_TURN = 0.1  # seconds
IMMUTABLE = "ro&immutable=1"  # without locks


@dataclass
class Statement:
    """A statement that read something, for Server-Timing and flask explain."""

    sql: str
    values: dict  # those that it binds
    row_count: int = 0
    seconds: float = 0


class Connection(sqlite3.Connection):
    ran: list[Statement]  # in this transaction
    turn: Lock
    file: tuple[int, ...]  # device, inode, size and modification time when it was opened
    is_immutable: bool  # opened without locks: SQLite can't take any in a folder where this user may not write
    numbers: dict[tuple, int]  # what remembered_number() remembers, by statement and values
    numbers_version: int | None = None  # SQLite's data version when they were read

    def rows(self, sql: str, values: dict) -> list[tuple]:
        """Return all rows that the statement selects."""
        with self._timed(statement := self._record(sql, values)):
            rows = self.execute(sql, values).fetchall()
        statement.row_count = len(rows)
        return rows

    def batches(self, sql: str, values: dict, size: int) -> Iterator[list[tuple]]:
        """Return the rows that the statement selects, so many at a time. Rows that nobody asks for are not read."""
        with self._timed(statement := self._record(sql, values)):
            cursor = self.execute(sql, values)
            batch = cursor.fetchmany(size)
        while batch:
            statement.row_count += len(batch)
            yield batch
            with self._timed(statement):
                batch = cursor.fetchmany(size)

    def remembered_number(self, sql: str, values: dict) -> int:
        """Return the one number that the statement selects: a count, or whether something exists.

        This connection remembers it until another connection commits, if only to count a call. So this one must not write.
        """
        (version,) = self.execute("PRAGMA data_version").fetchone()
        if version != self.numbers_version or len(self.numbers) == REMEMBERED_NUMBERS:
            self.numbers.clear()
            self.numbers_version = version
        key = (sql, frozenset(bound(sql, values).items()))
        if key not in self.numbers:
            ((self.numbers[key],),) = self.rows(sql, values)
        return self.numbers[key]

    def _record(self, sql: str, values: dict) -> Statement:
        self.ran.append(Statement(sql, bound(sql, values)))
        return self.ran[-1]

    @contextmanager
    def _timed(self, statement: Statement) -> Iterator[None]:
        has_turn = self.turn.acquire(timeout=LONGEST_TURN)
        started = perf_counter()
        try:
            yield
        finally:
            statement.seconds += perf_counter() - started
            if has_turn:
                self.turn.release()


def bound(sql: str, values: dict) -> dict:
    """Return the values that the statement binds."""
    return {name: value for name, value in values.items() if f":{name}" in sql}


class Database:
    """One database file. Safe to share between threads.

    Every method raises sqlite3.Error if the file is missing, locked, broken, or not a database of this program.
    """

    def __init__(self, path: Path):
        self.path = path
        self.patience: float = PATIENCE
        self._idle: deque[Connection] = deque()
        self._turn = Lock()
        self._counting = Lock()

    @contextmanager
    def reading(self, time_limit: float = 0) -> Iterator[Connection]:
        """Open a transaction that reads one snapshot of the data and cannot write.

        It is interrupted after so many seconds; 0 means never.
        """
        connection = self._take()
        try:
            if time_limit:
                deadline = perf_counter() + time_limit
                connection.set_progress_handler(lambda: perf_counter() > deadline, 10_000)  # every 10,000 steps of SQLite
            connection.ran = []
            connection.execute("BEGIN")
            yield connection
            if connection.is_immutable and connection.file != self._file():
                raise sqlite3.OperationalError("another program wrote to it during the request; send the request again")
        finally:
            connection.set_progress_handler(None, 0)
            connection.rollback()
            if connection.is_immutable or len(self._idle) >= IDLE_CONNECTIONS:
                connection.close()
            else:
                self._idle.append(connection)

    @contextmanager
    def writing(self, create: bool = False, is_durable: bool = True, patience: float | None = None) -> Iterator[Connection]:
        """Open a transaction that writes, all of it or, if an exception is raised, nothing.

        With create, it makes the file and its tables if they are missing, and upgrades a file of an earlier version. If it
        is durable, a power cut can't undo it afterwards.
        """
        if create:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect("rwc" if create else "rw", patience)) as connection:
            if is_durable:
                connection.execute("PRAGMA synchronous = FULL")
            tables.check(connection, create)  # before anything in the file is changed
            if create:
                connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
                connection.execute("PRAGMA cache_size = -65536")  # KiB; filling a dozen indexes writes all over the file
            connection.execute("BEGIN IMMEDIATE")
            indexes = tables.create(connection) if create else []
            before = connection.total_changes
            yield connection
            for statement in indexes:
                connection.execute(statement)
            if connection.total_changes - before >= MANY_CHANGES:
                # With statistics, SQLite looks up the rarer of two filters. Open connections read them again if their table is new.
                connection.execute("DROP TABLE IF EXISTS sqlite_stat1")
                connection.execute("ANALYZE")
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def counting(self) -> Iterator[Connection]:
        """Open a transaction that counts a call. It waits only briefly for other writers, and a power cut can undo it."""
        # The threads of this process take turns here: waiting for SQLite is slower, and not in order.
        if not self._counting.acquire(timeout=PATIENCE_TO_COUNT):
            raise sqlite3.OperationalError("database is locked")
        try:
            with self.writing(is_durable=False, patience=PATIENCE_TO_COUNT) as connection:
                yield connection
        finally:
            self._counting.release()

    def _take(self) -> Connection:
        file = self._file()
        with suppress(IndexError):  # another thread took the last one
            while self._idle:
                connection = self._idle.pop()
                if connection.file[:2] == file[:2]:
                    return connection
                connection.close()  # its file was deleted, or another one took its place
        try:
            return self._open("ro")
        except sqlite3.OperationalError as error:
            # On a full disk or in a read-only folder, SQLite can't create the -shm file. Without a write-ahead log, it needs none.
            has_wal = False
            with suppress(OSError):
                has_wal = os.path.getsize(f"{os.path.realpath(self.path)}-wal") > 0
            if has_wal or getattr(error, "sqlite_errorname", "SQLITE_BUSY").startswith("SQLITE_BUSY"):
                raise
            return self._open(IMMUTABLE)

    def _open(self, mode: str) -> Connection:
        connection = self._connect(mode)
        try:
            tables.check(connection)
            (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
            if journal != "wal" and not connection.is_immutable:
                # VACUUM INTO made it, for example. Without WAL, counting a call would wait for the reader of its request.
                # A file that can't be written stays as it is.
                with suppress(sqlite3.OperationalError), closing(self._connect("rw")) as writer:
                    writer.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _file(self) -> tuple[int, ...]:
        try:
            file = os.stat(self.path)
        except OSError as error:
            raise sqlite3.OperationalError(error.strerror) from None
        return file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns

    def _connect(self, mode: str, patience: float | None = None) -> Connection:
        file = () if mode == "rwc" else self._file()
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        patience = self.patience if patience is None else patience
        connection = sqlite3.connect(
            uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False, factory=Connection
        )
        connection.ran, connection.turn, connection.numbers = [], self._turn, {}
        connection.file, connection.is_immutable = file, mode == IMMUTABLE
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")  # enough for the file to stay whole
        return connection
