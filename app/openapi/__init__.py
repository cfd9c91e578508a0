"""The contract: the OpenAPI document, made from the schemas that do the work, and Swagger UI to try it."""

from functools import cache

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Flask
from flask_swagger_ui import get_swaggerui_blueprint

from app import api, schemas
from app.body import LARGEST_BODY
from app.loading import traffic

openapi = Blueprint("openapi", __name__, static_folder="static", static_url_path="/docs/assets", template_folder="templates")

# Named requests, each of which returns records from the bundled data of the key YOUR_API_KEY.
EXAMPLES = traffic.read("examples.json")

A_PAGE = {
    "records": [
        {
            "email": "ada.young@example.org",
            "timestamp": "2025-07-15 08:36:21",
            "conversion_page": "https://www.example.com/request-a-demo/",
            "previous_page": None,
            "conversion_meta": {"type": "html_form", "id": "request-a-demo-form"},
        }
    ],
    "pagination": {"records_processed": 200, "total_records": 427, "has_more": True},
}

ALLOW = {"Allow": {"description": "What is taken instead.", "required": True, "schema": {"type": "string", "const": "POST"}}}
RETRY_AFTER = {
    "Retry-After": {"description": "Seconds until the next month.", "required": True, "schema": {"type": "integer", "minimum": 1}}
}

# The errors of the endpoint: when each comes, its schema, its headers.
ERRORS = {
    400: ("The body is not as it must be; the sentences say where and why.", schemas.FieldFaults, {}),
    401: ("The key is missing or unknown.", schemas.Fault, {}),
    405: ("Another method than POST.", schemas.Fault, ALLOW),
    413: (f"The body is larger than {LARGEST_BODY} bytes.", schemas.Fault, {}),
    415: ("The body is not sent as application/json.", schemas.Fault, {}),
    429: ("The account's monthly limit is used up.", schemas.LimitExceeded, RETRY_AFTER),
    503: ("The database cannot answer at the moment.", schemas.Fault, {}),
}


def init_app(app: Flask) -> None:
    app.register_blueprint(openapi)
    # Its page is templates/index.template.html, which takes the place of the one that the package brings.
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json"))


@openapi.get("/openapi.json")
@cache
def document() -> dict:
    """The OpenAPI document."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title="AttributionHub conversions API",
        version="1",
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": "A reference implementation. Two strategies page: what offset counts depends on the filters."},
    )
    spec.components.security_scheme("key", {"type": "apiKey", "in": "header", "name": "Authentication"})
    for name in ("Query", "ConversionsPage", "NothingFound", "Fault", "FieldFaults", "LimitExceeded"):
        spec.components.schema(name, schema=getattr(schemas, name))
    spec.path(api.PATH, operations={"post": _operation()})
    return spec.to_dict()


def _operation() -> dict:
    return {
        "operationId": "conversions",
        "summary": "Conversions within a window, newest first",
        "description": (
            "Without a session filter (source, medium, campaign, content, term, landing_page) a page has up to 50 conversions, and "
            "offset counts conversions. With one, sessions are taken in batches of 200 until 50 or more conversions are found, and "
            "offset counts sessions. Either way, the next offset is this page's records_processed."
        ),
        "security": [{"key": []}],
        "requestBody": {"required": False, "content": {"application/json": {"schema": "Query", "examples": EXAMPLES}}},
        "responses": {
            "200": {
                "description": "A page, or the message that nothing matches.",
                "content": {
                    "application/json": {
                        "schema": {"oneOf": ["ConversionsPage", "NothingFound"]},
                        "examples": {"page": {"value": A_PAGE}, "nothing": {"value": {"message": schemas.NOTHING_FOUND}}},
                    }
                },
                "links": {
                    "next-page": {
                        "operationId": "conversions",
                        "requestBody": {"offset": "$response.body#/pagination/records_processed"},
                        "description": "The same request with this offset returns the next page.",
                    }
                },
            },
            **{
                str(status): {"description": description, "headers": headers, "content": {"application/json": {"schema": schema}}}
                for status, (description, schema, headers) in ERRORS.items()
            },
        },
    }
