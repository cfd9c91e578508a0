"""Sessions whose right responses are known, for --known-data: load them into an account of the server that is to be checked.

    python known_data.py > known.jsonl            in the import format of this project, one session a line
    python known_data.py --records > known.jsonl  one conversion a line, with its session's values beside it, for any other program

All lie in June 2025. Each group of sessions is a campaign, which is named after what it shows.
"""

import json
import sys
from datetime import UTC, datetime, timedelta

START, END = "2025-06-01", "2025-06-30"
SITE = "https://known.example"
PAGES = [
    f"{SITE}/a",
    f"{SITE}/a/",
    f"{SITE}/A",
    f"{SITE}/a?b=1",
    f"{SITE}/a?b=1&c=2",
    f"{SITE}/a#b",
    f"{SITE}/ä/名",
    f"{SITE}/a%20b",
]


def conversion(
    name: str, moment: datetime, page: str = f"{SITE}/thanks", email: str | None = "", previous: str | None = None
) -> dict:
    return {
        "email": f"{name}@mail.example" if email == "" else email,
        "timestamp": f"{moment:%Y-%m-%d %X}",
        "conversion_page": page,
        "previous_page": previous,
        "conversion_meta": {"type": "html_form", "id": name.rpartition("-")[0]},
    }


def group(campaign: str, counts: list[int], day: int, same_time: bool = False) -> list[dict]:
    """Return sessions, the newest first, with so many conversions each."""
    sessions, start = [], datetime(2025, 6, day, 23, 0, 0, tzinfo=UTC)
    for place, count in enumerate(counts):
        started = start - timedelta(seconds=0 if same_time else 60 * place)
        moments = [started + timedelta(seconds=5 if same_time else 5 + number) for number in range(count)]
        sessions.append(
            {
                "session_id": f"{campaign}-{place}",
                "started_at": f"{started:%Y-%m-%dT%XZ}",
                "ended_at": f"{started + timedelta(seconds=600):%Y-%m-%dT%XZ}",
                "landing_page": f"{SITE}/",
                "utm_source": "known.example",
                "utm_medium": "test",
                "utm_campaign": campaign,
                "conversions": [
                    conversion(f"{campaign}-{place}x{number}", moment, previous=f"{SITE}/") for number, moment in enumerate(moments)
                ],
            }
        )
    return sessions


def groups() -> dict[str, list[dict]]:
    """Return the sessions of each campaign, the newest first."""
    found = {
        "sparse": group("sparse", [1 if place % 110 == 105 else 0 for place in range(1100)], 10),
        "first-batch-empty": group("first-batch-empty", [0] * 240 + [1] * 3, 11),
        "49-in-a-batch": group("49-in-a-batch", [1] * 49 + [0] * 151 + [1] * 30, 12),
        "50-in-a-batch": group("50-in-a-batch", [1] * 50 + [0] * 150 + [1] * 30, 13),
        "51-in-a-batch": group("51-in-a-batch", [1] * 51 + [0] * 149 + [1] * 30, 14),
        "60-in-one-session": group("60-in-one-session", [60, 1, 0], 15),
        "equal-timestamps": group("equal-timestamps", [1] * 120, 16, same_time=True),
        "equal-conversions": group("equal-conversions", [1, 1], 17),
        "urls": group("urls", [1] * len(PAGES), 18),
        "no-email": group("no-email", [1, 1], 19),
        "Case": group("Case", [1], 20),
        "case": group("case", [2], 21),
    }
    first = found["equal-conversions"][0]["conversions"]
    first += [dict(first[0]), dict(first[0])]
    for session, page in zip(found["urls"], PAGES, strict=True):
        session["conversions"][0]["conversion_page"] = page
    for session in found["no-email"]:
        session["conversions"][0] |= {"email": None, "previous_page": None}
    return found


def main() -> None:
    sessions = [session for of_group in groups().values() for session in of_group]
    for session in sessions:
        conversions = session.pop("conversions")
        if "--records" not in sys.argv:
            print(json.dumps(session | {"conversions": conversions}, ensure_ascii=False))
        for record in (conversions or [{}]) if "--records" in sys.argv else []:
            print(json.dumps(session | record, ensure_ascii=False))


if __name__ == "__main__":
    main()
