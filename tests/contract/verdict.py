"""The outcome of a check and its report: which sentence, how the server differs, and the requests that show it."""

import re
from typing import Any, NamedTuple

import pytest
from client import Client, Exchange

HOLDS, DIFFERS, READING, NOT_CHECKED = "holds", "differs from the text", "differs from our reading", "not checked"
# Beyond the text, a check says what this project decided.
OUR_READING = "Our reading: "


def check(holds: Any, how: str) -> None:
    """End a check with a failure that says how the server differs, unless it holds."""
    if not holds:
        pytest.fail(how, pytrace=False)


class Result(NamedTuple):
    nodeid: str
    sentence: str  # what is published, in quotation marks
    reading: str  # what it is taken to mean, if the text does not say that itself
    verdict: str
    how: str  # of a difference, or why it was not checked
    exchanges: list[Exchange]

    @property
    def headline(self) -> str:
        """Return the first line of a failure."""
        return f"{self.verdict}: {self.sentence}{f' {OUR_READING}{self.reading}' if self.reading else ''} -- {self.how}"


def split(text: str) -> tuple[str, str]:
    """Divide the first paragraph of a check's text into the published sentence and our reading of it."""
    paragraph = text.strip().partition("\n\n")[0]
    sentence, _, reading = " ".join(paragraph.split()).partition(OUR_READING)
    return sentence.strip(), reading.strip()


def exchanges_of(api: Client) -> list[Exchange]:
    """Return the last few requests of the running check."""
    return list(dict.fromkeys(api.seen))[-4:] if len(api.seen) < 500 else api.seen[-4:]


def table(results: list[Result], endpoint: str, last_line: str) -> str:
    """Write the report of --report, in Markdown."""
    lines = [f"# {endpoint}", "", last_line, "", "| sentence | verdict | how | request and response |", "| --- | --- | --- | --- |"]
    order = [DIFFERS, READING, NOT_CHECKED, HOLDS]
    rows: dict[tuple, list[Result]] = {}
    for result in results:
        rows.setdefault((order.index(result.verdict), result.sentence, result.reading), []).append(result)
    for (place, sentence, reading), of_sentence in sorted(rows.items(), key=lambda row: row[0][0]):
        hows = list(dict.fromkeys(result.how for result in of_sentence if result.how))
        shown = [str(exchange) for result in of_sentence for exchange in result.exchanges[-1:]]
        if place == order.index(HOLDS):
            hows = [f"{len(of_sentence)} checks" if len(of_sentence) > 1 else "1 check"]
            shown = shown[:1]
        text = f"{sentence} {OUR_READING}{reading}" if reading else sentence
        lines.append("| " + " | ".join(map(cell, [text, order[place], *map(join, [hows, shown])])) + " |")
    return "\n".join(lines) + "\n"


def join(texts: list[str]) -> str:
    texts = list(dict.fromkeys(texts))
    return "\n".join(texts[:5]) + (f"\nand {len(texts) - 5} more" if len(texts) > 5 else "")


def cell(text: str) -> str:
    """Escape a text for a table of Markdown."""
    text = re.sub(r"([\\|<>`*_\[\]])", r"\\\1", text)
    return text.replace("\n", "<br>")
