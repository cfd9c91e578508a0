"""Other people's programs that tests run. A test whose program is missing is skipped by name; with CI set, it fails."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

UV = [sys.executable, "-m", "uv", "--quiet", "--system-certs"]
INSTALL = {
    # No install scripts: some packages would download a browser or compile a parser that we don't need.
    "package.json": [["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--no-package-lock"]],
    "requirements.txt": [
        [*UV, "venv", "--clear", "--python", sys.executable, "python"],
        [*UV, "pip", "install", "--only-binary", ":all:", "--python", "python/bin/python", "--requirement", "requirements.txt"],
    ],
}


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip a test if a program is missing. With CI set it runs, and fails."""
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing) and "CI" not in os.environ, reason=f"not installed: {', '.join(missing)}")


def unavailable(reason: str) -> NoReturn:
    (pytest.fail if "CI" in os.environ else pytest.skip)(reason)


def packages(pins: Path) -> Path:
    """Return a folder with what the package.json of a folder pins in node_modules, and its requirements.txt in python/bin.

    They are installed from npm and PyPI once for each set of pins, in the directory for temporary files.
    """
    files = [pins / name for name in INSTALL if (pins / name).exists()]
    version = hashlib.sha256(b"".join(file.read_bytes() for file in files) + sys.version.encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"conversions-{pins.name}-{os.getuid()}-{version}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of the processes that run the tests installs them
        for file in files if not (folder / "complete").exists() else []:
            shutil.copy(file, folder)
            for command in INSTALL[file.name]:
                if not shutil.which(command[0]):
                    unavailable(f"{command[0]} is not installed")
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
                if done.returncode:
                    unavailable(f"what {file} pins can't be installed: {done.stderr}")
        (folder / "complete").touch()
    return folder
