"""Faults: the next requests fail, for a client that knows nothing of it, and then all is normal."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from conversions_api import api
from conversions_api.openapi.document import ERRORS

from tests.conftest import SERVERS, Hub, a_conversion, check_with_the_document


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Hub:
    """Return a mock with two accounts, whose keys are "one" and "other"."""
    hub = Hub(tmp_path_factory.mktemp("faults") / "conversions.sqlite", MOCK="1")
    for key in ("one", "other"):
        hub.load([a_conversion(timestamp="2025-08-01 10:00:00")] * 60, f"{key}.example", key, "--monthly-limit", "1000")
    return hub


@pytest.fixture
def mock(server) -> Hub:
    for kind in ("faults", "walks", "requests"):
        assert server.client.delete(f"/_mock/{kind}").status_code == 204
    return server


def add(hub: Hub, **fault) -> dict:
    response = hub.client.post("/_mock/faults", json=fault)
    assert response.status_code == 201, response.text
    return response.json


def statuses(hub: Hub, count: int, key: str = "one") -> list[int]:
    return [hub.post("{}", key).status_code for _ in range(count)]


# Which requests get it


@pytest.mark.decision(70)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({}, [503, 200, 200]),
        ({"code": 503, "times": 2}, [503, 503, 200, 200]),
        ({"code": 503, "times": 2, "after": 1}, [200, 503, 503, 200, 200]),
        ({"code": 429, "times": None}, [429] * 6),
        ({"code": 500, "times": None, "after": 2}, [200, 200, 500, 500, 500]),
    ],
)
def test_so_many_requests_pass_then_so_many_get_the_response_then_all_is_normal(mock, fault, expected):
    add(mock, **fault)
    assert statuses(mock, len(expected)) == expected


def test_a_fault_with_a_key_counts_only_requests_with_that_key(mock):
    fault = add(mock, code=503, times=1, after=1, key="one")
    assert (fault["domain"], "one" in json.dumps([value for name, value in fault.items() if name != "domain"])) == (
        "one.example",
        False,
    )
    assert statuses(mock, 3, "other") == [200, 200, 200]
    assert statuses(mock, 3, "one") == [200, 503, 200]


def test_several_faults_take_turns(mock):
    for fault in ({"code": 503}, {"code": 429, "times": 2}, {"code": 502, "after": 1}):
        add(mock, **fault)
    assert statuses(mock, 6) == [503, 429, 429, 200, 502, 200]


def test_a_fault_that_only_delays_leaves_the_response_to_the_others(mock):
    add(mock, delay=60, times=None)
    add(mock, code=503, delay=60)
    started = time.monotonic()
    assert statuses(mock, 2) == [503, 200]
    assert 0.18 <= time.monotonic() - started < 10


def test_every_request_to_the_endpoint_counts_whatever_it_is_except_a_preflight(mock):
    add(mock, code=503, times=3)
    preflight = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    assert mock.client.options(api.PATH, headers=preflight).status_code == 204
    assert mock.client.get(api.PATH).status_code == 503
    assert mock.post("{bad", None).status_code == 503
    assert statuses(mock, 2) == [503, 200]


def test_faults_are_counted_once_each_by_requests_in_parallel(mock):
    add(mock, code=503, times=5, after=7)
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda _: mock.app.test_client().post(api.PATH, headers={"Authentication": "one"}).status_code, range(40))
        )
    assert (found.count(503), found.count(200)) == (5, 35)


def test_a_request_with_a_preference_is_not_counted(mock):
    add(mock, code=503)
    for preference, status in [("code=429", 429), ("code=200", 200), ("delay=1", 200)]:
        assert mock.post("{}", "one", headers={"Prefer": preference}).status_code == status
    assert mock.post("{}", "one", headers={"Prefer": "return=minimal"}).status_code == 503


# What they get


@pytest.mark.parametrize("status", ERRORS)
def test_a_documented_code_gets_what_the_server_really_sends(mock, status):
    add(mock, code=status)
    response = mock.post("{}", "one")
    forced = mock.post("{}", "one", headers={"Prefer": f"code={status}"})
    assert (response.status_code, response.json) == (status, forced.json)
    check_with_the_document(response)
    assert "Preference-Applied" not in response.headers


@pytest.mark.parametrize(("status", "phrase"), [(500, "Internal Server Error"), (502, "Bad Gateway"), (504, "Gateway Timeout")])
def test_a_gateway_code_gets_html(mock, status, phrase):
    add(mock, code=status)
    response = mock.post("{}", "one")
    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert f"<h1>{status} {phrase}</h1>" in response.text
    assert response.get_json(silent=True) is None


@pytest.mark.parametrize(
    ("fault", "seconds"), [({"code": 429}, "5"), ({"code": 429, "retry_after": 0}, "0"), ({"retry_after": 2}, "2")]
)
def test_retry_after_is_short_and_can_be_chosen(mock, fault, seconds):
    add(mock, **fault)
    assert mock.post("{}", "one").headers["Retry-After"] == seconds
    add(mock, code=502)
    assert "Retry-After" not in mock.post("{}", "one").headers


def test_a_forced_response_counts_no_call_and_takes_part_in_no_walk(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1")
    hub.load([a_conversion()] * 120, "one.example", "one", "--monthly-limit", "3")
    for fault in ({"code": 503, "after": 1, "times": 4}, {"truncate": True, "after": 1}, {"drop": True, "after": 1}):
        add(hub, **fault)
    for offset in (0, *[50] * 7, 100):
        with suppress(ConnectionResetError):
            assert hub.post(json.dumps({"offset": offset}), "one").status_code in (200, 503)
    assert hub.post("{}", "one").status_code == 429
    (walk,) = hub.client.get("/_mock/walks").json["walks"]
    assert ([page["offset"] for page in walk["pages"]], walk["complete"], walk["faults"]) == ([0, 50, 100], True, [])


# Connections that break. Granian sends an empty 500 instead, which the page of the mock says.


def ask(address: tuple[str, int], path: str = api.PATH, body: dict | None = None):
    host, port = address
    headers = {"Authentication": "one", "Content-Type": "application/json"}
    with urlopen(Request(f"http://{host}:{port}{path}", json.dumps(body or {}).encode(), headers), timeout=60) as response:
        return response.status, json.load(response)


@pytest.mark.decision(71)
def test_a_truncated_response_ends_in_the_middle_and_a_dropped_one_never_begins(server):
    with SERVERS["flask run"](server) as address:
        ask(address, "/_mock/faults", {"truncate": True})
        ask(address, "/_mock/faults", {"truncate": True, "code": 400})
        ask(address, "/_mock/faults", {"drop": True})
        with pytest.raises(IncompleteRead) as cut:
            ask(address)
        assert cut.value.partial.startswith(b'{"records":[{"email":')
        assert abs(len(cut.value.partial) - cut.value.expected) <= 1
        with pytest.raises(HTTPError) as error:
            ask(address)
        assert error.value.code == 400
        with pytest.raises(IncompleteRead):
            error.value.read()
        with pytest.raises(RemoteDisconnected):
            ask(address)
        assert ask(address)[0] == 200


@pytest.mark.parametrize("fault", [{"truncate": True}, {"drop": True}])
def test_a_connection_that_the_client_would_keep_is_closed(server, fault):
    with SERVERS["flask run"](server) as address, closing(HTTPConnection(*address, timeout=20)) as connection:
        ask(address, "/_mock/faults", fault)
        connection.request("POST", api.PATH, "{}", {"Authentication": "one", "Content-Type": "application/json"})
        with pytest.raises((IncompleteRead, RemoteDisconnected)):
            connection.getresponse().read()


# The interface


def test_faults_are_listed_with_what_is_left_until_nothing_is(mock):
    first, second = add(mock, code=503, times=2, after=1), add(mock, delay=1, times=None)
    assert first == {
        "id": first["id"],
        "domain": None,
        "code": 503,
        "times": 2,
        "after": 1,
        "retry_after": None,
        "delay": 0,
        "truncate": False,
        "drop": False,
    }
    left = []
    for _ in range(4):
        left.append([(fault["id"], fault["after"], fault["times"]) for fault in mock.client.get("/_mock/faults").json["faults"]])
        mock.post("{}", "one")
    delaying = (second["id"], 0, None)
    assert left == [[(first["id"], *rest), delaying] for rest in [(1, 2), (0, 2), (0, 1)]] + [[delaying]]


def test_faults_can_be_deleted_one_at_a_time_or_all_at_once(mock):
    one, two, three = (add(mock, code=503, times=None)["id"] for _ in range(3))
    assert mock.client.delete(f"/_mock/faults/{two}").status_code == 204
    assert [fault["id"] for fault in mock.client.get("/_mock/faults").json["faults"]] == [one, three]
    assert mock.client.delete(f"/_mock/faults/{two}").status_code == 204  # one that is used up is gone too
    assert mock.client.delete(f"/_mock/faults/{three + 1}").status_code == 404
    assert mock.client.delete("/_mock/faults").status_code == 204
    assert statuses(mock, 1) == [200]


def test_a_reset_clears_the_faults(mock):
    add(mock, code=503, times=None)
    assert mock.client.post("/_mock/reset").status_code == 200
    assert statuses(mock, 1) == [200]


@pytest.mark.parametrize(
    ("fault", "field", "sentence"),
    [
        ({"code": 404}, "code", "Must be one of 400, 401, 405, 413, 415, 429, 500, 502, 503, 504, not 404."),
        ({"code": "503"}, "code", 'Must be an integer from 0 to 9223372036854775807, not "503".'),
        ({"times": 0}, "times", "Must be at least 1, not 0."),
        ({"delay": 10001}, "delay", "Must be at most 10000 milliseconds, not 10001."),
        ({"retry_after": 1, "delay": 1}, "retry_after", "Needs a code, such as 429 or 503."),
        ({"drop": True, "code": 503}, "drop", "Closes the connection without a response, so it can't have a code or be truncated."),
        ({"key": "nobody's"}, "key", "Is unknown to this server."),
        ({"time": 2}, "time", "Unknown field: did you mean times?"),
    ],
)
def test_a_wrong_fault_is_refused_with_a_sentence(mock, fault, field, sentence):
    response = mock.client.post("/_mock/faults", json=fault)
    assert (response.status_code, response.json["fields"]) == (400, {field: [sentence]})
    assert mock.client.get("/_mock/faults").json == {"faults": []}


def test_a_fault_can_be_a_state(mock):
    params = {"code": 503, "times": 1, "after": 1, "retry_after": 2}
    response = mock.client.post("/_mock/states", json={"state": "a fault", "params": params})
    assert response.json == {"key": "state", "domain": "state.example"}
    assert statuses(mock, 3, "state") == [200, 503, 200]
    response = mock.client.post("/_mock/states", json={"state": "a fault", "params": {"code": 404}})
    assert (response.status_code, list(response.json["fields"])) == (400, ["params.code"])
    add(mock, code=503)
    mock.client.post("/_mock/states", json={"state": "a fault", "action": "teardown"})
    assert statuses(mock, 1) == [200]


def test_without_mock_mode_there_are_no_faults(bundled):
    assert bundled.client.post("/_mock/faults", json={}).status_code == 404


def test_a_server_with_several_processes_has_no_faults_and_says_so(mock):
    response = mock.client.post("/_mock/faults", json={}, environ_overrides={"wsgi.multiprocess": True})
    assert (response.status_code, "several processes" in response.json["error"]) == (409, True)
