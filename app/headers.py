"""Headers of every response: security, Server-Timing; and a log line for each request to the endpoint."""

from itertools import groupby

from flask import Flask, Response, current_app, g, request

from app import api

# A page runs only scripts of this server, and sends requests only to it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def init_app(app: Flask) -> None:
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    if request.path == api.PATH:
        add_server_timing(response)
    add_security_headers(response)
    return response


def add_server_timing(response: Response) -> None:
    """Add Server-Timing, which browsers show, and log it. It contains no key, filter or address."""
    timing = f"sql;dur={sum([statement.seconds for statement in g.get('ran', [])]) * 1000:.2f}"
    if page := g.get("page"):
        timing += f', strategy;desc="{page.strategy}", batches;desc="{page.batches}"'
        if page.conversions_per_batch:
            timing += f', found;desc="{run_lengths(page.conversions_per_batch)}"'
    response.headers["Server-Timing"] = timing
    current_app.logger.info("%s %s %s", request.method, response.status_code, timing)


def add_security_headers(response: Response) -> None:
    """Forbid caching of responses, and guessing of their type."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.is_json:
        response.headers["Cache-Control"] = "no-store"
    else:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["Referrer-Policy"] = "no-referrer"


def run_lengths(counts: list[int]) -> str:
    """Return the conversions of each batch, with equal neighbours counted: 0*12,3,47."""
    return ",".join(f"{count}*{number}" if (number := len(list(run))) > 1 else f"{count}" for count, run in groupby(counts))
