"""The last requests to the endpoint, refused ones too: what did a client send, and why did it get nothing? Decisions 72, 73.

A key is never kept: of most headers, only the name is.
"""

import re
import sqlite3
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from threading import Lock
from time import perf_counter

from flask import Blueprint, Response, current_app, g, request
from werkzeug.exceptions import BadRequest, Conflict

from .. import accounts, api, origins
from ..body import read_body

MOST_REQUESTS = 500
LONGEST_BODY = 2 * 1024  # bytes that are kept
LONGEST_HEADER = 200  # characters that are kept

# The explorer marks its own requests with this header. They are left out of the requests and walks that are listed.
EXPLORER = "X-Conversions-Explorer"

# The values of these headers are kept.
SHOWN_HEADERS = {"accept", "accept-encoding", "content-length", "content-type", "host", "origin", "prefer", "user-agent"}

bp = Blueprint("requests", __name__)  # also has the routes of faults and walks: of each, a process has only its own

# The parameters of a list, and what each must be.
PARAMETERS = {
    "after": ("[0-9]{1,18}", "the number of a request"),
    "domain": (".+", "the domain of an account"),
    "status": ("[1-5]([0-9][0-9]|xx)", "a status such as 404, or 4xx"),
    "explorer": ("1", "1, or left out"),
}


class Requests:
    """The last requests of this process. Safe to share between threads."""

    def __init__(self):
        self._lock = Lock()
        self._requests: deque[dict] = deque(maxlen=MOST_REQUESTS)  # oldest first
        self._last_number = 0

    def add(self, entry: dict) -> None:
        """Keep a request, and number it: in the order in which they end, so that whoever asks for later ones misses none."""
        with self._lock:
            self._last_number += 1
            self._requests.append({"number": self._last_number} | entry)

    def after(self, number: int = 0) -> list[dict]:
        """Return the requests after that number; all of them if it is of a server that has been restarted since."""
        with self._lock:
            return [entry for entry in self._requests if entry["number"] > number or number > self._last_number]

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()


def note_time() -> None:
    g.began = datetime.now(UTC), perf_counter()


def record_request(response: Response) -> Response:
    # A browser's preflight is not a client's request.
    if request.path != api.PATH or request.is_multiprocess or origins.is_preflight():
        return response
    at, began = g.get("began") or (datetime.now(UTC), perf_counter())
    page, fault = g.get("page"), g.get("fault")
    # If nothing matches, the response has no pagination.
    is_page = page is not None and not page.nothing_matches
    said = response.get_json() if response.status_code >= 400 and response.is_json else {}
    entry = {
        "at": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
        "method": request.method[:20],
        "status": None if fault and fault["drop"] else response.status_code,
        "domain": domain_of_sender(),
        "user_agent": request.headers.get("User-Agent", "")[:LONGEST_HEADER],
        "headers": shown_headers(),
        "body": sent_body(),
        "error": said.get("error") or said.get("message"),  # the latter with the reading error-field=message
        "fields": said.get("fields"),  # of a 400 about fields: sentences by field
        "warning": g.get("warning") or None,
        "offset": int(g.body.get("offset", 0)) if page else None,
        "records": len(page.conversions) if page else None,
        "records_processed": page.records_processed if is_page else None,
        "total_records": page.total_records if is_page else None,
        "milliseconds": round((perf_counter() - began) * 1000, 1),
        "walk": g.get("walk"),
        "fault": fault and fault["id"],
        "preference": response.headers.get("Preference-Applied"),
        "explorer": is_of_explorer(),
    }
    current_app.extensions["requests"].add(entry)
    return response


def is_of_explorer() -> bool:
    return EXPLORER in request.headers


def domain_of_sender() -> str | None:
    """Return the account's domain, also if the request was refused before its key was looked up."""
    account = g.get("account")
    if account is None:
        with suppress(sqlite3.Error), current_app.extensions["database"].reading() as connection:
            account = accounts.authenticate(connection, api.sent_key())
    return account and account.domain


def shown_headers() -> dict[str, str]:
    """Return the headers. The value of one that may have a key, wherever the client put it, is left out."""
    return {
        name: value[:LONGEST_HEADER] if name.lower() in SHOWN_HEADERS else "…"
        for name, value in request.headers.items()
        if name.lower() != EXPLORER.lower()
    }


def sent_body() -> str:
    """Return the beginning of the body as it was sent, also if the request was refused before it was read."""
    if "raw_body" not in g:
        read_body()
    return g.raw_body[:LONGEST_BODY].decode(errors="replace")


# The interface


@bp.before_request
def refuse_several_processes() -> None:
    if request.is_multiprocess:
        raise Conflict(
            "This server has several processes, and each sees only a part of the requests. Run it with one, as flask run does."
        )


def parameters(*names: str) -> dict[str, str]:
    """Return the parameters of the URL. Raises BadRequest for one that is not among these, or wrong."""
    for name, value in request.args.items():
        if name not in names:
            raise BadRequest(f"{request.path} has no parameter {name[:60]!r}. It has {', '.join(names)}.")
        pattern, wanted = PARAMETERS[name]
        if not re.fullmatch(pattern, value):
            raise BadRequest(f"The parameter {name} is {value[:60]!r}. It must be {wanted}.")
    return request.args.to_dict()


@bp.get("/requests")
def list_requests():
    asked = parameters(*PARAMETERS)
    status = asked.get("status", "...").replace("x", ".")
    return {
        "requests": [
            entry
            for entry in current_app.extensions["requests"].after(int(asked.get("after", 0)))
            if ("explorer" in asked or not entry["explorer"])
            and asked.get("domain") in (None, entry["domain"])
            and ("status" not in asked or re.fullmatch(status, str(entry["status"])))
        ]
    }


@bp.delete("/<any(faults, requests, walks):record>")
def clear(record: str):
    current_app.extensions[record].clear()
    return "", HTTPStatus.NO_CONTENT
