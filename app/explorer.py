"""The page at /, where one asks the endpoint and sees what offset counts, and the README's decisions as a page.

What the first shows comes from the endpoint, asked by the browser as by any client; what it suggests, from seed/explorer.json.
Decision 37.
"""

import json
from functools import cache
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, render_template

from app import api, schemas, strategies, traffic
from app.database import SHIPPED

SOURCES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

explorer = Blueprint("explorer", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(explorer)
    app.jinja_env.filters["address"] = address


def address(view: dict) -> str:
    """What stands after the # of a view's address, which no server gets to see."""
    return urlencode({"key": view["key"]} | view["query"])


@explorer.get("/")
def start():
    tour = json.loads((SHIPPED / "seed" / "explorer.json").read_text(encoding="utf-8"))
    return render_template(
        "explorer.html", api=api, strategies=strategies, fields=schemas.Query().fields, accounts=traffic.accounts(), **tour
    )


@explorer.get("/decisions")
def decisions():
    tour = json.loads((SHIPPED / "seed" / "explorer.json").read_text(encoding="utf-8"))
    return render_template("explorer.html", decisions=decided(), examples=tour["examples"])


@cache
def decided() -> list[list[str]]:
    """The rows of the README's table of decisions: number, published text, reading, test; code stands between backticks."""
    section = (SHIPPED / "README.md").read_text(encoding="utf-8").split("\n## Decisions\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


@explorer.after_request
def allow_nothing_from_elsewhere(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = SOURCES
    return response
