"""Accounts for one test: each test creates its own, so that tests can run side by side. Decisions 52 and 53."""

import re
import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from threading import Lock

from flask import Blueprint, current_app
from marshmallow import ValidationError
from marshmallow.fields import Field
from werkzeug.exceptions import Conflict

from .. import accounts
from ..body import read_json_body
from ..database import Connection
from ..fields import Count, List, Strict, Text
from ..loading import attribution, imported
from ..loading.sessions import Writer
from ..schemas import DEFAULT_WINDOW

LARGEST_BODY = 4 * 1024 * 1024  # bytes
MOST_SESSIONS = 10_000

bp = Blueprint("temporary_accounts", __name__)


class SessionOrRecord(Field):
    """A session in the import format, or a record as the API returns it, which becomes a session of its own."""

    def _deserialize(self, value, *args, **kwargs) -> dict:
        return imported.load(value)


class Sessions(List):
    """At most so many sessions, each session_id once."""

    def _deserialize(self, value, attr, data, **kwargs) -> list:
        if isinstance(value, list) and len(value) > MOST_SESSIONS:  # before each one is looked at
            raise ValidationError(f"Must have at most {MOST_SESSIONS} sessions, not {len(value)}.")
        sessions: list = super()._deserialize(value, attr, data, **kwargs)
        seen, faults = set(), {}
        for number, session in enumerate(sessions):
            if (name := session.get("session_id")) in seen:
                faults[number] = {"session_id": [f"An earlier session has the session_id {name[:100]!r} already."]}
            elif name is not None:
                seen.add(name)
        if faults:
            raise ValidationError(faults)
        return sessions


def is_primary_domain(domain: str) -> None:
    host = attribution.host(f"https://{domain}/") if re.fullmatch(r"[^/?#@:\s]+", domain) else None
    primary = attribution.primary_domain(host) if host else "one such as shop.example"
    if domain != primary:
        raise ValidationError(f"Must be a primary domain: not {domain[:100]}, but {primary}.")


SESSIONS = Sessions(SessionOrRecord(), required=True)
MONTHLY_LIMIT = Count(load_default=None, allow_none=True)
TemporaryAccount = Strict.from_dict(
    {"sessions": SESSIONS, "domain": Text(validate=is_primary_domain), "monthly_limit": MONTHLY_LIMIT}, name="TemporaryAccount"
)


# Tests that run side by side take turns here, as long as it takes. SQLite would refuse one after five seconds.
writing = Lock()


@bp.post("/accounts")
def create_account():
    """Create an account with these sessions, and return its key."""
    account = TemporaryAccount().load(read_json_body(LARGEST_BODY))
    key, domain = accounts.make_key(), account.get("domain") or f"test-{secrets.token_hex(8)}.example"
    with writing, current_app.extensions["database"].writing(create=True, is_durable=False) as connection:
        create(connection, key, domain, account["monthly_limit"], account["sessions"])
    moments = [conversion["timestamp"] for session in account["sessions"] for conversion in session["conversions"]]
    made = {"key": key, "domain": domain, "sessions": len(account["sessions"]), "conversions": len(moments)}
    return made | window(moments, current_app.extensions["clock"]()), HTTPStatus.CREATED


def window(moments: list[int], now: int) -> dict[str, str]:
    """Return the window of conversions as a request names it, with a hint if a request without dates finds none of them."""
    if not moments:
        return {}
    start, end = (datetime.fromtimestamp(moment, UTC).date().isoformat() for moment in (min(moments), max(moments)))
    is_found = any(now - DEFAULT_WINDOW <= moment <= now for moment in moments)
    hint = {"hint": "A request without dates covers the last 30 days and finds none of these: send start_date and end_date."}
    return {"start_date": start, "end_date": end} | ({} if is_found else hint)


@bp.delete("/accounts/<key>")
def delete_account(key: str):
    with writing, current_app.extensions["database"].writing(create=True, is_durable=False) as connection:
        if connection.execute(accounts.DELETE_TEMPORARY_ACCOUNT, {"digest": accounts.digest(key)}).rowcount == 0:
            return {"error": "No temporary account has this key."}, HTTPStatus.NOT_FOUND
    return "", HTTPStatus.NO_CONTENT


def create(connection: Connection, key: str, domain: str, monthly_limit: int | None, sessions: list[dict]) -> None:
    """Create a temporary account. Raises Conflict or accounts.KeyInUse if it would take over another account."""
    described = {"domain": domain, "monthly_limit": monthly_limit, "used_elsewhere": 0}
    if connection.execute(accounts.FIND_ACCOUNT, described).fetchone():
        raise Conflict(f"There is an account for {domain} already. Choose another domain, or leave it out.")
    ((account_id,),) = connection.execute(accounts.ADD_ACCOUNT, described).fetchall()
    connection.execute(accounts.MAKE_TEMPORARY, described)
    accounts.add_key(connection, account_id, key)
    writer = Writer(connection, account_id, frozenset({domain}))
    for session in sessions:
        writer.add(session)
