"""Finds out which readings of the text a server has: learn one with Survey.told(NAME). readings.json lists them all.

Each function returns what it could tell, or skips with the reason why not, and says what data would tell it. What is told is
certain, as long as the server keeps to one of the readings.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from records import DAY, HOUR, SECOND, Record, Records, Window, iso, whole_seconds

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


# What a timestamp is, and what the window selects by


def finds(survey, query: dict, record: Record, window: Window) -> bool:
    page = survey.api.page(query | window.query)
    return record in page.records or (page.has_more and record in survey.api.walk(query | window.query).records)


def moment_that_selects(survey, query: dict, record: Record) -> timedelta | None:
    """Return how far from a record's own timestamp the moment lies by which the window selects it; None if nowhere near."""
    start, end = whole_seconds(record)
    for wider in (0 * SECOND, SECOND):
        if finds(survey, query, record, Window(start - wider, end + wider)):
            return 0 * SECOND
    sign = next((sign for sign in (-1, 1) if finds(survey, query, record, reach(start, end, sign * 8 * DAY))), None)
    if sign is None:
        return None
    near, far = 0, 8 * 86_400
    while far - near > 1:
        middle = (near + far) // 2
        if finds(survey, query, record, reach(start, end, sign * middle * SECOND)):
            far = middle
        else:
            near = middle
    return sign * far * SECOND


def reach(start: datetime, end: datetime, by: timedelta) -> Window:
    return Window(min(start, start + by), max(end, end + by))


def selected_by(survey) -> tuple[str, str]:
    """Return "shown", "earlier" or "later" if the window of a direct query selects by the shown timestamp or another moment.

    "wrong" is neither: all moments differ by the same quarters of an hour, which is a wrong time zone, or are whole minutes, which
    is a rounded date.
    """
    if "selected by" not in survey.known:
        survey.known["selected by"] = _selected_by(survey)
    return survey.known["selected by"]


def _selected_by(survey) -> tuple[str, str]:
    records, found = survey.direct().records, []
    for number in (2,) if survey.is_brief else (2, 4, 1):
        record = records[len(records) * number // 6]
        distance = moment_that_selects(survey, {}, record)
        if distance is None:
            return "wrong", f"a window around {record['timestamp']} does not find the record of that timestamp"
        found.append((record, distance))
        if not distance and len(found) == 2:
            break
    moved = [(record, distance) for record, distance in found if distance]
    if not moved:
        return "shown", f"the window of {found[0][0]['timestamp']} only finds the record of that timestamp"
    record, distance = moved[0]
    how = f"the record of {record['timestamp']} is found by a window that contains {iso(record.moment + distance)}"
    quarters = len({distance for _, distance in moved}) == 1 and not distance.total_seconds() % 900
    minutes = not any((record.moment + distance + edge).second for record, distance in moved for edge in (SECOND, 0 * SECOND))
    minutes = minutes or not any((record.moment + distance).second for record, distance in moved)
    midnight = all(f"{record.moment + distance:%X}" in ("00:00:00", "23:59:59") for record, distance in moved)
    if (len(moved) > 1 and (quarters or minutes or midnight)) or midnight or (len(moved) == 1 and quarters):
        return "wrong", how
    return ("earlier" if distance < 0 * SECOND else "later"), how


def sessions_started_at(survey, moment: datetime) -> int | None:
    """Return how many sessions of the largest session filter started at this second: those that its total gains with it."""
    query, start = survey.filter("main"), survey.wide_window().start
    if moment <= start + SECOND:
        return None
    pages = [survey.api.page(query | Window(start, end).query) for end in (moment - SECOND, moment)]
    return None if any(page.is_message for page in pages) else pages[1].total_records - pages[0].total_records


def samples(survey, count: int = 4) -> list[Record]:
    records = survey.session_walk("main").records
    return [records[len(records) * number // (count + 1)] for number in range(1, count + 1)]


def is_session_start(survey) -> Told:
    """Tell whether the shown timestamps, by which the window selects, are conversions or session starts."""
    if not converting(survey):
        for record in samples(survey):
            if sessions_started_at(survey, whole_seconds(record).start) == 0:
                return Told("conversion", f"no session of {survey.filter('main')} starts at {record['timestamp']}")
    pairs = survey.pairs()
    apart = sum(earlier.moment < later.moment for earlier, later in pairs)
    alike = len({later["email"] for earlier, later in pairs if earlier.moment == later.moment and earlier != later})
    if apart >= 3 and alike * 4 < apart:
        return Told("conversion", f"{apart} times a visitor has two conversions within an hour, at different timestamps")
    walk = survey.session_walk("main")
    # If each session has one conversion, they are most likely records that were imported as sessions of their own.
    on_a_grid = sum(not earlier.moment.second for earlier, _ in pairs) * 2 > len(pairs)
    if alike >= 5 and apart < alike and not on_a_grid and walk.total != len(walk.records):
        return Told("session", f"{alike} times a visitor has two conversions with the same timestamp")
    return cannot_tell("sessions with two conversions of a known visitor would tell")


@learns("timestamp")
def timestamp(survey) -> Told:
    by, how = selected_by(survey)
    if by == "shown":
        return is_session_start(survey)
    if by == "wrong":
        cannot_tell("the window selects neither by the timestamp shown nor by another moment of the session")
    return Told("session" if by == "later" else "conversion", how)


@learns("window")
def window(survey) -> Told:
    by, how = selected_by(survey)
    if by == "earlier" or (by == "shown" and survey.told("timestamp").value == "session"):
        return Told("session", how if by == "earlier" else survey.told("timestamp").how)
    if by == "wrong":
        cannot_tell("the window selects neither by the timestamp shown nor by another moment of the session")
    query, asked = survey.filter("main"), []
    if by == "later":
        return associated_by_starts(survey)
    for record in samples(survey):
        # Sessions that start in the hour before this conversion.
        hour = Window(whole_seconds(record).start - HOUR, whole_seconds(record).start - SECOND)
        page = survey.api.page(query | hour.query)
        outside = page.records.where(lambda record, hour=hour: not hour.has(record))
        if outside and not is_of_another_window(survey, outside, hour):
            return Told("associated", f"{query | hour.query} returns a record of {outside[0]['timestamp']}")
        asked.append(record)
    if converting(survey):
        if len(survey.pairs()) >= 3:
            return Told("conversion", f"sessions of {query} that convert later are not found by the hour before")
    elif any(sessions_started_at(survey, whole_seconds(record).start) == 0 for record in asked):
        return Told("conversion", f"sessions of {query} that convert later are not found by the hour before")
    return cannot_tell("sessions that start before their conversions would tell")


def is_of_another_window(survey, outside: Records, asked: Window) -> bool:
    """Return whether records outside a window are there because the window was misread, and not for their sessions in it."""
    latest, earliest = max(record.moment for record in outside), min(record.moment for record in outside)
    if latest - asked.end > 8 * DAY or asked.start - earliest > 8 * DAY:
        return True
    between = survey.session_walk("main").records.where(lambda record: asked.end < record.moment <= latest)
    visitors = {record.get("email") for record in between}
    return len(visitors) >= 4 and not between.minus(outside)


def associated_by_starts(survey) -> Told:
    """Tell whether a session query returns all conversions of a session, if the records show its start."""
    query = survey.filter("main")
    twice = [pair for pair in survey.pairs() if pair[0].moment == pair[1].moment and pair[0] != pair[1]]
    for pair in twice[:2]:
        reaches = [moment_that_selects(survey, {}, record) for record in pair]
        if None in reaches or reaches[0] == reaches[1]:
            continue
        start = whole_seconds(pair[0]).start
        asked = Window(start, start + min(reaches))
        records = survey.api.walk(query | asked.query).records
        value = "associated" if all(record in records for record in pair) else "conversion"
        return Told(
            value, f"{query | asked.query} returns {'two' if value == 'associated' else 'one'} of a session's two conversions"
        )
    return cannot_tell("sessions with two conversions of a known visitor would tell")


# The pool


def converting(survey) -> Told | None:
    """Tell whether the pool has only sessions that convert; None if it has others too."""
    if "converting" not in survey.known:
        survey.known["converting"] = _converting(survey)
    return survey.known["converting"]


def _converting(survey) -> Told | None:
    walk = survey.session_walk("main")
    if walk.total > len(walk.records):
        return None
    pages = [record.get("conversion_page") for record in walk.records]
    filters = {"conversion_page": min(pages, key=pages.count)}
    narrow = survey.api.walk(walk.query | filters)
    if narrow.total < walk.total and narrow.total <= len(narrow.records):
        return Told("converting", f"with {filters}, total_records is {narrow.total} instead of {walk.total}")
    return None


@learns("pool")
def pool(survey) -> Told:
    if told := converting(survey):
        return told
    query = survey.filter("main")
    if survey.reading("window") == "session":
        return pool_by_totals(survey)
    walk = survey.session_walk("main")
    shows_start = survey.reading("timestamp") == "session"
    for record in samples(survey):
        start = whole_seconds(record).start
        if shows_start:
            start += moment_that_selects(survey, {}, record) or 0 * SECOND
        elif sessions_started_at(survey, start) != 0:
            continue
        is_found = finds(survey, query, record, Window(start, start))
        how = f"the session of the conversion of {iso(start)} started earlier, and a window of that second "
        if is_found:
            return Told("overlapping", how + "finds it")
        return Told("started", how + "does not find it")
    if walk.total <= len(walk.records):
        cannot_tell("sessions that do not convert, or start before their conversions, would tell")
    return cannot_tell("sessions that start before their conversions would tell")


def pool_by_totals(survey) -> Told:
    """Tell which sessions a pool has, if the window selects by their start: those that still run are counted, or not."""
    query, end, gone = survey.filter("main"), survey.end(), []
    for record in samples(survey):
        start = whole_seconds(record).start
        if survey.reading("timestamp") == "conversion":
            start += moment_that_selects(survey, {}, record) or 0 * SECOND
        pages = [survey.api.page(query | Window(moment, end).query) for moment in (start, start + SECOND)]
        if any(page.is_message for page in pages):
            continue
        gone.append(pages[0].total_records - pages[1].total_records)
        if not gone[-1]:
            return Told("overlapping", f"{query}: a session that starts at {iso(start)} is counted a second later, too")
    if len(gone) >= 2:
        return Told("started", f"{query}: a session that starts at {iso(start)} is not counted a second later")
    return cannot_tell("more sessions would tell")


# Pages


def session_steps(survey):
    """Yield every page of the session walks, those with few conversions in a batch too: the walk, its offset, and the page."""
    for walk in [*survey.walks("main"), *survey.sparse_walks()]:
        for offset, page in walk.steps:
            yield walk, offset, page


@learns("page")
def page(survey) -> Told:
    for walk, offset, found in session_steps(survey):
        processed, count = found.records_processed - offset, len(found.records)
        at_end = found.records_processed >= found.total_records
        if not at_end and processed % 200 and (count <= 50 or processed == 1):
            # The session after a page that is cut would make it more than 50.
            following = survey.api.page(walk.query | {"offset": found.records_processed}).records
            after = survey.api.page(walk.query | {"offset": found.records_processed + 1}).records
            if (processed == 1 and count > 50) or count + len(following.minus(after)) > 50:
                return Told("cut", f"a page ends after {processed} sessions with {count} records, before one that exceeds 50")
        if count > 50 and processed > 1:
            return Told("whole", f"a page has {count} records of {processed} sessions")
        if not at_end and processed % 200 == 0:
            return Told("whole", f"a page has {count} records of {processed} sessions")
    return cannot_tell("a session query with more than 50 conversions would tell")


@learns("batch")
def batch(survey) -> Told:
    if survey.reading("page") == "cut":
        cannot_tell("the server cuts its pages")
    for walk, offset, found in session_steps(survey):
        processed = found.records_processed - offset
        if processed <= 200:
            continue
        counts = batch_counts(survey, walk, offset, found)
        before_last = sum(counts[:-1])
        if before_last >= 50 and max(counts[:-1]) < 50:
            return Told("each", f"from offset {offset} the batches of a page have {counts} records")
        at_end = found.records_processed >= found.total_records
        if before_last < 50 and sum(counts) >= 50 and max(counts) < 50 and not at_end:
            return Told("together", f"from offset {offset} the batches of a page have {counts} records")
    return cannot_tell("a session query with about 20 to 49 conversions in each batch of 200 sessions would tell")


def batch_counts(survey, walk, offset: int, found) -> list[int]:
    """Return how many records each batch of a page has, by asking for what remains after each."""
    rest: Records = found.records
    counts = []
    for start in range(offset + 200, min(found.records_processed, found.total_records), 200):
        following = survey.api.page(walk.query | {"offset": start}).records
        if len(counts) > 12:
            break
        counts.append(len(rest.minus(following)))
        rest = Records(rest.common(following))
    return [*counts, len(rest)]


@learns("order")
def order(survey) -> Told:
    moments = [record.moment for record in survey.direct().records]
    if len(set(moments)) < 2:
        cannot_tell("conversions at different times would tell")
    if moments == sorted(moments):
        return Told("oldest", "a direct query is oldest first")
    if moments != sorted(moments, reverse=True):
        return Told(ANOTHER, "a direct query is neither newest first nor oldest first")
    for walk, offset, found in session_steps(survey):
        shown = [record.moment for record in found.records]
        if shown != sorted(shown, reverse=True):
            return Told("session", f"the page at offset {offset} of {walk.query} is not sorted by timestamp")
    for found in (found for _, _, found in session_steps(survey)):
        if interleaves(found.records):
            return Told("newest", "conversions of one session stand on both sides of another's")
    return cannot_tell("sessions that overlap, with two conversions of a known visitor each, would tell")


def interleaves(records: Records) -> bool:
    """Return whether conversions of one visitor within an hour have another visitor's between them."""
    places: dict[str, int] = {}
    for place, record in enumerate(records):
        email = record.get("email")
        before = places.get(email) if email else None
        is_near = before is not None and records[before].moment - record.moment < HOUR / 2
        if is_near and any(other.get("email") not in (None, "", email) for other in records[before + 1 : place]):
            return True
        if email:
            places[email] = place
    return False


@learns("empty-page")
def empty_page(survey) -> Told:
    walk = survey.direct()
    found = survey.api.page(walk.query | {"offset": walk.total})
    if found.records:
        return Told(ANOTHER, f"the page at offset {walk.total} of {walk.total} has {len(found.records)} records")
    return Told("message" if found.is_message else "records", f"offset {walk.total} of {walk.total} is such a page")


@learns("has-more")
def has_more(survey) -> Told:
    if survey.reading("page") == "cut":
        cannot_tell("the server cuts its pages")
    walk = survey.session_walk("main")
    query, total = walk.query, walk.total
    rare = next((other.query for other in survey.sparse_walks()), None)
    for asked in [query, *([rare] if rare else [])]:
        for tail in range(1, 5):
            if tail >= total - 200 or survey.api.page(asked | {"offset": total - tail}).records:
                break
            found = survey.api.page(asked | {"offset": total - tail - 200})
            if found.records_processed == total - tail:
                value = "positions" if found.has_more else "conversions"
                return Told(value, f"has_more is {str(found.has_more).lower()} before {tail} sessions without conversions")
    return cannot_tell("a session query whose last sessions, after more than 200 others, have no conversions would tell")


@learns("last-offset")
def last_offset(survey) -> Told:
    walk = survey.direct()
    found = survey.api.page(walk.query | {"offset": walk.total - 1})
    processed = found.records_processed
    values = {walk.total: "total", walk.total - 1 + 50: "plus-50"}
    return Told(values.get(processed, ANOTHER), f"records_processed is {processed} at offset {walk.total - 1} of {walk.total}")
