"""OpenAPI tools accept our document, and the code that they generate works. openapi_tools/ pins their versions.

Without node, npm, java or access to npm and PyPI, the tests are skipped; in CI that is a failure.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conversions_api import api
from conversions_api.openapi.document import EXAMPLES, document

from .conftest import REPOSITORY, serving
from .third_party import needs, packages

pytestmark = needs("node", "npm", "java")

OURS = Path(__file__).parent / "openapi_tools"
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGE = (REPOSITORY / "app" / "openapi" / "README.md").read_text(encoding="utf-8")
README_QUERY = re.search(r"-d '(\{.*\})'\n", README)[1]
JAVA = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}  # so that a program of seconds is compiled in half the time
SUMMER = {"start_date": "2025-07-01", "end_date": "2025-08-15"}


def run(*command: str | Path, cwd: Path, stdin: str = "", **environment: str) -> str:
    """Run a command that must exit with status 0, and return its standard output."""
    done = subprocess.run(
        command, cwd=cwd, input=stdin, env=os.environ | JAVA | environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def tools() -> Path:
    """Return the folder with the installed tools, in node_modules/.bin and python/bin."""
    return packages(OURS)


@pytest.fixture(scope="session")
def address(bundled) -> Iterator[str]:
    """Start a mock server with the bundled data, and return its base URL."""
    with serving(bundled, MOCK="1") as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(scope="session")
def workplace(address, tmp_path_factory) -> Path:
    """Return a folder with the document of the running server."""
    folder = tmp_path_factory.mktemp("openapi")
    with urllib.request.urlopen(f"{address}/openapi.json") as response:
        (folder / "openapi.json").write_bytes(response.read())
    for name in ("dredd.cjs", "spectral.yaml"):
        shutil.copy(OURS / name, folder)
    return folder


@pytest.fixture(scope="session")
def generated(tools, tmp_path_factory) -> Path:
    """Return a folder with our programs, in which the documented commands have generated types, models and a client."""
    folder = tmp_path_factory.mktemp("generated")
    shutil.copytree(OURS, folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "node_modules").symlink_to(tools / "node_modules")
    (block,) = re.findall(r"```\n(conversions openapi .*?)```", PAGE, re.DOTALL)
    conversions = f"'{sys.executable}' -m conversions_api"
    path = f"{tools / 'python' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    run("bash", "-ec", block.replace("conversions openapi", f"{conversions} openapi"), cwd=folder, PATH=path)
    return folder


@pytest.fixture
def npx(tools, workplace):
    """Return a function that runs a program from npm in the workplace, and returns what it prints."""

    def run_program(name: str, *arguments: str | Path, **environment: str) -> str:
        return run(tools / "node_modules" / ".bin" / name, *arguments, cwd=workplace, **environment)

    return run_program


def walked(bundled) -> list[dict]:
    """Return how many pages and records the programs pages.ts and pages.py must find."""
    walks = [
        list(bundled.walk(query, "YOUR_API_KEY")) for query in (json.loads(README_QUERY), SUMMER, SUMMER | {"source": "google.com"})
    ]
    assert [len(pages) > 1 for pages in walks] == [False, True, True]
    return [{"pages": len(pages), "records": sum(len(page["records"]) for page in pages)} for pages in walks]


# Validators and linters


def test_openapi_spec_validator_accepts_the_document(tools, workplace):
    """The document is valid according to the schema of OpenAPI 3.1."""
    run(tools / "python" / "bin" / "openapi-spec-validator", "openapi.json", cwd=workplace)


def test_redocly_finds_no_error(npx):
    """Servers, security and status codes are there, and examples match their schemas."""
    npx("redocly", "lint", "openapi.json", REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true")


def test_spectral_finds_no_warning(npx):
    """Tags, descriptions and contact are there, examples match their schemas, and nothing is unused."""
    npx("spectral", "lint", "openapi.json", "--ruleset", "spectral.yaml", "--fail-severity", "warn")


# Types and clients


def test_a_strict_client_with_openapi_typescripts_types_walks_all_pages(tools, generated, address, bundled):
    """No optional property is required, the two kinds of 200 can be distinguished, and a client finds every record."""
    imported = 'import type { components } from "./conversions.js";'
    declared = 'export const readmeQuery: components["schemas"]["ConversionsQuery"]'
    (generated / "readme.ts").write_text(f"{imported}\n{declared} = {README_QUERY};\n", encoding="utf-8")
    run(tools / "node_modules" / ".bin" / "tsc", cwd=generated)
    assert json.loads(run("node", "pages.js", address, cwd=generated)) == walked(bundled)


def test_openapi_generators_python_client_walks_all_pages(tools, generated, address, bundled):
    """The operation, its body and the union of responses have usable names; no optional property is sent."""
    python = tools / "python" / "bin" / "python"
    done = run(python, "pages.py", address, README_QUERY, cwd=generated, PYTHONPATH=str(generated / "conversions-client"))
    assert json.loads(done) == walked(bundled)


def test_openapi_generator_finds_nothing_to_recommend(tools, workplace):
    """It checks what its templates need, such as links whose request body is a string."""
    generator = tools / "python" / "bin" / "openapi-generator-cli"
    assert "No validation issues detected." in run(generator, "validate", "-i", "openapi.json", "--recommend", cwd=workplace)


@pytest.mark.parametrize(
    ("language", "file", "expected"),
    [
        ("typescript-fetch", "apis/ConversionsApi.ts", "async listConversions("),
        ("java", "src/main/java/org/openapitools/client/model/ConversionsQuery.java", "private Long offset;"),
        ("go", "model_conversions_query.go", "Offset *int64"),
    ],
)
def test_openapi_generator_generates_a_client(tools, workplace, language, file, expected):
    """Offsets have 64 bits and are optional, and every schema has a name."""
    generator = tools / "python" / "bin" / "openapi-generator-cli"
    run(generator, "generate", "-i", "openapi.json", "-g", language, "-o", language, cwd=workplace)
    assert expected in (workplace / language / file).read_text(encoding="utf-8")
    assert not [file for file in (workplace / language).rglob("*") if re.search("200Response|OneOf|Inline", file.name)]


def test_datamodel_code_generators_models_parse_every_response(tools, generated, bundled):
    """Every page and every error matches the document in every field."""
    bodies = [("ConversionsPage", page) for page in bundled.walk(SUMMER | {"source": "google.com"}, "YOUR_API_KEY")]
    bodies += [("ConversionsPage", page) for page in bundled.walk({"start_date": "2025-03-01"}, "published-sample")]
    for status, examples in EXAMPLES["responses"].items():
        schema = document()["paths"][api.PATH]["post"]["responses"][status]["content"]["application/json"]["schema"]
        bodies += [(schema["$ref"].rpartition("/")[2], example["value"]) for example in examples.values()]
    run(tools / "python" / "bin" / "python", "models.py", cwd=generated, stdin=json.dumps(bodies))


# Clients, mocks and test tools that send requests


def test_postman_and_newman_send_the_example(npx, workplace):
    """An imported collection has a base URL, a key to fill in and a body that returns a page."""
    npx(
        "openapi2postmanv2", "-s", "openapi.json", "-o", "collection.json", "-O", "parametersResolution=Example,folderStrategy=Tags"
    )
    sent = [
        "run",
        "collection.json",
        "--env-var",
        "apiKey=YOUR_API_KEY",
        "--reporters",
        "json",
        "--reporter-json-export",
        "sent.json",
    ]
    npx("newman", *sent)
    runs = json.loads((workplace / "sent.json").read_text(encoding="utf-8"))["run"]["executions"]
    assert [sent["response"]["code"] for sent in runs] == [200]


def test_dredd_passes_for_every_status(npx, address):
    """Each documented status has the documented headers and shape."""
    output = npx("dredd", "openapi.json", address, "--hookfiles", "dredd.cjs", "--loglevel", "error")
    assert "8 passing, 0 failing, 0 errors, 0 skipped" in output


@contextmanager
def prism(tools: Path, workplace: Path, *arguments: str) -> Iterator[str]:
    """Run Prism until the block ends, and return its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [tools / "node_modules" / ".bin" / "prism", *arguments, "--port", str(port)]
    process = subprocess.Popen(command, cwd=workplace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert any("is listening" in line for line in process.stdout)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def post(url: str, query: dict) -> tuple[int, dict]:
    headers = {"Authentication": "YOUR_API_KEY", "Content-Type": "application/json"}
    request = urllib.request.Request(url + api.PATH, json.dumps(query).encode(), headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_prism_as_a_proxy_finds_no_difference_between_the_document_and_the_server(tools, workplace, address, bundled):
    """With --errors, a request or response that does not match the document gets a status of 422 or 500."""
    with prism(tools, workplace, "proxy", "openapi.json", address, "--errors") as proxy:
        for example in EXAMPLES["requests"].values():
            assert post(proxy, example["value"]) == (200, bundled.ask(example["value"], "YOUR_API_KEY"))
        assert post(proxy, {"meta_id": "no-such-form"})[0] == 200
        assert post(proxy, {"start_date": "2025-02-30"})[0] == 400
        assert post(proxy, {"sorce": "google.com"})[0] == 422  # Prism does validate


def test_prism_as_a_mock_returns_the_last_page(tools, workplace):
    """A client that pages through a static mock stops."""
    first = next(iter(EXAMPLES["responses"]["200"].values()))["value"]
    with prism(tools, workplace, "mock", "openapi.json") as mock:
        assert post(mock, {"offset": 0}) == (200, first)
