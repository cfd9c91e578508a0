"""/openapi.json, and Swagger UI at /docs/. Decision 60."""

from flask import Blueprint, Flask, request
from flask_swagger_ui import get_swaggerui_blueprint

from .document import document

bp = Blueprint("openapi", __name__, static_folder="static", static_url_path="/docs/assets", template_folder="templates")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    # Its page is templates/index.template.html, which replaces the one of the package.
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json"))


@bp.get("/openapi.json", endpoint="document")
def openapi_json():
    # Werkzeug's host is empty if the header Host is missing or not valid; "/" is the server that the document came from.
    return document(request.host_url.rstrip("/") if request.host else "/")
