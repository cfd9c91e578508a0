"""Readings: what else the published text could mean. The mock can serve each of them, and several at once. Decisions 75 and 76.

readings.toml is the one list of their names and values. The first value of each is what this server does.
"""

import json
import re
import tomllib
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, current_app, request

from .. import api
from .other_readings import answer


class Reading(NamedTuple):
    name: str
    decision: int
    text: str  # the published words that allow each value
    values: dict[str, str]  # what each one means

    @property
    def default(self) -> str:
        return next(iter(self.values))

    @property
    def others(self) -> dict[str, str]:
        return {value: means for value, means in self.values.items() if value != self.default}


READINGS = {
    name: Reading(name, **table)
    for name, table in tomllib.loads(Path(__file__).with_name("readings.toml").read_text(encoding="utf-8")).items()
}

AS_DECIDED = {name: reading.default for name, reading in READINGS.items()}
TO_THE_LETTER = "to-the-letter"  # every sentence about a field or a parameter holds literally
# Each reading that a client's tests can run under.
EACH = [f"{reading.name}={value}" for reading in READINGS.values() for value in reading.others] + [TO_THE_LETTER]
SHORT = {TO_THE_LETTER: "timestamp=session window=session pool=started"}


def parse(text: str) -> dict[str, str]:
    """Return the readings that differ from what this server does, from NAME=VALUE pairs or a JSON file of them.

    Raises ValueError with a sentence.
    """
    pairs = _pairs_of_file(Path(text.strip())) if text.strip().endswith(".json") else _pairs(text)
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in READINGS:
            near = get_close_matches(name, READINGS, n=1)
            advice = f"Did you mean {near[0]}?" if near else f"The readings are {', '.join(READINGS)}."
            raise ValueError(f"There is no reading {name!r}. {advice}")
        if value not in READINGS[name].values:
            raise ValueError(f"The reading {name} has no value {value!r}. Its values are {', '.join(READINGS[name].values)}.")
        if found.setdefault(name, value) != value:
            raise ValueError(f"The reading {name} is given twice, as {found[name]} and as {value}.")
    return {name: value for name, value in found.items() if value != AS_DECIDED[name]}


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for word in re.findall(r"[^\s,]+", text):
        for pair in SHORT.get(word, word).split():
            name, equals, value = pair.partition("=")
            if not equals:
                raise ValueError(
                    f"{pair!r} is not a reading. Write NAME=VALUE, such as page=cut, or {TO_THE_LETTER}, or FILE.json."
                )
            pairs.append((name, value))
    return pairs


def _pairs_of_file(path: Path) -> list[tuple[str, str]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"The file {path} can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise ValueError(f"The file {path} is not JSON: {error}.") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f'The file {path} must have a JSON object of names and values, such as {{"page": "cut"}}.')
    return list(found.items())


# Serving


def serve(app: Flask, readings: dict[str, str]) -> None:
    """Answer requests under these readings from now on. Without any, the definition answers them."""
    app.extensions["readings"] = readings
    app.extensions["answer"] = partial(answer, AS_DECIDED | readings) if readings else api.answer


def reshape(response: Response) -> Response:
    """Give a response of the endpoint the status and the shape of an error that the readings say."""
    if request.path != api.PATH or not (readings := current_app.extensions["readings"]):
        return response
    chosen = AS_DECIDED | readings
    of_query, of_key = chosen["error-status"].split("-")
    statuses = {200: chosen["status"], 400: of_query, 401: of_key}
    is_error = response.status_code >= 400
    response.status_code = int(statuses.get(response.status_code, response.status_code))
    if is_error and "error-field" in readings and isinstance(body := response.get_json(silent=True), dict):
        renamed = {chosen["error-field"] if name == "error" else name: value for name, value in body.items()}
        response.set_data(current_app.json.dumps(renamed))
    return response
