"""The outcome of a check: which sentence, how the server differs, and the two requests that show it."""

import json
import re
from typing import Any, NamedTuple

import pytest
from client import Client, Exchange
from pages import Unusable
from records import Records
from sentences import OUR_READING

FORM_ONLY = "only its type and form are checked"
HOLDS, DIFFERS, READING, NOT_CHECKED = "holds", "differs from the text", "differs from our reading", "not checked"


class Difference(pytest.fail.Exception):
    """A failure that says how the server differs, with records that show it."""

    def __init__(self, how: str, witnesses: Records):
        super().__init__(how, pytrace=False)
        self.witnesses = witnesses


def check(holds: Any, how: str, witnesses: Records | None = None) -> None:
    """End a check with a failure that says how the server differs, unless it holds."""
    if not holds:
        raise Difference(how, witnesses or Records())


def check_same(expected: Records, found: Records, where: str) -> None:
    """Check that two queries find the same conversions, each as often."""
    missing, extra = expected.minus(found), found.minus(expected)
    twice = extra.common(expected)
    extra = extra.minus(twice)
    parts = [f"{len(missing)} missing ({missing})"] if missing else []
    parts += [f"{len(twice)} returned twice ({twice})"] if twice else []
    parts += [f"{len(extra)} extra ({extra})"] if extra else []
    check(not parts, f"{where}: {', '.join(parts)}", Records([*twice, *missing, *extra]))


class Result(NamedTuple):
    id: str  # stable from version to version: the module, the check, and its parameters
    nodeid: str
    sentence: str  # what is published, in quotation marks
    numbers: list[str]  # of that sentence: S1 to S76
    reading: str  # what it is taken to mean, if the text does not say that itself
    verdict: str
    how: str  # of a difference, or why it was not checked
    exchanges: list[Exchange]
    value: str = ""  # NAME=VALUE, if it is one of the readings of readings.json

    @property
    def headline(self) -> str:
        """Return the first line of a failure."""
        numbers = f" ({', '.join(self.numbers)})" if self.numbers else ""
        reading = f" {OUR_READING}{self.reading}" if self.reading else ""
        return f"{self.verdict}: {self.sentence}{numbers}{reading} -- {self.how}"

    @property
    def title(self) -> str:
        """Return the check's name in words."""
        return re.sub(r"^\w+/", "", self.id).replace("_", " ")


def id_of(nodeid: str) -> str:
    """Turn tests/contract/test_window.py::test_a_date_means_its_whole_day[main] into window/a_date_means_its_whole_day[main]."""
    module, _, name = nodeid.partition("::")
    return f"{re.sub(r'.*test_|[.]py$', '', module)}/{name.removeprefix('test_')}"


def evidence(api: Client, witnesses: Records) -> list[Exchange]:
    """Return the two requests that show a difference: if records show it, one that returns the first of them and one that does not.

    A record that is returned twice is shown by the two pages that have it. Otherwise the last two requests of the check count.
    """
    seen = list(dict.fromkeys(api.seen))
    for witness in witnesses[:1]:
        others = [exchange for exchange in api.all_seen if exchange not in seen]
        ranked = [
            (exchange, records) for exchange in [*reversed(seen), *others] if (records := records_of(api, exchange)) is not None
        ]
        having = [exchange for exchange, records in ranked if witness in records]
        lacking = [exchange for exchange, records in ranked if witness not in records]
        if having:
            same_query = [exchange for exchange in having[1:] if without_offset(exchange) == without_offset(having[0])]
            return [having[0], *(same_query or lacking or having[1:])[:1]]
    return seen[-2:]


def without_offset(exchange: Exchange) -> dict:
    query = json.loads(exchange.body or "{}")
    return {name: value for name, value in query.items() if name != "offset"}


def records_of(api: Client, exchange: Exchange) -> Records | None:
    try:
        return api.reader.read(exchange.response).records if exchange.response.is_success else None
    except Unusable:
        return None
