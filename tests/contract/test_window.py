"""Which conversions a window contains. Each check compares two responses, so it does not need to know the data."""

from datetime import UTC, datetime, time

import pytest
from records import DAY, HOUR, SECOND, Record, Records, Window, iso, whole_seconds
from verdict import check, check_same

START = "“Only conversions that start on or after this date are included.”"
END = "“Only conversions before or on this date are included.”"
# Each query is for the conversions between two moments, in seconds from a conversion in the data; None is the window's own end.
EDGES = {
    "that second only": (f"{START} {END}", 0, 0),
    "from that second on": (START, 0, None),
    "from the next second on": (START, 1, None),
    "up to that second": (END, None, 0),
    "up to the second before": (END, None, -1),
}
NOT_SHOWN = "the window does not select by the timestamps that the records show; see the readings timestamp, window and pool"


def count(api, window: Window) -> int:
    return api.page(window.query).total_records if window.start <= window.end else 0


def midnight_of(moment: datetime) -> datetime:
    return datetime.combine(moment, time(), UTC)


@pytest.mark.parametrize("name", ["direct", "main"])
def test_the_default_window_covers_the_last_30_days(api, survey, name):
    """“Unless otherwise specified, the query defaults to a 30-day time window.”

    30 whole days, or 30 times 24 hours; see default-window in readings.json.
    """
    query = {} if name == "direct" else survey.filter("main")
    default, faults = api.page(query), []
    for clock in survey.clocks():
        inner = Window(midnight_of(clock.end - 29 * DAY), clock.start - HOUR)
        outer = Window(midnight_of(clock.start - 30 * DAY) - SECOND, midnight_of(clock.end) + 2 * DAY)
        total = f"without a window, total_records is {default.total_records}; the server's clock says {iso(clock.end)}"
        totals = [api.page(query | window.query).total_records for window in (inner, outer)] if inner.start < inner.end else [0, 0]
        is_exact = survey.selects_by_what_it_shows(name)
        outside = default.records.where(lambda record, outer=outer: not outer.has(record)) if is_exact else Records()
        if default.total_records < totals[0]:
            faults.append((f"{total}, and {inner.query} has {totals[0]}", Records()))
        elif inner.start < inner.end and default.total_records > totals[1]:
            faults.append((f"{total}, and {outer.query} has {totals[1]}", Records()))
        elif outside:
            faults.append((f"without a window, {len(outside)} records are outside the last 30 days ({outside})", outside))
        else:
            return
    check(False, *faults[0])


@pytest.mark.parametrize(
    ("case", "after", "until"),
    [
        pytest.param({"text": text}, *edges, id=name, marks=[] if edges == [0, 0] else [pytest.mark.later])
        for name, (text, *edges) in EDGES.items()
    ],
)
def test_a_window_includes_both_its_ends(api, survey, case, after, until):
    walk, window = survey.direct(), survey.window()
    if not survey.is_shown():
        pytest.skip(NOT_SHOWN)
    first, last = whole_seconds(survey.sample())
    start = window.start if after is None else first + after * SECOND
    end = window.end if until is None else last + until * SECOND
    if start > end:
        pytest.skip("the data has only one second")
    asked = Window(start, end)
    found, expected = api.page(asked.query), walk.records.where(asked.has)
    where, total = f"from {iso(start)} to {iso(end)}", found.total_records
    outside = found.records.where(lambda record: not asked.has(record))
    check(not outside, f"{where}: {len(outside)} records are outside ({outside})", outside)
    if total <= 100 or (after, until) in ((0, None), (None, 0)):
        check_same(expected, api.walk(asked.query).records, f"{where}, compared with a longer window")
    check(total == len(expected), f"{where}, total_records is {total} instead of {len(expected)}")


@pytest.mark.parametrize("name", ["main", pytest.param("others", marks=pytest.mark.later)])
@pytest.mark.parametrize(
    ("case", "is_start"),
    [pytest.param({"text": START if is_start else END}, is_start, id="start" if is_start else "end") for is_start in (False, True)],
)
def test_the_window_of_a_session_query_includes_both_its_ends(api, survey, name, case, is_start):
    for walk in survey.walks(name)[: 1 if is_start else None]:
        if not survey.is_exact():
            pytest.skip(NOT_SHOWN)
        window = survey.window_of(walk)
        first, last = whole_seconds(walk.records[len(walk.records) // 2])
        asked = Window(first, min(last + DAY, window.end)) if is_start else Window(max(first - DAY, window.start), last)
        found = api.walk(walk.query | asked.query).records
        check_same(
            walk.records.where(asked.has), found, f"from {iso(asked.start)} to {iso(asked.end)}, compared with a longer window"
        )


@pytest.mark.parametrize("name", ["direct", "main", pytest.param("others", marks=pytest.mark.later)])
def test_every_conversion_lies_in_the_window(api, survey, name):
    """“a list of all conversion events that occurred within a given timeframe”"""
    for walk in survey.walks(name):
        if not survey.selects_by_what_it_shows(name):
            pytest.skip(NOT_SHOWN)
        window = survey.window_of(walk)
        # The parts, which other checks request too, have more ends to check.
        for asked in [window, *survey.parts_of(walk, name)]:
            found = api.walk(walk.query | asked.query).records
            outside = found.where(lambda record, asked=asked: not asked.has(record))
            check(not outside, f"{len(outside)} records are outside {walk.query | asked.query} ({outside})", outside)


def day_of(record: Record) -> Window:
    midnight = midnight_of(record.moment)
    return Window(midnight, midnight + DAY - SECOND)


def from_midnight(record: Record):
    """Return how far a conversion lies from midnight."""
    return min(record.moment - day_of(record).start, day_of(record).end - record.moment)


@pytest.mark.parametrize("name", ["direct", "main"])
def test_a_date_means_its_whole_day(api, survey, name):
    """“string (ISO 8601 or YYYY-MM-DD)” “Only conversions that start on or after this date are included.” “Only conversions
    before or on this date are included.”"""
    walk, window = survey.walks(name)[0], survey.window_of(survey.walks(name)[0])
    if not survey.selects_by_what_it_shows(name):
        pytest.skip(NOT_SHOWN)
    records = walk.records.where(Window(window.start + DAY, window.end - DAY).has) or walk.records
    # A conversion next to midnight reveals a date in another time zone.
    record = min(records, key=from_midnight)
    day = day_of(record)
    query = {name: value for name, value in walk.query.items() if name not in ("start_date", "end_date")}
    dates = {"start_date": f"{day.start:%Y-%m-%d}", "end_date": f"{day.start:%Y-%m-%d}"}
    found = api.walk(query | dates).records
    outside = found.where(lambda record: not day.has(record))
    check(not outside, f"{dates} returns {len(outside)} records of another day ({outside})", outside)
    check(record in found, f"{dates} does not return a record of that day ({record})", Records([record]))
    if window.start <= day.start and day.end <= window.end:
        check_same(walk.records.where(day.has), found, f"{dates}, compared with a longer window")


def test_a_window_can_be_longer_than_30_days(api, survey):
    """“Start of the time window to analyze.” “End of the time window to analyze.” “defaults to a 30-day time window”: the
    default is not a limit."""
    whole, *_ = survey.halves()
    old = Window(whole.start, max(whole.start, whole.end - 30 * DAY - SECOND))
    if not count(api, old):
        pytest.skip(
            f"the data has no conversions that are more than 30 days old ({old.query}); --start-date and --end-date choose others"
        )
    new = Window(old.end + SECOND, whole.end)
    counts = [count(api, old), count(api, new)]
    check(
        count(api, whole) == sum(counts),
        f"total_records is {count(api, whole)} in {whole.query}, but {counts[0]} in its older part and {counts[1]} in the rest",
    )


@pytest.mark.later
def test_a_window_can_be_as_long_as_a_date_allows(api, survey):
    """“Start of the time window to analyze.” “End of the time window to analyze.”"""
    longest = {"start_date": "2000-01-01", "end_date": "2099-12-31"}
    whole, *_ = survey.halves()
    response = api.ask(longest)
    check(response.is_success, f"{longest} gets the response {response}")
    found, expected = api.reader.read(response).total_records, count(api, whole)
    check(found >= expected, f"{longest}: total_records is {found}, and {expected} in {whole.query}")


def test_a_session_query_can_be_longer_than_30_days(api, survey):
    """“Start of the time window to analyze.” “End of the time window to analyze.” “defaults to a 30-day time window”: the
    default is not a limit."""
    walk, wide = survey.session_walk("main"), survey.wide_window()
    if wide.length <= 32 * DAY:
        pytest.skip("the largest session filter needs no longer window")
    old = Window(wide.start, wide.end - 30 * DAY)
    part = api.page(walk.query | old.query)
    missing = part.records.where(old.has).minus(walk.records)
    check(not missing, f"{wide.query} does not return {len(missing)} records that {old.query} returns ({missing})", missing)
    check(
        walk.total >= part.total_records,
        f"{wide.query}: total_records is {walk.total}, and {part.total_records} in {old.query}",
    )


@pytest.mark.later
def test_start_date_can_be_given_alone(api, survey):
    """“start_date” “Only conversions that start on or after this date are included.” “All filters are optional”"""
    records = survey.direct().records
    moment = records[min(40, len(records) - 1)].moment.replace(microsecond=0)
    page = api.page({"start_date": iso(moment)})
    early = page.records.where(lambda record: record.moment < moment) if survey.is_shown() else Records()
    check(not early, f"start_date {iso(moment)} returns {len(early)} earlier records ({early})", early)
    expected = min(count(api, Window(moment, clock.start)) for clock in survey.clocks())
    check(page.total_records >= expected, f"start_date {iso(moment)}: total_records is {page.total_records} instead of {expected}")


@pytest.mark.later
def test_end_date_can_be_given_alone(api, survey):
    """“end_date” “Only conversions before or on this date are included.” “All filters are optional”

    The window then starts 30 days before its end, or 30 days before now; see default-window in readings.json.
    """
    end = survey.window().end
    page = api.page({"end_date": iso(end)})
    late = page.records.where(lambda record: record.moment > end) if survey.is_shown() else Records()
    check(not late, f"end_date {iso(end)} returns {len(late)} later records ({late})", late)
    recent = Window(max(clock.end for clock in survey.clocks()) - 29 * DAY, end)
    expected = count(api, recent)
    check(
        page.total_records >= expected,
        f"end_date {iso(end)}: total_records is {page.total_records}, and {expected} in {recent.query}",
    )
