"""Run the suite's reliability tests for much longer, and print a table: `python -m tests.tools.reliability [SECTION …]`."""

import json
import logging
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from tests import test_hostile, test_kill, test_limits, test_served, test_trouble
from tests.conftest import SERVERS, Hub, a_conversion, a_session, flask, serving
from tests.test_request import DATES, FIELDS

KILLS = 100
MINUTES = int(os.environ.get("MINUTES", 2))  # of the soak

SENT = [(sent, True) for sent, _ in test_hostile.WELL_FORMED.values()] + [(sent, False) for sent in test_hostile.MALFORMED.values()]

VECTORS = test_hostile.VECTORS
BODIES = [text for name, texts in VECTORS.items() if name.startswith("json") for text in texts]
BODIES += [f'{{"source": {text}}}' for text in BODIES]
BODIES += [
    json.dumps({d: text}) for d in DATES for text in VECTORS["dates"] + VECTORS["strings that only other parsers accept as dates"]
]
BODIES += [json.dumps({field: text}) for field in FIELDS for text in test_hostile.TEXTS]


def a_hub(folder: Path, *options: str) -> Hub:
    hub = Hub(folder / "conversions.sqlite")
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "key", *options)
    return hub


def hostile(folder: Path) -> tuple[str, int, int]:
    hub = a_hub(folder)
    tried = wrong = 0
    for serve in SERVERS.values():
        with serve(hub) as address:
            tried += len(SENT)
            wrong += sum(fails(address, *sent) for sent in SENT)
    return "requests over sockets, against both servers", tried, wrong


def fails(address: tuple[str, int], sent: bytes, is_whole: bool) -> bool:
    """Return whether the result is a 5xx, no response in time, or a 200 for a part of a body."""
    try:
        status, _, _ = test_hostile.exchange(address, sent, is_whole)
    except TimeoutError:
        return True
    # 501 and 505 are allowed: the server in front of the app returns them for malformed HTTP.
    return ((status or 0) >= 500 and status not in (501, 505)) or (status == 200 and not is_whole)


def texts(folder: Path) -> tuple[str, int, int]:
    hub = a_hub(folder)
    statuses = Counter(hub.post(body).status_code for body in BODIES)
    return "bodies: JSON, dates, SQL and odd texts in every field", len(BODIES), len(BODIES) - statuses[200] - statuses[400]


def kills(folder: Path) -> tuple[str, int, int]:
    wrong = 0
    for number, name in enumerate(test_kill.WRITES):
        own = folder / str(number)
        own.mkdir()
        outcomes = test_kill.outcomes_of_kills(own, name, KILLS)
        print(f"    {name}: {dict(outcomes)}", file=sys.stderr)
        wrong += outcomes["neither"]
    return "`kill -9` of imports and seedings", KILLS * len(test_kill.WRITES), wrong


def counting(folder: Path) -> tuple[str, int, int]:
    return "`kill -9` of a server that counts calls", KILLS, test_kill.miscounts(folder, KILLS)


def seedings(folder: Path) -> tuple[str, int, int]:
    seen, days = test_kill.totals_while_seeding(folder, 20)
    return "requests beside 20 seedings", seen.total(), seen.total() - sum(seen[day] for day in days)


def limit(folder: Path) -> tuple[str, int, int]:
    """Count the calls that are accepted over the limit or refused below it, in two months."""
    hub = a_hub(folder, "--monthly-limit", "1000")
    statuses = test_limits.count_statuses_at_the_turn_of_a_month(hub, 2000)
    wrong = sum(abs(statuses[month, status] - 1000) for month in ("2025-08", "2025-09") for status in (200, 429))
    return "requests against a limit of 1000, 32 at a time, at the turn of a month", 4000, wrong


def stalled(folder: Path) -> tuple[str, int, int]:
    tried = wrong = 0
    slowest = 0.0
    for server in SERVERS:
        for number, sent in enumerate(test_served.STALLED.values()):
            own = folder / f"{server}-{number}"
            own.mkdir()
            took = test_served.slowest_beside_stalled(a_hub(own), server, sent, 10)
            tried, wrong, slowest = tried + 10, wrong + (took >= 1), max(slowest, took)
    print(f"    the slowest took {slowest:.2f} s", file=sys.stderr)
    return f"requests beside {test_served.CLIENTS} stalled clients", tried, wrong


def slow(folder: Path) -> tuple[str, int, int]:
    """Count the requests that take a second or more beside 520 clients that send slowly."""
    tried = wrong = 0
    for number, (sent, more) in enumerate(test_served.DRIBBLED.values()):
        own = folder / str(number)
        own.mkdir()
        took = test_served.slowest_beside_stalled(a_hub(own), "granian", sent, 10, 520, more)
        tried, wrong = tried + 10, wrong + (took >= 1)
    return "requests beside 520 clients that send slowly", tried, wrong


def stops(folder: Path) -> tuple[str, int, int]:
    """Count the requests in flight, twelve at a time, that get no response when the server gets SIGTERM."""
    hub, times = a_hub(folder), 20
    statuses: list[int | None] = []
    with ThreadPoolExecutor(12) as clients:
        for _ in range(times):
            with serving(hub, MOCK="1") as address:
                asked = [clients.submit(test_kill.post, address, Prefer="delay=500") for _ in range(12)]
                time.sleep(random.uniform(0.2, 0.6))
            statuses += [None if each.exception() else each.result()[0] for each in asked]
    return "requests in flight at a SIGTERM", len(statuses), len(statuses) - statuses.count(200)


def importing(folder: Path) -> tuple[str, int, int]:
    """Count the requests without a limit that take a second or more, or fail, beside twelve that count, while an import runs."""
    hub, wrong = test_trouble.create_hub(folder / "hub"), 0
    with serving(hub) as address, test_trouble.importing(hub), ThreadPoolExecutor(12) as clients:
        over = Event()
        limited = [clients.submit(lambda: [send(address, "{}", "limited") for _ in iter(over.is_set, True)]) for _ in range(12)]
        for _ in range(100):
            began = time.monotonic()
            wrong += send(address, "{}", "key")[0] != 200 or time.monotonic() - began > 1
        over.set()
        wrong += sum(status != 503 for each in limited for status, _ in each.result())
    return "requests without a limit beside twelve clients that count, while an import runs", 100, wrong


def soak(folder: Path) -> tuple[str, int, int]:
    """Send all kinds of requests at once. Count what fails, takes more than a second, or makes the server grow after a minute."""
    hub = Hub(folder / "conversions.sqlite")
    assert hub.run("seed").exit_code == 0
    hub.load([a_session(conversions=[a_conversion()])], "own.example", "key")
    with serving(hub) as address:
        clients = [client(address) for client in (asking, asking, asking, asking, walking, faulty, over_sockets, interrupted)]
        asked, before = soaked(hub, clients, 60)
        more, after = soaked(hub, clients, 60 * (MINUTES - 1))
    asked += more
    wrong = Counter({how: times for how, times in asked.items() if how[1] != "as expected"})
    print(f"    KiB and open files: {before}, then {after}; {dict(wrong)}", file=sys.stderr)
    # Each thread can open its own connection: three files, and 2 MB of pages. The cache has room for 8 MB.
    grown = (after[0] > before[0] + 16 * 1024) + (after[1] > before[1] + 24)
    what = f"requests of all kinds in {MINUTES} minutes beside seedings, to a server whose memory and open files must not grow"
    return what, asked.total(), wrong.total() + grown


def soaked(hub: Hub, clients: list[Iterator[bool]], seconds: int) -> tuple[Counter, tuple[int, int]]:
    """Return how the requests of so many seconds went, and the resources that the server has then."""
    over = Event()

    def ask(client: Iterator[bool]) -> Counter:
        asked: Counter = Counter()
        while not over.wait(0.05):
            began = time.monotonic()
            is_expected = next(client)
            how = "failed" if not is_expected else "slow" if time.monotonic() - began > 1 else "as expected"
            asked[client.__name__, how] += 1
        return asked

    with ThreadPoolExecutor(len(clients)) as threads:
        counting = [threads.submit(ask, client) for client in clients]
        try:
            for day in islice(cycle(["2025-08-14", "2025-08-15"]), seconds // 20):
                over.wait(20)
                subprocess.run(**flask("seed", "--as-of", day, DATABASE=hub.path), capture_output=True, check=True)
        finally:
            over.set()
    return sum((each.result() for each in counting), Counter()), resources(hub)


# Clients that never stop. Each step sends a request and yields whether the response is as expected.


def asking(address: tuple[str, int]) -> Iterator[bool]:
    while True:
        query = random.choice([{}, {"meta_type": "custom"}, {"source": "google.com"}, {"medium": "organic", "meta_type": "custom"}])
        query |= {"start_date": f"2025-07-{random.randint(1, 31):02}", "offset": random.randrange(2000)}
        key = random.choice(["YOUR_API_KEY", "dense", "sparse", "boundaries", "empty"])
        yield send(address, json.dumps(query), key)[0] == 200


def walking(address: tuple[str, int]) -> Iterator[bool]:
    for filters in cycle([{}, {"medium": "organic"}, {"source": "google.com"}]):
        page = {"records_processed": 0, "has_more": True}
        while page["has_more"]:
            query = filters | {"offset": page["records_processed"]}
            status, body = send(address, json.dumps(query))
            yield status == 200
            page = body.get("pagination", {"has_more": False})


def faulty(address: tuple[str, int]) -> Iterator[bool]:
    for body in cycle(BODIES):
        yield send(address, body)[0] in (200, 400)


def over_sockets(address: tuple[str, int]) -> Iterator[bool]:
    for sent in cycle(SENT):
        yield not fails(address, *sent)


def interrupted(address: tuple[str, int]) -> Iterator[bool]:
    for sent in cycle([*test_served.STALLED.values(), test_hostile.WELL_FORMED["a valid request"][0]]):
        with socket.create_connection(address) as connection:
            connection.sendall(sent)
        yield True


def send(address: tuple[str, int], body: str, key: str = "YOUR_API_KEY") -> tuple[int | None, dict]:
    """Send a request. Return its status and body; the status is None if there is no response."""
    try:
        return test_kill.post(address, body.encode(), key)
    except (OSError, HTTPException):
        return None, {}


def resources(hub: Hub) -> tuple[int, int]:
    """Return the memory in KiB and the number of open files of the server that has the hub's database open."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(link) for link in (process / "fd").iterdir()]
            is_server = int(process.name) != os.getpid() and str(hub.path) in links
            if is_server:
                time.sleep(0.5)  # the last connections close
                status = (process / "status").read_text()
                return int(status.split("VmRSS:")[1].split()[0]), len(list((process / "fd").iterdir()))
        except OSError:
            continue
    raise LookupError("no server has the database open")


SECTIONS = {
    check.__name__: check for check in (hostile, texts, kills, counting, seedings, limit, stalled, slow, stops, importing, soak)
}


def main() -> None:
    logging.disable()
    print("| what was tried | how many | went wrong |\n| --- | --- | --- |")
    for name in sys.argv[1:] or SECTIONS:
        with TemporaryDirectory() as folder:
            what, tried, wrong = SECTIONS[name](Path(folder))
        print(f"| {what} | {tried:,} | {wrong} |", flush=True)


if __name__ == "__main__":
    main()
