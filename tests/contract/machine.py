"""Results for programs: --json writes them, --expect compares them with those of an earlier run."""

import json
from pathlib import Path
from typing import Any

import pytest
from report import VERSION, Run, curl
from verdict import DIFFERS, NOT_CHECKED, READING, Result


def json_of(run: Run, results: list[Result]) -> dict[str, Any]:
    return {
        "kit": VERSION,
        "endpoint": run.endpoint,
        "date": run.date,
        "options": run.options,
        "calls": run.calls,
        "exit_status": run.exit_status,
        "result": run.last_line,
        "notes": run.notes,
        "readings": {
            name: {"value": run.values[name], "how": how, "requests": run.told_by[name]} for name, how in run.readings.items()
        },
        "checks": [
            {
                "id": result.id,
                "sentences": result.numbers,
                "verdict": result.verdict,
                "value": result.value,
                "how": result.how,
                "requests": [curl(exchange, run.endpoint) for exchange in result.exchanges]
                if result.verdict in (DIFFERS, READING)
                else [],
            }
            for result in results
        ],
    }


def deviations(checks: list[dict]) -> set[tuple[str, str]]:
    """Return what differs: the check, and the value of a reading."""
    return {(check["id"], check.get("value", "")) for check in checks if check.get("verdict", DIFFERS) in (DIFFERS, READING)}


def expected(file: Path) -> set[tuple[str, str]]:
    """Return the differences of a file that --json wrote. Raises UsageError if it is another file."""
    try:
        return deviations(json.loads(file.read_text(encoding="utf-8"))["checks"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise pytest.UsageError(f"--expect {file}: this is not a file that --json wrote ({fault}).") from None


def expectation(file: Path, results: list[Result]) -> tuple[int, str]:
    """Return the exit status and its reason: 0 if exactly the differences of this file are found, as far as they were checked."""
    found = deviations([{"id": result.id, "value": result.value, "verdict": result.verdict} for result in results])
    checked = {result.id for result in results if result.verdict != NOT_CHECKED}
    named = {deviation for deviation in expected(file) if deviation[0] in checked}
    new, gone = found - named, named - found
    if not new and not gone:
        return 0, f"Exactly the {len(named)} differences that --expect {file} names were found, so the exit status is 0."
    parts = [
        f"{words}: {', '.join(sorted(' '.join(filter(None, pair)) for pair in pairs))}"
        for words, pairs in (("new", new), ("gone", gone))
        if pairs
    ]
    return 1, f"Other differences than those of --expect {file} were found, so the exit status is 1; {'; '.join(parts)}."
