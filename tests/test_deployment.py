"""The recipes of app/deployment.md and .deploy, run as they are written, in an environment with nothing else in it."""

import configparser
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import killpg
from pathlib import Path
from subprocess import DEVNULL

import yaml
from conversions_api import api

from .conftest import REPOSITORY, free_port, wait_for
from .third_party import needs

RECIPES = (REPOSITORY / "app" / "deployment.md").read_text(encoding="utf-8")
FILES = REPOSITORY / ".deploy"
DOCKERFILE = dict(
    line.split(" ", 1) for line in (FILES / "Dockerfile").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
)
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
def running(command: list[str], environment: dict[str, str], address: tuple[str, int]) -> Iterator[None]:
    """Start a server and wait until it accepts connections; at the end, SIGTERM must make it exit with status 0."""
    # In a session of its own, so that what it leaves behind can be ended too, as when a container stops.
    server = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
    try:
        wait_for(server, address)
        yield
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
    finally:
        with suppress(ProcessLookupError):  # nothing is left
            killpg(server.pid, signal.SIGKILL)
        server.wait()


def records(port: int) -> list[dict]:
    """Return a page of the demo data."""
    headers = {"Authentication": "YOUR_API_KEY", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{api.PATH}", b"{}", headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["records"]


def exit_status(command: str, environment: dict[str, str]) -> int:
    return subprocess.run(json.loads(command), env=environment, capture_output=True, check=False).returncode


def test_the_container_serves_the_demo_data_and_stops_on_sigterm(tmp_path):
    with free_port() as address:
        environment = in_container(tmp_path, address[1])
        health_check = DOCKERFILE["HEALTHCHECK"].removeprefix("CMD ")
        with running(json.loads(DOCKERFILE["CMD"]), environment, address):
            assert len(records(address[1])) == 50
            assert exit_status(health_check, environment) == 0
            (tmp_path / "conversions.sqlite").unlink()
            assert exit_status(health_check, environment) != 0
        assert exit_status(health_check, environment) != 0


def test_the_image_has_everything_that_the_wheel_is_built_from_and_no_data(tmp_path):
    lines = (FILES / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for name in [line[1:] for line in lines if line.startswith("!")]:
        source, copy = REPOSITORY / name, tmp_path / "src" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    program = f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "src", check=True, capture_output=True)
    with zipfile.ZipFile(*tmp_path.glob("*.whl")) as wheel:
        names = set(wheel.namelist())
    assert {"conversions_api/schema.sql", "conversions_api/seed/accounts.json", "conversions_api/api.py"} <= names
    assert [name for name in names if "instance" in name or name.endswith(".sqlite")] == []


def test_a_hosting_platform_starts_the_server_as_the_container_does():
    assert shlex.split(re.search(r"^sh -c '.*'$", RECIPES, re.MULTILINE)[0]) == json.loads(DOCKERFILE["CMD"])


def test_compose_publishes_the_port_and_keeps_the_folder_of_the_dockerfile():
    compose = yaml.safe_load((FILES / "compose.yaml").read_text(encoding="utf-8"))
    (service,) = compose["services"].values()
    (port,), (volume,) = service["ports"], service["volumes"]
    assert port.split(":")[1] == IN_IMAGE["PORT"]
    name, folder = volume.split(":")
    assert name in compose["volumes"]
    assert Path(IN_IMAGE["CONVERSIONS_DATABASE"]).parent == Path(folder)
    assert (FILES / service["build"]["context"] / service["build"]["dockerfile"]).samefile(FILES / "Dockerfile")


def without_spaces(folder: Path) -> Path:
    """Return another path of the folder with the programs. A command of a unit would end at a space in it."""
    environment = folder / "environment"
    environment.symlink_to(PROGRAMS.parent)
    return environment / PROGRAMS.name


def systemd_unit(folder: Path, port: int) -> dict[str, str]:
    """Return the settings of the service, with a folder as its state directory, and another port."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(FILES / "conversions.service", encoding="utf-8")
    here = {
        "/srv/conversions/.venv/bin": str(without_spaces(folder)),
        parser["Service"]["WorkingDirectory"]: str(REPOSITORY),
        f"/var/lib/{parser['Service']['StateDirectory']}": str(folder),
        "--port 8080": f"--port {port}",
    }
    return {name: re.sub("|".join(here), lambda found: here[found[0]], setting) for name, setting in parser["Service"].items()}


def test_the_systemd_unit_seeds_and_serves_the_demo_data_and_stops_on_sigterm_also_when_restarted(tmp_path):
    with free_port() as address:
        service = systemd_unit(tmp_path, address[1])
        environment = BARE | dict([service["Environment"].split("=", 1)])
        for _ in range(2):
            seeding = shlex.split(service["ExecStartPre"].removeprefix("-"))
            subprocess.run(seeding, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
            with running(shlex.split(service["ExecStart"]), environment, address):
                assert len(records(address[1])) == 50
    assert (tmp_path / "conversions.sqlite").exists()


@needs("systemd-analyze")
def test_the_systemd_unit_is_valid_and_its_exposure_is_low(tmp_path):
    text = (FILES / "conversions.service").read_text(encoding="utf-8")
    (tmp_path / "conversions.service").write_text(
        text.replace("/srv/conversions/.venv/bin", str(without_spaces(tmp_path))), encoding="utf-8"
    )
    verified = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "conversions.service"], capture_output=True, text=True, check=False
    )
    assert [line for line in verified.stderr.splitlines() if "conversions.service" in line] == []
    security = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", tmp_path / "conversions.service"]
    done = subprocess.run(security, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
