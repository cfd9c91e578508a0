"""What is remembered between requests: it changes no answer, whatever is written meanwhile, and does not grow without end."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import accounts, schemas, strategies
from app.fast.fences import Fences, Memory
from tests.conftest import a_conversion, a_session
from tests.test_strategies import OFFSET, QUERY, TRAFFIC, examples, served


@examples(20)
@given(
    TRAFFIC,
    st.lists(st.tuples(QUERY, OFFSET), min_size=10, max_size=20),
    st.sampled_from([1, 3, 50, 200, 1000]),
    st.sampled_from([0, 1, 10]),
)
def test_a_page_with_memory_is_the_page_that_the_plain_statements_define(traffic, queries, step, in_turn):
    memory = Memory(step=step, batches_in_turn=in_turn)
    with served(traffic) as (hub, _), hub.app.extensions["database"].reading() as connection:
        account = accounts.authenticate(connection, "key")
        for body, offset in queries * 2:
            query = schemas.load_query(body | {"offset": offset}, hub.app.extensions["clock"]()) | {"account": account.id}
            plain, quick = strategies.page(connection, query), strategies.page(connection, query, memory)
            assert quick._replace(found=[]) == plain._replace(found=[])
            assert quick.found == plain.found[: len(quick.found)]


def test_what_is_remembered_is_right_while_a_writer_imports(hub):
    memory, dice = Memory(step=20, batches_in_turn=0), Random(1)
    database, clock = hub.app.extensions["database"], hub.app.extensions["clock"]
    queries = [{}, {"meta_id": "form"}, {"source": "(direct)"}, {"campaign": "a"}, {"campaign": "a", "meta_id": "form"}]

    def write(number: int) -> None:
        sessions = [
            a_session(
                session_id=f"{number}-{n}", utm_campaign=dice.choice("ab"), conversions=[a_conversion()] * dice.choice([0, 0, 1, 3])
            )
            for n in range(dice.randint(1, 300))
        ]
        hub.load(sessions, "example.com", "key", *(["--replace"] if number % 5 == 4 else []))

    def compare(rounds: int) -> set:
        totals = set()
        for _, (query, offset) in product(range(rounds), product(queries, [0, 50, 200, 10_000])):
            with database.reading() as connection:
                account = accounts.authenticate(connection, "key")
                query = schemas.load_query(query | {"offset": offset}, clock()) | {"account": account.id}
                remembered = strategies.page(connection, query, memory)
                assert remembered._replace(found=[]) == strategies.page(connection, query)._replace(found=[])
                totals.add(remembered.total_records)
        return totals

    write(0)
    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(compare, 12) for _ in range(2)]
        writer = pool.submit(lambda: [write(number) for number in range(1, 12)])
        writer.result()
        totals = set.union(*(reader.result() for reader in readers))
    assert len(totals) > 5  # the readers saw several states of the data
    compare(1)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 100])
def test_any_place_is_reached_from_a_fence_less_than_a_step_before_it(count):
    newest, places = (1_001, 0), [(1_000 - n // 3, 1_000 - n) for n in range(count)]
    fences = Fences(newest, step=7)
    for place in places[6::7]:
        fences.add(place)
    assert fences.total == count // 7 * 7
    for n in range(count + 1):
        fence, rest = fences.before(n)
        assert 0 <= rest < 7
        assert fence == (places[n - rest - 1] if n > rest else newest)
    for n, place in enumerate(places, start=1):
        fence, before = fences.newer_than(place)
        assert 0 < n - before <= 7
        assert fence == (places[before - 1] if before else newest)


def test_memory_forgets_what_nobody_asked_for_longest_and_never_outgrows_its_room():
    memory, found_out = Memory(room=8_000), []

    def ask(number: int):
        return memory.recall(("query", number), lambda: found_out.append(number) or number)

    for number in [*range(10), 0, 10, 0, 1]:
        assert ask(number) == number
    assert found_out == [*range(10), 10, 1]  # room for ten; 1 had been forgotten, 0 had just been asked for


def test_the_long_text_of_a_filter_takes_room_as_long_as_it_is_remembered():
    memory, found_out = Memory(room=15_000), []

    def ask(number: int):
        return memory.recall((1, ("meta_id", f"{number}" + "a" * 9_000)), lambda: found_out.append(number) or number)

    for number in [0, 0, 1, 1, 0]:
        assert ask(number) == number
    assert found_out == [0, 1, 0]  # room for one


def test_a_default_window_is_found_again_though_it_ends_later(hub):
    memory = Memory()
    hub.load([a_session(conversions=[a_conversion()])])
    with hub.app.extensions["database"].reading() as connection:
        took = []
        for now, filters in product(range(1_755_259_200, 1_755_259_205), [{}, {"source": "(direct)"}]):
            connection.ran = []
            strategies.page(connection, schemas.load_query(filters, now) | {"account": 1}, memory)
            took.append(len(connection.ran))
    assert took[:2] == [4, 5]  # the first time, fences are made
    assert took[2:] == [2, 3] * 4


def test_that_nothing_matches_is_remembered_on_a_deep_page_too(hub):
    memory, took = Memory(), []
    hub.load([a_session(conversions=[a_conversion()]) for _ in range(3)])
    for _ in range(2):
        with hub.app.extensions["database"].reading() as connection:
            query = schemas.load_query({"source": "(direct)", "meta_id": "none", "offset": 2}, 1_755_259_200) | {"account": 1}
            assert strategies.page(connection, query, memory).nothing_matches
            took.append([ran.sql for ran in connection.ran if "LIMIT :n" in ran.sql])
    assert [len(asked) for asked in took] == [1, 0]  # whether there is any: asked once
