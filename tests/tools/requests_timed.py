"""Time requests to the app of a checkout, of this version or an earlier one: the program that the benchmark runs in its folder.

Reads lines of JSON, each a query, from standard input. For each it prints the median seconds of a request, of one right after a
write to another account, and of making such a write and undoing it. Uses only what every version has: wsgi.app, the endpoint,
flask import, and the mock's accounts for one test.
"""

import json
import statistics
import sys
from io import BytesIO
from time import perf_counter

from werkzeug.test import EnvironBuilder

from wsgi import app

KEY, PATH = {"Authentication": sys.argv[1]}, "/api/v1/conversions"
RECORD = {
    "email": None,
    "timestamp": "2025-10-01 10:00:00",
    "conversion_page": "https://a.example/",
    "previous_page": None,
    "conversion_meta": {"type": "html_form", "id": "form"},
}


def requests(body: bytes):
    """Return a function that sends a request as WSGI, without a client around it, and returns how long it took."""
    asked = EnvironBuilder(path=PATH, method="POST", data=body, content_type="application/json", headers=KEY)
    environ = asked.get_environ()

    def send() -> float:
        started = perf_counter()
        b"".join(app(environ | {"wsgi.input": BytesIO(body)}, lambda *_: None))
        return perf_counter() - started

    return send


def write() -> float:
    """Make an account for one test and delete it again, as test suites do before each request; return how long that took."""
    started = perf_counter()
    made = app.test_client().post("/_mock/accounts", json={"sessions": [RECORD]})
    app.test_client().delete(f"/_mock/accounts/{made.json['key']}")
    return perf_counter() - started


app.logger.setLevel("WARNING")
for line in sys.stdin:
    send = requests(line.encode())
    warm = statistics.median([send() for _ in range(310)][10:])
    writes, cold = zip(*[(write(), send()) for _ in range(15)], strict=True)
    print(json.dumps([warm, statistics.median(cold), statistics.median(writes)]), flush=True)
