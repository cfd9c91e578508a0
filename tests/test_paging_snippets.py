"""The README's loops and test examples work, and the offsets that it warns about fail as it says."""

import json
import re
import subprocess
import sys

import pytest

from tests.conftest import Hub, a_conversion, flask
from tests.test_docs import DOCUMENTATION, table
from tests.third_party import needs

BLOCKS = re.findall(r"```(\w+)\n(.*?)```", DOCUMENTATION, re.DOTALL)
QUERIES = {"direct query": {"start_date": "2020-01-01"}, "session query": {"start_date": "2020-01-01", "source": "google.com"}}
# The sessions of the account "dense" have several conversions each.
OUTCOMES = {
    "right": [],
    "returns records again": ["repeats"],
    "loses records": ["gaps"],
    "returns records again, or loses some if sessions have several": ["gaps"],
}


def block(language: str, content: str) -> str:
    (found,) = [text for name, text in BLOCKS if name == language and content in text]
    return found


LOOP = block("python", "while offset is not None")
NEXT = 'pagination["records_processed"]'


@pytest.fixture(scope="module")
def mocking(tmp_path_factory) -> Hub:
    hub = Hub(tmp_path_factory.mktemp("snippets") / "conversions.sqlite", MOCK="1")
    assert hub.run("seed").exit_code == 0
    return hub


def run_loop(hub: Hub, loop: str, query: dict, key: str = "dense") -> tuple[list[dict], dict]:
    """Return the records that the loop collects from an account, and its walk."""
    hub.client.delete("/_mock/walks")
    names = {"ask": lambda body: hub.ask(body, key), "query": query, "records": []}
    exec(loop, names)
    (walk,) = hub.client.get("/_mock/walks").json["walks"]
    return names["records"], walk


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_the_readmes_python_loop_pages_correctly(mocking, query):
    records, walk = run_loop(mocking, LOOP, query)
    assert (len(records), walk["complete"], walk["faults"]) == (3000, True, [])


def test_the_readmes_python_loop_ends_if_nothing_matches(mocking):
    assert run_loop(mocking, LOOP, {"source": "nowhere"})[0] == []


OFFSETS = [row for row in table("Check that your client pages correctly") if row[0].startswith("`offset +")]


@pytest.mark.parametrize("row", OFFSETS, ids=lambda row: row[0])
@pytest.mark.parametrize("number", range(len(QUERIES)), ids=QUERIES)
def test_each_offset_that_the_readme_warns_about_fails_as_it_says(mocking, row, number):
    wrong = LOOP.replace(NEXT, row[0].split("`")[1])
    assert wrong != LOOP
    records, walk = run_loop(mocking, wrong, list(QUERIES.values())[number])
    assert walk["faults"] == OUTCOMES[row[1 + number]]
    assert (len(records) > 3000, len(records) < 3000) == ("repeats" in walk["faults"], "gaps" in walk["faults"])


def test_adding_the_number_of_records_returns_records_again_where_few_sessions_convert(mocking):
    wrong = LOOP.replace(NEXT, OFFSETS[1][0].split("`")[1])
    query = {"start_date": "2025-07-01", "end_date": "2025-08-14", "source": "google.com"}
    assert run_loop(mocking, wrong, query, "YOUR_API_KEY")[1]["faults"] == ["repeats"]


# Examples that start a mock

THREE_RECORDS = [a_conversion(timestamp=f"2025-08-01 10:00:0{second}") for second in range(3)]
JAVASCRIPT = f"""
import assert from 'node:assert'
import {{ test }} from 'node:test'
const threeRecords = {json.dumps(THREE_RECORDS)}
async function loadEverything(key) {{
  const query = {{ start_date: '2025-08-01' }}, records = []
  const headers = {{ Authentication: key, 'Content-Type': 'application/json' }}
  const ask = async (body) =>
    (await fetch(process.env.CONVERSIONS_URL, {{ method: 'POST', headers, body: JSON.stringify(body) }})).json()
  {block("js", "let offset = 0")}
  return records
}}
{block("js", "test('")}
"""
PYTHON = f"""
import os
import pytest
import requests
three_records = {THREE_RECORDS!r}
{block("python", "@pytest.fixture")}

@pytest.mark.parametrize("number", range(3))
def test_the_account_has_the_three_records(account, number):
    body = {{"start_date": "2025-08-01"}}
    response = requests.post(os.environ["CONVERSIONS_URL"], json=body, headers={{"Authentication": account["key"]}})
    assert response.json()["records"] == three_records[::-1]
"""


def run_with_a_mock(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(**flask("exec", "--check-paging", "--", *command), capture_output=True)


@needs("node")
def test_the_readmes_javascript_runs(tmp_path):
    (tmp_path / "client.test.mjs").write_text(JAVASCRIPT)
    done = run_with_a_mock("node", "--test", str(tmp_path / "client.test.mjs"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 1" in done.stdout
    assert "1 page: All 3 conversions." in done.stdout


def test_the_readmes_pytest_fixture_runs(tmp_path):
    (tmp_path / "test_client.py").write_text(PYTHON)
    done = run_with_a_mock(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_exec_works_if_a_proxy_is_set(tmp_path):
    ask = """import os, requests; requests.get(os.environ["CONVERSIONS_BASE_URL"] + "/readyz", timeout=20).raise_for_status()"""
    command = flask("exec", "--", sys.executable, "-c", ask)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        command["env"][name] = "http://127.0.0.1:9"  # nothing listens there
    done = subprocess.run(**command, capture_output=True)
    assert done.returncode == 0, done.stderr
