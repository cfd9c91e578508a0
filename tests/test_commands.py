"""The commands and the settings, decisions 30 to 32: what they print, what they change, and how they fail."""

import json
import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from conversions_api import create_app
from flask import g, request_finished

from tests.conftest import NOW, Hub, a_conversion, a_session
from tests.test_import import flask, lines, tables

KEYS = ["YOUR_API_KEY", "published-sample", "dense", "sparse", "empty", "boundaries", "over-limit"]


NUMBER = count()


def import_into(hub: Hub, domain: str, *options: str, sessions: tuple = ()):
    """Import these sessions, or one with a new session_id."""
    sessions = sessions or (a_session(session_id=str(next(NUMBER)), conversions=[a_conversion()]),)
    return hub.run("import", "-", "--domain", domain, *options, stdin=lines(*sessions))


def made_key(outcome) -> str:
    return re.search("shown only this once: (\\S+)", outcome.stdout)[1]


def assert_fails(outcome, *words: str) -> None:
    """Check that the command failed with one sentence that contains these words."""
    assert outcome.exit_code == 1, outcome.output
    assert outcome.stdout == ""
    assert re.fullmatch(r"Error: .+\n", outcome.stderr), outcome.stderr
    for word in words:
        assert word in outcome.stderr


# flask seed


def test_seed_creates_the_database_and_prints_its_path_and_the_seed_date(hub):
    outcome = hub.run("seed")
    assert outcome.exit_code == 0
    assert str(hub.path) in outcome.stdout
    assert "2025-08-15" in outcome.stdout
    assert hub.ask({}, "YOUR_API_KEY")["records"]


def test_seed_as_of_a_day_stops_at_that_day(hub):
    outcome = hub.run("seed", "--as-of", "2025-07-03")
    assert "2025-07-03" in outcome.stdout
    window = {"start_date": "2025-01-01", "end_date": "2025-12-31"}
    days = {record["timestamp"][:10] for record in hub.everything(window, "YOUR_API_KEY")}
    assert days == {"2025-07-01", "2025-07-02", "2025-07-03"}


@pytest.mark.parametrize("day", ["20250703", "2025-02-30", "yesterday", ""])
def test_seed_refuses_an_invalid_day_and_creates_nothing(hub, day):
    outcome = hub.run("seed", "--as-of", day)
    assert outcome.exit_code != 0
    assert "--as-of" in outcome.stderr
    assert not hub.path.exists()


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "2100-01-01", "9999-12-31"])
def test_seed_refuses_a_day_outside_the_years_2000_to_2099(hub, day):
    outcome = hub.run("seed", "--as-of", day)
    assert outcome.exit_code == 1
    assert outcome.stderr == "Error: Bundled data can be brought to a day of the years 2000 to 2099.\n"


# flask import


def test_import_prints_what_it_imported(hub):
    sessions = (a_session(conversions=[a_conversion(), a_conversion()]), a_session(conversions=[a_conversion()]))
    outcome = import_into(hub, "example.com", "--key", "key", sessions=sessions)
    assert "Sessions: 2, conversions: 3." in outcome.stdout
    assert "example.com" in outcome.stdout


def test_import_creates_a_key_that_works_and_prints_it_once(hub):
    key = made_key(import_into(hub, "example.com"))
    assert len(hub.ask({}, key)["records"]) == 1
    again = import_into(hub, "example.com")
    assert again.exit_code == 0
    assert "shown only this once" not in again.stdout
    assert key not in again.stdout
    assert len(hub.ask({}, key)["records"]) == 2


@pytest.mark.parametrize(
    ("times", "dates"),
    [
        ([], None),
        (["2025-07-17 00:00:00", "2025-08-15 23:59:59"], None),
        (["2025-07-16 12:00:00", "2025-08-01 10:00:00"], ("2025-07-16", "2025-08-01")),
        (["2025-08-01 10:00:00", "2025-08-16 00:00:00"], ("2025-08-01", "2025-08-16")),
    ],
)
def test_import_prints_a_query_for_all_conversions_if_the_last_30_days_do_not_have_them(hub, times, dates):
    sessions = [a_session(conversions=[a_conversion(timestamp=time)], started_at=f"{time}Z") for time in times] or [a_session()]
    outcome = import_into(hub, "example.com", "--key", "key", sessions=sessions)
    assert outcome.exit_code == 0
    if dates is None:
        assert "30 days" not in outcome.stdout
    else:
        query = json.loads(next(line for line in outcome.stdout.splitlines() if line.startswith("{")))
        assert query == {"start_date": dates[0], "end_date": dates[1]}
        assert len(hub.ask(query)["records"]) == len(times)


def test_import_creates_a_different_key_for_each_account(hub):
    assert made_key(import_into(hub, "example.com")) != made_key(import_into(hub, "example.org"))


def test_import_does_not_print_a_key_that_was_given(hub):
    assert "chosen-key" not in import_into(hub, "example.com", "--key", "chosen-key").output
    assert hub.ask({}, "chosen-key")["records"]


def test_import_can_give_an_account_a_second_key(hub):
    import_into(hub, "example.com", "--key", "first")
    import_into(hub, "example.com", "--key", "second")
    assert hub.ask({}, "first") == hub.ask({}, "second")
    assert len(hub.ask({}, "first")["records"]) == 2


def test_import_refuses_the_key_of_another_account_and_changes_nothing(hub):
    import_into(hub, "example.com", "--key", "theirs")
    before = tables(hub.path)
    assert_fails(import_into(hub, "example.org", "--key", "theirs"), "theirs", "example.com")
    assert tables(hub.path) == before


@pytest.mark.parametrize("key", ["", "two words", " key", "schlüssel"])
def test_import_refuses_a_key_that_cannot_be_sent_in_a_header(hub, key):
    outcome = import_into(hub, "example.com", "--key", key)
    assert outcome.exit_code != 0
    assert "--key" in outcome.stderr
    assert not hub.path.exists()


@pytest.mark.parametrize(
    ("domain", "primary"),
    [
        ("www.example.com", "example.com"),
        ("news.bbc.co.uk", "bbc.co.uk"),
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com"),
        ("docs.somebody.github.io", "somebody.github.io"),
        ("https://example.com", "example.com"),
        ("https://www.example.com/", "example.com"),
        ("HTTP://WWW.Example.com:8080/pricing?a=b", "example.com"),
        ("example.com/", "example.com"),
        ("example.com/pricing", "example.com"),
        ("example.com:443", "example.com"),
        ("www.münchen.de", "xn--mnchen-3ya.de"),
    ],
)
def test_import_refuses_a_domain_that_is_not_primary_and_names_the_primary_one(hub, domain, primary):
    outcome = import_into(hub, domain)
    assert outcome.exit_code != 0
    assert "--domain" in outcome.stderr
    assert outcome.stderr.endswith(f" {primary}.\n")
    assert not hub.path.exists()


@pytest.mark.parametrize("domain", ["exa mple.com", "", "https://", "@"])
def test_import_refuses_an_invalid_domain(hub, domain):
    outcome = import_into(hub, domain)
    assert outcome.exit_code == 2
    assert outcome.stderr.endswith(f"{domain!r} is not a domain. An account has a primary domain, for example example.com.\n")
    assert not hub.path.exists()


@pytest.mark.parametrize("domain", ["example.com", "bbc.co.uk", "somebody.github.io", "localhost", "192.0.2.7", "münchen.de"])
def test_import_accepts_a_primary_domain_a_bare_host_or_an_ip_address(hub, domain):
    assert import_into(hub, domain, "--key", "key").exit_code == 0
    assert hub.ask({})["records"]


def test_import_sets_the_monthly_limit(hub):
    import_into(hub, "example.com", "--key", "key", "--monthly-limit", "2")
    assert [hub.post("{}").status_code for _ in range(3)] == [200, 200, 429]
    assert hub.post("{}").json == {"error": "API monthly limit exceeded.", "limit": 2, "used": 2, "domain": "example.com"}


def test_import_keeps_the_monthly_limit_unless_a_new_one_is_given(hub):
    import_into(hub, "example.com", "--key", "key", "--monthly-limit", "1")
    import_into(hub, "example.com", "--key", "key")
    assert [hub.post("{}").status_code for _ in range(2)] == [200, 429]
    import_into(hub, "example.com", "--key", "key", "--monthly-limit", "3")
    assert [hub.post("{}").status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("limit", ["-1", "1.5", "many", "", "9223372036854775808"])
def test_import_refuses_an_invalid_monthly_limit(hub, limit):
    outcome = import_into(hub, "example.com", "--monthly-limit", limit)
    assert outcome.exit_code != 0
    assert "--monthly-limit" in outcome.stderr
    assert not hub.path.exists()


def test_import_shows_its_progress_on_standard_error(hub):
    outcome = import_into(hub, "example.com")
    assert "Importing" in outcome.stderr
    assert "Importing" not in outcome.stdout


# flask walk


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> Hub:
    """Provide a server with 201 sessions of one conversion each, except the newest, which has two that are identical."""
    hub = Hub(tmp_path_factory.mktemp("walked") / "conversions.sqlite")
    hub.load(
        [a_session(session_id=f"{number}", conversions=[a_conversion()]) for number in range(200)]
        + [a_session(started_at="2025-08-01T11:00:00Z", conversions=[a_conversion(timestamp="2025-08-01 11:00:00")] * 2)]
    )
    return hub


def walk(hub: Hub, query: dict | str, key: str = "key"):
    return hub.run("walk", query if isinstance(query, str) else json.dumps(query), "--key", key)


@pytest.mark.decision(32)
def test_walk_prints_each_page_of_a_session_query_and_the_totals(walked):
    outcome = walk(walked, {"source": "(direct)"})
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines() == [
        "page 1: offset 0, 201 records, 200 of 201 sessions processed",
        "page 2: offset 200, 1 records, 201 of 201 sessions processed",
        "Conversions: 202, on pages: 2.",
        "No conversion was returned twice.",
    ]


def test_walk_prints_each_page_of_a_direct_query_and_the_totals(walked):
    assert walk(walked, {"meta_id": "form"}).stdout.splitlines() == [
        "page 1: offset 0, 50 records, 50 of 202 conversions processed",
        "page 2: offset 50, 50 records, 100 of 202 conversions processed",
        "page 3: offset 100, 50 records, 150 of 202 conversions processed",
        "page 4: offset 150, 50 records, 200 of 202 conversions processed",
        "page 5: offset 200, 2 records, 202 of 202 conversions processed",
        "Conversions: 202, on pages: 5.",
        "No conversion was returned twice.",
    ]


def test_walk_starts_at_the_offset_of_the_query(walked):
    outcome = walk(walked, {"offset": 150})
    assert outcome.stdout.startswith("page 1: offset 150, 50 records")
    assert "Conversions: 52, on pages: 2." in outcome.stdout


def test_walk_prints_the_message_if_nothing_is_found(walked):
    outcome = walk(walked, {"meta_id": "none"})
    assert outcome.exit_code == 0
    assert outcome.stdout == "No conversions matched the given filters.\n"


def test_walk_accepts_a_published_example_verbatim(walked):
    outcome = walk(walked, '{\n "start_date": "2025-07-15",\n "end_date": "2025-08-30",\n}')
    assert "Conversions: 202, on pages: 5." in outcome.stdout


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ('{"source"', ["JSON", "column 10"]),
        ("", ["JSON"]),
        ("source=google.com", ["JSON", "column 1"]),
        ("[]", ["object", "array"]),
        ('{"sorce": "google.com"}', ["sorce", "did you mean source?"]),
        ('{"offset": "50"}', ["offset", "integer"]),
        ('{"start_date": "yesterday", "source": null}', ["start_date", "source"]),
    ],
)
def test_walk_fails_with_a_message_if_the_query_is_invalid(walked, query, words):
    assert_fails(walk(walked, query), *words)


def test_walk_fails_with_a_message_if_the_key_is_unknown(walked):
    assert_fails(walk(walked, {}, "unknown"), "key")


def test_walk_fails_with_a_message_if_there_is_no_database_and_creates_none(hub):
    assert_fails(walk(hub, {}), str(hub.path))
    assert not hub.path.exists()


@pytest.mark.parametrize("command", [("seed",), ("import", "-", "--domain", "example.com"), ("walk", "{}", "--key", "key")])
def test_each_command_fails_with_a_message_if_the_file_is_not_a_database_and_does_not_change_it(hub, command):
    hub.path.write_text("not a database " * 100)
    outcome = hub.run(*command, stdin=lines(a_session()))
    assert_fails(outcome, "database")
    assert hub.path.read_text() == "not a database " * 100


# flask explain and exec


def test_explain_shows_each_statement_with_its_values_and_plan(walked):
    outcome = walked.run("explain", '{"source": "(direct)", "meta_type": "html_form"}', "--key", "key")
    assert outcome.exit_code == 0
    assert "source = '(direct)'" in outcome.stdout
    assert "SEARCH sessions USING COVERING INDEX sessions_by_source" in outcome.stdout
    assert "meta_type = 'html_form'" in outcome.stdout
    assert re.search(r"^Strategy: session\. Conversions on the page: 201\. Batches of sessions: 1\.$", outcome.stdout, re.MULTILINE)


@pytest.mark.parametrize(("query", "key"), [("{", "key"), ('{"sorce": 1}', "key"), ("{}", "unknown")])
def test_explain_fails_with_a_message_if_the_query_or_the_key_is_invalid(walked, query, key):
    assert_fails(walked.run("explain", query, "--key", key))


ASK = """
import json, os, sys, urllib.request
headers = {"Authentication": os.environ["CONVERSIONS_KEY"], "Content-Type": "application/json"}
response = urllib.request.urlopen(urllib.request.Request(os.environ["CONVERSIONS_URL"], b"{}", headers))
sys.exit(len(json.load(response)["records"]))
"""


def test_exec_runs_a_command_against_a_server_with_fresh_data_and_exits_with_its_status(tmp_path):
    done = subprocess.run(
        **flask("exec", "--", sys.executable, "-c", ASK, DATABASE=tmp_path / "untouched.sqlite"), capture_output=True
    )
    assert done.returncode == 50, done.stderr
    assert not (tmp_path / "untouched.sqlite").exists()


def test_exec_fails_with_a_message_if_the_command_cannot_be_run(tmp_path):
    done = subprocess.run(**flask("exec", "no-such-command"), capture_output=True)
    assert (done.returncode, done.stderr) == (1, "Error: no-such-command cannot be run: No such file or directory.\n")


def test_exec_leaves_every_option_after_the_command_to_the_command():
    code = "import os, sys; print(sys.argv[1:], 'FLASK_RUN_FROM_CLI' in os.environ)"
    for options in (["exec"], ["exec", "--"], ["exec", "--check-paging"]):
        done = subprocess.run(
            **flask(*options, sys.executable, "-c", code, "--help", "--check-paging"), stdin=subprocess.DEVNULL, capture_output=True
        )
        assert done.stdout.splitlines()[0] == "['--help', '--check-paging'] False", (options, done)


A_COMMAND_WITH_A_CHILD = r"""
import os, signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
def clean_up(*_):
    os.write(1, b"cleaned up\n")  # print() fails if the signal came while print() was at work
    sys.exit(7)
signal.signal(signal.SIGTERM, clean_up)
print("ready", flush=True)
signal.pause()
"""


def test_exec_passes_sigterm_on_to_the_command_and_to_what_it_has_started():
    process = flask("exec", sys.executable, "-c", A_COMMAND_WITH_A_CHILD)
    with subprocess.Popen(**process, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as running:
        assert running.stdout.readline() == "ready\n"
        running.terminate()
        assert running.stdout.read() == "cleaned up\n"  # it ends when no process has it open any more
        assert running.wait() == 7


# flask explain


@pytest.mark.parametrize(
    "query",
    [{}, {"offset": 60}, {"meta_id": "none"}, {"source": "(direct)"}, {"source": "(direct)", "offset": 250}, {"source": "none"}],
)
def test_explain_shows_the_statements_that_answer_a_request(hub, query):
    hub.load([a_session(session_id=f"s-{n}", conversions=[a_conversion()] * (n % 3 == 0)) for n in range(450)])
    ran = []
    with request_finished.connected_to(lambda *_, **__: ran.extend((each.sql, each.values) for each in g.ran), hub.app):
        hub.ask(query)
    explained = Hub(hub.path).run("explain", json.dumps(query), "--key", "key").stdout
    shown = re.findall(r"^\d+\. .*\n((?:.*\n)*?)with (.*)$", explained, re.MULTILINE)
    assert shown == [
        (
            "".join(f"{line}\n" for line in sql.splitlines() if line.strip()),
            ", ".join(f"{name} = {value!r}" for name, value in values.items()),
        )
        for sql, values in ran
    ]
    assert len(ran) == len(shown) >= 2


# The app in another program


def test_the_run_command_of_another_program_can_create_the_app():
    command = """
import click
@click.command()
def run():
    from conversions_api import create_app
    click.echo(create_app().config["MOCK"])
run()
"""
    process = flask()
    process["args"] = [sys.executable, "-c", command]
    done = subprocess.run(**process, capture_output=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


# Settings


def test_environment_variables_set_the_database_and_the_clock(tmp_path):
    path = tmp_path / "elsewhere.sqlite"
    done = subprocess.run(**flask("seed", DATABASE=path, NOW="2025-07-10T12:00:00Z"), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout
    hub = Hub(path, "2025-07-10T12:00:00Z")
    assert hub.everything({"start_date": "2025-07-10", "end_date": "2025-07-10"}, "YOUR_API_KEY")
    assert not hub.everything({"start_date": "2025-07-11", "end_date": "2025-12-31"}, "YOUR_API_KEY")


def test_a_clock_setting_that_is_not_an_instant_fails_with_a_message(tmp_path):
    done = subprocess.run(**flask("seed", DATABASE=tmp_path / "none.sqlite", NOW="noon"), capture_output=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(r"Error: .*CONVERSIONS_NOW.*noon.*\n", done.stderr)
    assert not (tmp_path / "none.sqlite").exists()


def test_the_database_is_in_the_instance_folder_by_default(monkeypatch):
    monkeypatch.delenv("CONVERSIONS_DATABASE", raising=False)
    app = create_app()
    assert Path(app.config["DATABASE"]).parent == Path(app.instance_path)


# flask run


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(path: Path, now: str) -> Iterator[str]:
    """Start `flask run` and yield what it prints until it serves; stop it at the end of the block."""
    process = subprocess.Popen(
        **flask("run", "--port", str(a_free_port()), DATABASE=path, NOW=now), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        printed = ""
        while "Running on" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        yield printed
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def send_printed_request(printed: str, **query: str) -> dict:
    """Send the request of the printed curl command, or the same with another query, and return the response."""
    command = printed.partition("curl ")[2].replace("\\\n", " ").partition("\n")[0]
    url, *options = shlex.split(command)
    values = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ") for option, value in values if option == "-H")
    body = json.dumps(query) if query else dict(values)["-d"]
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=10) as response:
        return json.load(response)


def printed_keys(printed: str) -> list[str]:
    return [key for key in KEYS if re.search(rf"^ +{key} ", printed, re.MULTILINE)]


def test_run_creates_the_database_and_prints_its_path_the_keys_and_a_request_that_works(tmp_path):
    path = tmp_path / "conversions.sqlite"
    with running(path, NOW) as printed:
        assert str(path) in printed
        assert printed_keys(printed) == KEYS
        assert send_printed_request(printed)["records"]
    assert Hub(path).ask({}, "boundaries")["records"]


def test_run_brings_the_bundled_data_up_to_today(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.run("seed", "--as-of", "2025-07-10")
    with running(hub.path, "2025-07-20T12:00:00Z") as printed:
        assert send_printed_request(printed, start_date="2025-07-20", end_date="2025-07-20")["records"]
        assert "message" in send_printed_request(printed, start_date="2025-07-21", end_date="2025-12-31")
        assert hub.path.name in printed


def test_the_printed_request_has_a_key_that_exists(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.load([a_session()], "example.com", "own")  # so that the account of YOUR_API_KEY is not seeded
    hub.run("seed", "--as-of", "2025-07-10")
    with running(hub.path, "2025-07-10T12:00:00Z") as printed:
        assert "YOUR_API_KEY" not in printed
        assert send_printed_request(printed)  # not a 401


def test_run_adds_the_bundled_accounts_and_does_not_change_an_imported_one(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.load([a_session(conversions=[a_conversion()])], "shop.example", "own")
    with running(hub.path, NOW) as printed:
        assert printed_keys(printed) == KEYS
        assert "shop.example, imported" in printed
        assert send_printed_request(printed)["records"]
    assert len(hub.everything({}, "own")) == 1


def test_run_does_not_list_accounts_for_tests(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1")
    assert hub.run("seed").exit_code == 0
    assert hub.client.post("/_mock/accounts", json={"sessions": [], "domain": "test.example"}).status_code == 201
    with running(hub.path, NOW) as printed:
        assert "test.example" not in printed


def test_run_leaves_out_a_bundled_account_whose_domain_or_key_is_taken(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.load([a_session(conversions=[a_conversion()])], "shop.example", "YOUR_API_KEY")
    hub.load([a_session(conversions=[a_conversion()])], "dense.example", "own")
    with running(hub.path, NOW) as printed:
        assert printed_keys(printed) == [key for key in KEYS if key not in ("YOUR_API_KEY", "dense")]
        assert "example.com was left out: its key YOUR_API_KEY belongs to shop.example." in printed
        assert "dense.example has imported data and was left as it is." in printed
        assert "dense.example, imported" not in printed
    assert len(hub.everything({}, "YOUR_API_KEY")) == len(hub.everything({}, "own")) == 1
