"""flask readings and flask exec --readings: what else the text could mean, and whether a client minds. Decisions 75, 76."""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import IO

import click

from ..mock.readings import EACH, READINGS, parse
from .options import bp

ALL = "all"
SHORTEST_LIMIT = 60  # seconds; a run may take ten times as long as the one as decided here, or this
LAST_LINES = 12
# How test programs say why a test failed, the plainest way first.
REASONS = (
    r"\b[\w.]*(?:Error|Exception)\b(?: \[\w+\])?: .*\w.*",  # KeyError: 'email'
    r"(?<=error: [\"']).+(?=[\"']$)",  # node:test in the form of TAP
    r"(?:not ok \d+ - |FAILED ).+",
    r"^✗ .+? pages?: (.+)",  # the verdict on a walk: of --check-paging or --complete
)


@bp.cli.command("readings")
def readings():
    """List the readings of the published text that the mock can serve.

    Each one has its published words, its decision, and its values; the first value is what this server does.
    """
    for reading in READINGS.values():
        click.echo(f"{reading.name}: {reading.text}, decision {reading.decision}")
        for value, means in reading.values.items():
            click.echo(f"  {value:<17} {means}")


def chosen_runs(_context, _parameter, text: str | None) -> list[str] | None:
    """Return the readings of each run: every other value of a name, or pairs as CONVERSIONS_READING has them."""
    if text is None:
        return None
    if text == ALL:
        return EACH
    runs: list[str] = []
    for word in re.findall(r"[^,]+", text):
        if word in READINGS:
            runs += [f"{word}={value}" for value in READINGS[word].others]
            continue
        try:
            parse(word)
        except ValueError as fault:
            raise click.BadParameter(f"{fault} Before COMMAND, write --readings --.") from None
        runs.append(word)
    return runs


OPTION: dict = {
    "is_flag": False,
    "flag_value": ALL,
    "metavar": "NAMES",
    "callback": chosen_runs,
    "help": "Run COMMAND under each reading of the published text. --readings=page,missing: under the readings of these names.",
}


def run_under(runs: list[str], run_once: Callable[[str, IO | None, float | None], int]) -> int:
    """Run a command as decided here and then under each of these readings. Print a table of what passed and what failed, and why.

    Returns 1 if a run failed. If the command fails as decided here, the others are not run.
    """
    folder = Path(tempfile.mkdtemp(prefix="readings-"))
    width, longest = max(map(len, runs), default=0), None
    failures: list[str] = []
    try:
        for name in ["", *runs]:
            shown = name or "as decided here"
            log = folder / f"{re.sub('[^a-z0-9=-]+', '-', shown.lower())}.log"
            began = monotonic()
            with log.open("w", encoding="utf-8") as output:
                status = run_once(name, output, longest)
            longest = longest or max(SHORTEST_LIMIT, 10 * (monotonic() - began))
            lines = click.unstyle(log.read_text(encoding="utf-8", errors="replace")).rstrip().splitlines()
            if not status:
                log.unlink()
                click.echo(f"✓ {shown}")
                continue
            place, why = reason(lines) or (len(lines), f"exit status {status}")
            first = max(0, min(place - LAST_LINES // 2, len(lines) - LAST_LINES))
            failures.append("\n    ".join([f"\n{shown}, from {log}:", *lines[first:][:LAST_LINES]]))
            click.echo(f"✗ {shown:<{width}}  {why[:100]}{'…' if len(why) > 100 else ''}")
            if not name:
                break
    finally:
        if not failures:
            shutil.rmtree(folder)
    for failure in failures:
        click.echo(failure)
    if failures and not name:
        click.echo("\nCOMMAND already fails as decided here, so it was not run under the other readings.")
    elif failures:
        click.echo(f"\nFailed: {len(failures)} of {len(runs)} readings.")
    return 1 if failures else 0


def reason(lines: list[str]) -> tuple[int, str] | None:
    """Return the line that probably says why a command failed, the last such one, with its place; None if there is none."""
    for pattern in REASONS:
        found = [(place, match[match.lastindex or 0]) for place, line in enumerate(lines) if (match := re.search(pattern, line))]
        whole = [(place, why) for place, why in found if not why.endswith("...")]  # pytest's summary cuts them
        if found:
            return (whole or found)[-1]
    return (len(lines) - 1, lines[-1].strip()) if lines else None
