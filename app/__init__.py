"""The reference implementation of the AttributionHub conversions API."""

import logging

import orjson
from flask import Flask, Response
from flask.json.provider import JSONProvider
from flask.logging import default_handler
from werkzeug.middleware.proxy_fix import ProxyFix

from . import api, commands, errors, headers, health, instants, mock, origins, rate_limit, request_log, settings
from .database import Database
from .explorer import pages as explorer
from .openapi import document as openapi


def create_app(given: dict | None = None) -> Flask:
    """Create the app from environment variables (app/commands/README.md) and the given settings, which take precedence.

    Raises click.ClickException with a sentence if a setting is wrong.
    """
    app = Flask(__name__)
    settings.load(app, given or {}, is_mock=commands.is_flask_run())
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False  # Flask would redirect, in HTML
    app.logger.setLevel(logging.INFO)
    default_handler.addFilter(is_logging_left_to_flask)
    app.extensions["database"] = Database(app.config["DATABASE"])
    app.extensions["clock"] = instants.Clock(app.config["NOW"])

    # These answer a request. The rest is optional.
    api.init_app(app)
    errors.init_app(app)
    app.after_request(headers.add_security_headers)
    app.after_request(request_log.add_server_timing)
    origins.init_app(app)

    if proxies := app.config["PROXIES"]:
        # mypy takes it for a method only; Flask's documentation says to wrap it like this
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    rate_limit.init_app(app)
    openapi.init_app(app)
    app.register_blueprint(explorer.bp)
    app.register_blueprint(health.bp)
    if app.config["MOCK"]:
        mock.init_app(app)
    commands.init_app(app, create_app)
    return app


class OrjsonProvider(JSONProvider):
    """Flask's JSON provider with orjson, which is ten times as fast for a page of conversions."""

    def dumps(self, obj, **kwargs) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s, **kwargs):
        return orjson.loads(s)

    def response(self, *args, **kwargs):
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), option=orjson.OPT_APPEND_NEWLINE)
        return Response(body, mimetype="application/json")


def is_logging_left_to_flask(record: logging.LogRecord) -> bool:
    """Filter Flask's own log handler: if the server has set up logging itself, each line would appear twice."""
    return not logging.getLogger().handlers
