"""Headers of every response: CORS, security, Server-Timing; and a log line for each request to the endpoint."""

from http import HTTPStatus
from itertools import groupby

from flask import Flask, Response, current_app, g, request
from flask_cors import CORS

from app import api, strategies

# A page runs and asks nothing but what this server sends.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def init_app(app: Flask) -> None:
    app.after_request(add_server_timing)
    app.after_request(add_security_headers)
    if app.config["ORIGINS"]:
        app.before_request(answer_preflight)
        CORS(
            app,
            resources=["/api/.*", "/openapi.(json|yaml)"],
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


def add_server_timing(response: Response) -> Response:
    """Server-Timing, which browsers show among a request's timings, and one line in the log: neither holds a key or an address."""
    if request.path != api.PATH:
        return response
    page: strategies.Page | None = g.get("page")
    timing = f"sql;dur={g.get('seconds_in_sql', 0) * 1000:.2f}"
    if page:
        timing += f', strategy;desc="{page.strategy}", batches;desc="{page.batches}", rows;desc="{page.rows_looked_at}"'
    if page and page.found:
        timing += f', found;desc="{in_runs(page.found)}"'
    response.headers["Server-Timing"] = timing
    current_app.logger.info("%s %s %s", request.method, response.status_code, timing)
    return response


def add_security_headers(response: Response) -> Response:
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
