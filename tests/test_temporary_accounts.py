"""Temporary accounts: created with the given sessions or records, and deleted with everything in them."""

import json
import sqlite3
from contextlib import closing

import pytest
from conversions_api.mock.states import LARGEST_BODY

from tests.conftest import Hub, a_conversion, a_session


@pytest.fixture(scope="module")
def mocking(tmp_path_factory) -> Hub:
    hub = Hub(tmp_path_factory.mktemp("accounts") / "conversions.sqlite", MOCK="1")
    assert hub.run("seed").exit_code == 0
    hub.load([a_session(conversions=[a_conversion()])], "imported.example", "imported")
    return hub


def create(hub: Hub, sessions: list[dict], **more) -> dict:
    response = hub.client.post("/_mock/accounts", json={"sessions": sessions} | more)
    assert response.status_code == 201, response.text
    return response.json


@pytest.mark.decision(52)
def test_a_temporary_account_has_its_own_key_and_domain_and_the_given_sessions(mocking):
    sessions = [a_session(referrer="https://www.google.com/", conversions=[a_conversion()] * 3), a_session()]
    one, other = create(mocking, sessions), create(mocking, [])
    assert other.keys() == {"key", "domain", "sessions", "conversions"}
    assert (one["sessions"], one["conversions"], other["conversions"]) == (2, 3, 0)
    assert one["key"] != other["key"]
    assert one["domain"] != other["domain"]
    assert len(mocking.everything({"source": "google.com"}, one["key"])) == 3
    assert "message" in mocking.ask({}, other["key"])


def test_the_response_has_the_window_of_the_data_and_a_hint_if_a_request_without_dates_finds_nothing(mocking):
    days = [a_conversion(timestamp=f"2025-{day} 10:00:00") for day in ("03-05", "02-01")]
    old = create(mocking, days)
    assert (old["start_date"], old["end_date"]) == ("2025-02-01", "2025-03-05")
    assert "A request without dates covers the last 30 days and finds none of these" in old["hint"]
    assert "message" in mocking.ask({}, old["key"])
    window = {name: old[name] for name in ("start_date", "end_date")}
    assert mocking.ask(window, old["key"])["pagination"]["total_records"] == 2
    assert "hint" not in create(mocking, [*days, a_conversion()])


@pytest.mark.parametrize("account", ["temporary", "state"])
def test_data_that_was_imported_into_a_temporary_account_survives_a_reset(mocking, account):
    if account == "state":
        mocking.client.post("/_mock/states", json={"state": "a number of conversions", "params": {"count": 2}})
    made = {"domain": "state.example"} if account == "state" else create(mocking, [], domain="kept.example")
    mocking.load([a_session(conversions=[a_conversion()])], made["domain"], f"kept {account}".replace(" ", "-"), "--replace")
    assert mocking.client.post("/_mock/reset").status_code == 200
    assert mocking.ask({}, f"kept-{account}")["pagination"]["total_records"] == 1
    assert mocking.run("accounts", "delete", made["domain"]).exit_code == 0


def test_records_are_accepted_exactly_as_the_api_returns_them(mocking):
    records = mocking.ask({}, "YOUR_API_KEY")["records"]
    account = create(mocking, records)
    assert (account["sessions"], account["conversions"]) == (50, 50)
    assert sorted(mocking.ask({}, account["key"])["records"], key=json.dumps) == sorted(records, key=json.dumps)
    landed = mocking.ask({"landing_page": records[0]["conversion_page"]}, account["key"])
    assert landed["records"]
    assert "message" in mocking.ask({"source": "google.com"}, account["key"])


def test_domain_and_monthly_limit_can_be_given(mocking):
    session = a_session(referrer="https://www.shop.example/", conversions=[a_conversion()])
    account = create(mocking, [session], domain="shop.example", monthly_limit=2)
    assert account["domain"] == "shop.example"
    assert mocking.ask({"source": "(direct)"}, account["key"])["records"]  # the referrer is on the account's own domain
    assert mocking.post("{}", account["key"]).status_code == 200
    assert mocking.post("{}", account["key"]).json["limit"] == 2
    mocking.client.delete(f"/_mock/accounts/{account['key']}")


def test_deleting_a_temporary_account_deletes_everything_in_it(mocking):
    account = create(mocking, [a_session(conversions=[a_conversion()])], domain="gone.example")
    assert mocking.client.delete(f"/_mock/accounts/{account['key']}").status_code == 204
    assert mocking.post("{}", account["key"]).status_code == 401
    assert mocking.client.delete(f"/_mock/accounts/{account['key']}").status_code == 404
    again = create(mocking, [], domain="gone.example")
    assert "message" in mocking.ask({}, again["key"])
    with closing(sqlite3.connect(mocking.path)) as connection:
        assert connection.execute("SELECT count(*) FROM sessions WHERE account_id NOT IN (SELECT id FROM accounts)").fetchone() == (
            0,
        )


def test_a_reset_deletes_all_temporary_accounts(mocking):
    accounts = [create(mocking, [a_conversion()]) for _ in range(3)]
    assert mocking.client.post("/_mock/reset").status_code == 200
    assert [mocking.post("{}", account["key"]).status_code for account in accounts] == [401] * 3
    assert mocking.ask({}, "imported")["pagination"]["total_records"] == 1


@pytest.mark.decision(53)
@pytest.mark.parametrize("key", ["imported", "YOUR_API_KEY", "over-limit", "nobody"])
def test_only_temporary_accounts_can_be_deleted(mocking, key):
    before = mocking.post("{}", key).json
    response = mocking.client.delete(f"/_mock/accounts/{key}")
    assert (response.status_code, response.json) == (404, {"error": "No temporary account has this key."})
    assert mocking.post("{}", key).json == before


@pytest.mark.parametrize("domain", ["imported.example", "example.com", "dense.example"])
def test_a_domain_that_already_has_an_account_returns_409(mocking, domain):
    response = mocking.client.post("/_mock/accounts", json={"sessions": [a_conversion()], "domain": domain})
    assert response.status_code == 409
    assert domain in response.json["error"]


def test_without_mock_mode_there_are_no_temporary_accounts(bundled):
    assert bundled.client.post("/_mock/accounts", json={"sessions": []}).status_code == 404
    assert bundled.client.delete("/_mock/accounts/YOUR_API_KEY").status_code == 404


AT_NOON = a_conversion(timestamp="noon")
TWICE = a_session(session_id="a")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "sessions"),
        ({"sessions": None}, "sessions"),
        ({"sessions": {}}, "sessions"),
        ({"sessions": [5]}, "sessions.0"),
        ({"sessions": [a_session()] * 3 + [a_session(conversions=[AT_NOON])]}, "sessions.3.conversions.0.timestamp"),
        (
            {"sessions": [a_session(conversions=[a_conversion(timestamp="2025-08-01 09:00:00")])]},
            "sessions.0.conversions.0.timestamp",
        ),
        ({"sessions": [a_conversion(), AT_NOON]}, "sessions.1.timestamp"),
        ({"sessions": [a_conversion(conversion_page="/thanks")]}, "sessions.0.conversion_page"),
        ({"sessions": [{"conversion_page": "https://shop.example/"}]}, "sessions.0.timestamp"),
        ({"sessions": [a_conversion(referrer="https://www.google.com/")]}, "sessions.0.referrer"),
        ({"sessions": [TWICE, a_session(session_id="b"), TWICE]}, "sessions.2.session_id"),
        ({"sessions": [a_session()] * 10_001}, "sessions"),
        ({"sessions": [], "monthly_limit": -1}, "monthly_limit"),
        ({"sessions": [], "domain": "www.shop.example"}, "domain"),
        ({"sessions": [], "domain": "a b"}, "domain"),
        ({"sessions": [], "key": "mine"}, "key"),
    ],
)  # fmt: skip
def test_a_fault_returns_a_400_that_names_the_field_by_index_and_nothing_is_created(mocking, body, field):
    before = count_accounts(mocking)
    response = mocking.client.post("/_mock/accounts", json=body)
    assert response.status_code == 400
    assert field in response.json["fields"]
    assert count_accounts(mocking) == before


def count_accounts(hub: Hub) -> int:
    with closing(sqlite3.connect(hub.path)) as connection:
        return connection.execute("SELECT count(*) FROM accounts").fetchone()[0]


def test_a_body_of_4_mib_is_accepted_and_one_byte_more_returns_a_413_that_says_so(mocking):
    body = json.dumps({"sessions": [a_conversion()]}).encode()
    largest = body + b" " * (LARGEST_BODY - len(body))
    assert mocking.client.post("/_mock/accounts", data=largest, content_type="application/json").status_code == 201
    response = mocking.client.post("/_mock/accounts", data=largest + b" ", content_type="application/json")
    assert (response.status_code, "4194304" in response.json["error"]) == (413, True)
