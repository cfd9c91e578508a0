"""Health checks for a platform or a monitor: does the server run, can it read its database? They need no key and count no call."""

import sqlite3
from http import HTTPStatus

from flask import Blueprint, current_app

bp = Blueprint("health", __name__)


@bp.get("/livez")
def livez():
    return {"status": "alive"}


@bp.get("/readyz")
def readyz():
    """Return 503 with the reason if the database can't be read."""
    try:
        with current_app.extensions["database"].reading() as connection:
            connection.rows("SELECT id FROM accounts LIMIT 1", {})
    except sqlite3.Error as error:
        return {"error": f"The database can't be used: {error}."}, HTTPStatus.SERVICE_UNAVAILABLE
    return {"status": "ready"}
