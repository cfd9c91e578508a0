"""The recipes of app/deployment.md, run as they are written, in an environment with nothing else in it."""

import configparser
import json
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import killpg
from pathlib import Path

import yaml
from conversions_api import api

from .conftest import REPOSITORY

RECIPES = (REPOSITORY / "app" / "deployment.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", RECIPES, re.DOTALL))
DOCKERFILE = dict(line.split(" ", 1) for line in BLOCKS["dockerfile"].splitlines())
IN_IMAGE = dict(pair.split("=", 1) for pair in shlex.split(DOCKERFILE["ENV"]))
PROGRAMS = Path(sys.executable).parent
BARE = {"PATH": f"{PROGRAMS}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


def in_container(folder: Path, port: int) -> dict[str, str]:
    """Return the environment that the Dockerfile sets, with a folder as /data, and another port."""
    return (
        BARE
        | IN_IMAGE
        | {"CONVERSIONS_DATABASE": IN_IMAGE["CONVERSIONS_DATABASE"].replace("/data", str(folder)), "PORT": str(port)}
    )


@contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    """Start a server on a free port and provide the port; at the end, SIGTERM must make it exit with status 0."""
    # In a session of its own, so that what it leaves behind can be ended too, as when a container stops.
    server = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield next(
            int(found[1]) for line in server.stderr if (found := re.search(r"Serving on http://[\d.]+:(\d+)$", line.strip()))
        )
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
    finally:
        with suppress(ProcessLookupError):  # nothing is left
            killpg(server.pid, signal.SIGKILL)
        server.wait()
        server.stderr.close()


def records(port: int) -> list[dict]:
    """Return a page of the demo data."""
    headers = {"Authentication": "YOUR_API_KEY", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{api.PATH}", b"{}", headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["records"]


def exit_status(command: str, environment: dict[str, str]) -> int:
    return subprocess.run(json.loads(command), env=environment, capture_output=True, check=False).returncode


def test_the_container_serves_the_demo_data_and_stops_on_sigterm(tmp_path):
    with started(json.loads(DOCKERFILE["CMD"]), in_container(tmp_path, port=0)) as port:
        assert len(records(port)) == 50
        health_check = DOCKERFILE["HEALTHCHECK"].removeprefix("CMD ")
        assert exit_status(health_check, in_container(tmp_path, port)) == 0
        (tmp_path / "conversions.sqlite").unlink()
        assert exit_status(health_check, in_container(tmp_path, port)) != 0
    assert exit_status(health_check, in_container(tmp_path, port)) != 0


def test_a_hosting_platform_starts_the_server_as_the_container_does():
    assert shlex.split(re.search(r"^sh -c '.*'$", RECIPES, re.MULTILINE)[0]) == json.loads(DOCKERFILE["CMD"])


def test_compose_publishes_the_port_and_keeps_the_folder_of_the_dockerfile():
    compose = yaml.safe_load(BLOCKS["yaml"])
    (service,) = compose["services"].values()
    (port,), (volume,) = service["ports"], service["volumes"]
    assert port.split(":")[1] == IN_IMAGE["PORT"]
    name, folder = volume.split(":")
    assert name in compose["volumes"]
    assert Path(IN_IMAGE["CONVERSIONS_DATABASE"]).parent == Path(folder)


def test_the_systemd_unit_seeds_and_serves_the_demo_data_and_stops_on_sigterm_also_when_restarted(tmp_path):
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(BLOCKS["ini"])
    here = {
        "/srv/conversions/.venv/bin": str(PROGRAMS),
        parser["Service"]["WorkingDirectory"]: str(REPOSITORY),
        f"/var/lib/{parser['Service']['StateDirectory']}": str(tmp_path),
        ":8080": ":0",
    }
    service = {name: re.sub("|".join(here), lambda found: here[found[0]], setting) for name, setting in parser["Service"].items()}
    environment = BARE | dict([service["Environment"].split("=", 1)])
    for _ in range(2):
        subprocess.run(shlex.split(service["ExecStartPre"]), cwd=REPOSITORY, env=environment, check=True, capture_output=True)
        with started(shlex.split(service["ExecStart"]), environment) as port:
            assert len(records(port)) == 50
    assert (tmp_path / "conversions.sqlite").exists()
