"""Settings for a server on the open internet: a rate limit, proxies in front, and a limit on a query's time."""

import time

import click
import pytest
from conversions_api import create_app

from .conftest import Hub, a_conversion, a_session


def hub_with(tmp_path, **settings: str) -> Hub:
    hub = Hub(tmp_path / "conversions.sqlite", **settings)
    hub.load([a_session(conversions=[a_conversion()])])
    return hub


def ask_from(hub: Hub, address: str, **headers: str):
    return hub.post("{}", headers=headers, environ_overrides={"REMOTE_ADDR": address})


def test_requests_over_the_rate_limit_get_429_with_retry_after(tmp_path):
    hub = hub_with(tmp_path, RATE_LIMIT="3 per minute")
    assert [ask_from(hub, "192.0.2.1").status_code for _ in range(4)] == [200, 200, 200, 429]
    response = ask_from(hub, "192.0.2.1")
    assert response.json == {"error": "Too many requests from your address. At most 3 per 1 minute are allowed."}
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert ask_from(hub, "192.0.2.2").status_code == 200
    assert hub.client.get("/livez", environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200


def test_by_default_there_is_no_rate_limit(tmp_path):
    hub = hub_with(tmp_path)
    assert {ask_from(hub, "192.0.2.1").status_code for _ in range(50)} == {200}


def test_behind_a_trusted_proxy_the_rate_limit_applies_to_the_forwarded_address(tmp_path):
    hub = hub_with(tmp_path, RATE_LIMIT="1 per minute", PROXIES="1")
    clients = ["192.0.2.1", "192.0.2.2", "192.0.2.1"]
    assert [ask_from(hub, "10.0.0.1", **{"X-Forwarded-For": client}).status_code for client in clients] == [200, 200, 429]


@pytest.mark.decision(60)
@pytest.mark.parametrize(("proxies", "address"), [("0", "http://10.0.0.1:5000"), ("1", "https://api.example.org")])
def test_only_a_trusted_proxy_can_say_which_address_the_document_names(tmp_path, proxies, address):
    forwarded = {"X-Forwarded-Host": "api.example.org", "X-Forwarded-Proto": "https"}
    response = hub_with(tmp_path, PROXIES=proxies).client.get("/openapi.json", base_url="http://10.0.0.1:5000", headers=forwarded)
    assert response.json["servers"] == [{"url": address}]


def test_without_a_trusted_proxy_a_client_cannot_choose_its_address(tmp_path):
    hub = hub_with(tmp_path, RATE_LIMIT="1 per minute")
    clients = ["192.0.2.1", "192.0.2.2"]
    assert [ask_from(hub, "10.0.0.1", **{"X-Forwarded-For": client}).status_code for client in clients] == [200, 429]


def test_a_query_that_takes_too_long_gets_503_and_the_next_one_succeeds(tmp_path):
    hub = hub_with(tmp_path, TIMEOUT="0.001")
    hub.load([a_session(conversions=[a_conversion()] * 3, utm_campaign="many") for _ in range(4_000)])
    response = hub.post('{"campaign": "many", "meta_id": "none"}')
    assert response.status_code == 503
    assert response.json == {"error": "The query took longer than the 0.001 s that this server allows. Choose a shorter window."}
    assert hub.post('{"start_date": "2020-01-01", "end_date": "2020-01-02"}').status_code == 200


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [("TIMEOUT", "-1"), ("TIMEOUT", "soon"), ("PROXIES", "-1"), ("PROXIES", "true"), ("RATE_LIMIT", "many")],
)
def test_a_wrong_setting_is_an_error_that_shows_its_value(setting, wrong):
    with pytest.raises(click.ClickException, match=f"^The setting CONVERSIONS_{setting} is wrong: {wrong}. Must be .*such as"):
        create_app({setting: wrong})


@pytest.mark.parametrize("path", ["", "/"])
def test_a_database_that_is_no_file_is_an_error(path):
    with pytest.raises(
        click.ClickException, match=f"^The setting CONVERSIONS_DATABASE is wrong: {path}. Must be the path of a file"
    ):
        create_app({"DATABASE": path})


def test_a_misspelled_setting_is_a_warning(monkeypatch, caplog):
    monkeypatch.setenv("CONVERSIONS_RATELIMIT", "10 per second")
    monkeypatch.setenv("CONVERSIONS_URL", "http://127.0.0.1:5000")
    create_app()
    told = "CONVERSIONS_RATELIMIT is not a setting of this server. Did you mean CONVERSIONS_RATE_LIMIT?"
    assert [record.message for record in caplog.records] == [told]


def test_without_a_setting_a_query_may_take_5_seconds_and_with_the_mock_any_time():
    assert [create_app({"MOCK": mock}).config["TIMEOUT"] for mock in ("0", "1")] == [5, 0]


def test_a_response_with_data_says_nothing_of_retrying(tmp_path):
    hub = hub_with(tmp_path, RATE_LIMIT="1 per minute")
    responses = [ask_from(hub, "192.0.2.1") for _ in range(2)]
    assert [(response.status_code, "Retry-After" in response.headers) for response in responses] == [(200, False), (429, True)]


@pytest.mark.parametrize("method", ["\x1b[2J", "A" * 200_000], ids=["control characters", "200 KB"])
def test_the_log_shows_no_method_that_a_client_made_up(tmp_path, caplog, method):
    hub = hub_with(tmp_path)
    with caplog.at_level("INFO"):
        assert hub.client.open("/api/v1/conversions", method=method).status_code == 405
    assert [record.message.split(" sql")[0] for record in caplog.records] == ["(another method) 405"]


def test_a_state_of_one_process_is_409_on_a_server_of_several(tmp_path):
    hub = hub_with(tmp_path, MOCK="1")
    state = {"state": "the clock at an instant", "params": {"now": "2025-08-01T00:00:00Z"}}
    several = hub.client.post("/_mock/states", json=state, environ_overrides={"wsgi.multiprocess": True})
    assert (several.status_code, "several processes" in several.json["error"]) == (409, True)
    assert hub.client.post("/_mock/states", json=state).status_code == 200
    bundled = {"state": "the key dense", "params": {}}
    assert hub.client.post("/_mock/states", json=bundled, environ_overrides={"wsgi.multiprocess": True}).status_code == 200


def test_a_body_of_many_keys_takes_little_longer_if_the_last_one_is_there_twice(tmp_path):
    hub = hub_with(tmp_path)
    names = [f'"k{number}":1' for number in range(5_500)]

    def seconds(names: list[str]) -> float:
        began = time.perf_counter()
        assert hub.post("{" + ",".join(names) + "}").status_code == 400
        return time.perf_counter() - began

    assert min(seconds([*names, names[-1]]) for _ in range(3)) < 4 * min(seconds(names) for _ in range(3))
