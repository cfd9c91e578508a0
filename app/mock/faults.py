"""Faults: what the next requests get instead of a page, for a client that knows nothing of it. Decisions 70, 71.

Of the requests with a fault's key, or of all, the first ones pass ("after"); the next ones get the response ("times"). Several
faults take turns, the oldest one first: a request that got the response of one does not count for those after it. A fault that
only delays leaves the response to the others. A request with a preference of ours (prefer.py) counts for none.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from errno import ECONNRESET
from http import HTTPStatus
from socket import SHUT_RDWR, socket
from threading import Lock

from flask import Blueprint, Response, current_app, g, request
from marshmallow import ValidationError, validate
from werkzeug.exceptions import MethodNotAllowed, Unauthorized, UnsupportedMediaType

from .. import accounts, api, schemas
from ..body import read_json_body, too_large, wrong_type
from ..fields import Count, Flag, Strict, Text
from ..openapi.document import ERRORS, EXAMPLES
from .requests import refuse_several_processes

LONGEST_DELAY = 10_000  # milliseconds
RETRY_AFTER = 5  # seconds, of a forced 429; the time until the next month would keep clients that wait for it asleep

CODES = sorted([*ERRORS, 500, 502, 504])
GATEWAY_PAGE = """\
<html><head><title>{0}</title></head>
<body><center><h1>{0}</h1></center><hr><center>nginx</center></body></html>
"""
NO_RESPONSE = 444  # what nginx logs for a connection that it closed without one

bp = Blueprint("faults", __name__)
bp.before_request(refuse_several_processes)


def at_most(most: int, unit: str) -> validate.Range:
    return validate.Range(max=most, error=f"Must be at most {most} {unit}, not {{input}}.")


class NewFault(Strict):
    """A fault as it is sent. What is kept of it is a dict of these values, with "id", and "domain" in place of the key."""

    code = Count(validate=validate.OneOf(CODES, error=f"Must be one of {', '.join(map(str, CODES))}, not {{input}}."))
    times = Count(load_default=1, allow_none=True, validate=validate.Range(min=1, error="Must be at least 1, not {input}."))
    after = Count(load_default=0)
    key = Text()
    retry_after = Count(load_default=None, validate=at_most(10**9, "seconds"))
    delay = Count(load_default=0, validate=at_most(LONGEST_DELAY, "milliseconds"))
    truncate = Flag(load_default=False)
    drop = Flag(load_default=False)


class Faults:
    """The faults of this process. Safe to share between threads."""

    def __init__(self):
        self._lock = Lock()
        self._faults: dict[int, tuple[dict, bytes | None]] = {}  # by id, with the digest of the key
        self._last_id = 0

    def add(self, domain: str | None, digest: bytes | None, wanted: dict) -> dict:
        with self._lock:
            self._last_id += 1
            fault = {"id": self._last_id, "domain": domain} | wanted
            self._faults[self._last_id] = fault, digest
            return dict(fault)

    def take(self) -> list[dict]:
        """Count the present request. Return the faults that it gets: those that only delay, then one with a response."""
        if not self._faults:
            return []
        sent, taken = accounts.digest(api.sent_key()), []
        with self._lock:
            for fault, digest in list(self._faults.values()):
                if digest not in (None, sent):
                    continue
                if fault["after"]:
                    fault["after"] -= 1
                    continue
                if fault["times"] is not None:
                    fault["times"] -= 1
                    if not fault["times"]:
                        del self._faults[fault["id"]]
                taken.append(fault)
                if fault["code"] or fault["truncate"] or fault["drop"]:
                    break
        return taken

    def listed(self) -> list[dict]:
        with self._lock:
            return [dict(fault) for fault, _ in self._faults.values()]

    def delete(self, id: int) -> bool:
        """Delete a fault, of which nothing may be left. Return whether there ever was one with this id."""
        with self._lock:
            self._faults.pop(id, None)
            return 0 < id <= self._last_id

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()


# What a request gets


def apply_fault():
    """Wait, and return or raise what a fault makes of this request."""
    if request.path != api.PATH or g.preferred:
        return None
    taken = current_app.extensions["faults"].take()
    wait(min(sum(fault["delay"] for fault in taken), LONGEST_DELAY) or current_app.config["DELAY"])
    if not taken:
        return None
    fault = g.fault = taken[-1]
    if fault["drop"]:
        return Response(status=NO_RESPONSE)
    if fault["code"] and fault["code"] not in ERRORS:
        title = f"{fault['code']} {HTTPStatus(fault['code']).phrase}"
        return Response(GATEWAY_PAGE.format(title), fault["code"], mimetype="text/html")
    if fault["code"]:
        raise_error(fault["code"])
    # Half of any page is the same to a client: it can't be read. So no call is counted, and no walk goes on.
    return EXAMPLES["responses"]["200"]["events"]["value"] if fault["truncate"] else None


def wait(milliseconds: int) -> None:
    if milliseconds:  # even a sleep of 0 takes some time
        time.sleep(milliseconds / 1000)


def raise_error(code: int) -> None:
    """Raise what the endpoint itself raises for a documented status."""
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
            account = accounts.Account(id=0, domain="example.com", longest_session=0, monthly_limit=5000, used_elsewhere=5000)
            raise accounts.LimitExceeded(account, used=5000)
        case 503:
            raise sqlite3.OperationalError("a fault or a Prefer header of the mock asked for it")


def finish_fault(response: Response) -> Response:
    """Add the fault's Retry-After, and cut the response short if the fault says so."""
    fault = g.get("fault")
    if fault is None:
        return response
    retry_after = RETRY_AFTER if fault["code"] == 429 and fault["retry_after"] is None else fault["retry_after"]
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if fault["truncate"] or fault["drop"]:
        body = response.get_data()
        response.headers["Content-Length"] = str(len(body))
        sent = b"" if fault["drop"] else body[: len(body) // 2]
        response.response = broken_off(sent, request.environ.get("werkzeug.socket"))
    return response


def broken_off(sent: bytes, connection: socket | None) -> Iterator[bytes]:
    """Yield these bytes, close Werkzeug's connection, and fail as if the client had closed it, which Werkzeug passes over."""
    if sent:
        yield sent
    if connection:  # otherwise Werkzeug would wait for another request
        with suppress(OSError):  # the client was faster
            connection.shutdown(SHUT_RDWR)
    raise ConnectionResetError(ECONNRESET, "A fault of the mock closed the connection.")


# The interface


def add_fault(wanted: dict) -> dict:
    """Add a fault that NewFault has loaded, and describe it. Raises ValidationError."""
    wanted = dict(wanted)
    key, domain = wanted.pop("key", None), None
    wanted.setdefault("code", None if wanted["delay"] or wanted["truncate"] or wanted["drop"] else 503)
    if wanted["drop"] and (wanted["code"] or wanted["truncate"]):
        raise ValidationError({"drop": ["Closes the connection without a response, so it can't have a code or be truncated."]})
    if wanted["retry_after"] is not None and not wanted["code"]:
        raise ValidationError({"retry_after": ["Needs a code, such as 429 or 503."]})
    if key is not None:
        with current_app.extensions["database"].reading() as connection:
            account = accounts.authenticate(connection, key)
        if account is None:
            raise ValidationError({"key": ["Is unknown to this server."]})
        domain = account.domain
    return current_app.extensions["faults"].add(domain, None if key is None else accounts.digest(key), wanted)


@bp.post("/faults")
def create_fault():
    return add_fault(NewFault().load(read_json_body())), HTTPStatus.CREATED


@bp.get("/faults")
def list_faults():
    return {"faults": current_app.extensions["faults"].listed()}


@bp.delete("/faults")
def delete_faults():
    current_app.extensions["faults"].clear()
    return "", HTTPStatus.NO_CONTENT


@bp.delete("/faults/<int:id>")
def delete_fault(id: int):
    if not current_app.extensions["faults"].delete(id):
        return {"error": f"There has been no fault {id}. GET /_mock/faults lists those that are left."}, HTTPStatus.NOT_FOUND
    return "", HTTPStatus.NO_CONTENT
