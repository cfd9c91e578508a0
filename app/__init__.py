"""The reference implementation of the AttributionHub conversions API."""

import time
from pathlib import Path

import click
from flask import Flask

from app import api, cli, instants
from app.database import Database


def create_app(settings: dict | None = None) -> Flask:
    """The app, set up from environment variables (README: Settings), and from the settings given, which win.

    Raises click.ClickException with a sentence where a setting is wrong.
    """
    app = Flask(__name__)
    app.config.from_mapping(DATABASE=Path(app.instance_path) / "conversions.sqlite", NOW=None)
    app.config.from_prefixed_env("CONVERSIONS", loads=str)
    app.config.update(settings or {})

    app.extensions["database"] = Database(Path(app.config["DATABASE"]))
    app.extensions["clock"] = _clock(app.config["NOW"])
    api.init_app(app)
    cli.init_app(app)
    return app


def _clock(setting: str | None):
    """What tells the time, in seconds since 1970: the system, or the instant of CONVERSIONS_NOW."""
    if not setting:
        return lambda: int(time.time())
    try:
        now = instants.parse(setting, "start")
    except ValueError as fault:
        raise click.ClickException(f"The setting CONVERSIONS_NOW is wrong: {setting}. {fault}") from None
    return lambda: min(max(now, instants.EARLIEST), instants.LATEST)
