"""The documentation agrees with the code: commands, settings, keys, files, states and decisions."""

import json
import re
from pathlib import Path

import pytest
from conversions_api import api, create_app
from conversions_api.explorer.pages import decision_groups
from conversions_api.loading import traffic
from conversions_api.mock import states
from flask import Flask

from .conftest import GRANIAN

ROOT = Path(__file__).parent.parent
SENTENCES = ROOT / "tests" / "contract" / "sentences.json"
COMMANDS = create_app().cli.commands
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS_PAGE = (ROOT / "app" / "commands" / "README.md").read_text(encoding="utf-8")
MOCK = (ROOT / "app" / "mock" / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / ".github" / "CONTRIBUTING.md",
    ROOT / ".github" / "SECURITY.md",
    *sorted((ROOT / "app").rglob("*.md")),
    ROOT / "tests" / "README.md",
    ROOT / "tests" / "contract" / "README.md",
]
DOCUMENTATION = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
CODE = {file: file.read_text(encoding="utf-8") for file in [*(ROOT / "app").rglob("*.py"), ROOT / "schema.sql"]}


def table(heading: str, page: str = README) -> list[list[str]]:
    """Return the rows of the table under a heading, without the header row."""
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def names(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_every_command_is_documented_and_no_other():
    documented = {row[0].strip("`") for row in table("Commands", COMMANDS_PAGE)}
    assert documented == {"run", *COMMANDS}


def test_every_option_is_documented():
    documented = {name for row in table("Commands", COMMANDS_PAGE) for name in names(row[1]) if name.startswith("--")}
    options = {option for command in COMMANDS.values() for parameter in command.params for option in parameter.opts}
    assert documented == {option for option in options if option.startswith("--")}


def test_every_setting_is_documented_and_no_other():
    documented = {row[0].strip("`").removeprefix("CONVERSIONS_") for row in table("Settings", COMMANDS_PAGE)}
    assert documented == set(create_app().config) - set(Flask(__name__).config)


def test_the_readme_names_every_bundled_key_and_what_it_shows():
    assert table("A first request") == [[f"`{account['key']}`", account["shows"]] for account in traffic.accounts()]


def test_contributing_names_every_file_of_the_app():
    documented = {name for row in table("Where things are", CONTRIBUTING) for name in names(row[0])}
    files = {f"app/{file.name}" for file in (ROOT / "app").glob("*.py")} - {"app/__init__.py"}
    files |= {f"app/{file.parent.name}/" for file in (ROOT / "app").glob("*/__init__.py")}
    assert documented == files | {"schema.sql", "seed/"}


def test_the_readme_names_every_state_with_its_params():
    documented = {row[0].strip("`"): names(row[1]) for row in table("States", MOCK)}
    assert documented == {state: set(params) for state, params in states.STATES.items()}


def test_the_workflow_and_contributing_run_the_tests_as_the_readme_does():
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ +- run: (.*)$", workflow, re.MULTILINE)
    assert f"\n{line}\n" in README
    assert f"\n{line}\n" in CONTRIBUTING


@pytest.mark.parametrize("page", ["README.md", "app/deployment.md", ".deploy/Dockerfile", ".deploy/conversions.service"])
def test_the_tests_start_granian_as_every_page_does(page):
    lines = re.findall(
        r"python -m (granian.*?)(?: --host \S+)? --port \S+ wsgi:server\b", (ROOT / page).read_text(encoding="utf-8")
    )
    assert lines == [" ".join(GRANIAN)]


def test_the_request_in_the_readme_gets_the_response_in_the_readme(bundled):
    body = re.search(r"-d '(\{.*\})'\n", README)[1]
    response = json.loads(re.search(r"```json\n(\{\n.*?\n\})\n```", README, re.DOTALL)[1])
    assert api.PATH in README
    assert bundled.ask(json.loads(body), "YOUR_API_KEY") == response


def test_the_documented_example_of_a_session_can_be_imported(hub):
    (session,) = re.findall(r'^\{"session_id".*$', DOCUMENTATION, re.MULTILINE)
    outcome = hub.run("import", "-", "--domain", "example.org", stdin=session)
    assert outcome.exit_code == 0, outcome.output


# Decisions

DECISIONS = {int(row[0]): row for _, rows in decision_groups() for row in rows}
ENFORCED = re.compile(r"@pytest\.mark\.decision\((\d+)\)(?:\n@.*|\n[^d\n].*)*\ndef (test_\w+)")


def test_decisions_have_unique_numbers_which_ascend_within_each_part():
    parts = [[int(row[0]) for row in rows] for _, rows in decision_groups()]
    assert all(numbers == sorted(set(numbers)) for numbers in parts)
    assert len(DECISIONS) == sum(map(len, parts))


def test_each_decision_about_the_published_text_quotes_it_and_the_other_ones_have_no_column_for_it():
    (about_the_text, readings), (of_our_own, features) = decision_groups()
    assert (about_the_text, of_our_own) == ("What the published text leaves open", "Features of our own")
    assert [row[0] for row in readings if not re.search("“[^“”]{10,}”", row[1])] == []
    assert [row[0] for row in features if row[1]] == []


def test_each_quotation_in_the_decisions_is_word_for_word_in_a_published_sentence():
    published = json.loads(SENTENCES.read_text(encoding="utf-8")).values()
    quotations = [quoted for row in DECISIONS.values() for cell in row[1:3] for quoted in re.findall("“([^“”]+)”", cell)]
    assert [quoted for quoted in quotations if not any(quoted in sentence for sentence in published)] == []
    assert len(quotations) > 30


def test_the_readme_has_at_most_250_lines():
    assert len(README.splitlines()) <= 250


def test_every_link_between_the_pages_points_to_an_existing_file_and_heading():
    for page in PAGES:
        for target, _, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#?)([^)]*)\)", page.read_text(encoding="utf-8")):
            linked = (page.parent / target).resolve() if target else page
            assert linked.exists(), (page, target)
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
            assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}, (page, anchor)


def test_each_decision_is_cited_by_the_code_that_implements_it():
    cited = set()
    for text in CODE.values():
        for numbers in re.findall(r"[Dd]ecisions? (\d+(?:(?:, | to | and )\d+)*)", text):
            for first, last in re.findall(r"(\d+)(?: to (\d+))?", numbers):
                cited |= set(range(int(first), int(last or first) + 1))
    assert cited == set(DECISIONS)


@pytest.mark.parametrize("number", DECISIONS)
def test_each_decision_names_the_test_that_enforces_it(number):
    file, name = re.fullmatch(r"`(\w+)\.(\w+)`", DECISIONS[number][-1]).groups()
    enforced = ENFORCED.findall((ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8"))
    assert (str(number), name) in enforced
