"""The benchmark runs to its end. Its figures are for people to read; no test checks them."""

import re
import subprocess
import sys

from tests.tools.benchmark import ROOT


def test_the_benchmark_prints_each_figure_with_its_goal():
    command = [sys.executable, "-m", "tests.tools.benchmark", "--quick", "--sizes", "300", "600", "900"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    number = r"[0-9.]+(?: ms| µs| MB)?"
    rows = re.findall(rf"^[✓✗ ] +(.+?) {{2,}}(?:([≤≥]) {number})? +{number}$", done.stdout, re.MULTILINE)
    assert len(rows) >= 20
    assert f"of {sum(bool(goal) for _, goal in rows)} goals met." in done.stdout
