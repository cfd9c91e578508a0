"""The API reference at /docs/ in a browser: real samples, dark mode, small screens and accessibility."""

import re

import pytest
from conversions_api.openapi.document import EXAMPLES
from playwright.sync_api import expect, sync_playwright

from tests.browser import AXE, CHROMIUM, ONLY_HERE, OPTIONS, in_browser
from tests.conftest import serving

pytestmark = in_browser

TIMEOUT = 30_000  # milliseconds: Swagger UI is slow to appear on a busy machine

# Violations of Swagger UI's own markup: an h3 directly after the h1, a button inside a button, content outside of <main>.
OF_SWAGGER_UI = {"heading-order", "nested-interactive", "region"}


@pytest.fixture(scope="module")
def browser(bundled):
    with serving(bundled) as (host, port), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, ONLY_HERE])
        yield lambda **options: chromium.new_context(base_url=f"http://{host}:{port}", **options)
        chromium.close()


@pytest.fixture
def open_reference(browser):
    """Return a function that opens the reference in a new window, which must not log an error or a warning."""
    messages = []

    def open_page(width: int = 1280, scheme: str = "light"):
        page = browser(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
        page.on("console", lambda message: messages.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto("/docs/")
        expect(page.locator(".responses-table .microlight")).to_have_count(len(EXAMPLES["responses"]), timeout=TIMEOUT)
        return page

    yield open_page
    assert messages == []


def test_the_sample_that_the_reference_shows_is_what_execute_returns(open_reference):
    page = open_reference()
    shown = page.locator("tr[data-code='200'] .microlight").inner_text()
    page.get_by_role("button", name="Execute").click()
    returned = page.locator(".live-responses-table .response-col_description .microlight").first
    expect(returned).to_contain_text("noor.rossi@studio.example", timeout=TIMEOUT)
    assert returned.inner_text().split() == shown.split()


def test_the_reference_links_to_the_explorer(open_reference):
    page = open_reference()
    page.get_by_role("link", name="Explorer").click()
    expect(page).to_have_url(re.compile(r"^http://127\.0\.0\.1:\d+/(#.*)?$"))


def test_the_reference_is_dark_if_the_system_is(open_reference):
    page = open_reference(scheme="dark")

    def brightness() -> int:
        return page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number).reduce((a, b) => a + b)")

    assert brightness() < 150
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).not_to_have_class("dark-mode")
    assert brightness() > 600


@pytest.mark.parametrize(("scheme", "rules"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
def test_axe_finds_no_violation_except_those_of_swagger_uis_markup(open_reference, scheme, rules):
    page = open_reference(390, scheme)
    page.evaluate(f"{AXE.read_text(encoding='utf-8')}; 0")
    found = page.evaluate("rules => axe.run({resultTypes: ['violations'], ...rules})", rules)
    violations = [each for each in found["violations"] if each["id"] not in OF_SWAGGER_UI]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in violations] == []
    assert set(rules.get("runOnly", ["color-contrast", "label", "select-name"])) <= {each["id"] for each in found["passes"]}


def test_the_reference_fits_on_a_small_screen(open_reference):
    page = open_reference(390)
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .microlight").first).to_be_visible(timeout=TIMEOUT)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
