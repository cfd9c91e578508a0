"""Which web pages may read the responses, and which may use /_mock: those of CONVERSIONS_ORIGINS. Decisions 33, 51.

An origin is scheme://host or scheme://host:port. In *.example.com the * stands for one label. A * alone means every page; for
/_mock, which changes what other people test with, it means only pages of this machine.
"""

import re
from http import HTTPStatus

from flask import Flask, current_app, request
from flask_cors import CORS
from werkzeug.exceptions import Forbidden

_LABEL = "[a-z0-9-]+"
_ORIGIN = re.compile(rf"https?://((\*\.)?({_LABEL}\.)*{_LABEL}|\[[0-9a-f:]+\])(:[0-9]+)?", re.IGNORECASE)
_PORT = ":[0-9]+$"
_OWN_HOST = re.compile(rf"{_LABEL}|({_LABEL}\.)*localhost|([0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}|\[[0-9a-f:.]+\]", re.IGNORECASE)
LOCAL = rf"https?://(({_LABEL}\.)*localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?"


def read(setting: str) -> list[str]:
    """Return the origins in the setting, which are separated by spaces. Raises ValueError with a sentence."""
    origins = setting.split()
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin} is not an origin. An origin is scheme://host or scheme://host:port, without a path, such as "
                "https://app.example.com or http://localhost:3000; * allows every page, https://*.example.com every subdomain."
            )
    return origins


def init_app(app: Flask) -> None:
    origins, is_mock = app.config["ORIGINS"], app.config["MOCK"]
    if is_mock:
        app.before_request(refuse_other_pages)
    if not origins:
        return
    app.before_request(answer_preflight)
    CORS(
        app,
        resources={
            "/api/.*|/openapi.json|/readyz": {"origins": "*" if "*" in origins else [pattern(origins)]},
            "/_mock/.*": {"origins": [pattern(origins)]},
        },
        # A mock lets a browser send whatever it wants to, so that a wrong request gets a response that says what is wrong.
        allow_headers="*" if is_mock else ["Authentication", "Content-Type", "Prefer"],
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"] if is_mock else ["GET", "POST"],
        supports_credentials=is_mock,
        expose_headers=["Allow", "Pagination-Warning", "Preference-Applied", "Retry-After", "Server-Timing"],
    )


def pattern(origins: list[str]) -> re.Pattern:
    """Return a pattern that matches these origins as a whole. Here * is every page of this machine."""
    texts = [LOCAL if origin == "*" else re.escape(origin).replace(r"\*", _LABEL) for origin in origins]
    return re.compile(rf"(?:{'|'.join(texts)})\Z", re.IGNORECASE)


def refuse_other_pages() -> None:
    """Refuse a request to /_mock that a page of another origin sends: CORS keeps it from reading the response, not from sending.

    A page whose name points to this machine (DNS rebinding) is of the same origin to a browser, but its name is the Host header.
    """
    if not request.path.startswith("/_mock/"):
        return
    if not is_own_host(request.host):
        raise Forbidden(
            f"{request.path} can't be used under the name {request.host[:200]}, which any web page could have pointed here. Use "
            "localhost or an IP address, or list the name's origin in CONVERSIONS_ORIGINS."
        )
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    if origin is None and (site in ("none", "same-origin") or request.method in ("GET", "HEAD", "OPTIONS")):
        return
    if not origin or not pattern(current_app.config["ORIGINS"]).match(origin):
        who = f"A page of {origin[:200]}" if origin else "A page of another site"
        raise Forbidden(f"{who} may not use {request.path}. CONVERSIONS_ORIGINS lists the origins whose pages may.")


def is_own_host(host: str) -> bool:
    """Tell whether a Host header is an IP address, a name without a dot, localhost, or the host of a listed origin."""
    name = re.sub(_PORT, "", host)
    listed = pattern([re.sub(_PORT, "", origin) for origin in current_app.config["ORIGINS"] if origin != "*"])
    return bool(_OWN_HOST.fullmatch(name) or listed.match(f"http://{name}") or listed.match(f"https://{name}"))


def answer_preflight():
    """Answer a preflight. It sends no key; CORS adds the headers."""
    return ("", HTTPStatus.NO_CONTENT) if is_preflight() else None


def is_preflight() -> bool:
    """Tell whether a browser asks if it may send a request, instead of sending it."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
