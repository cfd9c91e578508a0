"""Sessions into the database: a file that somebody imports, and the bundled data. Decisions 22, 30, 31."""

import sqlite3
from collections.abc import Iterable
from datetime import date
from uuid import uuid4

from marshmallow import ValidationError

from app import accounts, fields, strict_json
from app.database import Connection
from app.loading import attribution, traffic
from app.loading.imported import ImportedSession

ADD_SESSION = """
INSERT INTO sessions (
    account_id, session_id, started_at, ended_at,
    utm_source, utm_medium, derived_source, derived_medium,
    source, medium,
    campaign, content, term, landing_page, converts
) VALUES (
    :account, :session_id, :started_at, :ended_at,
    :utm_source, :utm_medium, :derived_source, :derived_medium,
    coalesce(nullif(:utm_source, ''), :derived_source), coalesce(nullif(:utm_medium, ''), :derived_medium),
    :utm_campaign, :utm_content, :utm_term, :landing_page, :converts
)
"""

ADD_CONVERSION = """
INSERT INTO conversions (account_id, session_id, timestamp, email, conversion_page, previous_page, meta_type, meta_id)
VALUES (:account, :session, :timestamp, :email, :conversion_page, :previous_page, :type, :id)
"""

FORGET_SESSIONS = "DELETE FROM sessions WHERE account_id = :account"

FIND_ACCOUNT = "SELECT id, seeded_to FROM accounts WHERE domain = :domain"

ADD_ACCOUNT = """
INSERT INTO accounts (domain, monthly_limit, used_elsewhere) VALUES (:domain, :monthly_limit, :used_elsewhere)
RETURNING id
"""

SET_LIMIT = "UPDATE accounts SET monthly_limit = :monthly_limit, used_elsewhere = 0 WHERE id = :account"

SET_SEEDED_TO = "UPDATE accounts SET seeded_to = :day WHERE id = :account"


# Of a day that bundled data is brought to: made up to the year 9999, it would fill the disk.
YEARS = range(2000, 2100)
OTHER_YEARS = "Bundled data can be brought to a day of the years 2000 to 2099."

NO_LIMIT = {"monthly_limit": None, "used_elsewhere": 0}


class Faults(ValueError):
    """What is wrong with a file: the first faults, each as its line number, field and sentence, and how many there are in all."""

    def __init__(self):
        self.told: list[tuple[int, str, str]] = []
        self.count = 0

    def add(self, line: int, field: str, sentence: str) -> None:
        self.count += 1
        if self.count <= fields.MOST_FAULTS:
            self.told.append((line, field, sentence))

    def __str__(self) -> str:
        lines = [f"line {line}{', ' + field if field else ''}: {sentence}" for line, field, sentence in self.told]
        if self.count > len(lines):
            lines.append(f"… and {self.count - len(lines)} more")
        return "\n".join(["The file has faults, and nothing was changed.", *lines])


_imported_session = ImportedSession()


def add_session(connection: Connection, account: int, domain: str, session: dict) -> None:
    """Adds a session, as imported.ImportedSession loads it, and its conversions.

    Raises sqlite3.IntegrityError where the account has a session of that session_id.
    """
    landing = attribution.landing(session["landing_page"])
    # "A utm_* given as a field wins over the one in the landing page's query."
    utm = {name: landing.utm.get(name) if session[name] is None else session[name] for name in attribution.UTM}
    derived_source, derived_medium = attribution.derive(session["referrer"], landing.is_paid_click, domain)
    row = {
        "account": account,
        "session_id": session.get("session_id") or uuid4().hex,
        "started_at": session["started_at"],
        "ended_at": session["ended_at"],
        "derived_source": derived_source,
        "derived_medium": derived_medium,
        "landing_page": landing.page,
        "converts": bool(session["conversions"]),
    }
    added = connection.execute(ADD_SESSION, row | utm).lastrowid
    if session["conversions"]:
        ids = {"account": account, "session": added}
        connection.executemany(
            ADD_CONVERSION, [ids | conversion | conversion["conversion_meta"] for conversion in session["conversions"]]
        )


def open_for_import(
    connection: Connection, domain: str, key: str | None, monthly_limit: int | None, replace: bool
) -> tuple[int, str | None]:
    """The id of the account that an import goes into, made where it is missing, and its key if that was made too.

    A limit left out stays as it is. Raises ValueError with a sentence where the key opens another account, or where bundled data is
    in the way.
    """
    row = connection.execute(FIND_ACCOUNT, {"domain": domain}).fetchone()
    made_key = None
    if row is None:
        ((account,),) = connection.execute(ADD_ACCOUNT, NO_LIMIT | {"domain": domain}).fetchall()
        if key is None:
            key = made_key = accounts.make_key()
    else:
        account, seeded_to = row
        if replace:
            connection.execute(FORGET_SESSIONS, {"account": account})
            connection.execute(SET_SEEDED_TO, {"account": account, "day": None})
        elif seeded_to is not None:
            raise ValueError(
                f"{domain} holds bundled data, which the next seeding may replace; choose another domain, or --replace it."
            )
    if key is not None:
        accounts.add_key(connection, account, key)
    if monthly_limit is not None:
        connection.execute(SET_LIMIT, {"account": account, "monthly_limit": monthly_limit})
    return account, made_key


def load_lines(connection: Connection, account: int, domain: str, lines: Iterable[bytes]) -> tuple[int, int]:
    """Adds the sessions of a file in the import format (a blank line is none); returns how many sessions and conversions it had.

    Raises Faults, when every line has been looked at.
    """
    faults = Faults()
    sessions = conversions = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            session = _imported_session.load(strict_json.parse(line.rstrip(b"\r\n")))
            add_session(connection, account, domain, session)
            sessions += 1
            conversions += len(session["conversions"])
        except ValidationError as error:
            for field, sentences in fields.flat(error.messages).items():
                for sentence in sentences:
                    faults.add(number, field, sentence)
        except sqlite3.IntegrityError as error:
            if "session_id are new" not in str(error):
                raise
            faults.add(number, "session_id", "There is a session of this session_id already, in the account or on a line above.")
        except ValueError as fault:
            faults.add(number, "", f"The line {fault}.")
    if faults.count:
        raise faults
    return sessions, conversions


def seed(connection: Connection, as_of: date) -> list[str]:
    """Brings the bundled accounts to that day; returns the domains whose account holds somebody's own data, which is left alone.

    Raises ValueError with a sentence where a bundled key opens another account, or for a day of other years.
    """
    if as_of.year not in YEARS:
        raise ValueError(OTHER_YEARS)
    return [account["domain"] for account in traffic.accounts() if not bring_to(connection, account, as_of)]


def bring_to(connection: Connection, described: dict, as_of: date) -> bool:
    """The same for one account, described as in seed/accounts.json; whether its domain was free of somebody's own data."""
    domain = described["domain"]
    row = connection.execute(FIND_ACCOUNT, {"domain": domain}).fetchone()
    if row is None:
        ((account,),) = connection.execute(ADD_ACCOUNT, NO_LIMIT | described).fetchall()
        accounts.add_key(connection, account, described["key"])
        seeded_to = None
    elif row[1] is None:
        return False
    else:
        account, seeded_to = row[0], date.fromisoformat(row[1])
    if seeded_to == as_of:
        return True
    grows = "daily" in described and seeded_to is not None and seeded_to < as_of
    if not grows:
        connection.execute(FORGET_SESSIONS, {"account": account})
    for session in traffic.sessions(described, seeded_to if grows else None, as_of):
        add_session(connection, account, domain, session)
    connection.execute(SET_SEEDED_TO, {"account": account, "day": as_of.isoformat()})
    return True
