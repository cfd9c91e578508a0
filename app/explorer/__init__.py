"""The pages / and /decisions. The browser asks the endpoint itself; seed/explorer.json has what the page suggests. Decision 37."""

from functools import cache
from urllib.parse import urlencode

from flask import Blueprint, Flask, render_template

from app import schemas, strategies
from app.database import SHIPPED
from app.loading import traffic

TOUR = traffic.read("explorer.json")

explorer = Blueprint("explorer", __name__, static_folder="static", static_url_path="/explorer", template_folder="templates")


def init_app(app: Flask) -> None:
    app.register_blueprint(explorer)


@explorer.app_template_filter()
def address(view: dict) -> str:
    """What stands after the # of a view's address, which no server gets to see."""
    return urlencode({"key": view["key"]} | view["query"])


@explorer.get("/")
def start():
    return render_template(
        "explorer.html", strategies=strategies, fields=schemas.Query().fields, accounts=traffic.accounts(), **TOUR
    )


@explorer.get("/decisions")
def decisions():
    return render_template("explorer.html", decisions=decided(), **TOUR)


@cache
def decided() -> list[list[str]]:
    """The rows of the README's table of decisions: number, published text, reading, test; code stands between backticks."""
    section = (SHIPPED / "README.md").read_text(encoding="utf-8").split("\n## Decisions\n")[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")][2:]
