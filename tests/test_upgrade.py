"""A database of an earlier schema version is upgraded and keeps its rows, whole or not at all."""

import hashlib
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conversions_api.tables import SCHEMA, SCHEMA_VERSION

from .conftest import Hub, a_conversion, a_session

QUERY = {"start_date": "2025-07-01"}
HERE = Path(__file__).parent

# The databases that earlier versions left: a file and what is changed in it. Two programs called their tables version 2.
EARLIER = {
    "version 1": ("version-1.sql", ""),
    "version 2": ("version-2.sql", ""),
    "version 2 without is_temporary": ("version-2.sql", "ALTER TABLE accounts DROP COLUMN is_temporary"),
}


def rows(path: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


@pytest.fixture(params=EARLIER)
def hub(tmp_path, request) -> Hub:
    """Provide a server whose database an earlier version left."""
    file, change = EARLIER[request.param]
    path = tmp_path / "conversions.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript((HERE / file).read_text(encoding="utf-8"))
        database.executescript(change)
    return Hub(path)


def test_a_database_of_an_earlier_version_returns_a_503_until_a_command_upgrades_it(hub, caplog):
    (version,) = rows(hub.path, "PRAGMA user_version")[0]
    assert hub.post("{}").status_code == 503
    assert f"it has schema version {version}; conversions seed upgrades it" in caplog.text
    hub.load([a_session()], "another.example", "another-key")
    assert hub.post("{}").status_code == 200


@pytest.mark.parametrize("command", [["seed"], ["import", "-", "--domain", "another.example"]], ids=["seed", "import"])
def test_an_upgrade_keeps_sessions_conversions_keys_and_counted_calls(hub, command):
    line = '{"started_at": "2025-08-01T10:00:00Z", "landing_page": "https://another.example/"}'
    assert hub.run(*command, stdin=line).exit_code == 0
    first, second = hub.ask(QUERY)["records"]
    assert (first["email"], second["email"]) == (None, "a@mine.example")
    assert first["timestamp"] == second["timestamp"] == "2025-07-15 10:14:00"
    assert hub.ask(QUERY | {"source": "google.com", "medium": "cpc"})["pagination"]["total_records"] == 1
    assert hub.ask(QUERY | {"landing_page": "https://mine.example/pricing"})["records"] == [first, second]
    assert rows(hub.path, "SELECT used FROM usage") == [(4,)]  # one before, three here
    assert rows(hub.path, "SELECT longest_session FROM accounts WHERE domain = 'mine.example'") == [(1200,)]
    assert rows(hub.path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(hub.path, "PRAGMA foreign_key_check") == []


def test_an_upgraded_database_has_the_tables_indexes_and_triggers_of_a_new_one(hub, tmp_path):
    names = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY type, name"
    new = Hub(tmp_path / "new.sqlite")
    for each in (hub, new):
        each.load([a_session()], "another.example", "another-key")
    assert rows(hub.path, names) == rows(new.path, names)
    for pragma in ("application_id", "user_version", "journal_mode"):
        assert rows(hub.path, f"PRAGMA {pragma}") == rows(new.path, f"PRAGMA {pragma}")


def test_an_upgrade_is_rolled_back_if_the_import_that_started_it_fails(hub):
    before = rows(hub.path, "SELECT * FROM sqlite_schema")
    faulty = '{"started_at": "never", "landing_page": "https://another.example/"}'
    assert hub.run("import", "-", "--domain", "another.example", stdin=faulty).exit_code == 1
    assert rows(hub.path, "SELECT * FROM sqlite_schema") == before
    assert rows(hub.path, "SELECT count(*) FROM conversions") == [(2,)]


def test_a_session_imported_with_an_upgrade_can_last_longer_than_a_day(hub):
    late = a_conversion(timestamp="2025-08-04 10:00:00")
    hub.load([a_session(conversions=[late])], "mine.example")
    assert hub.ask({"start_date": "2025-08-04", "source": "(direct)"})["records"] == [late]


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        pytest.param("CREATE TABLE notes (text TEXT)", "it is a database of another program", id="another program's"),
        pytest.param(
            "CREATE TABLE accounts (id); PRAGMA user_version = 1",
            "it is a database of another program",
            id="with one of our tables",
        ),
        pytest.param(
            "CREATE TABLE accounts (id); PRAGMA application_id = 1095267682; PRAGMA user_version = 2",
            f"it has schema version 2, and this program needs {SCHEMA_VERSION}",
            id="of a version, but without its tables",
        ),
        pytest.param(
            f"{SCHEMA.read_text(encoding='utf-8')}; PRAGMA user_version = {SCHEMA_VERSION + 1}",
            f"it has schema version {SCHEMA_VERSION + 1}, and this program needs {SCHEMA_VERSION}",
            id="of a later version",
        ),
    ],
)
def test_a_file_that_is_not_recognised_gets_a_sentence_and_stays_untouched(tmp_path, script, sentence):
    path = tmp_path / "conversions.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)
    before = path.read_bytes()
    outcome = Hub(path).run("seed")
    assert (outcome.exit_code, sentence in outcome.stderr) == (1, True), outcome.stderr
    assert path.read_bytes() == before


# What the tables of each version are: the schema without its comments. If you change the tables, give them a
# new version and put its digest here. The digests of earlier versions are not needed.
DIGESTS = {3: "b76919ceec4d0fbd"}


def test_the_tables_change_only_together_with_their_version():
    statements = re.sub(r"--.*", "", SCHEMA.read_text(encoding="utf-8"))
    digest = hashlib.sha256(" ".join(statements.split()).encode()).hexdigest()[:16]
    assert {SCHEMA_VERSION: digest} == DIGESTS
