"""Forced responses and delays: faults, which the next requests get, and the header Prefer. Decisions 34, 50, 70, 71.

Of the requests with a fault's key, or of all, the first ones pass ("after"); the next ones get the response ("times"). Several
faults take turns, the oldest one first: a request that got the response of one does not count for those after it. A fault that
only delays leaves the response to the others. A request with a preference of ours counts for none.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from errno import ECONNRESET
from http import HTTPStatus
from socket import SHUT_RDWR, socket
from threading import Lock

from flask import Response, current_app, g, request
from marshmallow import ValidationError, validate
from werkzeug.exceptions import BadRequest
from werkzeug.http import parse_list_header

from .. import accounts, api
from ..body import read_json_body
from ..fields import Count, Flag, Strict, Text
from ..openapi.document import ERRORS, EXAMPLES
from .requests import bp

LONGEST_DELAY = 10_000  # milliseconds
RETRY_AFTER = 5  # seconds, of a forced 429; the time until the next month would keep clients that wait for it asleep
CODES = sorted([*ERRORS, 500, 502, 504])
STATUSES = ["200", *map(str, ERRORS)]
PREFERENCES = {
    "code": ("|".join(STATUSES), f"one of {', '.join(STATUSES)}; POST /_mock/faults has others"),
    "delay": ("[0-9]{1,9}", "a number of milliseconds, for example 1500"),
    "retry-after": ("[0-9]{1,9}", "a number of seconds, for example 2"),
}
PARAMETER = r'(?:"(?:[^"\\]|\\.)*"?|[^";])+'  # of a preference; a semicolon in quotes does not end it
GATEWAY_PAGE = """\
<html><head><title>{0}</title></head>
<body><center><h1>{0}</h1></center><hr><center>nginx</center></body></html>
"""
NO_RESPONSE = 444  # what nginx logs for a connection that it closed without one


class NewFault(Strict):
    """A fault as it is sent. What is kept of it is a dict of these values, with "id", and "domain" in place of the key."""

    code = Count(validate=validate.OneOf(CODES, error=f"Must be one of {', '.join(map(str, CODES))}, not {{input}}."))
    times = Count(load_default=1, allow_none=True, validate=validate.Range(min=1, error="Must be at least 1, not {input}."))
    after = Count(load_default=0)
    key = Text()
    retry_after = Count(load_default=None, validate=validate.Range(max=10**9, error="Must be at most {max} seconds, not {input}."))
    delay = Count(
        load_default=0, validate=validate.Range(max=LONGEST_DELAY, error="Must be at most {max} milliseconds, not {input}.")
    )
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

    def take(self) -> dict | None:
        """Count the present request. Return the fault that decides the response, or the last that only delays, with all delays."""
        if not self._faults:
            return None
        sent, delay, taken = accounts.digest(api.sent_key()), 0, None
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
                delay += fault["delay"]
                taken = fault | {"delay": delay}
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


# The header Prefer: code=429, retry-after=2, delay=1500


def parse(header: str) -> dict[str, str]:
    """Return the values of our preferences, the first one of each, as RFC 7240 reads the header.

    Their names are case-insensitive, and blanks around = and separators don't count. `code=503; delay=5` is taken like
    `code=503, delay=5`, but a parameter of somebody else's preference is not ours.

    >>> parse('delay = "5" , Code=503')
    {'delay': '5', 'code': '503'}
    >>> parse('note="a, code=503", respond-async; delay=5')
    {}
    """
    found: dict[str, str] = {}
    for preference in parse_list_header(header):
        pairs = [[part.strip() for part in pair.partition("=")] for pair in re.findall(PARAMETER, preference)]
        if pairs and pairs[0][0].lower() in PREFERENCES:
            for name, equals, value in pairs:
                if equals and name.lower() in PREFERENCES:
                    found.setdefault(name.lower(), value.strip('"'))
    return found


def fault_of(preferred: dict[str, str]) -> dict:
    """Return our preferences as a fault of this request. Raises BadRequest with a sentence."""
    for name, value in preferred.items():
        pattern, wanted = PREFERENCES[name]
        if not re.fullmatch(pattern, value):
            raise BadRequest(f"The preference {name}={value} is wrong. Must be {wanted}.")
    code, delay = int(preferred.get("code", 200)), min(int(preferred.get("delay", 0)), LONGEST_DELAY)
    forced = {"code": None if code == 200 else code, "retry_after": preferred.get("retry-after"), "delay": delay}
    return {"id": None, "truncate": False, "drop": False} | forced


def add_preference_applied(response: Response) -> Response:
    """Name the preferences that made the response what it is."""
    fault, preferred, applied = g.get("fault"), g.get("preferred"), []
    if not preferred or not fault:
        return response
    if "delay" in preferred:
        applied.append(f"delay={fault['delay']}")
    if preferred.get("code") == str(response.status_code):
        applied.append(f"code={response.status_code}")
        if fault["code"] and "retry-after" in preferred:
            applied.append(f"retry-after={fault['retry_after']}")
    if applied:
        response.headers["Preference-Applied"] = ", ".join(applied)
    return response


# What a request gets


def force_response():
    """Wait, and return what the preferences of this request, or a fault, make of it."""
    if request.path != api.PATH:
        return None
    preferred = g.preferred = parse(",".join(request.headers.getlist("Prefer")))
    fault = g.fault = fault_of(preferred) if preferred else current_app.extensions["faults"].take()
    delay = fault["delay"] if fault else 0
    if not delay and "delay" not in preferred:
        delay = current_app.config["DELAY"]
    if delay:  # even a sleep of 0 takes some time
        time.sleep(min(delay, LONGEST_DELAY) / 1000)
    if fault and fault["drop"]:
        return Response(status=NO_RESPONSE)
    if fault and fault["code"]:
        return error(fault["code"], fault["retry_after"])
    # Half of any page is the same to a client: it can't be read. So no call is counted, and no walk goes on.
    return EXAMPLES["responses"]["200"]["events"]["value"] if fault and fault["truncate"] else None


def error(code: int, retry_after: int | str | None) -> tuple:
    """Return what the endpoint returns with a documented status, and a page as a gateway sends it with another one."""
    headers = {}
    if code == 429 or retry_after is not None:
        headers["Retry-After"] = str(RETRY_AFTER if retry_after is None else retry_after)
    if code not in ERRORS:
        return GATEWAY_PAGE.format(f"{code} {HTTPStatus(code).phrase}"), code, headers
    if code == 405:
        headers["Allow"] = "POST"
    if code == 503:
        # Its sentence says that the log says why.
        current_app.logger.error("No database failed: a fault or a Prefer header asked for a 503.")
    example = next(iter(EXAMPLES["responses"][str(code)].values()))
    return example["value"], code, headers


def break_off(response: Response) -> Response:
    """Cut the response short if the fault says so."""
    if (fault := g.get("fault")) and (fault["truncate"] or fault["drop"]):
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
    key, domain, digest = wanted.pop("key", None), None, None
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
        domain, digest = account.domain, accounts.digest(key)
    return current_app.extensions["faults"].add(domain, digest, wanted)


@bp.post("/faults")
def create_fault():
    return add_fault(NewFault().load(read_json_body())), HTTPStatus.CREATED


@bp.get("/faults")
def list_faults():
    return {"faults": current_app.extensions["faults"].listed()}


@bp.delete("/faults/<int:id>")
def delete_fault(id: int):
    if not current_app.extensions["faults"].delete(id):
        return {"error": f"There has been no fault {id}. GET /_mock/faults lists those that are left."}, HTTPStatus.NOT_FOUND
    return "", HTTPStatus.NO_CONTENT
