"""The pytest plugin in a small project of somebody else, which has installed the wheel."""

import re
import subprocess

import pytest
from conversions_api.mock.readings import EACH

from .conftest import REPOSITORY

CLIENT = '''
def fetch_all(url, key, query, step=None, session=None):
    """Return all records. The step is how a client can go wrong."""
    import requests

    offset, records = 0, []
    while offset is not None:
        response = (session or requests).post(url, json=query | {"offset": offset}, headers={"Authentication": key})
        page = response.json()
        records += page.get("records", [])
        pagination = page.get("pagination", {"has_more": False})
        if not pagination["has_more"]:
            return records
        offset = step(offset, page) if step else pagination["records_processed"]
'''
START = """
import pytest
from client import fetch_all

DIRECT, SESSION = {"start_date": "2025-08-01"}, {"start_date": "2025-08-01", "source": "google.com"}

def session(number):
    at = f"2025-08-01 1{number // 60}:{number % 60:02}:00"
    record = {"timestamp": at, "conversion_page": "https://shop.example/", "email": None, "previous_page": None}
    record["conversion_meta"] = {"type": "form", "id": "lead"}
    return {"started_at": at, "landing_page": "https://shop.example/?utm_source=google.com", "conversions": [record] * (number % 3)}

SESSIONS = [session(number) for number in range(450)]  # with 450 conversions
"""


@pytest.fixture
def run(installed, tmp_path):
    """Return a function that runs pytest on one test file in a project, and returns what it prints."""

    def run_pytest(test: str, *arguments: str, find_plugins: bool = False, **environment: str) -> str:
        if not find_plugins:  # other plugins of this environment take seconds to import
            environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            arguments = ("-p", "conversions_api", "-p", "xdist", *arguments)
        (tmp_path / "client.py").write_text(CLIENT, encoding="utf-8")
        (tmp_path / "test_client.py").write_text(START + test, encoding="utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n", encoding="utf-8")
        done = subprocess.run(
            [installed / "python", "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "COLUMNS": "200"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    return run_pytest


RIGHT = """
@pytest.mark.parametrize("query", [DIRECT, SESSION])
@pytest.mark.parametrize("number", range(3))
def test_the_client_gets_everything(conversions_api, query, number):
    conversions_api.load(SESSIONS)
    assert len(fetch_all(conversions_api.url, conversions_api.key, query)) == 450
    (walk,) = conversions_api.walks()
    assert walk["complete"]
    assert walk["domain"] == conversions_api.domain
"""


@pytest.mark.decision(86)
@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["one process", "xdist"])
def test_a_client_that_pages_correctly_passes(run, arguments):
    assert " 6 passed" in run(RIGHT, *arguments)


def test_the_example_of_the_page_runs(run, tmp_path):
    page = (REPOSITORY / "app" / "pytest_plugin" / "README.md").read_text(encoding="utf-8")
    client = """
class MyClient:
    def __init__(self, url, key):
        self.url, self.key = url, key

    def fetch_all(self, query):
        from client import fetch_all

        return fetch_all(self.url, self.key, query)
"""
    (tmp_path / "my_project.py").write_text(client, encoding="utf-8")
    assert " 1 passed" in run(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1])


def test_pytest_finds_the_plugin_without_being_told(run):
    assert " 1 passed" in run(RIGHT, "-k", "0-query0", find_plugins=True)


WRONG = """
STEPS = {
    "add 50": lambda offset, page: offset + 50,
    "add the number": lambda offset, page: offset + len(page["records"]),
    "add records_processed": lambda offset, page: offset + page["pagination"]["records_processed"],
}

@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("query", [DIRECT, SESSION], ids=["direct", "session"])
def test_the_client_runs(conversions_api, query, step):
    conversions_api.load(SESSIONS)
    fetch_all(conversions_api.url, conversions_api.key, query, STEPS[step])
"""


@pytest.mark.decision(86)
@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["one process", "xdist"])
def test_a_test_whose_client_pages_wrongly_fails_with_the_servers_sentence(run, arguments):
    printed = run(WRONG, *arguments)
    assert re.search(" 4 failed, 2 passed in ", printed), printed  # two of these habits are right for a direct query
    for habit, many in (("add 50.", 1), ("add the number of records", 1), ("add records_processed instead of replacing", 2)):
        assert (
            len(re.findall(rf"^The client paged wrongly through \{{.*the client seems to {habit}", printed, re.MULTILINE)) == many
        )


def test_a_test_that_has_failed_already_shows_the_servers_sentence_too(run):
    printed = run(WRONG + "    assert query == DIRECT, 'my own reason'\n", "-k", "number")
    assert "my own reason" in printed
    assert "the client seems to add the number of records" in printed
    assert " 1 failed, 1 passed" in printed


def test_a_test_marked_pages_wrongly_passes(run):
    assert " 6 passed" in run(WRONG.replace("@pytest", "@pytest.mark.pages_wrongly\n@pytest", 1))


def test_in_process_transports_of_httpx_and_requests_reach_the_same_account(run):
    printed = run("""
import httpx
import requests

def test_transports(conversions_api):
    conversions_api.load(SESSIONS)
    session = requests.Session()
    session.mount(conversions_api.base_url, conversions_api.adapter)
    with httpx.Client(transport=conversions_api.transport) as client:
        for sender in (session, client):
            assert len(fetch_all(conversions_api.url, conversions_api.key, SESSION, session=sender)) == 450
            refused = sender.post(conversions_api.url, json={})
            assert (refused.status_code, list(refused.json())) == (401, ["error"])
    assert len(conversions_api.walks()) == 2
""")
    assert " 1 passed" in printed, printed


def test_each_test_has_its_own_account_clock_and_faults(run):
    printed = run("""
from datetime import datetime
import requests
RECORD = SESSIONS[1]["conversions"][0]

@pytest.mark.parametrize("number", range(2))
def test_the_clock(conversions_api, number):
    conversions_api.load([RECORD])
    assert fetch_all(conversions_api.url, conversions_api.key, {}) == []
    conversions_api.now(datetime(2025, 8, 15) if number else "2025-08-15")
    assert fetch_all(conversions_api.url, conversions_api.key, {}) == [RECORD]
    requests.post(f"{conversions_api.base_url}/_mock/faults", json={"code": 503, "times": None})

def test_loading_twice_adds(conversions_api):
    conversions_api.load([RECORD])
    conversions_api.load([RECORD | {"email": "a@shop.example"}])
    assert len(fetch_all(conversions_api.url, conversions_api.key, DIRECT)) == 2

def test_what_cannot_be_loaded_is_said(conversions_api):
    with pytest.raises(ValueError, match="^sessions.0.timestamp: Is missing.$"):
        conversions_api.load([{name: value for name, value in RECORD.items() if name != "timestamp"}])
""")
    assert " 4 passed" in printed, printed


TYPED = """
RECORD = SESSIONS[1]["conversions"][0]

def typed(conversions_api):
    conversions_api.load([RECORD])
    (record,) = fetch_all(conversions_api.url, conversions_api.key, DIRECT)
    return record["email"], record["timestamp"]
"""


def test_a_test_serves_a_reading_until_it_ends(run):
    printed = run(
        TYPED
        + """
def test_a_reading(conversions_api):
    conversions_api.reading("timestamp-form=iso missing=empty")
    assert typed(conversions_api) == ("", "2025-08-01T10:01:00Z")
    with pytest.raises(ValueError, match="Did you mean page"):
        conversions_api.reading("pages=cut")

def test_without_it(conversions_api, conversions_api_reading):
    assert (*typed(conversions_api), conversions_api_reading) == (None, "2025-08-01 10:01:00", None)
"""
    )
    assert " 2 passed" in printed, printed


@pytest.mark.decision(78)
@pytest.mark.parametrize("setting", ["", "missing=omitted"])
def test_a_test_marked_all_readings_runs_as_decided_and_under_each_whatever_the_setting(run, setting):
    test = """
@pytest.mark.all_readings
def test_types(conversions_api):
    assert typed(conversions_api) == (None, "2025-08-01 10:01:00")

@pytest.mark.all_readings
def test_everything(conversions_api):
    conversions_api.load(SESSIONS)
    assert len(fetch_all(conversions_api.url, conversions_api.key, SESSION)) == 450
"""
    printed = run(TYPED + test, CONVERSIONS_READING=setting)
    failed = re.findall(r"^FAILED test_client.py::(\S+\[.+?\])", printed, re.MULTILINE)
    minding = ["timestamp-form=iso", "timestamp-form=iso-milliseconds", "missing=omitted", "missing=empty"]
    assert failed == [f"test_types[{reading}]" for reading in minding]
    assert f" {2 * len(EACH) + 2 - len(minding)} passed" in printed


def test_all_readings_without_the_fixture_is_a_sentence(run):
    printed = run("@pytest.mark.all_readings\ndef test_x():\n    pass\n")
    assert "test_x: the mark all_readings needs the fixture conversions_api." in printed
    assert "conversions_api_reading" not in printed


def test_a_wrong_setting_is_a_sentence_without_a_traceback(run):
    printed = run(RIGHT, "-k", "0-query0", CONVERSIONS_DELAY="soon")
    assert "The setting CONVERSIONS_DELAY is wrong: soon." in printed
    assert "create_app" not in printed


@pytest.mark.decision(86)
def test_a_project_that_does_not_use_the_fixture_imports_nothing_of_it(run):
    printed = run("""
import sys

def test_nothing(request):
    imported = {name.partition(".")[0] for name in sys.modules}
    assert "conversions_api_pytest" in imported
    assert imported.isdisjoint({"conversions_api", "flask", "werkzeug", "click", "marshmallow", "orjson", "httpx", "requests"})
""")
    assert " 1 passed" in printed, printed


def test_the_plugin_can_be_switched_off_by_name(run):
    assert "fixture 'conversions_api' not found" in run(RIGHT, "-p", "no:conversions_api", find_plugins=True)
