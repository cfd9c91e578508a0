"""Real data pipelines page through the mock: dlt, a Singer tap and Airbyte, as tests/pipelines sets them up."""

import json
import os
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.conftest import Hub, a_conversion, a_session, serving
from tests.third_party import packages

PIPELINES = Path(__file__).parent / "pipelines"

DIRECT, SESSION, NOTHING = {"start_date": "2025-01-01"}, {"start_date": "2025-01-01", "source": "google.com"}, {"source": "nowhere"}
EXACT = (True, [])

# For each pipeline: the query, the paginator, and whether the walk is complete and which faults it has.
RUNS = {
    "dlt_source": [
        (DIRECT, "right", EXACT),
        (SESSION, "right", EXACT),
        (NOTHING, "right", EXACT),
        (DIRECT, "adds 50", EXACT),
        (SESSION, "adds 50", (True, ["repeats"])),
        (DIRECT, "ignores has_more", (True, ["past_the_end"])),
        (SESSION, "ignores has_more", (True, ["past_the_end"])),
        (DIRECT, "automatic", (False, [])),
        (SESSION, "automatic", (False, [])),
    ],
    "singer_tap": [
        (DIRECT, "right", EXACT),
        (SESSION, "right", EXACT),
        (NOTHING, "right", EXACT),
        (SESSION, "adds the number of records", (False, ["gaps"])),
    ],
    "airbyte_source": [
        (DIRECT, "right", EXACT),
        (SESSION, "right", EXACT),
        (NOTHING, "right", EXACT),
        (DIRECT, "adds the number of records", EXACT),
        (SESSION, "adds the number of records", (False, ["gaps"])),
    ],
}


@pytest.fixture(scope="module")
def python() -> Path:
    """Return the interpreter of an environment with the pipelines. Skip the tests if they cannot be installed."""
    return packages(PIPELINES) / "python" / "bin" / "python"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving(Hub(tmp_path_factory.mktemp("pipelines") / "conversions.sqlite"), MOCK="1") as (host, port):
        yield f"http://{host}:{port}"


def ask(url: str, body: dict | None = None) -> dict:
    sent = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, sent, {"Content-Type": "application/json"})) as response:
        return json.load(response)


# 250 sessions with 500 conversions: two pages of a session query, ten of a direct query.
VISIT = a_session(referrer="https://www.google.com/", conversions=[a_conversion()] * 2)

LOAD_ALL = """
import importlib, json, sys
pipeline, url, runs = sys.argv[1:]
for key, query, paginator in json.loads(runs):
    importlib.import_module(pipeline).load(url, key, query, paginator)
"""


@pytest.mark.parametrize("pipeline", RUNS)
def test_a_real_pipeline_gets_the_verdict_of_its_paginator(pipeline, python, url, tmp_path):
    accounts = [ask(f"{url}/_mock/accounts", {"sessions": [VISIT] * 250}) for _ in RUNS[pipeline]]
    runs = [(account["key"], query, paginator) for account, (query, paginator, _) in zip(accounts, RUNS[pipeline], strict=True)]
    command = [python, "-c", LOAD_ALL, pipeline, url, json.dumps(runs)]
    environment = os.environ | {"PYTHONPATH": str(PIPELINES), "HOME": str(tmp_path), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    walks = {walk["domain"]: (walk["complete"], walk["faults"]) for walk in ask(f"{url}/_mock/walks")["walks"]}
    for account, (query, paginator, expected) in zip(accounts, RUNS[pipeline], strict=True):
        assert walks[account["domain"]] == expected, (query, paginator)
