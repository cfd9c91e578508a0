"""Tries by hand what the suite tries a little of, and prints the table of the README: `python -m tests.reliability [SECTION …]`."""

import json
import logging
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import test_hostile, test_kill, test_limits, test_served
from tests.conftest import SERVERS, Hub, a_conversion, a_session, serving
from tests.test_request import DATES, FIELDS

KILLS = 100
REQUESTS = 10_000


def a_hub(folder: Path, *options: str) -> Hub:
    hub = Hub(folder / "conversions.sqlite")
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "key", *options)
    return hub


def hostile(folder: Path) -> tuple[str, int, int]:
    """A 5xx, no answer in time, or a 200 for a part of a body."""
    hub = a_hub(folder)
    tried = wrong = 0
    for serve in SERVERS.values():
        with serve(hub) as address:
            for sent, is_whole in [(case[0], True) for case in test_hostile.OURS.values()] + [
                (sent, False) for sent in test_hostile.THE_FRONTS.values()
            ]:
                tried += 1
                try:
                    status, _, _ = test_hostile.exchange(address, sent)
                except TimeoutError:
                    wrong += 1
                else:
                    # Of the 5xx, 501 and 505 are said by the server in front of what is no HTTP.
                    wrong += ((status or 0) >= 500 and status not in (501, 505)) or (status == 200 and not is_whole)
    return "requests over sockets, against each of the three servers", tried, wrong


def texts(folder: Path) -> tuple[str, int, int]:
    hub = a_hub(folder)
    bodies = [text for name, texts in test_hostile.VECTORS.items() if name.startswith("json") for text in texts]
    bodies += [f'{{"source": {text}}}' for text in bodies]
    dates = test_hostile.VECTORS["dates"] + test_hostile.VECTORS["what only others take for a date"]
    bodies += [json.dumps({field: text}) for field in DATES for text in dates]
    bodies += [json.dumps({field: text}) for field in FIELDS for text in test_hostile.TEXTS]
    statuses = Counter(hub.post(body).status_code for body in bodies)
    return "bodies: JSON, dates, SQL and odd texts in every field", len(bodies), len(bodies) - statuses[200] - statuses[400]


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
    """Calls granted beyond the limit, or refused below it, in either of two months."""
    hub = a_hub(folder, "--monthly-limit", "1000")
    answered = test_limits.answered_at_the_turn_of_a_month(hub, 2000)
    wrong = sum(abs(answered[month, status] - 1000) for month in ("2025-08", "2025-09") for status in (200, 429))
    return "requests against a limit of 1000, 32 at a time, at the turn of a month", 4000, wrong


def stalled(folder: Path) -> tuple[str, int, int]:
    tried = wrong = 0
    slowest = 0.0
    for server in ("flask run", "waitress"):
        for number, sent in enumerate(test_served.STALLED.values()):
            own = folder / f"{server}-{number}"
            own.mkdir()
            took = test_served.slowest_beside_stalled(a_hub(own), server, sent, 10)
            tried, wrong, slowest = tried + 10, wrong + (took >= 1), max(slowest, took)
    print(f"    the slowest took {slowest:.2f} s", file=sys.stderr)
    return f"requests beside {test_served.CLIENTS} stalled clients", tried, wrong


def flat(folder: Path) -> tuple[str, int, int]:
    """Memory and open files of one worker, after the first thousand requests and at the end."""
    hub = a_hub(folder)
    with serving(hub, "--threads", "8") as address, ThreadPoolExecutor(8) as clients:

        def ask(times: int) -> tuple[int, int]:
            bodies = ["{}", '{"source": "(direct)"}', "{", '{"offset": -1}']
            for _ in clients.map(lambda n: test_kill.post(address, bodies[n % 4]), range(times)):
                pass
            return resources(hub)

        before, after = ask(1000), ask(REQUESTS)
    print(f"    KiB and open files: {before}, then {after}", file=sys.stderr)
    # Each of the 8 threads can come to a connection of its own, which is three files.
    grown = (after[0] > before[0] * 1.05) + (after[1] > before[1] + 24)
    return "requests to one worker, whose memory and open files must not grow", REQUESTS, grown


def resources(hub: Hub) -> tuple[int, int]:
    """KiB and open files of the worker that has the hub's database open."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(link) for link in (process / "fd").iterdir()]
            is_worker = int(process.name) != os.getpid() and str(hub.path) in links
            if is_worker:
                time.sleep(0.5)  # the last connections close
                status = (process / "status").read_text()
                return int(status.split("VmRSS:")[1].split()[0]), len(list((process / "fd").iterdir()))
        except OSError:
            continue
    raise LookupError("no worker has the database open")


SECTIONS = {check.__name__: check for check in (hostile, texts, kills, counting, seedings, limit, stalled, flat)}


def main() -> None:
    logging.disable()
    print("| what was tried | how many | went wrong |\n| --- | --- | --- |")
    for name in sys.argv[1:] or SECTIONS:
        with TemporaryDirectory() as folder:
            what, tried, wrong = SECTIONS[name](Path(folder))
        print(f"| {what} | {tried:,} | {wrong} |", flush=True)


if __name__ == "__main__":
    main()
