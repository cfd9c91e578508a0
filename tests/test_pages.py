"""The pages around the explorer: live requests, the mock bar, the loops, decisions, what every page has, and accessibility."""

import json
import re
import time
from datetime import date
from pathlib import Path

import pytest
from conversions_api.explorer import pages
from conversions_api.loading import traffic
from playwright.sync_api import expect

# ruff: noqa: F811 (pytest finds fixtures by their names)
from tests.browser import (
    AXE,
    ENDPOINT,
    SAMPLE,
    TOUR,
    TWO_WEEKS,
    browser,  # noqa: F401
    hub,  # noqa: F401
    in_browser,
    open_view,
    page,  # noqa: F401
    url,  # noqa: F401
    view,
)
from tests.conftest import Hub, a_conversion, a_session
from tests.test_docs import DECISIONS

# Live requests


def send(page, url: str, query: dict, key: str = "published-sample", **options) -> None:
    """Send a request as a client of the mock would, without the explorer's mark."""
    page.request.post(
        f"{url}/api/v1/conversions", headers={"Authentication": key, "User-Agent": "axios/1.7"}, data=query, **options
    )


@pytest.fixture
def live(page, url):
    """Open the page of live requests, of which there are none yet."""
    page.request.delete(f"{url}/_mock/requests")
    page.request.delete(f"{url}/_mock/walks")
    page.goto("/requests")
    expect(page.locator("#state")).to_have_text("No requests yet.")
    return page


@in_browser
def test_a_refused_request_is_shown_with_the_servers_sentence_and_the_decision_behind_it(live, url):
    live.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(live.locator("#base-url")).to_have_text(url)
    send(live, url, {}, key="wrong")
    send(live, url, {"source": "google.com"}, key="over-limit")
    send(live, url, {"sorce": "google.com"})
    entries = live.locator("#requests > li")
    expect(entries).to_have_count(3)
    newest, _, oldest = entries.all()
    expect(newest.locator("summary")).to_contain_text('400axios{"sorce":"google.com"}testdomain.com')
    expect(oldest.locator(".problem")).to_contain_text("The key in the header Authentication is unknown.")
    oldest.locator("summary").click()
    expect(oldest.get_by_role("link", name="Decision 2")).to_have_attribute("href", "/decisions#2")
    expect(oldest.locator(".opened")).to_contain_text("Authentication")
    expect(oldest.locator(".opened")).not_to_contain_text("wrong")
    newest.locator("summary").click()
    expect(newest.get_by_role("link", name="Decision 6")).to_be_visible()
    newest.get_by_role("button", name="Copy as curl").click()
    expect(newest.get_by_role("button", name="Copied")).to_be_visible()
    assert '-d \'{"sorce":"google.com"}\'' in live.evaluate("navigator.clipboard.readText()")
    live.get_by_role("button", name=re.compile("^5xx")).click()
    expect(entries.locator("visible=true")).to_have_count(0)
    live.get_by_role("button", name="4xx 3").click()
    expect(entries.locator("visible=true").locator("time")).to_have_count(3)
    newest.get_by_role("link", name="Open in explorer").click()
    expect(live.get_by_label("Body of the request")).to_have_value('{"sorce":"google.com"}')
    expect(live.locator("#error")).to_contain_text("did you mean source?")


@in_browser
def test_the_pages_of_a_walk_fold_into_one_row_with_its_strip_and_what_was_wrong(live, url):
    for offset in (0, 50, 100):
        send(live, url, SAMPLE | {"offset": offset})
    row = live.locator("#requests > li")
    expect(row).to_have_count(1)
    expect(row.locator(".told")).to_contain_text("3 pages")
    expect(row.locator(".problem")).to_contain_text("the client seems to add 50")
    expect(row.locator(".flag")).to_have_text("the offset should have been 200")
    strip = row.locator(".cells").bounding_box()
    repeated = [box.bounding_box() for box in row.locator(".again").all()]
    assert min(box["x"] for box in repeated) - strip["x"] == pytest.approx(strip["width"] * 50 / 427, abs=1.5)
    expect(live.locator("#state")).to_have_text("1 walk with a fault.")
    row.locator("summary").click()
    expect(row.locator("tbody tr")).to_have_count(3)
    assert row.locator("tr.wrong").count() == 2
    row.locator("tbody button").nth(1).click()
    expect(row.locator("pre")).to_contain_text('"offset":50')
    send(live, url, SAMPLE | {"offset": 150})
    expect(row.locator(".told")).to_contain_text("4 pages")
    expect(row.locator("details")).to_have_attribute("open", "")


@in_browser
def test_the_page_asks_only_for_what_is_new(live, url):
    send(live, url, SAMPLE)
    expect(live.locator(".entry")).to_have_count(1)
    with live.expect_response("**/_mock/requests?*") as polled:
        pass
    number = int(re.search(r"after=(\d+)", polled.value.url)[1])
    assert number > 0
    assert polled.value.json() == {"requests": []}
    with live.expect_request("**/_mock/walks?*") as walks:
        send(live, url, {})
    assert walks.value.url.endswith(f"/_mock/walks?after={number}")


@in_browser
def test_five_hundred_requests_fit_on_a_phone(live, url):
    live.set_viewport_size({"width": 390, "height": 844})
    entry = {"method": "POST", "status": 401, "domain": None, "user_agent": "node", "body": "{}", "error": "No key.", "headers": {}}
    entry |= {"at": "2025-08-15T12:00:00.000Z", "milliseconds": 1.0, "walk": None, "fault": None, "records": None, "warning": None}
    requests = [entry | {"number": number} for number in range(1001, 1601)]
    live.route(
        "**/_mock/requests?*",
        lambda route: route.fulfill(json={"requests": requests if not route.request.url.endswith("1600") else []}),
    )
    expect(live.locator(".entry")).to_have_count(500)
    assert live.evaluate("document.documentElement.scrollWidth") == 390
    started = time.monotonic()
    live.get_by_role("button", name="2xx").click()
    live.evaluate("new Promise(requestAnimationFrame)")
    assert time.monotonic() - started < 5


@in_browser
@pytest.mark.decision(63)
def test_the_explorers_own_requests_are_left_out_unless_they_are_asked_for(live, url):
    open_view(live, "dense", {})
    send(live, url, SAMPLE)
    live.goto("/requests")
    expect(live.locator(".entry")).to_have_count(1)
    live.get_by_label("the explorer’s own").check()
    expect(live.locator(".entry")).to_have_count(2)
    expect(live.locator("#requests")).to_contain_text("dense.example")
    live.get_by_label("the explorer’s own").uncheck()
    expect(live.locator(".entry")).to_have_count(1)


@in_browser
def test_requests_can_be_cleared_and_an_unavailable_server_is_reported(live, url):
    send(live, url, SAMPLE)
    expect(live.locator(".entry")).to_have_count(1)
    live.get_by_role("button", name="Clear").click()
    expect(live.locator("#state")).to_have_text("No requests yet.")
    assert live.request.get(f"{url}/_mock/requests").json() == {"requests": []}
    live.route("**/_mock/requests?*", lambda route: route.fulfill(status=409, json={"error": "Requests need one process."}))
    expect(live.locator("#state")).to_have_text("Requests need one process. Trying again every 5 seconds.")
    live.unroute("**/_mock/requests?*")
    live.route("**/_mock/requests?*", lambda route: route.abort())
    live.reload()
    expect(live.locator("#state")).to_have_text("The server cannot be reached. Trying again every 5 seconds.")


def test_without_mock_mode_there_is_no_live_page(tmp_path):
    without = Hub(tmp_path / "conversions.sqlite", MOCK="0")
    assert without.client.get("/requests").status_code == 404
    for absent in ("Live requests", "mock-bar"):
        assert absent not in without.client.get("/").text
    mock = Hub(tmp_path / "conversions.sqlite", MOCK="1")
    for path in ("/requests", "/", "/docs/"):
        assert "Live requests" in mock.client.get(path).text


def test_only_a_mock_lists_the_domains_of_imported_accounts(tmp_path):
    for mock in ("0", "1"):
        hub = Hub(tmp_path / "conversions.sqlite", MOCK=mock)
        hub.load([a_session(session_id=mock)], "shop.example", "key")
        assert ("shop.example" in hub.client.get("/").text) == (mock == "1")


# The mock bar


@pytest.fixture
def normal_again(page, url):
    """Delete the faults that a test leaves behind."""
    yield
    page.request.delete(f"{url}/_mock/faults")


@in_browser
def test_the_mock_bar_changes_the_next_responses_of_every_client_and_is_loud_until_they_are_normal(page, url, normal_again):
    bar = page.locator("#mock-bar")
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    expect(page.locator("#mock-state")).to_have_text("Responses are normal.")
    page.get_by_label("The next", exact=True).select_option("2")
    page.get_by_label("responses", exact=True).select_option("503")
    bar.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#mock-state")).to_have_text("Not normal: the next 2 responses are 503.")
    expect(bar).to_have_class("loud")
    send(page, url, SAMPLE)
    page.goto("/requests")
    expect(page.locator("#mock-state")).to_have_text("Not normal: the next response is 503.")
    expect(page.locator(".entry .problem").first).to_contain_text("forced by the mock")
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    expect(page.locator("#error")).to_contain_text("The mock was set to change responses when this was sent")
    expect(page.locator("#mock-state")).to_have_text("Responses are normal.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#why")).to_contain_text("conversions 1–50 of 160")


@in_browser
def test_a_delay_can_be_set_and_taken_back(page, normal_again):
    page.goto("/requests")
    page.get_by_label("The next", exact=True).select_option("all")
    page.get_by_label("delay", exact=True).select_option("0.5 s")
    page.locator("#mock-bar").get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#mock-state")).to_have_text("Not normal: all responses are 500 ms late.")
    page.get_by_role("button", name="Back to normal").click()
    expect(page.locator("#mock-state")).to_have_text("Responses are normal.")


@in_browser
def test_a_reset_is_confirmed_first(page, url, normal_again):
    page.request.post(f"{url}/_mock/faults", data={"code": 500})
    page.goto("/requests")
    questions, answers = [], iter([False, True])

    def answer(dialog) -> None:
        questions.append(dialog.message)
        dialog.accept() if next(answers) else dialog.dismiss()

    page.on("dialog", answer)
    page.route("**/_mock/reset", lambda route: (page.request.delete(f"{url}/_mock/faults"), route.fulfill(status=204)))
    page.get_by_role("button", name="Reset the mock").click()
    expect(page.locator("#mock-bar")).to_have_class("loud")
    page.get_by_role("button", name="Reset the mock").click()
    expect(page.locator("#mock-state")).to_have_text("Responses are normal.")
    assert len(questions) == 2


# Which loop is right?


@in_browser
def test_four_loops_page_through_the_query_of_the_form_and_only_the_right_one_returns_everything_once(page, hub):
    open_view(page, "published-sample", SAMPLE)
    outcomes = page.locator(".outcome")
    page.get_by_role("button", name="Play").click()
    expect(outcomes).to_have_text(
        [
            "wrong returned 297, unique 109, lost 0",
            "wrong returned 296, unique 109, lost 0",
            "wrong returned 102, unique 102, lost 7",
            "right returned 109, unique 109, lost 0",
        ]
    )
    assert len(hub.everything(SAMPLE, "published-sample")) == 109
    assert [lane.locator(".again").count() > 0 for lane in page.locator(".lane").all()] == [True, True, False, False]
    assert [lane.locator(".lost").count() > 0 for lane in page.locator(".lane").all()] == [False, False, True, False]


@in_browser
def test_without_the_session_filter_adding_50_is_right(page):
    open_view(page, "published-sample", SAMPLE)
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".outcome").first).to_contain_text("wrong")
    page.get_by_role("switch", name="Session filter").click()
    expect(page.get_by_label("source", exact=True)).to_have_value("")
    expect(page.locator("#why")).to_contain_text("Here offset counts conversions.")
    expect(page.locator(".outcome")).to_contain_text(["right", "right", "wrong", "right"])
    page.get_by_role("switch", name="Session filter").click()
    expect(page.get_by_label("source", exact=True)).to_have_value("google.com")
    expect(page.locator(".outcome").first).to_contain_text("wrong")
    page.get_by_role("link", name="Direct query").click()  # another query: what was played does not belong to it
    expect(page.locator(".outcome").first).to_have_text("not played yet")


@in_browser
def test_the_right_loop_can_be_copied(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_view(page, "published-sample", SAMPLE)
    page.locator("[data-loop=Python]").click()
    expect(page.locator("[data-loop=Python]")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "offset, has_more = page" in copied
    assert '"source": "google.com"' in copied


@in_browser
@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_on_the_page_moves_while_it_loads_and_plays(page, motion):
    page.add_init_script(
        """window.shifted = 0;
        new PerformanceObserver((list) => {
            for (const {value, hadRecentInput} of list.getEntries()) if (!hadRecentInput) window.shifted += value;
        }).observe({type: "layout-shift", buffered: true});"""
    )
    page.emulate_media(reduced_motion=motion)
    page.goto("/")
    expect(page.locator("#why")).to_contain_text("The next offset is 200.")
    expect(page.locator("#types")).not_to_be_empty()
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".outcome").last).to_contain_text("right")
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("window.shifted") < 0.02


# What the server has


def offered(hub: Hub) -> list[str]:
    return re.findall(r'<option value="([^"]+)" data-domain', hub.client.get("/").text)


@pytest.mark.decision(62)
def test_the_explorer_offers_exactly_the_demo_keys_that_the_server_has(tmp_path, bundled):
    assert offered(bundled) == [account["key"] for account in traffic.accounts()]
    hub = Hub(tmp_path / "conversions.sqlite")
    assert hub.run("seed").exit_code == 0
    hub.load([a_session()], "example.com", "key", "--replace")
    assert hub.run("keys", "revoke", "sparse").exit_code == 0
    assert offered(hub) == ["published-sample", "dense", "empty", "boundaries", "over-limit"]
    assert "Many batches" not in hub.client.get("/").text


def test_the_explorer_works_without_a_database_and_without_demo_accounts(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    response = hub.client.get("/")
    assert response.status_code == 200
    assert "conversions seed creates one with demo data." in response.text
    assert offered(hub) == []
    hub.load([a_session(conversions=[a_conversion()])], "own.example", "own")
    assert "This server has no demo accounts. Enter a key of your own." in hub.client.get("/").text


@in_browser
def test_without_demo_accounts_the_page_waits_for_a_key(page, tmp_path):
    # Remove the demo accounts from the page, as a server without them would.
    page.route(
        re.compile(r"/$"),
        lambda route: route.fulfill(
            body=re.sub(
                r'<option value="[^"]+" data-domain.*?</option>|<nav class="views".*?</nav>|(?<="demo":{).*?(?=})',
                "",
                route.fetch().text(),
                flags=re.S,
            ),
            content_type="text/html",
        ),
    )
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.goto("/")
    expect(page.get_by_label("Your key")).to_be_visible()
    for name in ("Next page", "Walk all pages"):
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-disabled", "true")
    assert sent == []
    page.get_by_label("Your key").fill("dense")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#why")).to_contain_text("conversions 1–50 of 3,000")


# What every page has


def test_each_page_has_a_description_a_preview_image_and_a_footer(bundled):
    for path in ("/", "/decisions"):
        text = bundled.client.get(path).text
        assert re.search(r'<meta name="description" content="A runnable reference and mock [^"]+">', text)
        preview = re.search(r'<meta property="og:image" content="http://localhost(/[^"]+)">', text)[1]
        with bundled.client.get(preview) as image:
            assert image.mimetype == "image/png"
        assert "Not AttributionHub." in text
        assert f"Demo data up to {date(2025, 8, 15)}" in text
        assert f"Version {pages.VERSION}" in text


def test_without_javascript_the_page_shows_the_published_sample(bundled):
    (without,) = re.findall(r"<noscript>(.*?)</noscript>", bundled.client.get("/").text, re.DOTALL)
    assert "needs JavaScript" in without
    assert '"pagination": {"records_processed": 200, "total_records": 427, "has_more": true}' in without


@in_browser
def test_without_javascript_nothing_looks_as_if_it_worked(browser, url):
    with browser.browser.new_context(java_script_enabled=False, base_url=url) as context:
        page = context.new_page()
        for path in ("/", "/requests"):
            page.goto(path)
            expect(page.locator("noscript")).to_be_visible()
            expect(page.locator(":is(button, input, select):visible")).to_have_count(0)


@in_browser
def test_the_skip_link_comes_first_and_send_is_reached_with_ten_tabs(page):
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the request")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(2, 11):  # the second to the tenth
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "send":
            break
    expect(page.locator("#send")).to_be_focused()


def test_each_page_has_one_masthead_and_loads_its_modules_at_once(bundled):
    mastheads = {
        re.search(r'<nav aria-label="Pages">(.*?)</nav>', bundled.client.get(path).text, re.S)[1]
        for path in ("/", "/decisions", "/docs/")
    }
    assert len({re.sub(r' aria-current="page"|\s', "", each) for each in mastheads}) == 1
    text = bundled.client.get("/").text
    folder = Path(pages.__file__).parent / "static"
    needed, found = {"explorer.js"}, set()
    while needed:
        found |= needed
        needed = {name for module in needed for name in re.findall(r'from "\./(\w+\.js)"', (folder / module).read_text())} - found
    assert found == set(re.findall(r'(?:src|href)="/explorer/(\w+\.js)"', text)) - {"first.js"}


def test_every_link_works(bundled):
    for path in ("/", "/decisions"):
        for link in re.findall(r'<(?:a|link|script)[^>]+(?:href|src)="(/[^"#]*)', bundled.client.get(path).text):
            with bundled.client.get(link) as linked:
                assert linked.status_code == 200, link


@in_browser
def test_execute_in_the_docs_returns_records(page):
    page.goto("/")
    page.get_by_role("link", name="Reference", exact=True).click()
    page.get_by_role("button", name="Execute").click(timeout=60_000)  # Swagger UI is slow to appear on a busy machine
    body = page.locator(".live-responses-table .response-col_description .microlight").first
    expect(body).to_contain_text('"records_processed"')
    expect(body).to_contain_text('"conversion_page"')


# Decisions


def test_the_decisions_page_lists_each_decision_with_its_test_and_example(bundled):
    text = bundled.client.get("/decisions").text
    assert set(TOUR["examples"]) <= {str(number) for number in DECISIONS}
    assert len(re.findall(r'<li id="\d+"', text)) == len(DECISIONS)
    for *_, test in DECISIONS.values():
        assert f"<code>{test.strip('`')}</code>" in text
    assert text.count('<p class="example">') == len(TOUR["examples"])
    assert "<code>{&#34;offset&#34;: -1}</code>" in text or "<code>{&#34;offset&#34;:-1}</code>" in text


@in_browser
def test_the_filter_box_shows_the_decisions_that_contain_every_word(page):
    page.goto("/decisions")
    page.get_by_label("Filter").fill("AUTHENTICATION key")
    shown = page.locator(".decisions li:not([hidden])")
    assert 0 < shown.count() < 8
    for text in shown.all_inner_texts():
        assert "authentication" in text.lower()
    expect(page.locator("#shown")).to_have_text(f"{shown.count()} of {len(DECISIONS)} decisions")
    page.get_by_label("Filter").fill("")
    expect(shown).to_have_count(len(DECISIONS))


@in_browser
def test_a_decision_links_to_its_example(page):
    page.goto("/decisions#18")
    page.get_by_role("link", name="The second page").click()
    expect(page.locator("#why")).to_contain_text("sessions 201–400 of 427")


# Accessibility and security policy


@in_browser
@pytest.mark.parametrize(
    "path",
    ["/", view("YOUR_API_KEY", {"offset": "-1"}), view("YOUR_API_KEY", TWO_WEEKS | {"pages": 2}), "/decisions", "/requests"],
    ids=["first visit", "error", "walk", "decisions", "live requests"],
)
def test_axe_finds_no_violation(page, url, path, normal_again):
    if path == "/requests":
        for offset in (0, 50):
            send(page, url, SAMPLE | {"offset": offset})
        page.request.post(f"{url}/_mock/faults", data={"code": 503})
    page.goto(path)
    ready = {"/decisions": "h1", "/requests": ".entry >> nth=0"}.get(path, "#status strong")
    expect(page.locator(ready)).to_be_visible()
    if path == "/":
        page.get_by_role("button", name="Play").click()
        expect(page.locator(".outcome").last).to_contain_text("right")
        page.locator("#sent-as").get_by_text("Edit JSON").click()
    if path == "/requests":
        page.locator(".entry summary").first.click()
    page.evaluate(f"{AXE.read_text(encoding='utf-8')}; 0")
    in_light = page.evaluate("axe.run({resultTypes: ['violations']})")
    page.emulate_media(color_scheme="dark")
    in_dark = page.evaluate("axe.run({runOnly: ['color-contrast']})")
    page.emulate_media(forced_colors="active")
    in_forced = page.evaluate("axe.run({resultTypes: ['violations']})")
    for found in (in_light, in_dark, in_forced):
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
        assert "color-contrast" in [each["id"] for each in found["passes"]]
    assert len(in_light["passes"]) > 15


@in_browser
def test_forced_colours_keep_the_strips_the_bars_and_the_tabs(page):
    open_view(page, "published-sample", SAMPLE)
    shown = """selector => {
        const {backgroundColor, borderBottomColor, fill} = getComputedStyle(document.querySelector(selector));
        return [backgroundColor, borderBottomColor, fill];
    }"""
    coloured = {place: page.evaluate(shown, place) for place in ("#detail .taken", ".bar .own", "#columns g rect:last-child")}
    page.emulate_media(forced_colors="active")
    assert {place: page.evaluate(shown, place) for place in coloured} == coloured
    chosen, other = page.evaluate(shown, "[aria-selected=true]"), page.evaluate(shown, "[aria-selected=false]")
    assert chosen[1] != other[1]


@in_browser
def test_every_page_works_under_its_content_security_policy(page):
    page.route(ENDPOINT, lambda route: route.fulfill(json={"message": json.dumps("x")}))
    for path in ("/", "/requests", "/decisions"):
        policy = page.goto(path).headers["content-security-policy"]
        assert "script-src 'self'; style-src 'self'" in policy
        assert page.locator("[style]:not([style*='--'])").count() == 0
