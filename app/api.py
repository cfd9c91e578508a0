"""POST /api/v1/conversions: key, limit, query, page, response. Decisions 2, 26, 28, 38."""

from collections.abc import Callable

from flask import Flask, current_app, g, request
from werkzeug.exceptions import Unauthorized

from . import accounts, schemas, strategies
from .body import parse_body, read_body
from .database import Connection, Database
from .strategies import Page

PATH = "/api/v1/conversions"

NO_KEY = "The request has no key. Send it in the header Authentication (not Authorization)."
UNKNOWN_KEY = "The key in the header Authentication is unknown. Send only the key, without a prefix such as Bearer."


def init_app(app: Flask) -> None:
    app.add_url_rule(PATH, view_func=conversions, methods=["POST"], provide_automatic_options=False)
    app.extensions["answer"] = answer  # only a mock that serves other readings of the published text replaces it


def conversions():
    extensions = current_app.extensions
    database: Database = extensions["database"]
    now = g.now = extensions["clock"]()
    key = sent_key()
    if not key:
        raise Unauthorized(NO_KEY)
    # Read the whole body first, so that a slow client does not hold a transaction open. But raise its error only after the key is
    # checked: an unknown key takes precedence.
    raw, body_error = read_body()
    with database.reading(time_limit=current_app.config["TIMEOUT"]) as connection:
        g.ran = connection.ran
        g.account = account = accounts.authenticate(connection, key)
        if account is None:
            raise Unauthorized(UNKNOWN_KEY)
        accounts.count_call(connection, database, account, now)
        if body_error:
            raise body_error
        return extensions["answer"](connection, account, raw, now)


def answer(connection: Connection, account: accounts.Account, raw: bytes, now: int) -> dict:
    """Return the response to a body that an account sent at that instant."""
    g.body = body = parse_body(raw)
    query = schemas.load_query(body, now) | account.scope
    g.page = page = strategies.page(connection, query)
    return response_of(page)


def sent_key() -> str:
    return request.headers.get("Authentication", "").strip(" \t")  # not every proxy strips them


def record_of(conversion: tuple) -> dict:
    _, email, timestamp, conversion_page, previous_page, meta_type, meta_id = conversion
    return {
        "email": email,
        "timestamp": timestamp,
        "conversion_page": conversion_page,
        "previous_page": previous_page,
        "conversion_meta": {"type": meta_type, "id": meta_id},
    }


def response_of(page: Page, record_of: Callable[..., dict] = record_of) -> dict:
    """Return the JSON of a page, or the message if no conversion matches at all."""
    # "If no qualifying conversions are found, the API will return: …"
    if page.nothing_matches:
        return {"message": schemas.NOTHING_FOUND}
    return {
        "records": [record_of(conversion) for conversion in page.conversions],
        "pagination": {
            "records_processed": page.records_processed,
            "total_records": page.total_records,
            "has_more": page.has_more,
        },
    }
