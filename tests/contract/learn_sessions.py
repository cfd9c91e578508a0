"""Learns what a timestamp is, what the window selects by, and which sessions a pool has: see learn.py."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from learn import Told, cannot_tell, learns, once
from records import DAY, HOUR, SECOND, Record, Records, Window, iso, whole_seconds

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


@once
def selected_by(survey) -> tuple[str, str]:
    """Return "shown", "earlier" or "later" if the window of a direct query selects by the shown timestamp or another moment.

    "wrong" is neither: all moments differ by the same quarters of an hour, which is a wrong time zone, or are whole minutes, which
    is a rounded date.
    """
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
    walk = survey.session_walk("main")
    records = walk.records
    # Timestamps on a grid coincide by chance. Records that were imported as sessions of their own all start at their conversion.
    on_a_grid = sum(not record.moment.second for record in records) * 4 > len(records)
    has_other_sessions = walk.total > len(records)
    if not converting(survey):
        started = []
        for record in samples(survey, 6):
            started.append(sessions_started_at(survey, whole_seconds(record).start))
            if started[-1] == 0:
                return Told("conversion", f"no session of {survey.filter('main')} starts at {record['timestamp']}")
        if len(started) == 6 and None not in started and has_other_sessions and not on_a_grid:
            return Told("session", f"a session of {survey.filter('main')} starts at each of six timestamps")
    pairs = survey.pairs()
    apart = sum(earlier.moment < later.moment for earlier, later in pairs)
    alike = len({later["email"] for earlier, later in pairs if earlier.moment == later.moment and earlier != later})
    if apart >= 3 and alike * 4 < apart:
        return Told("conversion", f"{apart} times a visitor has two conversions within an hour, at different timestamps")
    if alike >= 5 and apart < alike and not on_a_grid and walk.total != len(records):
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
    try:
        if by == "earlier" or (by == "shown" and survey.told("timestamp").value == "session"):
            return Told("session", how if by == "earlier" else survey.told("timestamp").how)
        untold = None
    except pytest.skip.Exception as reason:
        untold = reason  # but whatever a timestamp is, records outside the window tell
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
    if untold:
        raise untold
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


@once
def converting(survey) -> Told | None:
    """Tell whether the pool has only sessions that convert; None if it has others too."""
    walk = survey.session_walk("main")
    if walk.total > len(walk.records):
        return None
    pages = Counter(record.get("conversion_page") for record in walk.records)
    filters = {"conversion_page": min(pages, key=pages.__getitem__)}
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
