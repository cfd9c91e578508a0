"""Which web pages may use /_mock: those of the allowed origins, and no other ones. Decision 51.

CORS keeps other pages from reading a response, but not from sending a POST. So the server refuses it.
"""

import re

from flask import Flask, current_app, request
from werkzeug.exceptions import Forbidden

from ..cors import LOCAL, mock_origins


def init_app(app: Flask) -> None:
    app.before_request(refuse_other_pages)


def refuse_other_pages() -> None:
    if not request.path.startswith("/_mock/"):
        return
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    if origin is None and (site in ("none", "same-origin") or request.method in ("GET", "HEAD", "OPTIONS")):
        return
    allowed = mock_origins(current_app.config["ORIGINS"])
    if origin is None or not any(origin == text or (text == LOCAL and re.match(LOCAL, origin)) for text in allowed):
        who = f"A page of {origin[:200]}" if origin else "A page of another site"
        raise Forbidden(f"{who} may not use {request.path}. CONVERSIONS_ORIGINS lists the origins whose pages may.")
