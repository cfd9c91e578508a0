"""The conformance kit calls no right server wrong, whatever its data: 200 random accounts, and every other reading of the text."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import flask
from tests.tools import learnt_readings, random_accounts
from tests.tools.kit_in_process import KIT

COUNT, PARTS = 200, 8
PAIRS = 100


@pytest.mark.parametrize("part", range(PARTS))
def test_random_accounts_are_not_blamed(part):
    found = random_accounts.blamed(range(part * COUNT // PARTS, (part + 1) * COUNT // PARTS))
    assert [finding for finding in found.findings if not finding[1].is_reading] == []
    assert found.checked > 100 * COUNT // PARTS


@pytest.mark.parametrize("part", range(4))
def test_each_reading_is_learnt_and_not_blamed(part):
    served = learnt_readings.singles()[part::4]
    for readings, found in zip(served, learnt_readings.learn(served, all_checks=True), strict=True):
        assert [finding for finding in found.findings if not finding.is_reading] == [], readings
        assert learnt_readings.wrong(readings, found) == [], readings


@pytest.mark.parametrize("part", range(4))
def test_pairs_of_readings_are_learnt(part):
    served = learnt_readings.pairs(PAIRS)[part::4]
    for readings, found in zip(served, learnt_readings.learn(served), strict=True):
        assert learnt_readings.wrong(readings, found) == [], readings


@pytest.fixture(params=["00:05", "12:00", "23:55"])
def own_server(request, tmp_path):
    """Start this project's own server, with its bundled data, and yield its URL and how to start a program at the same time."""
    if not shutil.which("faketime"):
        pytest.skip("faketime is not installed")
    prefix = ["faketime", "-f", f"@2026-11-29 {request.param}:00"]
    process = flask("run", "--port", "0", DATABASE=tmp_path / "conversions.sqlite")
    process["args"] = [*prefix, *process["args"]]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(**process, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not (running := re.search(r"Running on (http://\S+)\s", (tmp_path / "log").read_text())):
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.05)
        yield running[1], prefix
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


FILTERS = {
    "YOUR_API_KEY": [],
    "boundaries": ["source=google.com", "campaign=60-in-one-session", "campaign=tied-timestamps"],
    "sparse": ["source=google.com", "medium=organic"],
    "published-sample": [],
    "dense": [],
}


def test_our_own_server_has_no_difference(own_server):
    url, prefix = own_server
    options = ["--base-url", url, "--strict-readings", "--over-limit-key", "over-limit", "-p", "no:cacheprovider", "-p", "no:xdist"]
    for key, filters in FILTERS.items():
        chosen = [f"--session-filter={pair}" for pair in filters]
        command = [*prefix, sys.executable, "-m", "pytest", str(KIT), "--api-key", key, *options, *chosen]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(KIT))
        assert "0 differ from the text, 0 from our reading, " in done.stdout, done.stdout
        assert done.returncode in (0, 5), done.stdout
