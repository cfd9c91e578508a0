"""The OpenAPI document: document.toml with the schemas that load the requests. /openapi.json, and Swagger UI at /docs/.

Decisions 58, 60, 61.
"""

import json
import tomllib
from functools import cache
from pathlib import Path

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Flask, request
from flask_swagger_ui import get_swaggerui_blueprint

from .. import api, schemas

HERE = Path(__file__).parent

# Requests that return records with the key YOUR_API_KEY, and responses by status: tests/tools/examples.py records them.
EXAMPLES = json.loads((HERE / "examples.json").read_text(encoding="utf-8"))
ERRORS = [int(status) for status in EXAMPLES["responses"] if status != "200"]

SERVER = "http://127.0.0.1:5000"  # where flask run listens

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
    spec = APISpec(plugins=[MarshmallowPlugin()], **tomllib.loads((HERE / "document.toml").read_text(encoding="utf-8")))
    # Generators name types after these.
    spec.components.schema("ConversionsQuery", schema=schemas.Query)
    for schema in ("ConversionsPage", "Message", "ApiError", "BadRequest", "LimitExceeded"):
        spec.components.schema(schema, schema=getattr(schemas, schema))
    found = spec.to_dict()
    operation = found["paths"][api.PATH]["post"]
    operation["requestBody"]["content"]["application/json"]["examples"] = EXAMPLES["requests"]
    for status, examples in EXAMPLES["responses"].items():
        operation["responses"][status]["content"]["application/json"]["examples"] = examples
    return found
