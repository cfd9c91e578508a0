"""The reference implementation of the AttributionHub conversions API."""

import logging
from pathlib import Path

import click
import orjson
from flask import Flask
from flask.json.provider import JSONProvider
from flask.logging import default_handler

from app import api, cli, errors, explorer, headers, health, instants, loading, mock, openapi
from app.database import Database
from app.mock import beside


def create_app(settings: dict | None = None) -> Flask:
    """Create the app from environment variables (README: Configuration) and the given settings, which take precedence.

    Raises click.ClickException with a sentence if a setting is wrong.
    """
    app = Flask(__name__)
    app.config.from_mapping(DATABASE=Path(app.instance_path) / "conversions.sqlite", NOW="", ORIGINS=None, DELAY="0")
    app.config["MOCK"] = "1" if cli.is_flask_run() else "0"
    app.config.from_prefixed_env("CONVERSIONS", loads=str)
    app.config.update(settings or {})
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False  # Flask would redirect, in HTML
    app.logger.setLevel(logging.INFO)
    default_handler.addFilter(is_logging_left_to_flask)

    app.extensions["database"] = Database(Path(app.config["DATABASE"]))
    app.extensions["clock"] = _read(app, "NOW", instants.Clock)
    app.extensions["delay"] = _read(app, "DELAY", mock.milliseconds)
    is_mock = _read(app, "MOCK", _switch)
    if app.config["ORIGINS"] is None:
        app.config["ORIGINS"] = "*" if is_mock else ""

    # These answer a request. The rest is optional.
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


class OrjsonProvider(JSONProvider):
    """Flask's JSON by orjson, which takes a tenth of the time for a page of conversions."""

    def dumps(self, obj, **kwargs) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s, **kwargs):
        return orjson.loads(s)

    def response(self, *args, **kwargs):
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), option=orjson.OPT_APPEND_NEWLINE)
        return self._app.response_class(body, mimetype="application/json")


def is_logging_left_to_flask(record: logging.LogRecord) -> bool:
    """Filter Flask's own log handler: if the server has set up logging itself, as Waitress does, each line would appear twice."""
    return not logging.getLogger().handlers


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
