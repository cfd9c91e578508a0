"""The cases of cases.json: requests that mean the same, that find nothing, and that a server accepts or refuses."""

import json
from pathlib import Path
from string import Template
from typing import Any

import pytest
from facts import facts_of
from verdict import check

GROUPS = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
NOTHING_FOUND = {"message": "No conversions matched the given filters."}


def cases(*features: str) -> list:
    """Return the cases that have all these features, as parameters."""
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


def fill(survey, value: Any) -> Any:
    """Replace names with a dollar sign by values of the server's data."""
    if isinstance(value, dict):
        return {name: fill(survey, inner) for name, inner in value.items()}
    return Template(value).substitute(facts_of(survey)) if isinstance(value, str) and "$" in value else value


def ask(api, survey, case: dict):
    body = case["body"] if "body" in case else json.dumps(fill(survey, case["query"])) if "query" in case else ""
    headers = {name: api.key if value == "$key" else value for name, value in case.get("headers", {}).items()}
    return api.send(body, case.get("method", "POST"), case.get("parameters", ""), **headers)


@pytest.mark.parametrize("case", cases("same_as"))
def test_two_requests_mean_the_same(api, survey, case):
    response, other = ask(api, survey, case), api.ask(fill(survey, case["same_as"]))
    check(response.is_success and other.is_success, f"their responses are {response} and {other}")
    check(response.json == other.json, f"their responses differ: {response} and {other}")


@pytest.mark.parametrize("case", cases("nothing_found"))
def test_nothing_found_is_a_message_and_not_an_error(api, survey, case):
    response = ask(api, survey, case)
    check(response.is_success and response.json == NOTHING_FOUND, f"the response is {response}")


@pytest.mark.parametrize("case", cases("status"))
def test_a_request_is_accepted_or_refused(api, survey, case):
    response = ask(api, survey, case)
    expected = case["status"]
    if expected == 200:
        check(response.is_success, f"the status is {response.status} instead of 200")
        return
    # Which status an error has is one of the readings.
    allowed = {400: (400, 422), 401: (401, 403)}.get(expected, (expected,))
    check(response.status in allowed, f"the status is {response.status} instead of {expected}")
    content_type = response.headers.get_content_type()
    check(content_type == "application/json", f"a {response.status} has the Content-Type {content_type}")
    body = response.json if isinstance(response.json, dict) else {}
    sentence = body.get("error") or body.get("message")
    check(isinstance(sentence, str) and sentence.strip(), f"a {response.status} says nothing in words: {response}")
    if "field" in case:
        check(case["field"] in (body.get("fields") or {}), f"“fields” does not name {case['field']}: {response}")


@pytest.mark.beyond_the_text
def test_a_405_names_the_method_that_is_allowed(api):
    """“POST /api/v1/conversions” Our reading: a 405 has the header Allow."""
    allow = api.send(method="GET").headers.get("Allow", "")
    check("POST" in allow, f"the header Allow of a GET is {allow!r}")


def test_every_field_of_every_response_had_its_type(api, survey):
    """“Each response includes a pagination object that helps you request additional pages of results efficiently.”"""
    found = {name: fault for name, fault in api.reader.wrong_types.items() if name not in survey.wrong_types_reported}
    check(not found, "; ".join(f"{name} was {fault}" for name, fault in found.items()))
