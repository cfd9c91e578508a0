"""What is certain if the account has the sessions of known_data.py, whose right responses are known: see --known-data."""

from collections import Counter
from collections.abc import Callable

import known_data
import pytest
from pages import Page
from records import mask_emails
from verdict import check

GROUPS = known_data.groups()
WINDOW = {"start_date": known_data.START, "end_date": known_data.END}
# How many records the first page has, and how many sessions it processes.
FIRST_PAGES = {
    "sparse": (10, 1100),
    "first-batch-empty": (3, 243),
    "49-in-a-batch": (79, 230),
    "50-in-a-batch": (50, 200),
    "51-in-a-batch": (51, 200),
    "60-in-one-session": (61, 3),
}


def asking(survey) -> Callable[[dict], Page]:
    """Return a function that sends a query with the key of the known data."""
    if not survey.known_data_key:
        pytest.skip("--known-data gives the key of an account with the sessions of known_data.py")

    def ask(query: dict) -> Page:
        response = survey.api.ask(WINDOW | query, Authentication=survey.known_data_key)
        check(response.is_success, f"{query} gets the response {response}")
        return survey.api.reader.read(response)

    if ask({}).is_message:
        pytest.skip(f"the account of --known-data has no conversions from {known_data.START} to {known_data.END}")
    return ask


def walk(ask, query: dict) -> list[Page]:
    pages, offset = [ask(query)], 0
    while pages[-1].has_more and pages[-1].records_processed > offset and len(pages) < 10:
        offset = pages[-1].records_processed
        pages.append(ask(query | {"offset": offset}))
    return pages


def compare(pages: list[Page], sessions: list[dict], query: dict) -> None:
    """Check that the pages have each conversion as often as the known sessions."""
    found = Counter(identity(record) for page in pages for record in page.records)
    expected = Counter(identity(record) for session in sessions for record in session["conversions"])
    parts = []
    for word, more in (("missing", expected - found), ("extra", found - expected)):
        parts += [mask_emails(f"{word}: {', '.join(map(str, list(more)[:3]))}")] if more else []
    check(not parts, f"{query} returns {found.total()} records instead of {expected.total()}; {'; '.join(parts)}")


def identity(record: dict) -> tuple:
    meta = record.get("conversion_meta") or {}
    return record.get("email") or "no email", record.get("conversion_page"), meta.get("type"), meta.get("id")


@pytest.mark.parametrize("campaign", GROUPS)
def test_a_session_query_returns_each_known_conversion_once(survey, campaign):
    """“Each conversion record represents a unique conversion event that meets the filter criteria.” “finds sessions that match your
    filter criteria, then retrieves all conversions associated with those sessions”"""
    query, sessions = {"campaign": campaign}, GROUPS[campaign]
    pages = walk(asking(survey), query)
    compare(pages, sessions, query)
    # The pool can have only the sessions that convert; see pool in readings.json.
    totals = len(sessions), sum(bool(session["conversions"]) for session in sessions)
    total = pages[0].total_records
    check(pages[0].is_message or total in totals, f"{query}: total_records is {total} instead of {totals[0]}")


@pytest.mark.parametrize("campaign", FIRST_PAGES)
def test_the_first_page_has_the_known_batches(survey, campaign):
    """“continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool”"""
    page = asking(survey)({"campaign": campaign})
    is_ours = [survey.told(name).value for name in ("page", "batch")] == ["whole", "together"]
    if not is_ours or page.total_records != len(GROUPS[campaign]):
        pytest.skip("the server has another reading of page, batch or pool")
    found = (len(page.records), page.records_processed)
    known = FIRST_PAGES[campaign]
    check(found == known, f"campaign {campaign}: records and records_processed are {found} instead of {known}")


@pytest.mark.parametrize("campaign", ["equal-timestamps", "equal-conversions"])
def test_a_direct_query_returns_each_known_conversion_once(survey, campaign):
    """“Each conversion record represents a unique conversion event that meets the filter criteria.” “the offset parameter refers to
    the number of conversion records to skip”"""
    # The group's name is the meta_id of its conversions.
    compare(walk(asking(survey), {"meta_id": campaign}), GROUPS[campaign], {"meta_id": campaign})


@pytest.mark.parametrize("page", known_data.PAGES)
def test_a_conversion_page_is_found_by_its_exact_url(survey, page):
    """“conversion_page | string | Filter to conversions that occurred on a specific page URL.” “Must be the exact URL tracked
    during conversion.”"""
    query = {"conversion_page": page}
    sessions = [session for session in GROUPS["urls"] if session["conversions"][0]["conversion_page"] == page]
    compare(walk(asking(survey), query), sessions, query)
