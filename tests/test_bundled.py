"""The bundled data, decisions 29 and 31: each key shows what the README says, and a date has the same records forever."""

import hashlib
import json
from collections import Counter

import pytest

from tests.conftest import Hub, a_conversion, a_session
from tests.test_import import lines, tables

NOTHING_FOUND = {"message": "No conversions matched the given filters."}
ALL_TIME = {"start_date": "2025-01-01", "end_date": "2026-12-31"}
KEYS = ["YOUR_API_KEY", "published-sample", "dense", "sparse", "empty", "boundaries"]


def shape(pages: list[dict]) -> list[tuple]:
    """Return the number of records and the pagination of each page."""
    return [(len(page["records"]), *page["pagination"].values()) for page in pages]


def day(date: str) -> dict:
    return {"start_date": date, "end_date": date}


# YOUR_API_KEY


@pytest.mark.parametrize(
    "example",
    [
        '{\n "start_date": "2025-07-15",\n "end_date": "2025-07-30",\n}',
        '{\n "conversion_page" : "https://www.example.com/request-a-demo/",\n'
        ' "meta_id" : "request-a-demo-form",\n "meta_type" : "html_form"\n}',
    ],
    ids=["time window", "conversion point"],
)
def test_the_published_examples_pasted_verbatim_return_records(bundled, example):
    assert bundled.post(example, "YOUR_API_KEY").json["records"]


@pytest.mark.parametrize(
    "query",
    [
        {"offset": 50},
        {"start_date": "2025-07-01T23:59:59Z"},
        {"start_date": "2025-07-01"},
        {"end_date": "2025-07-31T23:59:59Z"},
        {"end_date": "2025-07-31"},
        {"conversion_page": "https://www.example.com/request-a-demo/"},
        {"meta_type": "html_form"},
        {"meta_id": "request-a-demo-form"},
        {"source": "google.com"},
        {"source": "facebook.com"},
        {"source": "example.com"},
        {"medium": "cpc"},
        {"medium": "organic"},
        {"campaign": "brand-search"},
        {"content": "headline-a"},
        {"term": "attribution software"},
        {"landing_page": "https://example.com/pricing"},
        {"landing_page": "https://store.example.com/products/xyz"},
    ],
    ids=lambda query: "{}={}".format(*next(iter(query.items()))),
)
def test_every_filter_has_values_that_return_records_including_the_published_values(bundled, query):
    assert bundled.ask(query, "YOUR_API_KEY")["records"]


@pytest.mark.parametrize("meta_type", ["hubspot_form", "html_form", "custom", "custom_event"])
def test_each_documented_type_occurs(bundled, meta_type):
    assert bundled.ask({"meta_type": meta_type}, "YOUR_API_KEY")["records"]


def test_the_default_window_has_at_least_200_conversions(bundled):
    assert bundled.ask({}, "YOUR_API_KEY")["pagination"]["total_records"] >= 200


def test_every_day_from_the_first_of_july_to_the_seed_date_has_conversions(bundled):
    days = Counter(record["timestamp"][:10] for record in bundled.everything(ALL_TIME, "YOUR_API_KEY"))
    july = {f"2025-07-{number:02}" for number in range(1, 32)}
    august = {f"2025-08-{number:02}" for number in range(1, 16)}
    assert set(days) == july | august


def test_a_published_day_has_the_same_first_record_forever(bundled):
    page = bundled.ask(day("2025-07-15"), "YOUR_API_KEY")
    assert page["pagination"]["total_records"] == 11
    assert page["records"][0] == {
        "email": "vera.abe@example.org",
        "timestamp": "2025-07-15 21:29:26",
        "conversion_page": "https://www.example.com/newsletter/",
        "previous_page": "https://www.example.com/",
        "conversion_meta": {"type": "hubspot_form", "id": "6f1c2f0e-5b0a-4f2e-9d3b-0c9a7e51d2aa"},
    }


# Published days never change, so neither do these digests, not even if the rules for sources and landing pages change.
PUBLISHED = {"start_date": "2025-07-01", "end_date": "2025-08-15"}
DIGESTS = {
    "YOUR_API_KEY": "848fa413c0bab3d70fc69acf2f19bcdbed028d571fa5a7db83d404a27816a38e",
    "published-sample": "98d8d1532f709cb8c02e379741c65258cd8b77cf13d1c27747c1561c50e94baf",
}


@pytest.mark.parametrize("key", DIGESTS)
def test_the_records_of_published_days_stay_the_same_forever(bundled, key):
    values = {
        "source": """
            google.com google.co.uk bing.com duckduckgo.com facebook.com linkedin.com live.com bbc.co.uk
            partner.example example.com (direct)
        """.split(),
        "medium": "(none) cpc email organic paid_social referral social".split(),
        "campaign": "brand-search demo-days newsletter older-than-the-sample".split(),
        "content": "headline-a headline-b top-button video".split(),
        "term": ["attribution software", "conversion tracking"],
        "landing_page": """
            https://www.example.com/ https://example.com/pricing https://store.example.com/products/xyz
            https://testdomain.com/ https://testdomain.com/pricing
        """.split(),
    }
    window = PUBLISHED if key == "YOUR_API_KEY" else {"start_date": "2025-03-01", "end_date": "2025-03-05"}
    pages = [list(bundled.walk(window, key))]
    pages += [list(bundled.walk(window | {name: value}, key)) for name in values for value in values[name]]
    assert hashlib.sha256(json.dumps(pages, sort_keys=True).encode()).hexdigest() == DIGESTS[key]


# published-sample


@pytest.mark.decision(29)
def test_the_published_sample_query_returns_the_published_pagination_and_two_records_first(bundled):
    query = {"source": "google.com", "start_date": "2025-03-01", "end_date": "2025-03-05"}
    page = bundled.ask(query, "published-sample")
    assert page["pagination"] == {"records_processed": 200, "total_records": 427, "has_more": True}
    assert page["records"][:2] == [
        {
            "email": "[email protected]",
            "timestamp": "2025-03-05 15:14:00",
            "conversion_page": "https://testdomain.com/thankyou",
            "previous_page": "https://testdomain.com/pricing",
            "conversion_meta": {"type": "html_form", "id": "lead-capture-form-1"},
        },
        {
            "email": "[email protected]",
            "timestamp": "2025-03-05 14:31:00",
            "conversion_page": "https://testdomain.com/purchase-complete",
            "previous_page": "https://testdomain.com/cart",
            "conversion_meta": {"type": "custom_event", "id": "purchase-complete"},
        },
    ]
    processed = [page["pagination"]["records_processed"] for page in bundled.walk(query, "published-sample")]
    assert processed == [200, 400, 427]


# dense, sparse, empty


def test_a_page_of_dense_has_far_more_than_50_records(bundled):
    pages = list(bundled.walk({"source": "google.com"}, "dense"))
    assert all(len(page["records"]) >= 500 for page in pages[:-1])
    assert len(pages) > 1


def test_a_page_of_sparse_takes_many_batches_and_the_last_batches_are_empty(bundled):
    first, *_ = bundled.walk({"source": "google.com"}, "sparse")
    assert first["pagination"]["records_processed"] >= 5 * 200
    pool = first["pagination"]["total_records"]
    last_batch = (pool - 1) // 200 * 200
    for offset in (last_batch - 200, last_batch):
        assert bundled.ask({"source": "google.com", "offset": offset}, "sparse") == {
            "records": [],
            "pagination": {"records_processed": pool, "total_records": pool, "has_more": False},
        }


@pytest.mark.parametrize("query", [{}, ALL_TIME, {"source": "google.com"}, {"meta_type": "html_form"}], ids=str)
def test_empty_returns_the_nothing_found_message_for_every_query(bundled, query):
    assert bundled.ask(query, "empty") == NOTHING_FOUND


# boundaries


@pytest.mark.parametrize(
    ("campaign", "pages"),
    [
        ("0-conversions", []),
        ("1-conversions", [(1, 1, 1, False)]),
        ("49-conversions", [(49, 49, 49, False)]),
        ("50-conversions", [(50, 50, 50, False)]),
        ("51-conversions", [(51, 51, 51, False)]),
        ("199-sessions", [(50, 199, 199, False)]),
        ("200-sessions", [(50, 200, 200, False)]),
        ("201-sessions", [(50, 200, 201, True), (1, 201, 201, False)]),
        ("400-sessions", [(50, 200, 400, True), (50, 400, 400, False)]),
        ("60-in-one-session", [(60, 1, 1, False)]),
        ("tied-timestamps", [(120, 120, 120, False)]),
        ("empty-last-batch", [(50, 200, 400, True), (0, 400, 400, False)]),
        ("across-midnight", [(14, 7, 7, False)]),
        ("no-email", [(10, 10, 10, False)]),
    ],
)
def test_each_boundary_campaign_returns_the_expected_pages(bundled, campaign, pages):
    """Pages are given as (records, records_processed, total_records, has_more)."""
    assert shape(list(bundled.walk({"campaign": campaign}, "boundaries"))) == pages


@pytest.mark.parametrize(
    ("campaign", "pages"),
    [
        ("0-conversions", []),
        ("1-conversions", [(1, 1, 1, False)]),
        ("49-conversions", [(49, 49, 49, False)]),
        ("50-conversions", [(50, 50, 50, False)]),
        ("51-conversions", [(50, 50, 51, True), (1, 51, 51, False)]),
        ("60-in-one-session", [(50, 50, 60, True), (10, 60, 60, False)]),
        ("tied-timestamps", [(50, 50, 120, True), (50, 100, 120, True), (20, 120, 120, False)]),
    ],
)
def test_each_boundary_meta_id_returns_the_expected_pages_of_a_direct_query(bundled, campaign, pages):
    assert shape(list(bundled.walk({"meta_id": campaign}, "boundaries"))) == pages


def test_all_conversions_of_tied_timestamps_have_the_same_timestamp(bundled):
    assert len({record["timestamp"] for record in bundled.everything({"campaign": "tied-timestamps"}, "boundaries")}) == 1


def test_no_record_of_no_email_has_an_email(bundled):
    assert {record["email"] for record in bundled.everything({"campaign": "no-email"}, "boundaries")} == {None}


def test_a_session_across_midnight_is_in_the_pool_of_both_days_but_each_conversion_is_in_one(bundled):
    records = bundled.everything({"campaign": "across-midnight"}, "boundaries")
    evening, morning = records[1]["timestamp"], records[0]["timestamp"]
    assert evening[:10] < morning[:10]
    a_day = bundled.ask({"campaign": "across-midnight"} | day(evening[:10]), "boundaries")
    assert evening in [record["timestamp"] for record in a_day["records"]]
    assert morning not in [record["timestamp"] for record in a_day["records"]]
    next_day = bundled.ask({"campaign": "across-midnight"} | day(morning[:10]), "boundaries")
    assert next_day["pagination"]["total_records"] == 1
    assert [record["timestamp"] for record in next_day["records"]] == [morning]


# Seeding


def seeded(path, *days: str) -> Hub:
    """Return a server whose bundled data was seeded up to each of these days in turn."""
    hub = Hub(path / f"{'-then-'.join(days)}.sqlite")
    for as_of in days:
        assert hub.run("seed", "--as-of", as_of).exit_code == 0
    return hub


@pytest.fixture(scope="module")
def at_once(tmp_path_factory) -> Hub:
    return seeded(tmp_path_factory.mktemp("at-once"), "2025-07-20")


def all_pages(hub: Hub) -> dict[str, list]:
    """Return all pages of a direct query and two session queries over all time, for each key."""
    return {
        f"{key} {name}": list(hub.walk(query, key))
        for key in KEYS
        for name, query in {
            "direct": ALL_TIME,
            "google": ALL_TIME | {"source": "google.com"},
            "all": ALL_TIME | {"medium": "(none)"},
        }.items()
    }


def test_a_date_has_the_same_records_whatever_the_seed_date(bundled, at_once):
    window = {"start_date": "2025-07-01", "end_date": "2025-07-20"}
    for session_filter in ({}, {"source": "google.com"}, {"medium": "(none)"}):
        later, earlier = (hub.everything(window | session_filter, "YOUR_API_KEY") for hub in (bundled, at_once))
        assert later == earlier
        assert earlier


def test_seeding_in_steps_gives_the_same_pages_as_seeding_at_once(at_once, tmp_path):
    assert all_pages(seeded(tmp_path, "2025-07-10", "2025-07-20")) == all_pages(at_once)


@pytest.mark.decision(31)
def test_seeding_back_to_an_earlier_day_gives_the_same_pages_as_seeding_to_that_day(at_once, tmp_path):
    assert all_pages(seeded(tmp_path, "2025-07-27", "2025-07-20")) == all_pages(at_once)


def test_seeding_to_a_day_before_the_first_one_and_back_gives_the_same_pages(at_once, tmp_path):
    assert all_pages(seeded(tmp_path, "2020-01-01", "2025-07-20")) == all_pages(at_once)


def test_seeding_again_changes_nothing(at_once):
    before = tables(at_once.path)
    assert at_once.run("seed", "--as-of", "2025-07-20").exit_code == 0
    assert tables(at_once.path) == before


def test_dense_sparse_and_boundaries_move_with_the_seed_date(bundled, tmp_path):
    hub = seeded(tmp_path, "2025-07-10")
    assert hub.ask({}, "dense") == hub.ask({}, "sparse") == hub.ask({}, "boundaries") == NOTHING_FOUND
    hub.run("seed")
    for query, key in [
        ({"source": "google.com"}, "dense"),
        ({"source": "google.com"}, "sparse"),
        ({}, "boundaries"),
        ({"campaign": "400-sessions"}, "boundaries"),
    ]:
        assert list(hub.walk(query, key)) == list(bundled.walk(query, key))


# Bundled and imported data side by side

MINE = a_session(conversions=[a_conversion(email="mine@example.org")])


def emails(hub: Hub, key: str) -> list[str]:
    return [record["email"] for record in hub.everything(ALL_TIME, key)]


def test_seeding_does_not_change_an_imported_account(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.load([MINE], "mine.example", "mine")
    for as_of in ("2025-07-10", "2025-07-05"):
        hub.run("seed", "--as-of", as_of)
        assert emails(hub, "mine") == ["mine@example.org"]
        assert hub.ask(day(as_of), "YOUR_API_KEY")["records"]


def test_an_import_into_a_bundled_account_fails_with_a_message_unless_replace_is_given(at_once):
    before = tables(at_once.path)
    outcome = at_once.run("import", "-", "--domain", "dense.example", "--key", "mine", stdin=lines(MINE))
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("Error: dense.example has bundled data")
    assert "--replace" in outcome.stderr
    assert tables(at_once.path) == before


def test_seeding_does_not_change_a_bundled_account_whose_data_an_import_has_replaced(tmp_path):
    hub = seeded(tmp_path, "2025-07-05")
    hub.load([MINE], "dense.example", "dense", "--replace")
    hub.load([MINE], "example.com", "mine", "--replace")
    for as_of in ("2025-07-10", "2025-07-02"):
        outcome = hub.run("seed", "--as-of", as_of)
        assert "dense.example" in outcome.stdout
        assert emails(hub, "dense") == emails(hub, "mine") == emails(hub, "YOUR_API_KEY") == ["mine@example.org"]
    hub.load([MINE | {"session_id": "another"}], "dense.example", "dense")
    assert len(emails(hub, "dense")) == 2
