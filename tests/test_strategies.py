"""The two strategies: examples of each boundary, then generated traffic compared with the oracle."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import Hub, a_conversion, a_session
from tests.oracle import NOTHING, expected_page, matching

TEN = datetime(2025, 8, 1, 10)
DIRECT, SESSION = {}, {"campaign": "pool"}
both_strategies = pytest.mark.parametrize("strategy", [DIRECT, SESSION], ids=["direct", "session"])


def at(seconds: int) -> str:
    """Return the timestamp this many seconds after 10:00."""
    return str(TEN + timedelta(seconds=seconds))


def between(first: int, last: int) -> dict:
    return {"start_date": at(first), "end_date": at(last)}


def visit(start: int, *conversions: int, end: int | None = None, **fields) -> dict:
    """Return a session from one second to another (or to its last conversion), with conversions at these seconds."""
    return a_session(
        started_at=at(start),
        ended_at=at(max([start, *conversions]) if end is None else end),
        utm_campaign="pool",
        conversions=[a_conversion(timestamp=at(moment), email=f"at-{moment}@example.org") for moment in conversions],
        **fields,
    )


def pool(*conversions: int) -> list[dict]:
    """Return sessions a minute apart, newest first, each with this many conversions, whose emails number them newest first."""
    number = count()
    return [
        a_session(
            started_at=at(-60 * age),
            utm_campaign="pool",
            conversions=[
                a_conversion(timestamp=at(-60 * age + total - n), email=f"{next(number)}@example.org") for n in range(total)
            ],
        )
        for age, total in enumerate(conversions)
    ]


def figures(page: dict) -> tuple:
    pagination = page["pagination"]
    return len(page["records"]), pagination["records_processed"], pagination["total_records"], pagination["has_more"]


def emails(records: list[dict]) -> list[str]:
    return [record["email"] for record in records]


# The number of conversions in each session, newest first, and the pages: (records, records_processed, total_records, has_more).
DIRECT_PAGES = {
    "0 conversions": ([0], []),
    "1 conversion": ([1], [(1, 1, 1, False)]),
    "49 conversions": ([1] * 49, [(49, 49, 49, False)]),
    "50 conversions": ([1] * 50, [(50, 50, 50, False)]),
    "51 conversions": ([1] * 51, [(50, 50, 51, True), (1, 51, 51, False)]),
    "100 conversions": ([1] * 100, [(50, 50, 100, True), (50, 100, 100, False)]),
    "60 conversions in one session": ([60], [(50, 50, 60, True), (10, 60, 60, False)]),
    "1 conversion after 200 sessions without any": ([0] * 200 + [1], [(1, 1, 1, False)]),
}
SESSION_PAGES = {
    "0 sessions": ([], []),
    "1 session": ([1], [(1, 1, 1, False)]),
    "199 sessions": ([1] * 199, [(199, 199, 199, False)]),
    "200 sessions": ([1] * 200, [(200, 200, 200, False)]),
    "201 sessions": ([1] * 201, [(200, 200, 201, True), (1, 201, 201, False)]),
    "400 sessions": ([1] * 400, [(200, 200, 400, True), (200, 400, 400, False)]),
    "427 sessions": ([1] * 427, [(200, 200, 427, True), (200, 400, 427, True), (27, 427, 427, False)]),
    "200 sessions without a conversion": ([0] * 200, []),
    "60 conversions in one session": ([60], [(60, 1, 1, False)]),
    "60 conversions in one session of 201": ([60] + [0] * 200, [(60, 200, 201, True), (0, 201, 201, False)]),
    "49 in the first batch: continues": ([1] * 49 + [0] * 151 + [1] * 27, [(76, 227, 227, False)]),
    "50 in the first batch: stops": ([1] * 50 + [0] * 150 + [1] * 27, [(50, 200, 227, True), (27, 227, 227, False)]),
    "51 in the first batch: stops": ([51] + [0] * 199 + [1] * 27, [(51, 200, 227, True), (27, 227, 227, False)]),
    "49 in two batches: continues": (([1] * 24 + [0] * 176 + [1] * 25 + [0] * 175 + [1]), [(50, 401, 401, False)]),
    "50 in two batches: stops": (([1] * 25 + [0] * 175) * 2 + [1], [(50, 400, 401, True), (1, 401, 401, False)]),
    "1 conversion in three batches": ([0] * 426 + [1], [(1, 427, 427, False)]),
    "an empty last batch": ([1] * 200 + [0] * 200, [(200, 200, 400, True), (0, 400, 400, False)]),
}


@pytest.mark.decision(16)
@pytest.mark.parametrize(
    ("strategy", "conversions", "pages"),
    [
        pytest.param(strategy, *case, id=f"{name}, {title}")
        for strategy, name, table in [(DIRECT, "direct", DIRECT_PAGES), (SESSION, "session", SESSION_PAGES)]
        for title, case in table.items()
    ],
)
def test_a_walk_returns_the_expected_pages(hub, strategy, conversions, pages):
    hub.load(pool(*conversions))
    walk = list(hub.walk(strategy))
    assert [figures(page) for page in walk] == pages
    assert [email for page in walk for email in emails(page["records"])] == [f"{n}@example.org" for n in range(sum(conversions))]


@both_strategies
@pytest.mark.parametrize("offset", [3, 4, 2**63 - 1])
def test_an_offset_past_the_end_returns_an_ordinary_page_without_records(hub, strategy, offset):
    hub.load(pool(1, 1, 1))
    assert hub.ask(strategy | {"offset": offset}) == {
        "records": [],
        "pagination": {"records_processed": 3, "total_records": 3, "has_more": False},
    }


@pytest.mark.decision(19)
@both_strategies
@pytest.mark.parametrize("offset", [0, 2, 3, 4, 2**63 - 1])
def test_every_offset_returns_the_message_if_no_conversion_matches(hub, strategy, offset):
    hub.load(pool(1, 1, 1))
    assert hub.ask(strategy | {"meta_id": "no such form", "offset": offset}) == {
        "message": "No conversions matched the given filters."
    }


def test_an_offset_skips_conversions_in_a_direct_query_and_sessions_in_a_session_query(hub):
    hub.load(pool(2, 0, 2, 1))
    direct, session = hub.ask(DIRECT | {"offset": 3}), hub.ask(SESSION | {"offset": 3})
    assert (emails(direct["records"]), figures(direct)) == (["3@example.org", "4@example.org"], (2, 5, 5, False))
    assert (emails(session["records"]), figures(session)) == (["4@example.org"], (1, 4, 4, False))


def test_a_batch_can_start_at_any_offset(hub):
    hub.load(pool(*[1] * 427))
    assert figures(hub.ask(SESSION | {"offset": 77})) == (200, 277, 427, True)
    assert figures(hub.ask(SESSION | {"offset": 227})) == (200, 427, 427, False)
    assert figures(hub.ask(SESSION | {"offset": 426})) == (1, 427, 427, False)


@pytest.mark.decision(14)
@both_strategies
def test_conversions_with_equal_timestamps_are_each_returned_once_last_imported_first(hub, strategy):
    conversions = [[a_conversion(email=f"{n}@example.org"), a_conversion(email=f"{n + 1}@example.org")] for n in range(0, 500, 2)]
    hub.load([a_session(utm_campaign="pool", conversions=pair) for pair in conversions])
    assert emails(hub.everything(strategy)) == [f"{n}@example.org" for n in reversed(range(500))]


def test_records_are_newest_first_across_all_sessions_of_a_page(hub):
    hub.load([visit(0, 30, 10), visit(5, 40, 20), visit(9)])
    assert emails(hub.everything(SESSION)) == [f"at-{moment}@example.org" for moment in (40, 30, 20, 10)]


def test_sessions_are_ordered_by_their_start_not_by_their_conversions(hub):
    hub.load([visit(0, 1000), *[visit(n, n) for n in range(1, 201)]])
    first, second = hub.walk(SESSION)
    assert "at-1000@example.org" not in emails(first["records"])
    assert emails(second["records"]) == ["at-1000@example.org"]


@pytest.mark.decision(15)
def test_conversion_filters_do_not_shrink_the_pool(hub):
    sessions = pool(*[1] * 300)
    for session in (sessions[0], sessions[-1]):
        session["conversions"][0]["conversion_meta"] = {"type": "custom", "id": "rare"}
    hub.load(sessions)
    for rare in ({"meta_id": "rare"}, {"meta_type": "custom"}):
        assert [figures(page) for page in hub.walk(SESSION | rare)] == [(2, 300, 300, False)]
        assert [figures(page) for page in hub.walk(DIRECT | rare)] == [(2, 2, 2, False)]


# A session without conversions lasts from 0 to 100; a second one converts at the window's start.
@pytest.mark.parametrize(
    ("first", "last", "sessions"),
    [
        pytest.param(-50, -1, 1, id="the window ends a second before the session"),
        pytest.param(-50, 0, 2, id="the window ends as the session starts"),
        pytest.param(-50, 50, 2, id="the session starts in the window"),
        pytest.param(-50, 150, 2, id="the session lies in the window"),
        pytest.param(40, 60, 2, id="the window lies in the session"),
        pytest.param(50, 150, 2, id="the session ends in the window"),
        pytest.param(100, 150, 2, id="the window starts as the session ends"),
        pytest.param(101, 150, 1, id="the window starts a second after the session"),
    ],
)
def test_a_session_is_in_the_pool_if_it_overlaps_the_window(hub, first, last, sessions):
    hub.load([visit(0, end=100), visit(first, first)])
    assert figures(hub.ask(SESSION | between(first, last))) == (1, sessions, sessions, False)


@pytest.mark.parametrize("days", [1, 10, 400])
def test_a_session_of_many_days_that_ends_as_the_window_starts_is_in_the_pool(hub, days):
    end = days * 24 * 60 * 60
    hub.load([visit(0, end, end=end), visit(end, end), visit(-1, end=end - 1)])
    assert figures(hub.ask(SESSION | between(end, end))) == (2, 2, 2, False)
    explained = hub.run("explain", json.dumps(SESSION | between(end, end)), "--key", "key").stdout
    assert "Conversions on the page: 2." in explained  # flask explain runs the same statements


@both_strategies
def test_the_window_includes_both_of_its_ends(hub, strategy):
    hub.load([visit(-1, -1, 0, 100, 101)])
    assert emails(hub.everything(strategy | between(0, 100))) == ["at-100@example.org", "at-0@example.org"]


@both_strategies
def test_a_window_may_be_a_single_second(hub, strategy):
    hub.load([visit(0, 49, 50, 51)])
    assert emails(hub.everything(strategy | between(50, 50))) == ["at-50@example.org"]


@both_strategies
def test_a_start_after_the_end_returns_the_message(hub, strategy):
    hub.load([visit(0, 49, 50, 51)])
    assert hub.ask(strategy | between(50, 49)) == {"message": "No conversions matched the given filters."}


@both_strategies
def test_a_conversion_in_the_window_counts_even_if_its_session_started_before_it(hub, strategy):
    hub.load([visit(0, 70)])
    assert [figures(page) for page in hub.walk(strategy | between(50, 200))] == [(1, 1, 1, False)]


@both_strategies
def test_a_conversion_outside_the_window_does_not_count_even_if_its_session_overlaps_it(hub, strategy):
    hub.load([visit(0, 10, end=100)])
    assert hub.ask(strategy | between(50, 200)) == {"message": "No conversions matched the given filters."}


@both_strategies
def test_a_session_in_the_pool_returns_only_its_conversions_in_the_window(hub, strategy):
    hub.load([visit(0, 10, 60, end=100)])
    assert emails(hub.everything(strategy | between(50, 200))) == ["at-60@example.org"]


@pytest.mark.decision(1)
@pytest.mark.parametrize("field", ["source", "medium", "campaign", "content", "term", "landing_page"])
def test_any_single_session_filter_makes_a_session_query(hub, field):
    values = {f"utm_{name}": "https://example.com/" for name in ("source", "medium", "campaign", "content", "term")}
    hub.load([visit(0, 1, 2, 3) | values])
    assert figures(hub.ask({field: "https://example.com/"})) == (3, 1, 1, False)


@pytest.mark.parametrize("field", ["campaign", "content", "term"])
def test_an_empty_session_filter_matches_nothing_because_imports_store_null(hub, field):
    hub.load([visit(0, 1, 2) | {f"utm_{field}": ""}, visit(0, 3) | {f"utm_{field}": None}])
    assert hub.ask({field: ""}) == NOTHING


# Generated traffic

# The first value in each list is the most frequent. Every session has the same term.
SESSION_VALUES = {
    "source": ["google.com", "(direct)"],
    "medium": ["cpc", "(none)"],
    "campaign": ["spring", "", "Spring"],
    "content": ["banner", "", None],
    "term": ["every"],
    "landing_page": ["https://example.com/", "https://example.com/pricing"],
}
CONVERSION_VALUES = {
    "conversion_page": ["https://example.com/thankyou", "https://example.com/thankyou/"],
    "meta_type": ["html_form", "custom"],
    "meta_id": ["form", ""],
}
VALUES = SESSION_VALUES | CONVERSION_VALUES
# Sessions start on both sides of midnight, where a window given as dates starts and ends.
EVENING = datetime(2025, 8, 1, 23, 30)


@dataclass(frozen=True)
class Traffic:
    """A compact description of random sessions on a grid of minutes, for Hypothesis to draw and print."""

    sessions: int
    every: int  # one in this many sessions converts
    most: int  # the maximum number of conversions in a session
    spread: int  # all sessions start within this many minutes
    length: int  # the maximum length of a session in minutes
    seed: int

    def sessions_of(self, domain: str) -> list[dict]:
        """Return the sessions. Those of two domains differ only in the email addresses, which are unique."""
        random, number = Random(self.seed), count()

        def pick(values: list):
            return random.choice([values[0], *values])

        def moment(minute: int) -> str:
            return str(EVENING + timedelta(minutes=minute))

        def session(name: int) -> dict:
            start = random.randint(0, self.spread)
            end = start + random.randint(0, self.length)
            values = {field: pick(SESSION_VALUES[field]) for field in SESSION_VALUES}
            return a_session(
                session_id=f"s-{name}",
                started_at=moment(start),
                ended_at=moment(end),
                landing_page=values.pop("landing_page"),
                **{f"utm_{field}": value for field, value in values.items() if value not in ("(direct)", "(none)")},
                conversions=[
                    a_conversion(
                        email=f"{next(number)}@{domain}",
                        timestamp=moment(random.randint(start, end)),
                        conversion_page=pick(CONVERSION_VALUES["conversion_page"]),
                        conversion_meta={"type": pick(CONVERSION_VALUES["meta_type"]), "id": pick(CONVERSION_VALUES["meta_id"])},
                    )
                    for _ in range(random.randint(1, self.most) if random.randrange(self.every) == 0 else 0)
                ],
            )

        return [session(name) for name in range(self.sessions)]


def window(minutes: tuple, seconds: tuple, forms: tuple) -> dict:
    """Return a window from the earlier to the later minute. Each end has its own seconds to add and its own date format."""
    start, end = (
        (EVENING + timedelta(minutes=minute, seconds=second)).strftime(form)
        for minute, second, form in zip(sorted(minutes), seconds, forms, strict=True)
    )
    return {"start_date": start, "end_date": end}


def a_pair_of(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(strategy, strategy)


# (sessions, (every, most)): up to three batches with far more than 50 conversions, about 50, or very few; then few or no sessions.
SHAPES = [
    *product([199, 200, 201, 400, 427], [(1, 1), (1, 3), (4, 1), (20, 60), (100, 1)]),
    *product([0, 1, 20], [(1, 1), (1, 60)]),
]
TRAFFIC = st.builds(
    lambda shape, *rest: Traffic(shape[0], *shape[1], *rest),
    st.sampled_from(SHAPES),
    st.sampled_from([0, 60, 1000]),
    st.sampled_from([0, 30, 300, 72 * 60]),
    st.integers(0, 999),
)
WINDOW = st.just({"start_date": "2025-08-01", "end_date": "2025-08-03"}) | st.builds(
    window,
    a_pair_of(st.sampled_from([0, 0, 60, 1000]) | st.integers(0, 60) | st.integers(0, 1300)),
    a_pair_of(st.sampled_from([0, 0, 0, -1, 1])),
    a_pair_of(st.sampled_from(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.5Z", "%Y-%m-%d"])),
)
# Half of the queries are session queries with the largest possible pool. Most of the other filters match something.
EVERY_SESSION = st.sampled_from([{}, {"term": "every"}])
FILTERS = st.lists(
    st.sampled_from([(field, value) for field in VALUES for value in [*VALUES[field] * 3, "", "nothing"] if value is not None]),
    max_size=2,
).map(dict)
QUERY = st.builds(lambda *parts: parts[0] | parts[1] | parts[2], WINDOW, EVERY_SESSION, FILTERS)
QUERIES = st.lists(QUERY, min_size=4, max_size=8)
OFFSET = st.just(0) | st.sampled_from([1, 49, 50, 51, 199, 200, 201, 227, 400, 2**63 - 1]) | st.integers(0, 500)


def examples(number: int):
    # Shrinking would take minutes, and an example is short anyway.
    return settings(max_examples=number, deadline=None, phases=set(Phase) - {Phase.shrink, Phase.explain})


@contextmanager
def served(traffic: Traffic) -> Iterator[tuple[Hub, list[dict]]]:
    """Yield a hub with this traffic, and its sessions. A second account has some of the same sessions."""
    with TemporaryDirectory() as folder:
        hub, sessions = Hub(Path(folder) / "conversions.sqlite"), traffic.sessions_of("example.com")
        hub.load(sessions)
        hub.load(traffic.sessions_of("example.org")[:50], "example.org", "another-key")
        yield hub, sessions


@examples(30)
@given(TRAFFIC, st.lists(st.tuples(QUERY, OFFSET), min_size=4, max_size=8))
def test_every_page_of_a_walk_from_any_offset_matches_the_oracle(traffic, walks):
    with served(traffic) as (hub, sessions):
        for query, offset in walks:
            while True:
                page = hub.ask(query | {"offset": offset})
                assert page == expected_page(sessions, query | {"offset": offset})
                if page == NOTHING or not page["pagination"]["has_more"]:
                    break
                offset = page["pagination"]["records_processed"]


@pytest.mark.decision(18)
@examples(6)
@given(TRAFFIC, QUERIES)
def test_a_walk_returns_each_matching_conversion_exactly_once(traffic, queries):
    with served(traffic) as (hub, sessions):
        for query in queries:
            assert sorted(emails(hub.everything(query))) == sorted(emails(matching(sessions, query)))


@pytest.mark.decision(17)
@examples(6)
@given(TRAFFIC, QUERIES)
def test_a_session_filter_that_every_session_matches_returns_the_same_conversions_as_no_filter(traffic, queries):
    with served(traffic) as (hub, _):
        for query in queries:
            direct = {field: value for field, value in query.items() if field not in SESSION_VALUES}
            assert sorted(emails(hub.everything(direct | {"term": "every"}))) == sorted(emails(hub.everything(direct)))


@examples(6)
@given(TRAFFIC, QUERIES, FILTERS)
def test_adding_filters_never_adds_a_conversion(traffic, queries, more):
    with served(traffic) as (hub, _):
        for query in queries:
            assert set(emails(hub.everything(more | query))) <= set(emails(hub.everything(query)))


@examples(6)
@given(TRAFFIC, QUERIES)
def test_an_account_never_sees_or_counts_the_data_of_another(traffic, queries):
    others = traffic.sessions_of("example.org")[:50]
    with served(traffic) as (hub, _):
        for query in queries:
            assert all(email.endswith("@example.com") for email in emails(hub.everything(query)))
            assert all(email.endswith("@example.org") for email in emails(hub.everything(query, "another-key")))
            assert hub.ask(query, "another-key") == expected_page(others, query)
