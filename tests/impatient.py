"""The server, for a test that does not want to wait as long as it does."""

from conversions_api import rsgi

rsgi.LONGEST_BODY = 1

from wsgi import server  # noqa: E402, F401
