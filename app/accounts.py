"""Accounts, their keys and their monthly limits, with the SQL about them. Decisions 25, 26, 41."""

import hashlib
import secrets
from datetime import UTC, datetime
from typing import NamedTuple

from .database import Connection, Database

ACCOUNT_OF_KEY = """
SELECT accounts.id, accounts.domain, accounts.longest_session, accounts.monthly_limit, accounts.used_elsewhere,
  accounts.seeded_to
FROM keys JOIN accounts ON accounts.id = keys.account_id
WHERE keys.digest = :digest
"""

# One statement, so that two requests at the same moment cannot both take the last call. A month's first call starts from
# used_elsewhere. Over the limit, no row is returned.
COUNT_CALL = """
INSERT INTO usage (account_id, month, used)
SELECT :id, :month, :used_elsewhere + 1 WHERE :used_elsewhere < :monthly_limit
ON CONFLICT DO UPDATE SET used = used + 1 WHERE used < :monthly_limit
RETURNING used
"""

USED = "SELECT coalesce((SELECT used FROM usage WHERE account_id = :id AND month = :month), :used_elsewhere)"

FIND_ACCOUNT = "SELECT id, seeded_to FROM accounts WHERE domain = :domain"

ADD_ACCOUNT = """
INSERT INTO accounts (domain, monthly_limit, used_elsewhere) VALUES (:domain, :monthly_limit, :used_elsewhere)
RETURNING id
"""
NO_LIMIT = {"monthly_limit": None, "used_elsewhere": 0}

SET_LIMIT = "UPDATE accounts SET monthly_limit = :monthly_limit, used_elsewhere = 0 WHERE id = :account_id"

SET_SEEDED_TO = "UPDATE accounts SET seeded_to = :day WHERE id = :account_id"

RESET_LONGEST_SESSION = "UPDATE accounts SET longest_session = 0 WHERE id = :account_id"

DELETE_ACCOUNT = "DELETE FROM accounts WHERE id = :account_id"

FORGET_CALLS_OF_BUNDLED = "DELETE FROM usage WHERE account_id IN (SELECT id FROM accounts WHERE seeded_to IS NOT NULL)"

# Temporary accounts, which the mock makes for one test. All others have is_temporary = 0, so these statements can't reach them.

MAKE_TEMPORARY = "UPDATE accounts SET is_temporary = 1 WHERE domain = :domain"

MAKE_PERMANENT = "UPDATE accounts SET is_temporary = 0 WHERE id = :account_id"  # it holds imported data

DELETE_TEMPORARY_ACCOUNT = """
DELETE FROM accounts WHERE is_temporary = 1 AND id = (SELECT account_id FROM keys WHERE digest = :digest)
"""

DELETE_TEMPORARY_ACCOUNTS = "DELETE FROM accounts WHERE is_temporary = 1"

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

IMPORTED = "SELECT domain FROM accounts WHERE seeded_to IS NULL AND is_temporary = 0 ORDER BY domain LIMIT 100"

ADD_KEY = "INSERT INTO keys (digest, account_id, prefix) VALUES (:digest, :account_id, :prefix)"

KEYS = """
SELECT keys.prefix, date(keys.created_at, 'unixepoch'), accounts.domain
FROM keys JOIN accounts ON accounts.id = keys.account_id
ORDER BY accounts.domain, keys.created_at, keys.prefix
"""

REVOKE_KEY = """
DELETE FROM keys
WHERE digest = :digest OR (prefix = :prefix AND NOT EXISTS (SELECT 1 FROM keys WHERE digest = :digest))
"""


LONGEST_PREFIX = 6  # characters of a key that a list shows; of a short key, at most a quarter


class Account(NamedTuple):
    id: int
    domain: str
    longest_session: int  # seconds
    monthly_limit: int | None  # calls
    used_elsewhere: int  # calls
    seeded_to: str | None = None  # the day of its bundled data

    @property
    def scope(self) -> dict:
        """The values that limit the statements of strategies.py to this account."""
        return {"account_id": self.id, "longest_session": self.longest_session}


class LimitExceeded(Exception):
    def __init__(self, account: Account, used: int):
        self.account = account
        self.used = used


def authenticate(connection: Connection, key: str) -> Account | None:
    """Return the account that the key opens, or None."""
    row = connection.execute(ACCOUNT_OF_KEY, {"digest": digest(key)}).fetchone()
    return Account(*row) if row else None


def count_call(connection: Connection, database: Database, account: Account, now: int) -> None:
    """Count one call of the account in the calendar month (UTC) of that instant, if the account has a limit.

    The connection only reads; the call is counted with another one. Raises LimitExceeded, and counts nothing, if the month's limit
    is used up.
    """
    if account.monthly_limit is None:
        return
    of_month = account._asdict() | {"month": datetime.fromtimestamp(now, UTC).date().isoformat()[:7]}
    ((used,),) = connection.execute(USED, of_month).fetchall()
    # Its commit costs more than a page: it is written to the disk, and the connections that read forget their numbers
    # (Connection.remembered_number), since SQLite's data version does not say what was written.
    if used < account.monthly_limit:
        with database.counting() as writer:
            if writer.execute(COUNT_CALL, of_month).fetchall():
                return
    raise LimitExceeded(account, max(used, account.monthly_limit))  # another request took the last call


def find(connection: Connection, domain: str) -> int:
    """Return the id of a domain's account. Raises ValueError with a sentence if there is none."""
    row = connection.execute(FIND_ACCOUNT, {"domain": domain}).fetchone()
    if row is None:
        raise ValueError(f"There is no account of {domain}: conversions accounts lists them, conversions import creates one.")
    return row[0]


def delete(connection: Connection, domain: str) -> None:
    """Delete the account with its keys, usage, sessions and conversions. Raises ValueError with a sentence if there is none."""
    connection.execute(DELETE_ACCOUNT, {"account_id": find(connection, domain)})


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def make_key() -> str:
    return secrets.token_hex(20)


def add_key(connection: Connection, account_id: int, key: str) -> None:
    """Let the key open the account. Raises ValueError with a sentence if it opens another one."""
    owner = authenticate(connection, key)
    if owner is None:
        prefix = key[: min(LONGEST_PREFIX, len(key) // 4)]
        connection.execute(ADD_KEY, {"digest": digest(key), "account_id": account_id, "prefix": prefix})
    elif owner.id != account_id:
        raise ValueError(f"The key {key} already opens the account of {owner.domain}; choose another key.")


def revoke_key(connection: Connection, shown: str) -> None:
    """Delete that key, or else the one key with that prefix.

    Raises ValueError with a sentence if there is none, or several; the transaction is then not committed.
    """
    shown = shown.removesuffix("…")  # as the list prints it
    revoked = connection.execute(REVOKE_KEY, {"digest": digest(shown), "prefix": shown}).rowcount
    if revoked == 0:
        raise ValueError(f"No key is shown as {shown}; conversions keys list shows them all.")
    if revoked > 1:
        raise ValueError(f"{revoked} keys are shown as {shown}; give the whole key instead.")
