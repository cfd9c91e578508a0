"""Concurrent readers and writers: a page comes from one snapshot of the data, and no request waits for long."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from conversions_api import accounts, schemas, strategies
from conversions_api.loading import sessions as loading

from tests.conftest import a_conversion, a_session


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


def test_a_counted_request_waits_for_a_writer_and_then_gets_a_503(hub, monkeypatch):
    monkeypatch.setattr("conversions_api.database.PATIENCE", 0.1)
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "key", "--monthly-limit", "5")
    with hub.app.extensions["database"].writing():
        response = hub.post("{}")
    assert response.status_code == 503
    assert response.json == {"error": "The database can't be used at the moment. The server's log says why."}
    assert hub.post("{}").status_code == 200
