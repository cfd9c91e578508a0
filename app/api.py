"""POST /api/v1/conversions: key, limit, body, query, page; every error as JSON. Decisions 2, 4, 5, 13, 26 to 28, 38, 39."""

from datetime import UTC, datetime

from flask import Blueprint, Flask, current_app, g, request
from werkzeug.exceptions import Unauthorized

from app import accounts, schemas, strategies
from app.body import read_json_body
from app.database import Connection, Database

PATH = "/api/v1/conversions"

NO_KEY = "The request carries no key; send it in the header Authentication (not Authorization)."

api = Blueprint("api", __name__)


def init_app(app: Flask) -> None:
    app.json.sort_keys = False
    app.json.ensure_ascii = False
    app.url_map.merge_slashes = False  # it would answer with a redirect, in HTML
    app.register_blueprint(api)


@api.route(PATH, methods=["POST"], provide_automatic_options=False)
def conversions():
    database: Database = current_app.extensions["database"]
    now = g.now = current_app.extensions["clock"]()

    key = sent_key()
    with database.reading() as connection:
        account = authenticate(connection, key)
    accounts.count_call(database, account, datetime.fromtimestamp(now, UTC).date())

    g.body = read_json_body()
    query = schemas.load_query(g.body, now)
    with database.reading() as connection:
        account = g.account = authenticate(
            connection, key
        )  # again: while the body came in, a key can be revoked, and the file exchanged
        page = g.page = strategies.page(connection, query | {"account": account.id}, current_app.extensions["memory"])
        g.seconds_in_sql = sum(statement.seconds for statement in connection.ran)
    return {"message": schemas.NOTHING_FOUND} if page.nothing_matches else answer(page)


def sent_key() -> str:
    key = request.headers.get("Authentication", "").strip(" \t")  # not every server in front takes them away
    if not key:
        raise Unauthorized(NO_KEY)
    return key


def authenticate(connection: Connection, key: str) -> accounts.Account:
    account = accounts.authenticate(connection, key)
    if account is None:
        raise Unauthorized("The key in the header Authentication is unknown; send the key alone, without a word before it.")
    return account


def answer(page: strategies.Page) -> dict:
    return {
        "records": [
            {
                "email": email,
                "timestamp": timestamp,
                "conversion_page": conversion_page,
                "previous_page": previous_page,
                "conversion_meta": {"type": meta_type, "id": meta_id},
            }
            for _, email, timestamp, conversion_page, previous_page, meta_type, meta_id in page.conversions
        ],
        "pagination": {
            "records_processed": page.records_processed,
            "total_records": page.total_records,
            "has_more": page.has_more,
        },
    }
