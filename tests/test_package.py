"""The package: the contents of the wheel, the files of the top level, and the code style."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_contains_the_schema_and_the_bundled_data(tmp_path):
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "app/schema.sql",
        "app/decisions.md",
        "app/explorer/templates/explorer.html",
        "app/explorer/static/explorer.js",
    } <= shipped
    assert {f"app/seed/{file.name}" for file in (ROOT / "seed").iterdir()} <= shipped
    assert {str(file.relative_to(ROOT)) for file in (ROOT / "app").rglob("*.py")} <= shipped
    assert not [name for name in shipped if name.startswith("tests")]


def test_the_top_level_contains_only_the_agreed_files():
    agreed = {"README.md", "setup.cfg", "pyproject.toml", "schema.sql", "wsgi.py", "app", "seed", "tests"}
    generated = {"build", "instance", "attributionhub_conversions.egg-info", "__pycache__"}
    assert {file.name for file in ROOT.iterdir() if not file.name.startswith(".")} - generated == agreed


def test_ruff_finds_nothing():
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *check, ROOT], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_mypy_finds_nothing():
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
