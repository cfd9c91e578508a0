"""Pages: a query is walked from offset 0, with records_processed of each page as the offset of the next."""

from collections import Counter
from itertools import combinations, product

import pytest
from records import Records, Window, difference, iso
from survey import BATCH, CONVERSION_FILTERS, DAY, SECOND, SESSION_FILTERS
from verdict import check

# "main" is the session filter with the most sessions. It is checked first, and not again under its own name.
QUERIES = ["direct", "main", *SESSION_FILTERS]
PAGE = 50


EACH_QUERY = pytest.mark.parametrize("name", QUERIES)
EACH_SESSION_QUERY = pytest.mark.parametrize("name", QUERIES[1:])


@EACH_QUERY
def test_a_walk_ends(survey, name):
    """“If true, increase the offset in your next request to retrieve more data.”"""
    walk = survey.walk(name)
    check(walk.is_complete, f"has_more is still true after {len(walk.pages)} pages of {walk.query}")


@EACH_QUERY
def test_records_processed_is_the_offset_of_the_next_request(survey, name):
    """“This value should be used as the offset for the next request.”"""
    walk = survey.walk(name)
    for offset, page in walk.steps:
        check(page.records_processed > offset, f"at offset {offset}, records_processed is {page.records_processed}")
    last = walk.pages[-1]
    check(
        last.records_processed == last.total_records,
        f"on the last page, records_processed is {last.records_processed} of {last.total_records}",
    )


@EACH_QUERY
def test_has_more_says_whether_pages_follow(survey, name):
    """“A boolean value that indicates whether additional pages of results are available.”"""
    walk = survey.walk(name)
    for offset, page in walk.steps:
        more = page.records_processed < page.total_records
        check(
            page.has_more is more,
            f"at offset {offset}, has_more is {page.has_more} with {page.records_processed} of {page.total_records} processed",
        )


@EACH_QUERY
def test_total_records_is_the_same_on_all_pages(survey, name):
    """“The total number of matching conversions (in a direct query) or matching sessions (in a session-filtered query), based
    on the filters and time range provided.”"""
    walk = survey.walk(name)
    totals = list(dict.fromkeys(page.total_records for page in walk.pages))
    check(len(totals) == 1, f"on the pages of one walk it is {', '.join(map(str, totals))}")


def test_each_page_of_a_direct_query_except_the_last_has_50_records(survey):
    """“Each request will return up to 50 matching conversions, and you can paginate by increasing the offset value in increments of
    50.”"""
    walk = survey.direct()
    for offset, page in walk.steps:
        full = page.has_more and page.records_processed < page.total_records
        check(
            len(page.records) == PAGE if full else len(page.records) <= PAGE,
            f"at offset {offset} of {page.total_records}, a page has {len(page.records)} records",
        )


def test_a_direct_query_counts_conversions(survey):
    """“The total number of matching conversions (in a direct query)”; “it reflects conversion records in a direct query”"""
    walk = survey.direct()
    for offset, page in walk.steps:
        expected = offset + len(page.records)
        check(
            page.records_processed == expected,
            f"at offset {offset}, records_processed is {page.records_processed} after {len(page.records)} records",
        )
    check(
        walk.total == len(walk.records), f"total_records is {walk.total}, but all pages together have {len(walk.records)} records"
    )


@pytest.mark.parametrize(
    "offset",
    [
        1,
        pytest.param(25, marks=pytest.mark.later),
        pytest.param(75, marks=pytest.mark.later),
        pytest.param(-1, marks=pytest.mark.later, id="the last"),
    ],
)
def test_the_offset_of_a_direct_query_skips_conversions(api, survey, offset):
    """“the offset parameter refers to the number of conversion records to skip”"""
    walk = survey.direct()
    records = walk.records
    offset %= len(records)
    found, expected = api.page(walk.query | {"offset": offset}).records, Records(records[offset : offset + PAGE])
    check(found == expected, f"at offset {offset} of {walk.total}: {difference(expected, found) or 'the order is another'}")


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
    page = api.page(whole.query | {"offset": total - 1})
    found = f"{len(page.records)} records, records_processed {page.records_processed}, has_more {page.has_more}"
    check(
        (len(page.records), page.records_processed, page.has_more) == (1, total, False),
        f"at offset {total - 1} of {total} in {whole.query}: {found}",
    )


@EACH_QUERY
def test_every_conversion_is_returned_once(api, survey, name):
    """“Each conversion record represents a unique conversion event that meets the filter criteria.”"""
    walk = survey.walk(name)
    window = survey.window() if name == "direct" else survey.wide_window()
    whole, slack = walk.records, survey.slack(name)
    count = 2 if survey.is_brief else 3
    parts = window.parts([record.moment for record in whole], count)
    if len(parts) == 1:
        pytest.skip("all conversions are of one second")
    by_part = Records(record for part in parts for record in api.walk(walk.query | part.query).records)
    if slack:
        # Next to a cut, a part may or may not contain a conversion.
        clear = [Window(part.start + slack, part.end - slack) for part in parts]

        def is_clear(record):
            return any(window.has(record) for window in clear)

        whole, by_part = whole.where(is_clear), by_part.where(is_clear)
    check(
        not difference(by_part, whole),
        f"{named(walk.query)} in one window, compared with the same in {len(parts)} parts: {difference(by_part, whole)}",
    )


def test_the_total_of_a_session_query_is_the_sum_of_its_parts(api, survey):
    """“The total number of … matching sessions (in a session-filtered query), based on the filters and time range provided.”

    A session that lies in two parts is counted in both, so the total of the whole can be smaller by so many.
    """
    walk = survey.session_walk("main")
    parts = survey.wide_window().parts([record.moment for record in walk.records], 2 if survey.is_brief else 3)
    counts = [api.page(walk.query | part.query).total_records for part in parts]
    cuts = [Window(part.start - SECOND, part.start) for part in parts[1:]]
    in_two_parts = sum(api.page(walk.query | cut.query).total_records for cut in cuts)
    least = sum(counts) - in_two_parts - max(3, walk.total // 50)
    check(
        walk.total >= least,
        f"{named(walk.query)}: total_records is {walk.total} in {survey.wide_window().query}, but "
        f"{' + '.join(map(str, counts))} in its parts",
    )


@EACH_SESSION_QUERY
def test_a_session_query_processes_whole_batches(survey, name):
    """“The API processes sessions in batches of 200”

    A server whose pages never have more than 50 records follows the other reading: “Each page can contain up to 50 records.”
    """
    walk = survey.walk(name)
    is_cut = all(len(page.records) <= PAGE for page in walk.pages)
    for offset, page in walk.steps:
        processed = page.records_processed - offset
        whole = processed % BATCH == 0 or page.records_processed == page.total_records
        check(whole or is_cut, f"from offset {offset} a page processes {processed} sessions, which is not a multiple of 200")


@EACH_SESSION_QUERY
@pytest.mark.beyond_the_text
def test_a_page_of_a_session_query_is_not_cut_at_50(survey, name):
    """“continues processing until it collects 50 or more conversion records from each batch” Our reading: a page has all
    conversions of its batches, even if they are more than 50."""
    walk = survey.walk(name)
    for offset, page in walk.steps:
        processed = page.records_processed - offset
        whole = processed % BATCH == 0 or page.records_processed == page.total_records
        check(whole, f"from offset {offset} a page processes {processed} sessions and has {len(page.records)} records")


def conversion_filters_of(records) -> Counter:
    """Count what the conversion filters of these records, and their combinations, match."""
    names = [names for count in (1, 2, 3) for names in combinations(CONVERSION_FILTERS, count)]
    found = Counter(tuple((name, record.filters[name]) for name in of_names) for record in records for of_names in names)
    return Counter({pairs: count for pairs, count in found.items() if all(isinstance(value, str) for _, value in pairs)})


def rare_filters(walk) -> dict:
    """Return conversion filters that match so few conversions that a page needs several batches, but not too few."""
    wanted = walk.total / BATCH * PAGE * 0.4
    counts = conversion_filters_of(walk.records)
    return dict(min(counts, key=lambda pairs: (abs(counts[pairs] - wanted), pairs), default=()))


def two_offsets(api, walk) -> tuple[dict | None, int, int]:
    """Return a query, an offset from which one batch is enough for a page, and one from which it is not."""
    batches = {offset: page.records for offset, page in walk.steps if page.records_processed - offset == BATCH}
    of_batches = {offset: conversion_filters_of(records) for offset, records in batches.items()}
    for offset, found in of_batches.items():
        found[()] = len(batches[offset])
    choices = {pairs for found in of_batches.values() for pairs in found}
    counts = [(dict(pairs), {offset: found[pairs] for offset, found in of_batches.items()}) for pairs in sorted(choices)]
    # The filters that give a batch closest to 50; several offsets of it are tried.
    counts = [
        (min(abs(count - PAGE) for count in of_batches.values()), filters, of_batches)
        for filters, of_batches in counts
        if of_batches
    ]
    for distance, filters, of_batches in sorted(counts, key=lambda choice: choice[0])[:2]:
        if distance > PAGE / 3:
            break
        query = walk.query | filters
        near = min(of_batches, key=lambda offset: abs(of_batches[offset] - PAGE))
        enough = {}
        for offset in sorted({near, *of_batches, near + BATCH // 2, near + BATCH // 4}, key=lambda offset: abs(offset - near)):
            if offset + 2 * BATCH <= walk.total and len(set(enough.values())) < 2 and len(enough) < 6:
                enough[offset] = api.page(query | {"offset": offset}).records_processed - offset <= BATCH
        stops = [offset for offset, is_enough in enough.items() if is_enough]
        continues = [offset for offset, is_enough in enough.items() if not is_enough]
        if stops and continues:
            return query, *min(product(stops, continues), key=lambda pair: abs(pair[0] - pair[1]))
    return None, 0, 0


def walks_with_many_batches(survey, walk) -> list:
    """Return the walk, and another one with few conversions in each batch."""
    walks = [walk]
    if walk.total > 2 * BATCH and (filters := rare_filters(walk)):
        walks.append(survey.api.walk(walk.query | filters))
    return walks


@EACH_SESSION_QUERY
def test_a_page_continues_until_it_has_50_records(survey, name):
    """“continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool”"""
    walk = survey.walk(name)
    for of_query in walks_with_many_batches(survey, walk) if name == "main" else [walk]:
        is_cut = all(len(page.records) <= PAGE for page in of_query.pages)
        for offset, page in of_query.steps:
            processed = page.records_processed - offset
            # If a page is cut at 50, it can end before a session that has more than would fit.
            cut_short = is_cut and processed % BATCH and len(page.records) > PAGE / 2
            check(
                len(page.records) >= PAGE or page.records_processed >= page.total_records or cut_short,
                f"{named(of_query.query)} stops at {page.records_processed} of {page.total_records} sessions "
                f"with only {len(page.records)} records",
            )


@EACH_SESSION_QUERY
def test_a_page_stops_when_it_has_50_records(api, survey, name):
    """“continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool”"""
    walk = survey.walk(name)
    walks = walks_with_many_batches(survey, walk) if name == "main" else [walk]
    longer = [
        (of_query.query, offset, page)
        for of_query in walks
        for offset, page in of_query.steps
        if page.records_processed - offset > BATCH
    ]
    if not longer and name != "main":
        pytest.skip(survey.ALREADY)
    if not longer:
        pytest.skip(
            "no page takes more than one batch: --start-date, or a session filter with more sessions, may find one that does"
        )
    for query, offset, page in longer[:4]:
        processed = page.records_processed - offset
        last_batch = page.records_processed - (processed % BATCH or BATCH)
        rest = api.page(query | {"offset": last_batch})
        before = len(page.records.minus(rest.records))
        check(
            before < PAGE,
            f"{named(query)} at offset {offset}: the sessions up to {last_batch} have {before} records, "
            f"but the page goes on to {page.records_processed}",
        )


@pytest.mark.later
def test_a_page_stops_at_exactly_50_records(api, survey):
    """“continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool”

    The offset is moved until the first batch has exactly 50.
    """
    walk = survey.session_walk("main")
    if walk.total < 3 * BATCH:
        pytest.skip(
            f"{named(walk.query)} has only {walk.total} sessions, and this needs {3 * BATCH}; another --start-date may find more"
        )
    query, stops, continues = two_offsets(api, walk)
    if query is None:
        pytest.skip(f"{named(walk.query)} has no batch with about 50 conversions")
    while abs(stops - continues) > 1:
        middle = (stops + continues) // 2
        if api.page(query | {"offset": middle}).records_processed - middle <= BATCH:
            stops = middle
        else:
            continues = middle
    page = api.page(query | {"offset": continues})
    rest = api.page(query | {"offset": continues + BATCH})
    first_batch = len(page.records.minus(rest.records))
    check(
        first_batch < PAGE,
        f"at offset {continues} the first batch has {first_batch} records, but the page goes on to {page.records_processed}",
    )


@EACH_SESSION_QUERY
def test_the_offset_of_a_session_query_skips_sessions(api, survey, name):
    """“offset refers to the number of sessions that have been processed — not the number of conversions”"""
    walk = survey.walk(name)
    if walk.total == 1:
        pytest.skip("one session matches")
    page, first = api.page(walk.query | {"offset": 1}), walk.pages[0]
    is_cut = all(len(page.records) <= PAGE for page in walk.pages)
    check(page.total_records == walk.total, f"at offset 1, total_records is {page.total_records} instead of {walk.total}")
    whole = page.records_processed == walk.total or page.records_processed % BATCH == 1 or is_cut
    check(whole, f"at offset 1, records_processed is {page.records_processed}, which is not 1 more than a multiple of 200")
    extra = page.records.minus(walk.records)
    check(not extra, f"at offset 1, {len(extra)} records are not on the pages from offset 0 ({extra})")
    # One session's conversions are missing, and those lie within a session.
    skipped = first.records.minus(page.records)
    if page.records_processed > first.records_processed or page.records_processed == walk.total:
        moments = [record.moment for record in skipped]
        apart = max(moments) - min(moments) if moments else 0 * SECOND
        check(apart <= 7 * DAY, f"offset 1 skips {len(skipped)} conversions that are {apart} apart: more than one session has")


@EACH_QUERY
@pytest.mark.beyond_the_text
def test_the_newest_records_come_first(survey, name):
    """“"timestamp": "2025-03-05 15:14:00"” is followed by “"2025-03-05 14:31:00"” Our reading: the records of a page are newest
    first."""
    walk = survey.walk(name)
    for offset, page in walk.steps:
        moments = [record.moment for record in page.records]
        check(moments == sorted(moments, reverse=True), f"not on the page at offset {offset} of {named(walk.query)}")


@pytest.mark.beyond_the_text
def test_the_newest_records_come_first_from_page_to_page(survey):
    """“"timestamp": "2025-03-05 15:14:00"” is followed by “"2025-03-05 14:31:00"” Our reading: so is a whole direct query."""
    moments = [record.moment for record in survey.direct().records]
    check(moments == sorted(moments, reverse=True), "the pages of a direct query are not newest first")


@pytest.mark.later
@EACH_QUERY
@pytest.mark.beyond_the_text
@pytest.mark.parametrize("further", [0, 1000], ids=["at the end", "past the end"])
def test_an_offset_past_the_end_is_a_page_without_records(survey, api, name, further):
    """“If no qualifying conversions are found” Our reading: some are, only before the offset, so it is an ordinary page."""
    walk = survey.walk(name)
    query = walk.query | {"offset": walk.total + further}
    response, page = api.ask(query), api.page(query)
    is_ordinary = "message" not in response.json and page == ([], walk.total, walk.total, False)
    check(is_ordinary, f"at offset {walk.total + further} of {walk.total}: {response}")


@pytest.mark.later
def test_a_huge_offset_is_not_a_server_error(api, survey):
    """“offset | int | Offset for batch-based pagination (default: 0)”"""
    for query in [survey.window().query, survey.session_walk("main").query]:
        for offset in (2**31, 2**63 - 1):
            response = api.ask(query | {"offset": offset})
            check(response.status < 500, f"offset {offset} gets the response {response.status}")


def named(query: dict) -> str:
    """Show a query without its window."""
    filters = {name: value for name, value in query.items() if name not in ("start_date", "end_date")}
    return ", ".join(f"{name} {value}" for name, value in filters.items()) or "a direct query"
