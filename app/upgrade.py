"""Upgrade a database of schema version 1, in the transaction that creates the current tables.

Version 1 had no application_id, no longest_session, and no session longer than a day. Its rows are valid in version 2 unchanged.
"""

import sqlite3

# Children before their parents, so that dropping a table leaves no row without its parent.
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
