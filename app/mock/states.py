"""Reset, and provider states in the protocol of Pact: {"state": "…", "action": "setup", "params": {…}}. Decisions 35 and 36.

The clock that a state sets is the clock of one process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any

from flask import Blueprint, current_app
from marshmallow import ValidationError, fields, validate
from werkzeug.exceptions import BadRequest, Conflict

from .. import accounts, instants
from ..body import read_json_body
from ..database import Connection
from ..fields import Count, Moment, Strict, Text
from ..loading import sessions, traffic
from . import faults, temporary_accounts
from .requests import refuse_several_processes

MOST_SESSIONS = temporary_accounts.MOST_SESSIONS

bp = Blueprint("states", __name__)


@bp.errorhandler(accounts.KeyInUse)
def key_in_use(error: accounts.KeyInUse):
    return {"error": str(error)}, HTTPStatus.CONFLICT


def in_seeded_years(now: int) -> None:
    if datetime.fromtimestamp(now, UTC).year not in sessions.YEARS:
        raise ValidationError(sessions.OTHER_YEARS)


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
    with temporary_accounts.writing, current_app.extensions["database"].writing(create=True, is_durable=False) as connection:
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

COUNT = Count(required=True, validate=validate.Range(max=MOST_SESSIONS, error=f"Must be at most {MOST_SESSIONS}."))
STATES: dict[str, dict[str, fields.Field]] = {
    "a number of conversions": {"count": COUNT},
    "a number of sessions": {"count": COUNT},
    "these sessions": {"sessions": temporary_accounts.SESSIONS, "monthly_limit": temporary_accounts.MONTHLY_LIMIT},
    "an exhausted limit": {"limit": Count(load_default=5000)},
    "a fault": dict(faults.NewFault().fields),
    "the clock at an instant": {"now": Moment(required=True, validate=in_seeded_years)},
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
    wanted = ProviderState().load(read_json_body(temporary_accounts.LARGEST_BODY))
    if wanted["state"] and wanted["state"] not in STATES:
        raise BadRequest(f"There is no state {wanted['state'][:100]!r}. The states are {', '.join(STATES)}.")
    if wanted["action"] == "teardown" or not wanted["state"]:  # without a name: before and after every interaction
        reset()
        return {}
    try:
        params = Strict.from_dict(STATES[wanted["state"]])().load(wanted["params"])
    except ValidationError as error:
        raise ValidationError({"params": error.messages}) from None
    if wanted["state"] in OF_ONE_PROCESS:
        refuse_several_processes()
    with begin_again(params.get("now")) as (connection, today):
        account = set_up(connection, today, wanted["state"], params)
    if wanted["state"] == "a fault":
        faults.add_fault(params)
    return account


def set_up(connection: Connection, today: date, state: str, params: dict) -> dict:
    if state in BUNDLED:
        return {name: BUNDLED[state][name] for name in STATE}
    if state == "these sessions":
        temporary_accounts.create(connection, STATE["key"], STATE["domain"], params["monthly_limit"], params["sessions"])
        return STATE
    series = {"campaign": "state", "sessions": params.get("count", 1), "spacing": 200}
    account: dict[str, Any] = STATE | {"series": [series]}
    if state == "a number of sessions":
        series["every"] = 4
    elif state == "an exhausted limit":
        account |= {"monthly_limit": params["limit"], "used_elsewhere": params["limit"]}
    if not sessions.seed_account(connection, account, today):
        raise Conflict(f"{STATE['domain']} is an imported account, and states need that domain.")
    connection.execute(accounts.MAKE_TEMPORARY, STATE)
    return STATE
