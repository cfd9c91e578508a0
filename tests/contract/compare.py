"""Write a page that shows the results of several servers side by side, from the files of --json.

python compare.py vendor.json ours.json > results.html
"""

import json
import sys
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light dark } body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem }
table { border-collapse: collapse } th, td { border: 1px solid #8886; padding: .2rem .6rem; text-align: left; vertical-align: top }
.differs-from-the-text { background: #e5484d55 } .differs-from-our-reading { background: #f5a52455 } .not-checked { opacity: .6 }
"""


def page_of(names: list[str], runs: list[dict]) -> str:
    checks: dict[str, list[str]] = {}
    found = [{check["id"]: check for check in run["checks"]} for run in runs]
    for run in runs:
        for check in run["checks"]:
            checks.setdefault(check["id"], check["sentences"])
    head = "".join(
        f"<th>{escape(name)}<br><small>{escape(run['endpoint'])}<br>{escape(run['date'])}</small>"
        for name, run in zip(names, runs, strict=True)
    )
    rows = ["<tr><th>result<th>" + "".join(f"<td>{escape(run['result'])}" for run in runs)]
    for reading in dict.fromkeys(name for run in runs for name in run["readings"]):
        values = [run["readings"].get(reading, {}).get("value", "") for run in runs]
        rows.append(f"<tr><th>reading: {escape(reading)}<th>" + "".join(f"<td>{escape(value)}" for value in values))
    for check, sentences in sorted(checks.items(), key=lambda pair: (not differ(found, pair[0]), pair[0])):
        cells = []
        for of_run in found:
            verdict = of_run.get(check, {"verdict": "not checked", "how": ""})
            name = verdict["verdict"]
            kind, how = name.replace(" ", "-"), escape(verdict["how"])
            cells.append(f'<td class="{kind}" title="{how}">{escape(name)}')
        rows.append(f"<tr><th>{escape(check)}<th>{' '.join(sentences)}{''.join(cells)}")
    title = "Conformance of POST /api/v1/conversions"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>'
        f"<table><tr><th>check<th>sentences{head}{''.join(rows)}</table>\n"
    )


def differ(found: list[dict], check: str) -> bool:
    """Return whether any server differs here; these rows come first."""
    return any(of_run.get(check, {}).get("verdict", "").startswith("differs") for of_run in found)


if __name__ == "__main__":
    files = [Path(name) for name in sys.argv[1:]]
    if not files:
        sys.exit(__doc__)
    print(page_of([file.stem for file in files], [json.loads(file.read_text(encoding="utf-8")) for file in files]), end="")
