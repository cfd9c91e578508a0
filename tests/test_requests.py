"""The list of requests shows what a client sent and what it got, and never a key."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from conversions_api import api

from tests.conftest import Hub, a_conversion, a_session

SECRET = "a-secret-key"
EXPLORER = {"X-Conversions-Explorer": "1"}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Hub:
    hub = Hub(tmp_path_factory.mktemp("requests") / "conversions.sqlite", MOCK="1")
    visit = a_session(referrer="https://www.google.com/", conversions=[a_conversion(conversion_meta={"type": "t", "id": "m"})])
    hub.load([visit] * 250, "shop.example", SECRET)
    hub.load([a_conversion()], "other.example", "other", "--monthly-limit", "1")
    return hub


@pytest.fixture
def mock(server) -> Hub:
    for kind in ("faults", "walks", "requests"):
        assert server.client.delete(f"/_mock/{kind}").status_code == 204
    return server


def listed(hub: Hub, parameters: str = "") -> list[dict]:
    response = hub.client.get(f"/_mock/requests{parameters}")
    assert response.status_code == 200, response.text
    return response.json["requests"]


@pytest.mark.decision(72)
def test_a_request_is_listed_with_what_was_sent_and_what_it_got(mock):
    before = datetime.now(UTC)
    sent = '{"source": "google.com",\n "offset": 50.0}'
    headers = {"User-Agent": "curl/8", "Prefer": "delay=20", "X-Api-Key": SECRET, "Authorization": f"Bearer {SECRET}"}
    mock.post(sent, SECRET, headers=headers)
    (entry,) = listed(mock)
    assert (
        before
        <= datetime.fromisoformat(entry.pop("at")).replace(microsecond=999_999)
        <= datetime.now(UTC).replace(microsecond=999_999)
    )
    assert 20 <= entry.pop("milliseconds") < 10_000
    assert entry.pop("number") >= 1
    assert entry.pop("walk") == mock.client.get("/_mock/walks").json["walks"][0]["number"]
    assert entry.pop("headers") == {
        "Host": "localhost",
        "User-Agent": "curl/8",
        "Content-Type": "application/json",
        "Content-Length": str(len(sent)),
        "Prefer": "delay=20",
        "X-Api-Key": "…",
        "Authorization": "…",
        "Authentication": "…",
    }
    assert entry == {
        "method": "POST",
        "status": 200,
        "domain": "shop.example",
        "user_agent": "curl/8",
        "body": sent,
        "error": None,
        "fields": None,
        "warning": None,
        "offset": 50,
        "records": 200,
        "records_processed": 250,
        "total_records": 250,
        "fault": None,
        "preference": "delay=20",
        "explorer": False,
    }


def test_refused_requests_are_listed_with_their_sentence_body_and_account(mock):
    mock.post('{"sorce": 1}', SECRET)
    mock.post("no key", None)
    mock.post('{"a": 1}', "unknown")
    mock.client.put(api.PATH, data="put", headers={"Authentication": SECRET})
    mock.client.post(f"{api.PATH}?source=google.com", data="url", headers={"Authentication": SECRET})
    mock.post("{}", SECRET, content_type="text/plain")
    for _ in range(2):
        mock.post("{}", "other")
    found = listed(mock)
    assert [(entry["status"], entry["domain"], entry["body"]) for entry in found] == [
        (400, "shop.example", '{"sorce": 1}'),
        (401, None, "no key"),
        (401, None, '{"a": 1}'),
        (405, "shop.example", "put"),
        (400, "shop.example", "url"),
        (415, "shop.example", "{}"),
        (200, "other.example", "{}"),
        (429, "other.example", "{}"),
    ]
    assert found[0]["error"] == "The body has faults in: sorce."
    assert found[1]["error"].startswith("The request has no key.")
    assert {entry["walk"] for entry in found if entry["status"] != 200} == {None}


def test_a_request_that_finds_nothing_is_listed_as_a_page_without_pagination(mock):
    mock.post('{"source": "nowhere"}', SECRET)
    (entry,) = listed(mock)
    assert [entry[name] for name in ("status", "records", "records_processed", "total_records")] == [200, 0, None, None]


def test_a_warning_is_listed_with_the_request_that_got_it(mock):
    for offset in (0, 50):
        mock.post(json.dumps({"source": "google.com", "offset": offset}), SECRET)
    first, second = listed(mock)
    assert first["warning"] is None
    assert second["warning"].startswith("offset 50 was requested, but the previous page ended at 200")
    assert first["walk"] == second["walk"]


def test_a_forced_response_is_listed_with_its_fault_or_preference(mock):
    ids = [mock.client.post("/_mock/faults", json=fault).json["id"] for fault in ({"code": 502}, {"drop": True}, {"delay": 1})]
    for _ in ids:
        with suppress(ConnectionResetError):
            mock.post("{}", SECRET)
    mock.post("{}", SECRET, headers={"Prefer": "code=429"})
    assert [(entry["fault"], entry["status"], entry["preference"], entry["domain"]) for entry in listed(mock)] == [
        (ids[0], 502, None, "shop.example"),
        (ids[1], None, None, "shop.example"),
        (ids[2], 200, None, "shop.example"),
        (None, 429, "code=429", "shop.example"),
    ]


def test_a_key_is_never_listed(mock):
    for headers in ({"Authorization": SECRET}, {"Cookie": SECRET}, {SECRET: "x"}, {"Referer": f"http://x/?key={SECRET}"}):
        mock.post("{}", SECRET, headers=headers)
    mock.client.post(f"{api.PATH}?key={SECRET}", headers={"Authentication": f"Bearer {SECRET}"})
    assert SECRET.title() not in mock.client.get("/_mock/requests").text.replace(SECRET.title() + '":"…"', "")
    assert SECRET not in mock.client.get("/_mock/requests").text


def test_a_body_is_listed_as_it_was_sent_up_to_2_kib(mock):
    for body in (b"\xff\xfe{", b'"' + b"x" * 5000, b"y" * 100_000):
        mock.post(body, SECRET)
    assert [entry["body"] for entry in listed(mock)] == ["\ufffd\ufffd{", '"' + "x" * 2047, ""]


def test_a_preflight_and_other_paths_are_not_listed(mock):
    mock.client.options(api.PATH, headers={"Origin": "http://localhost", "Access-Control-Request-Method": "POST"})
    for path in ("/readyz", "/_mock/states", "/api/v1/conversion"):
        mock.client.get(path)
    assert listed(mock) == []
    mock.client.options(api.PATH)
    assert [entry["status"] for entry in listed(mock)] == [405]


def test_the_last_500_are_kept_oldest_first_with_numbers_that_go_on(mock):
    first = mock.post("{}", SECRET) and listed(mock)[0]["number"]
    for _ in range(505):
        mock.post("{}", None)
    numbers = [entry["number"] for entry in listed(mock)]
    assert numbers == list(range(first + 6, first + 506))
    assert mock.client.delete("/_mock/requests").status_code == 204
    mock.post("{}", None)
    assert [entry["number"] for entry in listed(mock)] == [first + 506]


def test_the_list_can_be_filtered(mock):
    mock.post("{}", SECRET)
    mock.post("{bad", SECRET)
    mock.post("{}", None)
    mock.post("{}", "other", headers={"Prefer": "code=503"})
    number = listed(mock)[1]["number"]
    for parameters, expected in [
        ("?status=4xx", [400, 401]),
        ("?status=401", [401]),
        ("?status=2xx", [200]),
        ("?status=418", []),
        ("?domain=shop.example", [200, 400]),
        (f"?after={number}", [401, 503]),
        (f"?after={number}&status=5xx&domain=other.example", [503]),
        (f"?after={number + 1000}", [200, 400, 401, 503]),  # a number from before the server was started again
    ]:
        assert [entry["status"] for entry in listed(mock, parameters)] == expected, parameters


@pytest.mark.parametrize(
    "parameters", ["?status=x", "?status=4x", "?after=-1", "?after=", "?domain=", "?statsu=404", "?explorer=yes"]
)
def test_a_wrong_parameter_is_refused(mock, parameters):
    response = mock.client.get(f"/_mock/requests{parameters}")
    assert response.status_code == 400
    assert parameters[1:].partition("=")[0] in response.json["error"]


def test_walks_can_be_filtered_by_domain_and_by_later_requests(mock):
    for key in (SECRET, "other", SECRET):
        mock.post('{"meta_type": "t"}', key, headers={"Prefer": "code=200"})
    first, second = (entry["number"] for entry in listed(mock)[:2])

    def domains(parameters: str) -> list[str]:
        return [walk["domain"] for walk in mock.client.get(f"/_mock/walks{parameters}").json["walks"]]

    both = domains("")
    assert domains("?domain=shop.example") == [domain for domain in both if domain == "shop.example"] != []
    assert domains(f"?after={first - 1}") == both
    assert domains(f"?after={second}") == ["shop.example"]
    assert mock.client.get("/_mock/walks?status=4xx").status_code == 400


@pytest.mark.decision(73)
def test_the_requests_of_the_explorer_are_left_out_of_requests_and_walks_and_mix_with_nobodys(mock):
    sessions = {"source": "google.com"}
    mock.post(json.dumps(sessions), SECRET, headers=EXPLORER)
    mock.post(json.dumps(sessions), SECRET)
    response = mock.post(json.dumps(sessions | {"offset": 50}), SECRET, headers=EXPLORER)
    assert "the client seems to add 50" in response.headers["Pagination-Warning"]
    assert [entry["explorer"] for entry in listed(mock)] == [False]
    assert [entry["explorer"] for entry in listed(mock, "?explorer=1")] == [True, False, True]
    assert "X-Conversions-Explorer" not in listed(mock, "?explorer=1")[0]["headers"]
    (walk,) = mock.client.get("/_mock/walks").json["walks"]
    assert (walk["faults"], len(walk["pages"])) == ([], 1)
    assert [walk["faults"] for walk in mock.client.get("/_mock/walks?explorer=1").json["walks"]] == [["repeats"], []]


def test_without_mock_mode_nothing_is_recorded(bundled):
    assert bundled.client.get("/_mock/requests").status_code == 404
    assert "requests" not in bundled.app.extensions


def test_a_server_with_several_processes_lists_no_requests_and_says_so(mock):
    response = mock.client.get("/_mock/requests", environ_overrides={"wsgi.multiprocess": True})
    assert (response.status_code, "several processes" in response.json["error"]) == (409, True)
