"""Which conversions a window contains. Each check compares two responses, so it does not need to know the data."""

from datetime import datetime, time, timedelta

import pytest
from records import SECOND, Record, Records, Walk, Window, difference, iso
from survey import DAY, HOUR, SESSION_FILTERS, UTC, whole_seconds
from verdict import check

START = "“Only conversions that start on or after this date are included.”"
END = "“Only conversions before or on this date are included.”"
# Each query is for the conversions between two moments, in seconds from a conversion in the data; None is the window's own end.
EDGES = {
    "from that second on": (START, 0, None),
    "from the next second on": (START, 1, None),
    "up to that second": (END, None, 0),
    "up to the second before": (END, None, -1),
    "that second only": (f"{START} {END}", 0, 0),
}


def compare(walk: Walk, asked: Window, found: Records, slack: timedelta) -> str:
    """Say how the records found in a part of a walk's window differ from the walk's records in that part."""
    if not slack:
        return difference(walk.records.where(asked.has), found)
    certain, possible = walk.records.where(asked.wider(-slack).has), walk.records.where(asked.wider(slack).has)
    missing, extra = certain.minus(found), found.minus(possible)
    return difference(missing, extra) if missing or extra else ""


def count(api, window: Window) -> int:
    return api.page(window.query).total_records


def test_the_default_window_covers_the_last_30_days(api, survey):
    """“Unless otherwise specified, the query defaults to a 30-day time window.”

    It may also begin at the midnight before.
    """
    default = api.page({})
    earliest, latest = survey.clock()
    inner = Window(latest - 30 * DAY + HOUR, earliest - HOUR)
    midnight = datetime.combine(earliest - 30 * DAY, time(), UTC)
    outer = Window(min(midnight, earliest - 30 * DAY - HOUR), latest + HOUR)
    total = f"without a window, total_records is {default.total_records}; the server's clock says {iso(latest)}"
    check(count(api, inner) <= default.total_records, f"{total}, and {inner.query} has {count(api, inner)}")
    check(default.total_records <= count(api, outer), f"{total}, and {outer.query} has {count(api, outer)}")
    outside = default.records.where(lambda record: not outer.wider(survey.slack("direct")).has(record))
    check(not outside, f"without a window, {len(outside)} records are outside the last 30 days ({outside})")


def test_the_default_window_of_a_session_query_covers_the_last_30_days(api, survey):
    """“Unless otherwise specified, the query defaults to a 30-day time window.”"""
    name = survey.main_name()
    earliest, latest = survey.clock()
    inner = Window(latest - 30 * DAY + HOUR, earliest - HOUR)
    midnight = datetime.combine(earliest - 30 * DAY, time(), UTC)
    outer = Window(min(midnight, earliest - 30 * DAY - HOUR), latest + HOUR)
    default, of_inner, of_outer = (api.walk(survey.filter(name) | query) for query in ({}, inner.query, outer.query))
    slack = survey.slack("main")
    missing = of_inner.records.where(inner.wider(-slack).has).minus(default.records)
    check(not missing, f"{survey.filter(name)} without a window: {len(missing)} records of {inner.query} are missing ({missing})")
    extra = default.records.where(lambda record: not outer.wider(slack).has(record))
    check(not extra, f"{survey.filter(name)} without a window: {len(extra)} records are outside {outer.query} ({extra})")
    check(
        default.total <= of_outer.total,
        f"{survey.filter(name)} without a window: total_records is {default.total}, and {outer.query} has {of_outer.total}",
    )


@pytest.mark.later
@pytest.mark.beyond_the_text
def test_the_default_window_is_30_times_24_hours(api, survey):
    """“Unless otherwise specified, the query defaults to a 30-day time window.” Our reading: it begins at this time of day."""
    default = api.page({})
    earliest, latest = survey.clock()
    outer = Window(earliest - 30 * DAY - HOUR, latest + HOUR)
    total = f"without a window, total_records is {default.total_records}"
    check(default.total_records <= count(api, outer), f"{total}, and {outer.query} has {count(api, outer)}")


@pytest.mark.parametrize(
    ("case", "after", "until"),
    [
        pytest.param({"text": text}, *edges, id=name, marks=[] if edges == [0, 0] else [pytest.mark.later])
        for name, (text, *edges) in EDGES.items()
    ],
)
def test_a_window_includes_both_its_ends(api, survey, case, after, until):
    walk, window, slack = survey.direct(), survey.window(), survey.slack("direct")
    first, last = whole_seconds(survey.sample())
    start = window.start if after is None else first + after * SECOND
    end = window.end if until is None else last + until * SECOND
    if start > end:
        pytest.skip("the data has only one second")
    asked = Window(start, end)
    found = api.walk(asked.query)
    mismatch = compare(walk, asked, found.records, slack)
    check(not mismatch, f"from {iso(start)} to {iso(end)}, compared with a longer window: {mismatch}")
    expected = len(walk.records.where(asked.has))
    check(
        slack or found.total == expected, f"from {iso(start)} to {iso(end)}, total_records is {found.total} instead of {expected}"
    )


@pytest.mark.parametrize(
    ("name", "case", "is_start"),
    [
        pytest.param(name, {"text": START if is_start else END}, is_start, id=f"{name}, {'start' if is_start else 'end'}")
        for name in ["main", *SESSION_FILTERS]
        for is_start in ([True, False] if name == "main" else [False])
    ],
)
def test_the_window_of_a_session_query_includes_both_its_ends(api, survey, name, case, is_start):
    walk, slack = survey.walk(name), survey.slack(name)
    first, last = whole_seconds(walk.records[len(walk.records) // 2])
    asked = Window(first - slack, last + slack + DAY) if is_start else Window(first - slack - DAY, last + slack)
    found = api.walk(walk.query | asked.query).records
    mismatch = compare(walk, asked, found, slack)
    check(not mismatch, f"from {iso(asked.start)} to {iso(asked.end)}, compared with a longer window: {mismatch}")


@pytest.mark.parametrize("name", ["direct", "main", *SESSION_FILTERS])
def test_every_conversion_lies_in_the_window(api, survey, name):
    """“a list of all conversion events that occurred within a given timeframe”"""
    walk, slack = survey.walk(name), survey.slack(name)
    window = survey.window() if name == "direct" else survey.wide_window()
    # The parts, which other checks request too, have more ends to check.
    parts = window.parts([record.moment for record in walk.records], 2 if survey.is_brief else 3)
    for asked in [window, *parts]:
        found = api.walk(walk.query | asked.query).records
        outside = found.where(lambda record, asked=asked: not asked.wider(slack).has(record))
        check(not outside, f"{len(outside)} records are outside {walk.query | asked.query} ({outside})")


def day_of(record: Record) -> Window:
    midnight = datetime.combine(record.moment, time(), UTC)
    return Window(midnight, midnight + DAY - SECOND)


@pytest.mark.parametrize("name", ["direct", "main"])
def test_a_date_means_its_whole_day(api, survey, name):
    """“string (ISO 8601 or YYYY-MM-DD)” “Only conversions that start on or after this date are included.” “Only conversions
    before or on this date are included.”"""
    walk, slack = survey.walk(name), survey.slack(name)
    window = survey.window() if name == "direct" else survey.wide_window()
    records = walk.records.where(Window(window.start + DAY, window.end - DAY).has) or walk.records
    # A conversion next to midnight reveals a date in another time zone.
    record = min(records, key=lambda record: min(record.moment - day_of(record).start, day_of(record).end - record.moment))
    day = day_of(record)
    query = {name: value for name, value in walk.query.items() if name not in ("start_date", "end_date")}
    dates = {"start_date": f"{day.start:%Y-%m-%d}", "end_date": f"{day.start:%Y-%m-%d}"}
    found = api.walk(query | dates).records
    if window.start <= day.start and day.end <= window.end:
        mismatch = compare(walk, day, found, slack)
        check(not mismatch, f"{dates}, compared with a longer window: {mismatch}")
    outside = found.where(lambda record: not day.wider(slack).has(record))
    check(not outside, f"{dates} returns {len(outside)} records of another day ({outside})")
    if not slack:
        check(record in found, f"{dates} does not return a record of that day ({record})")


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


def test_a_session_query_can_be_longer_than_30_days(api, survey):
    """“Start of the time window to analyze.” “End of the time window to analyze.” “defaults to a 30-day time window”: the
    default is not a limit."""
    walk, wide = survey.session_walk("main"), survey.wide_window()
    direct = survey.direct().records
    slack = max(survey.slack("main"), survey.slack("direct"), DAY)
    if wide.length <= 32 * DAY:
        pytest.skip("the largest session filter needs no longer window")
    old = Window(wide.start, wide.end - 30 * DAY)
    part = api.page(walk.query | old.query)
    found = walk.records.where(old.wider(-slack).has)
    missing = part.records.where(old.wider(-slack).has).minus(found)
    check(not missing, f"{wide.query} does not return {len(missing)} records that {old.query} returns ({missing})")
    common = Window(max(wide.start, survey.window().start), wide.end).wider(-slack)
    extra = walk.records.where(common.has).minus(direct)
    check(not extra, f"{len(extra)} records are not found by a direct query ({extra})")


@pytest.mark.later
@pytest.mark.parametrize("given", ["start_date", "end_date"])
def test_one_end_of_the_window_can_be_given(api, survey, given):
    """“start_date” “Only conversions that start on or after this date are included.” “end_date” “Only conversions before or on this
    date are included.” Each is optional: “All filters are optional”"""
    window, slack = survey.window(), survey.slack("direct")
    walk = api.walk({given: window.query[given]}) if given == "end_date" else None
    if given == "start_date":
        moment = survey.direct().records[min(40, len(survey.direct().records) - 1)].moment
        if survey.clock()[1] - moment > 30 * DAY:
            pytest.skip("the data has no conversions of the last 30 days")
        page = api.page({"start_date": iso(moment)})
        early = page.records.where(lambda record: record.moment < moment.replace(microsecond=0) - slack)
        check(not early, f"start_date {iso(moment)} returns {len(early)} earlier records ({early})")
        expected = count(api, Window(moment, survey.clock()[0]))
        check(
            page.total_records >= expected, f"start_date {iso(moment)}: total_records is {page.total_records} instead of {expected}"
        )
        return
    late = walk.pages[0].records.where(lambda record: record.moment > window.end + slack)
    check(not late, f"end_date {iso(window.end)} returns {len(late)} later records ({late})")
    recent = survey.direct().records.where(Window(window.end - 29 * DAY, window.end - slack).has)
    missing = recent.minus(walk.records)
    check(not missing, f"end_date {iso(window.end)} does not return {len(missing)} records of the 29 days before ({missing})")
