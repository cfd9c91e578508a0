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

VERSION = "2.1"
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
    told_by: dict[str, list[str]]  # the requests, as commands


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
        return "the pages of direct queries" if "direct" in result.id else "the pages of session queries"
    return {"window": "the window", "batches": "the pages of session queries"}.get(module, "")


def features_used(result: Result) -> set[str]:
    used = set()
    for exchange in result.exchanges:
        try:
            names = set(json.loads(exchange.body or "{}"))
        except (ValueError, TypeError):
            continue
        used |= names | ({"the window"} if names & {"start_date", "end_date"} else set())
        used.add(f"the pages of {'session' if names & set(SESSION_FILTERS) else 'direct'} queries")
    return used


class Finding(NamedTuple):
    """The first of the results that are about the same thing, and the others."""

    result: Result
    others: list[Result]
    origin: Result | None  # of an earlier finding, from which it may follow: its requests use what is at fault there

    @property
    def heading_of_others(self) -> str:
        about = feature_of(self.result)
        return f"{len(self.others)} more about {about}" if about else f"{len(self.others)} more of this check"


def findings(results: list[Result]) -> list[Finding]:
    """Bring the results together that are about the same thing, the likely causes first.

    A check that fails with other parameters too is one finding, and so is all that differs from the text about the window, about a
    filter, or about the pages of one kind of query. Defects of different things stay apart.
    """
    found: list[Finding] = []
    for result in sorted(results, key=rank):
        check, feature, used = result.id.partition("[")[0], feature_of(result), features_used(result)
        for finding in found:
            first = finding.result
            is_same = first.id.partition("[")[0] == check and not check.startswith("readings/")
            if is_same or (first.verdict == DIFFERS and feature and feature == feature_of(first)):
                finding.others.append(result)
                break
        else:
            origins = (each.result for each in found if each.result.verdict == DIFFERS and feature_of(each.result) in used)
            found.append(Finding(result, [], next(origins, None)))
    return found


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
        for finding in findings(of_verdict):
            lines += section(run, finding)
    lines += ["", "## Readings", ""]
    for name, how in run.readings.items():
        lines += [f"- `{name}={run.values[name]}`: {escape(how)}, as this shows:"]
        lines += [f"  `` {command} ``" for command in run.told_by[name]]
    untold = [name for name in READINGS if name not in run.readings]
    lines += [f"- Could not be told: {', '.join(untold)}"] if untold else []
    lines += ["", "## What was checked", "", "A sentence holds as far as these checks go.", ""]
    lines += checked(results)
    return "\n".join(lines) + "\n"


def section(run: Run, finding: Finding) -> list[str]:
    cause = finding.result
    lines = ["", f"### {escape(cause.value or cause.title)}", ""]
    for number in cause.numbers:
        lines += [f"> {number}: {escape(SENTENCES[number])}"]
    if cause.reading:
        lines += ["", f"{OUR_READING}{escape(cause.reading)}"]
    lines += ["", f"Found: {escape(cause.how)}", ""]
    if finding.origin:
        lines += [f"It may follow from “{finding.origin.title}”: its requests use what is at fault there.", ""]
    for exchange in cause.exchanges:
        lines += shown(exchange, run.endpoint)
    if finding.others:
        lines += ["", f"<details><summary>{finding.heading_of_others}</summary>", ""]
        lines += [f"- `{other.id}`: {escape(other.how)}" for other in finding.others]
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
