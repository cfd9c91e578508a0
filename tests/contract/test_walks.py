"""Pages: a query is walked from offset 0, with records_processed of each page as the offset of the next."""

import pytest
from pages import Page, Walk
from records import DAY, SECOND, Records, Window, iso
from survey import is_session_query
from verdict import check, check_same

# "main" is the session filter with the most sessions, "others" are those that find something as well.
EACH_QUERY = pytest.mark.parametrize("name", ["direct", "main", pytest.param("others", marks=pytest.mark.later)])
PAGE = 50
# If a conversion counts by its session, it can lie outside the window by the length of a session.
LONGEST_SESSION = 8 * DAY


def nothing_follows(api, walk: Walk, page: Page) -> bool:
    """Return whether the sessions after a page have no conversions. Then has_more can be false; see has-more in readings.json."""
    if not is_session_query(walk.query) or page.records_processed > page.total_records:
        return False
    rest = api.page(walk.query | {"offset": page.records_processed})
    return not rest.records and (rest.is_message or not rest.has_more)


@EACH_QUERY
def test_records_processed_is_the_offset_of_the_next_request(api, survey, name):
    """“This value should be used as the offset for the next request.” “If true, increase the offset in your next request to
    retrieve more data.”"""
    for walk in survey.walks(name):
        for offset, page in walk.steps:
            check(page.records_processed > offset, f"at offset {offset}, records_processed is {page.records_processed}")
        offset, last = walk.steps[-1]
        ends = [last.total_records] if is_session_query(walk.query) else [last.total_records, offset + PAGE]
        check(
            last.records_processed in ends or nothing_follows(api, walk, last),
            f"on the last page, records_processed is {last.records_processed} of {last.total_records}",
        )


@EACH_QUERY
def test_has_more_says_whether_pages_follow(api, survey, name):
    """“A boolean value that indicates whether additional pages of results are available.”"""
    for walk in survey.walks(name):
        for offset, page in walk.steps:
            more = page.records_processed < page.total_records
            check(
                page.has_more is more or (more and nothing_follows(api, walk, page)),
                f"at offset {offset}, has_more is {page.has_more} with {page.records_processed} of {page.total_records} processed",
            )


@EACH_QUERY
def test_total_records_is_the_same_on_all_pages(survey, name):
    """“The total number of matching conversions (in a direct query) or matching sessions (in a session-filtered query), based
    on the filters and time range provided.”"""
    for walk in survey.walks(name):
        totals = list(dict.fromkeys(page.total_records for page in walk.pages))
        check(len(totals) == 1, f"on the pages of one walk it is {', '.join(map(str, totals))}")


def test_each_page_of_a_direct_query_except_the_last_has_50_records(survey):
    """“Each request will return up to 50 matching conversions, and you can paginate by increasing the offset value in increments of
    50.”"""
    for offset, page in survey.direct().steps:
        full = page.has_more and page.records_processed < page.total_records
        check(
            len(page.records) == PAGE if full else len(page.records) <= PAGE,
            f"at offset {offset} of {page.total_records}, a page has {len(page.records)} records",
        )


def test_a_direct_query_counts_conversions(survey):
    """“The total number of matching conversions (in a direct query)”; “it reflects conversion records in a direct query”"""
    walk = survey.direct()
    for offset, page in walk.steps:
        ends = [offset + len(page.records), *([] if page.has_more else [offset + PAGE])]
        check(
            page.records_processed in ends,
            f"at offset {offset}, records_processed is {page.records_processed} after {len(page.records)} records",
        )
    check(
        walk.total == len(walk.records), f"total_records is {walk.total}, but all pages together have {len(walk.records)} records"
    )


def between_equal_timestamps(records: Records) -> int | None:
    return next((place for place in range(1, len(records)) if records[place - 1].moment == records[place].moment), None)


@pytest.mark.parametrize(
    "place",
    ["1", *(pytest.param(place, marks=pytest.mark.later) for place in ["25", "75", "the last", "between equal timestamps"])],
)
def test_the_offset_of_a_direct_query_skips_conversions(api, survey, place):
    """“the offset parameter refers to the number of conversion records to skip”"""
    walk = survey.direct()
    records = walk.records
    if place == "between equal timestamps":
        offset = between_equal_timestamps(records)
        if offset is None:
            pytest.skip("no two conversions have the same timestamp")
    else:
        offset = (len(records) - 1 if place == "the last" else int(place)) % len(records)
    found, expected = api.page(walk.query | {"offset": offset}).records, Records(records[offset : offset + PAGE])
    check_same(expected, found, f"at offset {offset} of {walk.total}, compared with the pages from offset 0")


def test_the_total_of_a_direct_query_is_the_sum_of_its_parts(api, survey):
    """“The total number of matching conversions (in a direct query) …, based on the filters and time range provided.”"""
    whole, *parts = survey.halves()
    total, counts = api.page(whole.query).total_records, [api.page(part.query).total_records for part in parts]
    check(
        total == sum(counts),
        f"total_records is {total} from {iso(whole.start)} to {iso(whole.end)}, but its halves have {' + '.join(map(str, counts))}",
    )


@pytest.mark.later
def test_the_last_page_of_a_long_window_can_be_reached(api, survey):
    """“the offset parameter refers to the number of conversion records to skip”"""
    whole, *_ = survey.halves()
    total = api.page(whole.query).total_records
    if not total:
        pytest.skip(f"there are no conversions in {whole.query}")
    page = api.page(whole.query | {"offset": total - 1})
    found = f"{len(page.records)} records, records_processed {page.records_processed}, has_more {page.has_more}"
    ends = (total, total - 1 + PAGE)
    check(
        len(page.records) == 1 and page.records_processed in ends and not page.has_more,
        f"at offset {total - 1} of {total} in {whole.query}: {found}",
    )


@EACH_QUERY
def test_every_conversion_is_returned_once(api, survey, name):
    """“Each conversion record represents a unique conversion event that meets the filter criteria.”"""
    for walk in survey.walks(name):
        parts = survey.parts_of(walk, name)
        if len(parts) > 1:
            same_in_parts(api, survey, walk, walk.records, parts)
        elif name != "others":
            pytest.skip("all conversions are of one second")


def test_every_conversion_of_a_session_query_is_returned_once_by_windows_of_one_page(api, survey):
    """“offset refers to the number of sessions that have been processed — not the number of conversions” “Each conversion record
    represents a unique conversion event”

    A window with few conversions is one page, which needs no offset.
    """
    walk = survey.session_walk("main")
    if len(walk.pages) == 1:
        pytest.skip("the largest session filter has one page only")
    moments = sorted(record.moment for page in walk.pages[:2] for record in page.records)
    first = next((moment for moment in moments if moment.replace(microsecond=0) > survey.wide_window().start), None)
    if first is None or not survey.is_exact():
        pytest.skip("the window does not select by the timestamps that the records show")
    around = Window(first.replace(microsecond=0), moments[-1].replace(microsecond=0) + SECOND)
    around = Window(around.start, min(around.end, survey.wide_window().end))
    count = min(len(moments) // 25 + 1, 4 if survey.is_brief else 10)
    parts = around.parts(moments, count)
    same_in_parts(api, survey, walk, walk.records.where(around.has), parts)


def same_in_parts(api, survey, walk: Walk, whole: Records, parts: list[Window]) -> None:
    """Check that the parts of a window together find what the whole window finds."""
    found = [api.walk(walk.query | part.query).records for part in parts]
    if is_session_query(walk.query) and not survey.parts_add_up():
        if not survey.is_ours():
            pytest.skip("the window does not select by the timestamps that the records show")
        # Next to a cut, a part may or may not contain a conversion.
        clear = [Window(part.start + LONGEST_SESSION, part.end - LONGEST_SESSION) for part in parts]
        found = [records.where(window.has) for records, window in zip(found, clear, strict=True)]
        whole = whole.where(lambda record: any(window.has(record) for window in clear))
    by_part = Records(record for records in found for record in records)
    check_same(by_part, whole, f"{named(walk.query)} in one window, compared with the same in {len(parts)} parts")


def test_the_total_of_a_session_query_is_the_sum_of_its_parts(api, survey):
    """“The total number of … matching sessions (in a session-filtered query), based on the filters and time range provided.”

    A session that lies in two parts is counted in both, so the total of the whole can be smaller by so many.
    """
    walk = survey.session_walk("main")
    parts = survey.wide_window().parts([record.moment for record in walk.records], 2 if survey.is_brief else 3)
    pages = [api.page(walk.query | part.query) for part in parts]
    cuts = [api.page(walk.query | Window(part.start - SECOND, part.start).query) for part in parts[1:]]
    if any(page.is_message for page in [*pages, *cuts]) or survey.reading("pool") == "converting":
        pytest.skip("not every part of the window says how many sessions it has")
    counts, in_two_parts = [page.total_records for page in pages], sum(page.total_records for page in cuts)
    check(
        sum(counts) - in_two_parts <= walk.total <= sum(counts),
        f"{named(walk.query)}: total_records is {walk.total} in {survey.wide_window().query}, but {' + '.join(map(str, counts))} "
        f"in its parts, and {in_two_parts} sessions at most lie in two parts",
    )


@pytest.mark.parametrize("name", ["main", pytest.param("others", marks=pytest.mark.later)])
def test_the_offset_of_a_session_query_skips_sessions(api, survey, name):
    """“offset refers to the number of sessions that have been processed — not the number of conversions”"""
    for walk in survey.walks(name):
        if walk.total == 1:
            continue
        page, first = api.page(walk.query | {"offset": 1}), walk.pages[0]
        if page.is_message:
            check(len(first.records) == len(walk.records), "at offset 1 is the message, although a later page has records")
            continue
        check(page.total_records == walk.total, f"at offset 1, total_records is {page.total_records} instead of {walk.total}")
        extra = page.records.minus(walk.records)
        check(not extra, f"at offset 1, {len(extra)} records are not on the pages from offset 0 ({extra})", extra)
        if survey.reading("page") == "cut":
            continue
        whole = page.records_processed == walk.total or page.records_processed % 200 == 1
        check(whole, f"at offset 1, records_processed is {page.records_processed}, which is not 1 more than a multiple of 200")
        # One session's conversions are missing, and those lie within a session.
        skipped = first.records.minus(page.records)
        if page.records_processed >= min(first.records_processed + 1, walk.total) and skipped:
            apart = max(record.moment for record in skipped) - min(record.moment for record in skipped)
            check(
                apart <= 31 * DAY,
                f"offset 1 skips {len(skipped)} conversions that are {apart} apart: more than one session has",
                skipped,
            )


@pytest.mark.later
@pytest.mark.parametrize("name", ["direct", "main"])
@pytest.mark.parametrize("further", [0, 2**31, 2**63 - 1], ids=["at the end", "2^31", "2^63-1"])
def test_an_offset_past_the_end_has_no_records(api, survey, name, further):
    """“the offset parameter refers to the number of conversion records to skip” “offset refers to the number of sessions that have
    been processed”

    A server can refuse a number as large as that, but not fail.
    """
    for walk in survey.walks(name):
        offset = walk.total + further if further < 2**31 else further
        response = api.ask(walk.query | {"offset": offset})
        check(response.status < 500, f"offset {offset} gets the response {response.status}")
        if not response.is_success and further >= 2**31:
            continue
        check(response.is_success, f"offset {offset} gets the response {response}")
        records = api.reader.read(response).records
        check(not records, f"at offset {offset} of {walk.total}, a page has {len(records)} records ({records})", records)


def named(query: dict) -> str:
    """Show a query without its window."""
    filters = {name: value for name, value in query.items() if name not in ("start_date", "end_date")}
    return ", ".join(f"{name} {value}" for name, value in filters.items()) or "a direct query"
