"""The explorer in unusual situations: edited forms, errors, long walks, large offsets, phones, touch and print."""

import json
import re
import zlib
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

# ruff: noqa: F811 (pytest finds fixtures by their names)
from tests.browser import (
    ENDPOINT,
    LONG_TYPE,
    SAMPLE,
    TOUR,
    TWO_WEEKS,
    browser,  # noqa: F401
    cells,
    hub,  # noqa: F401
    in_browser,
    open_filters,
    open_view,
    page,  # noqa: F401
    rows,
    stub_walk,
    url,  # noqa: F401
    view,
)

BEYOND_DOUBLES = 2**53 + 1  # the first integer that a JavaScript number rounds


@in_browser
@pytest.mark.decision(64)
def test_editing_the_form_starts_a_new_query_and_marks_the_response_as_stale(page):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS | {"offset": 50})
    expect(page.locator("#unsent")).to_be_hidden()
    page.get_by_label("source", exact=True).fill("google.com")
    expect(page.locator("#unsent")).to_contain_text("Not sent yet.")
    expect(page.locator("#results")).to_have_class("stale")
    for name in ("First", "Next page", "Walk all pages"):
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-disabled", "true")
    with page.expect_request(ENDPOINT) as sent:
        page.get_by_role("button", name="Send").click()
    assert json.loads(sent.value.post_data) == TWO_WEEKS | {"source": "google.com"}
    expect(page.locator("#unsent")).to_be_hidden()
    page.get_by_label("source", exact=True).fill("bing.com")
    page.get_by_role("button", name="Undo the changes").click()
    expect(page.get_by_label("source", exact=True)).to_have_value("google.com")
    expect(page.locator("#unsent")).to_be_hidden()


@in_browser
@pytest.mark.parametrize("offset", [0, 8900, 34900])
def test_one_page_among_tens_of_thousands_of_conversions_is_visible_and_enlarged(page, offset):
    stub_walk(page, 34_936, records=50)
    page.goto(view("YOUR_API_KEY", {"offset": offset} if offset else {}))
    expect(page.locator("#overview")).to_be_visible()
    strip, taken = page.locator("#overview .cells").bounding_box(), page.locator("#overview .taken").bounding_box()
    assert taken["width"] >= 7
    assert strip["x"] - 0.5 <= taken["x"]
    assert taken["x"] + taken["width"] <= strip["x"] + strip["width"] + 0.5
    assert page.locator("#detail .taken").bounding_box()["width"] > 100
    expect(page.locator("#cell-size")).to_contain_text("The lower strip enlarges conversions")


@in_browser
def test_narrow_pages_of_a_long_walk_are_merged_on_the_strip(page):
    stub_walk(page, 34_936, records=1)
    page.goto(view("YOUR_API_KEY", {"pages": 30}))
    expect(page.locator("#progress")).to_contain_text("The walk so far: 30 pages, 1,500 of 34,936")
    widths = page.locator("#overview .walked").evaluate_all("parts => parts.map(part => part.getBoundingClientRect().width)")
    assert 8 < len(widths) < 20
    assert min(widths) >= 3.9
    walked = sum(widths) + page.locator("#overview .taken").bounding_box()["width"]
    assert walked == pytest.approx(page.locator("#overview .cells").bounding_box()["width"] * 1500 / 34_936, abs=8)


@in_browser
def test_a_type_keeps_its_colour_from_page_to_page_and_from_query_to_query(page):
    def legend() -> dict:
        return dict(
            page.locator("#types li").evaluate_all(
                "items => items.map(item => [item.innerText.trim(), item.firstElementChild.className])"
            )
        )

    open_view(page, "types", {"start_date": "2025-08-01"})
    expect(page.locator("#types")).to_contain_text("other types 12")  # all but three, since the published types keep theirs
    first = legend()
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("#types")).to_contain_text("other types 54")
    assert legend() == {name.replace("types 12", "types 54"): colour for name, colour in first.items()}
    # By itself, the second page ranks other types first. They do not take over the colours of the first page's types.
    page.evaluate("location.hash = 'key=types&start_date=2025-08-01&offset=50'")
    expect(page.locator("#types")).to_have_text("other types 42")
    assert legend() == {"other types 42": first["other types 12"]}
    page.evaluate(f"location.hash = '{view('YOUR_API_KEY', TWO_WEEKS)[2:]}'")
    expect(page.locator("#types")).to_contain_text("custom_event")
    of_all = legend()
    page.evaluate(f"location.hash = '{view('YOUR_API_KEY', TWO_WEEKS | {'meta_type': 'custom_event'})[2:]}'")
    expect(page.locator("#types li")).to_have_count(1)
    assert {name.split()[0]: colour for name, colour in legend().items()}.items() <= {
        n.split()[0]: c for n, c in of_all.items()
    }.items()


@in_browser
@pytest.mark.parametrize("fragment", ["garbage", "sorce=google.com", "%"])
def test_an_unknown_address_opens_the_first_example(page, hub, fragment):
    total = hub.ask(TOUR["views"][0]["query"], "YOUR_API_KEY")["pagination"]["total_records"]
    with page.expect_response(ENDPOINT):
        page.goto(f"/#{fragment}")
    expect(page.locator("#why")).to_contain_text(f"sessions 1–200 of {total}")
    expect(page.get_by_role("link", name="From Google")).to_have_attribute("aria-current", "true")
    if fragment.startswith("sorce"):
        expect(page.locator("#ignored")).to_have_text(
            "The endpoint has no field sorce: the page left it out of this link's request."
        )
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("#why")).to_contain_text(f"sessions 201–{total} of {total}")


@in_browser
def test_without_a_key_the_previous_response_is_hidden_and_no_button_works(page):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    page.get_by_label("key", exact=True).select_option("")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#key-fault")).to_contain_text("Enter your key")
    for shown in ("#drawing", "#chart", "#tabs"):
        expect(page.locator(shown)).to_be_hidden()
    for name in ("First", "Next page", "Walk all pages"):
        button = page.get_by_role("button", name=name)
        expect(button).to_have_attribute("aria-disabled", "true")
        button.click(force=True)
    expect(page.get_by_role("button", name="Walk all pages")).to_be_visible()


@in_browser
def test_after_an_error_during_a_walk_the_drawing_stays_and_the_walk_can_continue(page):
    stub_walk(page, 34_936, records=1, fails_at=500)
    page.goto(view("YOUR_API_KEY", {}))
    page.get_by_role("button", name="Walk all pages").click()
    stopped = page.locator("#stopped")
    expect(stopped).to_contain_text("Stopped at 500 of 34,936 conversions. 429 Too Many Requests: API monthly limit exceeded.")
    expect(page.locator("#drawing")).to_be_visible()
    expect(page.locator("#progress")).to_contain_text("10 pages, 500 of 34,936 conversions")
    expect(page.get_by_role("button", name="Walk all pages")).to_have_attribute("aria-disabled", "false")
    stopped.get_by_role("button", name="Try again").click()
    expect(page.locator("#progress")).to_contain_text(re.compile(r"(\d\d|\d\d\d) pages"))
    expect(stopped).to_be_hidden()
    page.get_by_role("button", name="Stop").click()


@in_browser
def test_an_unreachable_server_and_a_bad_gateway_are_shown_as_errors(page):
    open_view(page, "YOUR_API_KEY", {})
    page.route(ENDPOINT, lambda route: route.abort())
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#error")).to_have_text("The server cannot be reached, or closed the connection. Check that it is running.")
    for shown in ("#json", "#drawing", "#chart", "#tabs"):
        expect(page.locator(shown)).to_be_hidden()
    page.unroute(ENDPOINT)
    page.route(ENDPOINT, lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#status")).to_contain_text("502 Bad Gateway")
    expect(page.locator("#error")).to_have_class("error server")
    expect(page.locator("#json")).to_have_text("<h1>Bad Gateway</h1>")


@in_browser
def test_a_key_that_cannot_be_sent_in_a_header_is_refused_by_the_page(page):
    open_view(page, "YOUR_API_KEY", {})
    sent = []
    page.route(ENDPOINT, lambda route: sent.append(route))
    page.get_by_label("key", exact=True).select_option("")
    page.get_by_label("Your key").fill("ключ")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#key-fault")).to_contain_text("A header cannot carry the character “к” of this key.")
    assert sent == []


@in_browser
def test_the_chart_shows_its_numbers_on_touch(browser, url):
    context = browser.browser.new_context(has_touch=True, viewport={"width": 390, "height": 844}, base_url=url)
    page = context.new_page()
    page.set_default_timeout(10_000)
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    page.locator("#columns g").last.scroll_into_view_if_needed()
    page.locator("#columns g").last.tap()
    expect(page.locator("#tip")).to_contain_text("2025-07-30: ")
    context.close()


@in_browser
def test_printing_shows_all_records_and_keeps_the_colours_of_the_drawing(page):
    open_view(page, "sparse", {"source": "google.com"})
    assert page.locator("#records tbody tr").count() == 15
    printed = page.pdf(print_background=False)
    assert page.locator("#records tbody tr").count() == 56
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", printed, re.DOTALL)
    drawn = b"".join(content for stream in streams if (content := inflated(stream)))
    accent = page.evaluate("getComputedStyle(document.querySelector('#detail .taken')).backgroundColor")
    assert accent == "rgb(15, 109, 120)"
    colour = " ".join(f"{int(part) / 255:.4f}".strip("0") for part in re.findall(r"\d+", accent))
    assert f" {colour} rg".encode() in drawn


def inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


@in_browser
@pytest.mark.parametrize("width", [390, 320])
def test_no_page_scrolls_sideways_on_a_phone(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    for path in (view("types", {"pages": 2, "start_date": "2025-08-01"}), view("markup", {}), "/", "/decisions", "/requests"):
        page.goto("about:blank")
        page.goto(path)
        page.wait_for_load_state("load")
        if path.startswith("/#"):
            expect(page.locator("#types")).not_to_be_empty()
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
    open_view(page, "types", {"start_date": "2025-08-01", "meta_type": LONG_TYPE})
    expect(page.locator("#types")).to_contain_text(LONG_TYPE)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@in_browser
def test_an_offset_too_large_for_a_javascript_number_stays_exact(page):
    with page.expect_request(ENDPOINT) as sent:
        page.goto(view("YOUR_API_KEY", TWO_WEEKS | {"offset": BEYOND_DOUBLES}))
    assert json.loads(sent.value.post_data)["offset"] == BEYOND_DOUBLES
    expect(page.locator(".flag.begins")).to_have_text(f"offset {BEYOND_DOUBLES:,}")
    expect(page.locator("#why")).to_contain_text(f"{BEYOND_DOUBLES:,}")
    for language in ("curl", "fetch", "Python"):
        page.locator("#sent-as").get_by_text(language, exact=True).click()
        expect(page.locator("#code")).to_contain_text(str(BEYOND_DOUBLES))
    page.locator("#sent-as").get_by_text("fetch", exact=True).click()
    with page.expect_request(ENDPOINT) as sent:
        page.evaluate(f"async () => {{ {page.locator('#code').inner_text()} }}")
    assert json.loads(sent.value.post_data)["offset"] == BEYOND_DOUBLES


@in_browser
@pytest.mark.decision(65)
def test_opening_the_address_of_a_walk_shows_the_whole_walk(page):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    page.get_by_role("button", name="Walk all pages").click()
    expect(page.locator("#progress")).to_contain_text("The whole walk: 4 pages")
    shared, shown = page.url, cells(page, "#numbers")
    page.goto("about:blank")
    page.goto(shared)
    expect(page.locator("#progress")).to_contain_text("The whole walk: 4 pages")
    assert cells(page, "#numbers") == shown


@in_browser
def test_during_a_walk_the_offset_field_matches_the_page_that_is_drawn(page):
    stub_walk(page, 40_000, records=0)
    page.goto(view("YOUR_API_KEY", {}))
    expect(page.locator(".flag.begins")).to_be_visible()
    page.evaluate(
        """() => {
            window.differences = [];
            window.drawn = new Set();
            const compare = () => {
                const digits = document.querySelector(".flag.begins").textContent.replace(/\\D/g, "");
                const typed = document.getElementById("offset").value || "0";
                window.drawn.add(digits);
                if (digits !== typed) window.differences.push([digits, typed]);
                requestAnimationFrame(compare);
            };
            compare();
        }"""
    )
    page.get_by_role("button", name="Walk all pages").click()
    expect(page.locator("#progress")).to_contain_text(re.compile(r"(\d\d) pages"))
    page.get_by_role("button", name="Stop").click()
    assert page.evaluate("window.drawn.size") > 1
    assert page.evaluate("window.differences") == []


# The first visit


@in_browser
def test_the_page_says_what_it_is_and_shows_a_result_without_scrolling(page):
    page.goto("/")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("a runnable reference and mock")
    said = (
        "POST /api/v1/conversions",
        "not AttributionHub",
        "A session is one visit",
        "A conversion is an event",
        "UTC",
        "Point your app at",
    )
    for each in said:
        expect(page.locator(".about")).to_contain_text(each)
    expect(page.locator("#why")).to_contain_text("The next offset is 200.")
    for shown in (page.get_by_role("button", name="Send"), page.get_by_role("button", name="Play"), page.locator("#why")):
        box = shown.bounding_box()
        assert 0 <= box["y"] < box["y"] + box["height"] <= 800


@in_browser
@pytest.mark.parametrize(
    ("name", "why", "cell"),
    [
        ("201st session", "session 201 of 201 in 1 batch", "One cell = 1 session."),
        ("Empty last batch", "sessions 201–400 of 400 in 1 batch", "One cell = 200 sessions, one batch."),
        ("51st conversion", "conversion 51 of 51", "One cell = 1 conversion."),
        ("Direct query", "conversions 1–50 of 160", "One cell = 50 conversions, one full page."),
    ],
)
def test_an_example_opens_at_the_page_that_it_is_about_and_explains_a_cell(page, name, why, cell):
    open_view(page, "empty", {})
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("#why")).to_contain_text(why)
    expect(page.locator("#cell-size")).to_contain_text(cell)
    assert page.locator("#detail .taken").bounding_box()["width"] > 20


@in_browser
def test_on_a_phone_the_form_is_one_line_until_it_is_edited(page):
    page.set_viewport_size({"width": 390, "height": 844})
    open_view(page, "published-sample", SAMPLE)
    expect(page.locator("#summary-text")).to_have_text("published-sample · 2025-03-01 – 2025-03-05 · source google.com")
    expect(page.locator("#query")).to_be_hidden()
    expect(page.locator("#why")).to_be_in_viewport()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("source", exact=True).fill("bing.com")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#query")).to_be_hidden()
    expect(page.locator("#why")).to_be_in_viewport()
    expect(page.locator("#why")).to_have_text("No conversions matched the given filters.")


@in_browser
@pytest.mark.parametrize(("query", "field"), [({"offset": "-1"}, "offset"), ({"start_date": "20250701"}, "start_date")])
def test_an_error_is_shown_at_its_field_in_the_servers_words(page, hub, query, field):
    open_view(page, "YOUR_API_KEY", query)
    body = {name: int(value) if value == "-1" else value for name, value in query.items()}
    (sentence,) = hub.post(json.dumps(body), "YOUR_API_KEY").json["fields"][field]
    expect(page.locator(f"#{field}-fault")).to_have_text(sentence)
    expect(page.locator("#error")).to_contain_text(f"{field}: {sentence}")
    expect(page.locator("#error")).to_have_class("error client")
    expect(page.get_by_role("tab", name="Records")).to_be_hidden()
    expect(page.locator("#json")).to_contain_text('"fields"')
    expect(page.get_by_label(field, exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label(field, exact=True)).to_be_focused()
    page.get_by_label(field, exact=True).fill("")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("200 OK")
    expect(page.locator(f"#{field}-fault")).to_be_empty()
    assert len(rows(page)) == 50


@in_browser
def test_the_error_of_a_refused_key_is_shown_at_the_key(page, hub):
    for key in ("over-limit", "unknown"):
        open_view(page, key, {})
        expect(page.locator("#key-fault")).to_have_text(hub.post("{}", key).json["error"])


@in_browser
def test_the_page_shows_that_it_is_waiting(page):
    open_view(page, "YOUR_API_KEY", {})
    routes = []
    page.route(ENDPOINT, lambda route: routes.append(route))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#busy")).to_have_text("Waiting for the server …")
    routes[0].continue_()
    expect(page.locator("#busy")).to_be_hidden()


def tab_to(page: Page, name: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            return
    raise AssertionError(f"Tab never reaches {name}")


@in_browser
def test_everything_can_be_done_with_the_keyboard(page):
    open_view(page, "published-sample", {"campaign": "older-than-the-sample"})
    open_filters(page)
    tab_to(page, "account")
    page.keyboard.type("boundaries")
    tab_to(page, "campaign")
    page.keyboard.press("Control+a")
    page.keyboard.type("201-sessions")
    page.keyboard.press("Enter")
    expect(page.locator("#why")).to_contain_text("sessions 1–200 of 201")
    tab_to(page, "walk")
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_contain_text("The whole walk: 2 pages, 201 of 201 sessions")
    expect(page.locator("#walk")).to_be_focused()
    tab_to(page, "tab-records")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#json")).to_be_visible()
    tab_to(page, "columns")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tip")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


# Requests that take their time


@in_browser
def test_choosing_an_example_while_a_request_is_on_its_way_is_not_called_unsent(page):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    routes = []
    page.route(ENDPOINT, lambda route: routes.append(route))
    page.get_by_role("link", name="Many batches").click()
    expect(page.locator("#busy")).to_have_text("Waiting for the server … What is below belongs to the request before.")
    expect(page.locator("#results")).to_have_class("stale")
    expect(page.locator("#unsent")).to_be_hidden()
    routes[0].continue_()
    expect(page.locator("#why")).to_contain_text("sessions 1–1,400 of 2,000")
    expect(page.locator("#results")).not_to_have_class("stale")


@in_browser
def test_what_is_typed_while_a_request_is_on_its_way_stays_and_is_called_unsent(page):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    routes = []
    page.route(ENDPOINT, lambda route: routes.append(route))
    page.get_by_label("medium", exact=True).fill("cpc")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#busy")).to_be_visible()
    page.get_by_label("medium", exact=True).fill("organic")
    expect(page.locator("#unsent")).to_be_visible()
    routes[0].continue_()
    expect(page.locator("#why")).to_contain_text("Here offset counts sessions.")
    expect(page.get_by_label("medium", exact=True)).to_have_value("organic")
    expect(page.locator("#results")).to_have_class("stale")
    page.get_by_role("button", name="Undo the changes").click()
    expect(page.get_by_label("medium", exact=True)).to_have_value("cpc")
    expect(page.locator("#results")).not_to_have_class("stale")


@in_browser
def test_a_link_to_many_pages_says_which_it_fetches_and_can_be_stopped(page):
    stub_walk(page, 40_000, records=0)
    page.goto(view("YOUR_API_KEY", {"pages": 700}))
    expect(page.locator("#busy")).to_contain_text(re.compile(r"Fetching page \d+ of 700 …"))
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#busy")).to_be_hidden()
    expect(page.get_by_role("button", name="Walk all pages")).to_be_visible()


@in_browser
def test_days_that_were_not_fetched_are_hatched_and_not_drawn_as_zero(page):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    expect(page.locator("#of-fetched")).to_have_text("of the 50 records fetched; hatched is not fetched yet")
    oldest = cells(page, "#numbers")[0][0]
    hatched = page.locator("#columns g:has(.missing)")
    assert hatched.count() == int(oldest[-2:]) - 14
    page.get_by_role("button", name="Walk all pages").click()
    expect(page.locator("#of-fetched")).to_be_empty()
    assert hatched.count() == 0


@in_browser
def test_a_start_after_the_end_is_explained(page):
    open_view(page, "YOUR_API_KEY", {"start_date": "2025-07-31", "end_date": "2025-07-01"})
    expect(page.locator("#nothing")).to_contain_text(
        "The window is empty, because start_date is after end_date. That is not an error."
    )
    expect(page.locator("#window")).to_have_text("start_date is after end_date, so the window is empty.")


@in_browser
def test_the_labels_below_the_chart_never_run_together(page):
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        open_view(page, "YOUR_API_KEY", {"start_date": "2025-02-03", "end_date": "2025-08-03"})
        boxes = page.locator("#columns .time").evaluate_all("labels => labels.map(label => label.getBoundingClientRect())")
        assert len(boxes) > 1
        assert all(before["right"] + 4 < after["left"] for before, after in pairwise(boxes))
