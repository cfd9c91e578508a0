"""Whether the server lives, and whether it can answer: for whatever watches it. No key, no count."""

import sqlite3
from http import HTTPStatus

from flask import Blueprint, Flask, current_app

health = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(health)


@health.get("/livez")
def livez():
    return {"status": "alive"}


@health.get("/readyz")
def readyz():
    """503 with the reason while the database cannot answer."""
    try:
        with current_app.extensions["database"].reading() as connection:
            connection.rows("SELECT id FROM accounts LIMIT 1", {})
    except sqlite3.Error as error:
        return {"error": f"The database cannot answer: {error}."}, HTTPStatus.SERVICE_UNAVAILABLE
    return {"status": "ready"}
