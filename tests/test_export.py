"""The commands `flask export` and `flask accounts`, and `flask import --watch`."""

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest
from conversions_api.loading.columns import FILTERS
from conversions_api.strategies import SESSION_FILTERS
from hypothesis import given

from tests.conftest import NOW, Hub, a_conversion, a_session, flask
from tests.test_import import a_named_session, lines, session_ids, tables
from tests.test_strategies import QUERIES, TRAFFIC, examples, served

ALL_TIME = {"start_date": "0001-01-01", "end_date": "9999-12-31"}


def exported(hub: Hub, domain: str = "example.com") -> str:
    outcome = hub.run("export", "--domain", domain)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_each_session_filter_finds_a_session_with_its_value_in_an_import_and_in_its_export(hub):
    values = {name: f"https://example.com/{name}" for name in SESSION_FILTERS}
    hub.load([a_session(**{FILTERS.get(name, name): value for name, value in values.items()}, conversions=[a_conversion()])])
    for server in (hub, elsewhere(hub)):
        for name, value in values.items():
            assert len(server.ask({name: value})["records"]) == 1


def elsewhere(hub: Hub, domain: str = "example.com") -> Hub:
    """Return a server on another database, into which the export of an account was imported."""
    other = Hub(hub.path.with_name("elsewhere.sqlite"), hub.now)
    outcome = other.run("import", "-", "--domain", domain, "--key", "key", stdin=exported(hub, domain))
    assert outcome.exit_code == 0, outcome.output
    return other


# flask export


@pytest.mark.decision(48)
@examples(12)
@given(TRAFFIC, QUERIES)
def test_an_export_that_is_imported_elsewhere_gives_the_same_responses(traffic, queries):
    with served(traffic) as (hub, sessions):
        other = elsewhere(hub) if sessions else hub
        for query in queries:
            assert list(other.walk(query)) == list(hub.walk(query))


def test_an_export_whose_reader_stops_early_prints_no_error(hub):
    hub.load([a_session() for _ in range(5000)])  # more than a pipe holds
    with subprocess.Popen(**flask("export", "--domain", "example.com", DATABASE=hub.path), stdout=-1, stderr=-1) as export:
        assert export.stdout.readline()
        export.stdout.close()
        assert export.stderr.read() == ""


SOURCES = [
    {"referrer": "https://news.bbc.co.uk/"},
    {"referrer": "https://mail.google.com/"},
    {"referrer": "android-app://com.slack/"},
    {"referrer": "https://www.google.com/", "landing_page": "https://example.com/a?b=c&gclid=1#top"},
    {"landing_page": "https://example.com/?utm_source=query&utm_medium=m&utm_campaign=c&utm_content=n&utm_term=t"},
    {"utm_source": "field", "referrer": "https://www.google.com/"},
    {"ended_at": "2025-08-09T10:00:00Z"},
]


def test_an_export_keeps_the_source_of_each_session(hub):
    hub.load([a_session(**fields, conversions=[a_conversion(email=f"{n}@example.org")]) for n, fields in enumerate(SOURCES)])
    other = elsewhere(hub)
    columns = "session_id, started_at, ended_at, utm_source, utm_medium, derived_source, derived_medium, source, medium, campaign"
    rows = f"SELECT {columns}, content, term, landing_page FROM sessions ORDER BY id"
    found = []
    for path in (hub.path, other.path):
        with closing(sqlite3.connect(path)) as database:
            found.append(database.execute(rows).fetchall())
    assert found[0] == found[1]
    assert len(found[0]) == len(SOURCES)
    assert exported(other) == exported(hub)


def test_an_export_of_bundled_data_gives_the_same_responses(bundled, tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", bundled.now)
    assert (
        hub.run("import", "-", "--domain", "shop.example", "--key", "key", stdin=exported(bundled, "boundaries.example")).exit_code
        == 0
    )
    for query in ({}, {"campaign": "tied-timestamps"}, {"campaign": "201-sessions"}, {"source": "google.com"}):
        assert list(hub.walk(query)) == list(bundled.walk(query, "boundaries"))


@pytest.mark.parametrize("command", [("export", "--domain", "nobody.example"), ("accounts", "delete", "nobody.example")])
def test_an_unknown_domain_is_an_error_that_names_it(hub, command):
    hub.load([a_named_session("a")])
    outcome = hub.run(*command)
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    advice = "conversions accounts lists them, conversions import creates one."
    assert outcome.stderr == f"Error: There is no account of nobody.example: {advice}\n"


# flask accounts


@pytest.mark.decision(49)
def test_accounts_are_listed_with_their_figures(hub):
    long = a_session(ended_at="2025-08-03T10:00:00Z", conversions=[a_conversion(), a_conversion()])
    hub.load([long, a_session(session_id="b")], "shop.example", "one", "--monthly-limit", "5000")
    hub.load([a_session()], "shop.example", "two")
    hub.load([a_session(session_id="a")], "example.com")
    assert [re.split(r"  +", line.strip()) for line in hub.run("accounts").stdout.splitlines()] == [
        ["domain", "sessions", "conversions", "first day", "last day", "monthly limit", "keys"],
        ["example.com", "1", "0", "2025-08-01", "2025-08-01", "-", "1"],
        ["shop.example", "3", "2", "2025-08-01", "2025-08-03", "5,000", "2"],
    ]


def test_deleting_an_account_deletes_all_its_data_and_nothing_else(hub):
    hub.load([a_named_session("a")], "example.com", "key")
    before = tables(hub.path)
    hub.load([a_named_session("a")], "shop.example", "theirs", "--monthly-limit", "5")
    hub.post("{}", "theirs")
    outcome = hub.run("accounts", "delete", "shop.example")
    assert outcome.stdout == "The account of shop.example is deleted, with everything that belonged to it.\n"
    assert hub.post("{}", "theirs").status_code == 401

    def rows(dump: list[str]) -> list[str]:
        return [
            line for line in dump if line.startswith("INSERT") and not re.match(r'INSERT INTO "(data_version|sqlite_|keys)', line)
        ]

    assert rows(tables(hub.path)) == rows(before)
    hub.load([a_named_session("b")], "new.example", "new")
    assert [record["conversion_meta"]["id"] for record in hub.everything({}, "new")] == ["b"]


# flask import --watch


class Watched:
    """A process that runs `flask import --watch`. Its output is read line by line, with a timeout."""

    def __init__(self, hub: Hub, file: Path, *options: str):
        command = flask(
            "import", str(file), "--domain", "example.com", "--key", "key", "--watch", *options, DATABASE=hub.path, NOW=NOW
        )
        command["env"]["PYTHONUNBUFFERED"] = "1"
        self.process = subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines: Queue[str] = Queue()
        self.reading = Thread(target=lambda: [self.lines.put(line) for line in self.process.stdout])
        self.reading.start()

    def read_until(self, text: str) -> str:
        output = ""
        while text not in output:
            output += self.lines.get(timeout=60)
        return output

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.reading.join()
        self.process.stdout.close()


def test_watch_imports_a_file_again_whenever_it_changes_and_keeps_the_last_good_data(hub, tmp_path):
    file, saved = tmp_path / "sessions.jsonl", tmp_path / "sessions.jsonl~"
    file.write_text(lines(a_named_session("a")))
    with Watched(hub, file) as watched:
        watched.read_until("Watching")
        assert session_ids(hub) == {"a"}
        file.write_text(lines(a_named_session("b"), a_named_session("c")))
        assert "Sessions: 2, conversions: 2." in watched.read_until("Watching")
        assert session_ids(hub) == {"b", "c"}
        file.write_text(lines(a_named_session("d"), {"started_at": "now"}))
        output = watched.read_until("Watching")
        assert "line 2, landing_page: Is missing." in output
        assert "The data that was imported before stays." in output
        assert session_ids(hub) == {"b", "c"}
        # Some editors save by writing another file and renaming it.
        file.rename(saved)
        (tmp_path / "new").write_text(lines(a_named_session("e")))
        (tmp_path / "new").rename(file)
        watched.read_until("Sessions: 1, conversions: 1.")
        watched.read_until("Watching")
        assert session_ids(hub) == {"e"}


def test_standard_input_cannot_be_watched(hub):
    outcome = hub.run("import", "-", "--domain", "example.com", "--watch", stdin=lines(a_session()))
    assert outcome.exit_code == 2
    assert "Standard input cannot be watched; name a file." in outcome.stderr
