"""Fixtures and helpers for the tests that open pages in a browser."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import axe_playwright_python
import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.conftest import REPOSITORY as ROOT
from tests.conftest import Hub, a_conversion, a_session, serving
from tests.third_party import needs

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium") or "chromium"  # the first takes half the time
OPTIONS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync""".split()
ONLY_HERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
TOUR = json.loads((ROOT / "app" / "explorer" / "explorer.json").read_text(encoding="utf-8"))
ENDPOINT = "**/api/v1/conversions"
SAMPLE = {"source": "google.com", "start_date": "2025-03-01", "end_date": "2025-03-05"}
TWO_WEEKS = {"start_date": "2025-07-15", "end_date": "2025-07-30"}
AWKWARD = 'it\'s "that" \\n'
MARKUP = "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
LONG_TYPE = "a_type_with_a_very_long_name_" * 4

expect.set_options(timeout=10_000)  # milliseconds, because a busy machine can be slow

in_browser = needs(CHROMIUM)


@pytest.fixture(scope="module")
def hub(bundled, tmp_path_factory) -> Hub:
    """Return a server with the bundled data and accounts for what it lacks: markup, rare conversions, many types."""
    hub = Hub(tmp_path_factory.mktemp("explorer") / "conversions.sqlite")
    with closing(sqlite3.connect(bundled.path)) as source, closing(sqlite3.connect(hub.path)) as copy:
        source.backup(copy)
    page = f"https://markup.example/{MARKUP}"
    meta = {"type": MARKUP, "id": MARKUP}
    conversion = a_conversion(email=MARKUP, conversion_page=page, previous_page=page, conversion_meta=meta)
    hub.load([a_session(utm_term=AWKWARD, conversions=[conversion])], "markup.example", "markup")
    # Sessions one second apart. Newest first, every second batch of 200 has a conversion: the server lists the first 20 one by one.
    seconds = [f"{hour:02}:{minute:02}:{second:02}" for hour in (8, 9) for minute in range(40) for second in range(60)]
    rare = [a_session(started_at=f"2025-08-01T{second}Z") for second in seconds]
    for place in range(5, 4800, 400):
        rare[-place]["conversions"] = [a_conversion(timestamp=rare[-place]["started_at"])]
    hub.load(rare, "rare.example", "rare")
    # Newest first: 50 conversions, most of them type-0, then 41, most of them type-7, so that the pages rank the types differently.
    kinds = [0] * 20 + [1] * 10 + [2] * 8 + [3] * 6 + [4] * 3 + [5] * 2 + [6] + [7] * 30 + [6] * 6 + [5] * 5
    many = [
        a_conversion(timestamp=f"2025-08-01 10:00:{59 - n // 2:02}", conversion_meta={"type": f"type-{kind}", "id": "form"})
        for n, kind in enumerate(kinds)
    ]
    many.append(a_conversion(timestamp="2025-08-01 10:00:01", conversion_meta={"type": LONG_TYPE, "id": LONG_TYPE}))
    hub.load([a_session(ended_at="2025-08-01T10:01:00Z", conversions=many)], "types.example", "types")
    return hub


@pytest.fixture(scope="module")
def url(hub):
    with serving(hub, MOCK="1") as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(scope="module")
def browser(url: str):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, ONLY_HERE])
        yield browser.new_context(viewport={"width": 1280, "height": 800}, base_url=url, reduced_motion="reduce")
        browser.close()


@pytest.fixture
def page(browser: BrowserContext, url: str):
    """Open a new page. It must not send a request to another host, and not log an error or a warning."""
    requests_elsewhere, messages = [], []
    page = browser.new_page()
    page.set_default_timeout(10_000)
    ours = (url, "data:", "blob:")
    page.on("request", lambda request: requests_elsewhere.append(request.url) if not request.url.startswith(ours) else None)
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("console", lambda message: messages.append(message.text) if message.type in ("error", "warning") else None)
    yield page
    page.close()
    assert requests_elsewhere == []
    # Chromium itself logs each error response, and some tests provoke one.
    assert [message for message in messages if "Failed to load resource" not in message] == []


def view(key: str, query: dict) -> str:
    return f"/#{urlencode({'key': key} | query)}"


def open_view(page: Page, key: str, query: dict) -> None:
    """Open a view in a new document, and wait for its response."""
    if page.url != "about:blank":
        page.goto("about:blank")
    with page.expect_response(ENDPOINT):
        page.goto(view(key, query))
    expect(page.locator("#status")).not_to_be_empty()


STUB = """
    const failed = new Set();
    window.fetch = async (url, {body}) => {
        const offset = JSON.parse(body).offset ?? 0;
        if (offset === FAILS_AT && !failed.has(offset)) {
            failed.add(offset);
            const error = JSON.stringify({error: "API monthly limit exceeded."});
            return new Response(error, {status: 429, statusText: "Too Many Requests"});
        }
        const end = Math.min(offset + 50, TOTAL);
        const pagination = {records_processed: end, total_records: TOTAL, has_more: end < TOTAL};
        const content = {records: Array(Math.min(end - offset, RECORDS)).fill(RECORD), pagination};
        await new Promise((resolve) => setTimeout(resolve, 5));
        return new Response(JSON.stringify(content), {status: 200, statusText: "OK"});
    };
"""


def stub_walk(page: Page, total: int, *, records: int, fails_at: int = -1) -> None:
    """Replace fetch in the page with the responses of a direct query. The request with the offset fails_at fails once."""
    values = {"TOTAL": total, "RECORDS": records, "FAILS_AT": fails_at, "RECORD": a_conversion()}
    script = STUB
    for name, value in values.items():
        script = re.sub(rf"\b{name}\b", lambda _, value=value: json.dumps(value), script)
    page.add_init_script(script)


def cells(page: Page, table: str) -> list[list[str]]:
    return page.locator(f"{table} tbody tr").evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")


def rows(page: Page) -> list[list[str]]:
    """Return the text of the six cells of each record on the page."""
    if page.locator("#more-records").is_visible():
        page.locator("#more-records").click()
    return cells(page, "#records")


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


def open_filters(page: Page) -> None:
    page.locator("#more").evaluate("details => (details.open = true)")
