"""The record of walks: each wrong way to page is reported with its fault, and no correct way is."""

import json
import logging
import re
import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import REPOSITORY, SERVERS, Hub, a_conversion, a_session, flask

SESSIONS = {"start_date": "2020-01-01", "source": "google.com"}
CONVERSIONS = {"start_date": "2020-01-01"}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Hub:
    """Return a mock with the bundled data: "dense" has 600 sessions with 3,000 conversions, "sparse" 2,000 with 60."""
    hub = Hub(tmp_path_factory.mktemp("walks") / "conversions.sqlite", MOCK="1")
    assert hub.run("seed").exit_code == 0
    return hub


@pytest.fixture
def mock(server) -> Hub:
    assert server.client.delete("/_mock/walks").status_code == 204
    return server


def walks(hub: Hub) -> list[dict]:
    return hub.client.get("/_mock/walks").json["walks"]


def page(hub: Hub, query: dict, offset: int, key: str = "dense") -> tuple[dict, str | None]:
    """Request a page. Return the page and its warning, if there is one."""
    response = hub.post(json.dumps(query | {"offset": offset} if offset else query), key)
    assert response.status_code == 200, response.text
    return response.json, response.headers.get("Pagination-Warning")


# Clients. Each one is a generator of offsets: it yields an offset and receives the page.


def until_has_more_is_false(advance):
    def client():
        offset = 0
        while True:
            page = yield offset
            if not page["pagination"]["has_more"]:
                return
            offset = advance(offset, page)

    return client


def until_a_page_is_empty(advance):
    def client():
        offset = 0
        while True:
            page = yield offset
            if not page["records"]:
                return
            offset = advance(offset, page)

    return client


def until_total_records_are_collected():
    offset = records = 0
    while True:
        page = yield offset
        records += len(page["records"])
        if records >= page["pagination"]["total_records"]:
            return
        offset = page["pagination"]["records_processed"]


def ignoring_has_more():
    offset = 0
    while True:
        page = yield offset
        offset = page["pagination"]["records_processed"]


def in_parallel():
    page = yield 0
    offsets = list(range(50, page["pagination"]["total_records"], 50))
    Random(1).shuffle(offsets)
    for offset in offsets:  # noqa: UP028 (a list can't be sent the pages)
        yield offset


def only_one_page():
    yield 0


def records_processed(offset: int, page: dict) -> int:
    return page["pagination"]["records_processed"]


def add_50(offset: int, page: dict) -> int:
    return offset + 50


def add_records(offset: int, page: dict) -> int:
    return offset + len(page["records"])


def skip_one(offset: int, page: dict) -> int:
    return page["pagination"]["records_processed"] + 1


def add_records_processed(offset: int, page: dict) -> int:
    return offset + page["pagination"]["records_processed"]


def step_by_200(offset: int, page: dict) -> int:
    return offset + 200


def run(hub: Hub, client, query: dict, key: str, max_requests: int = 100) -> tuple[list[int], list[str]]:
    """Run a client to its end, or for at most so many requests. Return its offsets and the warnings that it got."""
    offsets, warnings, requests = [], [], client()
    offset = next(requests)
    for _ in range(max_requests):
        response, warning = page(hub, query, offset, key)
        offsets.append(offset)
        warnings += [warning] if warning else []
        try:
            offset = requests.send(response)
        except StopIteration:
            break
    return offsets, warnings


CORRECT = {
    "offset = records_processed": (until_has_more_is_false(records_processed), [CONVERSIONS, SESSIONS]),
    "offset = records_processed, until empty": (until_a_page_is_empty(records_processed), [CONVERSIONS]),
    "offset += 50": (until_has_more_is_false(add_50), [CONVERSIONS]),
    "offset += 50, until empty": (until_a_page_is_empty(add_50), [CONVERSIONS]),
    "offset += len(records)": (until_has_more_is_false(add_records), [CONVERSIONS]),
    "until total_records are collected": (until_total_records_are_collected, [CONVERSIONS]),
    "pages fetched in parallel by 50": (in_parallel, [CONVERSIONS]),
}


@pytest.mark.parametrize("key", ["dense", "sparse"])
@pytest.mark.parametrize(
    ("client", "query"),
    [
        pytest.param(client, query, id=f"{name}, {'session' if query == SESSIONS else 'direct'}")
        for name, (client, queries) in CORRECT.items()
        for query in queries
    ],
)
def test_a_client_that_pages_correctly_has_a_complete_walk_without_faults(mock, client, query, key):
    offsets, warnings = run(mock, client, query, key)
    (walk,) = walks(mock)
    assert warnings == []
    assert (walk["complete"], walk["faults"], walk["repeats"], walk["gaps"]) == (True, [], [], [])
    assert [page["offset"] for page in walk["pages"]] == offsets
    assert re.fullmatch(r"All \d+ (conversions|sessions)\.", walk["message"])


ADD_PROCESSED = "add records_processed instead of replacing the offset"
SKIP_ONE = "add 1 to records_processed"
WRONG = [
    ("offset += 50", until_has_more_is_false(add_50), SESSIONS, "dense", ["repeats"], "add 50"),
    ("offset += 50", until_has_more_is_false(add_50), SESSIONS, "sparse", ["repeats"], "add 50"),
    ("pages in parallel", in_parallel, SESSIONS, "dense", ["repeats"], None),
    ("offset += len(records)", until_has_more_is_false(add_records), SESSIONS, "dense", ["gaps"], "add the number of records"),
    ("offset += len(records)", until_has_more_is_false(add_records), SESSIONS, "sparse", ["repeats"], "add the number of records"),
    ("until total_records are collected", until_total_records_are_collected, SESSIONS, "sparse", ["past_the_end"], None),
    ("offset += records_processed", until_has_more_is_false(add_records_processed), CONVERSIONS, "dense", ["gaps"], ADD_PROCESSED),
    ("offset += records_processed", until_has_more_is_false(add_records_processed), SESSIONS, "dense", ["gaps"], ADD_PROCESSED),
    ("offset = records_processed + 1", until_has_more_is_false(skip_one), CONVERSIONS, "dense", ["gaps"], SKIP_ONE),
    ("offset = records_processed + 1", until_has_more_is_false(skip_one), SESSIONS, "dense", ["gaps"], SKIP_ONE),
    ("offset += 200", until_has_more_is_false(step_by_200), SESSIONS, "sparse", ["repeats"], "step by 200"),
    ("offset += 200", until_has_more_is_false(step_by_200), CONVERSIONS, "dense", ["gaps"], "step by 200"),
    ("a cursor that ignores has_more", ignoring_has_more, CONVERSIONS, "sparse", ["past_the_end"], None),
    ("a cursor that ignores has_more", ignoring_has_more, SESSIONS, "sparse", ["past_the_end"], None),
]  # fmt: skip


@pytest.mark.decision(54)
@pytest.mark.parametrize(
    ("client", "query", "key", "faults", "habit"),
    [pytest.param(*row[1:], id=f"{row[0]}, {'session' if row[2] == SESSIONS else 'direct'}, {row[3]}") for row in WRONG],
)
def test_each_wrong_way_to_page_is_reported_with_its_fault_and_its_likely_cause(mock, client, query, key, faults, habit):
    _, warnings = run(mock, client, query, key)
    (walk,) = walks(mock)
    assert walk["faults"] == faults
    assert f"the client seems to {habit}" in walk["message"] if habit else "seems" not in walk["message"]
    # A direct query's pages can come in any order: steps of 200 are certain only in the end.
    is_late = query == CONVERSIONS and habit in ("step by 200", SKIP_ONE)  # only the whole walk is certain
    assert (faults != ["past_the_end"] and not is_late) == bool(warnings)


def test_a_repeated_page_causes_a_warning_in_a_header_and_in_the_log_and_its_body_is_unchanged(mock, caplog):
    plain, _ = page(mock, SESSIONS | {"offset": 50}, 0)
    mock.client.delete("/_mock/walks")
    assert page(mock, SESSIONS, 0)[1] is None
    with caplog.at_level(logging.WARNING):
        body, warning = page(mock, SESSIONS, 50)
    assert warning == (
        '"offset 50 was requested, but the previous page ended at 200: the client seems to add 50. '
        'In a session query set offset to records_processed, 200."'
    )
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [warning.strip('"')]
    assert body == plain
    assert walks(mock) == [
        {
            "number": walks(mock)[0]["number"],
            "domain": "dense.example",
            "query": SESSIONS,
            "strategy": "session",
            "total_records": 600,
            "pages": [
                {"offset": 0, "records_processed": 200, "records": 1000},
                {"offset": 50, "records_processed": 250, "records": 1000},
            ],
            "complete": False,
            "faults": ["repeats"],
            "repeats": [[50, 200]],
            "gaps": [],
            "past_the_end": 0,
            "expected_offset": 200,
            "message": warning.strip('"'),
        }
    ]


def test_a_gap_is_reported_at_once_in_a_session_query(mock):
    page(mock, SESSIONS, 0)
    _, warning = page(mock, SESSIONS, 400)
    assert warning.startswith('"offset 400 was requested, but the previous page ended at 200')
    (walk,) = walks(mock)
    assert (walk["faults"], walk["gaps"], walk["expected_offset"]) == (["gaps"], [[200, 400]], 200)
    page(mock, SESSIONS, 200)
    assert walks(mock)[0]["faults"] == []


def test_a_gap_in_a_direct_query_is_a_fault_only_if_a_wrong_habit_explains_every_step(mock):
    for offset in (0, 50, 150):
        assert page(mock, CONVERSIONS, offset)[1] is None
    assert walks(mock)[0]["faults"] == []  # pages 1, 2 and 4 of a table
    _, warning = page(mock, CONVERSIONS, 350)
    assert warning == (
        '"offset 350 was requested, but the previous page ended at 200: the client seems to add records_processed instead of '
        'replacing the offset. In a direct query add 50 to offset, or set it to records_processed, 200."'
    )
    assert (walks(mock)[0]["faults"], walks(mock)[0]["gaps"]) == (["gaps"], [[100, 150], [200, 350]])
    assert page(mock, CONVERSIONS, 100)[1] is None
    assert walks(mock)[0]["faults"] == []  # no habit explains a step back


@pytest.mark.parametrize(
    "offsets",
    [
        pytest.param([0, 2950], id="the first page and the last"),
        pytest.param([0, 400], id="a jump"),
        pytest.param([0, 200], id="the fifth page"),
        pytest.param([0, 50, 150], id="a page left out"),
        pytest.param([0, 1000, 0, 2950, 50, 2900], id="a person who clicks"),
        pytest.param([2950, 2900, 2850, 0], id="from the end"),
    ],
)
def test_a_table_that_shows_any_pages_of_a_direct_query_gets_no_warning_and_no_fault(mock, offsets):
    assert [page(mock, CONVERSIONS, offset)[1] for offset in offsets] == [None] * len(offsets)
    assert all(walk["faults"] == [] and walk["gaps"] == [] for walk in walks(mock))


def test_a_session_query_that_jumps_past_the_end_leaves_a_gap(mock):
    page(mock, SESSIONS, 0)
    assert page(mock, SESSIONS, 5000)[1] is not None
    assert walks(mock)[0]["gaps"] == [[200, 600]]


def test_a_wrong_client_is_detected_after_a_correct_one_has_walked_the_same_query(mock):
    for client in (until_has_more_is_false(records_processed), until_has_more_is_false(add_records)):
        run(mock, client, SESSIONS, "dense")
    assert [walk["faults"] for walk in walks(mock)] == [[], ["gaps"]]


# What must not cause a warning. Each row is a series of offsets.


@pytest.mark.decision(55)
@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        pytest.param([0, 200, 200, 400, 400], 1, id="retries"),
        pytest.param([0, 0, 200], 2, id="a retry of the first page"),
        pytest.param([0, 200, 400, 200], 1, id="going back to an earlier page"),
        pytest.param([0, 0, 200, 200, 400, 400], 2, id="two clients in parallel"),
        pytest.param([0, 200, 0, 400, 200, 400], 2, id="a second client that starts later"),
        pytest.param([400], 1, id="the rest of a walk after a restart"),
        pytest.param([400, 200, 400], 2, id="the rest of two walks after a restart"),
        pytest.param([0, 200, 400, 600, 600], 1, id="until empty, and a retry of the empty page"),
        pytest.param([0, 0, 200, 400, 200, 400, 600, 600, 600, 600], 2, id="two clients until empty, with retries"),
    ],
)
def test_clients_that_page_correctly_get_no_warning_in_whatever_order_their_requests_arrive(mock, requests, expected):
    assert [page(mock, SESSIONS, offset)[1] for offset in requests] == [None] * len(requests)
    assert [walk["faults"] for walk in walks(mock)] == [[]] * expected


def test_a_walk_that_stops_early_is_unfinished_which_is_not_a_fault(mock):
    run(mock, only_one_page, SESSIONS, "dense")
    (walk,) = walks(mock)
    assert (walk["complete"], walk["faults"]) == (False, [])
    assert walk["message"] == "Unfinished, which is not a fault: 200 of 600 sessions."


def test_each_account_and_each_query_has_its_own_walk(mock):
    page(mock, SESSIONS, 0, "dense")
    page(mock, SESSIONS, 0, "sparse")
    page(mock, SESSIONS | {"meta_type": "html_form"}, 0, "sparse")
    assert page(mock, SESSIONS, 1400, "sparse")[1] is None
    assert page(mock, SESSIONS, 200, "dense")[1] is None
    assert [(walk["domain"], len(walk["pages"])) for walk in walks(mock)] == [
        ("dense.example", 2),
        ("sparse.example", 2),
        ("sparse.example", 1),
    ]


def test_a_query_that_finds_nothing_is_a_walk_without_faults(mock):
    for offset in (0, 50, 100, 0):
        response = mock.post(json.dumps(SESSIONS | {"offset": offset, "meta_id": "nothing"}), "dense")
        assert "message" in response.json
        assert "Pagination-Warning" not in response.headers
    assert [walk["faults"] for walk in walks(mock)] == [[], []]


def test_a_refused_request_is_not_recorded(mock):
    mock.post('{"offset": -1}', "dense")
    mock.post("{}", None)
    mock.post("{}", "over-limit")
    assert walks(mock) == []


# Properties


RECENT_SESSIONS = {"source": "google.com"}  # in the default window, which ends now


def a_hub_of_50_days(path_factory) -> Hub:
    """Return a mock with 1,500 sessions in 50 days. Conversions are uneven, so that pages of the default window vary in length."""
    hub = Hub(path_factory.mktemp("walks-of-50-days") / "conversions.sqlite", MOCK="1")
    dice, sessions = Random(3), []
    for number in range(1500):
        at = f"2025-{7 + number // 750:02}-{1 + number % 750 // 30:02} {number % 24:02}:{dice.randrange(60):02}:00"
        many = dice.choice([0, 0, 0, 0, 0, 1, 2]) if number % 500 < 300 else 0
        sessions.append(
            a_session(started_at=at, referrer="https://www.google.com/", conversions=[a_conversion(timestamp=at)] * many)
        )
    hub.load(sessions)
    return hub


@pytest.fixture(scope="module")
def many_days(tmp_path_factory) -> Hub:
    return a_hub_of_50_days(tmp_path_factory)


def at(day: float) -> int:
    return int(1_754_006_400 + day * 86_400)  # from 2025-08-01


A_CORRECT_CLIENT = st.one_of(
    st.tuples(st.just(RECENT_SESSIONS), st.sampled_from([until_has_more_is_false(records_processed), only_one_page])),
    st.tuples(st.just({}), st.sampled_from([client for client, queries in CORRECT.values() if CONVERSIONS in queries])),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clients=st.lists(A_CORRECT_CLIENT, min_size=1, max_size=4), random=st.randoms(use_true_random=False), moves=st.booleans())
def test_correct_clients_in_parallel_with_retries_and_a_moving_window_get_no_warning_and_no_fault(
    many_days, clients, random, moves
):
    many_days.client.delete("/_mock/walks")
    clock, day = many_days.app.extensions["clock"], 20.0
    clock.instant = at(day)
    running = []
    for query, client in clients:
        requests = client()
        running.append((query, requests, next(requests)))
    while running:
        query, requests, offset = running.pop(random.randrange(len(running)))
        for _ in range(random.choice([1, 1, 1, 2])):
            response, warning = page(many_days, query, offset, "key")
            assert warning is None
            if moves and random.random() < 0.3:
                day += random.choice([0.01, 0.2, 1.0])
                clock.instant = at(day)
        with suppress(StopIteration):
            running.append((query, requests, requests.send(response)))
    assert [walk["faults"] for walk in walks(many_days)] == [[]] * len(walks(many_days))


def test_of_two_clients_that_stop_at_an_empty_page_one_may_send_its_last_request_again(mock):
    """The retry must not count as the other client's last request, which would then be one too many."""
    account = mock.client.post("/_mock/accounts", json={"sessions": [a_session(conversions=[a_conversion()] * 40)]}).json
    for offset in (0, 0, 40, 40, 50):
        assert page(mock, CONVERSIONS, offset, account["key"])[1] is None
    assert [(walk["complete"], walk["faults"]) for walk in walks(mock)] == [(True, [])] * 2


HABITS = {
    "add 50": lambda page: page[0] + 50,
    "add 1 to records_processed": lambda page: page[1] + 1,
    "add the number of records": lambda page: page[0] + page[2],
    "add records_processed": lambda page: page[0] + page[1],
    "step by 200": lambda page: page[0] + 200,
}
A_HABIT = st.sampled_from([[50, 150, 350, 750], [200, 400, 600, 800], [200, 400, 900], [50, 150], [50, 150, 350, 100]])


@settings(max_examples=60, deadline=None)
@given(
    query=st.sampled_from([RECENT_SESSIONS, {}]),
    steps=st.one_of(st.lists(st.one_of(st.integers(1, 900), st.integers(1, 18).map(lambda n: n * 50)), max_size=12), A_HABIT),
)
def test_the_faults_of_a_client_match_a_count_of_each_position(many_days, query, steps):
    many_days.client.delete("/_mock/walks")
    many_days.app.extensions["clock"].instant = at(20)
    pages, habits, leaps, past = [], set(HABITS), 0, set()
    for offset in [0, *steps]:
        response, warning = page(many_days, query, offset, "key")
        processed, total = response["pagination"]["records_processed"], response["pagination"]["total_records"]
        before = positions([(start, end) for start, end, _ in pages])
        reached = max([max(end, min(start, total)) for start, end, _ in pages], default=0)
        if pages and offset != pages[-1][0]:
            habits = {habit for habit in habits if HABITS[habit](pages[-1]) == offset}
        leaps += offset > reached < total and bool(pages)
        past |= {offset} & set(range(max(total, 1), offset + 1))
        repeats = (offset, processed) not in {(start, end) for start, end, _ in pages} and any(
            position in before for position in range(offset, processed)
        )
        is_certain = query == RECENT_SESSIONS or (leaps >= 2 and habits == {"add records_processed"})
        assert bool(warning) == bool(repeats or (is_certain and pages and offset > reached < total))
        pages.append((offset, processed, len(response["records"])))
    (walk,) = walks(many_days)
    counted = positions([(start, end) for start, end, _ in pages])
    reached = max(max(processed, min(offset, total)) for offset, processed, _ in pages)
    missing = {position for position in range(reached) if position not in counted}
    is_certain = query == RECENT_SESSIONS or (habits and (leaps >= 2 or (leaps and past)))
    assert spread(walk["repeats"]) == {position for position, times in counted.items() if times > 1}
    assert spread(walk["gaps"]) == (missing if is_certain else set())
    assert walk["complete"] == all(position in counted for position in range(total))
    assert set(walk["faults"]) - {"past_the_end"} == {fault for fault in ("repeats", "gaps") if walk[fault]}


def positions(pages: list[tuple[int, int]]) -> Counter:
    """Count how many different requests cover each position."""
    return Counter(position for offset, processed in set(pages) for position in range(offset, processed))


def spread(ranges: list[list[int]]) -> set[int]:
    return {position for start, end in ranges for position in range(start, end)}


# The data changes during a walk


def test_replacing_the_data_during_a_walk_causes_no_fault(tmp_path):
    hub = a_hub_with(tmp_path, 500)
    page(hub, SESSIONS, 0, "key")
    page(hub, SESSIONS, 200, "key")
    load(hub, 450, "--replace")
    for offset in (400, 200, 400):
        assert page(hub, SESSIONS, offset, "key")[1] is None
    assert all(walk["faults"] == [] for walk in walks(hub))


def a_hub_with(folder, sessions: int) -> Hub:
    hub = Hub(folder / "conversions.sqlite", MOCK="1")
    load(hub, sessions)
    return hub


def load(hub: Hub, sessions: int, *options: str) -> None:
    a_visit = {"ended_at": "2025-08-01 23:00:00", "referrer": "https://www.google.com/"}
    starts = [f"2025-08-01 {number // 60:02}:{number % 60:02}:00" for number in range(sessions)]
    converting = [a_conversion(timestamp="2025-08-01 20:00:00")]
    hub.load([a_session(started_at=start, conversions=converting, **a_visit) for start in starts], "example.com", "key", *options)


# How many walks are kept


def test_the_last_200_walks_are_kept_and_the_last_2000_pages_of_each(mock):
    page(mock, {"meta_id": "the first"} | CONVERSIONS, 0, "sparse")
    for _ in range(200):
        page(mock, CONVERSIONS, 0, "sparse")
    found = walks(mock)
    assert len(found) == 200
    assert all("meta_id" not in walk["query"] for walk in found)
    for _ in range(2001):
        page(mock, {"meta_type": "html_form"} | CONVERSIONS, 50, "sparse")
    assert len(walks(mock)[-1]["pages"]) == 2000


def test_a_walk_that_goes_on_is_kept_however_many_others_begin(mock):
    visit = a_session(referrer="https://www.google.com/", conversions=[a_conversion()])
    key = mock.client.post("/_mock/accounts", json={"sessions": [visit] * 1200}).json["key"]
    for offset in range(0, 1200, 200):
        assert page(mock, SESSIONS, offset, key)[1] is None
        for _ in range(70):
            page(mock, SESSIONS, 0, key)
    assert len(walks(mock)) == 200


@pytest.mark.parametrize("clear", [lambda client: client.delete("/_mock/walks"), lambda client: client.post("/_mock/reset")])
def test_walks_are_cleared_by_delete_and_by_a_reset(mock, clear):
    page(mock, CONVERSIONS, 0)
    assert clear(mock.client).status_code in (200, 204)
    assert walks(mock) == []


@pytest.mark.decision(56)
def test_a_server_with_several_processes_records_no_walks_and_says_so(server):
    several = {"environ_overrides": {"wsgi.multiprocess": True}}
    server.client.delete("/_mock/walks")
    for offset in (0, 50):
        response = server.post(json.dumps(SESSIONS | {"offset": offset}), "dense", **several)
        assert "Pagination-Warning" not in response.headers
    response = server.client.get("/_mock/walks", **several)
    assert response.status_code == 409
    assert "several processes" in response.json["error"]
    assert walks(server) == []


def test_without_mock_mode_no_walk_is_recorded_and_no_warning_is_sent(bundled):
    for offset in (0, 50):
        response = bundled.post(json.dumps(SESSIONS | {"offset": offset}), "dense")
        assert "Pagination-Warning" not in response.headers
    assert bundled.client.get("/_mock/walks").status_code == 404
    assert "walks" not in bundled.app.extensions


# flask exec --check-paging

A_CLIENT = """
import json, os, sys, urllib.request
offset, step, status = 0, sys.argv[1], int(sys.argv[2])
while True:
    body = json.dumps({"start_date": "2020-01-01", "source": "google.com", "offset": offset}).encode()
    headers = {"Authentication": "dense", "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["CONVERSIONS_BASE_URL"] + "/api/v1/conversions", body, headers)
    pagination = json.load(urllib.request.urlopen(request))["pagination"]
    if not pagination["has_more"]:
        sys.exit(status)
    offset = offset + 50 if step == "50" else pagination["records_processed"]
"""


@pytest.mark.decision(57)
@pytest.mark.parametrize(
    ("step", "status", "expected", "verdict"),
    [
        ("records_processed", 0, 0, "✓ dense.example {"),
        ("records_processed", 7, 7, "3 pages: All 600 sessions."),
        ("50", 0, 1, "✗ dense.example {"),
        ("50", 7, 1, "offset 50 was requested, but the previous page ended at 200: the client seems to add 50."),
    ],
)
def test_exec_with_check_paging_prints_the_verdicts_and_exits_with_1_if_a_walk_has_a_fault(step, status, expected, verdict):
    command = flask("exec", "--check-paging", "--", sys.executable, "-c", A_CLIENT, step, str(status))
    done = subprocess.run(**command, capture_output=True)
    assert done.returncode == expected, done.stderr
    assert verdict in done.stdout


def test_the_check_of_the_readme_runs_in_the_folder_of_another_project(tmp_path):
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (options,) = re.findall(r"^conversions (.+ --) npm test$", readme, re.MULTILINE)
    (tmp_path / "project" / "app").mkdir(parents=True)  # many projects have a folder of that name
    command = [sys.executable, "-m", "conversions_api", *options.split(), sys.executable, "-c", A_CLIENT, "records_processed", "0"]
    done = subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "3 pages: All 600 sessions." in done.stdout


def exec_(options: list[str], code: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run flask exec with a client whose code has an ask(body, key) that returns the JSON of the response, or its status."""
    command = flask("exec", *options, "--", sys.executable, "-c", AN_ASKING_CLIENT + code, *arguments)
    return subprocess.run(**command, capture_output=True)


AN_ASKING_CLIENT = """
import json, os, urllib.error, urllib.request
def send(path, body, key=""):
    headers = {"Authentication": key, "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["CONVERSIONS_BASE_URL"] + path, json.dumps(body).encode(), headers)
    try:
        return json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as error:
        return error.code
def ask(body, key="dense"):
    return send("/api/v1/conversions", {"start_date": "2020-01-01", **body}, key)
def google(year, offset=0):
    return {"start_date": f"{year}-01-01", "source": "google.com", "offset": offset}
def walk(query, offset=0):
    while offset is not None:
        pagination = ask({**query, "offset": offset})["pagination"]
        offset = pagination["records_processed"] if pagination["has_more"] else None
"""


def of_google(year: int) -> dict:
    """Return a query; another year makes it another one."""
    return {"start_date": f"{year}-01-01", "source": "google.com"}


@pytest.mark.parametrize(
    ("option", "status", "code", "said"),
    [
        ("--check-paging", 0, "", ""),
        ("--complete", 1, "ask({}, 'unknown')", " The last one got 401: The key in the header Authentication is unknown."),
    ],
)
def test_exec_says_so_if_no_request_got_a_page_and_only_complete_fails_then(option, status, code, said):
    done = exec_([option], code)
    assert done.returncode == status, done.stderr
    assert done.stdout.startswith("No request of COMMAND got a page." + (said or "\n"))


def test_exec_judges_everything_that_happened_while_the_command_ran():
    """A fault was logged, but exec passed once a reset had cleared its walk, or 200 others had pushed it out."""
    code = """
def add_50(year): ask(google(year)); ask(google(year, 50))
add_50(2020); send("/_mock/reset", {})
add_50(2021); send("/_mock/states", {"state": "an exhausted limit"})
add_50(2022)
for number in range(201): ask({"meta_id": str(number)}, "empty")
"""
    done = exec_(["--check-paging"], code)
    assert done.returncode == 1, done.stderr
    wrong = [line for line in done.stdout.splitlines() if "the client seems to add 50" in line]
    assert [line[: len("✗ dense.example {'start_date': '2020")] for line in wrong] == [
        f'✗ dense.example {{"start_date": "{year}' for year in (2020, 2021, 2022)
    ]
    assert len(done.stdout.splitlines()) == 204


@pytest.mark.decision(74)
def test_exec_with_complete_fails_for_a_client_that_stops_early_or_starts_late():
    code = """
ask(google(2020))
ask(google(2021)); ask(google(2021, 200))
walk(google(2022), 200)
ask(google(2023)); walk({"start_date": "2023-01-01"}, 200)
"""
    ended, guess = (
        "Begins at offset 200, not at 0, where a page of {} ended",
        ": the client seems to send its filters only with the ",
    )
    expected = [
        (2020, "Unfinished: 200 of 600 sessions."),
        (2021, "Unfinished: 400 of 600 sessions."),
        (2022, ended.format(json.dumps(of_google(2021))) + "."),
        (2023, "Unfinished: 200 of 600 sessions."),
        (2023, ended.format(json.dumps(of_google(2023))) + guess + "first page."),
    ]
    assert exec_(["--check-paging"], code).returncode == 0
    done = exec_(["--complete"], code)
    assert done.returncode == 1
    for line, (year, said) in zip(done.stdout.splitlines(), expected, strict=True):
        assert line.startswith(f'✗ dense.example {{"start_date": "{year}-01-01"')
        assert line.endswith(said)


def test_exec_with_complete_passes_clients_that_fetch_everything():
    code = """
walk(google(2020)); walk({}); ask({"meta_id": "nothing"})
ask(google(2021)); walk(google(2021)) # the first request again
ask(google(2022)); ask(google(2022, 200)); walk(google(2022), 200) # a later request again
ask(google(2023)); send("/_mock/reset", {}); walk(google(2023), 200) # a reset in between
for count, offsets in (450, [0]), (401, [200, 400]): # the data has changed
    send("/_mock/states", {"state": "a number of sessions", "params": {"count": count}})
    for offset in offsets: ask(google(2024, offset), "state")
"""
    done = exec_(["--complete"], code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 3 + 2 + 1 + 2 + 2


def test_exec_adds_faults_and_their_responses_take_part_in_no_walk():
    faults = ["--fault", "code=503 after=1 times=2 key=dense", "--fault", "code=429 retry_after=7"]
    code = """
print(ask(google(2020), "empty"), type(ask(google(2020))), ask(google(2020, 200)), ask(google(2020, 200)))
walk(google(2020), 200)
"""
    done = exec_(["--complete", *faults], code)
    assert done.stdout.startswith("429 <class 'dict'> 503 503\n"), done.stdout + done.stderr
    assert (done.returncode, done.stdout.count("3 pages: All 600 sessions.")) == (0, 1), done.stdout


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [("code=404 times=x", "times: Must be an integer from 0 to"), ("key=nobody", "key: Is unknown to this server.")],
)
def test_a_wrong_fault_is_an_error_before_the_command_runs(fault, sentence):
    done = exec_(["--fault", fault], "print('ran')")
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr


def test_exec_says_which_fault_never_happened():
    done = exec_(["--fault", "code=503 after=50", "--fault", "code=503 times=1"], "print(ask(google(2020)))")
    assert (done.returncode, done.stdout) == (0, "503\nThis fault never happened: code=503 after=50.\n")


def test_exec_refuses_an_option_that_it_does_not_have():
    done = exec_(["--check-pagin"], "print('ran')")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such option" in done.stderr


def test_exec_can_serve_on_a_given_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "in use" in exec_(["--port", port], "print('ran')").stderr
    done = exec_(["--port", port], "print(os.environ['CONVERSIONS_BASE_URL'])")
    assert done.stdout == f"http://127.0.0.1:{port}\n", done.stderr


# Many tests in parallel


def test_sixteen_clients_at_once_each_have_their_own_walk(server):
    import threading
    from urllib.request import Request, urlopen

    server.client.delete("/_mock/walks")
    with SERVERS["flask run"](server) as (host, port):
        base, verdicts = f"http://{host}:{port}", {}

        def ask(path: str, body: dict | None = None, key: str = "", method: str = "POST"):
            sent = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json", "Authentication": key}
            with urlopen(Request(base + path, sent, headers, method=method)) as response:
                return json.loads(response.read() or "null")

        def one_test(number: int) -> None:
            record = a_conversion(timestamp="2025-08-01 10:00:00", conversion_page="https://shop.example/thanks")
            account = ask("/_mock/accounts", {"sessions": [record] * (60 + number)})
            for offset in (0, 50) if number % 2 else (0, 20):
                ask("/api/v1/conversions", {"offset": offset}, account["key"])
            mine = [walk for walk in ask("/_mock/walks", method="GET")["walks"] if walk["domain"] == account["domain"]]
            verdicts[number] = [(walk["total_records"], walk["faults"]) for walk in mine]
            ask(f"/_mock/accounts/{account['key']}", method="DELETE")

        tests = [threading.Thread(target=one_test, args=[number]) for number in range(16)]
        for test in tests:
            test.start()
        for test in tests:
            test.join()
    assert verdicts == {number: [(60 + number, [] if number % 2 else ["repeats"])] for number in range(16)}
