"""Serve readings, learn them with the conformance kit, and compare.

    python -m tests.tools.learnt_readings [PAIRS [SEED]] [--all-checks]

tries each value of each reading, to-the-letter, and so many random pairs. It prints what the kit told wrongly or could not tell,
and with --all-checks what it calls a difference from the text.
"""

import itertools
import sys
from random import Random

from tests.endpoint import KEY
from tests.readings_endpoint import ReadingsEndpoint
from tests.tools.defects import OTHERS, OWN
from tests.tools.kit_in_process import Found, InProcess, checks, run_checks

TO_THE_LETTER = {"timestamp": "session", "window": "session", "pool": "started"}


def learn(readings: dict[str, str], all_checks: bool = False) -> Found:
    """Call the kit's checks for a server with these readings, or only those that learn them."""
    chosen = [check for check in checks() if all_checks or check.module.__name__ == "test_readings"]
    return run_checks(chosen, InProcess(ReadingsEndpoint(readings, OWN, OTHERS)).send, KEY)


def wrong(readings: dict[str, str], found: Found) -> list[str]:
    """Say which readings the kit told wrongly."""
    ours = {name: table["values"][0] for name, table in sys.modules["learn"].READINGS.items()}
    told = {name: told.value for name, told in found.survey.shown_readings.items()}
    return [
        f"{name} is {(ours | readings)[name]}, told {value}" for name, value in told.items() if value != (ours | readings)[name]
    ]


def untold(found: Found) -> list[str]:
    return [f"{name}: {reason}" for name, reason in found.unchecked if "reading_is_ours" in name]


def table() -> dict[str, list[str]]:
    checks()  # puts the kit's modules on the path
    return {name: reading["values"] for name, reading in sys.modules["learn"].READINGS.items()}


def singles() -> list[dict[str, str]]:
    return [{}, *({name: value} for name, values in table().items() for value in values[1:]), TO_THE_LETTER]


def singles_with_forms_together() -> list[dict[str, str]]:
    """Return the same, but those that only change the form of a message together: no check confuses them."""
    forms = (
        "timestamp-form missing extra-fields status error-status error-field empty-filter reversed-window trailing-comma".split()
    )
    values = table()
    together = [{name: values[name][place] for name in forms if len(values[name]) > place} for place in (1, 2)]
    return [*(readings for readings in singles() if not readings.keys() <= set(forms)), *together, {}]


def pairs(count: int, seed: int = 0) -> list[dict[str, str]]:
    others = {name: values[1:] for name, values in table().items()}
    found = [
        {one: first, other: second}
        for one, other in itertools.combinations(others, 2)
        for first in others[one]
        for second in others[other]
    ]
    return Random(seed).sample(found, count)


def main() -> None:
    all_checks = "--all-checks" in sys.argv
    numbers = [int(text) for text in sys.argv[1:] if text.isdecimal()]
    count, seed = [*numbers, 0, 0][:2]
    for readings in singles() + pairs(count, seed):
        found = learn(readings, all_checks)
        blamed = [f"{finding.name}: {finding.how[:300]}" for finding in found.findings if not finding.is_reading]
        calls = found.survey.api.count
        served = " ".join(f"{name}={value}" for name, value in readings.items()) or "as decided here"
        print(f"{served} ({calls} calls)", flush=True)
        for line in [*(f"WRONG {line}" for line in wrong(readings, found)), *(f"BLAMED {line}" for line in blamed), *untold(found)]:
            print("   ", line)


if __name__ == "__main__":
    main()
