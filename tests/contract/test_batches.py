"""Batches: a session query processes 200 sessions at a time, until a page has 50 records."""

from itertools import pairwise

import pytest
from learn_pages import batch_counts
from pages import Walk
from survey import BATCH, filters_of
from test_walks import PAGE, named
from verdict import check

EACH_SESSION_QUERY = pytest.mark.parametrize("name", ["main", pytest.param("others", marks=pytest.mark.later)])


def walks_of(survey, name: str) -> list[Walk]:
    """Return the walks, and for the largest session filter another one with few conversions in each batch."""
    return [*survey.walks(name), *(survey.sparse_walks() if name == "main" else [])]


@EACH_SESSION_QUERY
def test_a_session_query_processes_whole_batches(survey, name):
    """“The API processes sessions in batches of 200”"""
    if survey.reading("page") == "cut":
        pytest.skip("the server cuts its pages at 50 records (page=cut)")
    for walk in walks_of(survey, name):
        for offset, page in walk.steps:
            processed = page.records_processed - offset
            whole = processed % BATCH == 0 or page.records_processed >= page.total_records
            check(whole, f"from offset {offset} a page processes {processed} sessions, which is not a multiple of 200")


@EACH_SESSION_QUERY
def test_a_page_continues_until_it_has_50_records(survey, name):
    """“continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool”"""
    is_cut = survey.reading("page") == "cut"
    for walk in walks_of(survey, name):
        for offset, page in walk.steps:
            # A page that is cut ends before a session that has more than would fit.
            check(
                len(page.records) >= PAGE or page.records_processed >= page.total_records or is_cut,
                f"{named(walk.query)} from offset {offset} stops at {page.records_processed} of {page.total_records} sessions "
                f"with only {len(page.records)} records",
            )


@EACH_SESSION_QUERY
def test_a_page_stops_when_it_has_50_records(survey, name):
    """“continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool”"""
    steps = [(walk, offset, page) for walk in walks_of(survey, name) for offset, page in walk.steps]
    longer = [(walk, offset, page) for walk, offset, page in steps if page.records_processed - offset > BATCH]
    if survey.reading("page") == "cut" or not longer:
        pytest.skip("no page takes more than one batch; an earlier --start-date, or a larger session filter, may find one")
    for walk, offset, page in longer[:4]:
        counts = batch_counts(survey, walk, offset, page)[:-1]
        # "from each batch" can also be read as: until one batch has 50 by itself (batch=each).
        enough = sum(counts) if survey.reading("batch") == "together" else max(counts)
        check(
            enough < PAGE,
            f"{named(walk.query)} from offset {offset}: the batches before the last have {counts} records, but the page goes on to "
            f"{page.records_processed}",
        )


@pytest.mark.later
def test_a_page_stops_at_exactly_50_records(api, survey):
    """“continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool”

    The offset is moved, one session at a time, until the first batch has exactly 50.
    """
    walk = survey.session_walk("main")
    if walk.total < 3 * BATCH or survey.reading("page") == "cut":
        pytest.skip(
            f"{named(walk.query)} has {walk.total} sessions, and this needs {3 * BATCH}; an earlier --start-date may find more"
        )
    query = query_with_50_in_a_batch(walk)

    def is_enough(offset: int) -> bool:
        """Return whether the page from this offset stops after its first batch."""
        return api.page(query | {"offset": offset}).records_processed <= offset + BATCH

    offsets = range(0, walk.total - 2 * BATCH, BATCH // 4)
    tried = [(offset, is_enough(offset)) for offset in offsets[:6]]
    changes = [(one, other) for one, other in pairwise(tried) if one[1] != other[1]]
    if not changes:
        pytest.skip(f"{named(query)} has no batch with about 50 conversions")
    stops, continues = sorted((offset for offset, _ in changes[0]), key=lambda offset: not dict(tried)[offset])
    while abs(stops - continues) > 1:
        middle = (stops + continues) // 2
        stops, continues = (middle, continues) if is_enough(middle) else (stops, middle)
    # One session more or less decides, so the batch has 50 records on one side, or nearly.
    first_batch = batch_counts(survey, Walk(query, [], []), continues, api.page(query | {"offset": continues}))[0]
    check(
        first_batch < PAGE,
        f"{named(query)} from offset {continues}: the first batch has {first_batch} records, but the page goes on",
    )


def query_with_50_in_a_batch(walk: Walk) -> dict:
    """Return the query with the conversion filters, or none, that give its batches about 50 conversions each."""
    counts = filters_of(walk.records)
    counts[()] = len(walk.records)
    wanted = walk.total / BATCH * PAGE
    return walk.query | dict(min(counts, key=lambda pairs: (abs(counts[pairs] - wanted), pairs)))
