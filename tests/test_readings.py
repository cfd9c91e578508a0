"""Other readings of the published text: the mock serves each of them, and a client's tests can be run against all."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pytest
from conversions_api import api
from conversions_api.explorer.pages import decision_groups
from conversions_api.mock.readings import AS_DECIDED, READINGS, answer
from hypothesis import given
from hypothesis import strategies as st

from tests import readings_oracle
from tests.conftest import NOW, REPOSITORY, Hub, a_conversion, a_session, flask
from tests.oracle import NOTHING, instant
from tests.test_strategies import OFFSET, QUERY, TRAFFIC, between, examples, pool, visit

OTHERS = [{name: value} for name, reading in READINGS.items() for value in reading.others]
TO_THE_LETTER = {"timestamp": "session", "window": "session", "pool": "started"}
SESSION = {"campaign": "pool"}


def text_of(readings: dict) -> str:
    return " ".join(f"{name}={value}" for name, value in readings.items())


def under(path: Path, readings: dict | str, now: str = NOW) -> Hub:
    """Return a mock that serves these readings of the data in that database."""
    return Hub(path, now, MOCK="1", READING=readings if isinstance(readings, str) else text_of(readings))


@pytest.fixture
def path(tmp_path) -> Path:
    """Return where the database of this test is."""
    return tmp_path / "conversions.sqlite"


def ask(hub: Hub, query: dict) -> tuple[int, dict]:
    response = hub.post(json.dumps(query))
    assert "Pagination-Warning" not in response.headers
    return response.status_code, response.json


def documented_loop(hub: Hub, query: dict) -> list[dict]:
    """Page as the published text says to, and return all records."""
    records, offset = [], 0
    while offset is not None:
        status, page = ask(hub, query | {"offset": offset})
        assert status in (200, 201), page
        records += page.get("records", [])
        pagination = page.get("pagination", {})
        offset = pagination["records_processed"] if pagination.get("has_more") else None
    return records


# The setting


@pytest.mark.parametrize(
    "text", ["page=cut missing=omitted", "missing=omitted,page=cut", " page=cut  order=newest missing=omitted\n"]
)
def test_readings_are_pairs_of_names_and_values(path, text):
    hub = under(path, text)
    assert hub.app.config["READING"] == {"page": "cut", "missing": "omitted"}


def test_readings_can_be_a_json_file_of_pairs(path, tmp_path):
    file = tmp_path / "the vendor.json"
    file.write_text('{"page": "cut", "order": "newest", "missing": "omitted"}')
    assert under(path, str(file)).app.config["READING"] == {"page": "cut", "missing": "omitted"}


def test_to_the_letter_is_short_for_three_readings_and_can_be_combined(path):
    hub = under(path, "to-the-letter page=cut")
    assert hub.app.config["READING"] == TO_THE_LETTER | {"page": "cut"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pages=cut", "There is no reading 'pages'. Did you mean page?"),
        ("zzz=cut", f"There is no reading 'zzz'. The readings are {', '.join(READINGS)}."),
        ("page=50", "The reading page has no value '50'. Its values are whole, cut."),
        ("page", "'page' is not a reading. Write NAME=VALUE, such as page=cut, or to-the-letter, or FILE.json."),
        ("page=cut page=whole", "The reading page is given twice, as cut and as whole."),
        ("to-the-letter pool=converting", "The reading pool is given twice, as started and as converting."),
        (
            "to-the-letters",
            "'to-the-letters' is not a reading. Write NAME=VALUE, such as page=cut, or to-the-letter, or FILE.json.",
        ),
        ("missing.json", "The file missing.json can't be read: No such file or directory."),
    ],
)
def test_a_wrong_reading_stops_the_start_with_a_sentence(path, text, sentence):
    with pytest.raises(click.ClickException) as error:
        under(path, text)
    assert error.value.message == f"The setting CONVERSIONS_READING is wrong: {text}. {sentence}"


@pytest.mark.parametrize("text", ["[", '["page=cut"]', '{"page": 1}', '{"page": "50"}'])
def test_a_wrong_file_of_readings_stops_the_start_with_a_sentence(path, tmp_path, text):
    file = tmp_path / "vendor.json"
    file.write_text(text)
    with pytest.raises(click.ClickException, match=r"(The file .* (is not JSON|must have a JSON object))|no value '(1|50)'"):
        under(path, str(file))


def test_readings_need_mock_mode(path):
    with pytest.raises(click.ClickException, match="CONVERSIONS_READING needs a mock"):
        Hub(path, READING="page=cut")


@pytest.mark.parametrize("command", ["seed", "accounts", "exec"])
def test_commands_that_serve_nothing_or_have_a_mock_of_their_own_accept_the_setting(path, command):
    arguments = [*{"exec": ("exec", "--", sys.executable, "-c", SHOW_A_TIMESTAMP)}.get(command, (command,))]
    done = subprocess.run(**flask(*arguments, DATABASE=path, READING="timestamp-form=iso"), capture_output=True)
    assert done.returncode == (command == "accounts"), done.stderr  # no database
    assert command != "exec" or done.stdout.endswith("Z\n")


def test_flask_run_without_the_mock_refuses_the_setting(path):
    done = subprocess.run(**flask("run", "--port", "0", DATABASE=path, MOCK="0", READING="page=cut"), capture_output=True)
    assert done.returncode == 1
    assert "CONVERSIONS_READING needs a mock" in done.stderr


# Every reading, on data that tells it from the decision

EARLY = visit(0, 100, end=200)  # starts at 0, converts at 100
LATE = visit(50, 60, end=90)
BOTH = pytest.mark.parametrize("strategy", [{}, SESSION], ids=["direct", "session"])


def emails(path: Path, readings: str, query: dict) -> list[str]:
    """Return the part before the @ of all records' emails."""
    return [record["email"].split("@")[0] for record in documented_loop(under(path, readings), query)]


@BOTH
@pytest.mark.parametrize(
    ("readings", "at_start", "at_conversion"),
    [
        ("", [], ["10:01:40"]),
        ("timestamp=session", [], ["10:00:00"]),
        ("window=session", ["10:01:40"], []),
        ("timestamp=session window=session", ["10:00:00"], []),
        ("to-the-letter", ["10:00:00"], []),
    ],
)
def test_a_timestamp_shows_the_session_or_the_window_selects_by_it_or_both(path, strategy, readings, at_start, at_conversion):
    Hub(path).load([EARLY])
    hub = under(path, readings)
    for window, expected in [(between(0, 50), at_start), (between(90, 200), at_conversion)]:
        assert [record["timestamp"][-8:] for record in documented_loop(hub, strategy | window)] == expected


@BOTH
def test_records_are_sorted_by_the_timestamp_that_is_shown(path, strategy):
    Hub(path).load([EARLY, LATE])
    assert emails(path, "", strategy) == ["at-100", "at-60"]
    assert emails(path, "timestamp=session", strategy) == ["at-60", "at-100"]


def test_a_session_query_can_return_every_conversion_of_its_sessions(path):
    Hub(path).load([EARLY, LATE])
    assert emails(path, "window=associated", SESSION | between(0, 55)) == ["at-100", "at-60"]
    assert emails(path, "window=associated", between(0, 60)) == ["at-60"]


@pytest.mark.parametrize(
    ("reading", "total"), [("", 4), ("pool=started", 3), ("pool=converting", 2), ("pool=converting window=associated", 3)]
)
def test_the_pool_can_have_fewer_sessions(path, reading, total):
    # From 55 to 150, four sessions run, three start, two convert, and three of those that run convert at some time.
    Hub(path).load([EARLY, visit(55, end=150), visit(56, 300), visit(57, 60), visit(160, 170)])
    pagination = under(path, reading).ask(SESSION | between(55, 150))["pagination"]
    assert pagination == {"records_processed": total, "total_records": total, "has_more": False}


def pages(path: Path, readings: str, query: dict) -> list[tuple]:
    """Return the number of records and the records_processed of each page."""
    return [(len(page["records"]), page["pagination"]["records_processed"]) for page in under(path, readings).walk(query)]


def test_a_page_can_be_cut_before_the_session_that_would_make_it_more_than_50(path):
    Hub(path).load(pool(20, 30, 0, 1, 0, 60, 2, 48))
    assert pages(path, "", SESSION) == [(161, 8)]
    assert pages(path, "page=cut", SESSION) == [(50, 3), (1, 5), (60, 6), (50, 8)]


def test_a_page_can_go_on_until_one_batch_has_50_conversions(path):
    Hub(path).load(pool(*[40] + [0] * 199, *[40] + [0] * 199, *[60] + [0] * 199, *[1] * 200))
    assert pages(path, "", SESSION) == [(80, 400), (60, 600), (200, 800)]
    assert pages(path, "batch=each", SESSION) == [(140, 600), (200, 800)]
    assert pages(path, "batch=each page=cut", SESSION | {"offset": 0})[:2] == [(40, 200), (40, 400)]


@BOTH
def test_everything_can_be_oldest_first(path, strategy):
    Hub(path).load([visit(second, second) for second in range(60)])
    assert emails(path, "order=oldest", strategy) == [f"at-{second}" for second in range(60)]


def test_the_records_of_a_session_page_can_be_in_the_order_of_their_sessions(path):
    Hub(path).load([visit(0, 100, 2), visit(50, 60, 55)])
    assert emails(path, "order=session", SESSION) == ["at-60", "at-55", "at-100", "at-2"]
    assert emails(path, "order=session", {}) == ["at-100", "at-60", "at-55", "at-2"]


@BOTH
def test_a_page_without_records_can_be_the_message(path, strategy):
    Hub(path).load([EARLY])
    assert under(path, "").ask(strategy | {"offset": 1})["records"] == []
    assert under(path, "empty-page=message").ask(strategy | {"offset": 1}) == NOTHING


@pytest.mark.parametrize(
    ("reading", "email", "previous_page"),
    [("", None, None), ("missing=empty", "", ""), ("missing=omitted", "not there", "not there")],
)
def test_what_is_not_known_can_be_null_empty_or_left_out(path, reading, email, previous_page):
    Hub(path).load([a_session(conversions=[a_conversion(email=None, previous_page=None)])])
    (record,) = under(path, reading).ask({})["records"]
    assert (record.get("email", "not there"), record.get("previous_page", "not there")) == (email, previous_page)
    assert len(record) == (3 if reading == "missing=omitted" else 5)


@pytest.mark.parametrize(
    ("reading", "shown"),
    [
        ("", "2025-08-01 10:01:40"),
        ("timestamp-form=iso", "2025-08-01T10:01:40Z"),
        ("timestamp-form=iso-milliseconds", "2025-08-01T10:01:40.000Z"),
    ],
)
def test_a_timestamp_can_have_another_form(path, reading, shown):
    Hub(path).load([EARLY])
    assert under(path, reading).ask({})["records"][0]["timestamp"] == shown


def test_a_timestamp_of_the_first_century_has_four_digits_of_a_year(path):
    Hub(path).load([a_session(started_at="0033-04-03T15:00:00Z", conversions=[a_conversion(timestamp="0033-04-03 15:00:00")])])
    query = {"start_date": "0001-01-01"}
    assert under(path, "timestamp-form=iso").ask(query)["records"][0]["timestamp"] == "0033-04-03T15:00:00Z"
    assert under(path, "extra-fields=some").ask(query)["records"][0]["timestamp"] == "0033-04-03 15:00:00"


def test_records_can_have_more_fields(path):
    Hub(path).load([dict(EARLY, session_id="s-1", utm_source="google.com", utm_medium="cpc")])
    (record,) = under(path, "extra-fields=some").ask({})["records"]
    assert dict(list(record.items())[5:]) == {"session_id": "s-1", "source": "google.com", "medium": "cpc"}


def test_has_more_can_be_false_although_sessions_without_conversions_remain(path):
    Hub(path).load(pool(*[50] + [0] * 199, *[0] * 50))
    assert pages(path, "", SESSION) == [(50, 200), (0, 250)]
    assert pages(path, "has-more=conversions", SESSION) == [(50, 200)]


def test_records_processed_of_the_last_page_can_be_beyond_the_total(path):
    Hub(path).load(pool(*[1] * 60))
    assert pages(path, "", {}) == [(50, 50), (10, 60)]
    assert pages(path, "last-offset=plus-50", {}) == [(50, 50), (10, 100)]
    assert pages(path, "last-offset=plus-50", SESSION) == [(60, 60)]


# Now is 2025-08-15 12:00:00.
@pytest.mark.parametrize(
    ("reading", "query", "first", "last"),
    [
        ("default-window=now", {}, "2025-07-16 12:00:00", "2025-08-15 12:00:00"),
        ("default-window=now", {"end_date": "2025-08-05"}, "2025-07-06 23:59:59", "2025-08-05 23:59:59"),
        ("default-window=days", {}, "2025-07-17 00:00:00", "2025-08-15 23:59:59"),
        ("default-window=days", {"end_date": "2025-08-05T10:00:00Z"}, "2025-07-07 00:00:00", "2025-08-05 10:00:00"),
        ("default-window=days", {"start_date": "2025-08-01"}, "2025-08-01 00:00:00", "2025-08-15 23:59:59"),
        ("default-window=before-now", {}, "2025-07-16 12:00:00", "2025-08-15 12:00:00"),
        ("default-window=before-now", {"end_date": "2025-08-05"}, "2025-07-16 12:00:00", "2025-08-05 23:59:59"),
    ],
)
def test_the_default_window_can_be_another(path, reading, query, first, last):
    second = timedelta(seconds=1)
    first, last = datetime.fromisoformat(first), datetime.fromisoformat(last)
    moments = [str(moment) for moment in (first - second, first, last, last + second)]
    Hub(path).load([a_session(started_at=moment, conversions=[a_conversion(timestamp=moment)]) for moment in moments])
    assert [record["timestamp"] for record in under(path, reading).ask(query)["records"]] == [str(last), str(first)]


@pytest.mark.parametrize("field", ["source", "medium", "campaign", "content", "term", "landing_page", "meta_id", "meta_type"])
def test_an_empty_filter_can_be_as_if_it_had_not_been_sent(path, field):
    Hub(path).load(pool(*[1] * 60))
    assert under(path, "").ask({field: ""}) == NOTHING
    hub = under(path, "empty-filter=absent")
    assert hub.ask({field: ""}) == hub.ask({})
    assert ask(hub, {"start_date": ""})[0] == 400


# Errors and statuses


def test_a_window_that_starts_after_its_end_can_be_refused(path):
    Hub(path).load([EARLY])
    status, body = ask(under(path, "reversed-window=refused"), between(50, 49))
    assert (status, list(body["fields"])) == (400, ["start_date"])
    assert ask(under(path, "reversed-window=refused"), between(50, 50))[0] == 200
    assert ask(under(path, ""), between(50, 49)) == (200, NOTHING)


@pytest.mark.parametrize("body", ['{"start_date": "2025-07-15",}', '{"source": "a",\n }'])
def test_a_comma_after_the_last_member_can_be_refused(path, body):
    Hub(path).load([EARLY])
    assert under(path, "").post(body).status_code == 200
    response = under(path, "trailing-comma=refused").post(body)
    assert response.status_code == 400
    assert "a comma after the last member, at line" in response.json["error"]
    for accepted in ("", "  ", "{}", '{"source": ",}"}', '{"offset": 50.0}'):
        assert under(path, "trailing-comma=refused").post(accepted).status_code == 200


@pytest.mark.decision(79)
def test_a_page_and_the_message_have_the_status_200_unless_a_reading_says_otherwise(path):
    Hub(path).load([EARLY])
    for readings, status in [("", 200), ("status=201", 201)]:
        assert [ask(under(path, readings), query)[0] for query in ({}, {"meta_id": "no such form"})] == [status, status]


@pytest.mark.parametrize(("readings", "of_query", "of_key"), [("", 400, 401), ("error-status=422-403", 422, 403)])
@pytest.mark.parametrize(("shape", "field"), [("", "error"), ("error-field=message", "message")])
def test_errors_can_have_another_status_and_another_field(path, readings, of_query, of_key, shape, field):
    Hub(path).load([EARLY])
    hub = under(path, f"{readings} {shape}")
    refused, unknown, missing = hub.post('{"offset": -1}'), hub.post("{}", "unknown"), hub.post("{}", None)
    assert [response.status_code for response in (refused, unknown, missing)] == [of_query, of_key, of_key]
    assert list(refused.json) == [field, "fields"]
    assert list(unknown.json) == [field]
    assert hub.post("{}", content_type="text/plain").status_code == 415
    assert list(hub.client.get("/nowhere").json) == ["error"]  # only the endpoint is the vendor's


# Lists


def test_the_command_lists_every_reading_with_its_words_decision_and_values(hub):
    listed = hub.run("readings").stdout
    for name, reading in READINGS.items():
        assert f"{name}: {reading.text}, decision {reading.decision}\n  {AS_DECIDED[name]} " in listed
        assert all(f"  {value} " in listed and means in listed for value, means in reading.values.items())


def test_the_decisions_and_the_page_of_readings_have_what_the_table_in_code_has():
    page = (REPOSITORY / "app" / "mock" / "readings.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.endswith("(../decisions.md) |")]
    assert rows == [
        f"| `{name}` | {'<br>'.join(f'`{value}`: {means}' for value, means in reading.values.items())} "
        f"| {reading.text} | [{reading.decision}](../decisions.md) |"
        for name, reading in READINGS.items()
    ]
    for row in [row for _, rows in decision_groups() for row in rows]:
        others = [
            f"`{name}={value}`: {means}"
            for name, reading in READINGS.items()
            if str(reading.decision) == row[0]
            for value, means in reading.others.items()
        ]
        assert row[3] in ("; ".join(others), "–" if not others else None)


KIT = REPOSITORY / "tests" / "contract"


def test_the_conformance_kit_has_the_same_names_values_and_published_words():
    kit = json.loads((KIT / "readings.json").read_text(encoding="utf-8"))
    assert {name: reading["values"] for name, reading in kit.items()} == {
        name: list(reading.values) for name, reading in READINGS.items()
    }
    sentences = json.loads((KIT / "sentences.json").read_text(encoding="utf-8")).values()
    for reading in READINGS.values():
        for quoted in re.findall("“([^“”]+)”", reading.text):
            assert any(quoted in sentence for sentence in sentences), quoted


def test_decisions_json_has_every_decision_with_its_other_readings(bundled):
    found = {decision["number"]: decision for decision in bundled.client.get("/decisions.json").json["decisions"]}
    assert sorted(found) == sorted(int(row[0]) for _, rows in decision_groups() for row in rows)
    assert found[16]["other_readings"] == [
        {"reading": f"{name}={value}", "means": READINGS[name].values[value]}
        for name, value in [("page", "cut"), ("batch", "each")]
    ]
    assert found[16]["test"] == "test_strategies.test_a_walk_returns_the_expected_pages"
    assert "batches of 200" in found[16]["published"]
    assert (found[25]["published"], found[25]["other_readings"]) == (None, [])


def test_the_explorer_says_which_readings_are_on(path):
    Hub(path).load([EARLY])
    assert "Other readings" not in under(path, "").client.get("/").text
    page = under(path, "page=cut missing=omitted").client.get("/").text
    assert "<code>page=cut</code> <code>missing=omitted</code>" in page
    assert "Could also mean: <code>page=cut</code>" in under(path, "").client.get("/decisions").text


# exec --readings

SHOW_A_TIMESTAMP = """
import json, os, urllib.request
headers = {"Authentication": os.environ["CONVERSIONS_KEY"], "Content-Type": "application/json"}
request = urllib.request.Request(os.environ["CONVERSIONS_URL"], b"{}", headers)
print(json.load(urllib.request.urlopen(request))["records"][0]["timestamp"])
"""

# A client's tests as people write them: without a word about readings.
A_SUITE = """
import json, os, urllib.request
from datetime import datetime

def ask(offset, **query):
    body = json.dumps({"start_date": "2025-07-15", "end_date": "2025-07-25", "offset": offset} | query).encode()
    headers = {"Authentication": os.environ["CONVERSIONS_KEY"], "Content-Type": "application/json"}
    return json.load(urllib.request.urlopen(urllib.request.Request(os.environ["CONVERSIONS_URL"], body, headers)))

def test_until_empty():
    offset = 0
    while (page := ask(offset))["records"]:
        offset = page["pagination"]["records_processed"]

def test_typed():
    for record in ask(0)["records"]:
        datetime.strptime(record["timestamp"], "%Y-%m-%d %H:%M:%S"), record["email"]
"""


def run_suite(tmp_path: Path, *options: str, suite: str = A_SUITE) -> subprocess.CompletedProcess:
    (tmp_path / "test_client.py").write_text(suite)
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(tmp_path))
    return exec_in(tmp_path, *options, "--", *command)


def exec_in(tmp_path: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
    """Run flask exec, which keeps the logs of runs that failed in that folder."""
    command = flask("exec", *arguments, **settings)
    command["env"] |= {"TMPDIR": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(**command, capture_output=True)


@pytest.mark.decision(76)
def test_exec_with_readings_runs_a_command_under_each_reading_and_says_what_failed(tmp_path):
    done = run_suite(tmp_path, "--readings=timestamp-form=iso,page,missing=omitted,empty-page,to-the-letter")
    table, *failures = done.stdout.split("\n\n")
    assert table.splitlines() == [
        "✓ as decided here",
        "✗ timestamp-form=iso  ValueError: time data '2025-07-25T21:11:02Z' does not match format '%Y-%m-%d %H:%M:%S'",
        "✓ page=cut",
        "✗ missing=omitted     KeyError: 'email'",
        "✗ empty-page=message  KeyError: 'records'",
        "✓ to-the-letter",
    ]
    assert done.returncode == 1
    assert failures[-1] == "Failed: 3 of 5 readings.\n"
    logs = re.findall(r"^(\S+), from (\S+):$", done.stdout, re.MULTILINE)
    assert [name for name, _ in logs] == ["timestamp-form=iso", "missing=omitted", "empty-page=message"]
    for _, log in logs:
        assert "1 failed, 1 passed" in Path(log).read_text()
    assert "FAILED" in failures[0]


def test_exec_with_readings_exits_with_0_and_leaves_no_log_if_nothing_failed(tmp_path):
    done = exec_in(tmp_path, "--readings=page,status", "--", sys.executable, "-c", SHOW_A_TIMESTAMP)
    assert (done.returncode, done.stdout) == (0, "✓ as decided here\n✓ page=cut\n✓ status=201\n")


def test_exec_with_readings_fails_if_the_command_sends_no_request(tmp_path):
    done = exec_in(tmp_path, "--readings=page", "--", "true")
    sentence = "No request of COMMAND reached the server: does it take the URL from CONVERSIONS_URL?"
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, f"✗ as decided here  {sentence}")


def test_exec_with_readings_runs_nothing_else_if_the_command_fails_as_decided_here(tmp_path):
    done = exec_in(tmp_path, "--readings", "--", sys.executable, "-c", "{}['no such key']")
    assert done.returncode == 1
    assert done.stdout.startswith("✗ as decided here")
    assert "KeyError: 'no such key'" in done.stdout.splitlines()[0]
    assert "✓" not in done.stdout
    assert done.stdout.endswith("COMMAND already fails as decided here, so it was not run under the other readings.\n")


def test_exec_with_readings_judges_how_a_client_pages_too(tmp_path):
    suite = A_SUITE.replace("offset = page", "offset += 50; page").replace("ask(offset))", 'ask(offset, source="google.com"))')
    done = run_suite(tmp_path, "--check-paging", "--readings=status", suite=suite)
    assert done.stdout.startswith("✗ as decided here"), done.stdout


# Sends a refused request again, and stops after one page if it does not know the form of a timestamp.
STOPS_EARLY = """
import json, os, urllib.error, urllib.request

print(os.environ["CONVERSIONS_BASE_URL"])
headers = {"Authentication": os.environ["CONVERSIONS_KEY"], "Content-Type": "application/json"}
offset, refused = 0, 0
while offset is not None:
    body = json.dumps({"medium": "organic", "start_date": "2025-01-01", "offset": offset}).encode()
    try:
        page = json.load(urllib.request.urlopen(urllib.request.Request(os.environ["CONVERSIONS_URL"], body, headers)))
    except urllib.error.HTTPError as error:
        refused += error.code == 503
        continue
    has_more = page["pagination"]["has_more"] and "T" not in page["records"][0]["timestamp"]
    offset = page["pagination"]["records_processed"] if has_more else None
assert refused == 2, refused
"""


def test_exec_with_readings_judges_each_run_and_gives_each_the_same_faults_and_port(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    options = ("--complete", "--fault", "code=503 times=2", "--port", port)
    names = "--readings=status,timestamp-form=iso,has-more,last-offset,empty-page"
    done = exec_in(tmp_path, *options, names, "--", sys.executable, "-c", STOPS_EARLY, NOW=NOW)
    table, failure, _ = done.stdout.split("\n\n")
    assert re.fullmatch(
        r"""✓ as decided here
✓ status=201
✗ timestamp-form=iso    Unfinished: \d+ of \d+ sessions\.
✓ has-more=conversions
✓ last-offset=plus-50
✓ empty-page=message""",
        table,
    ), done.stdout
    assert f"    http://127.0.0.1:{port}\n" in failure
    assert done.returncode == 1


def test_a_wrong_fault_leaves_no_log_of_the_readings(tmp_path):
    done = exec_in(tmp_path, "--fault", "cod=503", "--readings", "--", "true")
    assert "cod" in done.stderr
    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("=pages", "'pages' is not a reading. Write NAME=VALUE"),
        ("=page=50", "The reading page has no value '50'."),
        (
            " true",
            "'true' is not a reading. Write NAME=VALUE, such as page=cut, or to-the-letter, or FILE.json. Before COMMAND, write",
        ),
    ],
)
def test_exec_with_readings_that_do_not_exist_says_so(hub, names, sentence):
    done = hub.run("exec", *f"--readings{names}".split(), "--", "true")
    assert done.exit_code == 2
    assert sentence in done.stderr


def test_ctrl_c_stops_the_readings_at_once(tmp_path):
    command = flask("exec", "--readings", "--", sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")
    command["env"] |= {"TMPDIR": str(tmp_path)}
    running = subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    log = tmp_path / "no log yet"
    while not (log.exists() and log.read_text()):
        log = next(tmp_path.glob("readings-*/as-decided-here.log"), log)
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=20)
    assert (running.returncode, output) == (130, "")


# Generated traffic, compared with the oracle

NOWS = ["2025-08-31T23:40:00Z", "2025-09-01T00:10:00Z", "2025-09-01T08:00:00Z"]  # 30 days before them, the traffic is under way


@st.composite
def queries(draw) -> dict:
    """Return a query, most often of a usual window; some windows are reversed, or lack an end."""
    query, offset = dict(draw(QUERY)), draw(OFFSET)
    change = draw(st.sampled_from(["", "", "", "", "reversed", "start_date", "end_date", "both"]))
    if change == "reversed":
        query["start_date"], query["end_date"] = query["end_date"], query["start_date"]
    for name in ("start_date", "end_date"):
        if change in (name, "both"):
            del query[name]
    return query | {"offset": offset}


def some_readings(most: int) -> st.SearchStrategy:
    pairs = st.sampled_from([pair for other in OTHERS for pair in other.items()])
    return st.lists(pairs, min_size=2, max_size=most, unique_by=lambda pair: pair[0]).map(dict)


@contextmanager
def loaded(traffic) -> Iterator[tuple[Path, list[dict]]]:
    """Yield a database with this traffic, and its sessions. Some conversions lack an email, and some a previous page."""
    with TemporaryDirectory() as folder:
        sessions = traffic.sessions_of("example.com")
        for number, conversion in enumerate(conversion for session in sessions for conversion in session["conversions"]):
            if number % 3 == 0:
                conversion |= {"email": None}
            if number % 3 != 1:  # what has no email has a page that no other has
                conversion |= {"previous_page": f"https://example.com/{number}"}
        path = Path(folder) / "conversions.sqlite"
        Hub(path).load(sessions)
        yield path, sessions


def assert_walk_is_expected(hub: Hub, sessions: list[dict], query: dict, readings: dict) -> None:
    """Check every page of the documented walk."""
    while True:
        status, body = ask(hub, query)
        expected_status, expected = readings_oracle.expected_response(sessions, query, instant(hub.now), readings)
        assert status == expected_status, (query, readings)
        if ... in expected.values():  # an error
            assert body.keys() >= expected.keys(), (query, readings)
            return
        assert body == expected, (query, readings)
        if not body.get("pagination", {}).get("has_more"):
            return
        query = query | {"offset": body["pagination"]["records_processed"]}


@pytest.mark.decision(75)
@examples(8)
@given(TRAFFIC, queries(), st.sampled_from(NOWS), st.lists(some_readings(2), min_size=8, max_size=8))
def test_every_page_of_a_walk_under_a_reading_or_a_pair_of_them_matches_the_oracle(traffic, query, now, pairs):
    with loaded(traffic) as (path, sessions):
        for readings in [*OTHERS, TO_THE_LETTER, *pairs]:
            assert_walk_is_expected(under(path, readings, now), sessions, query, readings)


@examples(12)
@given(TRAFFIC, st.lists(queries(), min_size=4, max_size=8))
def test_with_every_reading_as_decided_the_room_equals_the_definition(traffic, asked):
    with loaded(traffic) as (path, _):
        definition, room = under(path, ""), under(path, "")
        assert definition.app.extensions["answer"] is api.answer
        room.app.extensions["answer"] = partial(answer, AS_DECIDED)
        for query in asked:
            while True:
                response = definition.post(json.dumps(query))
                assert (response.data, response.status_code) == ((same := room.post(json.dumps(query))).data, same.status_code)
                if not response.json.get("pagination", {}).get("has_more"):
                    break
                query = query | {"offset": response.json["pagination"]["records_processed"]}


@pytest.mark.decision(77)
@examples(5)
@given(TRAFFIC, queries(), st.lists(some_readings(len(READINGS)), min_size=5, max_size=5))
def test_the_documented_loop_returns_each_conversion_once_under_every_reading_and_makes_no_fault(traffic, query, combined):
    del query["offset"]
    window = {"start_date": "2025-08-01", "end_date": "2025-08-03"}  # a refused one returns nothing
    with loaded(traffic) as (path, sessions):
        for readings in [*OTHERS, *combined]:
            hub = under(path, readings)
            asked = query if "reversed-window" not in readings else query | window
            _, expected = readings_oracle.returned(
                sessions, readings_oracle.query_as_read(asked, readings), instant(hub.now), readings
            )
            found = Counter(record.get("email") or record["previous_page"] for record in documented_loop(hub, asked))
            assert found == Counter(each.record["email"] or each.record["previous_page"] for each in expected)
            for walk in hub.client.get("/_mock/walks").json["walks"]:
                assert (walk["complete"], walk["faults"]) == (True, []) or not expected, (walk, readings)
