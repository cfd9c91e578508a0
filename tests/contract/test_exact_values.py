"""Filters compare values exactly: what is almost a value, or means something to a careless program, finds nothing else."""

from urllib.parse import quote

import pytest
from survey import CONVERSION_FILTERS
from test_filters import FILTERS, value_of
from verdict import check


def another_slash(value: str) -> str:
    return value[:-1] if value.endswith("/") else f"{value}/"


def of_another_filter(survey, name: str) -> str:
    """Return a value that another filter of the same kind has, and this one most likely not."""
    others = {"meta_type": "meta_id", "meta_id": "meta_type", "conversion_page": "meta_id", "source": "medium"}
    return value_of(survey, others.get(name, "source"))


# Values that are almost those of a filter. Each finds something if values are not compared exactly.
NEAR = {
    "in another case": str.swapcase,
    "without its last character": lambda value: value[:-1],
    "without its first character": lambda value: value[1:],
    "with a space after it": lambda value: f"{value} ",
    "with % in place of its end": lambda value: value[:1] + "%",
    "with _ in place of a character": lambda value: value[: len(value) // 2] + "_" + value[len(value) // 2 + 1 :],
    "percent-encoded": lambda value: quote(value, safe=""),
    "with a final slash added or removed": another_slash,
    "with parameters": lambda value: f"{value}?a=1",
    "with a fragment": lambda value: f"{value}#a",
}
OF_URLS = ("with a final slash added or removed", "with parameters", "with a fragment")
# Values that nothing has, but that mean something to careless programs.
HOSTILE = {
    "a quotation mark": "nobody's",
    "SQL": "x' OR '1'='1",
    "letters beyond ASCII, and a character of 4 bytes": "nöbödy ☃ 名 😀",
    "a null character": "nobody\x00",
}


@pytest.mark.later
@pytest.mark.parametrize("near", NEAR)
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_matches_exactly(api, survey, name, near):
    """“All filters are optional and use exact match logic.”"""
    value = value_of(survey, name)
    if near in OF_URLS and "://" not in value:
        return
    other = NEAR[near](value)
    if other == value or not other:
        return
    finds_only_its_own(api, survey, name, other)


@pytest.mark.later
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_does_not_find_the_value_of_another(api, survey, name):
    """“All filters are optional and use exact match logic.”"""
    value = of_another_filter(survey, name)
    if value != value_of(survey, name):
        finds_only_its_own(api, survey, name, value)


@pytest.mark.later
@pytest.mark.parametrize("name", FILTERS)
def test_an_empty_value_is_a_filter_or_none(api, survey, name):
    """“All filters are optional and use exact match logic.”

    An empty value is only equal to an empty value, or it is as if the filter were not sent; see empty-filter in readings.json.
    """
    window = survey.window().query
    if api.ask(window | {name: ""}).body != api.ask(window).body:
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
    asked = api.seen[-1]
    # A server can refuse a null character, and "" where it wants a value.
    refused = 400 <= response.status < 500 and ("\x00" in value or not value)
    check(response.is_success or refused, f"{name} {value!r} gets the response {response}")
    if refused:
        return
    found = api.reader.read(response).records
    if name in CONVERSION_FILTERS:
        wrong = found.where(lambda record: (record.filters[name] or "") != value)
        check(not wrong, f"{name} {value!r} finds {len(wrong)} records with another one ({wrong})", wrong, asked)
        return
    # A conversion that both values find, and that no other one looks like, is of one session, which has one value.
    certain = survey.direct().records.unambiguous()
    own = survey.filter(name)
    both = certain.common(api.walk(survey.window().query | own).records).common(found) if found else found
    check(not both, f"{name} {value!r} finds {len(both)} records that {own} finds too ({both})", both, asked)
