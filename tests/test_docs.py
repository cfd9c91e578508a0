"""The README tells the truth: its commands, settings, keys, files and decisions are those of the code."""

import json
import re
from pathlib import Path

import pytest
from flask import Flask

from app import api, create_app
from app.loading import traffic
from app.mock import states

from .conftest import WAITRESS

ROOT = Path(__file__).parent.parent
COMMANDS = create_app().cli.commands
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = {file: file.read_text(encoding="utf-8") for file in [*(ROOT / "app").rglob("*.py"), ROOT / "schema.sql"]}


def table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without its head."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def names(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_the_readme_names_every_command_and_no_other():
    documented = {row[0].strip("`").removeprefix("flask ") for row in table("Commands")}
    assert documented == {"run", *COMMANDS}


def test_the_readme_names_every_option():
    documented = {name for row in table("Commands") for name in names(row[1]) if name.startswith("--")}
    options = {option for command in COMMANDS.values() for parameter in command.params for option in parameter.opts}
    assert documented == {option for option in options if option.startswith("--")}


def test_the_readme_names_every_setting_and_no_other():
    documented = {row[0].strip("`").removeprefix("CONVERSIONS_") for row in table("Settings")}
    assert documented == set(create_app().config) - set(Flask(__name__).config)


def test_the_readme_names_every_bundled_key_and_what_it_shows():
    assert table("Ask") == [[f"`{account['key']}`", account["shows"]] for account in traffic.accounts()]


def test_the_readme_names_every_file_of_the_app():
    documented = {name for row in table("How to read the code") for name in names(row[0])}
    files = {f"app/{file.name}" for file in (ROOT / "app").glob("*.py")} - {"app/__init__.py"}
    files |= {f"app/{file.parent.name}/" for file in (ROOT / "app").glob("*/__init__.py")}
    assert documented == files | {"schema.sql", "seed/"}


def test_the_readme_names_every_state_with_its_params():
    documented = {row[0].strip("`"): names(row[1]) for row in table("Under your contract tools")}
    assert documented == {state: set(params) for state, params in states.STATES.items()}


def test_the_tests_start_waitress_as_the_readme_does():
    # Not as waitress-serve, which would take the installed app, and so another database than flask seed in the checkout.
    assert f"/python -m {' '.join(WAITRESS)}\n".replace("127.0.0.1:0", "127.0.0.1:8080") in README


def test_the_readmes_request_gets_the_readmes_answer(bundled):
    body = re.search(r"-d '(\{.*\})'\n", README)[1]
    answer = json.loads(re.search(r"```json\n(\{\n.*?\n\})\n```", README, re.DOTALL)[1])
    assert api.PATH in README
    assert bundled.ask(json.loads(body), "YOUR_API_KEY") == answer


def test_the_readmes_import_line_can_be_imported(hub):
    outcome = hub.run("import", "-", "--domain", "example.org", stdin=re.search(r'^\{"session_id".*$', README, re.MULTILINE)[0])
    assert outcome.exit_code == 0, outcome.output


# Decisions

DECISIONS = {int(row[0]): row for row in table("Decisions")}
HELD = re.compile(r"@pytest\.mark\.decision\((\d+)\)(?:\n@.*|\n[^d\n].*)*\ndef (test_\w+)")


def test_decisions_are_numbered_in_turn():
    assert list(DECISIONS) == sorted(DECISIONS)


def test_each_decision_is_cited_by_the_code_that_carries_it_out():
    cited = set()
    for text in CODE.values():
        for numbers in re.findall(r"[Dd]ecisions? (\d+(?:(?:, | to | and )\d+)*)", text):
            for first, last in re.findall(r"(\d+)(?: to (\d+))?", numbers):
                cited |= set(range(int(first), int(last or first) + 1))
    assert cited == set(DECISIONS)


@pytest.mark.parametrize("number", DECISIONS)
def test_each_decision_names_the_test_that_holds_it(number):
    file, name = re.fullmatch(r"`(\w+)\.(\w+)`", DECISIONS[number][3]).groups()
    held = HELD.findall((ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8"))
    assert (str(number), name) in held
