"""The reference implementation of the AttributionHub conversions API."""

import logging
from pathlib import Path

import click
from flask import Flask

from app import api, cli, errors, explorer, headers, health, instants, loading, mock, openapi
from app.database import Database
from app.fast.fences import Memory
from app.mock import beside, prefer


def create_app(settings: dict | None = None) -> Flask:
    """The app, set up from environment variables (README: Settings), and from the settings given, which win.

    Raises click.ClickException with a sentence where a setting is wrong.
    """
    app = Flask(__name__)
    app.config.from_mapping(DATABASE=Path(app.instance_path) / "conversions.sqlite", NOW="", ORIGINS=None, DELAY="0")
    app.config["MOCK"] = "1" if cli.is_flask_run() else "0"
    app.config.from_prefixed_env("CONVERSIONS", loads=str)
    app.config.update(settings or {})
    app.logger.setLevel(logging.INFO)

    app.extensions["database"] = Database(Path(app.config["DATABASE"]))
    app.extensions["memory"] = Memory()
    app.extensions["clock"] = _read(app, "NOW", instants.Clock)
    app.extensions["delay"] = _read(app, "DELAY", prefer.milliseconds)
    is_mock = _read(app, "MOCK", _switch)
    if app.config["ORIGINS"] is None:
        app.config["ORIGINS"] = "*" if is_mock else ""

    api.init_app(app)
    errors.init_app(app)
    headers.init_app(app)
    openapi.init_app(app)
    explorer.init_app(app)
    health.init_app(app)
    if is_mock:
        mock.init_app(app)
    loading.init_app(app)
    app.register_blueprint(beside.commands)
    cli.init_app(app)
    return app


def _read(app: Flask, name: str, reader):
    setting = app.config[name]
    try:
        return reader(setting)
    except ValueError as fault:
        raise click.ClickException(f"The setting CONVERSIONS_{name} is wrong: {setting}. {fault}") from None


def _switch(setting: str) -> bool:
    if setting not in ("0", "1"):
        raise ValueError("Must be 1 or 0.")
    return setting == "1"
