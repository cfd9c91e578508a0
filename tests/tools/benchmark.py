"""Measure the speed, as ratios of two figures of the same run: python -m tests.tools.benchmark [--quick | --large] [--draw FILE]

Creates a database of a million sessions and 250,000 conversions, in five accounts and 400 days (--quick: a twentieth of that,
--large: ten times), measures, and prints each figure with its goal. Other servers are measured with the same data, in a separate
environment; what cannot be installed is skipped by name.
"""

import csv
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from time import perf_counter
from typing import NamedTuple

import click
import orjson
from conversions_api import accounts, api, create_app, database, fast, schemas, strategies, tables
from conversions_api.database import Database
from conversions_api.fast import Cache
from conversions_api.loading import sessions as loading
from conversions_api.mock import walks
from conversions_api.openapi.document import document
from flask import Flask, Response
from werkzeug.test import EnvironBuilder

from tests.tools.picture import Growth, Row, draw

ROOT = Path(__file__).parent.parent.parent
KEY = {"Authentication": "key-0"}
NOW, MOMENT = 1_760_000_000, "2025-10-09T08:53:20Z"
DAYS = 400
EVERYTHING = {"start_date": "2020-01-01", "end_date": "2030-01-01"}

# One in so many sessions or conversions has the value. All sessions have the medium "everywhere".
SHARES = {"common": 2, "middling": 20, "rare": 1000}


def make(path: Path, sessions: int) -> None:
    """Create the data: nine tenths of it in the first account, with a pool without conversions and a pool with hardly any."""
    dice = Random(1)
    database = Database(path)
    with database.writing_sessions() as connection:
        for number in range(5):
            connection.execute(accounts.ADD_ACCOUNT, accounts.NO_LIMIT | {"domain": f"{number}.example"}).fetchall()
            accounts.add_key(connection, number + 1, f"key-{number}")

        def value(kind: str) -> str:
            names = (name for name, share in reversed(SHARES.items()) if dice.random() < 1 / share)
            return f"{kind}-{next(names, 'other')}"

        with click.progressbar(range(sessions), label="Making the data", file=sys.stderr) as bar:
            for number in bar:
                account = 1 if dice.random() < 0.9 else dice.randint(2, 5)
                start = NOW - int(DAYS * 86_400 * (1 - number / sessions))
                converts = dice.random() < 0.2
                # Half of the sessions that do not convert are the pool without conversions, the others the pool with hardly any.
                campaign = None if converts and dice.random() > 1 / 5000 else "silent" if number % 2 and not converts else "hardly"
                row = {
                    "id": None,
                    "account": account,
                    "session_id": str(number),
                    "started_at": start,
                    "ended_at": start + dice.randint(0, 1800),
                    "utm_source": None,
                    "utm_medium": None,
                    "derived_source": value("source"),
                    "derived_medium": "everywhere",
                    "utm_campaign": campaign,
                    "utm_content": value("content"),
                    "utm_term": value("term"),
                    "landing_page": value("https://0.example/landing"),
                    "converts": converts,
                }
                session = connection.execute(loading.ADD_SESSION, row).lastrowid
                if converts:
                    rows = [
                        {
                            "account": account,
                            "session": session,
                            "timestamp": start,
                            "email": "somebody@mail.example",
                            "conversion_page": value("https://0.example/page"),
                            "previous_page": None,
                            "type": value("type"),
                            "id": value("id"),
                        }
                        for _ in range(dice.choice([1, 1, 1, 2]))
                    ]
                    connection.executemany(loading.ADD_CONVERSION, rows)
        loading.seed(connection, date.fromisoformat(MOMENT[:10]))  # otherwise the first flask run would do it while it is measured


# Measuring


class Bench:
    """The table of figures, and how often and how long to measure."""

    def __init__(self, is_quick: bool):
        self.rows: list[Row] = []
        self.rounds = 1 if is_quick else 5  # of measurements that start servers or keep them busy
        self.seconds = 0.3 if is_quick else 2  # for which servers are kept busy

    def row(self, what: str, figure: float, most: float | None = None, least: float | None = None, unit: str = "") -> None:
        row = Row(what, figure, most, least, unit)
        self.rows.append(row)
        click.echo(f"{'✓' if row.is_met else '✗'} {what:<92} {row.goal:>9} {figure:>9.2f}{unit}")


def median_of(times: int, run) -> float:
    """Return the median time of a run, in seconds."""
    return medians_of(times, run)[0]


def medians_of(times: int, *runs) -> list[float]:
    """Return the median time of each run. The runs take turns, so that a change of the machine's speed affects all of them."""
    taken = [[] for _ in runs]
    for _ in range(times):
        for run, times_of_run in zip(runs, taken, strict=True):
            started = perf_counter()
            run()
            times_of_run.append(perf_counter() - started)
    return [statistics.median(times_of_run) for times_of_run in taken]


def warm(path: Path) -> None:
    """Read the file once, so that no figure includes reading from the disk."""
    with path.open("rb") as file:
        while file.read(2**24):
            pass


class PageReader:
    """Gets pages directly from the strategies, on one connection in one transaction."""

    def __init__(self, path: Path):
        self.database = Database(path)
        self.reading = self.database.reading()
        self.connection = self.reading.__enter__()
        self.account = accounts.authenticate(self.connection, "key-0")

    def query(self, body: dict, now: int = NOW) -> dict:
        return schemas.load_query(body, now) | self.account.scope

    def page(self, body: dict, cache: Cache | None = None, now: int = NOW) -> strategies.Page:
        self.connection.ran = []
        query = self.query(body, now)
        return fast.page(self.connection, query, cache) if cache else strategies.page(self.connection, query)


def measure_strategies(bench: Bench, reader: PageReader) -> None:
    dice, cache = Random(2), Cache()
    filters = [{}, *({name: f"{kind}-common"} for name, kind in {"meta_type": "type", "meta_id": "id"}.items())]
    filters += [{"conversion_page": "https://0.example/page-common"}, {"source": "source-common"}, {"medium": "everywhere"}]
    filters += [{"content": "content-common"}, {"term": "term-common"}, {"landing_page": "https://0.example/landing-common"}]
    deep_ratios, first_ratios = [], []
    for body in filters:
        body = EVERYTHING | body
        plain = median_of(3, lambda body=body: reader.page(body))
        first_ratios.append(median_of(3, lambda body=body: reader.page(body, Cache())) / plain)
        total = reader.page(body, cache).total_records
        at_first, at_random = medians_of(
            200,
            lambda body=body: reader.page(body, cache),
            lambda body=body, total=total: reader.page(body | {"offset": dice.randrange(total)}, cache),
        )
        deep_ratios.append(at_random / at_first)
    bench.row("a random deep page ÷ page 1, in SQL (the worst of all single filters)", max(deep_ratios), most=2)
    bench.row("a filter's first request ÷ a plain count and page (the worst of all single filters)", max(first_ratios), most=2)

    for what, body, most in [
        ("a pool without conversions: first request ÷ the pool's count", {"campaign": "silent"}, 2),
        ("a pool with a conversion in 5,000 sessions: the same", {"campaign": "hardly"}, 2),
        ("any pool, with a conversion filter that matches nothing: the same", {"medium": "everywhere", "meta_id": "nothing"}, 4),
    ]:
        body = EVERYTHING | body
        query = reader.query(body)
        count = strategies.with_filters(strategies.SESSIONS_IN_POOL, query)
        counting = median_of(3, lambda count=count, query=query: reader.connection.rows(count, query))
        first = median_of(3, lambda body=body: reader.page(body, Cache()))
        bench.row(what, first / counting, most=most)
        reader.page(body, cache)
        afterwards = median_of(20, lambda body=body: reader.page(body, cache)) * 1000
        bench.row("   afterwards", afterwards, most=1, unit=" ms")

    def walk(body: dict, most: float = float("inf")) -> tuple[int, float]:
        started, seen, has_more, offset = perf_counter(), 0, True, 0
        while has_more and seen < most:
            page = reader.page(EVERYTHING | body | {"offset": offset}, cache)
            seen, has_more, offset = seen + len(page.conversions), page.has_more, page.records_processed
        return seen, perf_counter() - started

    for name, body in {"directly": {}, "by sessions": {"medium": "everywhere"}}.items():
        some, time_of_some = walk(body, reader.page(EVERYTHING, cache).total_records / 50)
        every, time_of_all = walk(body)
        ratio = (time_of_all / every) / (time_of_some / some)
        bench.row(f"walking all conversions {name} ÷ 50 times walking a fiftieth, a conversion", ratio, most=1.2)

    for name, body in {"direct": {}, "session": {"source": "source-common"}}.items():
        ticks = iter(range(NOW, NOW + 10_000))
        fixed, moving = medians_of(
            300, lambda body=body: reader.page(body, cache), lambda body=body, ticks=ticks: reader.page(body, cache, next(ticks))
        )
        bench.row(f"pages a second, a default window that moves on ÷ one that stands still, {name}", fixed / moving, least=0.8)


def measure_wsgi(bench: Bench, path: Path, reader: PageReader) -> None:
    app = create_app({"DATABASE": path, "NOW": MOMENT})
    app.logger.setLevel("WARNING")
    for name, filters in {"direct": {"meta_type": "type-common"}, "session": {"source": "source-common"}}.items():
        body = json.dumps(EVERYTHING | filters).encode()
        cache = Cache()
        reader.page(EVERYTHING | filters, cache)
        page = reader.page(EVERYTHING | filters, cache)
        key = database.Statement(accounts.ACCOUNT_OF_KEY, {"digest": accounts.digest("key-0")}, [], 0)
        floor = minimal_app(path, [key, *reader.connection.ran], api.response_of(page))
        ours, least = wsgi_request(app, body), wsgi_request(floor, body)
        assert ours() == least()
        as_wsgi, at_least = medians_of(1000, ours, least)
        bench.row(f"page 1 as WSGI ÷ an empty Flask route with the same SQL and bytes, {name}", as_wsgi / at_least, most=1.6)


def minimal_app(path: Path, statements: list[database.Statement], response: dict) -> Flask:
    """Return an app that does the minimum for a request: Flask, these statements in one transaction, and orjson."""
    connection = sqlite3.connect(path, isolation_level=None)
    app = Flask(__name__)

    @app.post(api.PATH)
    def conversions():
        connection.execute("BEGIN")  # a server that keeps one transaction open would never see new data
        for statement in statements:
            connection.execute(statement.sql, statement.values).fetchall()
        connection.rollback()
        return Response(orjson.dumps(response, option=orjson.OPT_APPEND_NEWLINE), mimetype="application/json")

    return app


def wsgi_request(app: Flask, body: bytes) -> Callable[[], bytes]:
    asked = EnvironBuilder(path=api.PATH, method="POST", data=body, content_type="application/json", headers=KEY)
    environ = asked.get_environ()
    return lambda: b"".join(app(environ | {"wsgi.input": BytesIO(body)}, lambda *_: None))


def measure_walks(bench: Bench, path: Path) -> None:
    """Measure what the record of walks costs in mock mode: requests with it and without it take turns."""
    recording, silent = (create_app({"DATABASE": path, "NOW": MOMENT, "MOCK": "1"}) for _ in range(2))
    recording.logger.setLevel("WARNING")
    silent.after_request_funcs[None].remove(walks.record_page)
    for name, filters in {"direct": {"meta_type": "type-common"}, "session": {"source": "source-common"}}.items():
        body = json.dumps(EVERYTHING | filters).encode()
        ask, ask_silently = wsgi_request(recording, body), wsgi_request(silent, body)
        for warming in (ask, ask_silently):
            warming()
        with_record, without = medians_of(1000, ask, ask_silently)
        bench.row(f"a request in mock mode ÷ without the record of walks, {name}", with_record / without, most=1.05)


# Over HTTP: real servers, each in a process of its own


class Client:
    """Sends requests over one persistent connection, and does little else, so that the server is what is measured."""

    def __init__(self, port: int):
        self.port = port
        self.connection: socket.socket | None = None

    def ask(self, request: bytes) -> bytes:
        """Return the body of the response. Raise OSError if there is none, and ValueError if it is not a 200."""
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.responses = self.connection.makefile("rb")
        self.connection.sendall(request)
        status = self.responses.readline()
        headers = {}
        while (line := self.responses.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip().lower()
        if headers.get(b"transfer-encoding") == b"chunked":
            body = b""
            while size := int(self.responses.readline(), 16):
                body += self.responses.read(size)
                self.responses.readline()
            self.responses.readline()
        else:
            body = self.responses.read(int(headers.get(b"content-length", -1)))
        if headers.get(b"connection") == b"close":
            self.close()
        if b" 200 " not in status:
            raise ValueError(f"{status.decode()} {body[:200].decode()}")
        return body

    def close(self) -> None:
        if self.connection is not None:
            self.responses.close()
            self.connection.close()
            self.connection = None


def post_request(body: dict) -> bytes:
    sent = json.dumps(body)
    return (
        f"POST {api.PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthentication: key-0\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(sent)}\r\n\r\n{sent}"
    ).encode()


class Served(NamedTuple):
    port: int
    seconds: float  # from the start to the first response
    process: subprocess.Popen

    def memory(self) -> float:
        """Return the memory in MB, as Linux counts it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def rate(self, request: bytes, seconds: float, clients: int = 1) -> float:
        """Return the requests per second of so many clients. Each sends a request as soon as it has the previous response."""
        counts = [0] * clients
        until = perf_counter() + seconds

        def send_requests(number: int) -> None:
            with closing(Client(self.port)) as client:
                while perf_counter() < until:
                    client.ask(request)
                    counts[number] += 1

        threads = [Thread(target=send_requests, args=[number]) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / seconds


@contextmanager
def serving(command: list[str], path: Path, first: bytes) -> Iterator[Served]:
    """Start a server on a free port, which replaces "{port}", and yield it after its first response."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"CONVERSIONS_DATABASE": str(path), "CONVERSIONS_NOW": MOMENT}
    started = perf_counter()
    process = subprocess.Popen(
        [part.format(port=port) for part in command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with closing(Client(port)) as client:
            while True:
                try:
                    client.ask(first)
                    break
                except ConnectionError:
                    client.close()
                    if process.poll() is not None or perf_counter() > started + 60:
                        raise
        yield Served(port, perf_counter() - started, process)
    finally:
        process.terminate()
        process.wait()


def waitress(python: str = sys.executable, app: str = "wsgi:app") -> list[str]:
    return [python, "-m", "waitress", "--ident=", "--listen", "127.0.0.1:{port}", app]


def flask_run(app: str = "wsgi:app") -> list[str]:
    return [sys.executable, "-m", "flask", "--app", app, "run", "--port", "{port}"]


def measure_http(bench: Bench, path: Path, reader: PageReader) -> None:
    dice = Random(3)
    with serving(waitress(), path, post_request({})) as served, closing(Client(served.port)) as client:
        for name, filters in {"direct": {"meta_type": "type-common"}, "session": {"source": "source-common"}}.items():
            body = EVERYTHING | filters
            total = reader.page(body).total_records
            client.ask(post_request(body))
            first, deep = medians_of(
                300,
                lambda body=body: client.ask(post_request(body)),
                lambda body=body, total=total: client.ask(post_request(body | {"offset": dice.randrange(total)})),
            )
            bench.row(f"a random deep page ÷ page 1, over HTTP, {name}", deep / first, most=1.3)

    with serving(flask_run(), path, post_request({})) as served:
        alone, together = [], []
        for _ in range(bench.rounds):
            alone.append(served.rate(post_request({}), bench.seconds))
            together.append(served.rate(post_request({}), bench.seconds, clients=16))
        ratio = statistics.median(together) / statistics.median(alone)
        bench.row("requests a second of 16 clients ÷ of one, under flask run", ratio, least=0.8)
        bench.row("   memory then", served.memory(), most=50, unit=" MB")


MINIMAL = """
from flask import Flask

app = Flask(__name__)

@app.post("/api/v1/conversions")
def conversions():
    return {}
"""


def measure_start(bench: Bench, path: Path, folder: Path) -> None:
    minimal = folder / "minimal.py"
    minimal.write_text(MINIMAL, encoding="utf-8")
    times, memory = {"ours": [], "minimal": []}, 0.0
    for _ in range(bench.rounds):
        with serving(flask_run(f"{minimal}:app"), path, post_request({})) as served:
            times["minimal"].append(served.seconds)
        with serving(flask_run(), path, post_request({})) as served:
            times["ours"].append(served.seconds)
            memory = max(memory, served.memory())
    ratio = statistics.median(times["ours"]) / statistics.median(times["minimal"])
    bench.row("start to first response ÷ that of a minimal Flask app", ratio, most=1.6)
    bench.row("   memory then", memory, most=40, unit=" MB")


def measure_import(bench: Bench, folder: Path, sessions: int) -> None:
    """Compare imports of a conversion per session with sqlite3's own .import of the same rows and the index build."""
    sqlite3 = shutil.which("sqlite3")
    if not sqlite3:
        click.echo("- import ÷ .import and the indexes: skipped, there is no sqlite3 to run")
        return
    files, path, floor = [folder / "sessions.csv", folder / "sessions.jsonl"], folder / "imported.sqlite", folder / "floor.sqlite"
    dice = Random(4)

    def moment(second: int) -> str:
        return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    with files[0].open("w", encoding="utf-8", newline="") as table, files[1].open("w", encoding="utf-8") as lines:
        rows = csv.writer(table)
        for number in range(sessions):
            start = NOW - number * 170
            conversion = {
                "email": f"visitor-{number}@mail.example",
                "timestamp": moment(start + 300),
                "conversion_page": f"https://shop.example/thank-you/{dice.randrange(20)}",
                "previous_page": f"https://shop.example/item/{dice.randrange(500)}",
                "conversion_meta": {"type": "html_form", "id": f"form-{dice.randrange(10)}"},
            }
            session = {
                "session_id": f"s-{number}",
                "started_at": moment(start),
                "ended_at": moment(start + 1200),
                "landing_page": f"https://shop.example/item/{dice.randrange(500)}?utm_source=news&utm_medium=email",
                "referrer": "https://www.google.com/",
                "utm_campaign": f"campaign-{dice.randrange(30)}",
                "conversions": [conversion],
            }
            lines.write(f"{json.dumps(session)}\n")
            flat = {name: value for name, value in (session | conversion).items() if type(value) is str} | conversion[
                "conversion_meta"
            ]
            rows.writerows([flat] * (number == 0))  # the header
            rows.writerow(flat.values())

    ours = {}
    for file in files:
        path.unlink(missing_ok=True)
        started = perf_counter()
        command = [sys.executable, "-m", "flask", "import", str(file), "--domain", "shop.example"]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"CONVERSIONS_DATABASE": str(path)}, check=True, capture_output=True)
        ours[file.suffix[1:]] = perf_counter() - started

    for table in ("sessions", "conversions"):
        with (folder / f"{table}.csv").open("wb") as rows:
            subprocess.run([sqlite3, "-csv", path, f"SELECT * FROM {table}"], stdout=rows, check=True)
    schema, indexes = tables.schema_statements()
    account = "INSERT INTO accounts (domain) VALUES ('shop.example');"
    subprocess.run([sqlite3, floor], input=f"{''.join(schema)}{account}", text=True, check=True)
    imports = "".join(f".import {folder / table}.csv {table}\n" for table in ("sessions", "conversions"))
    started = perf_counter()
    subprocess.run([sqlite3, "-csv", floor], input=f"{imports}{''.join(indexes)}", text=True, check=True)
    floor_seconds = perf_counter() - started
    for form, seconds in ours.items():
        what = f"import of {sessions:,} sessions with a conversion each, {form} ÷ sqlite3 .import and the index build"
        bench.row(what, seconds / floor_seconds, most=4)


# Other servers, with the same data on the same machine

DATASETTE = {
    "direct": """
        SELECT id, email, datetime(timestamp, 'unixepoch') AS timestamp, conversion_page, previous_page, meta_type, meta_id, (
            SELECT count(*) FROM conversions
            WHERE account_id = 1 AND meta_type = :value AND timestamp BETWEEN unixepoch(:start) AND unixepoch(:end) + 86399
        ) AS total
        FROM conversions
        WHERE account_id = 1 AND meta_type = :value AND timestamp BETWEEN unixepoch(:start) AND unixepoch(:end) + 86399
        ORDER BY timestamp DESC, id DESC LIMIT 50 OFFSET :offset
    """,
    "session": """
        WITH pool AS (
            SELECT id, started_at FROM sessions
            WHERE account_id = 1 AND source = :value
              AND started_at BETWEEN unixepoch(:start) - 86400 AND unixepoch(:end) + 86399 AND ended_at >= unixepoch(:start)
        ), batch AS (
            SELECT * FROM pool ORDER BY started_at DESC, id DESC LIMIT 200 OFFSET :offset
        )
        SELECT
            conversions.id, email, datetime(timestamp, 'unixepoch') AS timestamp,
            conversion_page, previous_page, meta_type, meta_id,
            (SELECT count(*) FROM pool) AS total
        FROM batch CROSS JOIN conversions ON conversions.session_id = batch.id
        WHERE timestamp BETWEEN unixepoch(:start) AND unixepoch(:end) + 86399
        ORDER BY timestamp DESC, conversions.id DESC
    """,
}


def measure_peers(bench: Bench, path: Path, folder: Path) -> None:
    window = {"start_date": "2025-09-09", "end_date": "2025-10-09"}
    asked = {"direct": {"meta_type": "type-common"}, "session": {"source": "source-common"}}

    def get_request(name: str) -> bytes:
        (value,) = asked[name].values()
        at = f"/{path.stem}/{name}.json?_shape=array&value={value}&start=2025-09-09&end=2025-10-09&offset=0"
        return f"GET {at} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    python, prism = folder / "environment" / "bin" / "python", folder / "node_modules" / ".bin" / "prism"
    with create_app({"DATABASE": path, "NOW": MOMENT}).test_client() as client:
        a_page = client.post(api.PATH, json=window | asked["direct"], headers=KEY).json
    with_a_page = json.loads(json.dumps(document()))
    ok = with_a_page["paths"][api.PATH]["post"]["responses"]["200"]
    ok["content"]["application/json"]["examples"] = {"page": {"value": a_page}}
    (folder / "openapi.json").write_text(json.dumps(with_a_page), encoding="utf-8")
    (folder / "datasette.json").write_text(
        json.dumps({"databases": {path.stem: {"queries": {name: {"sql": sql} for name, sql in DATASETTE.items()}}}}),
        encoding="utf-8",
    )
    peers = {
        "flask-smorest with SQLAlchemy": (
            {"direct": 7, "session": 11},
            waitress(str(python), "tests.tools.peers:app"),
            lambda name: post_request(window | asked[name]),
        ),
        "datasette with a canned query and count": (
            {"direct": 4, "session": 3},
            [str(python), "-m", "datasette", str(path), "--port", "{port}", "--metadata", str(folder / "datasette.json")],
            get_request,
        ),
        "Prism, which returns a static example": (
            {"direct": 1},
            [str(prism), "mock", "--port", "{port}", str(folder / "openapi.json")],
            lambda name: post_request(window | asked[name]),
        ),
    }
    for command in (
        [sys.executable, "-m", "venv", str(folder / "environment")],
        [str(python), "-m", "pip", "install", "--quiet", "flask-smorest", "SQLAlchemy", "waitress", "datasette<1"],
        ["npm", "install", "--silent", "--prefix", str(folder), "@stoplight/prism-cli"],
    ):
        if not (prism if command[0] == "npm" else python.with_name("datasette")).exists() and shutil.which(command[0]):
            subprocess.run(command, check=False, capture_output=True)

    with serving(waitress(), path, post_request({})) as ours:
        for peer, (goals, command, request) in peers.items():
            if not Path(command[0]).exists():
                click.echo(f"- {peer}: skipped, it cannot be installed here")
                continue
            with serving(command, path, request("direct")) as theirs:
                for name, least in goals.items():
                    rates = [
                        (ours.rate(post_request(window | asked[name]), bench.seconds), theirs.rate(request(name), bench.seconds))
                        for _ in range(bench.rounds)
                    ]
                    ratio = statistics.median(our / their for our, their in rates)
                    bench.row(f"requests a second ÷ {peer}, {name}", ratio, least=least)


# How the cost grows


def measure_growth(path: Path, sessions: int) -> list[Growth]:
    """Measure what a page costs at this size: page 1, any page, and any page with the plain statements."""
    reader, cache, dice, found = PageReader(path), Cache(), Random(5), []
    for strategy, filters in {"direct": {}, "session": {"medium": "everywhere"}}.items():
        body = EVERYTHING | filters
        total = reader.page(body, cache).total_records

        def anywhere(cache: Cache | None, body=body, total=total) -> strategies.Page:
            return reader.page(body | {"offset": dice.randrange(total)}, cache)

        first = partial(reader.page, body, cache)
        times = medians_of(50, first, partial(anywhere, cache), partial(anywhere, None))
        found.append(Growth(strategy, sessions, *(seconds * 1000 for seconds in times)))
        click.echo(f"{sessions:>10,} sessions, {strategy:<8}" + "".join(f"{figure:>10.3f}" for figure in found[-1][2:]))
    return found


def main() -> None:
    parser = ArgumentParser(description=__doc__, prog="python -m tests.tools.benchmark")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_const", const=50_000, dest="sessions", help="a twentieth, without the peers")
    parser.add_argument("--large", action="store_const", const=10_000_000, dest="sessions", help="ten times as many")
    parser.add_argument("--database", type=Path, help="take the data of an earlier run, or leave it for a later one")
    parser.add_argument("--peers", type=Path, help="a folder for what the peers need; left out: one that is deleted")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the figures, as SVG")
    options = parser.parse_args()
    is_quick = options.sessions < 1_000_000
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = options.database or folder / "benchmark.sqlite"
        if not path.exists():
            make(path, options.sessions)
        bench, reader = Bench(is_quick), PageReader(path)
        measure_wsgi(bench, path, reader)
        measure_walks(bench, path)
        warm(path)
        measure_strategies(bench, reader)
        warm(path)
        measure_http(bench, path, reader)
        measure_start(bench, path, folder)
        measure_import(bench, folder, options.sessions // 5 if is_quick else 200_000)
        if is_quick:
            click.echo("- the peers: skipped, because installing them takes minutes")
        else:
            peers = options.peers or folder / "peers"
            peers.mkdir(exist_ok=True)
            measure_peers(bench, path, peers)
        click.echo(f"\n{sum(row.is_met for row in bench.rows)} of {len(bench.rows)} goals met.\n")

        click.echo(f"{'A page, in ms':<30}    page 1  any page    OFFSET")
        growth = []
        for sessions in [*(10**power for power in range(3, 7) if 10**power < options.sessions), options.sessions]:
            of_size = path if sessions == options.sessions else folder / f"{sessions}.sqlite"
            if not of_size.exists():
                make(of_size, sessions)
            warm(of_size)
            growth += measure_growth(of_size, sessions)
        if options.draw:
            options.draw.write_text(draw(bench.rows, growth), encoding="utf-8")


if __name__ == "__main__":
    main()
