"""The body of a request, read whole and as strict JSON. Decisions 3 to 5, 13."""

import re

from flask import request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from app import fields, strict_json

LARGEST_BODY = 64 * 1024  # bytes


def read_json_body(largest: int = LARGEST_BODY) -> dict:
    """The request's body; none and a blank one are {}."""
    if request.query_string:
        raise BadRequest("Send filters in the JSON body, not in the URL.")
    length = request.environ.get("CONTENT_LENGTH")
    if length and not re.fullmatch("[0-9]{1,18}", length):  # Werkzeug would take it for none
        raise BadRequest("The header Content-Length is not the number of bytes of the body.")
    if "HTTP_TRANSFER_ENCODING" in request.environ:
        length = None
        # Not every server decodes chunks, nor in another version of HTTP: Waitress takes such a body for none.
        if not request.environ.get("wsgi.input_terminated") or request.environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
            raise BadRequest("The server in front passes no chunked bodies on; send one with its Content-Length.")
    # One byte more than is taken: Werkzeug cuts a chunked body here without a word, and the extra byte shows that it was longer.
    request.max_content_length = largest + 1
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise
    except Exception:  # each server in front has errors of its own for a chunk that is none
        raise BadRequest("The request broke off, or is not valid HTTP.") from None
    if len(raw) > largest:
        raise RequestEntityTooLarge
    if length and int(length) != len(raw):
        raise BadRequest(f"The body has {len(raw)} of the {length} bytes that Content-Length announces.")
    if not raw.strip(b" \t\r\n"):
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(wrong_type(request.mimetype or "nothing"))
    try:
        value = strict_json.parse(raw)
    except ValueError as fault:
        raise BadRequest(f"The body {fault}.") from None
    if not isinstance(value, dict):
        raise BadRequest(f"The body must be a JSON object, not {fields.kind(value)}.")
    return value


def wrong_type(mimetype: str) -> str:
    return f"Send the body as Content-Type: application/json, not as {mimetype}."
