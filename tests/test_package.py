"""The package: what is in the wheel and the source distribution, the command conversions, the top level, and the code style."""

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What the package may bring into somebody's environment.
NAMES = {"conversions_api", "conversions_api_pytest", "attributionhub_conversions"}


@pytest.fixture
def bare(tmp_path) -> dict:
    """Return arguments for `subprocess.run`: an empty folder, an empty home, and no variable that is not necessary."""
    for name in ("home", "anywhere"):
        (tmp_path / name).mkdir()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), "LANG": "C.UTF-8"}
    return {"cwd": tmp_path / "anywhere", "env": environment, "text": True, "capture_output": True, "check": False}


def test_the_wheel_contains_the_code_the_schema_and_the_bundled_data(distributions):
    (wheel,) = distributions.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "conversions_api/schema.sql",
        "conversions_api/decisions.md",
        "conversions_api/explorer/templates/explorer.html",
        "conversions_api/explorer/static/explorer.js",
    } <= shipped
    assert {f"conversions_api/seed/{file.name}" for file in (ROOT / "seed").iterdir()} <= shipped
    modules = {f"conversions_api/{file.relative_to(ROOT / 'app').as_posix()}" for file in (ROOT / "app").rglob("*.py")}
    assert modules - shipped == {"conversions_api/pytest_plugin/entry_point/__init__.py"}  # which is conversions_api_pytest
    assert {name.partition("/")[0].partition("-")[0] for name in shipped} == NAMES


def test_the_tests_of_the_source_distribution_can_be_collected(distributions, installed, tmp_path):
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(tmp_path, filter="data")
    (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    for place in ("*.py", "*.sql", "*.md", "app/**/*.*", "seed/*", "tests/**/*.*", ".github/**/*.*"):
        for file in ROOT.glob(place):
            assert "__pycache__" in file.parts or (folder / file.relative_to(ROOT)).exists(), file
    command = [installed / "python", "-m", "pytest", "--collect-only", "--quiet", "--numprocesses=0", "tests/test_docs.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_with_folders_of_the_same_names_keeps_its_own(installed, bare):
    for name in ("app", "tests", "seed"):
        (bare["cwd"] / name).mkdir()
        (bare["cwd"] / name / "__init__.py").write_text("MINE = True\n", encoding="utf-8")
    program = "import app, tests, seed, conversions_api; print(app.MINE and tests.MINE and seed.MINE); conversions_api.create_app()"
    done = subprocess.run([installed / "python", "-c", program], **bare)
    assert (done.stdout, done.stderr) == ("True\n", "")


# The command

COMMANDS = {
    "conversions": lambda folder: [folder / "conversions"],
    "python -m conversions_api": lambda folder: [folder / "python", "-m", "conversions_api"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_command_says_its_version(installed, bare, command):
    done = subprocess.run([*command(installed), "--version"], **bare)
    assert re.fullmatch(r"conversions \d+\.\d+\.\d+\n", done.stdout), done.stderr


@contextmanager
def serving(*command: str | Path, **bare) -> Iterator[tuple[str, list[str]]]:
    """Start a server that prints its address, and yield the address and the lines up to it."""
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    server = subprocess.Popen(command, cwd=bare["cwd"], env=bare["env"] | {"PYTHONUNBUFFERED": "1"}, text=True, **pipe)
    try:
        lines = []
        for line in server.stdout:
            lines.append(line.rstrip())
            if found := re.search(r"Running on (http://\S+)", line):
                yield found[1], lines
                return
        pytest.fail("\n".join(lines))
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate()


@pytest.mark.decision(85)
@pytest.mark.parametrize(
    "command", ["conversions --port 0", "conversions run -p0", "python -m flask --app conversions_api run --port 0"]
)
def test_the_installed_server_runs_in_any_folder_and_prints_its_address_and_its_database(installed, bare, command):
    program, *arguments = command.split()
    with serving(installed / program, *arguments, **bare) as (address, lines):
        request = urllib.request.Request(
            f"{address}/api/v1/conversions",
            json.dumps({"source": "google.com"}).encode(),
            {"Authentication": "YOUR_API_KEY", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["records"]
    database = Path(bare["env"]["HOME"], ".local", "share", "conversions", "conversions.sqlite")
    assert f" * Database: {database}" in lines
    assert not [line for line in lines if ":0/" in line]
    assert database.is_file()
    assert not list(bare["cwd"].iterdir())


@pytest.mark.decision(85)
def test_every_folder_of_a_user_has_the_same_database(installed, bare, tmp_path):
    session = {"started_at": "2025-08-01T10:00:00Z", "landing_page": "https://shop.example/"}
    (bare["cwd"] / "data.jsonl").write_text(json.dumps(session), encoding="utf-8")
    done = subprocess.run([installed / "conversions", "import", "data.jsonl", "--domain", "shop.example"], **bare)
    assert done.returncode == 0, done.stderr
    accounts = [installed / "conversions", "accounts"]
    assert "shop.example" in subprocess.run(accounts, **bare | {"cwd": tmp_path}).stdout
    elsewhere = {"CONVERSIONS_DATABASE": str(tmp_path / "other.sqlite")}
    assert "shop.example" not in subprocess.run(accounts, **bare | {"env": bare["env"] | elsewhere}).stdout


@pytest.mark.decision(85)
def test_a_checkout_has_its_database_in_its_instance_folder():
    program = "from conversions_api import create_app; print(create_app().config['DATABASE'])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONVERSIONS_")}
    done = subprocess.run([sys.executable, "-c", program], cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == f"{ROOT / 'instance' / 'conversions.sqlite'}\n", done.stderr


@pytest.mark.parametrize("command", ["", "--help", "--port 0", "run", "accounts", "exec true", "unknown"])
def test_a_wrong_setting_is_a_sentence_for_every_command(installed, bare, command):
    done = subprocess.run(
        [installed / "conversions", *command.split()], **bare | {"env": bare["env"] | {"CONVERSIONS_MOCK": "yes"}}
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: The setting CONVERSIONS_MOCK is wrong: yes. Must be 1 or 0.\n"


def test_a_home_that_cannot_be_written_to_is_a_sentence(installed, bare):
    done = subprocess.run([installed / "conversions", "seed"], **bare | {"env": bare["env"] | {"HOME": "/dev/null"}})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert "/dev/null" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_of_another_flask_app_do_not_disturb_the_command(installed, bare):
    (bare["cwd"] / ".env").write_text("FLASK_APP=mine.py\n", encoding="utf-8")
    environment = bare["env"] | {"FLASK_APP": "mine.py", "FLASK_RUN_PORT": "none"}
    with serving(installed / "conversions", "--port", "0", **bare | {"env": environment}) as (_, lines):
        assert not [line for line in lines if ".env" in line]
    done = subprocess.run([installed / "conversions", "--help"], **bare | {"env": environment})
    assert re.findall(r"^  (?:run|exec|import) ", done.stdout, re.MULTILINE) == ["  exec ", "  import ", "  run "]


def test_exec_runs_a_command_of_another_project(installed, bare):
    tell = "import os; print(sorted(name for name in os.environ if name.startswith('CONVERSIONS_')))"
    done = subprocess.run([installed / "conversions", "exec", "--", sys.executable, "-c", tell], **bare)
    assert done.stdout == "['CONVERSIONS_BASE_URL', 'CONVERSIONS_KEY', 'CONVERSIONS_URL']\n", done.stderr
    assert not list(bare["cwd"].iterdir())


# The repository


def test_the_top_level_contains_only_the_agreed_files():
    agreed = {"README.md", "setup.cfg", "pyproject.toml", "schema.sql", "wsgi.py", "app", "seed", "tests"}
    generated = {"build", "instance", "attributionhub_conversions.egg-info", "__pycache__", "PKG-INFO"}
    assert {file.name for file in ROOT.iterdir() if not file.name.startswith(".")} - generated == agreed


def test_ruff_finds_nothing():
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *check, ROOT], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_mypy_finds_nothing():
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
