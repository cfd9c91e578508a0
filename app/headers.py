"""Security headers of every response."""

from flask import Response

# A page runs only scripts of this server, and sends requests only to it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_security_headers(response: Response) -> Response:
    """Disable caching and MIME sniffing; restrict what a page may load."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.is_json:
        response.headers["Cache-Control"] = "no-store"
    else:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
    return response
