"""Accounts with random data, to check that the conformance kit blames none of them, whatever the data looks like.

    python -m tests.tools.random_accounts [COUNT [FIRST]]

prints what the kit finds in each. The kit's checks are called in this process. test_kit_blames_nobody.py does
the same with 100 accounts.
"""

import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from conversions_api import create_app

from tests import endpoint
from tests.endpoint import Endpoint
from tests.tools.kit_in_process import Finding, InProcess, checks, run_checks

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
# What the server's clock says; the first quarter of an hour of a day is when a window is easily too long.
CLOCKS = ["2025-11-20T12:00:00Z", "2025-11-29T00:15:00Z", "2024-02-29T23:59:30Z", "2026-01-01T00:00:00Z"]


class Account(NamedTuple):
    number: int
    now: datetime
    sessions: list[dict]
    dates: dict[str, str]  # --start-date and --end-date
    says_another_time: bool  # the server's clock is fixed, but not its header Date


def account(number: int) -> Account:
    """Draw an account; the same number draws the same one."""
    random = Random(number)
    now = datetime.fromisoformat(CLOCKS[number % len(CLOCKS)])
    newest = now - random.choice([0, 0, 1, 24, 240]) * HOUR - random.choice([0, 1, 0]) * random.randrange(3600) * SECOND
    days = random.choice([1, 2, 7, 31, 45, 120, 400])
    count = random.choice([1, 2, 5, 30, 100, 250, 250, 500])
    grid = random.choice([1, 1, 60, 900, 3600, 86_400])
    longest = random.choice([0, 0, 600, 3600, 86_400, 2 * 86_400])
    most = random.choice([1, 1, 2, 3, *([8, 40] if count <= 30 else [2, 3])])
    share = random.choice([0.05, 0.3, 0.6, 1.0])
    emails = random.choice(["all", "some", "none", "few"])
    pages = [f"https://shop.example{path}" for path in ["/", "/pricing", "/Pricing", "/a?b=1", "/blog/", "/cart#x"]]
    pages = pages[: random.choice([1, 2, 6])]
    ids = [f"form-{place}" for place in range(random.choice([1, 3, 10]))]
    channels: list[dict] = [
        {"utm_source": "google.com", "utm_medium": "organic"},
        {"utm_source": "google.com", "utm_medium": "cpc", "utm_campaign": "brand-search", "utm_content": "headline-a"},
        {"utm_source": "Google.com", "utm_medium": "cpc", "utm_campaign": "Brand-Search", "utm_term": "attribution software"},
        {"utm_source": "facebook.com", "utm_medium": "google.com"},
        {},
    ]
    channels = channels[: random.choice([1, 2, 5])]

    def on_grid(moment: datetime) -> datetime:
        return datetime.fromtimestamp(moment.timestamp() // grid * grid, UTC)

    sessions = []
    for place in range(count):
        end = on_grid(newest - (random.random() * days * DAY if place else 0 * DAY))
        start = on_grid(end - random.random() * longest * SECOND)
        moments = [end] if not place else []
        if random.random() < share:
            moments += [start + random.random() * (end - start) for _ in range(random.randint(1, most))]
        sessions.append(
            {
                "started_at": f"{start:%Y-%m-%dT%XZ}",
                "ended_at": f"{end:%Y-%m-%dT%XZ}",
                "landing_page": random.choice(pages),
                **random.choice(channels),
                "conversions": [
                    {
                        "email": email_of(emails, place, random),
                        "timestamp": f"{max(start, on_grid(moment)):%Y-%m-%d %X}",
                        "conversion_page": random.choice(pages),
                        "previous_page": random.choice([None, *pages]),
                        "conversion_meta": {"type": random.choice(["html_form", "custom"]), "id": random.choice(ids)},
                    }
                    for moment in moments
                ],
            }
        )
    return Account(number, now, sessions, dates_of(random, now, days), number % 7 == 0)


def email_of(kind: str, place: int, random: Random) -> str | None:
    if kind == "none" or (kind == "some" and random.random() < 0.5):
        return None
    return f"{'few' if kind == 'few' else place}@mail.example"


def dates_of(random: Random, now: datetime, days: int) -> dict[str, str]:
    """Draw --start-date and --end-date: neither, for half of the accounts."""
    end = now - random.random() * days * DAY
    start = end - random.random() * random.choice([2, 10, 60]) * DAY
    form = random.choice(["%Y-%m-%d", "%Y-%m-%dT%XZ"])
    dates = {"start_date": f"{start:{form}}", "end_date": f"{end:{form}}"}
    return {name: dates[name] for name in random.choice([[], [], [], ["start_date"], ["end_date"], ["start_date", "end_date"]])}


class Servers:
    """The small server for most accounts, which is fast, and the app for every 25th."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.apps: dict[datetime, Any] = {}

    def app(self, now: datetime):
        """Return an app with this clock."""
        if now not in self.apps:
            path = self.folder / f"{len(self.apps)}.sqlite"
            app = create_app({"DATABASE": path, "NOW": f"{now:%Y-%m-%dT%XZ}", "MOCK": "1"})
            line = '{"started_at": "2025-01-01T00:00:00Z", "landing_page": "https://first.example/"}\n'
            loaded = app.test_cli_runner().invoke(args=["import", "-", "--domain", "first.example", "--key", "first"], input=line)
            assert loaded.exit_code == 0, loaded.output
            self.apps[now] = app
        return self.apps[now]

    def load(self, account: Account) -> tuple[Callable, str]:
        """Return what replaces the kit's function that sends a request, and the key of the account."""
        date = datetime.now(UTC) if account.says_another_time else account.now
        if account.number % 25:
            return InProcess(Endpoint(account.sessions, now=account.now), date).send, endpoint.KEY
        app = self.app(account.now)
        response = app.test_client().post("/_mock/accounts", json={"sessions": account.sessions})
        assert response.status_code == 201, response.text
        return InProcess(app, date).send, response.json["key"]


class Blamed(NamedTuple):
    findings: list[tuple[int, Finding]]
    held: int


def blamed(numbers: range) -> Blamed:
    """Call all checks of the kit for the accounts of these numbers."""
    findings, held = [], 0
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(Path(folder))
        for number in numbers:
            drawn = account(number)
            found = run_checks(checks(), *servers.load(drawn), drawn.dates)
            findings += [(number, finding) for finding in found.findings]
            held += found.held
    return Blamed(findings, held)


def main() -> None:
    count, first = [*map(int, sys.argv[1:3]), *[20, 0][len(sys.argv[1:3]) :]]
    found = blamed(range(first, first + count))
    for number, finding in found.findings:
        print(f"{number:4} {'reading' if finding.is_reading else 'BLAMED '} {finding.check}: {finding.how[:400]}")
    print(f"{found.held} checks hold, {len(found.findings)} do not, in {count} accounts")


if __name__ == "__main__":
    main()
