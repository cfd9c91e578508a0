"""The app behind Caddy, with the settings of .deploy/Caddyfile."""

import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from conversions_api.api import PATH
from conversions_api.body import LARGEST_BODY
from conversions_api.schemas import ApiError

from .conftest import REPOSITORY, Hub, a_conversion, a_session, free_port, serving, wait_for
from .third_party import needs

pytestmark = needs("caddy")

SETTINGS = (REPOSITORY / ".deploy" / "Caddyfile").read_text(encoding="utf-8")
NO_SERVER = ("127.0.0.1", 9)


@contextmanager
def caddy(folder: Path, behind: tuple[str, int]) -> Iterator[tuple[str, int]]:
    """Run Caddy with the documented settings, except for the port, TLS and the server behind it. Return its address."""
    with free_port() as address:
        settings = SETTINGS.replace("api.example.org {", f"http://api.example.org:{address[1]} {{\n    bind {address[0]}")
        settings = settings.replace("127.0.0.1:8080", "{}:{}".format(*behind))
        (folder / "Caddyfile").write_text(f"{{\n    admin off\n}}\n{settings}", encoding="utf-8")
        environment = {"HOME": str(folder), "PATH": "/usr/bin"}
        command = ["caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]
        with (folder / "caddy.log").open("w") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
            try:
                wait_for(server, address)
                yield address
            finally:
                server.terminate()


@pytest.fixture
def hub(hub) -> Hub:
    hub.load([a_session(conversions=[a_conversion()])])
    return hub


@pytest.fixture
def address(hub, tmp_path) -> Iterator[tuple[str, int]]:
    with serving(hub, PROXIES="1", RATE_LIMIT="1000 per hour") as behind, caddy(tmp_path, behind) as address:
        yield address


def ask(address: tuple[str, int], body="{}", path: str = PATH) -> tuple[int, http.client.HTTPMessage, dict]:
    with closing(http.client.HTTPConnection(*address, timeout=30)) as connection:
        connection.request(
            "POST" if path == PATH else "GET",
            path,
            body if path == PATH else None,
            {"Authentication": "key", "Content-Type": "application/json", "Host": f"api.example.org:{address[1]}"},
        )
        response = connection.getresponse()
        return response.status, response.headers, json.load(response)


@pytest.mark.parametrize(("size", "status"), [(2, 200), (LARGEST_BODY, 200), (LARGEST_BODY + 1, 413), (1_500_000, 413)])
def test_a_body_is_accepted_up_to_64_kib_and_any_larger_one_is_413_in_json(hub, address, size, status):
    got, headers, body = ask(address, b"{}".ljust(size))
    assert (got, headers["Content-Type"]) == (status, "application/json")
    assert body == hub.ask({}) if status == 200 else ApiError().validate(body) == {}


def test_behind_caddy_the_openapi_document_names_the_host_that_the_client_used(address):
    assert ask(address, path="/openapi.json")[2]["servers"] == [{"url": f"http://api.example.org:{address[1]}"}]


@pytest.mark.parametrize("size", [2, 1_500_000])
def test_a_chunked_body_which_caddy_passes_on_as_it_is_gets_a_400_in_json(address, size):
    status, headers, body = ask(address, iter([b"{}".ljust(size)]))
    assert (status, headers["Content-Type"], ApiError().validate(body)) == (400, "application/json", {})


def test_without_a_server_behind_it_caddy_returns_502_in_json(tmp_path):
    with caddy(tmp_path, NO_SERVER) as address:
        status, headers, body = ask(address)
    assert (status, headers["Content-Type"], ApiError().validate(body)) == (502, "application/json", {})
