"""app/fast returns the same pages as app/strategies.py, also while data is written, and its cache has a maximum size."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import accounts, fast, schemas, strategies
from app.fast import Cache
from app.fast.sparse_index import build_fences
from tests.conftest import a_conversion, a_session
from tests.test_strategies import OFFSET, QUERY, TRAFFIC, examples, served


def assert_equal(fast_page: strategies.Page, plain_page: strategies.Page) -> None:
    reported = plain_page.conversions_per_batch[: fast.BATCHES_REPORTED]
    assert fast_page == plain_page._replace(conversions_per_batch=reported)


@examples(20)
@given(TRAFFIC, st.lists(st.tuples(QUERY, OFFSET), min_size=10, max_size=20), st.sampled_from([1, 3, 50, 200, 1000]))
def test_a_fast_page_is_the_same_as_the_plain_page(traffic, queries, step):
    cache = Cache(step=step)
    with served(traffic) as (hub, _), hub.app.extensions["database"].reading() as connection:
        account = accounts.authenticate(connection, "key")
        for body, offset in queries * 2:
            query = schemas.load_query(body | {"offset": offset}, hub.app.extensions["clock"]()) | account.scope
            assert_equal(fast.page(connection, query, cache), strategies.page(connection, query))


def test_a_page_of_many_batches_reports_the_conversions_of_the_first_seven(hub):
    converting = {3, 250, 251, 1450, 1700}
    hub.load([a_session(conversions=[a_conversion()] * (n in converting)) for n in reversed(range(1900))])
    with hub.app.extensions["database"].reading() as connection:
        query = schemas.load_query({"source": "(direct)"}, hub.app.extensions["clock"]())
        query |= accounts.authenticate(connection, "key").scope
        plain_page, fast_page = strategies.page(connection, query), fast.page(connection, query, Cache())
    assert plain_page.conversions_per_batch == [1, 2, 0, 0, 0, 0, 0, 1, 1, 0]
    assert (fast_page.conversions_per_batch, fast_page.batches) == ([1, 2, 0, 0, 0, 0, 0], 10)


def test_fast_pages_are_right_while_a_writer_imports(hub):
    cache, random = Cache(step=20), Random(1)
    database, clock = hub.app.extensions["database"], hub.app.extensions["clock"]
    queries = [{}, {"meta_id": "form"}, {"source": "(direct)"}, {"campaign": "a"}, {"campaign": "a", "meta_id": "form"}]

    def write(number: int) -> None:
        sessions = [
            a_session(
                session_id=f"{number}-{n}",
                utm_campaign=random.choice("ab"),
                conversions=[a_conversion()] * random.choice([0, 0, 1, 3]),
            )
            for n in range(random.randint(1, 300))
        ]
        hub.load(sessions, "example.com", "key", *(["--replace"] if number % 5 == 4 else []))

    def compare(rounds: int) -> set:
        totals = set()
        for _, (query, offset) in product(range(rounds), product(queries, [0, 50, 200, 10_000])):
            with database.reading() as connection:
                account = accounts.authenticate(connection, "key")
                query = schemas.load_query(query | {"offset": offset}, clock()) | account.scope
                fast_page = fast.page(connection, query, cache)
                assert_equal(fast_page, strategies.page(connection, query))
                totals.add(fast_page.total_records)
        return totals

    write(0)
    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(compare, 12) for _ in range(2)]
        writer = pool.submit(lambda: [write(number) for number in range(1, 12)])
        writer.result()
        totals = set.union(*(reader.result() for reader in readers))
    assert len(totals) > 5  # the readers saw several versions of the data
    compare(1)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 100])
def test_there_is_a_fence_less_than_one_step_before_any_match(count):
    newest, keys = (1_001, 0), [(1_000 - n // 3, 1_000 - n) for n in range(count)]

    def after(key) -> list:
        return [other for other in keys if other < key]

    fences = build_fences(newest, lambda n, key: next(iter(after(key)[n - 1 :]), None), lambda key: len(after(key)), step=7)
    assert fences.total == count
    for n in range(count + 1):
        fence, rest = fences.before(n)
        assert 0 <= rest < 7
        assert fence == (keys[n - rest - 1] if n > rest else newest)
    for n, key in enumerate(keys, start=1):
        fence, before = fences.newer_than(key)
        assert 0 < n - before <= 7
        assert fence == (keys[before - 1] if before else newest)


def test_the_cache_evicts_the_least_recently_used_entry_and_never_exceeds_its_size():
    cache, computed = Cache(size=8_000), []

    def look_up(number: int):
        return cache.get_or_compute(("query", number), lambda: computed.append(number) or number)

    for number in [*range(10), 0, 10, 0, 1]:
        assert look_up(number) == number
    assert computed == [*range(10), 10, 1]  # there is room for ten: 10 evicted 1, because 0 had just been used


def test_a_long_filter_value_counts_towards_the_size_of_the_cache():
    cache, computed = Cache(size=15_000), []

    def look_up(number: int):
        return cache.get_or_compute((1, ("meta_id", f"{number}" + "a" * 9_000)), lambda: computed.append(number) or number)

    for number in [0, 0, 1, 1, 0]:
        assert look_up(number) == number
    assert computed == [0, 1, 0]  # there is room for one


def test_a_default_window_still_finds_its_cached_values_a_second_later(hub):
    cache = Cache()
    hub.load([a_session(conversions=[a_conversion()])])
    ran = []
    for now, filters in product(range(1_755_259_200, 1_755_259_205), [{}, {"source": "(direct)"}]):
        with hub.app.extensions["database"].reading() as connection:
            query = schemas.load_query(filters, now) | {"account": 1, "longest_session": 0}
            fast.page(connection, query, cache)
            ran.append(len(connection.ran))
    assert ran[0] > ran[2]
    assert ran[1] > ran[3]
    assert ran[2:] == [2, 2] * 4


def test_the_cache_also_remembers_for_deep_pages_that_nothing_matches(hub):
    cache, searches = Cache(), []
    hub.load([a_session(conversions=[a_conversion()]) for _ in range(3)])
    for _ in range(2):
        with hub.app.extensions["database"].reading() as connection:
            query = schemas.load_query({"source": "(direct)", "meta_id": "none", "offset": 2}, 1_755_259_200)
            assert fast.page(connection, query | {"account": 1, "longest_session": 0}, cache).nothing_matches
            searches.append([ran.sql for ran in connection.ran if "LIMIT :n" in ran.sql])
    assert [len(statements) for statements in searches] == [2, 0]
