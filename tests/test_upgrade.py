"""A database of an earlier schema version is upgraded and keeps its rows."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .conftest import Hub, a_conversion, a_session

QUERY = {"start_date": "2025-07-01"}


@pytest.fixture
def hub(tmp_path) -> Hub:
    path = tmp_path / "conversions.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript((Path(__file__).parent / "version-1.sql").read_text(encoding="utf-8"))
    return Hub(path)


def test_a_database_of_version_1_is_a_503_until_a_command_upgrades_it(hub, caplog):
    assert hub.post("{}").status_code == 503
    assert "it has schema version 1; conversions seed upgrades it" in caplog.text
    assert hub.run("seed").exit_code == 0
    assert hub.post("{}").status_code == 200


@pytest.mark.parametrize("command", [["seed"], ["import", "-", "--domain", "another.example"]], ids=["seed", "import"])
def test_an_upgrade_keeps_sessions_conversions_keys_and_counted_calls(hub, command):
    assert (
        hub.run(*command, stdin='{"started_at": "2025-08-01T10:00:00Z", "landing_page": "https://another.example/"}').exit_code == 0
    )
    first, second = hub.ask(QUERY)["records"]
    assert (first["email"], second["email"]) == (None, "a@mine.example")
    assert first["timestamp"] == second["timestamp"] == "2025-07-15 10:14:00"
    assert hub.ask(QUERY | {"source": "google.com", "medium": "cpc"})["pagination"]["total_records"] == 1
    assert hub.ask(QUERY | {"landing_page": "https://mine.example/pricing"})["records"] == [first, second]
    with closing(sqlite3.connect(hub.path)) as database:
        assert database.execute("SELECT used FROM usage").fetchall() == [(4,)]  # one before, three here
        assert database.execute("SELECT longest_session FROM accounts WHERE domain = 'mine.example'").fetchall() == [(1200,)]
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        indexes = database.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetchone()
    assert indexes == (11,)


def test_an_upgrade_is_rolled_back_if_the_import_that_started_it_fails(hub):
    faulty = '{"started_at": "never", "landing_page": "https://another.example/"}'
    assert hub.run("import", "-", "--domain", "another.example", stdin=faulty).exit_code == 1
    with closing(sqlite3.connect(hub.path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM conversions").fetchone() == (2,)


def test_a_session_imported_after_an_upgrade_can_last_longer_than_a_day(hub):
    hub.run("seed")
    late = a_conversion(timestamp="2025-08-04 10:00:00")
    hub.load([a_session(conversions=[late])], "mine.example")
    assert hub.ask({"start_date": "2025-08-04", "source": "(direct)"})["records"] == [late]
