"""How fast the server is, as ratios against a floor taken in the same run: python -m tests.benchmark [--quick] [--large]

Makes a database of a million sessions and 250,000 conversions, of five accounts in 400 days (--quick: a twentieth of that, --large:
ten times), measures, and prints each figure beside its goal.
"""

import json
import statistics
import sys
from argparse import ArgumentParser
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter

import click
from werkzeug.test import EnvironBuilder

from app import accounts, api, create_app, loading, schemas, strategies
from app.database import Database
from app.fences import Memory

KEY = {"Authentication": "key-0"}
NOW = 1_760_000_000  # 2025-10-09 08:53:20
DAYS = 400
EVERYTHING = {"start_date": "2020-01-01", "end_date": "2030-01-01"}

# Of sessions and conversions alike, one in so many has the value; all sessions have the medium "everywhere".
SHARES = {"common": 2, "middling": 20, "rare": 1000}


def make(path: Path, sessions: int) -> None:
    """The data: nine tenths of it in the first account; a pool without conversions, and one with hardly any."""
    dice = Random(1)
    database = Database(path)
    with database.creating() as connection:
        for number in range(5):
            connection.execute(loading.ADD_ACCOUNT, loading.NO_LIMIT | {"domain": f"{number}.example"}).fetchall()
            accounts.add_key(connection, number + 1, f"key-{number}")

        def value(kind: str) -> str:
            names = (name for name, share in reversed(SHARES.items()) if dice.random() < 1 / share)
            return f"{kind}-{next(names, 'other')}"

        with click.progressbar(range(sessions), label="Making the data", file=sys.stderr) as bar:
            for number in bar:
                account = 1 if dice.random() < 0.9 else dice.randint(2, 5)
                start = NOW - int(DAYS * 86_400 * (1 - number / sessions))
                converts = dice.random() < 0.2
                # Half of the sessions that do not convert are a pool without conversions, the others one with hardly any.
                campaign = None if converts and dice.random() > 1 / 5000 else "silent" if number % 2 and not converts else "hardly"
                row = {
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


# Measuring


class Bench:
    """The table, filled row by row."""

    def __init__(self):
        self.rows: list[tuple[str, str, float, bool]] = []

    def row(self, what: str, figure: float, most: float | None = None, least: float | None = None, unit: str = "") -> None:
        met = figure <= most if most is not None else figure >= least
        goal = f"≤ {most:g}{unit}" if most is not None else f"≥ {least:g}{unit}"
        self.rows.append((what, goal, figure, met))
        click.echo(f"{'✓' if met else '✗'} {what:<92} {goal:>9} {figure:>9.2f}{unit}")


def median_of(times: int, run) -> float:
    """The median time of a run, in seconds."""
    return medians_of(times, run)[0]


def medians_of(times: int, *runs) -> list[float]:
    """The median time of each of the runs, which take turns, so that a machine that drifts drifts for all of them."""
    taken = [[] for _ in runs]
    for _ in range(times):
        for run, times_of_run in zip(runs, taken, strict=True):
            started = perf_counter()
            run()
            times_of_run.append(perf_counter() - started)
    return [statistics.median(times_of_run) for times_of_run in taken]


class Asker:
    """Pages straight from the strategies, on one connection in one transaction."""

    def __init__(self, path: Path):
        self.database = Database(path)
        self.reading = self.database.reading()
        self.connection = self.reading.__enter__()
        self.account = accounts.authenticate(self.connection, "key-0").id

    def query(self, body: dict, now: int = NOW) -> dict:
        return schemas.load_query(body, now) | {"account": self.account}

    def page(self, body: dict, memory: Memory | None = None, now: int = NOW) -> strategies.Page:
        self.connection.ran = []
        return strategies.page(self.connection, self.query(body, now), memory)


def measure_strategies(bench: Bench, asker: Asker) -> None:
    dice, memory = Random(2), Memory()
    filters = [{}, *({name: f"{kind}-common"} for name, kind in {"meta_type": "type", "meta_id": "id"}.items())]
    filters += [{"conversion_page": "https://0.example/page-common"}, {"source": "source-common"}, {"medium": "everywhere"}]
    filters += [{"content": "content-common"}, {"term": "term-common"}, {"landing_page": "https://0.example/landing-common"}]
    deep_ratios, first_ratios = [], []
    for body in filters:
        body = EVERYTHING | body
        plain = median_of(3, lambda body=body: asker.page(body))
        first_ratios.append(median_of(3, lambda body=body: asker.page(body, Memory())) / plain)
        total = asker.page(body, memory).total_records
        at_first, at_random = medians_of(
            200,
            lambda body=body: asker.page(body, memory),
            lambda body=body, total=total: asker.page(body | {"offset": dice.randrange(total)}, memory),
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
        asker.page(body)
        count = next(statement for statement in asker.connection.ran if "count(*)" in statement.sql)
        counting = median_of(3, lambda count=count: asker.connection.execute(count.sql, count.values).fetchall())
        first = median_of(3, lambda body=body: asker.page(body, Memory()))
        bench.row(what, first / counting, most=most)
        asker.page(body, memory)
        afterwards = median_of(20, lambda body=body: asker.page(body, memory)) * 1000
        bench.row("   afterwards", afterwards, most=1, unit=" ms")

    def walk(body: dict, most: float = float("inf")) -> tuple[int, float]:
        started, seen, has_more, offset = perf_counter(), 0, True, 0
        while has_more and seen < most:
            page = asker.page(EVERYTHING | body | {"offset": offset}, memory)
            seen, has_more, offset = seen + len(page.conversions), page.has_more, page.records_processed
        return seen, perf_counter() - started

    for name, body in {"directly": {}, "by sessions": {"medium": "everywhere"}}.items():
        some, time_of_some = walk(body, asker.page(EVERYTHING, memory).total_records / 50)
        every, time_of_all = walk(body)
        ratio = (time_of_all / every) / (time_of_some / some)
        bench.row(f"walking all conversions {name} ÷ 50 times walking a fiftieth, a conversion", ratio, most=1.2)

    for name, body in {"direct": {}, "session": {"source": "source-common"}}.items():
        ticks = iter(range(NOW, NOW + 10_000))
        fixed, moving = medians_of(
            300, lambda body=body: asker.page(body, memory), lambda body=body, ticks=ticks: asker.page(body, memory, next(ticks))
        )
        bench.row(f"pages a second, a default window that moves on ÷ one that stands still, {name}", fixed / moving, least=0.8)


def measure_wsgi(bench: Bench, path: Path, asker: Asker) -> None:
    app = create_app({"DATABASE": path, "NOW": "2025-10-09T08:53:20Z"})
    app.logger.setLevel("WARNING")
    memory = Memory()
    for name, filters in {"direct": {"meta_type": "type-common"}, "session": {"source": "source-common"}}.items():
        body = json.dumps(EVERYTHING | filters).encode()
        asked = EnvironBuilder(path=api.PATH, method="POST", data=body, content_type="application/json", headers=KEY)
        environ = asked.get_environ()

        def ask(environ=environ, body=body) -> bytes:
            return b"".join(app(environ | {"wsgi.input": BytesIO(body)}, lambda *_: None))

        asker.page(EVERYTHING | filters, memory)
        page = asker.page(EVERYTHING | filters, memory)
        statements = list(asker.connection.ran)

        def bare(statements=statements, page=page) -> str:
            for statement in statements:
                asker.connection.execute(statement.sql, statement.values).fetchall()
            return json.dumps(api.answer(page))

        ask()
        as_wsgi, in_a_loop = medians_of(300, ask, bare)
        bench.row(f"page 1 as WSGI ÷ a bare loop with the same SQL and json, {name}", as_wsgi / in_a_loop, most=1.8)


def main() -> None:
    parser = ArgumentParser(description=__doc__, prog="python -m tests.benchmark")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_const", const=50_000, dest="sessions", help="a twentieth")
    parser.add_argument("--large", action="store_const", const=10_000_000, dest="sessions", help="ten times as many")
    parser.add_argument("--database", type=Path, help="take the data of an earlier run, or leave it for a later one")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = options.database or Path(folder) / "benchmark.sqlite"
        if not path.exists():
            make(path, options.sessions)
        bench, asker = Bench(), Asker(path)
        measure_wsgi(bench, path, asker)
        measure_strategies(bench, asker)
    missed = [what for what, _, _, met in bench.rows if not met]
    click.echo(f"\n{len(bench.rows) - len(missed)} of {len(bench.rows)} goals met.")


if __name__ == "__main__":
    main()
