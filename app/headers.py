"""Headers of every response: CORS, security, Server-Timing; and a log line for each request to the endpoint."""

from http import HTTPStatus
from itertools import groupby

from flask import Flask, Response, current_app, g, request
from flask_cors import CORS

from app import api
from app.mock import browsers

# A page runs only scripts of this server, and sends requests only to it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def init_app(app: Flask) -> None:
    app.after_request(add_server_timing)
    app.after_request(add_security_headers)
    if app.config["ORIGINS"]:
        app.before_request(answer_preflight)
        app.after_request(add_timing_allow_origin)
        origins, is_mock = app.config["ORIGINS"].split(), app.config["MOCK"] == "1"
        CORS(
            app,
            resources={
                "/api/.*|/openapi.(json|yaml)|/readyz": {"origins": origins},
                "/_mock/.*": {"origins": browsers.allowed_origins(app.config["ORIGINS"])},
            },
            # A mock lets a browser send whatever it wants to, so that a wrong request gets a response that says what is wrong.
            allow_headers="*" if is_mock else ["Authentication", "Content-Type", "Prefer"],
            methods=["GET", "POST", "PUT", "PATCH", "DELETE"] if is_mock else ["GET", "POST"],
            supports_credentials=is_mock,
            expose_headers=["Allow", "Pagination-Warning", "Preference-Applied", "Retry-After", "Server-Timing"],
        )


def add_timing_allow_origin(response: Response) -> Response:
    """Let pages of other origins read Server-Timing as PerformanceResourceTiming.serverTiming, if they can read the response."""
    if origin := response.headers.get("Access-Control-Allow-Origin"):
        response.headers["Timing-Allow-Origin"] = origin
    return response


def answer_preflight():
    """Answer a browser that asks whether it may send a request. It sends no key; CORS adds the headers."""
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return "", HTTPStatus.NO_CONTENT
    return None


def add_server_timing(response: Response) -> Response:
    """Add Server-Timing, which browsers show, and log it. It contains no key, filter or address."""
    if request.path != api.PATH:
        return response
    timing = f"sql;dur={sum(statement.seconds for statement in g.get('ran', [])) * 1000:.2f}"
    if page := g.get("page"):
        timing += f', strategy;desc="{page.strategy}", batches;desc="{page.batches}"'
        if page.conversions_per_batch:
            timing += f', found;desc="{run_lengths(page.conversions_per_batch)}"'
    response.headers["Server-Timing"] = timing
    current_app.logger.info("%s %s %s", request.method, response.status_code, timing)
    return response


def add_security_headers(response: Response) -> Response:
    """Forbid caching of responses, and guessing of their type."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.is_json:
        response.headers["Cache-Control"] = "no-store"
    else:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
    return response


def run_lengths(counts: list[int]) -> str:
    """Return the conversions of each batch, with equal neighbours counted: 0*12,3,47."""
    return ",".join(f"{count}*{number}" if (number := len(list(run))) > 1 else f"{count}" for count, run in groupby(counts))
