"""The cases of cases.json: what two ways to ask have in common, what finds nothing, what is accepted and what is refused."""

import json
from pathlib import Path

import pytest

GROUPS = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
NOTHING_FOUND = {"message": "No conversions matched the given filters."}


def cases(*features: str) -> list:
    """Those that have all these features, as parameters."""
    return [
        pytest.param(
            case | {"text": group["text"]},
            id=f"{group['description']}: {case['description']}",
            marks=[pytest.mark.beyond_the_text] if group.get("beyond_the_text") else [],
        )
        for group in GROUPS
        for case in group["tests"]
        if case.keys() >= set(features)
    ]


def ask(api, case: dict):
    body = case["body"] if "body" in case else json.dumps(api.fill(case["query"])) if "query" in case else ""
    headers = {name: value.replace("$key", api.key) for name, value in case.get("headers", {}).items()}
    return api.send(body, case.get("method", "POST"), case.get("parameters", ""), **headers)


@pytest.mark.parametrize("case", cases("same_as"))
def test_two_ways_to_ask_have_one_answer(api, case):
    answer, other = ask(api, case), api.ask(api.fill(case["same_as"]))
    assert (answer.status, answer.json) == (other.status, other.json)
    assert answer.status == 200


@pytest.mark.parametrize("case", cases("nothing_found"))
def test_nothing_found_is_a_message_and_no_error(api, case):
    answer = ask(api, case)
    assert (answer.status, answer.json) == (200, NOTHING_FOUND)


@pytest.mark.parametrize("case", cases("status"))
def test_the_status_tells_what_was_accepted(api, case):
    assert ask(api, case).status == case["status"]


@pytest.mark.parametrize("case", [case for case in cases("status") if case.values[0]["status"] >= 400])
def test_an_error_is_json_with_a_sentence(api, case):
    answer = ask(api, case)
    assert answer.headers.get_content_type() == "application/json"
    assert isinstance(answer.json.get("error"), str)
    assert answer.json["error"].strip()


@pytest.mark.parametrize("case", cases("status", "field"))
def test_an_error_of_a_field_names_it(api, case):
    assert case["field"] in ask(api, case).json.get("fields", {})


@pytest.mark.parametrize(
    "headers",
    [{"Authentication": ""}, {"Authentication": "nobody-9f1c27"}],
    ids=["without a key", "with an unknown key"],
)
def test_nobody_reads_conversions_without_a_key(api, headers):
    """“Authentication: YOUR_API_KEY”"""
    answer = api.ask({}, **headers)
    assert answer.status >= 400
    assert b'"records"' not in answer.body


@pytest.mark.beyond_the_text
def test_another_method_is_told_the_one_that_is_taken(api):
    """“POST /api/v1/conversions”; beyond it: a 405 carries the header Allow."""
    assert "POST" in api.send(method="GET").headers.get("Allow", "")
