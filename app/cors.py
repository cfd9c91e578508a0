"""CORS: which web pages may read the responses, if CONVERSIONS_ORIGINS allows any. Decisions 33, 51."""

from http import HTTPStatus

from flask import Flask, Response, request
from flask_cors import CORS

# For the endpoint and its demo data, * means every page. Only pages of this machine may change what other people test with.
LOCAL = r"^https?://(?:(?:[a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?$"


def init_app(app: Flask) -> None:
    if not app.config["ORIGINS"]:
        return
    app.before_request(answer_preflight)
    app.after_request(add_timing_allow_origin)
    origins, is_mock = app.config["ORIGINS"].split(), app.config["MOCK"] == "1"
    CORS(
        app,
        resources={
            "/api/.*|/openapi.(json|yaml)|/readyz": {"origins": origins},
            "/_mock/.*": {"origins": mock_origins(app.config["ORIGINS"])},
        },
        # A mock lets a browser send whatever it wants to, so that a wrong request gets a response that says what is wrong.
        allow_headers="*" if is_mock else ["Authentication", "Content-Type", "Prefer"],
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"] if is_mock else ["GET", "POST"],
        supports_credentials=is_mock,
        expose_headers=["Allow", "Pagination-Warning", "Preference-Applied", "Retry-After", "Server-Timing"],
    )


def mock_origins(setting: str) -> list[str]:
    """Return the origins whose pages may use /_mock, as flask-cors takes them: texts and patterns."""
    return [LOCAL if origin == "*" else origin for origin in setting.split()]


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
