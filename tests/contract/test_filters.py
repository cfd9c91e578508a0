"""What a query selects: the window, and the filters of a conversion and of its session."""

from datetime import timedelta

import pytest

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
# Each query is for the conversions between a moment and another, told in seconds from a conversion in the data; None is open.
EDGES = {
    "that second alone": (0, 0),
    "from that second on": (0, None),
    "from the next second on": (1, None),
    "up to that second": (None, 0),
    "up to the second before": (None, -1),
}
# Values that are not quite that of a filter.
NEAR = {
    "its beginning": lambda value: value[:-1],
    "other case": str.swapcase,
}


@pytest.fixture
def sample(api, window):
    return api.sample


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
def test_the_window_includes_both_its_ends(api, window, direct_walk, sample, edges):
    """“Only conversions that start on or after this date are included.” “Only conversions before or on this date are included.”"""
    start, end = (other if shift is None else sample.moment + shift * SECOND for shift, other in zip(edges, window, strict=True))
    if start > end:
        pytest.skip("the data has no more than one second")
    asked = type(window)(start, end)
    page, expected = api.page(asked.query), direct_walk.records.where(asked.has)
    assert page.total_records == len(expected), f"in {asked.query}"
    assert page.records.minus(expected) == [], f"in {asked.query}, but not in the whole window"


def test_the_window_of_a_session_query_includes_both_its_ends(api, window, session_walk):
    """“Only conversions that start on or after this date are included.” “Only conversions before or on this date are included.”"""
    moment = session_walk.records[len(session_walk.records) // 2].moment
    second = type(window)(moment, moment)
    records, expected = api.walk(session_walk.query | second.query).records, session_walk.records.where(second.has)
    assert records.minus(expected) == [], f"found in {second.query}, but not in the whole window"
    assert expected.minus(records) == [], f"not found in {second.query}, but in the whole window"


def test_every_conversion_lies_in_the_window(walk, window):
    """“a list of all conversion events that occurred within a given timeframe”"""
    assert walk.records.where(lambda record: not window.has(record)) == []


def test_a_date_alone_has_its_whole_day(api, window, direct_walk, sample):
    """“string (ISO 8601 or YYYY-MM-DD)” “Only conversions before or on this date are included.”"""
    day = sample.moment.date()
    page = api.page({"start_date": str(day), "end_date": str(day)})
    known = direct_walk.records.where(lambda record: record.moment.date() == day)
    assert {record.moment.date() for record in page.records} == {day}
    assert page.total_records >= len(known)
    if window.start.date() < day < window.end.date():
        assert page.total_records == len(known)


def test_the_default_window_is_the_last_30_days(api):
    """“Unless otherwise specified, the query defaults to a 30-day time window.” (By the server's clock, give or take an hour.)"""
    default = api.page({})
    start, end = default.at - timedelta(days=30), default.at
    within = api.page({"start_date": f"{start + HOUR:%Y-%m-%dT%XZ}", "end_date": f"{end - HOUR:%Y-%m-%dT%XZ}"})
    around = api.page({"start_date": f"{start - HOUR:%Y-%m-%dT%XZ}", "end_date": f"{end + HOUR:%Y-%m-%dT%XZ}"})
    assert within.total_records <= default.total_records <= around.total_records
    assert default.records.where(lambda record: not start - HOUR <= record.moment <= end + HOUR) == []


@pytest.mark.parametrize(
    "names",
    [
        ["conversion_page"],
        ["meta_type"],
        ["meta_id"],
        ["conversion_page", "meta_type"],
        ["conversion_page", "meta_type", "meta_id"],
    ],
    ids=" and ".join,
)
def test_a_conversion_filter_finds_all_that_match_and_nothing_else(api, window, direct_walk, sample, names):
    """“All filters are optional and use exact match logic.” “all filters are applied using AND conditions”"""
    filters = {name: sample.filters[name] for name in names}
    if None in filters.values():
        pytest.skip("the conversion has no such value")
    page, expected = api.page(window.query | filters), direct_walk.records.where(lambda record: record.matches(filters))
    assert page.total_records == len(expected), f"with {filters}"
    assert page.records.minus(expected) == [], f"found with {filters}, but not without"


@pytest.mark.parametrize("near", NEAR.values(), ids=NEAR)
@pytest.mark.parametrize("name", ["conversion_page", "meta_type", "meta_id"])
def test_a_conversion_filter_matches_exactly(api, window, direct_walk, sample, name, near):
    """“All filters are optional and use exact match logic.”"""
    value = str(sample.filters[name])
    if near(value) == value:
        pytest.skip(f"{value} has no letters")
    filters = {name: near(value)}
    expected = direct_walk.records.where(lambda record: record.matches(filters))
    assert api.page(window.query | filters).records.minus(expected) == [], f"with {filters}"


@pytest.mark.parametrize("near", NEAR.values(), ids=NEAR)
def test_a_session_filter_matches_exactly(api, window, direct_walk, session_walk, near):
    """“All filters are optional and use exact match logic.” So no conversion is found by two values of the same filter."""
    name, value = next((name, value) for name, value in session_walk.query.items() if name not in window.query)
    if near(value) == value:
        pytest.skip(f"{value} has no letters")
    found = api.page(window.query | {name: near(value)}).records
    looking_alike = [record for record in direct_walk.records if direct_walk.records.count(record) > 1]
    found_twice = [record for record in found if record in session_walk.records and record not in looking_alike]
    assert found_twice == [], f"by {name} {value} and also by {near(value)}"


def test_a_session_query_finds_conversions_of_the_direct_query(direct_walk, session_walk):
    """“finds sessions that match your filter criteria, then retrieves all conversions associated with those sessions”"""
    assert session_walk.records.minus(direct_walk.records) == [], "not found by a direct query"


def test_a_conversion_filter_takes_its_part_of_a_session_query(api, session_walk):
    """“You can combine multiple filters to narrow results; all filters are applied using AND conditions.”"""
    # The page that is rarest narrows the most.
    pages = [record["conversion_page"] for record in session_walk.records]
    filters = {"conversion_page": min(pages, key=pages.count)}
    expected = session_walk.records.where(lambda record: record.matches(filters))
    records = api.walk(session_walk.query | filters).records
    assert records.minus(expected) == [], f"found with {filters}, but not without"
    assert expected.minus(records) == [], f"not found with {filters}, but without"


@pytest.mark.beyond_the_text
def test_a_conversion_filter_leaves_the_sessions_counted_as_they_are(api, session_walk):
    """“matching sessions (in a session-filtered query)”; beyond it: a conversion filter does not choose sessions."""
    filters = {"conversion_page": session_walk.records[0]["conversion_page"]}
    assert api.page(session_walk.query | filters).total_records == session_walk.pages[0].total_records


def test_another_session_filter_never_adds_a_conversion(api, session_walk):
    """“You can combine multiple filters to narrow results; all filters are applied using AND conditions.”"""
    others = map(api.filter, api.session_filters)
    added = next((filters for filters in others if not filters.keys() & session_walk.query.keys()), None)
    if added is None:
        pytest.skip("--session-filter gave no other field")
    records = api.walk(session_walk.query | added).records
    assert records.minus(session_walk.records) == [], f"found with {added}, but not without"
