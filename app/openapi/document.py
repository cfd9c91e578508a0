"""The OpenAPI document, generated from the schemas that load the requests: /openapi.json, and Swagger UI at /docs/.

Decisions 58, 60, 61.
"""

import json
from functools import cache
from pathlib import Path

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Flask, request
from flask_swagger_ui import get_swaggerui_blueprint

from .. import api, schemas
from ..body import LARGEST_BODY

# Requests that return records with the key YOUR_API_KEY, and responses by status: tests/tools/examples.py records them.
EXAMPLES = json.loads((Path(__file__).parent / "examples.json").read_text(encoding="utf-8"))

SERVER = "http://127.0.0.1:5000"  # where flask run listens

ALLOW = {"Allow": {"description": "The allowed method.", "required": True, "schema": {"type": "string", "example": "POST"}}}
RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until the next month begins (UTC).",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "example": 1425600},
    }
}

# The errors of the endpoint: when each is returned, its schema, its headers.
ERRORS = {
    400: ("The body is invalid, or the URL has parameters. The sentences say what is wrong and where.", schemas.BadRequest, {}),
    401: ("The key is missing or unknown.", schemas.ApiError, {}),
    405: ("The method is not POST.", schemas.ApiError, ALLOW),
    413: (f"The body is larger than {LARGEST_BODY} bytes.", schemas.ApiError, {}),
    415: ("The content type of the body is not application/json.", schemas.ApiError, {}),
    429: ("The account's monthly limit is used up.", schemas.LimitExceeded, RETRY_AFTER),
    503: ("The database cannot be read at the moment.", schemas.ApiError, {}),
}

INTRODUCTION = """\
A reference implementation of the AttributionHub conversions API, with bundled data. The key `YOUR_API_KEY` returns records."""

DESCRIPTION = """\
Returns the conversions of an account within a window of time, newest first. All filters are optional and match exactly; \
a conversion has to match all of them. The default window is the last 30 days.

**Without a session filter**, a page has up to 50 conversions, and `offset` counts conversions. **With a session filter** \
(`source`, `medium`, `campaign`, `content`, `term` or `landing_page`), the server reads the matching sessions in batches of 200 \
until it has found 50 or more conversions, and `offset` counts sessions.

In both cases, send `records_processed` as the next `offset` until `has_more` is false.

**On a mock server** (`flask run`, or `CONVERSIONS_MOCK=1`) the request header `Prefer` forces rare responses: `Prefer: code=429` \
returns that status, `Prefer: delay=1500` waits that many milliseconds. The real API ignores it."""

bp = Blueprint("openapi", __name__, static_folder="static", static_url_path="/docs/assets", template_folder="templates")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    # Its page is templates/index.template.html, which replaces the one of the package.
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json"))


@bp.get("/openapi.json", endpoint="document")
def openapi_json():
    # Werkzeug's host is empty if the header Host is missing or not valid; "/" is the server that the document came from.
    return document(request.host_url.rstrip("/") if request.host else "/")


def document(server: str = SERVER) -> dict:
    """Return the OpenAPI document of a server, given as its base URL."""
    found = {**_document(), "servers": [{"url": server}]}
    return {part: found[part] for part in ("openapi", "info", "servers", "tags", "paths", "components")}


@cache
def _document() -> dict:
    spec = APISpec(
        title="AttributionHub conversions API",
        version="1.0.0",
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        info={
            "summary": "All conversions within a window of time, page by page",
            "description": INTRODUCTION,
            "contact": {"name": "The maintainers of this reference implementation"},
        },
        tags=[{"name": "Conversions", "description": "Conversions of the account that the key belongs to."}],
    )
    spec.components.security_scheme(
        "key",
        {
            "type": "apiKey",
            "in": "header",
            "name": "Authentication",
            "description": "The key, without a word before it. The header is `Authentication`, not `Authorization`.",
        },
    )
    # Generators name types after these.
    spec.components.schema("ConversionsQuery", schema=schemas.Query)
    for schema in ("ConversionsPage", "Message", "ApiError", "BadRequest", "LimitExceeded"):
        spec.components.schema(schema, schema=getattr(schemas, schema))
    spec.components.schema(
        "ConversionsResponse",
        {
            "description": "A page, or the message that no conversion matches.",
            "oneOf": [{"$ref": "#/components/schemas/ConversionsPage"}, {"$ref": "#/components/schemas/Message"}],
        },
    )
    spec.path(api.PATH, operations={"post": _operation()})
    return spec.to_dict()


def _operation() -> dict:
    statuses = {200: ("A page, or the message that no conversion matches.", "ConversionsResponse", {}), **ERRORS}
    responses = {
        str(status): {
            "description": description,
            **({"headers": headers} if headers else {}),
            "content": {"application/json": {"schema": schema, "examples": EXAMPLES["responses"][str(status)]}},
        }
        for status, (description, schema, headers) in statuses.items()
    }
    # Without requestBody: tools that check it expect a string, and the next request is the same body with another offset.
    responses["200"]["links"] = {
        "next-page": {
            "operationId": "listConversions",
            "description": "Send the same body with `$response.body#/pagination/records_processed` as its `offset`.",
        }
    }
    return {
        "operationId": "listConversions",
        "tags": ["Conversions"],
        "summary": "List conversions",
        "description": DESCRIPTION,
        "security": [{"key": []}],
        "requestBody": {
            "description": "Filters, window and offset. No body is the same as `{}`.",
            "required": False,
            "content": {"application/json": {"schema": "ConversionsQuery", "examples": EXAMPLES["requests"]}},
        },
        "responses": responses,
    }
