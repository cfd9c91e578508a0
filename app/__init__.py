"""The reference implementation of the AttributionHub conversions API."""

import logging
import re
from functools import partial
from pathlib import Path

import click
import orjson
from flask import Flask
from flask.json.provider import JSONProvider
from flask.logging import default_handler
from werkzeug.middleware.proxy_fix import ProxyFix

from app import api, cli, cors, errors, explorer, headers, health, instants, loading, mock, openapi, rate_limit
from app.database import Database
from app.mock import beside, prefer


def create_app(settings: dict | None = None) -> Flask:
    """Create the app from environment variables (README: Configuration) and the given settings, which take precedence.

    Raises click.ClickException with a sentence if a setting is wrong.
    """
    app = Flask(__name__)
    app.config.from_mapping(DATABASE=Path(app.instance_path) / "conversions.sqlite", NOW="", ORIGINS=None, DELAY="0")
    app.config.from_mapping(MOCK="1" if cli.is_flask_run() else "0", TIMEOUT="0", RATE_LIMIT="", PROXIES="0")
    app.config.from_prefixed_env("CONVERSIONS", loads=str)
    app.config.update(settings or {})
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False  # Flask would redirect, in HTML
    app.logger.setLevel(logging.INFO)
    default_handler.addFilter(is_logging_left_to_flask)

    app.extensions["database"] = Database(Path(app.config["DATABASE"]), _read(app, "TIMEOUT", _seconds))
    app.extensions["clock"] = _read(app, "NOW", instants.Clock)
    app.extensions["delay"] = _read(app, "DELAY", prefer.milliseconds)
    is_mock = _read(app, "MOCK", _switch)
    if app.config["ORIGINS"] is None:
        app.config["ORIGINS"] = "*" if is_mock else ""

    # These answer a request. The rest is optional.
    api.init_app(app)
    errors.init_app(app)
    headers.init_app(app)
    cors.init_app(app)

    if proxies := _read(app, "PROXIES", _count):
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)
    if app.config["RATE_LIMIT"]:
        _read(app, "RATE_LIMIT", partial(rate_limit.init_app, app))
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
    """Flask's JSON provider with orjson, which is ten times as fast for a page of conversions."""

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


def _count(setting: str) -> int:
    if not re.fullmatch("[0-9]{1,2}", setting):
        raise ValueError("Must be a number of proxies, such as 1.")
    return int(setting)


def _seconds(setting: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", setting):
        raise ValueError("Must be a number of seconds, such as 5 or 0.5; 0 means no limit.")
    return float(setting)


def _switch(setting: str) -> bool:
    if setting not in ("0", "1"):
        raise ValueError("Must be 1 or 0.")
    return setting == "1"
