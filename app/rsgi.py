"""The app for Granian, in Granian's own interface, RSGI. Decision 80.

A body is read before the app runs, without a thread, in limited time and memory. So clients that stall or send slowly take a thread
from nobody. Then the app runs in one of a few threads, with the whole body.
"""

import asyncio
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO
from typing import cast

import orjson
from flask import Flask
from werkzeug.wsgi import ClosingIterator

from .body import LARGEST_BODY, UNREADABLE
from .database import IDLE_CONNECTIONS
from .mock import states

LONGEST_BODY = 20  # seconds that a body may take to arrive
THREADS = IDLE_CONNECTIONS  # each has a connection to the database
# Granian tells a worker only how it was started.
HAS_SEVERAL_WORKERS = re.search("--workers[ =](?!1 )", f"{' '.join(sys.argv)} ") is not None
# Of errors before the app runs. The app's own have the same headers.
HEADERS = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]


class Server:
    def __init__(self, app: Flask):
        self.app = app
        largest = states.LARGEST_BODY if app.config["MOCK"] else LARGEST_BODY
        self.most = largest + 1  # the byte too many shows the app that a body is too large
        self.threads = ThreadPoolExecutor(THREADS)

    async def __rsgi__(self, scope, protocol) -> None:
        try:
            async with asyncio.timeout(LONGEST_BODY):
                sent = await self.read(scope, protocol)
        except TimeoutError:
            return refuse(protocol, 408, f"The body did not arrive within {LONGEST_BODY} seconds.")
        except RuntimeError:  # of Granian's: the client is gone, or a chunk is malformed
            return refuse(protocol, 400, UNREADABLE)
        await asyncio.get_running_loop().run_in_executor(self.threads, self.respond, scope, protocol, sent)
        return None

    async def read(self, scope, protocol) -> bytes:
        """Return the body, or nothing of one that the app refuses for its headers: too large, or chunked.

        Granian ends a chunked body that is cut off like one that is complete.
        """
        length = int(scope.headers.get("content-length", "0"))
        is_chunked = "transfer-encoding" in scope.headers
        return await protocol() if 0 < length <= self.most and not is_chunked else b""

    def respond(self, scope, protocol, sent: bytes) -> None:
        """Call the app, and send the response. It goes out from this thread, which is faster than handing it back."""
        started: list = []

        def start(status: str, headers: list, *_) -> Callable[[bytes], object]:
            started.append((int(status[:3]), headers))
            return sys.stderr.buffer.write  # for old programs, which Flask is not

        with closing(cast(ClosingIterator, self.app(environ(scope, sent), start))) as result:
            protocol.response_bytes(*started[-1], b"".join(result))


def refuse(protocol, status: int, sentence: str) -> None:
    protocol.response_bytes(status, HEADERS, orjson.dumps({"error": sentence}))


def environ(scope, sent: bytes) -> dict:
    """Return the request as WSGI describes it."""
    server, _, port = scope.server.rpartition(":")
    client, _, _ = scope.client.rpartition(":")
    variables = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),  # Granian has decoded the percent signs
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client.strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(sent),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": HAS_SEVERAL_WORKERS,
        "wsgi.run_once": False,
    }
    for name, text in scope.headers.items():
        if "_" in name:  # X_Forwarded_For would pass for X-Forwarded-For, which a proxy sets
            continue
        variable = name.upper().replace("-", "_")
        if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            variable = f"HTTP_{variable}"
        variables[variable] = f"{variables[variable]},{text}" if variable in variables else text
    return variables
