"""What a test begins with: a reset, a provider state of Pact, or an account of its own. Decisions 35, 36, 52, 53.

A state is sent as {"state": "…", "action": "setup", "params": {…}}. The clock that one sets is the clock of one process. Tests that
create an account each can run side by side.
"""

import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http import HTTPStatus
from threading import Lock

from flask import Blueprint, current_app
from marshmallow import ValidationError, fields, validate
from werkzeug.exceptions import BadRequest, Conflict

from .. import accounts, instants
from ..body import read_json_body
from ..database import Connection
from ..fields import Count, Moment, Strict, Text
from ..loading import attribution, imported, sessions, traffic
from ..schemas import DEFAULT_WINDOW
from . import faults
from .requests import refuse_several_processes

LARGEST_BODY = 4 * 1024 * 1024  # bytes
MOST_SESSIONS = 10_000

bp = Blueprint("states", __name__)

# Tests that run side by side take turns here, as long as it takes. SQLite would refuse one after five seconds.
turn = Lock()


@contextmanager
def writing() -> Iterator[Connection]:
    with turn, current_app.extensions["database"].writing(create=True, is_durable=False) as connection:
        yield connection


# Temporary accounts


def is_primary_domain(domain: str) -> None:
    host = attribution.host(f"https://{domain}/") if re.fullmatch(r"[^/?#@:\s]+", domain) else None
    primary = attribution.primary_domain(host) if host else "one such as shop.example"
    if domain != primary:
        raise ValidationError(f"Must be a primary domain: not {domain[:100]}, but {primary}.")


# Sessions in the import format, or records as the API returns them, which become a session each.
SESSIONS = fields.List(
    fields.Function(deserialize=imported.load),
    required=True,
    validate=validate.Length(max=MOST_SESSIONS, error="Must have at most {max} sessions."),
    error_messages={"required": "Is missing.", "null": "Must be an array, not null.", "invalid": "Must be an array."},
)
MONTHLY_LIMIT = Count(load_default=None, allow_none=True)
TemporaryAccount = Strict.from_dict(
    {"sessions": SESSIONS, "domain": Text(validate=is_primary_domain), "monthly_limit": MONTHLY_LIMIT}, name="TemporaryAccount"
)


@bp.post("/accounts")
def create_account():
    """Create an account with these sessions, and return its key."""
    account = TemporaryAccount().load(read_json_body(LARGEST_BODY))
    key, domain = accounts.make_key(), account.get("domain") or f"test-{secrets.token_hex(8)}.example"
    with writing() as connection:
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
    with writing() as connection:
        if connection.execute(accounts.DELETE_TEMPORARY_ACCOUNT, {"digest": accounts.digest(key)}).rowcount == 0:
            return {"error": "No temporary account has this key."}, HTTPStatus.NOT_FOUND
    return "", HTTPStatus.NO_CONTENT


def create(connection: Connection, key: str, domain: str, monthly_limit: int | None, loaded: Iterable[dict], used: int = 0) -> None:
    """Create a temporary account. Raises Conflict if it would take over another account."""
    described = {"domain": domain, "monthly_limit": monthly_limit, "used_elsewhere": used}
    if connection.execute(accounts.FIND_ACCOUNT, described).fetchone():
        raise Conflict(f"There is an account of {domain} already, which stays as it is. Use another domain, or delete the account.")
    if owner := accounts.authenticate(connection, key):
        raise Conflict(f"The key {key} already opens the account of {owner.domain}.")
    ((account_id,),) = connection.execute(accounts.ADD_ACCOUNT, described).fetchall()
    connection.execute(accounts.MAKE_TEMPORARY, described)
    accounts.add_key(connection, account_id, key)
    add_sessions(connection, account_id, domain, loaded)


def add_sessions(connection: Connection, account_id: int, domain: str, loaded: Iterable[dict]) -> None:
    """Add sessions to an account. Raises ValidationError if it has one of them already."""
    writer = sessions.Writer(connection, account_id, frozenset({domain}))
    for number, session in enumerate(loaded):
        writer.add(session)
        if writer.faults.count:
            sentence = "An earlier session has the same session_id, or the same values and no session_id."
            raise ValidationError({"sessions": {number: {"session_id": [sentence]}}})


# States


@contextmanager
def begin_again(instant: int | None = None) -> Iterator[tuple[Connection, date]]:
    """Restore the data, the counted calls and the clock of a first start, and delete temporary accounts. Imported data stays.

    What is written inside is part of the same transaction. Another instant is what the clock shows from then on.
    """
    clock: instants.Clock = current_app.extensions["clock"]
    instant = clock.setting if instant is None else instant
    today = instants.Clock(instant).today()
    if today.year not in sessions.YEARS:
        raise Conflict(f"The clock is at {today}. {sessions.OTHER_YEARS}")
    with writing() as connection:
        connection.execute(accounts.DELETE_TEMPORARY_ACCOUNTS)
        connection.execute(accounts.FORGET_CALLS_OF_BUNDLED)
        sessions.seed(connection, today)
        yield connection, today
        clock.instant = instant
    for record in ("walks", "faults"):
        current_app.extensions[record].clear()


@bp.post("/reset")
def reset():
    with begin_again() as (_, today):
        return {"message": f"The bundled data is that of {today}, and no calls are counted."}


STATE = {"key": "state", "domain": "state.example"}
BUNDLED = {f"the key {account['key']}": account for account in traffic.accounts()}

SEEDED_YEARS = validate.Range(
    instants.span(f"{sessions.YEARS[0]}-01-01")[0], instants.span(f"{sessions.YEARS[-1]}-12-31")[1], error=sessions.OTHER_YEARS
)
COUNT = Count(required=True, validate=validate.Range(max=MOST_SESSIONS, error=f"Must be at most {MOST_SESSIONS}."))
STATES: dict[str, dict[str, fields.Field]] = {
    "a number of conversions": {"count": COUNT},
    "a number of sessions": {"count": COUNT},
    "these sessions": {"sessions": SESSIONS, "monthly_limit": MONTHLY_LIMIT},
    "an exhausted limit": {"limit": Count(load_default=5000)},
    "a fault": dict(faults.NewFault().fields),
    "the clock at an instant": {"now": Moment(required=True, validate=SEEDED_YEARS)},
    **{name: {} for name in BUNDLED},
}


OF_ONE_PROCESS = ("a fault", "the clock at an instant")


class ProviderState(Strict):
    state = Text(required=True)
    action = Text(load_default="setup", validate=validate.OneOf(["setup", "teardown"]))
    params = fields.Dict(load_default=dict)


@bp.get("/states")
def list_states():
    return {"states": [{"state": state, "params": list(params)} for state, params in STATES.items()]}


@bp.post("/states")
def set_state():
    """Reset, set the state up, and return the key and the domain to use. A teardown is a reset."""
    wanted = ProviderState().load(read_json_body(LARGEST_BODY))
    if wanted["state"] and wanted["state"] not in STATES:
        raise BadRequest(f"There is no state {wanted['state'][:100]!r}. The states are {', '.join(STATES)}.")
    if wanted["action"] == "teardown" or not wanted["state"]:  # without a name: before and after every interaction
        reset()
        return {}
    if wanted["state"] in OF_ONE_PROCESS:
        refuse_several_processes()
    try:
        params = Strict.from_dict(STATES[wanted["state"]])().load(wanted["params"])
        with begin_again(params.get("now")) as (connection, today):
            account = set_up(connection, today, wanted["state"], params)
        if wanted["state"] == "a fault":
            faults.add_fault(params)
    except ValidationError as error:
        raise ValidationError({"params": error.messages}) from None
    return account


def set_up(connection: Connection, today: date, state: str, params: dict) -> dict:
    if state in BUNDLED:
        return {name: BUNDLED[state][name] for name in STATE}
    every = 4 if state == "a number of sessions" else 1
    series = {"campaign": "state", "sessions": params.get("count", 1), "spacing": 200, "every": every}
    loaded = params.get("sessions", traffic.sessions(STATE | {"series": [series]}, today))
    limit = params.get("limit", params.get("monthly_limit"))
    used = params.get("limit", 0)  # an exhausted limit is used up from the start
    create(connection, STATE["key"], STATE["domain"], limit, loaded, used)
    return STATE
