"""The conformance kit in tests/contract finds planted defects, names the sentence that each breaks, and accepts other readings."""

import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests import endpoint
from tests.conftest import Hub
from tests.tools import defects
from tests.tools.defects import DEFECTS, KINDS, KIT, check_all

# One defect of each kind. `python -m tests.tools.defects` runs all of them.
PLANTED = """
    TotalIsAString NothingFoundIs404 TimestampInLocalTime KeyInAnotherCase CharsetRefused OtherAccountsConversions NoRetryAfter
    HasMoreAlwaysFalse ProcessedOfThisPageOnly SessionTotalCappedAtAThousand PageOf49 OffsetOneLess HugeOffsetFails
    EndDateIsExcluded EndDateAtMidnightInSessionQueries DatesInLocalTime TimeZonesIgnored DefaultOf29Days
    WindowClampedTo30Days SuffixesMatch CaseOfCampaignIgnored FiltersTrimmed QuotationMarkFails NonAsciiFails EmptyFiltersIgnored
    MediumIgnored TermIgnoredNextToOthers ContentAndTermSwapped LandingPageFromConversionPage BatchesOf100 OneBatchPerPage
    NeverStops StopsOver50 SessionLostAtEachBoundary OffsetAsAString
""".split()
# Readings that earlier versions of the kit reported as defects.
OTHER_READINGS = """
    CutAt50 TimestampIsTheSessionsStart WindowIsTheSessionsStart PoolByTheSessionsStart IsoTimestamps Milliseconds MoreFields
    TrailingCommaRefused DefaultFromMidnight
""".split()


@pytest.fixture(scope="module")
def outcomes() -> dict[str, defects.Outcome]:
    return {outcome.name: outcome for outcome in check_all(["Endpoint", *PLANTED, *OTHER_READINGS])}


def test_the_small_server_responds_like_ours(tmp_path):
    own = endpoint.sessions(40)
    hub = Hub(tmp_path / "conversions.sqlite", now="2025-11-20T12:00:00Z")
    hub.load(own, "example.com", endpoint.KEY)
    small = defects.InProcess(endpoint.Endpoint, own)
    filters = [
        {},
        {"source": "google.com"},
        {"campaign": "brand-search", "term": "attribution software"},
        {"landing_page": "https://example.com/pricing", "meta_type": "html_form"},
        {"conversion_page": "https://www.example.com/newsletter/"},
        {"medium": ""},
        {"source": "nobody"},
    ]
    windows = [
        {},
        {"start_date": "2025-11-01", "end_date": "2025-11-03"},
        {"start_date": "2025-10-20T10:00:00+02:00", "end_date": "2025-11-10 12:00:00.5"},
        {"end_date": "2025-11-10"},
        {"start_date": "2025-11-12", "end_date": "2025-11-11"},
    ]
    offsets = [{}, {"offset": 1}, {"offset": 50}, {"offset": 200}, {"offset": 10_000}]
    bodies = [json.dumps(one | two | three) for one in filters for two in windows for three in offsets]
    wrong = ["{", "[]", '{"offset": -1}', '{"offset": "1"}', '{"sorce": "a"}', '{"source": null}', '{"end_date": "2025-02-30"}']
    headers = {"Authentication": endpoint.KEY, "Content-Type": "application/json"}
    for body in [*bodies, *wrong, "", '{"source": "google.com",}']:
        status, _, found = small.call(body.encode(), "POST", "", headers)
        ours = hub.post(body, endpoint.KEY)
        assert status == ours.status_code, body
        if status == 200:
            assert json.loads(found) == ours.json, body


def test_the_kit_finds_no_difference_in_the_small_server(outcomes):
    outcome = outcomes["Endpoint"]
    assert outcome.status == 0, outcome.output
    assert outcome.last_line.startswith("0 differ from the text, 0 from our reading, "), outcome.output


@pytest.mark.parametrize("name", PLANTED)
def test_the_kit_finds_a_defect_and_names_the_sentence(outcomes, name):
    outcome = outcomes[name]
    lines = outcome.differences + outcome.other_readings
    assert any(DEFECTS[KINDS[name]] in line for line in lines), outcome.output
    assert outcome.status == (1 if outcome.differences else 0)


@pytest.mark.parametrize("name", OTHER_READINGS)
def test_the_kit_does_not_report_another_reading_as_a_defect(outcomes, name):
    outcome = outcomes[name]
    assert outcome.differences == []
    assert outcome.status == 0, outcome.output


def test_the_kit_says_where_a_reading_differs_from_ours(outcomes):
    lines = {name: " ".join(outcomes[name].other_readings) for name in OTHER_READINGS}
    assert "all conversions of its batches" in lines["CutAt50"]
    assert "a comma after the last member" in lines["TrailingCommaRefused"]
    assert "it begins at this time of day" in lines["DefaultFromMidnight"]
    assert "every timestamp is written like that" in lines["IsoTimestamps"]


def test_the_most_important_checks_need_60_calls():
    for outcome in check_all(["EndDateIsExcluded", "SessionLostAtEachBoundary", "DefaultOf7Days"], "--max-calls=60"):
        assert any(DEFECTS[KINDS[outcome.name]] in line for line in outcome.differences), outcome.output
        assert "the 60 calls of --max-calls are used up" in outcome.output


# Trouble


@pytest.fixture(scope="module")
def trouble() -> dict[str, defects.Outcome]:
    names = [kind.__name__ for kind in defects.TROUBLE]
    return {outcome.name: outcome for outcome in check_all(names, "--max-calls=100")}


def test_a_redirect_is_not_followed(trouble):
    assert trouble["Redirects"].status == 4


def test_a_request_that_fails_is_sent_again(trouble):
    for name in ["EveryFifthCallFails", "EveryFiftiethCallWaits"]:
        assert trouble[name].differences == [], trouble[name].output


def test_a_run_that_the_limit_ends_is_not_a_success(trouble):
    outcome = trouble["LimitAfter22Calls"]
    assert outcome.status == 5
    assert "the server takes no more calls of this key: 429" in outcome.output


def test_data_that_changes_during_the_run_is_reported(trouble):
    assert "The data is changing" in trouble["DataThatChanges"].output


def test_a_missing_field_is_reported_once(trouble):
    (difference,) = trouble["TimestampsMissing"].differences
    assert "When the session started" in difference
    assert "timestamp is missing" in difference


def test_a_total_of_the_wrong_type_is_reported_once(outcomes):
    assert len(outcomes["TotalIsAString"].differences) == 1
    assert outcomes["TotalIsAString"].other_readings == []


def test_email_addresses_and_keys_are_not_shown(outcomes):
    for outcome in outcomes.values():
        assert "@mail.example" not in outcome.output
        assert endpoint.OTHER_KEY not in outcome.output


def test_a_report_and_junit_xml_are_written(tmp_path):
    report, junit = tmp_path / "report.md", tmp_path / "junit.xml"
    list(check_all(["EndDateIsExcluded"], f"--report={report}", f"--junitxml={junit}", "--max-calls=60"))
    rows = [line for line in report.read_text(encoding="utf-8").splitlines() if "before or on this date" in line]
    assert any("| differs from the text |" in row and "POST" in row for row in rows)
    failures = [failure.get("message") for failure in ElementTree.parse(junit).iter("failure")]
    assert failures
    assert all(message.startswith("differs from the text: “") for message in failures), failures


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--base-url=http://127.0.0.1:99999", "--api-key=k"], "Port out of range"),
        (["--base-url=HTTP://127.0.0.1:1", "--api-key=k"], "does not respond"),
        (["--base-url=127.0.0.1:5000", "--api-key=k"], "give a URL such as"),
        (["--base-url=http://127.0.0.1:1", "--api-key=ключ"], "cannot be sent in a header"),
        (["--base-url=http://127.0.0.1:1"], "Give both --base-url and --api-key"),
        (["--base-url=http://127.0.0.1:1", "--api-key=k", "--session-filter=sorce=a"], "NAME=VALUE"),
    ],
)
def test_a_wrong_option_is_explained_in_a_sentence(options, sentence):
    command = [sys.executable, "-m", "pytest", str(KIT), "-p", "no:cacheprovider", *options]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_the_folder_can_be_copied_elsewhere():
    """It imports only itself, pytest and the standard library."""
    allowed = {*sys.stdlib_module_names, "pytest", *(path.stem for path in KIT.glob("*.py"))}
    for path in KIT.glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "from ")):
                assert line.split()[1].partition(".")[0] in allowed, (path.name, line)
