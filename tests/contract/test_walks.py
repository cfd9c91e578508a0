"""Pages: a query is walked through from offset 0, with records_processed of each page as the offset of the next."""

import re

import pytest

BATCH = 200


def test_a_walk_ends(walk):
    """“If true, increase the offset in your next request to retrieve more data.”"""
    assert walk.pages[-1].has_more is False, f"after {len(walk.pages)} pages of {walk.query}"


def test_records_processed_goes_on_until_it_is_total_records(walk):
    """“This value should be used as the offset for the next request.”"""
    steps = [*walk.offsets, walk.pages[-1].records_processed]
    assert steps == sorted(set(steps))
    assert steps[-1] == walk.pages[-1].total_records


def test_has_more_as_long_as_records_processed_is_less_than_total_records(walk):
    """“A boolean value that indicates whether additional pages of results are available.”"""
    assert [page.has_more for page in walk.pages] == [page.records_processed < page.total_records for page in walk.pages]


def test_total_records_is_the_same_on_all_pages(walk):
    """“The total number of matching conversions … or matching sessions …, based on the filters and time range provided.”"""
    assert len({page.total_records for page in walk.pages}) == 1


def test_nothing_is_lost_and_nothing_comes_twice(api, window, walk):
    """“Each conversion record represents a unique conversion event that meets the filter criteria.”"""
    parts = window.parts(walk.records)
    if len(parts) == 1:
        pytest.skip("all conversions are of one second")
    whole = walk.records
    by_part = type(whole)(record for part in parts for record in api.walk(walk.query | part.query).records)
    assert by_part.minus(whole) == [], "found in parts of the window, but not in the whole"
    assert whole.minus(by_part) == [], "found in the whole window, but not in its parts"


@pytest.mark.beyond_the_text
def test_the_newest_come_first(walk):
    """The published sample has the newest first; beyond it: so has each page."""
    for page in walk.pages:
        moments = [record.moment for record in page.records]
        assert moments == sorted(moments, reverse=True)


@pytest.mark.beyond_the_text
def test_the_newest_come_first_from_page_to_page(direct_walk):
    """The published sample has the newest first; beyond it: so has a direct query as a whole."""
    moments = [record.moment for record in direct_walk.records]
    assert moments == sorted(moments, reverse=True)


def test_a_page_of_a_direct_query_has_50_but_for_the_last(direct_walk):
    """“up to 50 matching conversions, and you can paginate by increasing the offset value in increments of 50.”"""
    *full, last = (len(page.records) for page in direct_walk.pages)
    assert set(full) <= {50}
    assert 0 < last <= 50


def test_a_direct_query_counts_conversions(direct_walk):
    """“The total number of matching conversions (in a direct query)”; “it reflects conversion records in a direct query”"""
    assert len(direct_walk.records) == direct_walk.pages[0].total_records
    counted = [offset + len(page.records) for offset, page in zip(direct_walk.offsets, direct_walk.pages, strict=True)]
    assert counted == [page.records_processed for page in direct_walk.pages]


@pytest.mark.parametrize("offset", [1, 25, 75, -1], ids=["1", "25", "75", "the last"])
def test_the_offset_of_a_direct_query_skips_conversions(api, direct_walk, offset):
    """“the offset parameter refers to the number of conversion records to skip”"""
    records = direct_walk.records
    offset %= len(records)
    assert api.page(direct_walk.query | {"offset": offset}).records == records[offset : offset + 50]


def test_a_session_query_stops_only_after_whole_batches(session_walk):
    """“The API processes sessions in batches of 200”"""
    for offset, page in zip(session_walk.offsets, session_walk.pages, strict=True):
        assert page.records_processed == page.total_records or (page.records_processed - offset) % BATCH == 0


def test_a_session_query_goes_on_until_it_has_50(session_walk):
    """“continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool”"""
    for page in session_walk.pages:
        found = len(page.records)
        assert found >= 50 or page.records_processed == page.total_records


def test_a_session_query_stops_when_it_has_50(api, session_walk):
    """“continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool”"""
    pages = zip(session_walk.offsets, session_walk.pages, strict=True)
    longer = [(offset, page) for offset, page in pages if page.records_processed - offset > BATCH]
    if not longer:
        pytest.skip("each page took one batch")
    for offset, page in longer:
        last_batch = page.records_processed - 1 - (page.records_processed - 1 - offset) % BATCH
        from_last_batch = api.page(session_walk.query | {"offset": last_batch})
        before = len(page.records.minus(from_last_batch.records))
        assert before < 50, f"the sessions from {offset} to {last_batch} have enough for a page, but it went on"


def test_the_offset_of_a_session_query_skips_sessions(api, session_walk):
    """“offset refers to the number of sessions that have been processed — not the number of conversions”"""
    total = session_walk.pages[0].total_records
    if total == 1:
        pytest.skip("one session matches")
    page = api.page(session_walk.query | {"offset": 1})
    assert page.records_processed == total or page.records_processed % BATCH == 1
    assert page.total_records == total
    assert page.records.minus(session_walk.records) == []


@pytest.mark.beyond_the_text
@pytest.mark.parametrize("further", [0, 1000], ids=["at the end", "past it"])
def test_an_offset_past_the_end_is_a_page_without_records(api, walk, further):
    """“If no qualifying conversions are found”: some are, only before the offset; beyond it: so it is an ordinary page."""
    total = walk.pages[0].total_records
    answer = api.ask(walk.query | {"offset": total + further})
    assert answer.json == {
        "records": [],
        "pagination": {"records_processed": total, "total_records": total, "has_more": False},
    }


def test_an_answer_has_records_and_pagination(api, window):
    """“Each response includes a pagination object that helps you request additional pages of results efficiently.”"""
    answer = api.ask(window.query).json
    assert answer.keys() == {"records", "pagination"}
    assert {name: type(value) for name, value in answer["pagination"].items()} == {
        "records_processed": int,
        "total_records": int,
        "has_more": bool,
    }


def test_a_timestamp_has_the_form_of_the_published_sample(walk):
    """“"timestamp": "2025-03-05 15:14:00"”"""
    for record in walk.records:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", record["timestamp"])


@pytest.mark.beyond_the_text
def test_every_record_has_every_field(walk):
    """“records may include the following fields”; beyond it: all are there, and only email and previous_page can be null."""
    for record in walk.records:
        assert record.keys() == {"email", "timestamp", "conversion_page", "previous_page", "conversion_meta"}
        assert record["conversion_meta"].keys() == {"type", "id"}
        assert all(isinstance(record[name], str | None) for name in ("email", "previous_page"))
        assert all(isinstance(value, str) for value in (record["conversion_page"], *record["conversion_meta"].values()))
