"""The conformance kit calls no right server wrong, whatever its data: 100 random accounts, and every other reading of the text."""

import os
import subprocess
import sys
from datetime import datetime

import pytest

from tests.conftest import SERVERS, Hub
from tests.endpoint import KEY, Endpoint
from tests.readings_endpoint import ReadingsEndpoint
from tests.tools import learnt_readings, random_accounts
from tests.tools.defects import OWN
from tests.tools.kit_in_process import KIT, InProcess, checks, run_checks

COUNT, PARTS = 100, 4  # `python -m tests.tools.random_accounts 200` draws more
PAIRS = 24  # `python -m tests.tools.learnt_readings 100` tries a hundred


@pytest.mark.parametrize("part", range(PARTS))
def test_random_accounts_are_not_blamed(part):
    found = random_accounts.blamed(range(part * COUNT // PARTS, (part + 1) * COUNT // PARTS))
    assert [finding for finding in found.findings if not finding[1].is_reading] == []
    assert found.held > 100 * COUNT // PARTS


@pytest.mark.parametrize("max_calls", [10, 20, 40, 80])
def test_few_calls_are_no_reason_to_blame(max_calls):
    assert run_checks(checks(), InProcess(Endpoint(OWN)).send, KEY, max_calls=max_calls).findings == []


def test_pages_that_are_cut_after_one_session_are_not_blamed():
    """So a walk can have more pages than a fiftieth of its total."""
    account = random_accounts.account(62)  # 30 sessions with up to 40 conversions each
    server = ReadingsEndpoint({"page": "cut"}, account.sessions, now=account.now)
    found = run_checks(checks(), InProcess(server, account.now).send, KEY)
    assert [finding for finding in found.findings if not finding.is_reading] == []


@pytest.mark.parametrize("part", range(4))
def test_each_reading_is_learnt_and_not_blamed(part):
    for readings in learnt_readings.singles_with_forms_together()[part::4]:
        found = learnt_readings.learn(readings, all_checks=True)
        assert [finding for finding in found.findings if not finding.is_reading] == [], readings
        assert learnt_readings.wrong(readings, found) == [], readings
        assert readings.keys() <= found.survey.shown_readings.keys(), readings


@pytest.mark.parametrize("part", range(2))
def test_pairs_of_readings_are_learnt(part):
    for readings in learnt_readings.pairs(PAIRS)[part::2]:
        assert learnt_readings.wrong(readings, learnt_readings.learn(readings)) == [], readings


# The bundled accounts, with session filters that find something.
FILTERS = {
    "YOUR_API_KEY": [],
    "boundaries": ["source=google.com", "campaign=60-in-one-session", "campaign=tied-timestamps"],
    "sparse": ["source=google.com", "medium=organic"],
    "published-sample": [],
    "dense": [],
}


@pytest.mark.parametrize(("time", "keys"), [("00:05", FILTERS), ("12:00", ["YOUR_API_KEY"]), ("23:55", ["boundaries"])])
def test_our_own_server_has_no_difference_at_any_time_of_day(time, keys, tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", now=f"2026-11-29T{time}:00Z")
    assert hub.run("seed").exit_code == 0
    send = InProcess(hub.app, datetime.fromisoformat(hub.now)).send
    for key in keys:
        found = run_checks(checks(), send, key, session_filters=FILTERS[key], over_limit_key="over-limit")
        assert found.findings == [], key
        assert found.held > 50, key


def test_readings_of_the_bundled_data_are_not_blamed(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", now="2025-12-28T09:00:00Z", MOCK="1", READING="window=associated pool=converting")
    assert hub.run("seed").exit_code == 0
    found = run_checks(checks(), InProcess(hub.app, datetime.fromisoformat(hub.now)).send, "YOUR_API_KEY")
    assert [finding for finding in found.findings if not finding.is_reading] == []
    assert found.survey.shown_readings["window"].value == "associated"


def test_our_own_server_has_no_difference_over_http_and_by_its_real_clock(tmp_path):
    with SERVERS["flask run"](Hub(tmp_path / "conversions.sqlite", now="")) as (host, port):
        command = [sys.executable, "-m", "pytest", str(KIT), "--api-key", "boundaries", "--base-url", f"http://{host}:{port}"]
        options = ["--strict-readings", "--over-limit-key=over-limit", "-pno:cacheprovider"]
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False, cwd=KIT)
    assert "0 differ from the text, 0 from our reading, " in done.stdout, done.stdout
    assert done.returncode in (0, 5), done.stdout
