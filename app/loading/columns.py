"""Which column of a file, or path in JSON, has which field, and how its values are written. Decision 66."""

import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from .. import fields
from ..strict_json import shown
from .imported import Faults

# A filter of the API, and the field that decides it.
FILTERS = {name: f"utm_{name}" for name in ("source", "medium", "campaign", "content", "term")} | {"landing_page": "landing_page"}
KINDS = tomllib.loads(Path(__file__).with_name("kinds.toml").read_text(encoding="utf-8"))

_TIMES = ("started_at", "ended_at", "timestamp")
_PAGES = ("landing_page", "referrer", "conversion_page", "previous_page")
_NO_SESSION = frozenset(KINDS["values"]["no_session"])
_NO_PAGE = frozenset(KINDS["values"]["no_page"])
# What a value of these fields has in it, unless it is empty; values of the others can be anything.
_LOOKS = {"email": "@"} | dict.fromkeys(_TIMES, r"\d.{8,}\d") | dict.fromkeys(_PAGES, f"/|^({'|'.join(map(re.escape, _NO_PAGE))})$")
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}(/\S*)?", re.IGNORECASE)


@dataclass
class Columns:
    """What the options of an import say, and what was found with them."""

    domain: str  # of the account
    named: dict[str, str] = field(default_factory=dict)  # field to column
    values: dict[str, str] = field(default_factory=dict)  # for all rows
    site: str = ""
    time_format: str = ""
    command: Sequence[str] = ()  # the command line without what these say
    used: dict[str, str] = field(default_factory=dict)  # field to column
    ignored: list[str] = field(default_factory=list)  # columns that no field is read from
    absent: Counter[str] = field(default_factory=Counter)  # values that say that there is none
    faults: Faults = field(default_factory=Faults)

    def row(self, cells: dict) -> dict:
        """Return the fields of a row, none of them empty, as the import format has them."""
        row = self.tidy(cells)
        if row.get("session_id", "").lower() in _NO_SESSION:
            self._leave_out(row, "session_id")
        return row | {name: moment for name in _TIMES if (moment := fields.of_epoch(row.get(name)))} | self.values

    def tidy(self, given: dict) -> dict:
        """Return a session, a conversion or a row with those times and pages corrected that have one clear meaning."""
        tidied = dict(given)
        for name in _TIMES:
            if isinstance(text := given.get(name), str) and (len(text) > 20 or text[4:5] != "-" or self.time_format):
                tidied[name] = self._time(text)
        for name in _PAGES:
            if isinstance(text := given.get(name), str) and "://" not in text:
                if self.site and re.match("/(?!/)", text):
                    tidied[name] = self.site + text
                elif name in ("referrer", "previous_page") and text.lower() in _NO_PAGE:
                    self._leave_out(tidied, name)
                elif name == "referrer" and _HOST.fullmatch(text):
                    tidied[name] = f"https://{text}"
        return tidied

    def _leave_out(self, row: dict, name: str) -> None:
        self.absent[f"{name} {shown(row.pop(name))}"] += 1

    def _time(self, text: str) -> str:
        if self.time_format and (moment := _in_form(text, self.time_format)):
            return moment.isoformat()
        return re.sub(" ([+-][0-9:]+)$", r"\1", re.sub(" ?(UTC|GMT)$", "Z", text))

    def options(self) -> list[str]:
        """Return the command line's options that say this."""
        named = [part for name, column in self.named.items() for part in ("--column", f"{name}={column}")]
        values = [part for name, value in self.values.items() for part in ("--set", f"{name}={value}")]
        others = [("--site", self.site), ("--time-format", self.time_format)]
        return named + values + [part for option, value in others if value for part in (option, value)]

    def advise(self, sample: dict, known: set[str] | None = None) -> None:
        """Advise to use the command that can read the file, as a row's values by column suggest.

        The columns that are known have a field's name. Without them, the values are by field, and only their form is looked at.
        """
        named, values = dict(self.named), dict(self.values)
        if known is not None:
            named = {name: column for name, column in named.items() if column in sample}
            for name, likely in KINDS["columns"].items():
                if name not in {*named, *values} and (name not in known or name == "id"):
                    looks = _LOOKS.get(name, "")
                    alike = [column for column, value in sample.items() if not value or re.search(looks, str(value).lower())]
                    if found := [column for column in alike if _plain(column) in likely]:
                        named[name] = min(found, key=lambda column: (likely.index(_plain(column)), column.count("."), len(column)))
            given = {*named, *values, *known}
            if not given & {"started_at", "timestamp"}:
                return
            if not given & {"email", "conversion_page", "type", "id"} and "timestamp" in named:
                named.setdefault("started_at", named.pop("timestamp"))
            default = {"landing_page": f"https://{self.domain}/"}
            if "timestamp" in {*named, *values, *known}:
                urls = [column for column in sample if column not in named.values() and "://" in str(sample[column])]
                if urls and "conversion_page" not in given:
                    named["conversion_page"] = urls[0]
                default = {"conversion_page": f"https://{self.domain}/", "type": "custom", "id": "import"}
            values |= {name: value for name, value in default.items() if name not in {*given, *named}}
            sample = {name: sample.get(named.get(name, name)) for name in (*_TIMES, *_PAGES)}
        better, advice = replace(self, named=named, values=values), "Try this line, after a look at what it says:"
        if any(re.match("/(?!/)", str(sample.get(name))) for name in _PAGES):
            better.site = self.site or f"https://{self.domain}"
        for text in [str(sample[name]) for name in _TIMES if sample.get(name)] if not self.time_format else []:
            formats = [form for form in KINDS["times"]["formats"] if _in_form(text, form)]
            better.time_format = better.time_format or (formats or [""])[0]
            if len(formats) > 1:
                advice = f"{shown(text)} may be written as {formats[1]} instead: choose the right --time-format.\n{advice}"
        if not self.faults.advice and better.options() != self.options():
            self.faults.advice = f"{advice}\n{shlex.join([*self.command, *better.options()])}"


def at(item: object, path: str):
    """Return what a JSON object has at a path such as payload.created_at, answers.0.email, or values.email in a list of names."""
    for step in path.split("."):
        if isinstance(item, list):
            named = {member.get("name", member.get("key")): member for member in item if isinstance(member, dict)}
            numbered = {str(number): member for number, member in enumerate(item)}
            item = numbered.get(step) or named.get(step, {}).get("value")
        else:
            item = item.get(step) if isinstance(item, dict) else None
    return item


def paths(item: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Return the values of a JSON object with their paths."""
    if isinstance(item, dict):
        for name, inner in item.items():
            yield from paths(inner, f"{path}.{name}" if path else name)
    elif isinstance(item, list):
        for number, inner in enumerate(item):
            is_named = isinstance(inner, dict) and "value" in inner and isinstance(inner.get("name", inner.get("key")), str)
            name = inner.get("name", inner.get("key")) if is_named else number
            yield from paths(inner["value"] if is_named else inner, f"{path}.{name}")
    elif item not in (None, ""):
        yield path, item


def _plain(column: str) -> str:
    """Return the last name of a column or path as kinds.toml writes it."""
    last = [part for part in column.split(".") if not part.isdigit()][-1:] or [column]
    return re.sub("[^a-z0-9]", "", last[0].lower())


def _in_form(text: str, time_format: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.strptime(text, time_format)
    return None
