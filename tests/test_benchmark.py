"""The benchmark works; what it measures is for people to read, and no test."""

import re
import subprocess
import sys
from pathlib import Path


def test_the_benchmark_measures_each_row_beside_its_goal():
    command = [sys.executable, "-m", "tests.benchmark", "--sessions", "3000"]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^[✓✗] +(.+?) +[≤≥] [0-9.]+(?: ms)? +[0-9.]+(?: ms)?$", done.stdout, re.MULTILINE)
    assert len(rows) >= 14
    assert f"of {len(rows)} goals met." in done.stdout
