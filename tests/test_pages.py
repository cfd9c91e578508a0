"""The pages around the explorer: live walks, decisions, what every page has, and accessibility."""

import json
import re
from datetime import date

import pytest
from conversions_api.explorer import pages as explorer
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

# Live walks

WALK = {
    "domain": "example.com",
    "query": {"source": "google.com"},
    "strategy": "session",
    "total_records": 1000,
    "pages": [{"offset": 0, "records_processed": 200, "records": 56}],
    "complete": False,
    "faults": [],
    "repeats": [],
    "gaps": [],
    "past_the_end": 0,
    "sentence": "",
}
REPEATING = WALK | {
    "pages": [*WALK["pages"], {"offset": 50, "records_processed": 250, "records": 61}],
    "faults": ["repeats"],
    "repeats": [[50, 200]],
    "sentence": "The offset 50 repeats the sessions 50 to 199; the next offset was 200.",
}
SKIPPING = WALK | {
    "query": {"medium": "cpc"},
    "pages": [*WALK["pages"], {"offset": 260, "records_processed": 460, "records": 52}],
    "faults": ["gaps"],
    "gaps": [[200, 260]],
    "sentence": "The offset 260 skips the sessions 200 to 259; the next offset was 200.",
}
COMPLETE = WALK | {"query": {}, "pages": [{"offset": 0, "records_processed": 1000, "records": 70}], "complete": True}


def serve_walks(page, walks: list[dict]) -> None:
    page.unroute("**/_mock/walks")
    page.route("**/_mock/walks", lambda route: route.fulfill(json={"walks": walks}))


@in_browser
def test_each_walk_is_shown_with_its_faults_and_the_correct_offset(page):
    serve_walks(page, [])
    page.goto("/walks")
    expect(page.locator("#state")).to_contain_text("No requests yet.")
    serve_walks(page, [WALK])
    expect(page.locator("#walks > li")).to_have_count(1)
    expect(page.locator(".verdict")).to_contain_text("At 200 of 1,000 sessions")
    assert page.locator("#walks .repeat, #walks .gap").count() == 0
    page.locator("#walks summary").click()

    serve_walks(page, [SKIPPING, REPEATING, COMPLETE])
    expect(page.locator("#state")).to_have_text("3 walks, 2 with a fault.")
    complete, repeating, skipping = page.locator("#walks > li").all()  # the newest first
    expect(complete.locator(".verdict strong")).to_have_text("Complete")
    expect(repeating.locator(".sentence")).to_have_text(REPEATING["sentence"])
    expect(repeating.locator(".flag")).to_have_text("the offset should have been 200")
    expect(repeating.locator("details")).to_have_attribute("open", "")  # a walk that continues stays open
    expect(repeating.locator("tr.wrong")).to_have_text("5025061repeats, expected 200")
    expect(skipping.locator(".flag")).to_have_text("the offset should have been 200")
    for walk, fault, start, end in ((repeating, ".repeat", 50, 200), (skipping, ".gap", 200, 260)):
        strip = walk.locator(".cells").bounding_box()
        boxes = [box.bounding_box() for box in walk.locator(fault).all()]
        assert min(box["x"] for box in boxes) - strip["x"] == pytest.approx(strip["width"] * start / 1000, abs=1)
        assert max(box["x"] + box["width"] for box in boxes) - strip["x"] == pytest.approx(strip["width"] * end / 1000, abs=1)


@in_browser
def test_walks_can_be_cleared_and_an_unavailable_server_is_reported(page):
    deleted = []

    def respond(route) -> None:
        if route.request.method == "DELETE":
            deleted.append(True)
        route.fulfill(json={"walks": [] if deleted else [WALK]})

    page.route("**/_mock/walks", respond)
    page.goto("/walks")
    expect(page.locator("#walks > li")).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#walks > li")).to_have_count(0)
    assert deleted == [True]
    page.unroute("**/_mock/walks")
    page.route("**/_mock/walks", lambda route: route.fulfill(status=409, json={"error": "Walks need one process."}))
    expect(page.locator("#state")).to_have_text("Walks need one process. Trying again every 5 seconds.")
    page.unroute("**/_mock/walks")
    page.route("**/_mock/walks", lambda route: route.abort())
    page.reload()
    expect(page.locator("#state")).to_have_text("The server cannot be reached. Trying again every 5 seconds.")


@in_browser
@pytest.mark.decision(63)
def test_the_queries_that_the_explorer_sent_are_labelled_and_can_be_hidden(page):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS | {"source": "google.com", "offset": 200})
    ours = WALK | {"query": {"source": "google.com"} | TWO_WEEKS}
    serve_walks(page, [ours, WALK])
    page.goto("/walks")
    expect(page.locator(".own-label")).to_have_count(1)
    shown = page.locator("#walks > li:not([hidden])")
    expect(shown).to_have_count(2)
    page.get_by_label("Hide the queries that the explorer sent from this browser").check()
    expect(shown).to_have_count(1)
    expect(shown.locator(".own-label")).to_have_count(0)


@in_browser
def test_a_real_client_that_adds_50_to_the_offset_is_shown_with_its_fault(page, url):
    page.goto("/walks")
    for offset in (0, 50, 100):
        page.request.post(
            f"{url}/api/v1/conversions",
            headers={"Authentication": "published-sample"},
            data=SAMPLE | {"offset": offset},
        )
    walk = page.locator("#walks > li", has_text="testdomain.com").first
    expect(walk.locator(".verdict strong")).to_have_text("Repeats")
    expect(walk.locator(".flag")).to_have_text("the offset should have been 200")


def test_without_mock_mode_there_is_no_live_walks_page(tmp_path):
    without = Hub(tmp_path / "conversions.sqlite", MOCK="0")
    assert without.client.get("/walks").status_code == 404
    assert "Live walks" not in without.client.get("/").text
    assert "prefer-code" not in without.client.get("/").text
    mock = Hub(tmp_path / "conversions.sqlite", MOCK="1")
    assert mock.client.get("/walks").status_code == 200
    assert "Live walks" in mock.client.get("/").text


# What the server has


def offered(hub: Hub) -> list[str]:
    return re.findall(r'<option value="([^"]+)" data-domain', hub.client.get("/").text)


@pytest.mark.decision(62)
def test_the_explorer_offers_exactly_the_demo_keys_that_the_server_has(tmp_path, bundled):
    assert offered(bundled) == [account["key"] for account in explorer.traffic.accounts()]
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
                r'<option value="[^"]+" data-domain.*?</option>|<nav class="views".*?</nav>', "", route.fetch().text(), flags=re.S
            ),
            content_type="text/html",
        ),
    )
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.goto("/")
    expect(page.get_by_label("Your key")).to_be_visible()
    expect(page.locator("#picture")).to_be_hidden()
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
        assert f"Version {explorer.version()}" in text


def test_without_javascript_the_page_shows_the_published_sample(bundled):
    (without,) = re.findall(r"<noscript>(.*?)</noscript>", bundled.client.get("/").text, re.DOTALL)
    assert "needs JavaScript" in without
    assert '"pagination": {"records_processed": 200, "total_records": 427, "has_more": true}' in without


def test_every_link_works(bundled):
    for path in ("/", "/decisions"):
        for link in re.findall(r'<(?:a|link|script)[^>]+(?:href|src)="(/[^"#]*)', bundled.client.get(path).text):
            with bundled.client.get(link) as linked:
                assert linked.status_code == 200, link


@in_browser
def test_execute_in_the_docs_returns_records(page):
    page.goto("/")
    page.get_by_role("link", name="Reference", exact=True).click()
    page.get_by_role("button", name="Execute").click()
    body = page.locator(".live-responses-table .response-col_description .microlight").first
    expect(body).to_contain_text('"records_processed"')
    expect(body).to_contain_text('"conversion_page"')


# Decisions


def test_the_decisions_page_lists_each_decision_with_its_test_and_example(bundled):
    text = bundled.client.get("/decisions").text
    assert set(TOUR["examples"]) <= {str(number) for number in DECISIONS}
    assert len(re.findall(r'<li id="\d+"', text)) == len(DECISIONS)
    for _, _, _, test in DECISIONS.values():
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
    ["/", view("YOUR_API_KEY", {"offset": "-1"}), view("YOUR_API_KEY", TWO_WEEKS | {"pages": 2}), "/decisions", "/walks"],
    ids=["first visit", "error", "walk", "decisions", "live walks"],
)
def test_axe_finds_no_violation(page, path):
    if path == "/walks":
        serve_walks(page, [REPEATING, SKIPPING, COMPLETE])
    page.goto(path)
    ready = {"/decisions": "h1", "/walks": "#walks .flag >> nth=0", "/": "#picture .next >> nth=0"}.get(path, "#status strong")
    expect(page.locator(ready)).to_be_visible()
    page.evaluate(f"{AXE.read_text(encoding='utf-8')}; 0")
    in_light = page.evaluate("axe.run({resultTypes: ['violations']})")
    page.emulate_media(color_scheme="dark")
    in_dark = page.evaluate("axe.run({runOnly: ['color-contrast']})")
    for found in (in_light, in_dark):
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
        assert "color-contrast" in [each["id"] for each in found["passes"]]
    assert len(in_light["passes"]) > 15


@in_browser
def test_every_page_works_under_its_content_security_policy(page):
    page.route(ENDPOINT, lambda route: route.fulfill(json={"message": json.dumps("x")}))
    for path in ("/", "/walks", "/decisions"):
        policy = page.goto(path).headers["content-security-policy"]
        assert "script-src 'self'; style-src 'self'" in policy
        assert page.locator("[style]:not([style*='--'])").count() == 0
