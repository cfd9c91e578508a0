"""The tables of a database file: created as schema.sql says, checked, and upgraded from an earlier version. Decision 39."""

import sqlite3
from pathlib import Path

_HERE = Path(__file__).parent
SHIPPED = _HERE if (_HERE / "schema.sql").exists() else _HERE.parent  # an installed package; a checkout
SCHEMA = SHIPPED / "schema.sql"
APPLICATION_ID, SCHEMA_VERSION = 0x41487562, 2  # as schema.sql sets them


def check(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError if the file was not made by this version of this program."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if is_empty(connection):
        raise sqlite3.DatabaseError("it has no tables yet; flask seed creates them")
    if is_version_1(connection):
        raise sqlite3.DatabaseError("it has schema version 1; flask seed upgrades it")
    if application != APPLICATION_ID:
        raise sqlite3.DatabaseError("it is a database of another program")
    if version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"it has schema version {version}, and this program needs {SCHEMA_VERSION}")


def create(connection: sqlite3.Connection) -> list[str]:
    """Create the tables if the file has none, and upgrade those of version 1.

    Returns the statements that create the indexes, if that is still to be done: indexing rows that are already there takes half the
    time.
    """
    is_old = is_version_1(connection)
    if not is_old and not is_empty(connection):
        return []
    tables, indexes = schema_statements()
    if is_old:
        set_rows_aside(connection)
    for statement in tables:
        connection.execute(statement)
    if not is_old:
        return indexes
    bring_rows_back(connection)
    for statement in indexes:  # what follows may need them
        connection.execute(statement)
    return []


def is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


def schema_statements() -> tuple[list[str], list[str]]:
    """Return the statements of schema.sql that make tables and triggers, and those that make indexes."""
    statements = [""]
    for line in SCHEMA.read_text(encoding="utf-8").splitlines(keepends=True):
        statements[-1] += line
        if sqlite3.complete_statement(statements[-1]):
            statements.append("")
    indexes = [statement for statement in statements if "CREATE INDEX" in statement]
    return [statement for statement in statements if statement not in indexes], indexes


# Schema version 1 had no application_id, no longest_session, and no session longer than a day. Its rows are valid in version 2
# unchanged. Children before their parents, so that dropping a table leaves no row without its parent.
COLUMNS = {
    "conversions": "id, account_id, session_id, timestamp, email, conversion_page, previous_page, meta_type, meta_id",
    "sessions": """
        id, account_id, session_id, started_at, ended_at, utm_source, utm_medium, derived_source, derived_medium, source, medium,
        campaign, content, term, landing_page, converts
    """,
    "usage": "account_id, month, used",
    "keys": "digest, account_id, prefix, created_at",
    "accounts": "id, domain, monthly_limit, used_elsewhere, seeded_to",
}


def is_version_1(connection: sqlite3.Connection) -> bool:
    """Return True if this program made the database, with schema version 1."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    return connection.execute("PRAGMA user_version").fetchone() == (1,) and {*COLUMNS, "generation"} <= tables


def set_rows_aside(connection: sqlite3.Connection) -> None:
    """Copy the rows of version 1 into temporary tables, and drop its tables."""
    for table, columns in COLUMNS.items():
        connection.execute(f"CREATE TEMP TABLE old_{table} AS SELECT {columns} FROM main.{table}")
        connection.execute(f"DROP TABLE main.{table}")
    connection.execute("DROP TABLE generation")


def bring_rows_back(connection: sqlite3.Connection) -> None:
    """Copy the rows that were set aside into the current tables."""
    for table, columns in reversed(COLUMNS.items()):
        connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM old_{table}")
        connection.execute(f"DROP TABLE old_{table}")
