"""The benchmark runs to its end. Its figures are for people to read; no test checks them."""

import re
import subprocess
import sys
from xml.etree import ElementTree

from tests.tools.benchmark import ROOT


def test_the_benchmark_prints_each_figure_with_its_goal_and_draws_a_chart(tmp_path):
    picture = tmp_path / "figures.svg"
    command = [sys.executable, "-m", "tests.tools.benchmark", "--sessions", "3000", "--draw", str(picture)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^[✓✗] +(.+?) +[≤≥] [0-9.]+(?: ms| MB)? +[0-9.]+(?: ms| MB)?$", done.stdout, re.MULTILINE)
    assert len(rows) >= 20
    assert f"of {len(rows)} goals met." in done.stdout
    assert re.findall("^ +([0-9,]+) sessions, (direct|session)", done.stdout, re.MULTILINE) == [
        (size, strategy) for size in ("1,000", "3,000") for strategy in ("direct", "session")
    ]
    texts = {text.text for text in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")}
    assert {*rows, "any page"} <= texts
