"""Every error of the API as JSON, {"error": "sentence"}. Decisions 27, 79."""

import sqlite3
from calendar import monthrange
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Flask, current_app, g, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from . import api, fields, instants, schemas
from .accounts import LimitExceeded


def init_app(app: Flask) -> None:
    app.register_error_handler(ValidationError, wrong_fields)
    app.register_error_handler(LimitExceeded, limit_exceeded)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(sqlite3.Error, database_error)


def wrong_fields(error: ValidationError):
    faults = list(fields.flat(error.messages_dict).items())
    told = dict(faults[: fields.MOST_FAULTS])
    more = f" and {len(faults) - len(told)} more" if len(told) < len(faults) else ""
    return {
        "error": f"The body has faults in: {', '.join(map(fields.shown_name, told))}{more}.",
        "fields": told,
    }, HTTPStatus.BAD_REQUEST


def limit_exceeded(error: LimitExceeded):
    account = error.account
    figures = {"error": schemas.LIMIT_EXCEEDED, "limit": account.monthly_limit, "used": error.used, "domain": account.domain}
    today = datetime.fromtimestamp(g.now, UTC)
    _, days = monthrange(today.year, today.month)
    seconds_left = (days - today.day + 1) * instants.DAY - g.now % instants.DAY
    return figures, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(seconds_left)}


def http_error(error: HTTPException):
    """Return Flask's own errors as JSON instead of HTML. Keep headers such as Allow."""
    methods = " or ".join(sorted(getattr(error, "valid_methods", None) or []))
    sentences: dict[int | None, str | None] = {
        404: f"There is nothing at {request.path[:200]}. Conversions are at POST {api.PATH}.",
        405: f"{request.path} does not accept {request.method[:20]}, only {methods}.",
        429: f"Too many requests from your address. At most {error.description} are allowed.",
        500: "The server failed. Its log says why.",
    }
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    return {"error": sentences.get(error.code, error.description)}, error.code, headers


def database_error(error: sqlite3.Error):
    if getattr(error, "sqlite_errorname", None) == "SQLITE_INTERRUPT":
        longest = f"{current_app.config['TIMEOUT']:g} s"
        sentence = f"The query took longer than the {longest} that this server allows. Choose a shorter window."
        return {"error": sentence}, HTTPStatus.SERVICE_UNAVAILABLE
    current_app.logger.error("The database %s can't be used: %s", current_app.config["DATABASE"], error)
    return {"error": "The database can't be used at the moment. The server's log says why."}, HTTPStatus.SERVICE_UNAVAILABLE
