"""What developers switch on: errors and delays on demand, reset, and provider states. Decisions 33 to 36.

On under flask run, elsewhere with CONVERSIONS_MOCK=1; a clock that a state sets is that of one process.
"""

import re
import sqlite3
import time
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Blueprint, Flask, Response, current_app, g, request
from marshmallow import ValidationError, fields, validate
from werkzeug.exceptions import BadRequest, MethodNotAllowed, Unauthorized, UnsupportedMediaType

from app import accounts, api, instants, openapi, schemas
from app.body import read_json_body, too_large, wrong_type
from app.fields import Count, Moment, Strict, Text
from app.loading import sessions as loading
from app.loading import traffic

LONGEST_DELAY = 10_000  # milliseconds
MOST_SESSIONS = 10_000

mock = Blueprint("mock", __name__, url_prefix="/_mock")


def init_app(app: Flask) -> None:
    app.register_blueprint(mock)
    app.before_request(carry_out_preferences)
    app.after_request(tell_applied_preferences)


# Errors and delays on demand: "Prefer: code=429, delay=1500"


def carry_out_preferences() -> None:
    """Waits, and raises what the endpoint itself raises for the status that is preferred; other preferences are passed over."""
    g.applied = []
    if request.path != api.PATH:
        return
    preferred = dict(re.findall(r'(?:^|[,;])\s*(\w+)\s*=\s*"?([^",;]*)"?', ",".join(request.headers.getlist("Prefer"))))
    delay = current_app.extensions["delay"]
    if "delay" in preferred:
        try:
            delay = milliseconds(preferred["delay"])
        except ValueError as fault:
            raise BadRequest(f"The preference delay={preferred['delay']} is wrong. {fault}") from None
        g.applied.append(f"delay={delay}")
    code, documented = preferred.get("code"), ["200", *map(str, openapi.ERRORS)]
    if code is not None and code not in documented:
        raise BadRequest(f"The preference code={code} is not documented for this endpoint; there are {', '.join(documented)}.")
    time.sleep(delay / 1000)
    if code is not None:
        g.applied.append(f"code={code}")
        fail_with(int(code))


def milliseconds(text: str) -> int:
    """How long to wait: what is given, or ten seconds if that is less. Raises ValueError."""
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError("Must be a number of milliseconds, for example 1500.")
    return min(int(text), LONGEST_DELAY)


def fail_with(code: int) -> None:
    match code:
        case 400:
            schemas.load_query({"offset": -1}, now=0)
        case 401:
            raise Unauthorized(api.NO_KEY)
        case 405:
            raise MethodNotAllowed(["POST"])
        case 413:
            raise too_large()
        case 415:
            raise UnsupportedMediaType(wrong_type("text/plain"))
        case 429:
            raise accounts.LimitExceeded(accounts.Account(0, "example.com", 0, 5000, 5000), used=5000)
        case 503:
            raise sqlite3.OperationalError("a Prefer header asked for it")


def tell_applied_preferences(response: Response) -> Response:
    if applied := g.get("applied"):
        response.headers["Preference-Applied"] = ", ".join(applied)
    return response


# Reset


@mock.errorhandler(ValueError)
def cannot_seed(error: ValueError):
    """Somebody's own account is in the way."""
    return {"error": str(error)}, HTTPStatus.CONFLICT


@mock.post("/reset")
def reset():
    """Bundled data and counts as on the first start; what somebody imported stays."""
    clock: instants.Clock = current_app.extensions["clock"]
    clock.instant = clock.setting
    with current_app.extensions["database"].writing_sessions() as connection:
        connection.execute("DELETE FROM accounts WHERE domain = ? AND seeded_to IS NOT NULL", (STATE["domain"],))
        connection.execute("DELETE FROM usage WHERE account_id IN (SELECT id FROM accounts WHERE seeded_to IS NOT NULL)")
        loading.seed(connection, clock.today())
    return {"message": f"The bundled data is that of {clock.today()}, and no call is counted."}


# Provider states, in the protocol of Pact: {"state": "…", "action": "setup", "params": {…}}

STATE = {"key": "state", "domain": "state.example"}
BUNDLED = {f"the key {account['key']}": account for account in traffic.accounts()}


def in_seeded_years(now: int) -> None:
    if datetime.fromtimestamp(now, UTC).year not in loading.YEARS:
        raise ValidationError(loading.OTHER_YEARS)


COUNT = Count(required=True, validate=validate.Range(max=MOST_SESSIONS, error=f"Must be at most {MOST_SESSIONS}."))
STATES = {
    "a number of conversions": {"count": COUNT},
    "a number of sessions": {"count": COUNT},
    "an exhausted limit": {"limit": Count(load_default=5000)},
    "the clock at an instant": {"now": Moment(required=True, validate=in_seeded_years)},
    **{name: {} for name in BUNDLED},
}


class ProviderState(Strict):
    state = Text(required=True)
    action = Text(load_default="setup", validate=validate.OneOf(["setup", "teardown"]))
    params = fields.Dict(load_default=dict)


@mock.get("/states")
def states():
    """What can be set."""
    return {"states": [{"state": state, "params": list(params)} for state, params in STATES.items()]}


@mock.post("/states")
def set_state():
    """Sets a state up, upon a reset, and returns the key and the domain that it is about; tears it down by a reset."""
    wanted = ProviderState().load(read_json_body())
    if wanted["state"] and wanted["state"] not in STATES:
        raise BadRequest(f"There is no state {wanted['state']!r}; there are {', '.join(STATES)}.")
    if wanted["action"] == "teardown" or not wanted["state"]:  # without a name: before and after every interaction
        reset()
        return {}
    try:
        params = Strict.from_dict(STATES[wanted["state"]])().load(wanted["params"])
    except ValidationError as error:
        raise ValidationError({"params": error.messages}) from None
    reset()
    return set_up(wanted["state"], params)


def set_up(state: str, params: dict) -> dict:
    clock: instants.Clock = current_app.extensions["clock"]
    account = STATE | {"series": [{"campaign": "state", "sessions": params.get("count", 1), "spacing": 200}]}
    if state in BUNDLED:
        return {name: BUNDLED[state][name] for name in STATE}
    if state == "a number of sessions":
        account["series"][0]["every"] = 4
    elif state == "an exhausted limit":
        account |= {"monthly_limit": params["limit"], "used_elsewhere": params["limit"]}
    elif state == "the clock at an instant":
        clock.instant = params["now"]
    with current_app.extensions["database"].writing_sessions() as connection:
        loading.bring_to(connection, account, clock.today())
        loading.seed(connection, clock.today())
    return STATE
