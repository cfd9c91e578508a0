"""schema.sql: invalid rows are refused, and every statement of the strategies uses the index meant for it."""

import re
import sqlite3
from contextlib import closing
from itertools import combinations

import pytest
from conversions_api import accounts, schemas, strategies
from conversions_api.database import Database
from conversions_api.tables import SCHEMA

SESSION = """
INSERT INTO sessions
VALUES ({id}, {account}, '{name}', {start}, {end}, NULL, NULL, 'x', 'y', '{source}', 'y', NULL, NULL, NULL, 'u')
"""
CONVERSION = "INSERT INTO conversions VALUES (NULL, {account}, {session}, {at}, NULL, 'p', NULL, 't', 'i')"


def a_session(id=2, account=1, name="other", start=0, end=10, source="x") -> str:
    return SESSION.format(**locals())


def a_conversion(account=1, session=1, at=5) -> str:
    return CONVERSION.format(**locals())


@pytest.fixture
def connection():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(SCHEMA.read_text())
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("INSERT INTO accounts (domain) VALUES ('one.example'), ('two.example')")
        connection.execute(a_session(id=1, name="first"))
        connection.execute(a_session(id=9, name="second"))
        yield connection


@pytest.mark.parametrize(
    "valid",
    [
        pytest.param(a_session(), id="a session"),
        pytest.param(a_session(end=864_000), id="a session of ten days"),
        pytest.param(a_session(account=2, name="first"), id="another account's session with the same session_id"),
        pytest.param(a_conversion(at=0), id="a conversion when its session starts"),
        pytest.param(a_conversion(at=10), id="a conversion when its session ends"),
    ],
)
def test_a_valid_row_is_accepted(connection, valid):
    connection.execute(valid)


@pytest.mark.parametrize(
    "invalid",
    [
        pytest.param("INSERT INTO accounts (domain) VALUES ('')", id="an empty domain"),
        pytest.param("INSERT INTO accounts (domain) VALUES ('one.example')", id="a duplicate domain"),
        pytest.param("INSERT INTO accounts (domain, seeded_to) VALUES ('d', '2025-7-1')", id="a day in another form"),
        pytest.param("INSERT INTO accounts (domain, monthly_limit) VALUES ('d', -1)", id="a negative limit"),
        pytest.param("INSERT INTO keys VALUES (x'00', 1, '', 0)", id="a key that is not a SHA-256 digest"),
        pytest.param("INSERT INTO keys VALUES (zeroblob(32), 3, '', 0)", id="a key without an account"),
        pytest.param("INSERT INTO usage VALUES (1, '2025-13', 1)", id="a thirteenth month"),
        pytest.param(a_session(account=3), id="a session without an account"),
        pytest.param(a_session(name="first"), id="a duplicate session_id in an account"),
        pytest.param(a_session(name=""), id="an empty session_id"),
        pytest.param(a_session(end=-1), id="a session that ends before it starts"),
        pytest.param(a_session(source="z"), id="a source that is neither utm_source nor the derived one"),
        pytest.param("UPDATE sessions SET utm_source = 'z'", id="a utm_source that does not override"),
        pytest.param("UPDATE sessions SET utm_medium = 'z'", id="a utm_medium that does not override"),
        pytest.param("UPDATE sessions SET started_at = 1", id="a session whose start changes"),
        pytest.param(a_conversion(session=2), id="a conversion without a session"),
        pytest.param(a_conversion(account=2), id="a conversion of one account in another's session"),
        pytest.param(a_conversion(at=-1), id="a conversion before its session"),
        pytest.param(a_conversion(at=11), id="a conversion after its session"),
        pytest.param("UPDATE conversions SET timestamp = 11", id="a conversion that moves out of its session"),
    ],
)
def test_an_invalid_row_is_refused(connection, invalid):
    connection.execute(a_conversion())
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(invalid)


def test_deleting_an_account_deletes_its_sessions_and_conversions(connection):
    connection.execute(a_conversion())
    connection.execute("DELETE FROM accounts")
    assert connection.execute("SELECT count(*) FROM sessions, conversions").fetchone() == (0,)


@pytest.fixture
def without_foreign_keys(connection):
    """Provide the connection of a program that does not ask SQLite to enforce foreign keys."""
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(a_conversion())
    return connection


@pytest.mark.parametrize(
    "invalid",
    [
        pytest.param(a_session(account=3), id="a session without an account"),
        pytest.param(a_conversion(session=3), id="a conversion without a session"),
        pytest.param(
            "REPLACE INTO accounts (id, domain) VALUES (1, 'three.example')", id="an account that replaces the one with its id"
        ),
        pytest.param(
            "REPLACE INTO accounts (domain) VALUES ('one.example')", id="an account that replaces the one with its domain"
        ),
        pytest.param(a_session(id=1, account=2).replace("INSERT", "REPLACE"), id="a session that replaces the one with its id"),
        pytest.param("UPDATE accounts SET id = 3 WHERE id = 1", id="an account that changes its id"),
        pytest.param("UPDATE sessions SET id = 3 WHERE id = 1", id="a session that changes its id"),
        pytest.param("UPDATE accounts SET longest_session = 9 WHERE id = 1", id="a longest session that is too short"),
    ],
)
def test_an_invalid_row_is_refused_without_foreign_keys_too(without_foreign_keys, invalid):
    with pytest.raises(sqlite3.IntegrityError):
        without_foreign_keys.execute(invalid)


def test_deleting_an_account_deletes_all_its_data_without_foreign_keys_too(without_foreign_keys):
    without_foreign_keys.execute("INSERT INTO keys VALUES (zeroblob(32), 1, '', 0)")
    without_foreign_keys.execute("INSERT INTO usage VALUES (1, '2025-08', 5)")
    without_foreign_keys.execute("DELETE FROM accounts WHERE id = 1")
    for table in ("keys", "usage", "sessions", "conversions"):
        assert without_foreign_keys.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_an_id_is_never_reused(without_foreign_keys):
    without_foreign_keys.execute("DELETE FROM accounts")
    without_foreign_keys.execute("INSERT INTO accounts (domain) VALUES ('three.example')")
    (account,) = without_foreign_keys.execute("SELECT id FROM accounts").fetchone()
    without_foreign_keys.execute(a_session(id="NULL", account=account))
    (session,) = without_foreign_keys.execute("SELECT id FROM sessions").fetchone()
    without_foreign_keys.execute(a_conversion(account=account, session=session))
    assert (account, session) == (3, 10)
    assert without_foreign_keys.execute("SELECT id FROM conversions").fetchone() == (2,)


def test_an_account_stores_the_length_of_its_longest_session(connection):
    def longest() -> list:
        return connection.execute("SELECT longest_session FROM accounts ORDER BY id").fetchall()

    assert longest() == [(10,), (0,)]
    connection.execute(a_session(end=864_000))
    connection.execute(a_session(id=3, name="shorter", end=5))
    assert longest() == [(864_000,), (0,)]
    connection.execute("DELETE FROM sessions WHERE ended_at > 100")
    connection.execute("UPDATE accounts SET longest_session = 10")
    assert longest() == [(10,), (10,)]


FILTERS = {
    "conversion_page": "https://www.example.com/request-a-demo/",
    "meta_type": "html_form",
    "meta_id": "request-a-demo-form",
    "source": "google.com",
    "medium": "cpc",
    "campaign": "brand-search",
    "content": "headline-a",
    "term": "attribution software",
    "landing_page": "https://example.com/pricing",
}
SOME_FILTERS = [names for many in (0, 1, 2) for names in combinations(FILTERS, many)]


@pytest.mark.parametrize("names", SOME_FILTERS, ids=" and ".join)
def test_every_statement_uses_only_the_indexes_meant_for_it(bundled, names):
    session_filters = [name for name in names if name in strategies.SESSION_FILTERS]
    if session_filters:
        indexes = {f"sessions_by_{name}" for name in session_filters} | {"conversions_by_session"}
    else:
        indexes = {f"conversions_by_{name}" for name in ("timestamp", *names)}
    filters = {name: FILTERS[name] for name in names}
    plans = [*query_plans(bundled, filters), *query_plans(bundled, filters | {"meta_type": "no such type"})]
    assert len(plans) >= 4
    for step in (step for plan in plans for step in plan):
        if step.startswith("SEARCH"):
            assert re.search(r"USING (?:COVERING )?INDEX (\w+)", step)[1] in indexes | {"conversions_by_meta_type"}, step
        else:
            other_steps = ("SCAN CONSTANT ROW", "SCAN batch VIRTUAL TABLE", "SCALAR SUBQUERY")
            assert step.startswith(other_steps), step  # USE TEMP B-TREE would be a sort


@pytest.mark.parametrize("name", FILTERS)
def test_a_count_by_one_filter_reads_only_the_index(bundled, name):
    count, *_ = query_plans(bundled, {name: FILTERS[name]})
    assert f"USING COVERING INDEX {'sessions' if name in strategies.SESSION_FILTERS else 'conversions'}_by_{name}" in count[-1]


def query_plans(bundled, filters: dict):
    """Yield the query plan of each statement that a request with an offset runs."""
    with Database(bundled.path).reading() as connection:  # one that remembers nothing
        account = accounts.authenticate(connection, "YOUR_API_KEY")
        query = schemas.load_query(filters | {"offset": 1}, bundled.app.extensions["clock"]()) | account.scope
        strategies.page(connection, query)
        for statement in connection.ran:
            yield [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)]
