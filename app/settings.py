"""Every CONVERSIONS_* setting: its default, how its text is parsed, and the error message if it is wrong. Decision 85.

Afterwards app.config has the parsed values: a path, a number, True.
"""

import os
import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

import click
import platformdirs
from flask import Flask

from . import instants, origins, rate_limit
from .mock import readings
from .tables import IS_INSTALLED

LONGEST_QUERY = "5"  # seconds, unless the mock is on


def load(app: Flask, given: dict, is_mock: bool) -> None:
    """Read the environment variables and the given settings, which take precedence. is_mock: the default of CONVERSIONS_MOCK.

    Raises click.ClickException with a sentence.
    """
    folder = platformdirs.user_data_path("conversions", appauthor=False) if IS_INSTALLED else Path(app.instance_path)
    app.config.from_mapping(DEFAULTS, DATABASE=folder / "conversions.sqlite", MOCK=str(int(is_mock)))
    app.config.from_prefixed_env("CONVERSIONS", loads=str)
    app.config.update(given)
    is_mocking = app.config["MOCK"] == "1"
    app.config.setdefault("TIMEOUT", "0" if is_mocking else LONGEST_QUERY)
    app.config.setdefault("ORIGINS", "*" if is_mocking else "")
    for name in [variable.removeprefix("CONVERSIONS_") for variable in os.environ if variable.startswith("CONVERSIONS_")]:
        near = get_close_matches(name, READERS, n=1, cutoff=0.85)
        if near and name not in READERS:
            app.logger.warning("CONVERSIONS_%s is not a setting of this server. Did you mean CONVERSIONS_%s?", name, near[0])
    for name, read in READERS.items():
        setting = app.config[name]
        try:
            app.config[name] = read(setting)
        except ValueError as fault:
            raise click.ClickException(f"The setting CONVERSIONS_{name} is wrong: {setting}. {fault}") from None
    # Other commands than flask run serve nothing, or have a mock of their own.
    if app.config["READING"] and not app.config["MOCK"] and (is_mock or not click.get_current_context(silent=True)):
        raise click.ClickException("CONVERSIONS_READING needs a mock. Set CONVERSIONS_MOCK=1, or unset CONVERSIONS_READING.")


def database(path: str | Path) -> Path:
    if not str(path) or Path(path).is_dir():
        raise ValueError("Must be the path of a file; it is created if there is none.")
    return Path(path)


def matching(pattern: str, convert: Callable, wanted: str) -> Callable:
    """Return a parser of texts that match the pattern."""

    def read(text: str):
        if not re.fullmatch(pattern, text):
            raise ValueError(f"Must be {wanted}.")
        return convert(text)

    return read


DEFAULTS = {"NOW": "", "DELAY": "0", "READING": "", "RATE_LIMIT": "", "PROXIES": "0"}

READERS: dict[str, Callable] = {
    "DATABASE": database,
    "NOW": instants.instant,
    "MOCK": matching("[01]", lambda text: text == "1", "1 or 0"),
    "ORIGINS": origins.read,
    "DELAY": matching("[0-9]{1,9}", int, "a number of milliseconds, for example 1500"),
    "READING": readings.parse,
    "TIMEOUT": matching(r"[0-9]{1,4}(\.[0-9]{1,3})?", float, "a number of seconds, such as 5 or 0.5; 0 means no limit"),
    "RATE_LIMIT": rate_limit.read,
    "PROXIES": matching("[0-9]{1,2}", int, "a number of proxies, such as 1"),
}
