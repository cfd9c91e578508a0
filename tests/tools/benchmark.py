"""Measure the speed, as ratios of two figures of the same run: python -m tests.tools.benchmark [--quick] [--before FOLDER]

Imports accounts of 2,000, 20,000 and 100,000 sessions, which is what people have, and one of a million, which shows how the cost
grows. Measures and prints each figure with its goal, if it has one. With --before it measures the checkout of an earlier commit in
turn with this one; that folder has an environment in .venv. Other servers are measured with the same data, in an environment of
their own; what cannot be installed is skipped by name. --quick leaves out the million and the other servers.
"""

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
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from time import perf_counter
from typing import NamedTuple

import click
import orjson
from conversions_api import accounts, api, create_app, schemas, strategies, tables
from conversions_api.database import Database, Statement
from conversions_api.openapi.document import document
from flask import Flask, Response
from werkzeug.test import EnvironBuilder

ROOT = Path(__file__).parent.parent.parent
NOW, MOMENT = 1_760_000_000, "2025-10-09T08:53:20Z"
MONTH = {"start_date": "2025-09-09", "end_date": "2025-10-09"}
ALL_TIME = {"start_date": "2020-01-01", "end_date": "2030-01-01"}
QUERIES = {"direct": {"meta_type": "type-common"}, "session": {"source": "source-common"}}
SIZES = [2_000, 20_000, 100_000]  # sessions of an account: people's
LARGEST = 1_000_000

# One in so many sessions or conversions has the value.
SHARES = {"common": 2, "middling": 20, "rare": 1000}


def write_sessions(path: Path, size: int) -> None:
    """Write sessions of 400 days in the import format. One in five converts; half of the others are a pool without conversions."""
    dice = Random(1)

    def moment(second: int) -> str:
        return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def value(kind: str) -> str:
        names = (name for name, share in reversed(SHARES.items()) if dice.random() < 1 / share)
        return f"{kind}-{next(names, 'other')}"

    with path.open("w", encoding="utf-8") as file:
        for number in range(size):
            start = NOW - int(400 * 86_400 * (1 - number / size))
            conversions = [
                {
                    "email": f"visitor-{number}@mail.example",
                    "timestamp": moment(start),
                    "conversion_page": f"https://shop.example/{value('page')}",
                    "previous_page": f"https://shop.example/item/{dice.randrange(500)}",
                    "conversion_meta": {"type": value("type"), "id": value("id")},
                }
                for _ in range(dice.choice([1, 1, 1, 2]) if number % 5 == 0 else 0)
            ]
            session = {
                "session_id": f"s-{number}",
                "started_at": moment(start),
                "ended_at": moment(start + dice.randint(0, 1800)),
                "landing_page": f"https://shop.example/{value('landing')}",
                "referrer": "https://www.google.com/",
                "utm_source": value("source"),
                "utm_medium": "everywhere",
                "utm_campaign": "silent" if number % 2 and number % 5 else None,
                "utm_content": value("content"),
                "utm_term": value("term"),
                "conversions": conversions,
            }
            file.write(f"{json.dumps(session)}\n")


class Times(NamedTuple):
    """The seconds of a request."""

    warm: float
    cold: float  # right after a write to another account
    write: float  # that write: an account for one test, made and deleted


class Version(NamedTuple):
    """A checkout that is measured: this one, or that of an earlier commit."""

    folder: Path
    python: str

    def run(self, *arguments: str, database: Path, **more) -> subprocess.CompletedProcess:
        settings = {"CONVERSIONS_DATABASE": str(database), "CONVERSIONS_NOW": MOMENT, "CONVERSIONS_MOCK": "1"}
        environment = os.environ | settings | {"PYTHONPATH": str(self.folder)}
        return subprocess.run([self.python, *arguments], cwd=self.folder, env=environment, check=True, capture_output=True, **more)

    def load(self, file: Path, size: int, database: Path) -> float:
        """Import the file into an account named after its size; return how long that took."""
        started = perf_counter()
        domain, key = f"shop-{size}.example", key_of(size)
        self.run("-m", "flask", "import", str(file), "--domain", domain, "--key", key, "--replace", database=database)
        return perf_counter() - started

    def times(self, size: int, queries: list[dict], database: Path) -> list[Times]:
        program = (ROOT / "tests" / "tools" / "requests_timed.py").read_text(encoding="utf-8")
        lines = "".join(f"{json.dumps(query)}\n" for query in queries)
        done = self.run("-c", program, key_of(size), database=database, input=lines, text=True)
        return [Times(*json.loads(line)) for line in done.stdout.splitlines()]


def key_of(size: int) -> str:
    return f"key-{size}"


# Measuring


class Row(NamedTuple):
    what: str
    figure: float
    most: float | None
    least: float | None
    unit: str

    @property
    def is_met(self) -> bool:
        return (self.most is None or self.figure <= self.most) and (self.least is None or self.figure >= self.least)

    @property
    def goal(self) -> str:
        if self.most is None and self.least is None:
            return ""
        return f"≤ {self.most:g}{self.unit}" if self.most is not None else f"≥ {self.least:g}{self.unit}"


class Bench:
    """The table of figures, and how often and how long to measure."""

    def __init__(self, is_quick: bool):
        self.rows: list[Row] = []
        self.rounds = 1 if is_quick else 5  # of measurements that start servers or keep them busy
        self.seconds = 0.3 if is_quick else 2  # for which servers are kept busy
        self.requests = 100 if is_quick else 1000  # without a server

    def row(self, what: str, figure: float, most: float | None = None, least: float | None = None, unit: str = "") -> None:
        row = Row(what, figure, most, least, unit)
        self.rows.append(row)
        mark = " " if not row.goal else "✓" if row.is_met else "✗"
        click.echo(f"{mark} {what:<92} {row.goal:>9} {figure:>9.2f}{unit}")


def medians_of(times: int, *runs) -> list[float]:
    """Return the median time of each run. The runs take turns, so that a change of the machine's speed affects all of them."""
    taken = [[] for _ in runs]
    for _ in range(times):
        for run, times_of_run in zip(runs, taken, strict=True):
            started = perf_counter()
            run()
            times_of_run.append(perf_counter() - started)
    return [statistics.median(times_of_run) for times_of_run in taken]


def measure_sizes(bench: Bench, sizes: list[int], folder: Path, path: Path, before: Version | None) -> None:
    """Import an account of each size, and measure requests, warm and after a write to another account."""
    ours, queries = Version(ROOT, sys.executable), [MONTH | filters for filters in QUERIES.values()]
    theirs = path.with_name("before.sqlite")
    for size in sizes:
        file = folder / f"{size}.jsonl"
        write_sessions(file, size)
        rounds = 3 if before and size == SIZES[-1] else 1
        imports = [(ours.load(file, size, path), before.load(file, size, theirs) if before else None) for _ in range(rounds)]
        if rounds > 1:
            bench.row(f"import of {size:,} sessions ÷ the commit before", median_ratio(imports), most=0.9)
        times = [
            (ours.times(size, queries, path), before.times(size, queries, theirs) if before else None)
            for _ in range(3 if before else 1)
        ]
        for number, name in enumerate(QUERIES):
            mine = [now[number] for now, _ in times]
            warm, cold = (statistics.median(getattr(each, part) for each in mine) for part in ("warm", "cold"))
            of = f"{size:,} sessions, {name}"
            bench.row(f"{of}: a request", warm * 1e6, unit=" µs")
            bench.row(f"{of}: after a write to another account ÷ warm", cold / warm, most=1.5 if size == SIZES[0] else None)
            if before:
                both = [(now[number], old[number]) for now, old in times]
                ratios = {part: median_ratio([(getattr(a, part), getattr(b, part)) for a, b in both]) for part in ("warm", "cold")}
                bench.row(f"{of}: warm ÷ the commit before", ratios["warm"])
                bench.row(f"{of}: after a write ÷ the commit before", ratios["cold"], most=0.6 if size == SIZES[1] else None)
        bench.row(f"{size:,} sessions: an account for one test, made and deleted", times[0][0][0].write * 1000, unit=" ms")
        if before:
            written = [(now[0].write, old[0].write) for now, old in times]
            bench.row(f"{size:,} sessions: such an account ÷ the commit before", median_ratio(written), most=0.3)


def median_ratio(pairs: list[tuple]) -> float:
    return statistics.median(ours / theirs for ours, theirs in pairs)


class PageReader:
    """Gets pages directly from the strategies, on one connection in one transaction."""

    def __init__(self, path: Path, size: int):
        self.reading = Database(path).reading()
        self.connection = self.reading.__enter__()
        self.account = accounts.authenticate(self.connection, key_of(size))

    def page(self, body: dict) -> strategies.Page:
        self.connection.ran = []
        return strategies.page(self.connection, schemas.load_query(body, NOW) | self.account.scope)


def measure_depth(bench: Bench, path: Path, size: int, most: float | None) -> None:
    """Compare any page with page 1."""
    reader, dice = PageReader(path, size), Random(2)
    for window_name, window in {"30 days": MONTH, "all time": ALL_TIME}.items():
        for name, filters in {"direct": {}, "session": {"medium": "everywhere"}}.items():
            body = window | filters
            total = reader.page(body).total_records
            first, anywhere = medians_of(
                50,
                lambda body=body: reader.page(body),
                lambda body=body, total=total: reader.page(body | {"offset": dice.randrange(total)}),
            )
            goal = most if window is MONTH else None
            bench.row(f"{size:,} sessions, {window_name}, {name}: any page ÷ page 1, in SQL", anywhere / first, most=goal)
    (silent,) = medians_of(3, lambda: reader.page(ALL_TIME | {"campaign": "silent", "offset": 0}))
    bench.row(f"{size:,} sessions, all time: a pool without conversions", silent * 1000, unit=" ms")
    reader.reading.__exit__(None, None, None)


def measure_floor(bench: Bench, path: Path, size: int) -> None:
    app = create_app({"DATABASE": path, "NOW": MOMENT})
    app.logger.setLevel("WARNING")
    reader = PageReader(path, size)
    for name, filters in QUERIES.items():
        body = MONTH | filters
        reader.page(body)
        page = reader.page(body)  # without the number, which is remembered
        key = Statement(accounts.ACCOUNT_OF_KEY, {"digest": accounts.digest(key_of(size))})
        floor = minimal_app(path, [key, *reader.connection.ran], api.response_of(page))
        ours, least = (wsgi_request(each, json.dumps(body).encode(), size) for each in (app, floor))
        assert ours() == least()
        as_wsgi, at_least = medians_of(bench.requests, ours, least)
        bench.row(f"{size:,} sessions, {name}: a request ÷ an empty Flask route, same SQL and bytes", as_wsgi / at_least, most=1.5)
    reader.reading.__exit__(None, None, None)


def minimal_app(path: Path, statements: list[Statement], response: dict) -> Flask:
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


def wsgi_request(app: Flask, body: bytes, size: int) -> Callable[[], bytes]:
    headers = {"Authentication": key_of(size)}
    asked = EnvironBuilder(path=api.PATH, method="POST", data=body, content_type="application/json", headers=headers)
    environ = asked.get_environ()
    return lambda: b"".join(app(environ | {"wsgi.input": BytesIO(body)}, lambda *_: None))


def measure_mock(bench: Bench, path: Path, size: int) -> None:
    """Measure what the records of the mock cost: requests with them and without them take turns."""
    recording, silent = (create_app({"DATABASE": path, "NOW": MOMENT, "MOCK": is_on}) for is_on in ("1", "0"))
    for app in (recording, silent):
        app.logger.setLevel("WARNING")
    for name, filters in QUERIES.items():
        body = json.dumps(MONTH | filters).encode()
        with_record, without = medians_of(bench.requests, wsgi_request(recording, body, size), wsgi_request(silent, body, size))
        bench.row(f"{size:,} sessions, {name}: a request in mock mode ÷ with the mock off", with_record / without)


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
        f"POST {api.PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthentication: {key_of(SIZES[-1])}\r\nContent-Type: application/json\r\n"
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


def granian() -> list[str]:
    return [sys.executable, "-m", *"granian --http 1 --no-ws --workers-kill-timeout 25 --port {port} wsgi:server".split()]


def waitress(python: str = sys.executable, app: str = "wsgi:app") -> list[str]:
    return [python, "-m", "waitress", "--ident=", "--listen", "127.0.0.1:{port}", app]


def flask_run(app: str = "wsgi:app") -> list[str]:
    return [sys.executable, "-m", "flask", "--app", app, "run", "--port", "{port}"]


def measure_clients(bench: Bench, path: Path) -> None:
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


def measure_import(bench: Bench, folder: Path, path: Path, size: int) -> None:
    """Compare the import with sqlite3's own .import of the same rows and the index build."""
    sqlite3 = shutil.which("sqlite3")
    if not sqlite3:
        click.echo("- import ÷ .import and the indexes: skipped, there is no sqlite3 to run")
        return
    ours, floor = folder / "imported.sqlite", folder / "floor.sqlite"
    seconds = Version(ROOT, sys.executable).load(folder / f"{size}.jsonl", size, ours)
    for table in ("sessions", "conversions"):
        with (folder / f"{table}.csv").open("wb") as rows:
            subprocess.run([sqlite3, "-csv", ours, f"SELECT * FROM {table}"], stdout=rows, check=True)
    schema, indexes = tables.schema_statements()
    account = "INSERT INTO accounts (domain) VALUES ('shop.example');"
    subprocess.run([sqlite3, floor], input=f"{''.join(schema)}{account}", text=True, check=True)
    imports = "".join(f".import {folder / table}.csv {table}\n" for table in ("sessions", "conversions"))
    started = perf_counter()
    subprocess.run([sqlite3, "-csv", floor], input=f"{imports}{''.join(indexes)}", text=True, check=True)
    ratio = seconds / (perf_counter() - started)
    bench.row(f"import of {size:,} sessions ÷ sqlite3 .import of their rows and the index build", ratio, most=4)


# Other servers, with the same data on the same machine

DATASETTE = {
    "direct": """
        SELECT id, email, datetime(timestamp, 'unixepoch') AS timestamp, conversion_page, previous_page, meta_type, meta_id, (
            SELECT count(*) FROM conversions
            WHERE account_id = :account AND meta_type = :value AND timestamp BETWEEN unixepoch(:start) AND unixepoch(:end) + 86399
        ) AS total
        FROM conversions
        WHERE account_id = :account AND meta_type = :value AND timestamp BETWEEN unixepoch(:start) AND unixepoch(:end) + 86399
        ORDER BY timestamp DESC, id DESC LIMIT 50 OFFSET :offset
    """,
    "session": """
        WITH pool AS (
            SELECT id, started_at FROM sessions
            WHERE account_id = :account AND source = :value
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
    window, asked = MONTH, QUERIES

    def get_request(name: str) -> bytes:
        (value,) = asked[name].values()
        at = f"/{path.stem}/{name}.json?_shape=array&value={value}&start=2025-09-09&end=2025-10-09&offset=0&account={account}"
        return f"GET {at} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    python, prism = folder / "environment" / "bin" / "python", folder / "node_modules" / ".bin" / "prism"
    reader = PageReader(path, SIZES[-1])
    account = reader.account.id
    reader.reading.__exit__(None, None, None)
    app = create_app({"DATABASE": path, "NOW": MOMENT})
    app.logger.setLevel("WARNING")
    with app.test_client() as client:
        a_page = client.post(api.PATH, json=window | asked["direct"], headers={"Authentication": key_of(SIZES[-1])}).json
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
            {"direct": 4, "session": 5},
            waitress(str(python), "tests.tools.peers:app"),
            lambda name: post_request(window | asked[name]),
        ),
        "datasette with a canned query and count": (
            {"direct": 4, "session": 4},
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

    with serving(granian(), path, post_request({})) as ours:
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


def main() -> None:
    parser = ArgumentParser(description=__doc__, prog="python -m tests.tools.benchmark")
    parser.add_argument("--quick", action="store_true", help="without the million sessions and the other servers")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N", help="other numbers of sessions")
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="the checkout of an earlier commit, with .venv in it")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="where the other servers are, or are to be, installed")
    options = parser.parse_args()
    if options.sizes:
        SIZES[:] = options.sizes
    before = (
        Version(options.before.absolute(), str(options.before.absolute() / ".venv" / "bin" / "python")) if options.before else None
    )
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = folder / "benchmark.sqlite"
        bench = Bench(options.quick)
        measure_sizes(bench, SIZES, folder, path, before)
        for size in SIZES[:2]:
            measure_floor(bench, path, size)
        measure_mock(bench, path, SIZES[0])
        measure_depth(bench, path, SIZES[-1], most=3)
        measure_import(bench, folder, path, SIZES[-1])
        measure_clients(bench, path)
        measure_start(bench, path, folder)
        if options.quick:
            click.echo("- the other servers and the million: skipped, because they take minutes")
        else:
            peers = options.peers or folder / "peers"
            peers.mkdir(exist_ok=True)
            measure_peers(bench, path, peers)
            million = folder / "million.sqlite"
            measure_sizes(bench, [LARGEST], folder, million, None)
            measure_depth(bench, million, LARGEST, most=None)
        with_goal = [row for row in bench.rows if row.goal]
        click.echo(f"\n{sum(row.is_met for row in with_goal)} of {len(with_goal)} goals met.")


if __name__ == "__main__":
    main()
