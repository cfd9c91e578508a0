"""The page at /, where one asks the endpoint and sees what offset counts, and the README's decisions as a page.

What the first shows comes from the endpoint, asked by the browser as by any client; what it suggests, from seed/explorer.json.
Decision 37.
"""

import json
from functools import cache
from urllib.parse import urlencode

from flask import Blueprint, Flask, render_template

from app import contract, schemas, strategies, traffic
from app.database import SHIPPED

explorer = Blueprint("explorer", __name__)
explorer.after_request(contract.from_here_alone)


def init_app(app: Flask) -> None:
    app.register_blueprint(explorer)
    app.jinja_env.filters["address"] = address


def address(view: dict) -> str:
    """What stands after the # of a view's address, which no server gets to see."""
    return urlencode({"key": view["key"]} | view["query"])


@explorer.get("/")
def start():
    known = {"strategies": strategies, "fields": schemas.Query().fields, "accounts": traffic.accounts()}
    return render_template("explorer.html", **known, **tour())


@explorer.get("/decisions")
def decisions():
    return render_template("explorer.html", decisions=decided(), **tour())


@cache
def tour() -> dict:
    """What the pages offer to look at: the views that one begins with, an example for a decision, values worth trying for a key."""
    return json.loads((SHIPPED / "seed" / "explorer.json").read_text(encoding="utf-8"))


@cache
def decided() -> list[list[str]]:
    """The rows of the README's table of decisions: number, published text, reading, test; code stands between backticks."""
    section = (SHIPPED / "README.md").read_text(encoding="utf-8").split("\n## Decisions\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]
