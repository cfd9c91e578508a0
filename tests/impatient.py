"""The server, with a second for a body to arrive instead of 20, so that a test does not wait for so long."""

from conversions_api import rsgi

rsgi.LONGEST_BODY = 1

from wsgi import server  # noqa: E402, F401
