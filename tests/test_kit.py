"""The conformance kit in tests/contract finds planted defects, names the sentence that each breaks, and blames no other reading."""

import json

import pytest

from tests import defects, endpoint
from tests.conftest import Hub
from tests.defects import DEFECTS, KINDS, READINGS, check_all

# One defect of each kind. `python -m tests.defects` runs all of them.
PLANTED = """
    TotalIsAString NothingFoundIs404 TimestampInLocalTime KeyInAnotherCase CharsetRefused OtherAccountsConversions NoRetryAfter
    HasMoreAlwaysFalse ProcessedOfThisPageOnly SessionTotalCappedAtAThousand PageOf49 OffsetOneLess HugeOffsetFails
    EndDateIsExcluded EndDateAtMidnightInSessionQueries DatesInLocalTime TimeZonesIgnored DefaultOf29Days
    WindowClampedTo30Days SuffixesMatch CaseOfCampaignIgnored FiltersTrimmed QuotationMarkFails NonAsciiFails EmptyFiltersIgnored
    MediumIgnored TermIgnoredNextToOthers ContentAndTermSwapped LandingPageFromConversionPage BatchesOf100 OneBatchPerPage
    NeverStops StopsOver50 SessionLostAtEachBoundary OffsetAsAString
""".split()
# The readings that have been blamed.
OTHER_READINGS = """
    CutAt50 TimestampIsTheSessionsStart WindowIsTheSessionsStart PoolByTheSessionsStart IsoTimestamps Milliseconds MoreFields
    TrailingCommaRefused DefaultFromMidnight
""".split()
BRIEFLY = ["EndDateIsExcluded", "StopsOver50"]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, defects.Outcome]:
    return {outcome.name: outcome for outcome in check_all(["Endpoint", *PLANTED, *OTHER_READINGS])}


def test_the_small_server_answers_like_ours(tmp_path):
    own = endpoint.sessions(40)
    hub = Hub(tmp_path / "conversions.sqlite", now="2025-11-20T12:00:00Z")
    hub.load(own, "example.com", endpoint.KEY)
    plain = defects.InProcess(endpoint.Endpoint, own)
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
        status, _, found = plain.call(body.encode(), "POST", "", headers)
        ours = hub.post(body, endpoint.KEY)
        assert status == ours.status_code, body
        if status == 200:
            assert json.loads(found) == ours.json, body


def test_the_kit_finds_nothing_in_the_small_server(outcomes):
    outcome = outcomes["Endpoint"]
    assert outcome.status == 0, outcome.output
    assert outcome.last_line.startswith("0 differ from the text, 0 from our reading, "), outcome.output


@pytest.mark.parametrize("name", PLANTED)
def test_the_kit_finds_a_defect_and_names_the_sentence(outcomes, name):
    outcome = outcomes[name]
    told = outcome.differences + outcome.other_readings
    assert any(DEFECTS[KINDS[name]] in line for line in told), outcome.output
    assert outcome.status == (1 if outcome.differences else 0)


@pytest.mark.parametrize("name", OTHER_READINGS)
def test_the_kit_does_not_blame_another_reading(outcomes, name):
    outcome = outcomes[name]
    assert KINDS[name] in READINGS
    assert outcome.differences == []
    assert outcome.other_readings != [] or name in ("BothAreTheSessionsStart",), outcome.output
    assert outcome.status == 0


def test_the_most_important_checks_need_60_calls():
    for outcome in check_all(BRIEFLY, "--max-calls=60"):
        assert outcome.differences, outcome.output
        assert "60 calls of --max-calls are used up" in outcome.output
