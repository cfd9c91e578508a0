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
    """A failure that says how the server differs, with records that show it, and the request that should not return them."""

    def __init__(self, how: str, witnesses: Records, wrong: Exchange | None = None):
        super().__init__(how, pytrace=False)
        self.witnesses, self.wrong = witnesses, wrong


def check(holds: Any, how: str, witnesses: Records | None = None, wrong: Exchange | None = None) -> None:
    """End a check with a failure that says how the server differs, unless it holds."""
    if not holds:
        raise Difference(how, witnesses or Records(), wrong)


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


def evidence(api: Client, fault: Difference | None) -> list[Exchange]:
    """Return the two requests that show a difference: if records show it, one that returns the first of them and one that does not.

    A record that is returned twice, or by a request that should not return it, is shown by two that do. Of several requests, those
    of the check itself come first, and then those whose query is nearest. Without records, the last two of the check count.
    """
    seen = list(dict.fromkeys(api.seen))
    if fault is None or not fault.witnesses:
        return seen[-2:]
    witness = fault.witnesses[0]
    others = [exchange for exchange in api.all_seen if exchange not in seen]
    ranked = [(exchange, records) for exchange in [*reversed(seen), *others] if (records := records_of(api, exchange)) is not None]
    having = [exchange for exchange, records in ranked if witness in records]
    if not having:
        return seen[-2:]
    first = fault.wrong or having[0]
    query = without_offset(first)
    again = [exchange for exchange in having if exchange != first]
    same_query = [exchange for exchange in again if without_offset(exchange) == query]
    lacking = [exchange for exchange, records in ranked if witness not in records and without_offset(exchange) != query]
    lacking.sort(key=lambda exchange: (exchange not in seen, distance(query, without_offset(exchange))))
    return [first, *(again if fault.wrong else same_query or lacking or again)[:1]]


def without_offset(exchange: Exchange) -> dict:
    try:
        query = json.loads(exchange.body or "{}")
    except ValueError:  # a form that only some servers accept
        query = None
    return {name: value for name, value in query.items() if name != "offset"} if isinstance(query, dict) else {}


def distance(one: dict, other: dict) -> int:
    """Return how many fields two queries do not have in common."""
    return sum(one.get(name) != other.get(name) for name in one | other)


def records_of(api: Client, exchange: Exchange) -> Records | None:
    try:
        return api.reader.read(exchange.response).records if exchange.response.is_success else None
    except Unusable:
        return None
