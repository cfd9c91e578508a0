"""Sessions into the database: a file that a person imports, and the bundled data. Decisions 22, 30, 31, 47."""

import hashlib
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

import orjson

from .. import accounts, instants
from ..database import Connection
from . import attribution, traffic
from .imported import Faults

ADD_SESSION = """
INSERT INTO sessions (
    account_id, session_id, started_at, ended_at,
    utm_source, utm_medium, derived_source, derived_medium,
    source, medium,
    campaign, content, term, landing_page
) VALUES (
    :account_id, :session_id, :started_at, :ended_at,
    :utm_source, :utm_medium, :derived_source, :derived_medium,
    coalesce(nullif(:utm_source, ''), :derived_source), coalesce(nullif(:utm_medium, ''), :derived_medium),
    :utm_campaign, :utm_content, :utm_term, :landing_page
)
"""

ADD_CONVERSION = """
INSERT INTO conversions (account_id, session_id, timestamp, email, conversion_page, previous_page, meta_type, meta_id)
VALUES (:account_id, :session, :timestamp, :email, :conversion_page, :previous_page, :type, :id)
"""

FIND_SESSION = "SELECT id FROM sessions WHERE account_id = :account_id AND session_id = :session_id"

FORGET_SESSIONS = "DELETE FROM sessions WHERE account_id = :account_id"

# The sessions of a new import, and the days of all conversions of the account.
SUMMARY = """
SELECT
    datetime(min(started_at), 'unixepoch'), datetime(max(ended_at), 'unixepoch'), max(ended_at - started_at),
    (SELECT date(min(timestamp), 'unixepoch') FROM conversions WHERE account_id = :account_id),
    (SELECT date(max(timestamp), 'unixepoch') FROM conversions WHERE account_id = :account_id)
FROM sessions WHERE account_id = :account_id AND id >= :first_id
"""

MANY_CONVERSIONS = 100  # of one session
MOST_UNUSUAL = 5  # sessions that are named

# A seed date of the year 9999 would fill the disk.
YEARS = range(2000, 2100)
OTHER_YEARS = "Bundled data can be brought to a day of the years 2000 to 2099."

# How to go on if the account already has sessions of the file.
REPLACE = "To import the whole file in place of what the account has, use --replace."
KEEP_BOTH = f"{REPLACE} To keep both, give each session a session_id."


@dataclass
class Writer:
    """Adds sessions to one account."""

    connection: Connection
    account_id: int
    own_domains: frozenset[str]  # those that are never a source
    faults: Faults = field(default_factory=Faults)
    sessions: int = 0
    conversions: int = 0
    unusual: list[str] = field(default_factory=list)  # the first sessions that look like those of several visitors
    _first_id: int | None = None  # of the sessions that this adds
    _copies: Counter[str] = field(default_factory=Counter)  # of sessions that the file has more than once, by the id that was made

    def add(self, session: dict, place: str = "") -> None:
        """Add a session as imported.load returns it. A session_id that is there already is a fault of this place."""
        row = session | {"account_id": self.account_id}
        if session.get("derived_source") is None:
            landing = attribution.landing(session["landing_page"])
            source, medium = attribution.derive(session["referrer"], landing.is_paid_click, self.own_domains)
            row |= {"landing_page": landing.page, "derived_source": source, "derived_medium": medium}
            for name, value in landing.utm.items():
                row[name] = row[name] or value  # a field takes precedence over the landing page's query
        if session["session_id"] is None:
            # The same values have the same id, so that a file that is imported twice is noticed.
            values = orjson.dumps(session, option=orjson.OPT_SORT_KEYS)
            row["session_id"] = hashlib.blake2b(values, digest_size=12).hexdigest()
        try:
            self._insert(row)
        except sqlite3.IntegrityError:
            self._insert_new(row, place, session["session_id"])
        self.sessions += 1
        conversions, seconds = len(session["conversions"]), session["ended_at"] - session["started_at"]
        self.conversions += conversions
        if (seconds > instants.DAY or conversions > MANY_CONVERSIONS) and len(self.unusual) < MOST_UNUSUAL:
            name = row["session_id"][:60]
            self.unusual.append(f"{place}, session {name!r}: {timedelta(seconds=seconds)}, {conversions:,} conversions")

    def summary(self) -> tuple:
        """Return when the added sessions start and end, the seconds of the longest one, and the account's first and last day."""
        return self.connection.execute(SUMMARY, {"account_id": self.account_id, "first_id": self._first_id}).fetchone()

    def _insert(self, row: dict) -> None:
        session = self.connection.execute(ADD_SESSION, row).lastrowid
        self._first_id = self._first_id or session
        for conversion in row["conversions"]:
            of_session = {"account_id": self.account_id, "session": session}
            self.connection.execute(ADD_CONVERSION, of_session | conversion | conversion["conversion_meta"])

    def _insert_new(self, row: dict, place: str, given_id: str | None) -> None:
        """Insert a session unless it is there already. One without a given id can occur twice: two visitors can do the same."""
        wanted_id = row["session_id"]
        while there := self.connection.execute(FIND_SESSION, row).fetchone():
            is_old = self._first_id is None or there[0] < self._first_id
            if given_id is None and not is_old:
                self._copies[wanted_id] += 1
                row["session_id"] = f"{wanted_id}-{self._copies[wanted_id] + 1}"
                continue
            field, name = ("", "this session") if given_id is None else ("session_id", f"a session {wanted_id!r}")
            self.faults.add(place, field, f"The {'account' if is_old else 'file'} already has {name}.")
            if is_old:
                self.faults.advice = self.faults.advice or (KEEP_BOTH if given_id is None else REPLACE)
            return
        self._insert(row)


def forget_sessions(connection: Connection, account_id: int) -> None:
    """Delete the account's sessions and their conversions."""
    connection.execute(FORGET_SESSIONS, {"account_id": account_id})
    connection.execute(accounts.RESET_LONGEST_SESSION, {"account_id": account_id})


def open_for_import(
    connection: Connection, domain: str, key: str | None, monthly_limit: int | None, replace: bool
) -> tuple[int, str | None]:
    """Find or make the account to import into, and give it the key; returns its id, and the key if one had to be made for it.

    A limit left out stays as it is. Raises ValueError with a sentence if the key opens another account, or if the account has
    bundled data and is not to be replaced.
    """
    row = connection.execute(accounts.FIND_ACCOUNT, {"domain": domain}).fetchone()
    made_key = accounts.make_key() if row is None and key is None else None
    account_id, seeded_to = row or (_add_account(connection, {"domain": domain}), None)
    if replace:
        forget_sessions(connection, account_id)
        connection.execute(accounts.SET_SEEDED_TO, {"account_id": account_id, "day": None})
    elif seeded_to is not None:
        raise ValueError(f"{domain} has bundled data. Use another domain, or --replace to import in its place.")
    connection.execute(accounts.MAKE_PERMANENT, {"account_id": account_id})
    if key := key or made_key:
        accounts.add_key(connection, account_id, key)
    if monthly_limit is not None:
        connection.execute(accounts.SET_LIMIT, {"account_id": account_id, "monthly_limit": monthly_limit})
    return account_id, made_key


def _add_account(connection: Connection, described: dict) -> int:
    ((account_id,),) = connection.execute(accounts.ADD_ACCOUNT, accounts.NO_LIMIT | described).fetchall()
    return account_id


def seed(connection: Connection, as_of: date) -> list[str]:
    """Bring the bundled accounts to that day, and return a sentence for each one that imported data prevents.

    Raises ValueError with a sentence for a day of other years.
    """
    if as_of.year not in YEARS:
        raise ValueError(OTHER_YEARS)
    return [sentence for account in traffic.accounts() if (sentence := _seed_account(connection, account, as_of))]


def _seed_account(connection: Connection, described: dict, as_of: date) -> str:
    """Bring one account, described as in seed/accounts.json, to that day, or return a sentence that says why it can't be."""
    domain, key = described["domain"], described["key"]
    owner = accounts.authenticate(connection, key)
    if owner and owner.domain != domain:
        return f"{domain} was left out: its key {key} belongs to {owner.domain}."
    row = connection.execute(accounts.FIND_ACCOUNT, {"domain": domain}).fetchone()
    if row and row[1] is None:
        return f"{domain} has imported data and was left as it is."
    account_id, seeded_to = row or (_add_account(connection, described), None)
    if row is None:
        accounts.add_key(connection, account_id, key)
    day, after = as_of.isoformat(), date.min
    if seeded_to == day:
        return ""
    if "daily" in described and seeded_to and seeded_to < day:  # only the days that are missing
        after = date.fromisoformat(seeded_to)
    else:
        forget_sessions(connection, account_id)
    writer = Writer(connection, account_id, frozenset({domain}))
    for session in traffic.sessions(described, as_of, after):
        writer.add(session)
    connection.execute(accounts.SET_SEEDED_TO, {"account_id": account_id, "day": day})
    return ""
