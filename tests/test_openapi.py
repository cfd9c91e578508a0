"""The OpenAPI document describes what the server does; Schemathesis and Pact compare the two."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conversions_api import api, schemas
from conversions_api.body import LARGEST_BODY
from conversions_api.openapi.document import EXAMPLES, document
from pact import Verifier

from tests.conftest import Hub, serving
from tests.tools import examples

ROOT = Path(__file__).parent.parent
DOCUMENT = document()
OPERATION = DOCUMENT["paths"][api.PATH]["post"]
SCHEMAS = DOCUMENT["components"]["schemas"]
REQUESTS = EXAMPLES["requests"]
RESPONSES = EXAMPLES["responses"]


def values_in(value) -> list:
    """Return the value and every value inside it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(found for each in inner for found in values_in(each))]


# The document


def test_the_document_is_openapi_3_1_at_openapi_json(hub):
    response = hub.client.get("/openapi.json")
    assert response.json == json.loads(json.dumps(document("http://localhost")))
    assert response.json["openapi"].startswith("3.1")
    assert response.json["components"]["securitySchemes"]["key"].items() >= {
        ("type", "apiKey"),
        ("in", "header"),
        ("name", "Authentication"),
    }


@pytest.mark.decision(60)
def test_the_document_names_the_server_that_the_request_was_sent_to(hub):
    for address in ("http://127.0.0.1:5000", "https://api.example.org"):
        found = hub.client.get("/openapi.json", base_url=address, headers={"X-Forwarded-Host": "evil.example"}).json
        assert found["servers"] == [{"url": address}]
    assert hub.client.get("/openapi.json", headers={"Host": "a b"}).json["servers"] == [{"url": "/"}]


def test_flask_openapi_prints_the_document_without_a_server(hub):
    assert json.loads(hub.run("openapi").stdout) == json.loads(json.dumps(document("http://127.0.0.1:5000")))
    outcome = hub.run("openapi", "--server", "https://api.example.org/")
    assert json.loads(outcome.stdout) == json.loads(json.dumps(document("https://api.example.org")))
    assert not hub.path.exists()


def test_the_document_describes_every_field_of_a_request_and_of_a_response():
    assert set(SCHEMAS["ConversionsQuery"]["properties"]) == set(schemas.Query().fields)
    for name, schema in SCHEMAS.items():
        assert ("oneOf" in schema) != (schema.get("additionalProperties") is False), name
        for field, described in schema.get("properties", {}).items():
            assert described.get("description") or "$ref" in described, (name, field)


def test_the_document_has_names_for_generated_clients():
    assert (OPERATION["operationId"], OPERATION["tags"]) == ("listConversions", ["Conversions"])
    content = [OPERATION["requestBody"], *OPERATION["responses"].values()]
    assert [part["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for part in content] == [
        *("ConversionsQuery", "ConversionsResponse", "BadRequest", "ApiError", "ApiError", "ApiError", "ApiError"),
        *("LimitExceeded", "ApiError"),
    ]
    assert SCHEMAS["ConversionsResponse"]["oneOf"] == [
        {"$ref": "#/components/schemas/ConversionsPage"},
        {"$ref": "#/components/schemas/Message"},
    ]


def test_the_document_avoids_what_generators_are_known_to_misread():
    parts = [part for part in values_in(DOCUMENT["components"]) if isinstance(part, dict)]
    # a property with a default becomes required; an enum of one value becomes a type; 2**63 - 1 does not fit into a double
    assert not [part for part in parts if {"default", "enum", "maximum"} & part.keys()]
    assert [part["format"] for part in parts if part.get("type") == "integer"] == ["int64"] * 5
    assert "requestBody" not in OPERATION["responses"]["200"]["links"]["next-page"]


def test_the_document_says_how_large_a_body_may_be():
    assert f"larger than {LARGEST_BODY} bytes" in OPERATION["responses"]["413"]["description"]


@pytest.mark.decision(58)
@pytest.mark.parametrize("field", ["start_date", "end_date"])
def test_the_document_describes_dates_in_words(field):
    described = SCHEMAS["ConversionsQuery"]["properties"][field]
    assert described.keys() == {"type", "description", "example"}
    words = ["YYYY-MM-DD", "ISO 8601", "UTC", "Default: now" if field == "end_date" else "Default: 30 days before end_date"]
    assert [word for word in words if word not in described["description"]] == []


def test_the_document_explains_prefer_and_has_no_parameter_for_it():
    # If it were a parameter, tools would send it.
    assert "Prefer: code=429" in OPERATION["description"]
    assert "parameters" not in OPERATION


# Examples


@pytest.mark.parametrize("name", REQUESTS)
def test_each_request_of_the_document_returns_records(bundled, name):
    assert bundled.ask(REQUESTS[name]["value"], "YOUR_API_KEY")["records"]


def test_the_requests_of_the_document_show_every_field():
    shown = {field for example in REQUESTS.values() for field in example["value"]}
    assert shown == set(SCHEMAS["ConversionsQuery"]["properties"])


@pytest.mark.decision(61)
def test_each_response_of_the_document_is_what_the_server_returns(bundled, hub):
    # If a sentence was changed on purpose: python -m tests.tools.examples
    assert examples.true_responses(bundled, empty=hub) == RESPONSES
    assert RESPONSES.keys() == OPERATION["responses"].keys()


def test_each_header_of_the_document_is_what_the_server_returns(bundled):
    for response in (bundled.client.get(api.PATH), bundled.post("{}", "over-limit")):
        documented = OPERATION["responses"][str(response.status_code)]["headers"]
        for name, header in documented.items():
            assert response.headers[name] == str(header["schema"]["example"])


def test_a_client_that_gets_the_first_example_for_every_request_stops():
    first = next(iter(RESPONSES["200"].values()))["value"]
    assert first["records"]
    assert first["pagination"]["has_more"] is False


def test_each_property_has_an_example_that_occurs_in_the_examples():
    shown = values_in([REQUESTS, RESPONSES])
    for name, schema in SCHEMAS.items():
        for field, described in schema.get("properties", {}).items():
            if "$ref" not in described and described["type"] != "array":
                assert described["example"] in shown, (name, field)


# Swagger UI


def test_the_docs_need_no_other_host_and_no_inline_script(hub):
    page = hub.client.get("/docs/").text
    for source in re.findall(r'(?:src|href)="([^"]+)"', page):
        if source.startswith("#"):  # a place on the page itself
            continue
        assert source.startswith("/")
        with hub.client.get(source) as asset:
            assert asset.status_code == 200
    assert re.findall(r"<script(?! src=)|<style|style=|https?://", page) == []


# Schemathesis, which generates requests from the document


def schemathesis(hub: Hub, address: tuple[str, int], *options: str, key: str = "YOUR_API_KEY") -> subprocess.CompletedProcess:
    host, port = address
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(ROOT / "tests" / "openapi_tools" / "schemathesis.toml"),
    ]
    run = ["run", f"http://{host}:{port}/openapi.json", "--checks", "all", "--no-color", *options]
    environment = os.environ | {"CONVERSIONS_KEY": key, "PYTHONWARNINGS": "ignore"}
    return subprocess.run([*command, *run], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_schemathesis_finds_no_fault(bundled):
    with serving(bundled) as address:
        done = schemathesis(bundled, address, "--phases", "examples,coverage,fuzzing,stateful")
    assert done.returncode == 0, done.stdout
    assert "1 covered" in done.stdout  # the link to the next page was followed


@pytest.mark.parametrize(
    ("fault", "found"),
    [("without_key_check", "ignored_auth|authentication"), ("without_allow", "Allow")],
)
def test_schemathesis_finds_a_fault(bundled, fault, found):
    with serving(bundled, app=f"tests.broken:{fault}") as address:
        done = schemathesis(bundled, address, "--phases", "coverage")
    assert done.returncode != 0
    assert re.search(found, done.stdout), done.stdout


def test_schemathesis_does_not_pass_with_a_wrong_key(bundled):
    with serving(bundled) as address:
        done = schemathesis(bundled, address, "--phases", "examples,coverage", key="wrong")
    assert done.returncode != 0, done.stdout
    assert "Warnings fail the run" in done.stdout


# Pact, which checks a consumer's expectations in the states that they need


def verify_pact(address: tuple[str, int], contract_file: Path) -> None:
    url = f"http://{address[0]}:{address[1]}"
    verifier = Verifier("conversions", host=address[0]).add_transport(url=url).add_source(contract_file)
    verifier.set_request_timeout(60_000)  # milliseconds
    verifier.state_handler(f"{url}/_mock/states", teardown=True, body=True).verify()


def test_pact_verifies_a_consumers_contract(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.run("seed")
    with serving(hub, MOCK="1") as address:
        verify_pact(address, ROOT / "tests" / "consumer.json")


def test_pact_finds_a_response_that_a_consumer_does_not_expect(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.run("seed")
    wrong = (ROOT / "tests" / "consumer.json").read_text().replace('"records_processed": 427', '"records_processed": 426')
    (tmp_path / "wrong.json").write_text(wrong)
    with serving(hub, MOCK="1") as address, pytest.raises(RuntimeError):
        verify_pact(address, tmp_path / "wrong.json")
