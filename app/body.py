"""The body of a request: read completely or refused, then parsed as strict JSON. Decisions 3 to 5, 13."""

import re

from flask import current_app, g, request
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, UnsupportedMediaType

from . import fields, strict_json

LARGEST_BODY = 64 * 1024  # bytes
UNREADABLE = "The request ended before its body was complete, or is not valid HTTP."


def read_json_body(largest: int = LARGEST_BODY) -> dict:
    """Return the body, a JSON object of at most that many bytes. Raises an HTTPException with a sentence."""
    raw, fault = read_body(largest)
    if fault:
        raise fault
    return parse_body(raw)


def read_body(largest: int = LARGEST_BODY) -> tuple[bytes, HTTPException | None]:
    """Return the whole body, never a part of it, or the error that says what is wrong with it."""
    g.raw_body = b""  # what was read, for the mock's list of requests
    environ = request.environ
    length = environ.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch("[0-9]{1,18}", length):
        return b"", BadRequest(f"The header Content-Length is {length[:60]!r}; it must be the number of bytes of the body.")
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ
    # Not every server decodes chunks, and tells a body that is cut off from a whole one.
    if is_chunked and not (environ.get("wsgi.input_terminated") and environ.get("SERVER_PROTOCOL") == "HTTP/1.1"):
        return b"", BadRequest("This server does not accept chunked bodies. Send the body with its Content-Length.")
    most = largest + 1  # one byte more than is allowed shows that a chunked body is too large
    wanted = most if is_chunked else int(length)
    if wanted > most:
        return b"", too_large(largest)
    try:
        raw = g.raw_body = environ["wsgi.input"].read(wanted)
    except Exception as error:  # each server has errors of its own for a body that it can't read
        current_app.logger.warning("A body could not be read: %r", error)
        return b"", BadRequest(UNREADABLE)
    if len(raw) > largest:
        return b"", too_large(largest)
    if not is_chunked and len(raw) != wanted:
        return b"", BadRequest(f"The body has {len(raw)} bytes, but Content-Length says {length}.")
    return raw, None


def parse_body(raw: bytes) -> dict:
    """Return the JSON object in the body; a missing or blank body means {}. Raises an HTTPException with a sentence."""
    if request.query_string:
        raise BadRequest("Send filters in the JSON body, not in the URL.")
    if not raw.strip(b" \t\r\n"):
        return {}
    if request.mimetype != "application/json":
        sent = request.mimetype or "without one"
        raise UnsupportedMediaType(f"Send the body with Content-Type: application/json, not {sent}.")
    try:
        value = strict_json.parse(raw)
    except ValueError as fault:
        raise BadRequest(f"The body {fault}.") from None
    if not isinstance(value, dict):
        raise BadRequest(f"The body must be a JSON object, not {fields.kind(value)}.")
    return value


def too_large(largest: int) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"The body is larger than {largest} bytes, the most that is accepted.")
