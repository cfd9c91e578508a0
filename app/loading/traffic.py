"""The generated traffic of the bundled accounts, as sessions that imported.load has loaded. Decisions 29, 31.

A day is the same on every machine forever: it uses only random(), whose sequence Python promises to keep.
"""

import json
from bisect import bisect
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import accumulate
from random import Random

from .. import instants
from ..accounts import authenticate
from ..database import Connection
from ..tables import SHIPPED
from . import attribution
from .imported import load

SEED = SHIPPED / "seed"
NO_UTM = dict.fromkeys(attribution.UTM)
NOON, HALF_AN_HOUR = 43_200, 1_800


def accounts() -> list[dict]:
    """Return the bundled accounts, as seed/accounts.json describes them; "series" and "daily" say what their traffic is like."""
    return read("accounts.json")


def present(connection: Connection) -> list[dict]:
    """Return the bundled accounts that the database still has and that their key opens, with "seeded_to" added."""
    found = [(account, authenticate(connection, account["key"])) for account in accounts()]
    return [account | {"seeded_to": owner.seeded_to} for account, owner in found if owner and owner.seeded_to]


def sessions(account: dict, as_of: date, after: date = date.min) -> Iterator[dict]:
    """Return the sessions of a bundled account. Of daily traffic, return those after one day up to and including the as-of day."""
    if "daily" in account:
        habits = read(account["daily"])
        day = max(date.fromisoformat(habits["first_day"]), after + timedelta(days=1))
        for days in range((as_of - day).days + 1):
            yield from _day(habits, account["domain"], day + timedelta(days))
    for series in reversed(account.get("series", [])):
        yield from _series(series, account["domain"], as_of)
    if "sessions" in account:
        for line in (SEED / account["sessions"]).read_text(encoding="utf-8").splitlines():
            yield load(json.loads(line))


def read(name: str):
    """Return the content of a JSON file in seed/."""
    return json.loads((SEED / name).read_text(encoding="utf-8"))


def _series(series: dict, domain: str, as_of: date) -> Iterator[dict]:
    """Sessions, oldest first, "spacing" seconds apart, the last one so many seconds "before_midnight", when the as-of day begins.

    Of the newest "of_newest" each "every"-th has "conversions", which are "apart" seconds apart.
    """
    name = series["campaign"]
    newest = instants.span(series.get("as_of", as_of.isoformat()))[0] - series.get("before_midnight", NOON)
    every, apart = series.get("every", 1), series.get("apart", 30)
    for place in reversed(range(series["sessions"])):
        start = newest - place * series.get("spacing", 300)
        converts = place < series.get("of_newest", series["sessions"]) and place % every == 0
        times = [start + n * apart for n in range(series.get("conversions", 1))] if converts else []
        yield {
            "session_id": f"{name}-{place}",
            "started_at": start,
            "ended_at": max([start + HALF_AN_HOUR, *times]),
            "landing_page": f"https://{domain}/{name}",
            "referrer": "https://www.google.com/",
            **NO_UTM,
            "utm_campaign": name,
            "conversions": [
                {
                    "email": f"visitor-{place}@mail.example" if series.get("email", True) else None,
                    "timestamp": at,
                    "conversion_page": f"https://{domain}/thank-you",
                    "previous_page": f"https://{domain}/{name}",
                    "conversion_meta": {"type": "html_form", "id": name},
                }
                for at in times
            ],
        }


def _day(habits: dict, domain: str, day: date) -> Iterator[dict]:
    random = Random(f"{domain} {day}").random

    def pick(choices: list):
        return choices[int(random() * len(choices))]

    def pick_weighted(choices: list[dict]) -> dict:
        sums = list(accumulate(choice["weight"] for choice in choices))
        return choices[bisect(sums, random() * sums[-1])]

    midnight = instants.span(day.isoformat())[0]
    hour_sums = list(accumulate(habits["hours"]))
    fewest, most = habits["sessions"]["weekday" if day.weekday() < 5 else "weekend"]
    starts = sorted(
        midnight + bisect(hour_sums, random() * hour_sums[-1]) * 3600 + int(random() * 3600)
        for _ in range(fewest + int(random() * (most - fewest + 1)))
    )
    for number, start in enumerate(starts):
        channel, landing = pick_weighted(habits["channels"]), pick_weighted(habits["landing_pages"])["url"]
        at = start
        conversions: list[dict] = []
        while random() < (habits["converts_again"] if conversions else habits["converts"]):
            at += 30 + int(random() * 900)
            point = pick_weighted(habits["conversions"])
            email = f"{pick(habits['first_names'])}.{pick(habits['last_names'])}@{pick(habits['email_domains'])}"
            conversions.append(
                {
                    "email": None if point.get("without_email") else email,
                    "timestamp": at,
                    "conversion_page": point["page"],
                    "previous_page": pick(point["previous"]),
                    "conversion_meta": {"type": point["type"], "id": point["id"]},
                }
            )
        yield {
            "session_id": f"{day}-{number}",
            "started_at": start,
            "ended_at": at + int(random() * 600),
            "landing_page": f"{landing}?{channel['query']}" if "query" in channel else landing,
            "referrer": channel.get("referrer"),
            **NO_UTM,
            "conversions": conversions,
        }
