"""POST /api/v1/conversions: key, limit, body, query, page; every error as JSON. Decisions 2, 4, 5, 13, 26 to 28, 38, 39."""

import re
import sqlite3
from calendar import monthrange
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import groupby

from flask import Blueprint, Flask, Response, current_app, g, request
from flask_cors import CORS
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, Unauthorized, UnsupportedMediaType

from app import accounts, instants, schemas, strategies, strict_json
from app.accounts import LimitExceeded
from app.database import Connection, Database

PATH = "/api/v1/conversions"
LARGEST_BODY = 64 * 1024  # bytes

NO_KEY = "The request carries no key; send it in the header Authentication (not Authorization)."

# A page runs and asks nothing but what this server sends.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

api = Blueprint("api", __name__)


def init_app(app: Flask) -> None:
    # One byte more than is taken: Werkzeug cuts a chunked body here without a word, and the extra byte shows that it was longer.
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY + 1
    app.json.sort_keys = False
    app.json.ensure_ascii = False
    app.url_map.merge_slashes = False  # it would answer with a redirect, in HTML
    app.register_blueprint(api)
    if app.config["ORIGINS"]:
        app.before_request(answer_preflight)
        CORS(
            app,
            resources=["/api/.*", "/openapi.json"],
            origins=app.config["ORIGINS"].split(),
            allow_headers=["Authentication", "Content-Type", "Prefer"],
            methods=["GET", "POST"],
            expose_headers=["Preference-Applied", "Retry-After", "Server-Timing"],
        )


def answer_preflight():
    """A browser's question whether it may ask, which carries no key; CORS adds what it wants to know."""
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return "", HTTPStatus.NO_CONTENT
    return None


@api.route(PATH, methods=["POST"], provide_automatic_options=False)
def conversions():
    database: Database = current_app.extensions["database"]
    now = g.now = current_app.extensions["clock"]()

    key = sent_key()
    with database.reading() as connection:
        account = authenticate(connection, key)
    accounts.count_call(database, account, datetime.fromtimestamp(now, UTC).date())

    query = schemas.load_query(body(), now)
    with database.reading() as connection:
        account = authenticate(connection, key)  # again: while the body came in, a key can be revoked, and the file exchanged
        page = g.page = strategies.page(connection, query | {"account": account.id}, current_app.extensions["memory"])
        g.seconds_in_sql = sum(statement.seconds for statement in connection.ran)
    return {"message": schemas.NOTHING_FOUND} if page.nothing_matches else answer(page)


def sent_key() -> str:
    key = request.headers.get("Authentication", "").strip(" \t")  # not every server in front takes them away
    if not key:
        raise Unauthorized(NO_KEY)
    return key


def authenticate(connection: Connection, key: str) -> accounts.Account:
    account = accounts.authenticate(connection, key)
    if account is None:
        raise Unauthorized("The key in the header Authentication is unknown; send the key alone, without a word before it.")
    return account


def body() -> dict:
    """The request's body; none and a blank one are {}."""
    if request.query_string:
        raise BadRequest("Send filters in the JSON body, not in the URL.")
    length = request.environ.get("CONTENT_LENGTH")
    if length and not re.fullmatch("[0-9]{1,18}", length):  # Werkzeug would take it for none
        raise BadRequest("The header Content-Length is not the number of bytes of the body.")
    if "HTTP_TRANSFER_ENCODING" in request.environ:
        length = None
        # Not every server decodes chunks, nor in another version of HTTP: Waitress takes such a body for none.
        if not request.environ.get("wsgi.input_terminated") or request.environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
            raise BadRequest("The server in front passes no chunked bodies on; send one with its Content-Length.")
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise
    except Exception:  # each server in front has errors of its own for a chunk that is none
        raise BadRequest("The request broke off, or is not valid HTTP.") from None
    if len(raw) > LARGEST_BODY:
        raise RequestEntityTooLarge
    if length and int(length) != len(raw):
        raise BadRequest(f"The body has {len(raw)} of the {length} bytes that Content-Length announces.")
    if not raw.strip(b" \t\r\n"):
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(wrong_type(request.mimetype or "nothing"))
    try:
        value = strict_json.parse(raw)
    except ValueError as fault:
        raise BadRequest(f"The body {fault}.") from None
    if not isinstance(value, dict):
        raise BadRequest(f"The body must be a JSON object, not {schemas.kind(value)}.")
    return value


def wrong_type(mimetype: str) -> str:
    return f"Send the body as Content-Type: application/json, not as {mimetype}."


def answer(page: strategies.Page) -> dict:
    return {
        "records": [
            {
                "email": email,
                "timestamp": timestamp,
                "conversion_page": conversion_page,
                "previous_page": previous_page,
                "conversion_meta": {"type": meta_type, "id": meta_id},
            }
            for _, email, timestamp, conversion_page, previous_page, meta_type, meta_id in page.conversions
        ],
        "pagination": {
            "records_processed": page.records_processed,
            "total_records": page.total_records,
            "has_more": page.has_more,
        },
    }


@api.after_request
def tell_what_it_took(response: Response) -> Response:
    """Server-Timing, which browsers show among a request's timings, and one line in the log: neither holds a key or an address."""
    page: strategies.Page | None = g.get("page")
    timing = f"sql;dur={g.get('seconds_in_sql', 0) * 1000:.2f}"
    if page:
        timing += f', strategy;desc="{page.strategy}", batches;desc="{page.batches}", rows;desc="{page.rows_looked_at}"'
    if page and page.found:
        timing += f', found;desc="{in_runs(page.found)}"'
    response.headers["Server-Timing"] = timing
    current_app.logger.info("%s %s %s", request.method, response.status_code, timing)
    return response


@api.after_app_request
def protect(response: Response) -> Response:
    """Nobody on the way keeps an answer, and no browser takes it for anything but what it is."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.is_json:
        response.headers["Cache-Control"] = "no-store"
    else:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
    return response


def in_runs(found: list[int]) -> str:
    """The conversions of each batch, equal neighbours as one: 0*12,3,47. Those that were passed over together, on a page that
    takes many, are not told one by one.
    """
    return ",".join(f"{count}*{number}" if (number := len(list(run))) > 1 else f"{count}" for count, run in groupby(found))


# Errors: {"error": "sentence"}, and for a 400 about fields their own sentences too.


@api.app_errorhandler(ValidationError)
def wrong_fields(error: ValidationError):
    faults = list(schemas.flat(error.messages).items())
    told = dict(faults[: schemas.MOST_FAULTS])
    more = f" and {len(faults) - len(told)} more" if len(told) < len(faults) else ""
    return {"error": f"The body has faults in: {', '.join(told)}{more}.", "fields": told}, HTTPStatus.BAD_REQUEST


@api.app_errorhandler(LimitExceeded)
def limit_exceeded(error: LimitExceeded):
    account = error.account
    figures = {"error": schemas.LIMIT_EXCEEDED, "limit": account.monthly_limit, "used": error.used, "domain": account.domain}
    now = g.get("now") or current_app.extensions["clock"]()  # that of the month that was counted; a mock has none
    return figures, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(seconds_left_in_month(now))}


def seconds_left_in_month(now: int) -> int:
    today = datetime.fromtimestamp(now, UTC)
    _, days = monthrange(today.year, today.month)
    return (days - today.day + 1) * instants.DAY - now % instants.DAY


@api.app_errorhandler(HTTPException)
def http_error(error: HTTPException):
    """What Flask refuses by itself, in JSON instead of HTML; its headers, such as Allow, stay."""
    sentences = {
        404: f"There is nothing at {request.path}; conversions are at POST {PATH}.",
        405: f"{request.path} takes {' or '.join(sorted(getattr(error, 'valid_methods', None) or []))} alone.",
        413: f"The body is larger than {LARGEST_BODY} bytes, the most that is taken.",
        500: "The server failed; its log says why.",
    }
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    return {"error": sentences.get(error.code, error.description)}, error.code, headers


@api.app_errorhandler(sqlite3.Error)
def database_error(error: sqlite3.Error):
    current_app.logger.error("The database %s cannot answer: %s", current_app.extensions["database"].path, error)
    return {"error": "The database cannot answer at the moment; the server's log says why."}, HTTPStatus.SERVICE_UNAVAILABLE
