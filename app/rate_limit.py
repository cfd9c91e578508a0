"""A rate limit by client address, for hosting platforms where no proxy of your own can do it. Off by default."""

from typing import cast

import click
from flask import Flask, Response
from flask.typing import RouteCallable


def read(rate: str) -> str:
    """Check the rate. Raises ValueError if it can't be parsed, and click.ClickException if Flask-Limiter is not installed."""
    if rate:
        try:
            from limits import parse_many
        except ImportError:
            raise click.ClickException("CONVERSIONS_RATE_LIMIT needs Flask-Limiter: pip install '.[serve]'") from None
        try:
            parse_many(rate)
        except ValueError:
            raise ValueError("Must be a rate such as 10 per second.") from None
    return rate


def init_app(app: Flask) -> None:
    """Limit how often an address may send a request to the endpoint, such as "10 per second", per server process."""
    if rate := app.config["RATE_LIMIT"]:
        from flask_limiter import Limiter
        from flask_limiter.util import get_remote_address

        app.after_request(drop_retry_after)  # runs after Flask-Limiter's own, which is added later
        limiter = Limiter(get_remote_address, app=app, headers_enabled=True, storage_uri="memory://")
        limited = limiter.limit(rate)(app.view_functions["conversions"])
        app.view_functions["conversions"] = cast(RouteCallable, limited)


def drop_retry_after(response: Response) -> Response:
    """Flask-Limiter adds Retry-After to every response. A client of a response with data need not wait."""
    if response.status_code < 400:
        del response.headers["Retry-After"]
    return response
