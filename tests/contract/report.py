"""The report of --report, in Markdown: a section for each finding, with the requests that show it, ready to be pasted."""

import json
import re
import shlex
from typing import Any, NamedTuple

from client import Exchange
from learn import READINGS
from sentences import OUR_READING, SENTENCES
from survey import CONVERSION_FILTERS, SESSION_FILTERS
from verdict import DIFFERS, FORM_ONLY, HOLDS, NOT_CHECKED, READING, Result

VERSION = "2.0"
# What is more likely the cause comes first.
CAUSES = ["shape/", "key/", "window/a_window_includes_both", "window/every_conversion_lies", "window/a_date", "window/"]
CAUSES += ["filters/a_conversion_filter_finds", "filters/a_filter_that", "filters/", "exact_values/", "known/"]
CAUSES += [r"walks/.*direct", "walks/", "batches/", "readings/", "cases/"]


class Run(NamedTuple):
    """What stands at the head of a report."""

    endpoint: str
    date: str
    options: dict[str, Any]
    calls: int
    exit_status: int
    last_line: str
    notes: list[str]
    readings: dict[str, str]  # what told each
    values: dict[str, str]
    told_by: dict[str, str]  # the request, as a command


def rank(result: Result) -> int:
    return next((place for place, pattern in enumerate(CAUSES) if re.match(pattern, result.id)), len(CAUSES))


def feature_of(result: Result) -> str:
    """Return what a check is about: the window, a filter, or the pages of one kind of query."""
    module = result.id.partition("/")[0]
    if module in ("filters", "exact_values"):
        parameters = result.id.partition("[")[2]
        names = [name for name in [*CONVERSION_FILTERS, *SESSION_FILTERS] if re.search(rf"\b{name}\b", parameters)]
        return names[0] if len(names) == 1 else ""
    if module == "walks":
        return "direct pages" if "direct" in result.id else "session pages"
    return {"window": "window", "batches": "session pages"}.get(module, "")


def features_used(result: Result) -> set[str]:
    used = set()
    for exchange in result.exchanges:
        try:
            names = set(json.loads(exchange.body or "{}"))
        except (ValueError, TypeError):
            continue
        used |= names | ({"window"} if names & {"start_date", "end_date"} else set())
        used.add("session pages" if names & set(SESSION_FILTERS) else "direct pages")
    return used


def fold(results: list[Result]) -> list[tuple[Result, list[Result]]]:
    """Return the likely causes, each with the findings that use what is at fault there, and so may follow from it.

    A check that fails with other parameters too is one finding.
    """
    folded: list[tuple[Result, list[Result]]] = []
    for result in sorted(results, key=rank):
        check = result.id.partition("[")[0]
        for cause, consequences in folded:
            is_same = cause.id.partition("[")[0] == check and not check.startswith("readings/")
            if is_same or (cause.verdict == DIFFERS and feature_of(cause) in features_used(result)):
                consequences.append(result)
                break
        else:
            folded.append((result, []))
    return folded


def curl(exchange: Exchange, endpoint: str) -> str:
    """Write a request as a command that can be pasted, with the key in $KEY."""
    headers = {"Authentication": '"Authentication: $KEY"', "Content-Type": "'Content-Type: application/json'"}
    for name, value in exchange.headers:
        if value == "(another)":
            headers[name] = f'"{name}: $ANOTHER_KEY"'
        elif value:
            headers[name] = shlex.quote(f"{name}: {value}")
        else:
            headers.pop(name, None)
    method = "" if exchange.method == "POST" and exchange.body else f" -X {exchange.method}"
    sent = "".join(f" -H {header}" for header in headers.values())
    body = f" -d {shlex.quote(exchange.body)}" if exchange.body else ""
    return f"curl -sS{method} {shlex.quote(endpoint + exchange.parameters)}{sent}{body}"


def shown(exchange: Exchange, endpoint: str) -> list[str]:
    return ["```sh", curl(exchange, endpoint), "```", "returns", "```", str(exchange.response), "```"]


def markdown(run: Run, results: list[Result]) -> str:
    lines = [f"# {run.endpoint}", "", f"**{run.last_line}**", ""]
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in run.options.items())
    lines += [
        f"- {run.date}, version {VERSION} of the kit, {run.calls} calls, exit status {run.exit_status}",
        f"- Options: {options}",
    ]
    lines += [f"- {note}" for note in run.notes]
    for verdict, heading in ((DIFFERS, "Differs from the text"), (READING, "Differs from our reading")):
        of_verdict = [result for result in results if result.verdict == verdict]
        if of_verdict:
            lines += ["", f"## {heading}"]
        for cause, consequences in fold(of_verdict):
            lines += section(run, cause, consequences)
    lines += ["", "## Readings", ""]
    for name, how in run.readings.items():
        lines += [f"- `{name}={run.values[name]}`: {escape(how)}, as this request shows:", f"  `` {run.told_by[name]} ``"]
    untold = [name for name in READINGS if name not in run.readings]
    lines += [f"- Could not be told: {', '.join(untold)}"] if untold else []
    lines += ["", "## What was checked", "", "A sentence holds as far as these checks go.", ""]
    lines += checked(results)
    return "\n".join(lines) + "\n"


def section(run: Run, cause: Result, consequences: list[Result]) -> list[str]:
    lines = ["", f"### {escape(cause.value or cause.title)}", ""]
    for number in cause.numbers:
        lines += [f"> {number}: {escape(SENTENCES[number])}"]
    if cause.reading:
        lines += ["", f"{OUR_READING}{escape(cause.reading)}"]
    lines += ["", f"Found: {escape(cause.how)}", ""]
    for exchange in cause.exchanges:
        lines += shown(exchange, run.endpoint)
    if consequences:
        lines += ["", f"<details><summary>{len(consequences)} more follow from this, or can't be told apart from it</summary>", ""]
        lines += [f"- `{other.id}`: {escape(other.how)}" for other in consequences]
        lines += ["", "</details>"]
    return lines


def checked(results: list[Result]) -> list[str]:
    """Write a line for each sentence, with its checks, and for what was not checked the reason."""
    lines = []
    for number, sentence in SENTENCES.items():
        of_sentence = [result for result in results if number in result.numbers and not result.reading]
        if not of_sentence:
            continue
        holding = [result for result in of_sentence if result.verdict == HOLDS]
        counts = [f"{len(holding)} hold"] if holding else []
        for verdict, words in ((DIFFERS, "differ"), (NOT_CHECKED, "not checked")):
            count = sum(result.verdict == verdict for result in of_sentence)
            counts += [f"{count} {words}"] if count else []
        told = ", ".join(counts)
        if holding and all(result.how == FORM_ONLY for result in holding):
            told += "; only the type and the form are checked, not what it means"
        lines.append(f"- **{number}** {escape(sentence[:120])}{'…' if len(sentence) > 120 else ''}: {told}")
    reasons: dict[str, list[str]] = {}
    for result in results:
        if result.verdict == NOT_CHECKED:
            reasons.setdefault(result.how, []).append(result.id)
    if reasons:
        lines += ["", "Not checked:", ""]
    lines += [
        f"- {escape(how)}: {', '.join(f'`{check}`' for check in ids[:5])}{' …' if len(ids) > 5 else ''}"
        for how, ids in reasons.items()
    ]
    return lines


def escape(text: str) -> str:
    """Escape a text for Markdown, outside of code."""
    return re.sub(r"([\\|<>`*_\[\]])", r"\\\1", text)
