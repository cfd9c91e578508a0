"""The explorer in a real browser: the requests that it sends, how it shows the responses, and its addresses."""

import csv
import io
import json
import subprocess
import sys
from collections import Counter

import pytest
from playwright.sync_api import Page, expect

# ruff: noqa: F811 (pytest finds fixtures by their names)
from tests.browser import (
    AWKWARD,
    ENDPOINT,
    MARKUP,
    SAMPLE,
    TOUR,
    TWO_WEEKS,
    browser,  # noqa: F401
    cells,
    expected,
    hub,  # noqa: F401
    in_browser,
    open_filters,
    open_view,
    page,  # noqa: F401
    rows,
    url,  # noqa: F401
)
from tests.conftest import a_conversion, a_session
from tests.third_party import needs

# Sending a request


@in_browser
def test_a_filter_entered_in_the_form_is_sent_for_the_first_page(page, hub):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS | {"offset": 50})
    open_filters(page)
    page.get_by_label("meta_type", exact=True).fill("custom")
    expect(page.get_by_label("offset", exact=True)).to_have_value("")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**meta_type=custom")
    expect(page.locator("#types")).to_have_text(
        f"custom {len(hub.everything(TWO_WEEKS | {'meta_type': 'custom'}, 'YOUR_API_KEY'))}"
    )
    assert rows(page) == expected(hub.ask(TWO_WEEKS | {"meta_type": "custom"}, "YOUR_API_KEY")["records"])


@in_browser
def test_two_quotation_marks_send_an_empty_string_and_make_a_session_query(page):
    open_view(page, "YOUR_API_KEY", {})
    open_filters(page)
    expect(page.locator("#counts")).to_have_text("offset counts conversions.")
    page.get_by_label("term", exact=True).focus()
    page.keyboard.type('""')
    expect(page.locator("#counts")).to_have_text("offset counts sessions.")
    with page.expect_request(ENDPOINT) as sent:
        page.keyboard.press("Enter")
    assert sent.value.post_data == '{"term": ""}'
    page.wait_for_url("**/#key=YOUR_API_KEY&term=")
    expect(page.locator("#status")).to_contain_text("session query")
    page.reload()
    expect(page.get_by_label("term", exact=True)).to_have_value('""')
    expect(page.get_by_label("content", exact=True)).to_have_value("")


@in_browser
def test_values_worth_trying_are_suggested_for_each_key(page):
    open_view(page, "boundaries", {})
    campaign = page.get_by_label("campaign", exact=True)
    suggested = campaign.evaluate("field => [...field.list.options].map(option => option.value)")
    assert suggested == TOUR["values"]["boundaries"]["campaign"]
    page.get_by_label("key", exact=True).select_option("YOUR_API_KEY")
    assert campaign.evaluate("field => field.list.options[0].value") == "brand-search"


@in_browser
@pytest.mark.decision(37)
def test_your_own_key_is_sent_and_stays_out_of_the_address(page):
    open_view(page, "YOUR_API_KEY", {})
    page.get_by_label("key", exact=True).select_option("")
    page.get_by_label("Your key").fill("markup")
    page.get_by_label("source", exact=True).fill("(direct)")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/#key=&source=%28direct%29")
    expect(page.locator("#why")).to_contain_text("with 1 conversion collected")
    page.reload()  # the key stays for this tab
    expect(page.locator("#why")).to_contain_text("with 1 conversion collected")
    page.evaluate("sessionStorage.clear()")
    page.reload()
    expect(page.locator("#key-fault")).to_contain_text("Enter your key and press Send.")
    expect(page.get_by_label("Your key")).to_be_focused()
    page.keyboard.type("dense")
    page.get_by_label("source", exact=True).fill("")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#why")).to_contain_text("conversions 1–50 of 3,000")


@in_browser
def test_an_imported_account_is_listed_by_its_domain_and_keeps_the_key_that_was_typed(page):
    open_view(page, "YOUR_API_KEY", {"start_date": "2025-08-01"})
    page.get_by_label("key", exact=True).select_option(label="types.example")
    page.get_by_label("Your key").fill("types")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#why")).to_contain_text("conversions 1–50 of 92")
    page.get_by_label("key", exact=True).select_option("dense")
    page.get_by_label("key", exact=True).select_option(label="types.example")
    expect(page.get_by_label("Your key")).to_have_value("types")


@in_browser
def test_a_window_can_be_chosen_and_the_default_window_is_shown_with_its_dates(page):
    open_view(page, "YOUR_API_KEY", {})
    expect(page.locator("#window")).to_have_text("Default window: 2025-07-16 12:00 to 2025-08-15 12:00.")
    page.get_by_label("window", exact=True).select_option("last-month")
    expect(page.get_by_label("start_date", exact=True)).to_have_value("2025-07-01")
    expect(page.get_by_label("end_date", exact=True)).to_have_value("2025-07-31")
    expect(page.locator("#window")).to_be_empty()
    page.locator("input.day").first.evaluate("day => { day.value = '2025-07-09'; day.dispatchEvent(new Event('change')); }")
    expect(page.get_by_label("start_date", exact=True)).to_have_value("2025-07-09")
    expect(page.locator("#unsent")).to_be_visible()
    page.get_by_label("window", exact=True).select_option("7")  # today is one of the seven
    expect(page.get_by_label("start_date", exact=True)).to_have_value("2025-08-09")
    expect(page.get_by_label("end_date", exact=True)).to_have_value("2025-08-15")


@in_browser
@pytest.mark.parametrize(
    ("command", "key", "query"),
    [
        (
            """curl -sX POST 'http://localhost/api/v1/conversions' \\
              -H 'Authentication: boundaries' -H "Content-Type: application/json" \\
              -d '{"campaign": "it'\\''s", "start_date": "2025-07-15",}'""",
            "boundaries",
            {"campaign": "it's", "start_date": "2025-07-15"},
        ),
        (
            """$ curl -HAuthentication:dense --data-raw "{\\"offset\\": 9007199254740993}" http://localhost/""",
            "dense",
            {"offset": "9007199254740993"},
        ),
        ("""curl -H 'Authentication: dense' -d '{"offset": 50.0}' http://localhost/""", "dense", {"offset": "50.0"}),
    ],
    ids=["quotes and a comma", "attached options and a large offset", "an offset with a fraction"],
)
def test_a_pasted_curl_command_fills_the_form(page, command, key, query):
    open_view(page, "YOUR_API_KEY", {"source": "google.com"})
    page.evaluate(
        """command => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text", command);
            document.getElementById("source").dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true}));
        }""",
        command,
    )
    expect(page.get_by_label("key", exact=True)).to_have_value(key)
    filled = page.locator("#query input[name]").evaluate_all(
        "fields => Object.fromEntries(fields.filter(field => field.value).map(field => [field.name, field.value]))"
    )
    assert filled == query
    expect(page.locator("#shows")).to_have_text("Filled from the curl command.")


@in_browser
@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ('{"start_date": "2025-07-15", "end_date": "2025-07-30",}', 200, "conversions 1–50 of 160"),
        ('{"sorce": "google.com"}', 400, "sorce: Unknown field: did you mean source?"),
        ('{"offset": "50"}', 400, "offset: Must be an integer from 0 to 9223372036854775807, not "),
        ('{"source": "a",, }', 400, "The body is not valid JSON"),
    ],
    ids=["a comma at the end", "an unknown field", "a wrong type", "not JSON"],
)
def test_a_body_that_is_edited_as_text_is_sent_to_the_letter_and_is_in_the_address(page, body, status, sentence):
    open_view(page, "YOUR_API_KEY", {})
    page.locator("#sent-as").get_by_text("Edit JSON").click()
    page.get_by_label("Body of the request").fill(body)
    expect(page.locator("#unsent")).to_be_visible()
    with page.expect_request(ENDPOINT) as sent:
        page.get_by_role("button", name="Send").click()
    assert sent.value.post_data == body
    expect(page.locator("#status strong")).to_contain_text(str(status))
    expect(page.locator("#results")).to_contain_text(sentence)
    expect(page.locator("#unsent")).to_be_hidden()
    shared = page.url
    page.goto("about:blank")
    page.goto(shared)
    expect(page.get_by_label("Body of the request")).to_have_value(body)
    expect(page.locator("#results")).to_contain_text(sentence)
    if status == 200:
        page.get_by_role("button", name="Next page").click()
        expect(page.locator("#why")).to_contain_text("conversions 51–100 of 160")
    else:
        expect(page.locator("#error a")).to_contain_text("Decision")


@in_browser
def test_a_body_that_the_form_can_show_goes_back_into_its_fields(page):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    page.locator("#sent-as").get_by_text("Edit JSON").click()
    expect(page.locator("#unsent")).to_be_hidden()
    page.get_by_label("Body of the request").fill('{"source":"bing.com"}')
    page.locator("#sent-as").get_by_text("curl", exact=True).click()
    expect(page.get_by_label("source", exact=True)).to_have_value("bing.com")
    expect(page.get_by_label("start_date", exact=True)).to_have_value("")
    page.locator("#sent-as").get_by_text("Edit JSON").click()
    page.get_by_label("Body of the request").fill('{"sorce": 1}')
    page.locator("#sent-as").get_by_text("curl", exact=True).click()
    expect(page.locator("#shows")).to_have_text("The form has no fields for that body. They are as they were before it.")
    expect(page.get_by_label("source", exact=True)).to_have_value("bing.com")


# Code for the request


def show_code(page: Page, language: str, scope: str = "all pages") -> str:
    page.locator("#sent-as").get_by_text(language, exact=True).click()
    page.get_by_label("all pages").set_checked(scope == "all pages")
    return page.locator("#code").inner_text()


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@in_browser
def test_the_code_for_one_page_gets_the_response_that_is_shown(page):
    open_view(page, "markup", {"term": AWKWARD})
    expect(page.locator("#why")).to_contain_text("with 1 conversion collected")
    responses = [
        json.loads(run("bash", "-c", f"{show_code(page, 'curl', 'this page')} -s")),
        json.loads(run(sys.executable, "-W", "ignore", "-c", f"{show_code(page, 'Python', 'this page')}\nprint(response.text)")),
        page.evaluate(f"async () => {{ {show_code(page, 'fetch', 'this page')} return page; }}"),
    ]
    page.get_by_role("tab", name="JSON").click()
    assert responses == [json.loads(page.locator("#json").inner_text())] * 3


@in_browser
@pytest.mark.parametrize("query", [SAMPLE, {"campaign": 'it\'s "none"'}], ids=["three pages", "nothing found"])
def test_the_code_for_all_pages_gets_every_record(page, hub, query):
    open_view(page, "published-sample", query)
    records = hub.everything(query, "published-sample")
    assert len(records) > 50 or query != SAMPLE
    script = f"{show_code(page, 'Python')}\nimport json\nprint(json.dumps(records))"
    assert json.loads(run(sys.executable, "-W", "ignore", "-c", script)) == records
    assert page.evaluate(f"async () => {{ {show_code(page, 'fetch')} return records; }}") == records


@in_browser
@needs("jq")
@pytest.mark.parametrize(
    ("key", "query"), [("published-sample", SAMPLE), ("YOUR_API_KEY", {"campaign": "it's"})], ids=["three pages", "nothing found"]
)
def test_the_curl_code_for_all_pages_prints_every_record(page, hub, key, query):
    open_view(page, key, query)
    lines = run("bash", "-c", show_code(page, "curl")).splitlines()
    assert [json.loads(line) for line in lines] == hub.everything(query, key)


@in_browser
def test_the_code_can_be_copied(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    copied = "navigator.clipboard.readText()"
    code = show_code(page, "fetch")
    page.locator("#sent-as [data-copy]").click()
    expect(page.locator("#sent-as [data-copy]")).to_have_text("Copied")
    assert page.evaluate(copied) == code
    page.get_by_role("tab", name="JSON").click()
    page.locator("#panel-json [data-copy]").click()
    expect(page.locator("#panel-json [data-copy]")).to_have_text("Copied")
    assert json.loads(page.evaluate(copied))["pagination"]["total_records"] == 160
    assert page.locator("#json .name").first.inner_text() == '"records"'


@in_browser
def test_a_link_can_fix_the_dates_of_the_default_window(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_view(page, "YOUR_API_KEY", {"source": "google.com"})
    page.get_by_role("button", name="Copy a link with fixed dates").click()
    expect(page.locator("#share")).to_have_text("Copied")
    why = page.locator("#why").inner_text()
    shared = page.evaluate("navigator.clipboard.readText()")
    assert "start_date=2025-07-16T12%3A00%3A00Z&end_date=2025-08-15T12%3A00%3A00Z" in shared
    page.goto("about:blank")
    page.goto(shared)
    expect(page.locator("#why")).to_have_text(why)


@in_browser
def test_a_click_on_a_value_in_the_table_filters_by_it(page, hub):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    page.locator("#records").get_by_role("link", name="custom", exact=True).first.click()
    page.wait_for_url("**meta_type=custom")
    wanted = hub.ask(TWO_WEEKS | {"meta_type": "custom"}, "YOUR_API_KEY")
    expect(page.locator("#why")).to_contain_text(f" of {wanted['pagination']['total_records']}.")
    assert rows(page) == expected(wanted["records"])


# The pages of a walk


@in_browser
@pytest.mark.parametrize(
    ("key", "query", "explanation"),
    [
        ("published-sample", SAMPLE, "This page processed sessions 201–400 of 427 in 1 batch and stopped because"),
        ("YOUR_API_KEY", TWO_WEEKS, "This page holds conversions 51–100 of 160. A page of a direct query is full at 50."),
    ],
    ids=["session", "direct"],
)
def test_next_page_sends_records_processed_as_offset_and_previous_shows_the_page_before(page, hub, key, query, explanation):
    open_view(page, key, query)
    with page.expect_request(ENDPOINT) as sent:
        page.get_by_role("button", name="Next page").click()
    first, second, *_ = hub.walk(query, key)
    assert json.loads(sent.value.post_data) == query | {"offset": first["pagination"]["records_processed"]}
    expect(page.locator("#why")).to_contain_text(explanation)
    assert rows(page) == expected(second["records"])
    page.get_by_role("button", name="Previous", exact=True).click()
    expect(page.locator("#offset")).to_have_value("")
    assert rows(page) == expected(first["records"])
    expect(page.locator("#progress")).to_contain_text("The walk so far: 2 pages")


@in_browser
@pytest.mark.parametrize(
    ("key", "query"),
    [("YOUR_API_KEY", {"start_date": "2025-07-01", "source": "google.com"}), ("YOUR_API_KEY", TWO_WEEKS)],
    ids=["session", "direct"],
)
def test_a_walk_of_all_pages_shows_and_counts_every_conversion(page, hub, key, query):
    open_view(page, key, query)
    page.get_by_role("button", name="Walk all pages").click()
    pages = list(hub.walk(query, key))
    records = [record for each in pages for record in each["records"]]
    total = pages[-1]["pagination"]["total_records"]
    unit = "sessions" if "source" in query else "conversions"
    summary = f"The whole walk: {len(pages)} pages, {total:,} of {total:,} {unit}, {len(records):,} conversions."
    expect(page.locator("#progress")).to_have_text(summary)
    page.wait_for_url(f"**pages={len(pages)}")
    expect(page.get_by_role("button", name="Walk all pages")).to_have_attribute("aria-disabled", "true")
    days = Counter(record["timestamp"][:10] for record in records)
    assert [(day, int(number)) for day, number, _ in cells(page, "#numbers")] == sorted(days.items())
    types = Counter(record["conversion_meta"]["type"] for record in records)
    assert dict(text.split() for text in page.locator("#types li").all_inner_texts()) == {
        type: str(number) for type, number in types.items()
    }


@in_browser
@pytest.mark.parametrize(
    "stop",
    [lambda page: page.get_by_role("button", name="Stop").click(), lambda page: page.get_by_label("medium").fill("cpc")],
    ids=["with the button", "by changing the query"],
)
def test_a_walk_can_be_stopped(page, stop):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    routes = []
    page.route(ENDPOINT, lambda route: routes.append(route))
    with page.expect_request(ENDPOINT):
        page.get_by_role("button", name="Walk all pages").click()
    stop(page)
    routes[0].continue_()
    expect(page.locator("#progress")).to_have_text("The walk so far: 2 pages, 100 of 160 conversions, 100 conversions.")
    expect(page.get_by_role("button", name="Walk all pages")).to_be_visible()
    assert len(routes) == 1


@in_browser
def test_a_total_that_changes_during_the_walk_is_reported(page, hub):
    sessions = [a_session(conversions=[a_conversion()]) for _ in range(60)]
    hub.load(sessions, "growing.example", "growing")
    open_view(page, "growing", {})
    hub.load([a_session(session_id="later", conversions=[a_conversion()])], "growing.example", "growing")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("#progress")).to_have_text(
        "The whole walk: 2 pages, 61 of 61 conversions, 61 conversions."
        " The total changed during the walk: give both dates to keep the window still."
    )


@in_browser
@pytest.mark.parametrize(
    ("key", "query", "share", "offset"),
    [("YOUR_API_KEY", TWO_WEEKS, 0.7, "100"), ("sparse", {"source": "google.com"}, 0.95, "1800")],
    ids=["direct", "session"],
)
def test_a_click_on_the_strip_jumps_to_the_page_at_that_position(page, key, query, share, offset):
    open_view(page, key, query)
    box = page.locator("#detail .cells").bounding_box()
    page.locator("#detail .cells").click(position={"x": box["width"] * share, "y": 5})
    expect(page.locator("#offset")).to_have_value(offset)
    expect(page.locator(".flag.begins")).to_have_text(f"offset {int(offset):,}")


@in_browser
def test_each_batch_of_a_page_is_listed_with_its_conversions_and_whether_it_was_the_last(page):
    open_view(page, "sparse", {"source": "google.com", "offset": 1000})
    assert cells(page, "#batches") == [
        ["1", "1,001–1,200", "8", "8", "continue"],
        ["2", "1,201–1,400", "8", "16", "continue"],
        ["3", "1,401–1,600", "4", "20", "continue"],
        ["4", "1,601–1,800", "0", "20", "continue"],
        ["5", "1,801–2,000", "0", "20", "stop: the end of the pool"],
    ]
    assert page.locator(".bar span").all_inner_texts() == ["8", "16", "20", "20", "20"]
    expect(page.locator(".full")).to_have_text("50 = page full")


@in_browser
def test_batches_that_the_server_does_not_list_are_drawn_and_listed_as_one(page):
    open_view(page, "rare", {"source": "(direct)", "start_date": "2025-08-01"})
    expect(page.locator("#why")).to_contain_text("sessions 1–4,800 of 4,800 in 24 batches and stopped because the pool ended")
    listed = cells(page, "#batches")
    assert listed[0] == ["1", "1–200", "1", "1", "continue"]
    assert listed[-1] == ["21–24", "4,001–4,800", "2", "12", "stop: the end of the pool"]
    together, strip = page.locator(".bar:has(.together)").bounding_box(), page.locator("#detail .cells").bounding_box()
    assert together["x"] - strip["x"] == pytest.approx(strip["width"] * 4000 / 4800, abs=1)
    assert together["x"] + together["width"] == pytest.approx(strip["x"] + strip["width"], abs=1)


@in_browser
@pytest.mark.parametrize(
    ("key", "query", "offsets"),
    [("sparse", {"source": "google.com"}, [0, 100, 601, 1999, 2000]), ("YOUR_API_KEY", TWO_WEEKS, [0, 30, 109, 159])],
    ids=["session", "direct"],
)
def test_the_labels_on_the_strip_are_never_cut_off_and_never_overlap(page, key, query, offsets):
    for offset in offsets:
        open_view(page, key, query | {"offset": offset})
        expect(page.locator(".flag.begins")).to_have_text(f"offset {offset:,}")
        for width in (1280, 768):
            page.set_viewport_size({"width": width, "height": 800})
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
def test_an_offset_past_the_end_is_explained(page):
    open_view(page, "boundaries", {"campaign": "201-sessions", "offset": 5000})
    expect(page.locator("#why")).to_contain_text("There are only 201 sessions, so nothing follows the offset 5,000.")
    expect(page.locator("#no-records")).to_have_text("This page has no records.")


# Showing the response


@in_browser
def test_the_records_can_be_sorted_and_null_is_not_the_text_null(page, hub):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    records = hub.ask(TWO_WEEKS, "YOUR_API_KEY")["records"]
    emails = [record["email"] for record in records]
    assert None in emails
    page.get_by_role("button", name="email").click()
    known = sorted(email for email in emails if email)
    assert [row[1] for row in rows(page)] == known + ["null"] * emails.count(None)
    page.get_by_role("button", name="email").click()
    assert [row[1] for row in rows(page)] == known[::-1] + ["null"] * emails.count(None)
    expect(page.get_by_role("columnheader", name="email")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="email").click()
    assert rows(page) == expected(records)
    assert page.locator("#records td:nth-child(2) .null").count() == emails.count(None)


@in_browser
def test_all_fetched_records_can_be_downloaded(page, hub):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS)
    page.get_by_role("button", name="Walk all pages").click()
    expect(page.locator("#to-download")).to_have_text("Download all 160 records fetched:")
    records = hub.everything(TWO_WEEKS, "YOUR_API_KEY")
    files = {}
    for name in ("JSON", "CSV"):
        with page.expect_download() as download:
            page.locator(".downloads").get_by_role("button", name=name).click()
        files[name] = download.value.path().read_bytes().decode()
    assert json.loads(files["JSON"]) == records
    table = list(csv.reader(io.StringIO(files["CSV"], newline="")))
    assert table[0] == ["timestamp", "email", "conversion_page", "previous_page", "type", "id"]
    assert table[1:] == [[cell.removeprefix("null") if cell == "null" else cell for cell in row] for row in expected(records)]


@in_browser
def test_the_headers_of_the_response_are_shown(page):
    open_view(page, "YOUR_API_KEY", {})
    page.get_by_role("tab", name="Headers").click()
    expect(page.locator("#headers")).to_contain_text("content-type: application/json")
    expect(page.locator("#headers")).to_contain_text("server-timing: sql;dur=")


@in_browser
@pytest.mark.parametrize(
    ("window", "unit", "columns"),
    [
        ({"start_date": "2025-07-15", "end_date": "2025-08-13"}, "day", 30),
        ({"start_date": "2025-02-03", "end_date": "2025-08-03"}, "week", 26),
        ({"start_date": "2023-01-10", "end_date": "2025-08-15"}, "month", 32),
    ],
)
def test_the_chart_spans_the_window(page, window, unit, columns):
    open_view(page, "YOUR_API_KEY", window | {"meta_type": "custom"})
    expect(page.locator("#chart-title")).to_have_text(f"Conversions per {unit}")
    assert page.locator("#columns g").count() == columns


@in_browser
def test_a_query_that_finds_nothing_shows_what_the_account_has_and_which_filter_to_drop(page, hub):
    open_view(page, "YOUR_API_KEY", TWO_WEEKS | {"source": "Google.com"})
    expect(page.locator("#why")).to_have_text("No conversions matched the given filters.")
    expect(page.locator("#drawing")).to_be_hidden()
    expect(page.locator("#chart")).to_be_hidden()
    total = hub.ask({"start_date": "2025-01-01", "end_date": "2026-01-01"}, "YOUR_API_KEY")["pagination"]["total_records"]
    expect(page.locator("#nothing")).to_contain_text(f"This account has {total:,} conversions, from 2025-07-01 to 2025-08-15.")
    expect(page.locator("#nothing li")).to_have_text("without source: 160 conversions")
    page.locator("#nothing a").click()
    expect(page.locator("#why")).to_contain_text("conversions 1–50 of 160")


# Addresses and escaping


@in_browser
def test_the_view_is_in_the_address_and_going_back_restores_the_previous_view(page):
    open_view(page, "published-sample", SAMPLE)
    page.get_by_role("button", name="Next page").click()
    page.wait_for_url("**pages=2")
    shown = page.url
    page.get_by_role("link", name="Many batches").click()
    expect(page.locator("#why")).to_contain_text("sessions 1–1,400 of 2,000 in 7 batches")
    page.go_back()
    expect(page.locator("#why")).to_contain_text("sessions 201–400 of 427")
    assert page.url == shown
    page.go_back()
    expect(page.locator("#why")).to_contain_text("sessions 1–200 of 427")
    expect(page.get_by_label("end_date", exact=True)).to_have_value("2025-03-05")


@in_browser
def test_data_is_shown_as_text_and_never_as_markup(page):
    open_view(page, "markup", {"start_date": "2025-08-01"})
    url_with_markup = f"https://markup.example/{MARKUP}"
    assert rows(page) == [["2025-08-01 10:00:00", MARKUP, url_with_markup, url_with_markup, MARKUP, MARKUP]]
    for shown in ("#types", "#pages"):
        expect(page.locator(shown)).to_contain_text(MARKUP)
    page.locator("#columns g").first.hover()
    expect(page.locator("#tip")).to_contain_text(MARKUP)
    assert page.evaluate("window.broken") is None
    assert page.locator("main img, main script").count() == 0


# Examples


def test_each_example_gets_the_status_that_it_demonstrates(bundled):
    def status(key, query):
        return bundled.post(json.dumps(query), key).status_code

    views = [*TOUR["views"], *TOUR["examples"].values()]
    statuses = {each["shows"]: status(each["key"], each["query"]) for each in views}
    refused = {"Over the limit": 429, "The limit used up": 429, "An offset below zero": 400, "A date without its dashes": 400}
    assert statuses == dict.fromkeys(statuses, 200) | refused


def test_each_suggested_value_is_worth_trying(bundled):
    for key, suggested in TOUR["values"].items():
        for field, values in suggested.items():
            for value in values:
                response = bundled.ask({"start_date": "2025-03-01", "end_date": "2025-08-15", field: value}, key)
                assert "records" in response or value.endswith("0-conversions") or field.endswith("date"), (key, field, value)
