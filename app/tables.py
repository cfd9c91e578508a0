"""The tables of a database file: created as schema.sql says, checked, and upgraded from an earlier version. Decision 39."""

import sqlite3
from pathlib import Path

_HERE = Path(__file__).parent
IS_INSTALLED = (_HERE / "schema.sql").exists()  # otherwise this is a checkout
SHIPPED = _HERE if IS_INSTALLED else _HERE.parent
SCHEMA = SHIPPED / "schema.sql"
APPLICATION_ID, SCHEMA_VERSION = 0x41487562, 3  # as schema.sql sets them
TABLES = ("accounts", "keys", "usage", "sessions", "conversions")  # those with rows that are kept; parents before children


def check(connection: sqlite3.Connection, create: bool = False) -> int:
    """Return the version of the file's tables, or 0 if it is empty.

    Raises sqlite3.DatabaseError if they are not of this version of this program. With create, an empty file and an earlier version
    are accepted too.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    found = table_names(connection)
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
        version, wrong = 0, "it has no tables yet; conversions seed creates them"
    elif application != APPLICATION_ID and not (application == 0 and version == 1 and "generation" in found):  # version 1 set none
        raise sqlite3.DatabaseError("it is a database of another program")
    elif not 1 <= version <= SCHEMA_VERSION or (version < SCHEMA_VERSION and not found >= {*TABLES}):
        raise sqlite3.DatabaseError(f"it has schema version {version}, and this program needs {SCHEMA_VERSION}")
    else:
        wrong = f"it has schema version {version}; conversions seed upgrades it"
    if version < SCHEMA_VERSION and not create:
        raise sqlite3.DatabaseError(wrong)
    return version


def create(connection: sqlite3.Connection) -> list[str]:
    """Create the tables if the file has none, and upgrade those of an earlier version.

    Returns the statements that create the indexes, if that is still to be done: indexing rows that are already there takes half the
    time.
    """
    version = check(connection, create=True)  # once more, now that nobody else can write
    if version == SCHEMA_VERSION:
        return []
    tables, indexes = schema_statements()
    if version:
        upgrade(connection, tables + indexes)
        return []
    for statement in tables:
        connection.execute(statement)
    return indexes


def table_names(connection: sqlite3.Connection) -> set[str]:
    names = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")
    return {name for (name,) in names if not name.startswith("sqlite_")}


def upgrade(connection: sqlite3.Connection, statements: list[str]) -> None:
    """Make the tables anew, and copy the rows, with the columns that the old and the new table both have."""
    for table in TABLES:
        connection.execute(f"CREATE TEMP TABLE old_{table} AS SELECT * FROM main.{table}")
    # Children before their parents, so that dropping a table leaves no row without its parent.
    for table in [*reversed(TABLES), *(table_names(connection) - {*TABLES})]:
        connection.execute(f"DROP TABLE main.{table}")
    for statement in statements:
        connection.execute(statement)
    for table in TABLES:
        old, new = ({name for _, name, *_ in connection.execute(f"PRAGMA table_info({name})")} for name in (f"old_{table}", table))
        columns = ", ".join(sorted(old & new))
        connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM old_{table}")
        connection.execute(f"DROP TABLE old_{table}")


def schema_statements() -> tuple[list[str], list[str]]:
    """Return the statements of schema.sql that make tables and triggers, and those that make indexes."""
    statements = [""]
    for line in SCHEMA.read_text(encoding="utf-8").splitlines(keepends=True):
        statements[-1] += line
        if sqlite3.complete_statement(statements[-1]):
            statements.append("")
    indexes = [statement for statement in statements if "CREATE INDEX" in statement]
    return [statement for statement in statements if statement not in indexes], indexes
