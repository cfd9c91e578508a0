"""A mock that listens in this process, for a command or a test that runs beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server


class QuietHandler(WSGIRequestHandler):
    """Leaves the terminal to what runs beside it: prints no requests, only warnings and errors."""

    def log_request(self, *args, **kwargs):
        pass


@contextmanager
def listening(app: Flask, port: int = 0) -> Iterator[str]:
    """Serve the app from this process. It listens before anyone gets its base URL."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=QuietHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
