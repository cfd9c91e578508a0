"""The explorer, in a real browser: what it shows is what the endpoint answers, and everybody can use it."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import axe_playwright_python
import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.conftest import Hub, a_conversion, a_session, serving
from tests.test_docs import DECISIONS, ROOT

CHROMIUM = shutil.which("chromium")
OPTIONS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync""".split()
ONLY_HERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
TOUR = json.loads((ROOT / "seed" / "explorer.json").read_text(encoding="utf-8"))
SAMPLE = {"source": "google.com", "start_date": "2025-03-01", "end_date": "2025-03-05"}
TWO_WEEKS = {"start_date": "2025-07-15", "end_date": "2025-07-30"}
AWKWARD = 'it\'s "that" \\n'
MARKUP = "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"

in_browser = pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium to show the explorer in")


@pytest.fixture(scope="module")
def hub(bundled, tmp_path_factory) -> Hub:
    """The bundled data, an account whose conversions are full of markup, and one that hardly converts."""
    hub = Hub(tmp_path_factory.mktemp("explorer") / "conversions.sqlite")
    with closing(sqlite3.connect(bundled.path)) as source, closing(sqlite3.connect(hub.path)) as copy:
        source.backup(copy)
    page = f"https://markup.example/{MARKUP}"
    meta = {"type": MARKUP, "id": MARKUP}
    conversion = a_conversion(email=MARKUP, conversion_page=page, previous_page=page, conversion_meta=meta)
    hub.load([a_session(utm_term=AWKWARD, conversions=[conversion])], "markup.example", "markup")
    # One second a session, newest first: the conversions are in the 1st and in the 12th batch of 200.
    rare = [a_session(started_at=f"2025-08-01T09:{minute:02}:{second:02}Z") for minute in range(45) for second in range(60)]
    for place in (5, 2300):
        rare[-place]["conversions"] = [a_conversion(timestamp=rare[-place]["started_at"])]
    hub.load(rare, "rare.example", "rare")
    return hub


@pytest.fixture(scope="module")
def url(hub):
    with serving(hub, "--threads", "4") as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(scope="module")
def browser(url: str):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, ONLY_HERE])
        yield browser.new_context(viewport={"width": 1280, "height": 900}, base_url=url)
        browser.close()


@pytest.fixture
def page(browser: BrowserContext, url: str):
    """A page of its own, which must ask no other host and have nothing to complain of."""
    elsewhere, complaints = [], []
    page = browser.new_page()
    page.set_default_timeout(5000)
    page.on("request", lambda request: elsewhere.append(request.url) if not request.url.startswith((url, "data:")) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    yield page
    page.close()
    assert elsewhere == []
    # Chromium itself notes each answer that is an error, which some tests ask for.
    assert [complaint for complaint in complaints if "Failed to load resource" not in complaint] == []


def view(key: str, query: dict) -> str:
    return f"/#{urlencode({'key': key} | query)}"


def see(page: Page, key: str, query: dict) -> None:
    """Opens a view and waits for its answer."""
    with page.expect_response("**/api/v1/conversions"):
        page.goto(view(key, query))
    expect(page.locator("#status")).not_to_be_empty()


def rows(page: Page) -> list[list[str]]:
    """The records on the page, each as its six texts."""
    cells = page.locator("#records tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerHTML.split('<br>').map(html => {"
        "const text = document.createElement('template'); text.innerHTML = html; return text.content.textContent; })))"
    )
    return [[text for cell in row for text in cell] for row in cells]


def expected(records: list[dict]) -> list[list[str]]:
    return [
        [
            record["timestamp"],
            record["email"] or "null",
            record["conversion_page"],
            record["previous_page"] or "null",
            record["conversion_meta"]["type"],
            record["conversion_meta"]["id"],
        ]
        for record in records
    ]


# Asking


@in_browser
def test_the_page_opens_with_the_published_sample_answered(page, hub):
    page.goto("/")
    expect(page.locator("#why")).to_contain_text("200 taken in one batch, 227 of 427 left. It stopped because 52 conversions")
    assert rows(page) == expected(hub.ask(SAMPLE, "published-sample")["records"])
    assert json.loads(page.locator("#json").inner_text()) == hub.ask(SAMPLE, "published-sample")
    expect(page.locator("#status")).to_contain_text("200 OK · session query in one batch · at most 679 rows looked at")


@in_browser
def test_a_filter_that_is_filled_in_is_sent_for_the_first_page(page, hub):
    see(page, "YOUR_API_KEY", TWO_WEEKS | {"offset": 50})
    page.get_by_label("meta_type", exact=True).fill("custom")
    expect(page.get_by_label("offset", exact=True)).to_have_value("")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**meta_type=custom")
    expect(page.locator("#types")).to_have_text(
        f"custom {len(hub.everything(TWO_WEEKS | {'meta_type': 'custom'}, 'YOUR_API_KEY'))}"
    )
    assert rows(page) == expected(hub.ask(TWO_WEEKS | {"meta_type": "custom"}, "YOUR_API_KEY")["records"])


@in_browser
def test_two_quotes_send_the_empty_string_which_makes_a_session_query(page):
    see(page, "YOUR_API_KEY", {})
    expect(page.locator("#counts")).to_have_text("offset counts conversions")
    page.get_by_label("term", exact=True).focus()
    page.keyboard.type('""')
    expect(page.locator("#counts")).to_have_text("offset counts sessions")
    expect(page.locator("#request")).to_contain_text('{"term": ""}')
    with page.expect_request("**/api/v1/conversions") as asked:
        page.keyboard.press("Enter")
    assert asked.value.post_data == '{"term": ""}'
    page.wait_for_url("**/#key=YOUR_API_KEY&term=")
    expect(page.locator("#status")).to_contain_text("session query")
    page.reload()
    expect(page.get_by_label("term", exact=True)).to_have_value('""')
    expect(page.get_by_label("content", exact=True)).to_have_value("")
    expect(page.locator("#request")).to_contain_text('{"term": ""}')


@in_browser
def test_the_values_worth_trying_are_suggested_for_the_key(page):
    see(page, "boundaries", {})
    suggested = page.get_by_label("campaign", exact=True).evaluate("field => [...field.list.options].map(option => option.value)")
    assert suggested == TOUR["values"]["boundaries"]["campaign"]
    page.get_by_label("key", exact=True).select_option("YOUR_API_KEY")
    assert page.get_by_label("campaign", exact=True).evaluate("field => field.list.options[0].value") == "brand-search"


@in_browser
@pytest.mark.decision(37)
def test_a_key_of_ones_own_is_sent_and_stays_out_of_the_address(page):
    see(page, "YOUR_API_KEY", {})
    page.get_by_label("key", exact=True).select_option("")
    page.get_by_label("Your key").fill("markup")
    page.get_by_label("source", exact=True).fill("(direct)")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/#key=&source=%28direct%29")
    expect(page.locator("#why")).to_contain_text("1 conversion was in hand")
    page.reload()
    expect(page.locator("#key-fault")).to_have_text("This view is of a key that is not in its address; enter yours.")
    expect(page.get_by_label("Your key")).to_be_focused()
    page.keyboard.type("dense")
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#why")).to_contain_text("50 taken, 2,950 of 3,000 left")


@in_browser
def test_the_request_that_is_shown_gets_the_answer_that_is_shown(page):
    see(page, "markup", {"term": AWKWARD})
    expect(page.locator("#why")).to_contain_text("1 conversion was in hand")
    shown = {}
    for language in ("curl", "Python", "fetch"):
        page.get_by_text(language, exact=True).click()
        shown[language] = page.locator("#request").inner_text()
    answers = [
        json.loads(run("bash", "-c", f"{shown['curl']} -s")),
        json.loads(run(sys.executable, "-W", "ignore", "-c", f"{shown['Python']}\nprint(response.text)")),
        page.evaluate(f"async () => {{ {shown['fetch']} return page; }}"),
    ]
    assert answers == [json.loads(page.locator("#json").inner_text())] * 3


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@in_browser
def test_the_request_can_be_copied(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    see(page, "YOUR_API_KEY", TWO_WEEKS)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#request").inner_text()


# Pagination


@in_browser
@pytest.mark.parametrize(
    ("key", "query", "told"),
    [
        ("published-sample", SAMPLE, "200 skipped. 200 taken in one batch, 27 of 427 left."),
        ("YOUR_API_KEY", TWO_WEEKS, "50 skipped. 50 taken, 60 of 160 left. It stopped at 50, the most"),
    ],
    ids=["session", "direct"],
)
def test_next_page_sends_records_processed_back(page, hub, key, query, told):
    see(page, key, query)
    with page.expect_request("**/api/v1/conversions") as asked:
        page.get_by_role("button", name="Next page").click()
    first, second, *_ = hub.walk(query, key)
    assert json.loads(asked.value.post_data) == query | {"offset": first["pagination"]["records_processed"]}
    expect(page.locator("#why")).to_contain_text(told)
    assert rows(page) == expected(second["records"])


@in_browser
@pytest.mark.parametrize(
    ("key", "query"),
    [
        ("YOUR_API_KEY", {"start_date": "2025-07-01", "source": "google.com"}),
        ("YOUR_API_KEY", TWO_WEEKS),
    ],
    ids=["session", "direct"],
)
def test_walk_all_goes_on_to_the_end_and_the_strip_fills(page, hub, key, query):
    see(page, key, query)
    page.get_by_role("button", name="Walk all").click()
    pages = list(hub.walk(query, key))
    records = sum(len(each["records"]) for each in pages)
    total = pages[-1]["pagination"]["total_records"]
    unit = "sessions" if "source" in query else "conversions"
    told = f"Walked whole: {len(pages)} pages, {total:,} of {total:,} {unit}, {records:,} conversions."
    expect(page.locator("#progress")).to_have_text(told)
    page.wait_for_url(f"**offset={pages[-2]['pagination']['records_processed']}")
    assert page.locator("#cells .left, #cells .skipped").count() == 0
    assert page.locator("#cells .walked, #cells .taken").count() == len(pages)
    expect(page.get_by_role("button", name="Walk all")).to_have_attribute("aria-disabled", "true")
    days = Counter(record["timestamp"][:10] for each in pages for record in each["records"])
    assert [(day, int(number)) for day, number, _ in cells(page, "#numbers")] == sorted(days.items())
    types = Counter(record["conversion_meta"]["type"] for each in pages for record in each["records"])
    assert dict(text.split() for text in page.locator("#types li").all_inner_texts()) == {
        type: str(number) for type, number in types.items()
    }
    columns = page.locator("#days g").evaluate_all(
        "days => days.map(day => [...day.querySelectorAll('[class^=type]')].reduce((sum, part) => sum + part.getBBox().height, 0))"
    )
    assert [column / columns[0] for column in columns] == pytest.approx([days[day] / days[min(days)] for day in sorted(days)])


@in_browser
@pytest.mark.parametrize(
    "stop",
    [lambda page: page.get_by_role("button", name="Stop").click(), lambda page: page.get_by_label("medium").fill("cpc")],
    ids=["the button", "another query"],
)
def test_a_walk_can_be_stopped(page, stop):
    see(page, "YOUR_API_KEY", TWO_WEEKS)
    held = []
    page.route("**/api/v1/conversions", lambda route: held.append(route))
    with page.expect_request("**/api/v1/conversions"):
        page.get_by_role("button", name="Walk all").click()
    stop(page)
    held[0].continue_()
    expect(page.locator("#progress")).to_have_text("Walked so far: 2 pages, 100 of 160 conversions, 100 conversions.")
    expect(page.get_by_role("button", name="Walk all")).to_have_attribute("aria-disabled", "false")
    assert len(held) == 1


@in_browser
def test_a_total_that_changed_on_the_way_is_told(page, hub):
    sessions = [a_session(conversions=[a_conversion()]) for _ in range(60)]
    hub.load(sessions, "growing.example", "growing")
    see(page, "growing", {})
    hub.load(sessions[:1], "growing.example", "growing")
    page.get_by_label("Your key").fill("growing")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("#progress")).to_have_text(
        "Walked whole: 2 pages, 61 of 61 conversions, 61 conversions."
        " The total changed on the way: give both dates to hold the window still."
    )


@in_browser
def test_a_walk_ends_at_an_error(page):
    see(page, "YOUR_API_KEY", TWO_WEEKS)
    asked = []
    page.route(
        "**/api/v1/conversions", lambda route: (asked.append(route), route.fulfill(status=503, body='{"error": "Not now."}'))
    )
    page.get_by_role("button", name="Walk all").click()
    expect(page.locator("#why")).to_have_text("Not now.")
    expect(page.get_by_role("button", name="Walk all")).to_have_attribute("aria-disabled", "true")
    assert len(asked) == 1


def cells(page: Page, table: str) -> list[list[str]]:
    return page.locator(f"{table} tbody tr").evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")


@in_browser
def test_the_batches_of_a_page_are_told_with_what_each_held_and_why_it_ended(page):
    see(page, "sparse", {"source": "google.com", "offset": 1000})
    assert cells(page, "#batches") == [
        ["1", "1,001–1,200", "8", "8", "go on"],
        ["2", "1,201–1,400", "8", "16", "go on"],
        ["3", "1,401–1,600", "4", "20", "go on"],
        ["4", "1,601–1,800", "0", "20", "go on"],
        ["5", "1,801–2,000", "0", "20", "stop: end of the pool"],
    ]
    assert page.locator(".bar span").all_inner_texts() == ["+8", "+8", "+4", "+0", "+0"]
    expect(page.locator("#together")).to_be_hidden()


@in_browser
def test_batches_that_the_server_passed_over_together_are_drawn_and_told_as_one(page):
    see(page, "rare", {"source": "(direct)", "start_date": "2025-08-01"})
    expect(page.locator("#why")).to_contain_text("2,700 taken in 14 batches, 0 of 2,700 left. It stopped because the pool was at")
    told = cells(page, "#batches")
    assert told[0] == ["1", "1–200", "1", "1", "go on"]
    assert told[6:] == [
        ["7", "1,201–1,400", "0", "1", "go on"],
        ["8–14", "1,401–2,700", "1", "2", "stop: end of the pool"],
    ]
    expect(page.locator("#together")).to_be_visible()
    together, strip = page.locator(".bar:has(.together)").bounding_box(), page.locator("#cells").bounding_box()
    assert together["x"] - strip["x"] == pytest.approx(strip["width"] * 1400 / 2700, abs=1)
    assert together["x"] + together["width"] == pytest.approx(strip["x"] + strip["width"], abs=1)


@in_browser
@pytest.mark.parametrize(
    ("key", "query", "offsets"),
    [
        ("sparse", {"source": "google.com"}, [0, 100, 600, 601, 1800, 1999, 2000]),
        ("YOUR_API_KEY", TWO_WEEKS, [0, 1, 30, 80, 109, 110, 111, 159]),
    ],
    ids=["session", "direct"],
)
def test_wherever_a_page_is_on_the_strip_its_labels_are_whole_and_apart(page, key, query, offsets):
    for offset in offsets:
        see(page, key, query | {"offset": offset})
        expect(page.locator("#begins")).to_have_text(f"offset {offset:,}")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            drawing, *labels = page.locator("#drawing, #drawing .flag span, #drawing .bar span, #drawing li").evaluate_all(
                "labels => labels.filter(label => label.checkVisibility({visibilityProperty: true}))"
                ".map(label => [label.textContent, label.getBoundingClientRect()])"
            )
            for number, (text, box) in enumerate(labels):
                where = (text, offset, width)
                assert drawing[1]["left"] - 0.5 <= box["left"] < box["right"] <= drawing[1]["right"] + 0.5, where
                for other, another in labels[:number]:
                    is_beside = box["left"] >= another["right"] or another["left"] >= box["right"]
                    assert is_beside or box["top"] >= another["bottom"] or another["top"] >= box["bottom"], (other, where)


@in_browser
def test_an_offset_past_the_end_is_told_for_what_it_is(page):
    see(page, "boundaries", {"campaign": "201-sessions", "offset": 5000})
    expect(page.locator("#why")).to_contain_text("201 skipped. They are all there are: nothing was left to take.")


@in_browser
def test_nothing_found_is_told_in_the_servers_words(page):
    see(page, "boundaries", {"campaign": "0-conversions"})
    expect(page.locator("#why")).to_have_text(
        "No conversions matched the given filters. The pool was taken in one batch, and held none."
    )
    expect(page.locator("#drawing")).to_be_hidden()
    expect(page.locator("#picture")).to_be_hidden()


# Errors


@in_browser
@pytest.mark.parametrize(("query", "field"), [({"offset": "-1"}, "offset"), ({"start_date": "20250701"}, "start_date")])
def test_a_fault_is_told_at_its_field_in_the_servers_words(page, hub, query, field):
    see(page, "YOUR_API_KEY", query)
    body = {name: int(value) if value == "-1" else value for name, value in query.items()}
    (sentence,) = hub.post(json.dumps(body), "YOUR_API_KEY").json["fields"][field]
    expect(page.locator(f"#{field}-fault")).to_have_text(sentence)
    expect(page.get_by_label(field, exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label(field, exact=True)).to_be_focused()
    page.get_by_label(field, exact=True).fill("")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("200 OK")
    expect(page.locator(f"#{field}-fault")).to_be_empty()


@in_browser
def test_a_key_that_is_refused_is_told_at_the_key(page, hub):
    for key in ("over-limit", "unknown"):
        see(page, key, {})
        expect(page.locator("#key-fault")).to_have_text(hub.post("{}", key).json["error"])


@in_browser
def test_a_server_that_is_gone_is_told(page):
    see(page, "YOUR_API_KEY", {})
    page.route("**/api/v1/conversions", lambda route: route.abort())
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#why")).to_contain_text("There is no answer: ")
    page.unroute("**/api/v1/conversions")
    page.route("**/api/v1/conversions", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#status")).to_contain_text("502 Bad Gateway")
    expect(page.locator("#json")).to_have_text("<h1>Bad Gateway</h1>")
    expect(page.locator("#why")).to_have_text("There is no answer to draw.")


# Addresses, data as text


@in_browser
def test_what_one_sees_is_in_the_address_and_going_back_shows_what_was_there(page):
    see(page, "published-sample", SAMPLE)
    page.get_by_role("button", name="Next page").click()
    page.wait_for_url("**offset=200")
    shown = page.url
    page.get_by_role("link", name="Many batches a page").click()
    expect(page.locator("#why")).to_contain_text("1,400 taken in 7 batches, 600 of 2,000 left.")
    page.go_back()
    expect(page.locator("#why")).to_contain_text("200 skipped.")
    assert page.url == shown
    page.go_back()
    expect(page.locator("#why")).to_contain_text("200 taken in one batch, 227 of 427 left.")
    page.goto("about:blank")
    page.goto(shown)
    expect(page.locator("#why")).to_contain_text("200 skipped. 200 taken")
    expect(page.get_by_label("end_date")).to_have_value("2025-03-05")


@in_browser
def test_data_is_shown_as_text_and_never_as_markup(page):
    see(page, "markup", {})
    assert rows(page) == [
        ["2025-08-01 10:00:00", MARKUP, f"https://markup.example/{MARKUP}"] + [f"https://markup.example/{MARKUP}"] + [MARKUP] * 2
    ]
    expect(page.locator("#types")).to_contain_text(MARKUP)
    expect(page.locator("#pages")).to_contain_text(MARKUP)
    page.locator("#days g").hover()
    expect(page.locator("#tip")).to_contain_text(MARKUP)
    assert page.evaluate("window.broken") is None
    assert page.locator("main img, main script").count() == 0


# For everybody


def tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            return
    raise AssertionError(f"Tab does not lead to {name}")


@in_browser
def test_everything_can_be_done_with_the_keyboard(page):
    see(page, "published-sample", {"campaign": "older-than-the-sample"})
    tab_to(page, "account")
    page.keyboard.type("boundaries")
    tab_to(page, "campaign")
    page.keyboard.press("Control+a")
    page.keyboard.type("201-sessions")
    page.keyboard.press("Enter")
    expect(page.locator("#why")).to_contain_text("200 taken in one batch, 1 of 201 left.")
    tab_to(page, "all")
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_contain_text("Walked whole: 2 pages, 201 of 201 sessions")
    expect(page.locator("#all")).to_be_focused()
    tab_to(page, "days")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tip")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@in_browser
def test_a_phone_does_not_scroll_sideways(page):
    page.set_viewport_size({"width": 390, "height": 844})
    for path in (view("sparse", {"source": "google.com"}), view("markup", {}), "/decisions"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path


@in_browser
def test_on_a_phone_the_page_opens_at_its_top_and_the_next_answer_comes_into_view(page):
    page.set_viewport_size({"width": 390, "height": 844})
    see(page, "published-sample", SAMPLE)
    expect(page.locator("#cells")).not_to_be_in_viewport()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#cells")).to_be_in_viewport()


@in_browser
@pytest.mark.parametrize(
    "path",
    [view("published-sample", SAMPLE | {"offset": 400}), view("YOUR_API_KEY", {"offset": "-1"}), "/decisions"],
    ids=["a page", "a fault", "decisions"],
)
def test_axe_finds_nothing(page, path):
    page.goto(path)
    page.wait_for_load_state("networkidle")
    page.evaluate(f"{AXE.read_text(encoding='utf-8')}; 0")
    in_light = page.evaluate("axe.run({resultTypes: ['violations']})")
    page.emulate_media(color_scheme="dark")
    in_dark = page.evaluate("axe.run({runOnly: ['color-contrast']})")
    for found in (in_light, in_dark):
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
        assert "color-contrast" in [each["id"] for each in found["passes"]]
    assert len(in_light["passes"]) > 15


# Decisions, and what is linked


def test_each_view_and_each_example_gets_the_answer_that_it_is_there_for(bundled):
    def status(key, query):
        return bundled.post(json.dumps(query), key).status_code

    views = [*TOUR["views"], *TOUR["examples"].values()]
    answers = {each["shows"]: status(each["key"], each["query"]) for each in views}
    refused = {"Past the limit": 429, "The limit used up": 429, "An offset below zero": 400, "A date without its dashes": 400}
    assert answers == dict.fromkeys(answers, 200) | refused


def test_each_suggested_value_is_worth_trying(bundled):
    for key, suggested in TOUR["values"].items():
        for field, values in suggested.items():
            for value in values:
                answer = bundled.ask({"start_date": "2025-03-01", "end_date": "2025-08-15", field: value}, key)
                assert "records" in answer or value.endswith("0-conversions") or field.endswith("date"), (key, field, value)


def test_the_decisions_are_a_page_with_each_sentence_reading_and_test(bundled):
    text = bundled.client.get("/decisions").text
    assert set(TOUR["examples"]) <= {str(number) for number in DECISIONS}
    assert text.count('<li id="') == len(DECISIONS)
    for _, _, _, held in DECISIONS.values():
        assert f"<code>{held.strip('`')}</code>" in text


@in_browser
def test_a_decision_leads_to_its_example(page):
    page.goto("/decisions#18")
    expect(page.locator("main")).to_contain_text("A header of that name, not Authorization, with the key alone.")
    page.get_by_role("link", name="The second page").click()
    expect(page.locator("#why")).to_contain_text("200 skipped. 200 taken in one batch")


@in_browser
def test_the_first_execute_in_the_docs_returns_records(page):
    page.goto("/")
    page.get_by_role("link", name="Reference").click()
    page.get_by_role("button", name="Execute").click()
    body = page.locator(".live-responses-table .response-col_description .microlight").first
    expect(body).to_contain_text('"records_processed"', timeout=10000)
    expect(body).to_contain_text('"conversion_page"')


def test_what_is_linked_is_there(bundled):
    for path in ("/", "/decisions"):
        for link in re.findall(r'<(?:a|link|script)[^>]+(?:href|src)="(/[^"#]*)', bundled.client.get(path).text):
            with bundled.client.get(link) as linked:
                assert linked.status_code == 200, link
