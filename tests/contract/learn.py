"""Finds out which readings of the text a server has: learn one with Survey.told(NAME). readings.json lists them all.

Each function returns what it could tell, or skips with the reason why not, and says what data would tell it. What is told is
certain, as long as the server keeps to one of the readings.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, time
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pages import Unusable
from records import DAY, SECOND, Window, iso, whole_seconds

READINGS: dict[str, dict] = json.loads((Path(__file__).parent / "readings.json").read_text(encoding="utf-8"))
LEARN: dict[str, Callable[[Any], "Told"]] = {}
ANOTHER = "another"  # neither of the values
FIELDS = {"email", "timestamp", "conversion_page", "previous_page", "conversion_meta"}
FORMS = {
    "sample": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "iso": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "iso-milliseconds": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
}


class Told(NamedTuple):
    value: str
    how: str  # what the server did that tells it


def learns(name: str) -> Callable:
    def register(function: Callable) -> Callable:
        LEARN[name] = function
        return function

    return register


def cannot_tell(why: str):
    pytest.skip(f"could not tell: {why}")


def once(method: Callable) -> Callable:
    """Remember what a method returns or raises, for each of its arguments."""

    @wraps(method)
    def remembered(self, *arguments):
        known = self.known
        place = (method.__name__, *arguments)
        if place not in known:
            try:
                known[place] = (method(self, *arguments), None)
            except (Unusable, pytest.skip.Exception) as fault:
                known[place] = (None, fault)
        value, fault = known[place]
        if fault:
            # Without the traceback, which would grow each time.
            raise fault.with_traceback(None) from None
        return value

    return remembered


# The form of a response


@learns("timestamp-form")
def timestamp_form(survey) -> Told:
    shown = [str(record.get("timestamp")) for record in survey.direct().records]
    for value, form in FORMS.items():
        if all(re.fullmatch(form, text) for text in shown):
            return Told(value, f"a timestamp is {shown[0]}")
    return Told(ANOTHER, f"a timestamp is {next(text for text in shown if not re.fullmatch(FORMS['sample'], text))}")


@learns("missing")
def missing(survey) -> Told:
    for record in survey.direct().records:
        for name in ("email", "previous_page"):
            if not record.get(name):
                value = "omitted" if name not in record else "null" if record[name] is None else "empty"
                shown = "left out" if value == "omitted" else json.dumps(record[name])
                return Told(value, f"{name} is {shown} in a record of {record['timestamp']}")
    return cannot_tell("every record has an email and a previous page; one without would tell")


@learns("extra-fields")
def extra_fields(survey) -> Told:
    more = sorted({name for record in survey.direct().records for name in record} - FIELDS)
    return Told("some" if more else "none", f"records have {', '.join(more)}" if more else "no record has another field")


@learns("status")
def status(survey) -> Told:
    found = str(survey.api.ask(survey.window().query).status)
    return Told(found if found in ("200", "201") else ANOTHER, f"the status of a page is {found}")


@learns("error-status")
def error_status(survey) -> Told:
    query, key = survey.api.ask({"offset": -1}), survey.api.ask({}, Authentication="nobody-9f1c27")
    if query.is_success:
        query = survey.api.send("[]")
    found = f"{query.status}-{key.status}"
    value = found if found in READINGS["error-status"]["values"] else ANOTHER
    return Told(value, f"a refused query gets {query.status}, and an unknown key {key.status}")


@learns("error-field")
def error_field(survey) -> Told:
    body = survey.api.ask({}, Authentication="nobody-9f1c27").json
    names = [name for name in ("error", "message") if isinstance(body, dict) and isinstance(body.get(name), str)]
    return Told(names[0] if names else ANOTHER, f"the body of an error is {json.dumps(body)[:200]}")


# Forms of requests


@learns("empty-filter")
def empty_filter(survey) -> Told:
    window = survey.window().query
    response, without = survey.api.ask(window | {"source": ""}), survey.api.ask(window)
    if not response.is_success:
        return Told(ANOTHER, f'{{"source": ""}} gets the response {response}')
    if response.body == without.body:
        return Told("absent", '{"source": ""} returns what no filter returns')
    return Told("value", f'{{"source": ""}} gets the response {response}')


@learns("reversed-window")
def reversed_window(survey) -> Told:
    moment = whole_seconds(survey.sample()).start
    response = survey.api.ask(Window(moment + SECOND, moment).query)
    refused = 400 <= response.status < 500
    message = response.is_success and survey.api.reader.read(response).is_message
    return Told("refused" if refused else "message" if message else ANOTHER, f"it gets the response {response}")


@learns("trailing-comma")
def trailing_comma(survey) -> Told:
    response = survey.api.send('{\n "start_date": "2025-07-15",\n "end_date": "2025-07-30",\n}')
    return Told("accepted" if response.is_success else "refused", f"it gets the response {response}")


@learns("default-window")
def default_window(survey) -> Told:
    def count(window: Window) -> int:
        return survey.api.page(window.query).total_records

    default = survey.api.page({}).total_records
    now = survey.clocks()[0].start
    midnight = datetime.combine(now, time(), UTC)
    near = [count(Window(now - 30 * DAY + by, now - by)) for by in (3 * SECOND, -3 * SECOND)]
    days = count(Window(midnight - 29 * DAY, midnight + DAY - SECOND))
    how = f"without a window, total_records is {default}, and {days} in the 30 days that end with today"
    is_near = near[0] <= default <= near[1]
    if len(survey.clocks()) > 1 and not is_near:
        cannot_tell("the newest conversion is old, so the server's clock may be fixed")
    if default == days and not is_near:
        return Told("days", how)
    if not is_near:
        return Told(ANOTHER, f"{how}, and {near[0]} in the 30 times 24 hours before {iso(now)}")
    if default == days:
        cannot_tell("30 days and 30 times 24 hours have the same conversions; conversions 30 days ago would tell")
    end = now - 10 * DAY
    alone = survey.api.page({"end_date": iso(end)}).total_records
    before_end, before_now = count(Window(end - 30 * DAY, end)), count(Window(now - 30 * DAY, end))
    how = f"with end_date {iso(end)} only, total_records is {alone}, and {before_end} in the 30 days before it"
    if alone == before_end and abs(before_end - before_now) > 1:
        return Told("now", how)
    if alone != before_end and abs(alone - before_now) <= 1:
        return Told("before-now", how)
    if alone != before_end:
        return Told(ANOTHER, how)
    return cannot_tell("there are no conversions of 30 to 40 days ago, which would tell")
