"""The mock features: CORS, forced errors and delays, reset, and provider states; also health checks and Server-Timing."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conversions_api import api, schemas
from conversions_api.body import LARGEST_BODY
from conversions_api.loading import traffic
from conversions_api.mock import faults
from conversions_api.openapi.document import ERRORS

from tests.conftest import NOW, Hub, a_conversion, a_session, check_with_the_document

BROWSER = {"Origin": "http://localhost:5173"}
PREFLIGHT = BROWSER | {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authentication,content-type,prefer",
}


@pytest.fixture(scope="module")
def mock(tmp_path_factory) -> Hub:
    """Provide a server in mock mode with the bundled data."""
    hub = Hub(tmp_path_factory.mktemp("mock") / "conversions.sqlite", MOCK="1")
    assert hub.run("seed").exit_code == 0
    return hub


def prefer(hub: Hub, preference: str, key: str | None = "YOUR_API_KEY"):
    return hub.post("{}", key, headers={"Prefer": preference})


# Off by default


@pytest.mark.decision(33)
def test_mock_features_are_off_without_mock_mode(bundled):
    assert bundled.client.post("/_mock/reset").status_code == 404
    assert bundled.client.get("/_mock/states").status_code == 404
    response = bundled.post("{}", "YOUR_API_KEY", headers=BROWSER | {"Prefer": "code=503, delay=9000"})
    assert response.status_code == 200
    assert not {"Access-Control-Allow-Origin", "Preference-Applied"} & set(response.headers.keys())
    assert bundled.client.options(api.PATH, headers=PREFLIGHT).status_code == 405


# CORS


def test_a_preflight_needs_no_key_and_allows_the_headers_of_the_endpoint(mock):
    response = mock.client.options(api.PATH, headers=PREFLIGHT)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] in ("*", BROWSER["Origin"])
    assert response.headers["Access-Control-Allow-Headers"] == "authentication, content-type, prefer"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("status", [200, *ERRORS])
def test_a_browser_can_read_every_response_including_errors(mock, status):
    response = mock.post("{}", "YOUR_API_KEY", headers=BROWSER | {"Prefer": f"code={status}"})
    assert response.headers["Access-Control-Allow-Origin"] in ("*", BROWSER["Origin"])
    assert "Server-Timing" in response.headers["Access-Control-Expose-Headers"]


def test_origins_can_be_allowed_without_mock_mode(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", ORIGINS="https://app.example https://demo.example")
    for origin, allowed in [("https://app.example", True), ("https://demo.example", True), ("https://other.example", False)]:
        response = hub.client.options(api.PATH, headers=PREFLIGHT | {"Origin": origin})
        assert response.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)


# Forced errors and delays


@pytest.mark.decision(34)
@pytest.mark.parametrize("status", ERRORS)
def test_a_forced_code_returns_what_the_endpoint_returns_for_that_status(mock, status):
    response = prefer(mock, f"code={status}", key=None)
    assert response.status_code == status
    assert response.headers["Preference-Applied"] == f"code={status}"
    check_with_the_document(response)


@pytest.mark.parametrize(
    ("status", "real_request"),
    [
        (400, {"body": '{"sorce": "google.com"}'}),
        (401, {"body": "{}", "key": None}),
        (413, {"body": " " * (LARGEST_BODY + 1)}),
        (415, {"body": "{}", "content_type": "text/plain"}),
    ],
)
def test_a_forced_error_has_the_body_of_the_real_error(mock, status, real_request):
    real = mock.post(**({"key": "YOUR_API_KEY"} | real_request))
    assert (real.status_code, real.json) == (status, prefer(mock, f"code={status}").json)


def test_a_forced_200_changes_nothing_and_is_not_applied_to_an_error(mock):
    response = prefer(mock, "code=200")
    assert response.json == mock.ask({}, "YOUR_API_KEY")
    assert response.headers["Preference-Applied"] == "code=200"
    response = prefer(mock, "code=200", key=None)
    assert response.status_code == 401
    assert "Preference-Applied" not in response.headers


@pytest.mark.parametrize("code", ["418", "500", "abc", "", "0429"])
def test_an_undocumented_code_returns_a_400_that_lists_the_documented_codes(mock, code):
    response = prefer(mock, f"code={code}")
    assert response.status_code == 400
    assert "200, 400, 401, 405, 413, 415, 429, 503" in response.json["error"]


def test_a_delay_in_the_prefer_header_delays_the_response(mock):
    started = time.monotonic()
    response = prefer(mock, "delay=120")
    assert 0.12 <= time.monotonic() - started < 5
    assert (response.status_code, response.headers["Preference-Applied"]) == (200, "delay=120")


@pytest.mark.decision(50)
@pytest.mark.parametrize(
    "preference",
    [
        "delay=50, code=429",
        "code=429;delay=50",
        'code="429" , delay="50"',
        "CODE=429 , Delay = 50",
        'note="a, code=503", code=429, delay=50, code=503, delay=9000',
        'note="an escaped \\" and, code=503", code=429, delay=50',
        "respond-async; code=503, code=429, wait=9, delay=50",
        'delay=50; note="a; code=503"; code=429',
    ],
)
def test_preferences_can_be_combined(mock, preference):
    response = prefer(mock, preference)
    assert response.status_code == 429
    assert response.headers["Preference-Applied"] == "delay=50, code=429"


def test_the_prefer_header_can_be_sent_more_than_once(mock):
    response = mock.client.post(api.PATH, headers=[("Prefer", "code=429"), ("Prefer", "delay=50")])
    assert (response.status_code, response.headers["Preference-Applied"]) == (429, "delay=50, code=429")


@pytest.mark.parametrize(
    ("preference", "seconds"), [("code=429", "5"), ("code=429, retry-after=2", "2"), ("code=429; Retry-After=0", "0")]
)
def test_a_forced_429_has_a_short_retry_after_by_default(mock, preference, seconds):
    """A client that waited as long as a real 429 says would sleep until the next month."""
    response = prefer(mock, preference)
    assert (response.status_code, response.headers["Retry-After"]) == (429, seconds)
    assert ("retry-after" in response.headers["Preference-Applied"]) == ("etry-" in preference.lower())


def test_another_forced_error_has_the_preferred_retry_after_and_none_by_default(mock):
    response = prefer(mock, "code=503, retry-after=3")
    assert (response.headers["Retry-After"], response.headers["Preference-Applied"]) == ("3", "code=503, retry-after=3")
    assert "Retry-After" not in prefer(mock, "code=503").headers


def test_a_real_429_keeps_its_retry_after(mock):
    response = mock.post("{}", "over-limit", headers={"Prefer": "retry-after=2"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, str(16 * 86_400 + 43_200))
    assert "Preference-Applied" not in response.headers


@pytest.mark.parametrize("seconds", ["abc", "-1", "1.5", "", "9999999999"])
def test_a_retry_after_that_is_not_a_number_of_seconds_returns_400(mock, seconds):
    response = prefer(mock, f"code=429, retry-after={seconds}")
    assert response.status_code == 400
    assert f"retry-after={seconds} is wrong" in response.json["error"]


def test_a_delay_is_at_most_ten_seconds(tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(faults.time, "sleep", slept.append)
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1", DELAY="999999")
    assert hub.post("{}", None).status_code == 401
    assert prefer(hub, "code=401, delay=888888").headers["Preference-Applied"] == "delay=10000, code=401"
    assert slept == [10, 10]


@pytest.mark.parametrize("delay", ["abc", "-1", "1.5", "", "1e3"])
def test_a_delay_that_is_not_a_number_of_milliseconds_returns_400(mock, delay):
    response = prefer(mock, f"delay={delay}")
    assert response.status_code == 400
    assert "milliseconds" in response.json["error"]


@pytest.mark.parametrize(
    "preference",
    [
        "return=minimal",
        "respond-async, wait=10",
        "example=page",
        "",
        ";;,,=",
        "code",
        'note="a, code=503"',
        "note; code=503",
        "xcode=503",
        'note="code=503',
    ],
)
def test_other_preferences_are_ignored(mock, preference):
    response = prefer(mock, preference)
    assert response.status_code == 200
    assert "Preference-Applied" not in response.headers


def test_the_delay_setting_delays_every_response(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1", DELAY="80")
    started = time.monotonic()
    assert hub.post("{}", None).status_code == 401
    assert time.monotonic() - started >= 0.08


def test_a_preferred_delay_replaces_that_of_the_setting_also_if_it_is_0(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1", DELAY="3000")
    started = time.monotonic()
    assert prefer(hub, "code=401, delay=0").status_code == 401
    assert time.monotonic() - started < 2


# Reset


@pytest.mark.decision(35)
def test_a_reset_restores_the_data_of_a_first_start_and_keeps_imported_accounts(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1")
    hub.load([a_session(conversions=[a_conversion()])], "shop.example", "mine", "--monthly-limit", "9")
    hub.run("seed", "--as-of", "2025-07-10")
    hub.client.post("/_mock/states", json={"state": "the clock at an instant", "params": {"now": "2025-12-01T00:00:00Z"}})
    assert hub.client.post("/_mock/reset").status_code == 200
    assert [hub.ask({}, account["key"]) for account in traffic.accounts()[:-1]] == [
        fresh.ask({}, account["key"]) for fresh in [seeded(tmp_path)] for account in traffic.accounts()[:-1]
    ]
    assert hub.ask({}, "mine")["pagination"]["total_records"] == 1
    assert hub.post("{}", "state").status_code == 401


def seeded(folder) -> Hub:
    hub = Hub(folder / "fresh.sqlite")
    hub.run("seed")
    return hub


@pytest.mark.parametrize("path", ["/_mock/reset", "/_mock/states"])
def test_a_reset_leaves_out_a_bundled_account_whose_key_belongs_to_an_imported_account(tmp_path, path):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1")
    hub.load([a_session(conversions=[a_conversion()])], "shop.example", "dense")
    response = hub.client.post(path, json={"state": "an exhausted limit"})
    assert response.status_code == 200
    assert hub.ask({}, "dense")["pagination"]["total_records"] == 1
    assert hub.ask({}, "YOUR_API_KEY")["records"]


def test_a_state_returns_409_if_an_imported_account_has_its_domain_and_leaves_that_account_unchanged(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1")
    hub.load([a_session(conversions=[a_conversion()])], "state.example", "mine")
    for state in (
        {"state": "a number of conversions", "params": {"count": 2}},
        {"state": "these sessions", "params": {"sessions": []}},
    ):
        response = hub.client.post("/_mock/states", json=state)
        assert (response.status_code, "state.example" in response.json["error"]) == (409, True)
    assert hub.client.post("/_mock/reset").status_code == 200
    assert hub.ask({}, "mine")["pagination"]["total_records"] == 1


def test_a_reset_returns_409_if_there_is_no_data_for_the_current_day(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", now="1999-12-31T00:00:00Z", MOCK="1")
    response = hub.client.post("/_mock/reset")
    assert (response.status_code, "1999-12-31" in response.json["error"]) == (409, True)


def test_an_internal_error_during_a_reset_returns_500_not_409(tmp_path, monkeypatch):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1")
    hub.app.testing = False

    def broken(*args):
        raise ValueError("an internal secret")

    monkeypatch.setattr("conversions_api.loading.sessions.seed", broken)
    response = hub.client.post("/_mock/reset")
    assert response.status_code == 500
    assert "secret" not in response.text


# Provider states


def set_state(hub: Hub, state: str, **params):
    response = hub.client.post("/_mock/states", json={"state": state, "action": "setup", "params": params})
    assert response.status_code == 200, response.text
    return response.json


@pytest.mark.decision(36)
@pytest.mark.parametrize("count", [0, 1, 50, 51, 250])
def test_a_state_can_be_a_number_of_conversions(mock, count):
    key = set_state(mock, "a number of conversions", count=count)["key"]
    assert len(mock.everything({}, key)) == count
    assert len(mock.everything({"source": "google.com"}, key)) == count


@pytest.mark.parametrize("count", [1, 200, 427])
def test_a_state_can_be_a_number_of_sessions(mock, count):
    key = set_state(mock, "a number of sessions", count=count)["key"]
    assert mock.ask({"source": "google.com"}, key)["pagination"]["total_records"] == count


def test_a_state_can_be_these_sessions(mock):
    record = a_conversion(email="one@example.org")
    visit = a_session(referrer="https://www.google.com/", conversions=[a_conversion(email="two@example.org")] * 2)
    assert set_state(mock, "these sessions", sessions=[record, visit]) == {"key": "state", "domain": "state.example"}
    assert mock.ask({}, "state")["pagination"]["total_records"] == 3
    assert [record["email"] for record in mock.everything({"source": "google.com"}, "state")] == ["two@example.org"] * 2
    set_state(mock, "these sessions", sessions=[record], monthly_limit=1)
    assert mock.ask({}, "state")["records"] == [record]
    assert mock.post("{}", "state").status_code == 429
    mock.client.post("/_mock/reset")
    assert mock.post("{}", "state").status_code == 401


def test_a_state_can_be_an_exhausted_limit(mock):
    set_state(mock, "an exhausted limit", limit=7)
    response = mock.post("{}", "state")
    assert response.status_code == 429
    assert response.json == {"error": schemas.LIMIT_EXCEEDED, "limit": 7, "used": 7, "domain": "state.example"}


def test_a_state_can_be_the_clock_at_an_instant_with_the_data_of_that_day(mock):
    set_state(mock, "the clock at an instant", now="2025-07-20T00:00:00Z")
    newest = mock.ask({}, "YOUR_API_KEY")["records"][0]["timestamp"]
    assert newest.startswith("2025-07-19")
    mock.client.post("/_mock/reset")
    assert mock.ask({}, "YOUR_API_KEY")["records"][0]["timestamp"].startswith(NOW[:10])


@pytest.mark.parametrize("now", ["0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_clock_cannot_be_set_to_an_instant_without_data(mock, now):
    response = mock.client.post("/_mock/states", json={"state": "the clock at an instant", "params": {"now": now}})
    assert response.status_code == 400
    assert response.json["fields"] == {"params.now": ["Bundled data can be brought to a day of the years 2000 to 2099."]}
    assert mock.ask({}, "YOUR_API_KEY")["records"]


@pytest.mark.parametrize("account", traffic.accounts(), ids=lambda account: account["key"])
def test_a_state_can_be_any_bundled_account(mock, account):
    assert set_state(mock, f"the key {account['key']}") == {"key": account["key"], "domain": account["domain"]}


def test_tearing_down_a_state_deletes_its_account(mock):
    set_state(mock, "a number of conversions", count=3)
    assert mock.client.post("/_mock/states", json={"state": "a number of conversions", "action": "teardown"}).json == {}
    assert mock.post("{}", "state").status_code == 401


def test_the_states_are_listed(mock):
    listed = {state["state"]: state["params"] for state in mock.client.get("/_mock/states").json["states"]}
    assert {"a number of conversions", "a number of sessions", "an exhausted limit", "the clock at an instant"} <= set(listed)
    assert listed["a number of conversions"] == ["count"]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"state": "a number of conversion", "params": {"count": 1}}, ["a number of conversions", "the key dense"]),
        ({"state": "a number of conversions"}, ["params.count"]),
        ({"state": "a number of conversions", "params": {"count": "3"}}, ["params.count"]),
        ({"state": "a number of conversions", "params": {"count": 10_001}}, ["params.count"]),
        ({"state": "a number of conversions", "params": {"cuont": 3}}, ["params.cuont"]),
        ({"state": "a number of conversions", "params": {"count": 1}, "action": "undo"}, ["action"]),
        ({"state": "a number of conversions", "params": [3]}, ["params"]),
        ({"state": "the clock at an instant", "params": {"now": "noon"}}, ["params.now"]),
        ({"state": "the key dense", "params": {"count": 3}}, ["Unknown field: there are none here."]),
        ({"state": "these sessions"}, ["params.sessions"]),
        ({"state": "these sessions", "params": {"sessions": [{"timestamp": 1}]}}, ["params.sessions.0.timestamp"]),
        ({"state": None}, ["state"]),
        ({}, ["state"]),
        ([], ["object"]),
    ],
)
def test_an_invalid_state_returns_400_with_a_message_and_changes_nothing(mock, body, names):
    before = mock.ask({}, "YOUR_API_KEY")
    response = mock.client.post("/_mock/states", json=body)
    assert response.status_code == 400
    assert all(name in response.text for name in names), response.text
    assert mock.ask({}, "YOUR_API_KEY") == before


# Health


def test_a_working_server_reports_alive_and_ready_without_a_key(bundled):
    assert bundled.client.get("/livez").status_code == bundled.client.get("/readyz").status_code == 200


def test_a_server_without_a_database_is_alive_and_says_why_it_is_not_ready(hub):
    assert hub.client.get("/livez").status_code == 200
    response = hub.client.get("/readyz")
    assert response.status_code == 503
    assert "database" in response.json["error"]
    assert not hub.path.exists()


# Server-Timing


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ({}, ['strategy;desc="direct"', 'batches;desc="0"', "sql;dur="]),
        ({"campaign": "400-sessions"}, ['strategy;desc="session"', 'batches;desc="1"', 'found;desc="50"']),
        ({"campaign": "empty-last-batch", "offset": 100}, ['batches;desc="2"', 'found;desc="25,0"']),
        ({"campaign": "400-sessions", "meta_id": "1-conversions"}, ['batches;desc="2"', 'found;desc="0*2"']),
    ],
)
def test_server_timing_shows_the_strategy_the_batches_and_what_they_found(bundled, query, parts):
    timing = bundled.client.post(api.PATH, json=query, headers={"Authentication": "boundaries"}).headers["Server-Timing"]
    assert all(part in timing for part in parts), timing


@pytest.mark.parametrize("key", ["boundaries", "over-limit", "unknown", None])
@pytest.mark.parametrize("body", ["{}", '{"offset": -1}', '{"source": "nowhere"}'])
def test_every_response_has_server_timing(bundled, key, body):
    assert "sql;dur=" in bundled.post(body, key).headers["Server-Timing"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_a_405_has_server_timing_and_is_logged_too(bundled, caplog, method):
    response = bundled.client.open(api.PATH, method=method)
    assert response.status_code == 405
    assert "sql;dur=" in response.headers["Server-Timing"]
    assert [record.getMessage() for record in caplog.records if record.name == "conversions_api"] == [f"{method} 405 sql;dur=0.00"]


def test_the_log_line_shows_server_timing_without_keys_or_email_addresses(bundled, caplog):
    response = bundled.post('{"campaign": "50-conversions", "meta_id": "visitor-1@mail.example"}', "boundaries")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "conversions_api"]
    assert line == f"POST 200 {response.headers['Server-Timing']}"


def test_states_that_are_set_up_at_the_same_time_do_not_mix(mock):
    def set_up(count: int) -> tuple[int, int]:
        body = {"state": "a number of conversions", "params": {"count": count}}
        return mock.app.test_client().post("/_mock/states", json=body).status_code, count

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(set_up, [1, 2, 3, 4])) == [(200, 1), (200, 2), (200, 3), (200, 4)]
    assert len(mock.ask({}, "state")["records"]) in (1, 2, 3, 4)


def test_a_state_that_cannot_be_set_up_changes_nothing(tmp_path):
    mock = Hub(tmp_path / "conversions.sqlite", MOCK="1")
    mock.load([a_session(conversions=[a_conversion()])], "state.example", "my-key")
    made = mock.client.post("/_mock/accounts", json={"sessions": []}).json
    response = mock.client.post("/_mock/states", json={"state": "an exhausted limit"})
    assert response.status_code == 409
    assert mock.post("{}", made["key"]).status_code == 200
