"""Clients that page correctly, several at once through the same query, are never told that they page wrongly. Decision 54.

Their pages are made here, so that thousands of runs take seconds: a false alarm can need three clients, a retry and a change of the
data.
"""

from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest
from conversions_api.mock.walk import Name
from conversions_api.mock.walks import Record
from conversions_api.strategies import BATCH_SIZE, PAGE_SIZE, Page

from tests.test_walks import CONVERSIONS, CORRECT, SESSIONS, only_one_page

QUERIES = {"direct": CONVERSIONS, "session": SESSIONS}
TOTALS = {"direct": [1, 10, 40, 49, 50, 51, 99, 100, 101, 130, 250], "session": [1, 100, 199, 200, 201, 400, 750, 1300]}
CHANGES = [-60, -1, 1, 3, 60]


def page_of(strategy: str, total: int, offset: int) -> Page:
    """Return a page of a query with so many conversions or sessions; a page of sessions has one to three batches."""
    most = PAGE_SIZE if strategy == "direct" else BATCH_SIZE * (1 + (offset + total) % 3)
    processed = min(offset + most, total)
    conversions = [()] * max(0, processed - offset)
    return Page(strategy, conversions, processed, total, [], nothing_matches=False, has_more=processed < total)


def requests(strategy: str, dice: Random, moves: bool) -> Iterator[tuple[int, Page]]:
    """Yield the requests of up to five clients in any order, each one sometimes sent twice, while the data may change."""
    total = dice.choice(TOTALS[strategy])
    kinds = [only_one_page, *(client for client, queries in CORRECT.values() if QUERIES[strategy] in queries)]
    clients = [(client := dice.choice(kinds)(), next(client), True) for _ in range(dice.randint(1, 5))]
    while clients:
        client, offset, may_be_lost = clients.pop(dice.randrange(len(clients)))
        yield offset, (page := page_of(strategy, total, offset))
        if moves and dice.random() < 0.2:
            total = max(1, total + dice.choice(CHANGES))
        if may_be_lost and dice.random() < 0.3:  # the response; so the request is sent again
            clients.append((client, offset, False))
            continue
        pagination = {"has_more": page.has_more, "records_processed": page.records_processed, "total_records": page.total_records}
        with suppress(StopIteration):
            clients.append((client, client.send({"records": page.conversions, "pagination": pagination}), True))


@pytest.mark.parametrize("moves", [False, True], ids=["the same data", "data that changes"])
@pytest.mark.parametrize("strategy", QUERIES)
def test_clients_that_page_correctly_side_by_side_have_no_fault_and_get_no_warning(strategy, moves):
    for seed in range(3000):
        record, sent = Record(), []
        for offset, page in requests(strategy, Random(seed), moves):
            sent.append((offset, page.total_records))
            _, warning = record.add(Name("example.com", frozenset(), False), {}, offset, page)
            assert warning == "", (seed, sent)
        assert [walk["message"] for walk in record.verdicts() if walk["faults"]] == [], (seed, sent)
