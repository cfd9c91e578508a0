"""Readings: what else the published text could mean. The mock can serve each of them, and several at once. Decisions 75 and 76.

READINGS is the one list of their names and values. The first value of each is what this server does.
"""

import json
import re
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, current_app, request

from .. import api
from .other_readings import answer


class Reading(NamedTuple):
    name: str
    decision: int
    text: str  # the published words that allow each value
    values: dict[str, str]  # what each one means

    @property
    def default(self) -> str:
        return next(iter(self.values))

    @property
    def others(self) -> dict[str, str]:
        return {value: means for value, means in self.values.items() if value != self.default}


SILENT = "(silent)"
READINGS = {
    reading.name: reading
    for reading in (
        Reading("timestamp", 20, "“When the session started”", {
            "conversion": "`timestamp` is the moment of the conversion",
            "session": "`timestamp` is the start of the session, and records are sorted by it",
        }),
        Reading("timestamp-form", 20, "“ISO 8601 UTC format”", {
            "sample": "a timestamp has the form of the published sample, `2025-03-05 15:14:00`",
            "iso": "a timestamp has the form `2025-03-05T15:14:00Z`",
            "iso-milliseconds": "a timestamp has the form `2025-03-05T15:14:00.000Z`",
        }),
        Reading("window", 17, "“Only conversions that start on or after this date are included.”; “retrieves all conversions "
            "associated with those sessions”", {
            "conversion": "a conversion is in the window if it occurred in it",
            "session": "a conversion is in the window if its session started in it",
            "associated": "a session query returns every conversion of its sessions, whenever it occurred",
        }),
        Reading("pool", 15, "“matching sessions (in a session-filtered query), based on the filters and time range provided”", {
            "overlapping": "the pool has the sessions that overlap the window",
            "started": "the pool has the sessions that started in the window",
            "converting": "the pool has the sessions that overlap the window and have a conversion that the query returns",
        }),
        Reading("page", 16, "“Each page can contain up to 50 records”", {
            "whole": "a session page has every conversion of its batches, even if they are more than 50",
            "cut": "a session page ends before the session whose conversions would make it more than 50; only the conversions of "
            "one session can be more",
        }),
        Reading("batch", 16, "“until it collects 50 or more conversion records from each batch”", {
            "together": "a session page goes on until its batches have 50 conversions together",
            "each": "a session page goes on until one batch has 50 conversions by itself",
        }),
        Reading("order", 14, "the sample: `2025-03-05 15:14:00`, then `2025-03-05 14:31:00`", {
            "newest": "conversions and sessions are sorted newest first",
            "oldest": "conversions and sessions are sorted oldest first",
            "session": "the records of a session page are in the order of the sessions",
        }),
        Reading("empty-page", 19, "“If no qualifying conversions are found”", {
            "records": "a page without records, although the query matches some, has `\"records\": []`",
            "message": "a page without records is the message",
        }),
        Reading("missing", 20, "“may include the following fields”; “if captured during the conversion”", {
            "null": "an email or previous page that is not known is `null`",
            "omitted": "an email or previous page that is not known is left out",
            "empty": "an email or previous page that is not known is `\"\"`",
        }),
        Reading("extra-fields", 20, "“Conversion records may include the following fields”", {
            "none": "a record has the published fields only",
            "some": "a record also has `session_id`, `source` and `medium`",
        }),
        Reading("has-more", 18, "“whether additional pages of results are available”", {
            "positions": "`has_more` is true while conversions or sessions remain",
            "conversions": "`has_more` is true only while a conversion remains",
        }),
        Reading("last-offset", 18, "“increasing the offset value in increments of 50”", {
            "total": "`records_processed` is the total on the last page of a direct query",
            "plus-50": "`records_processed` is `offset` + 50 on every page of a direct query",
        }),
        Reading("default-window", 11, "“the query defaults to a 30-day time window”", {
            "now": "the default window has 30 times 24 hours and ends now, or at `end_date`",
            "days": "the default window has 30 whole days, and the last one is today, or that of `end_date`",
            "before-now": "a missing `start_date` is 30 days before now, whatever `end_date` is",
        }),
        Reading("empty-filter", 1, "“All filters are optional and use exact match logic.”", {
            "value": "`\"\"` as a filter matches only an empty value",
            "absent": "`\"\"` as a filter is as if it had not been sent",
        }),
        Reading("reversed-window", 12, "“This is not an error”", {
            "message": "a window that starts after its end finds nothing",
            "refused": "a window that starts after its end is refused with a 400",
        }),
        Reading("trailing-comma", 3, "`\"end_date\": \"2025-07-30\", }`", {
            "accepted": "a comma after the last member is accepted",
            "refused": "a comma after the last member is refused with a 400, as JSON has none",
        }),
        Reading("status", 79, SILENT, {
            "200": "a page and the message have the status 200",
            "201": "a page and the message have the status 201",
        }),
        Reading("error-status", 79, SILENT, {
            "400-401": "a refused query has the status 400, and a missing or unknown key 401",
            "422-403": "a refused query has the status 422, and a missing or unknown key 403",
        }),
        Reading("error-field", 79, SILENT, {
            "error": "an error is `{\"error\": \"…\"}`",
            "message": "an error is `{\"message\": \"…\"}`",
        }),
    )
}  # fmt: skip

AS_DECIDED = {name: reading.default for name, reading in READINGS.items()}
TO_THE_LETTER = "to-the-letter"  # every sentence about a field or a parameter holds literally
# Each reading that a client's tests can run under.
EACH = [f"{reading.name}={value}" for reading in READINGS.values() for value in reading.others] + [TO_THE_LETTER]
SHORT = {TO_THE_LETTER: "timestamp=session window=session pool=started"}


def parse(text: str) -> dict[str, str]:
    """Return the readings that differ from what this server does, from NAME=VALUE pairs or a JSON file of them.

    Raises ValueError with a sentence.
    """
    pairs = _pairs_of_file(Path(text.strip())) if text.strip().endswith(".json") else _pairs(text)
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in READINGS:
            near = get_close_matches(name, READINGS, n=1)
            advice = f"Did you mean {near[0]}?" if near else f"The readings are {', '.join(READINGS)}."
            raise ValueError(f"There is no reading {name!r}. {advice}")
        if value not in READINGS[name].values:
            raise ValueError(f"The reading {name} has no value {value!r}. Its values are {', '.join(READINGS[name].values)}.")
        if found.setdefault(name, value) != value:
            raise ValueError(f"The reading {name} is given twice, as {found[name]} and as {value}.")
    return {name: value for name, value in found.items() if value != AS_DECIDED[name]}


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for word in re.findall(r"[^\s,]+", text):
        for pair in SHORT.get(word, word).split():
            name, equals, value = pair.partition("=")
            if not equals:
                raise ValueError(
                    f"{pair!r} is not a reading. Write NAME=VALUE, such as page=cut, or {TO_THE_LETTER}, or FILE.json."
                )
            pairs.append((name, value))
    return pairs


def _pairs_of_file(path: Path) -> list[tuple[str, str]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"The file {path} can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise ValueError(f"The file {path} is not JSON: {error}.") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f'The file {path} must have a JSON object of names and values, such as {{"page": "cut"}}.')
    return list(found.items())


def shown(readings: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in readings.items())


# Serving


def serve(app: Flask, readings: dict[str, str]) -> None:
    """Answer requests under these readings from now on. Without any, the definition answers them."""
    app.extensions["readings"] = readings
    app.extensions["answer"] = partial(answer, AS_DECIDED | readings) if readings else api.answer


def reshape(response: Response) -> Response:
    """Give a response of the endpoint the status and the shape of an error that the readings say."""
    if request.path != api.PATH or not (readings := current_app.extensions["readings"]):
        return response
    chosen = AS_DECIDED | readings
    of_query, of_key = chosen["error-status"].split("-")
    statuses = {200: chosen["status"], 400: of_query, 401: of_key}
    is_error = response.status_code >= 400
    response.status_code = int(statuses.get(response.status_code, response.status_code))
    if is_error and "error-field" in readings and isinstance(body := response.get_json(silent=True), dict):
        renamed = {chosen["error-field"] if name == "error" else name: value for name, value in body.items()}
        response.set_data(current_app.json.dumps(renamed))
    return response
