"""Concurrent readers and writers: a page comes from one snapshot, no number is remembered too long, no request waits for long."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conversions_api import accounts, schemas, strategies
from conversions_api.database import Database
from conversions_api.loading import sessions as loading
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Hub, a_conversion, a_session
from tests.test_strategies import examples


@pytest.mark.decision(28)
@pytest.mark.parametrize("filters", [{}, {"source": "(direct)"}], ids=["direct", "session"])
def test_a_page_comes_from_one_snapshot_while_data_is_written(hub, filters):
    hub.load([a_session(session_id=f"old-{n}", conversions=[a_conversion()]) for n in range(3)])
    database = hub.app.extensions["database"]
    with database.reading() as connection:
        account = accounts.authenticate(connection, "key")
        query = schemas.load_query(filters, hub.app.extensions["clock"]()) | account.scope

        def import_more(statement: str) -> None:
            connection.set_trace_callback(None)
            hub.load([a_session(session_id=f"new-{n}", conversions=[a_conversion()]) for n in range(5)])

        # As soon as the first statement of the page has run, another connection commits more conversions.
        connection.set_trace_callback(import_more)
        page = strategies.page(connection, query)
    assert (len(page.conversions), page.total_records) == (3, 3)
    assert len(hub.everything(filters)) == 8


def test_a_reader_does_not_wait_for_a_writer(hub):
    hub.load([a_session(conversions=[a_conversion()])])
    with hub.app.extensions["database"].writing() as connection:
        connection.execute(loading.FORGET_SESSIONS, {"account_id": 1})
        assert len(hub.ask({})["records"]) == 1
    assert "message" in hub.ask({})


def test_readers_take_turns_but_none_waits_for_long(hub):
    hub.load([a_session(conversions=[a_conversion()])])
    with ThreadPoolExecutor(4) as others, hub.app.extensions["database"].reading():
        pages = list(others.map(hub.ask, [{}] * 4, timeout=30))
    assert [len(page["records"]) for page in pages] == [1, 1, 1, 1]


def test_a_counted_request_waits_for_a_writer_and_then_gets_a_503(hub):
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "key", "--monthly-limit", "5")
    with hub.app.extensions["database"].writing():
        response = hub.post("{}")
    assert response.status_code == 503
    assert response.json == {"error": "The database can't be used at the moment. The server's log says why."}
    assert hub.post("{}").status_code == 200


# The numbers that a connection remembers

FIRST = [a_session(conversions=[a_conversion()]) for _ in range(3)]
QUERIES = [{}, {"meta_type": "html_form"}, {"meta_type": "none"}, {"source": "(direct)"}, {"source": "none"}]
WRITES = {
    "import": lambda hub: hub.load([a_session(conversions=[a_conversion(email=None)])] * 2, "example.com", "key", "--replace"),
    "import more": lambda hub: hub.load(FIRST[:1], "example.com", "key", "--replace"),
    "import for another account": lambda hub: hub.load(FIRST, "another.example", "another-key", "--replace"),
    "delete the sessions": lambda hub: hub.load([], "example.com", "key", "--replace"),
    "delete the other account": lambda hub: hub.run("accounts", "delete", "another.example"),
    "count a call": lambda hub: hub.post("{}", "limited"),
}


@examples(15)
@given(st.lists(st.sampled_from(list(WRITES)), min_size=1, max_size=6))
def test_what_several_connections_remember_is_what_a_new_one_reads_after_every_write(writes):
    with TemporaryDirectory() as folder:
        hub = Hub(Path(folder) / "conversions.sqlite", MOCK="1")
        hub.load(FIRST)
        hub.load(FIRST, "limited.example", "limited", "--monthly-limit", "5")
        for write in [None, *writes]:
            if write:
                WRITES[write](hub)
            for query in QUERIES:
                with ExitStack() as stack:
                    readers = [stack.enter_context(hub.app.extensions["database"].reading()) for _ in range(3)]
                    new = stack.enter_context(Database(hub.path).reading())
                    pages = [page_of(connection, query) for connection in (new, *readers, *readers)]
                assert all(page == pages[0] for page in pages), (write, query)


def page_of(connection, filters: dict) -> strategies.Page:
    account = accounts.authenticate(connection, "key")
    return strategies.page(connection, schemas.load_query(filters, 1755259200) | account.scope)


@pytest.mark.parametrize("filters", [{}, {"source": "(direct)"}], ids=["direct", "session"])
def test_threads_that_read_while_another_imports_see_each_number_with_its_records(hub, filters):
    sessions = [a_session(session_id=f"s-{n}", conversions=[a_conversion()]) for n in range(20)]
    hub.load(sessions[:1])
    is_done = False

    def read() -> list[int]:
        seen = []
        while not is_done or not seen or seen[-1] < len(sessions):
            page = hub.ask(filters)
            assert len(page["records"]) == page["pagination"]["total_records"]
            seen.append(len(page["records"]))
        return seen

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(4)]
        for session in sessions[1:]:
            hub.load([session])
        is_done = True
        for reader in readers:
            seen = reader.result(timeout=60)
            assert seen == sorted(seen)


def test_a_number_is_read_once_until_something_is_committed(hub):
    hub.load(FIRST)
    database = hub.app.extensions["database"]

    def statements() -> int:
        with database.reading() as connection:
            page_of(connection, {})
            return len(connection.ran)

    assert [statements(), statements(), statements()] == [2, 1, 1]
    hub.load(FIRST, "another.example", "another-key")
    assert [statements(), statements()] == [2, 1]


def test_a_number_is_remembered_by_the_names_of_its_values_in_any_order(hub):
    hub.load(FIRST)
    with hub.app.extensions["database"].reading() as connection:
        numbers = [
            connection.remembered_number("SELECT :a - :b", values)
            for values in ({"a": 3, "b": 1}, {"b": 3, "a": 1}, {"b": 1, "a": 3})
        ]
    assert numbers == [2, -2, 2]
