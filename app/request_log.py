"""How long a request to the endpoint took: the header Server-Timing and a line in the log, without keys, filters or addresses."""

from itertools import groupby, islice

from flask import Response, current_app, g, request

from . import api

MOST_RUNS = 20  # of batches, so that the header stays short
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def add_server_timing(response: Response) -> Response:
    """Add Server-Timing, which browsers show, to a response of the endpoint, and log it."""
    if request.path != api.PATH:
        return response
    timing = f"sql;dur={sum([statement.seconds for statement in g.get('ran', [])]) * 1000:.2f}"
    if page := g.get("page"):
        timing += f', strategy;desc="{page.strategy}", batches;desc="{len(page.conversions_per_batch)}"'
        if page.conversions_per_batch:
            timing += f', found;desc="{run_lengths(page.conversions_per_batch)}"'
    response.headers["Server-Timing"] = timing
    if origin := response.headers.get("Access-Control-Allow-Origin"):  # whose pages can read it as serverTiming then
        response.headers["Timing-Allow-Origin"] = origin
    method = request.method if request.method in METHODS else "(another method)"  # a client can send anything of any length
    current_app.logger.info("%s %s %s", method, response.status_code, timing)
    return response


def run_lengths(counts: list[int]) -> str:
    """Return how many conversions each of the first batches had: 0*12,3,47 means 12 batches with none, then 3, then 47."""
    runs = [(count, len(list(run))) for count, run in islice(groupby(counts), MOST_RUNS)]
    return ",".join(f"{count}*{number}" if number > 1 else f"{count}" for count, number in runs)
