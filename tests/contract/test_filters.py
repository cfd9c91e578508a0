"""What a filter finds: exactly the conversions with its value, whatever other filters are given."""

from collections import Counter
from itertools import combinations

import pytest
from records import DAY, Window
from survey import CONVERSION_FILTERS, SESSION_FILTERS
from verdict import check, check_same

FILTERS = [*CONVERSION_FILTERS, *SESSION_FILTERS]
NOBODY = "nobody-9f1c27"
EACH_SESSION_QUERY = pytest.mark.parametrize("name", ["main", pytest.param("others", marks=pytest.mark.later)])


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
    check_same(expected, found.records, f"with {filters}, compared with the query without it")
    check(found.total == len(expected), f"with {filters}, total_records is {found.total} instead of {len(expected)}")


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_that_nothing_matches_finds_nothing(api, survey, name):
    """“use exact match logic”; “If no qualifying conversions are found, the API will return: { "message": "No conversions
    matched the given filters." }”"""
    query = {name: f"https://{NOBODY}.invalid/" if name.endswith("page") else NOBODY}
    response = api.ask(query)
    check(response.is_success, f"{query} gets the response {response}")
    body = response.json
    records = body.get("records")
    check(not records, f"{query} finds {len(records or [])} records")
    message = {"message": "No conversions matched the given filters."}
    check(body == message, f"{query} gets the response {response} instead of the message")


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
    check(not found, f"{name} {NOBODY} next to {other} finds {len(found)} records ({found})", found)


@pytest.mark.later
@EACH_SESSION_QUERY
def test_a_session_query_finds_only_conversions_of_the_direct_query(api, survey, name):
    """“finds sessions that match your filter criteria, then retrieves all conversions associated with those sessions”"""
    direct, window = survey.direct().records, survey.window()
    for walk in survey.walks(name):
        common = Window(max(window.start, survey.wide_window().start), survey.end())
        if survey.is_exact() and common.start <= common.end:
            records = walk.records.where(common.has)
        elif survey.reading("window") == "associated" and not survey.is_ours():
            pytest.skip("the server returns all conversions of a session, and does not show when they were (window=associated)")
        else:
            records = api.walk(walk.query | window.query).records
            records = records.where(window.has) if survey.reading("window") == "associated" else records
        extra = records.minus(direct)
        check(not extra, f"{len(extra)} records of {walk.query} are not found by a direct query ({extra})", extra)


@pytest.mark.later
@EACH_SESSION_QUERY
def test_a_conversion_filter_narrows_a_session_query(api, survey, name):
    """“You can combine multiple filters to narrow results; all filters are applied using AND conditions.”"""
    for walk in survey.walks(name):
        records = walk.records
        for conversion_filter in CONVERSION_FILTERS if name == "main" else CONVERSION_FILTERS[:1]:
            # The rarest value narrows the most.
            values = [value for record in records if isinstance(value := record.filters[conversion_filter], str)]
            if not values:
                continue
            filters = {conversion_filter: min(counts := Counter(values), key=counts.__getitem__)}
            found = api.walk(walk.query | filters).records
            expected = records.where(lambda record, filters=filters: record.matches(filters))
            check_same(expected, found, f"{walk.query} with {filters}")


@pytest.mark.later
def test_two_session_filters_find_what_both_find(api, survey):
    """“You can combine multiple filters to narrow results; all filters are applied using AND conditions.”

    Conversions that look alike are left out: they can be of different sessions.
    """
    main, window = survey.session_walk("main"), survey.window()
    certain = survey.direct().records.unambiguous()
    own = api.walk(window.query | survey.filter("main")).records.common(certain)
    for walk in survey.walks("others")[:2]:
        other = {name: value for name, value in walk.query.items() if name in SESSION_FILTERS}
        theirs = api.walk(window.query | other).records
        found = api.walk(main.query | window.query | other).records
        check_same(own.common(theirs), found.common(certain), f"{survey.filter('main') | other}, compared with each of them")


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
    """“landing_page | string | Filter by the landing page URL” “conversion_page | string | Filter to conversions that occurred on a
    specific page URL.”

    A session has one landing page. If a visitor converts on two pages within an hour, then the landing page finds both conversions
    or none of them, but not each page its own.
    """
    records, window = survey.direct().records, survey.window()
    known = set(records)
    pages = [record["conversion_page"] for record in records if isinstance(record.get("conversion_page"), str)]
    common = [page for page, _ in Counter(sorted(pages)).most_common(3)]
    found = {page: api.walk(window.query | {"landing_page": page}).records for page in common}
    own = {page: records.where(lambda record, page=page: record.get("conversion_page") == page) for page in common}
    pairs = [
        pair
        for pair in survey.pairs()
        if known.issuperset(pair) and pair[0].filters != pair[1].filters
        if len({record.get("conversion_page") for record in pair} & set(common)) == 2
    ]
    if len(pairs) < 3:
        pytest.skip("no visitor is known who converts on two pages within an hour")
    is_own = all(not own[page].minus(found[page]) and not found[page].minus(own[page]) for page in common)
    check(
        not is_own,
        f"landing_page finds exactly the conversions on that page, for each of {', '.join(common)}, although {len(pairs)} visitors "
        "converted on two of these pages within an hour",
    )


def test_the_session_filters_that_were_given_find_conversions(survey):
    """“source | string | Filter by traffic source” (and the other session filters) The caller says that these match something."""
    empty = [f"{name}={value}" for name, value in survey.named if not survey.first_page(name, value).records]
    if empty:
        pytest.skip(f"--session-filter {', '.join(empty)} finds no conversions in the last 30 days of the data")
