"""The contract: the OpenAPI document says what the server does, and tools that read it accept the server at first try."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pact import Verifier

from app import api, openapi, schemas
from tests.conftest import Hub, serving

ROOT = Path(__file__).parent.parent
ASK = openapi.document()["paths"][api.PATH]["post"]
SCHEMAS = openapi.document()["components"]["schemas"]


def test_the_document_is_openapi_3_1_at_openapi_json(hub):
    answer = hub.client.get("/openapi.json")
    assert answer.json == json.loads(json.dumps(openapi.document()))
    assert answer.json["openapi"].startswith("3.1")
    assert answer.json["components"]["securitySchemes"] == {"key": {"type": "apiKey", "in": "header", "name": "Authentication"}}


def test_the_document_has_every_field_of_a_request_and_of_an_answer_described():
    assert set(SCHEMAS["Query"]["properties"]) == set(schemas.Query().fields)
    for name, schema in SCHEMAS.items():
        assert schema["additionalProperties"] is False, name
        for field, described in schema["properties"].items():
            assert described.get("description") or "$ref" in described, (name, field)


def test_the_document_has_both_answers_and_every_error():
    assert set(ASK["responses"]) == {"200", "400", "401", "405", "413", "415", "429", "503"}
    assert [
        answer["$ref"].rpartition("/")[2] for answer in ASK["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
    ] == [
        "ConversionsPage",
        "NothingFound",
    ]


@pytest.mark.parametrize("name", openapi.EXAMPLES)
def test_each_example_returns_records(bundled, name):
    assert bundled.ask(openapi.EXAMPLES[name]["value"], "YOUR_API_KEY")["records"]


def test_the_examples_show_every_field():
    assert {field for example in openapi.EXAMPLES.values() for field in example["value"]} == set(SCHEMAS["Query"]["properties"])


def test_the_docs_need_no_other_host_and_no_inline_script(hub):
    page = hub.client.get("/docs/").text
    for source in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert source.startswith("/")
        with hub.client.get(source) as asset:
            assert asset.status_code == 200
    assert re.findall(r"<script(?! src=)|<style|style=|https?://", page) == []


# Schemathesis, which makes requests up from the document alone


def schemathesis(hub: Hub, address: tuple[str, int], *options: str, key: str = "YOUR_API_KEY") -> subprocess.CompletedProcess:
    host, port = address
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "tests" / "contract" / "schemathesis.toml")]
    run = ["run", f"http://{host}:{port}/openapi.json", "--checks", "all", "--no-color", *options]
    environment = os.environ | {"CONVERSIONS_KEY": key, "PYTHONWARNINGS": "ignore"}
    return subprocess.run([*command, *run], cwd=hub.path.parent, env=environment, capture_output=True, text=True, check=False)


def test_schemathesis_finds_nothing(bundled):
    with serving(bundled, "--threads", "4") as address:
        done = schemathesis(bundled, address, "--phases", "examples,coverage,fuzzing,stateful")
    assert done.returncode == 0, done.stdout
    assert "1 covered" in done.stdout  # the link to the next page was walked


@pytest.mark.parametrize(
    ("fault", "found"),
    [("without_key_check", "ignored_auth|authentication"), ("without_allow", "Allow")],
)
def test_schemathesis_finds_a_fault(bundled, fault, found):
    with serving(bundled, "--threads", "4", app=f"tests.broken:{fault}") as address:
        done = schemathesis(bundled, address, "--phases", "coverage")
    assert done.returncode != 0
    assert re.search(found, done.stdout), done.stdout


def test_schemathesis_does_not_pass_with_a_wrong_key(bundled):
    with serving(bundled, "--threads", "4") as address:
        done = schemathesis(bundled, address, "--phases", "examples,coverage", key="wrong")
    assert done.returncode != 0, done.stdout
    assert "Warnings fail the run" in done.stdout


# Pact, which replays what a consumer expects in the states that it expects it in


def verify_pact(address: tuple[str, int], contract_file: Path) -> None:
    url = f"http://{address[0]}:{address[1]}"
    verifier = Verifier("conversions", host=address[0]).add_transport(url=url).add_source(contract_file)
    verifier.state_handler(f"{url}/_mock/states", teardown=True, body=True).verify()


def test_pact_verifies_a_consumers_contract(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.run("seed")
    with serving(hub, MOCK="1") as address:
        verify_pact(address, ROOT / "tests" / "consumer.json")


def test_pact_finds_an_answer_that_a_consumer_does_not_expect(tmp_path):
    hub = Hub(tmp_path / "conversions.sqlite")
    hub.run("seed")
    wrong = (ROOT / "tests" / "consumer.json").read_text().replace('"records_processed": 427', '"records_processed": 426')
    (tmp_path / "wrong.json").write_text(wrong)
    with serving(hub, MOCK="1") as address, pytest.raises(RuntimeError):
        verify_pact(address, tmp_path / "wrong.json")
