"""The accounts that a database has: listed, found and deleted. Decision 49."""

from collections.abc import Iterator

from app.database import Connection
from app.loading import sessions

ACCOUNTS = """
SELECT
    domain,
    (SELECT count(*) FROM sessions WHERE account_id = accounts.id),
    (SELECT count(*) FROM conversions WHERE account_id = accounts.id),
    (SELECT date(min(started_at), 'unixepoch') FROM sessions WHERE account_id = accounts.id),
    (SELECT date(max(ended_at), 'unixepoch') FROM sessions WHERE account_id = accounts.id),
    monthly_limit,
    (SELECT count(*) FROM keys WHERE account_id = accounts.id)
FROM accounts
ORDER BY domain
"""

DELETE_ACCOUNT = "DELETE FROM accounts WHERE id = :account"


def listed(connection: Connection) -> Iterator[str]:
    """Return the lines of a table of the accounts, with the days of each one's first start and last end of a session."""
    header = ("domain", "sessions", "conversions", "first day", "last day", "monthly limit", "keys")
    rows = [header] + [
        (domain, f"{many:,}", f"{conversions:,}", first or "-", last or "-", "-" if limit is None else f"{limit:,}", str(keys))
        for domain, many, conversions, first, last, limit, keys in connection.rows(ACCOUNTS, {})
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(header))]
    for domain, *cells in rows:
        yield f"{domain:<{widths[0]}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))


def find(connection: Connection, domain: str) -> int:
    """Return the account's id. Raises ValueError with a sentence if there is none."""
    row = connection.execute(sessions.FIND_ACCOUNT, {"domain": domain}).fetchone()
    if row is None:
        raise ValueError(f"There is no account of {domain}; flask accounts lists them.")
    return row[0]


def delete(connection: Connection, domain: str) -> None:
    """Delete the account with its keys, usage, sessions and conversions. Raises ValueError with a sentence if there is none."""
    connection.execute(DELETE_ACCOUNT, {"account": find(connection, domain)})
