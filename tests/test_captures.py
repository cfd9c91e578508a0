"""Captured requests with their responses: imported, they answer the same queries again."""

import base64
import json

import pytest

from tests.conftest import Hub, a_conversion, a_session
from tests.test_forms import import_file

QUERY = {
    "source": "google.com",
    "medium": "organic",
    "campaign": "spring",
    "landing_page": "https://example.com/",
    "start_date": "2025-08-01",
}
OTHERS = {"meta_type": "custom", "start_date": "2025-08-01"}


@pytest.fixture
def real(tmp_path) -> Hub:
    """Provide a server with sessions from a search engine and others, whose responses are captured."""
    hub = Hub(tmp_path / "real.sqlite")
    meta = {"type": "custom", "id": "x"}
    google = a_session(
        referrer="https://www.google.com/",
        utm_campaign="spring",
        conversions=[a_conversion(conversion_meta=meta)] * 2 + [a_conversion()],
    )
    hub.load([*[google] * 40, *[a_session(conversions=[a_conversion(conversion_meta=meta)])] * 3])
    return hub


def pairs(hub: Hub, *queries: dict) -> list[dict]:
    return [{"request": query, "response": hub.ask(query)} for query in queries]


def pages(hub: Hub, query: dict) -> list[dict]:
    return [query | {"offset": offset} for offset in range(0, hub.ask(query)["pagination"]["total_records"], 50)]


def har(captured: list[dict], encode: bool) -> dict:
    """Return captured pairs as a browser saves them, with requests to other sites in between."""
    entries = [{"request": {"method": "GET", "url": "https://example.org/"}, "response": {"content": {"text": "<html>"}}}]
    for pair in captured:
        text = json.dumps(pair["response"])
        content = {"text": base64.b64encode(text.encode()).decode(), "encoding": "base64"} if encode else {"text": text}
        entries.append({"request": {"postData": {"text": json.dumps(pair["request"])}}, "response": {"content": content}})
    return {"log": {"version": "1.2", "entries": entries}}


FORMS = {
    "a pair on each line": lambda captured: "\n".join(map(json.dumps, captured)),
    "an array of pairs": json.dumps,
    "pairs with bodies": lambda captured: json.dumps(
        [{"request": {"body": json.dumps(p["request"])}, "response": {"status": 200, "body": p["response"]}} for p in captured]
    ),
    "a HAR file": lambda captured: json.dumps(har(captured, encode=False), indent=2),
    "a HAR file in base64": lambda captured: json.dumps(har(captured, encode=True)),
}


@pytest.mark.decision(67)
@pytest.mark.parametrize("form", FORMS)
def test_a_captured_session_query_gets_the_same_records_again(real, hub, form):
    import_file(hub, FORMS[form](pairs(real, QUERY)))
    assert hub.everything(QUERY) == real.everything(QUERY)
    assert len(hub.everything(QUERY)) == 120


def test_records_that_several_captured_queries_returned_are_imported_once(real, hub):
    direct = pages(real, OTHERS)
    assert len(direct) == 2
    captured = [*pairs(real, QUERY), *pairs(real, *direct), *pairs(real, direct[0])]
    import_file(hub, json.dumps(captured))
    for query in (QUERY, OTHERS, {}):
        assert sorted(map(json.dumps, hub.everything(query))) == sorted(map(json.dumps, real.everything(query)))


def test_a_capture_without_any_response_of_the_api_has_no_sessions(hub):
    outcome = hub.run("import", "-", "--domain", "example.com", stdin=json.dumps(har([], encode=False)))
    assert "The file has no sessions, and nothing was changed." in outcome.stderr
