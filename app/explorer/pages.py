"""The pages for people: /, /requests and /decisions, which is also JSON. The browser sends its requests to the endpoint.

Decisions 37, 62 to 65.
"""

import json
import re
import sqlite3
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from urllib.parse import urlencode

from flask import Blueprint, abort, current_app, render_template

from .. import accounts, api, schemas, strategies
from ..loading import traffic
from ..mock.readings import READINGS

TOUR = json.loads((Path(__file__).parent / "explorer.json").read_text(encoding="utf-8"))
VERSION = metadata.version("attributionhub-conversions")

bp = Blueprint("explorer", __name__, static_folder="static", static_url_path="/explorer", template_folder="templates")


@bp.app_template_filter()
def address(view: dict) -> str:
    """Return the fragment of a view's address. Browsers do not send it to the server."""
    pages = {"pages": view["pages"]} if "pages" in view else {}
    return urlencode({"key": view["key"]} | view["query"] | pages)


@bp.app_template_filter()
def body(view: dict) -> str:
    """Return the body of a view's request. The page's form keeps an offset as text; in a request it is a number."""
    offset = {"offset": int(view["query"]["offset"])} if "offset" in view["query"] else {}
    return current_app.json.dumps(view["query"] | offset)


@bp.get("/")
def start():
    demo, imported, problem = read_accounts()
    keys = {account["key"] for account in demo}
    return render_template(
        "explorer.html",
        strategies=strategies,
        fields=schemas.Query().fields,
        accounts=demo,
        problem=problem,
        views=[view for view in TOUR["views"] if view["key"] in keys],
        suggestions={key: suggested for key, suggested in TOUR["values"].items() if key in keys},
        imported=imported,
        settings=page_settings(),
    )


@bp.get("/requests")
def live():
    """Show the requests of the mock's clients. Without mock mode they are not recorded, and there is no page."""
    if not current_app.config["MOCK"]:
        abort(404)
    return render_template("live.html", settings=page_settings())


@bp.get("/decisions")
def decisions():
    return render_template("decisions.html", groups=decision_groups(), examples=TOUR["examples"])


@bp.get("/decisions.json")
def decisions_as_json():
    """Return the decisions, so that tools can refer to them."""
    others: dict[str, list[dict]] = {}
    for reading in READINGS.values():
        means = [{"reading": f"{reading.name}={value}", "means": means} for value, means in reading.others.items()]
        others.setdefault(str(reading.decision), []).extend(means)
    return {
        "decisions": [
            {
                "number": int(number),
                "published": published or None,
                "reading": reading,
                "other_readings": others.get(number, []),
                "test": test.strip("`"),
            }
            for _, rows in decision_groups()
            for number, published, reading, _, test in rows
        ]
    }


@bp.context_processor
def page_facts() -> dict:
    """Return what the footer of every page shows, and the mock bar."""
    seed_date = max((account["seeded_to"] for account in read_accounts()[0]), default=None)
    is_mock, readings = current_app.config["MOCK"], current_app.extensions.get("readings")
    return {"is_mock": is_mock, "readings": readings, "version": VERSION, "seed_date": seed_date}


@bp.app_context_processor
def site_pages() -> dict:
    """Return the pages that the masthead lists, also on /docs/."""
    live = [("explorer.live", "Live requests")] if current_app.config["MOCK"] else []
    others = [("explorer.decisions", "Decisions"), ("swagger_ui.show", "Reference"), ("openapi.document", "OpenAPI")]
    return {"site_pages": [("explorer.start", "Explorer"), *live, *others]}


def page_settings() -> dict:
    """Return what the scripts need to know of the server."""
    return {
        "path": api.PATH,
        "page_size": strategies.PAGE_SIZE,
        "batch_size": strategies.BATCH_SIZE,
        "session_filters": strategies.SESSION_FILTERS,
        "fields": list(schemas.Query().fields),
        "now": datetime.fromtimestamp(current_app.extensions["clock"](), UTC).isoformat(),
        "demo": {account["key"]: account["domain"] for account in read_accounts()[0]},
        "errors": TOUR["errors"],
    }


def read_accounts() -> tuple[list[dict], list[str], str]:
    """Return the bundled accounts that this server has, with "seeded_to" added, and a sentence if there are none.

    And the domains of imported accounts. Only a mock lists those: elsewhere they are other people's.
    """
    try:
        with current_app.extensions["database"].reading() as connection:
            demo = traffic.present(connection)
            imported = connection.rows(accounts.IMPORTED, {}) if current_app.config["MOCK"] else []
    except sqlite3.Error:
        return [], [], "The server cannot read its database. The command conversions seed creates one with demo data."
    problem = "" if demo else "This server has no demo accounts. Enter a key of your own."
    return demo, [domain for (domain,) in imported], problem


@cache
def decision_groups() -> list[tuple[str, list[list[str]]]]:
    """Return the tables of app/decisions.md as (topic, rows).

    A row is number, published text, what the server does, other readings, and test. Features of our own have no text and no
    other readings: both are empty.
    """
    _, *parts = (Path(__file__).parent.parent / "decisions.md").read_text(encoding="utf-8").split("\n## ")
    groups = []
    for part in parts:
        topic, _, text = part.partition("\n")
        rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in re.findall(r"^\| [0-9].*", text, re.MULTILINE)]
        groups.append((topic, [row if len(row) == 5 else [row[0], "", row[1], "", row[2]] for row in rows]))
    return groups
