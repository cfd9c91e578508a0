"""How long do the parsers take with texts of 64 KiB that are made to be slow? Run as python -m tests.tools.slow_texts.

For each parser it prints the slowest text, and how much longer 64 KiB of it take than 32: twice, if the time grows like the length.
Exits with 1 if a parser takes over half a second.
"""

import sys
from contextlib import suppress
from time import perf_counter

from conversions_api import fields, instants, origins, strict_json
from conversions_api.loading import attribution, columns
from conversions_api.mock import faults, readings

LARGEST = 64 * 1024  # characters
LONGEST = 0.5  # seconds

# A text is a beginning, what is repeated, and an end.
TEXTS = [
    *(("", piece, "") for piece in ["a", " ", "1", '"', "\\", ",", "[", "-", "&"]),
    *(("", piece, "") for piece in ["a+", "a@", "://", '";', "a; ", "code=", "code = ;"]),
    ("[", "1 ,", "]"),
    ("[1", " ", ",]"),
    ('{"a":1', " ", "x}"),
    ('["', '\\"', ""),
    ('"', "\\ud83d", '"'),
    ('"', "\\\\", 'ud83d"'),
    ("[", "NaN,", "]"),
    ("{", "\n", "x"),
    ('code="', "\\", ""),
    ("", 'code="a", delay="', ""),
    ("https://", "a.", "com/"),
    ("https://", ":", ""),
    ("https://[", ":", ""),
    ("https://", "a-", "!"),
    ("https://", "é.", "com/"),
    ("https://a.com/?", "utm_source=&", ""),
    ("https://a.com/?", "%61", ""),
    ("android-app://", "a", ""),
    ("2025-01-01T10:00:00.", "0", "x"),
    ("2025-01-01 10:00:00", " UTC", ""),
    ("1700000000.", "0", ""),
]

COLUMNS = columns.Columns("example.com", site="https://example.com")
PARSERS = {
    "a body": lambda text: strict_json.parse(text.encode()),
    "a date": instants.span,
    "a number of seconds": fields.of_epoch,
    "the name of a field": lambda text: fields.unknown_field(text, ["offset", "start_date", "landing_page"]),
    "a value in an error sentence": strict_json.shown,
    "Prefer": faults.parse,
    "Host": origins._OWN_HOST.fullmatch,
    "Origin": lambda text: origins.pattern(["*", "https://*.example.com"]).match(text),
    "readings": readings.parse,
    "a URL's host": attribution.host.__wrapped__,
    "a domain": attribution.primary_domain.__wrapped__,
    "a landing page": attribution.landing.__wrapped__,
    "a referrer": lambda text: attribution.derive.__wrapped__(text, False, frozenset()),
    "an imported row": lambda text: COLUMNS.tidy({"started_at": text, "referrer": text}),
}


def seconds(parse, text: tuple[str, str, str], length: int) -> float:
    """Return how long a parser takes for a text of that length, the fastest of three times."""
    beginning, piece, end = text
    whole = beginning + piece * (length // len(piece)) + end
    took = []
    for _ in range(3):
        started = perf_counter()
        with suppress(ValueError):  # marshmallow's ValidationError is one
            parse(whole)
        took.append(perf_counter() - started)
    return min(took)


def main() -> None:
    slowest = {}
    for name, parse in PARSERS.items():
        slowest[name], text = max((seconds(parse, text, LARGEST), text) for text in TEXTS)
        growth = slowest[name] / seconds(parse, text, LARGEST // 2)
        print(f"{name:<30}{slowest[name] * 1000:>7.1f} ms, {growth:.1f} times that of 32 KiB: {text}")
    sys.exit(max(slowest.values()) > LONGEST)


if __name__ == "__main__":
    main()
