"""What a web page from another origin can read from a mock, and what it cannot change; also in a real browser."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import click
import pytest
from conversions_api import api
from playwright.sync_api import Page, sync_playwright

from tests.browser import CHROMIUM, OPTIONS, in_browser
from tests.conftest import Hub, serving

FROM_DEV_SERVER = {"Origin": "http://localhost:5173"}
FROM_ELSEWHERE = {"Origin": "https://elsewhere.example"}


@pytest.fixture(scope="module")
def mocking(tmp_path_factory) -> Hub:
    hub = Hub(tmp_path_factory.mktemp("browsers") / "conversions.sqlite", MOCK="1")
    assert hub.run("seed").exit_code == 0
    return hub


def allows(response, origin: dict) -> bool:
    return response.headers.get("Access-Control-Allow-Origin") in ("*", origin["Origin"])


# Which pages may use /_mock

CHANGES = [
    ("POST", "/_mock/reset"),
    ("POST", "/_mock/states"),
    ("POST", "/_mock/accounts"),
    ("DELETE", "/_mock/accounts/state"),
    ("DELETE", "/_mock/walks"),
]


@pytest.mark.decision(51)
@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        FROM_ELSEWHERE,
        {"Origin": "null"},
        {"Origin": "https://localhost.elsewhere.example"},
        {"Origin": "https://elsewhere.example/localhost"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_origin_cannot_change_anything(mocking, method, path, headers):
    before = mocking.client.get("/_mock/walks").json
    # An HTML form can send this without a preflight.
    response = mocking.client.open(path, method=method, headers=headers, content_type="text/plain", data="{}")
    assert response.status_code == 403
    assert "CONVERSIONS_ORIGINS" in response.json["error"]
    assert not allows(response, FROM_ELSEWHERE)
    assert mocking.client.get("/_mock/walks").json == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        FROM_DEV_SERVER,
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "http://[::1]:3000"},
        {"Origin": "https://app.localhost"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_by_default_programs_and_pages_from_this_machine_may_use_the_mock(mocking, headers):
    for method, path in [("DELETE", "/_mock/walks"), ("GET", "/_mock/walks"), ("GET", "/_mock/states")]:
        response = mocking.client.open(path, method=method, headers=headers)
        assert response.status_code in (200, 204)
        assert "Origin" not in headers or allows(response, headers)


def test_listed_origins_may_use_the_mock_and_others_may_not(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1", ORIGINS="https://app.example https://demo.example")
    for origin, status in [("https://app.example", 204), ("https://demo.example", 204), ("http://localhost:5173", 403)]:
        response = hub.client.delete("/_mock/walks", headers={"Origin": origin})
        assert (response.status_code, allows(response, {"Origin": origin})) == (status, status == 204)


@pytest.mark.parametrize(
    ("setting", "origin", "is_allowed"),
    [
        ("https://app.example", "https://app.example", True),
        ("https://app.example", "https://appXexample", False),
        ("https://app.example", "https://app.example.evil.org", False),
        ("https://app.example", "https://app.example:8443", False),
        ("https://app.example", "http://app.example", False),
        ("https://*.example.com", "https://www.example.com", True),
        ("https://*.example.com", "https://xexample.com", False),
        ("https://*.example.com", "https://xexample.com.evil.org", False),
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://a.b.example.com", False),
        ("http://localhost:3000", "http://localhost:3000", True),
        ("http://localhost:3000", "http://localhost:30001", False),
        ("http://[::1]:3000", "http://[::1]:3000", True),
    ],
)
def test_an_origin_is_compared_as_a_whole(tmp_path, setting, origin, is_allowed):
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1", ORIGINS=f"https://another.example {setting}")
    headers = {"Origin": origin}
    assert hub.client.delete("/_mock/walks", headers=headers).status_code == (204 if is_allowed else 403)
    assert allows(hub.post("{}", headers=headers), headers) == is_allowed


@pytest.mark.parametrize(
    "setting",
    ["localhost:3000", "https://app.example/", "https://app.example/path", "app.example", "https://*", "https://a.*.example", ".*"],
)
def test_what_is_not_an_origin_stops_the_start_with_a_sentence(tmp_path, setting):
    with pytest.raises(click.ClickException) as stopped:
        Hub(tmp_path / "conversions.sqlite", ORIGINS=f"https://app.example {setting}")
    assert f"{setting} is not an origin" in stopped.value.message


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:5000", 200),
        ("mock.localhost:5000", 200),
        ("127.0.0.1:5000", 200),
        ("192.168.1.20", 200),
        ("[::1]:5000", 200),
        ("conversions:5000", 200),  # another container
        ("app.example:5000", 200),  # the host of a listed origin, on another port
        ("a.wild.example", 200),
        ("elsewhere.example", 403),
        ("elsewhere.example:5000", 403),
        ("localhost.elsewhere.example", 403),
        ("127.0.0.1.elsewhere.example", 403),
        ("app.example.elsewhere.example", 403),
        ("elsewhere.example.", 403),
        ("x@127.0.0.1", 403),
    ],
)
def test_a_name_that_anyone_could_have_pointed_here_gets_nothing_from_the_mock(tmp_path, host, status):
    origins = "* https://app.example:3000 https://*.wild.example"
    hub = Hub(tmp_path / "conversions.sqlite", MOCK="1", ORIGINS=origins)
    for path in ("/_mock/walks", "/_mock/requests", "/_mock/faults", "/_mock/states"):
        response = hub.client.get(path, headers={"Host": host})
        assert (response.status_code, "CONVERSIONS_ORIGINS" in response.text) == (status, status == 403)
    assert hub.client.post("/_mock/faults", json={}, headers={"Host": host}).status_code == (201 if status == 200 else 403)


def test_only_allowed_origins_can_read_readyz(tmp_path, mocking):
    assert allows(mocking.client.get("/readyz", headers=FROM_DEV_SERVER), FROM_DEV_SERVER)
    hub = Hub(tmp_path / "conversions.sqlite", ORIGINS="https://app.example")
    for origin in ("https://app.example", "https://elsewhere.example"):
        assert allows(hub.client.get("/readyz", headers={"Origin": origin}), {"Origin": origin}) == (
            origin == "https://app.example"
        )


# What any page can read from the endpoint


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_in_mock_mode_a_preflight_allows_any_header_any_method_and_credentials(mocking, method):
    preflight = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,x-trace,traceparent"}
    response = mocking.client.options(api.PATH, headers=FROM_ELSEWHERE | preflight)
    assert response.headers["Access-Control-Allow-Origin"] == FROM_ELSEWHERE["Origin"]
    assert response.headers["Access-Control-Allow-Headers"] == "authorization, traceparent, x-trace"
    assert method in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Allow-Credentials"] == "true"


def test_without_mock_mode_a_preflight_allows_only_what_the_endpoint_reads(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite", ORIGINS="https://app.example")
    asked = {"Origin": "https://app.example", "Access-Control-Request-Headers": "authorization,authentication"}
    headers = hub.client.options(api.PATH, headers=asked | {"Access-Control-Request-Method": "POST"}).headers
    assert headers["Access-Control-Allow-Headers"] == "authentication"
    assert headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert "Access-Control-Allow-Credentials" not in headers


# In a real browser


class EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A page of another origin</title>")

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def mock_url(mocking) -> Iterator[str]:
    with serving(mocking, MOCK="1") as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(scope="module")
def a_page(mock_url) -> Iterator[Page]:
    """Open a page in Chromium, which resolves every name under .example to this machine."""
    with sync_playwright() as playwright:
        mapped = "--host-resolver-rules=MAP *.example 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, mapped])
        yield browser.new_page()
        browser.close()


@pytest.fixture(scope="module")
def other_port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


FETCH = """async ([url, options]) => {
    try {
        const response = await fetch(url, options)
        return {status: response.status, body: await response.text(), headers: Object.fromEntries(response.headers)}
    } catch (error) {
        return {unreadable: String(error)}
    }
}"""


def fetch(page: Page, url: str, **options) -> dict:
    return page.evaluate(FETCH, [url, options])


@in_browser
def test_a_page_from_another_port_can_read_why_its_request_was_wrong(a_page, mock_url, other_port):
    a_page.goto(f"http://127.0.0.1:{other_port}/")
    url = mock_url + api.PATH
    wrong = fetch(a_page, url, method="POST", headers={"Authorization": "Bearer YOUR_API_KEY"}, body="{}")
    assert (wrong["status"], "Authentication (not Authorization)" in wrong["body"]) == (401, True)
    with_cookies = fetch(a_page, url, method="POST", headers={"Authentication": "YOUR_API_KEY"}, credentials="include")
    assert with_cookies["status"] == 200
    put = fetch(a_page, url, method="PUT", headers={"Authentication": "YOUR_API_KEY"}, body="{}")
    assert (put["status"], put["headers"]["allow"]) == (405, "POST")


@in_browser
def test_a_page_from_another_port_can_read_a_pagination_warning_and_server_timing(a_page, mock_url, other_port):
    a_page.goto(f"http://127.0.0.1:{other_port}/")
    headers = {"Authentication": "dense", "Content-Type": "application/json"}
    for offset in (0, 50):
        body = json.dumps({"source": "google.com", "offset": offset})
        response = fetch(a_page, mock_url + api.PATH, method="POST", headers=headers, body=body)
    assert "the client seems to add 50" in response["headers"]["pagination-warning"]
    timings = a_page.evaluate(
        "url => performance.getEntriesByName(url).at(-1).serverTiming.map(timing => timing.name)", mock_url + api.PATH
    )
    assert {"sql", "strategy"} <= set(timings)


@in_browser
def test_a_page_from_another_port_can_use_the_mock(a_page, mock_url, other_port):
    a_page.goto(f"http://localhost:{other_port}/")
    body, headers = json.dumps({"sessions": []}), {"Content-Type": "application/json"}
    created = fetch(a_page, f"{mock_url}/_mock/accounts", method="POST", headers=headers, body=body)
    assert created["status"] == 201
    assert fetch(a_page, f"{mock_url}/_mock/accounts/{json.loads(created['body'])['key']}", method="DELETE")["status"] == 204
    assert fetch(a_page, f"{mock_url}/_mock/walks")["status"] == 200
    assert fetch(a_page, f"{mock_url}/readyz")["status"] == 200


@in_browser
def test_a_page_of_another_site_cannot_reset_the_mock(mocking, a_page, mock_url, other_port):
    body, headers = json.dumps({"sessions": []}), {"Content-Type": "application/json"}
    key = mocking.client.post("/_mock/accounts", data=body, headers=headers).json["key"]
    a_page.goto(f"http://elsewhere.example:{other_port}/")
    # Any page can send this without a preflight. It cannot read the response, so what counts is that nothing has changed.
    for options in ({"mode": "no-cors"}, {"mode": "cors"}):
        assert fetch(a_page, f"{mock_url}/_mock/reset", method="POST", **options).get("status") in (None, 0)
    a_page.set_content(f'<form method="post" action="{mock_url}/_mock/reset"><button>Win</button></form>')
    with a_page.expect_response("**/_mock/reset") as response:
        a_page.click("button")
    assert response.value.status == 403
    assert mocking.post("{}", key).status_code == 200


@in_browser
def test_a_page_whose_own_name_points_to_the_mock_cannot_use_it(a_page, mock_url):
    """DNS rebinding: to the browser the mock is of the page's own origin, so no CORS and no Origin header protect it."""
    a_page.goto(mock_url.replace("127.0.0.1", "elsewhere.example") + "/")
    for method, path in [("GET", "walks"), ("GET", "requests"), ("POST", "reset"), ("POST", "faults"), ("DELETE", "walks")]:
        response = fetch(a_page, f"/_mock/{path}", method=method)
        assert (response["status"], "elsewhere.example" in response["body"]) == (403, True)
