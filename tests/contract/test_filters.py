"""What a filter finds: exactly the conversions with its value, whatever other filters are given."""

from itertools import combinations

import pytest
from records import Records, Window, difference
from survey import CONVERSION_FILTERS, DAY, SESSION_FILTERS
from verdict import check

FILTERS = [*CONVERSION_FILTERS, *SESSION_FILTERS]
NOBODY = "nobody-9f1c27"


def another_slash(value: str) -> str:
    return value[:-1] if value.endswith("/") else f"{value}/"


# Values that are almost those of a filter. Each finds something if values are not compared exactly.
NEAR = {
    "in another case": str.swapcase,
    "without its last character": lambda value: value[:-1],
    "without its first character": lambda value: value[1:],
    "between spaces": lambda value: f" {value} ",
    "as a pattern": lambda value: value[:1] + "%",
    "with a final slash added or removed": another_slash,
}
# Values that nothing has, but that mean something to careless programs.
HOSTILE = {
    "a quotation mark": "nobody's",
    "SQL": "x' OR '1'='1",
    "letters beyond ASCII": "nöbödy ☃ 名",
    "a null character": "nobody\x00",
}


def found_by(survey, name: str) -> tuple[dict, Records]:
    """Return the query that other filters are added to, for a conversion filter or a session filter, and its records."""
    walk = survey.direct() if name in CONVERSION_FILTERS else survey.session_walk(name)
    return walk.query, walk.records


def value_of(survey, name: str) -> str:
    if name in SESSION_FILTERS:
        return survey.filter(name)[name]
    value = survey.sample().filters[name]
    if not isinstance(value, str) or not value:
        pytest.skip(f"the conversion has no {name}")
    return value


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([*names], marks=[pytest.mark.later] if len(names) == 2 else [])
        for count in (1, 2, 3)
        for names in combinations(CONVERSION_FILTERS, count)
    ],
    ids=" and ".join,
)
def test_a_conversion_filter_finds_the_conversions_with_its_value(api, survey, names):
    """“All filters are optional and use exact match logic.” “all filters are applied using AND conditions”"""
    filters = {name: value_of(survey, name) for name in names}
    walk = survey.direct()
    found, expected = api.walk(walk.query | filters), walk.records.where(lambda record: record.matches(filters))
    mismatch = difference(expected, found.records)
    check(not mismatch, f"with {filters}: {mismatch}")
    check(found.total == len(expected), f"with {filters}, total_records is {found.total} instead of {len(expected)}")


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_that_nothing_matches_finds_nothing(api, survey, name):
    """“use exact match logic”; “If no qualifying conversions are found, the API will return” “{ "message": "No conversions
    matched the given filters." }”"""
    filters = {name: f"https://{NOBODY}.invalid/" if name.endswith("page") else NOBODY}
    nothing_found(api, filters)


@pytest.mark.parametrize(
    "name", [name if name in ("meta_id", "term") else pytest.param(name, marks=pytest.mark.later) for name in FILTERS]
)
def test_filters_are_combined_with_and(api, survey, name):
    """“You can combine multiple filters to narrow results; all filters are applied using AND conditions.”"""
    other = {"meta_type": value_of(survey, "meta_type")} if name == "meta_id" else survey.filter(survey.main_name())
    if name in other:
        other = {"meta_type": value_of(survey, "meta_type")}
    query = survey.window().query | other | {name: NOBODY}
    found = api.page(query).records
    check(not found, f"{name} {NOBODY} next to {other} finds {len(found)} records ({found})")


def nothing_found(api, query: dict) -> None:
    response = api.ask(query)
    check(response.status == 200, f"{query} gets the response {response}")
    body = response.json
    records = body.get("records")
    check(not records, f"{query} finds {len(records or [])} records")
    message = {"message": "No conversions matched the given filters."}
    check(body == message, f"{query} gets the response {response} instead of the message")


@pytest.mark.later
@pytest.mark.parametrize("name", ["main", *SESSION_FILTERS])
def test_a_session_query_finds_only_conversions_of_the_direct_query(survey, name):
    """“finds sessions that match your filter criteria, then retrieves all conversions associated with those sessions”"""
    walk = survey.walk(name)
    both = [survey.window(), survey.wide_window()]
    slack = max(survey.slack(name), survey.slack("direct"))
    common = Window(max(window.start for window in both), survey.end()).wider(-slack)
    extra = walk.records.where(common.has).minus(survey.direct().records)
    check(not extra, f"{len(extra)} records of {survey.filter_of(name)} are not found by a direct query ({extra})")


@pytest.mark.later
@pytest.mark.parametrize("name", ["main", *SESSION_FILTERS])
def test_a_conversion_filter_narrows_a_session_query(api, survey, name):
    """“You can combine multiple filters to narrow results; all filters are applied using AND conditions.”"""
    walk = survey.walk(name)
    records = walk.records
    names = CONVERSION_FILTERS if name == "main" else CONVERSION_FILTERS[:1]
    for conversion_filter in names:
        # The rarest value narrows the most.
        values = [value for record in records if isinstance(value := record.filters[conversion_filter], str)]
        if not values:
            continue
        filters = {conversion_filter: min(values, key=values.count)}
        found = api.walk(walk.query | filters)
        mismatch = difference(records.where(lambda record, filters=filters: record.matches(filters)), found.records)
        check(not mismatch, f"{survey.filter_of(name)} with {filters}: {mismatch}")


@pytest.mark.beyond_the_text
@pytest.mark.parametrize("name", ["main", *SESSION_FILTERS])
def test_a_conversion_filter_does_not_change_the_number_of_sessions(api, survey, name):
    """“matching sessions (in a session-filtered query)” Our reading: a conversion filter does not choose sessions."""
    walk = survey.walk(name)
    pages = [record.get("conversion_page") for record in walk.records]
    filters = {"conversion_page": min(pages, key=pages.count)}
    total = api.page(walk.query | filters).total_records
    check(total == walk.total, f"with {filters}, total_records is {total} instead of {walk.total}")


@pytest.mark.later
@pytest.mark.parametrize("name", SESSION_FILTERS)
def test_two_session_filters_find_what_both_find(api, survey, name):
    """“You can combine multiple filters to narrow results; all filters are applied using AND conditions.”"""
    main = survey.main_name()
    if name == main:
        pytest.skip(survey.ALREADY)
    walks = [survey.session_walk("main"), survey.session_walk(name)]
    filters = survey.filter(main) | survey.filter(name)
    found = api.walk(survey.wide_window().query | filters).records
    expected = walks[0].records.unambiguous().common(walks[1].records.unambiguous())
    alike = walks[0].records.minus(walks[0].records.unambiguous())
    mismatch = difference(expected, found.where(lambda record: record not in set(alike)))
    check(not mismatch, f"{filters}, compared with each of them: {mismatch}")


@pytest.mark.later
@pytest.mark.parametrize("near", NEAR)
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_matches_exactly(api, survey, name, near):
    """“All filters are optional and use exact match logic.”"""
    value = value_of(survey, name)
    other = NEAR[near](value)
    if other == value or not other or (near == "with a final slash added or removed" and "://" not in value):
        pytest.skip(survey.ALREADY if "://" not in value else f"{value} cannot be written {near}")
    finds_only_its_own(api, survey, name, other)


@pytest.mark.later
@pytest.mark.parametrize("name", FILTERS)
def test_an_empty_value_is_a_filter_too(api, survey, name):
    """“All filters are optional and use exact match logic.” An empty value is only equal to an empty value."""
    finds_only_its_own(api, survey, name, "")


@pytest.mark.later
@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in FILTERS for value in HOSTILE if value == "SQL" or name in ("meta_id", "source")],
)
def test_a_filter_is_a_plain_string(api, survey, name, value):
    """“string” “use exact match logic” No character of a value has a meaning of its own."""
    finds_only_its_own(api, survey, name, HOSTILE[value])


def finds_only_its_own(api, survey, name: str, value: str) -> None:
    """Check that a value finds no conversion that has another value of the same filter."""
    response = api.ask(survey.window().query | {name: value})
    refused = 400 <= response.status < 500 and "\x00" in value
    check(response.status == 200 or refused, f"{name} {value!r} gets the response {response}")
    if refused:
        return
    found = api.read(response).records
    if name in CONVERSION_FILTERS:
        wrong = found.where(lambda record: record.filters[name] != value)
        check(not wrong, f"{name} {value!r} finds {len(wrong)} records with another one ({wrong})")
        return
    query, own = found_by(survey, name)
    both = survey.direct().records.unambiguous().common(own).common(found)
    check(not both, f"{name} {value!r} finds {len(both)} records that {name} {query[name]!r} finds too ({both})")


SWAPPED = {
    ("content", "term"): "“Filter by UTM content value.” “Filter by UTM term value.”",
    ("campaign", "content"): "“Filter by UTM campaign name.” “Filter by UTM content value.”",
    ("source", "medium"): "“Filter by traffic source” “Filter by traffic medium”",
}


@pytest.mark.later
@pytest.mark.parametrize(
    ("name", "other", "case"), [pytest.param(*pair, {"text": text}, id=" and ".join(pair)) for pair, text in SWAPPED.items()]
)
def test_two_filters_are_not_swapped(api, survey, name, other, case):
    month = Window(survey.end() - 30 * DAY, survey.end()).query
    own = [(of, value) for of in (name, other) for value in survey.candidates(of)[:2]]
    if any(survey.first_page(*pair).records for pair in own):
        return
    swapped = {name: other, other: name}
    found = [(swapped[of], value) for of, value in own if api.page(month | {swapped[of]: value}).records]
    check(
        len({of for of, _ in found}) < 2,
        f"{name} and {other} find nothing with their own values, and records with those of the other: {found}",
    )


@pytest.mark.later
def test_the_landing_page_is_not_the_conversion_page(api, survey):
    """“landing_page | string | Filter by the landing page URL”; “conversion_page | string | Filter to conversions that
    occurred on a specific page URL.”

    Visitors who saw another page of the site just before the conversion did not all land on the page of the conversion.
    """
    records = survey.direct().records
    pages = [record["conversion_page"] for record in records if isinstance(record.get("conversion_page"), str)]
    for page in sorted(set(pages), key=pages.count, reverse=True)[:3]:
        there = records.where(lambda record, page=page: record.get("conversion_page") == page)
        came_later = there.where(lambda record, page=page: record.get("previous_page") not in (None, page))
        if len(came_later) < 5:
            continue
        found = api.walk(survey.window().query | {"landing_page": page}).records
        if not found:
            return
        check(
            difference(there, found),
            f"landing_page {page} finds exactly the {len(there)} conversions on that page, "
            f"although {len(came_later)} of them name another previous_page",
        )


def test_the_session_filters_that_were_given_find_conversions(survey):
    """“source | string | Filter by traffic source” (and the other session filters) The caller says that these match something."""
    if not survey.named:
        pytest.skip(survey.ALREADY)
    empty = [f"{name}={value}" for name, value in survey.named if not survey.first_page(name, value).records]
    if empty:
        pytest.skip(f"--session-filter {', '.join(empty)} finds no conversions in the last 30 days of the data")
