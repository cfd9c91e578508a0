"""The recipes of app/commands/javascript.md, run as they are written, with pinned versions from npm.

Without node, npm or access to npm, the tests are skipped; in CI that is a failure.
"""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from .conftest import REPOSITORY
from .third_party import needs, packages

pytestmark = needs("node", "npm")

PAGE = (REPOSITORY / "app" / "commands" / "javascript.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```javascript\n// ([\w.]+).*?\n(.*?)```", PAGE, re.DOTALL))
RIGHT = "page.pagination.records_processed"
CLIENT = """
export async function fetchAll(url, key, query) {
  const records = []
  for (let offset = 0; offset !== undefined; ) {
    const headers = { Authentication: key, 'Content-Type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ ...query, offset }) })
    if (!response.ok) throw new Error(response.status)
    const page = await response.json()
    records.push(...(page.records ?? []))
    offset = page.pagination?.has_more ? NEXT : undefined
  }
  return records
}
"""
VITEST = """
import { expect, test } from 'vitest'
import { fetchAll } from './client.js'
const { CONVERSIONS_URL, CONVERSIONS_KEY } = process.env
test('the client runs', async () => {
  const query = { start_date: '2025-07-01', end_date: '2025-08-15', source: 'google.com' }
  expect((await fetchAll(CONVERSIONS_URL, CONVERSIONS_KEY, query)).length).toBeGreaterThan(100)
})
"""


@pytest.fixture(scope="session")
def modules() -> Path:
    """Return the folder node_modules with vitest, Vite and Playwright."""
    return packages(REPOSITORY / "tests" / "javascript") / "node_modules"


@pytest.fixture
def project(modules, tmp_path):
    """Return a function that writes files of the page and others into a project, and returns arguments for a process there."""

    def write(*names: str, **files: str) -> dict:
        (tmp_path / "node_modules").symlink_to(modules)
        texts = {name: BLOCKS[name] for name in names} | {name.replace("_", "."): text for name, text in files.items()}
        for name, text in ({"package.json": json.dumps({"type": "module"})} | texts).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / "tmp").mkdir()
        environment = {name: text for name, text in os.environ.items() if not name.startswith(("CONVERSIONS_", "VITE"))}
        path = os.pathsep.join([str(modules / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        environment |= {"PATH": path, "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path), "NO_COLOR": "1"}
        return {"cwd": tmp_path, "env": environment, "text": True}

    return write


def run(command: str, process: dict) -> subprocess.CompletedProcess:
    return subprocess.run(command.split(), **process, capture_output=True, timeout=300, check=False)


def is_gone(folder: Path) -> bool:
    """Tell whether the temporary databases of the servers are deleted."""
    return not list((folder / "tmp").glob("*/conversions.sqlite"))


@pytest.mark.parametrize(("following", "status"), [(RIGHT, 0), ("offset + 50", 1)], ids=["right", "wrong"])
def test_node_test_runs_beside_exec(project, following, status):
    process = project("client.test.js", client_js=CLIENT.replace("NEXT", following))
    done = run("conversions exec --check-paging -- node --test", process)
    assert (done.returncode, "# pass 2" in done.stdout) == (status, True), done.stdout + done.stderr


@pytest.mark.parametrize(("following", "status"), [(RIGHT, 0), ("offset + 50", 1)], ids=["right", "wrong"])
def test_vitest_starts_the_server_and_fails_if_the_client_pages_wrongly(project, following, status):
    process = project(
        "conversions.js", "conversions.setup.js", "vitest.config.js", client_js=CLIENT.replace("NEXT", following), a_test_js=VITEST
    )
    done = run("vitest run", process)
    assert (done.returncode, "1 passed" in done.stdout) == (status, True), done.stdout + done.stderr
    assert ("the client seems to add 50" in done.stdout + done.stderr) == bool(status)
    assert is_gone(process["cwd"])


def test_vite_serves_the_api_on_the_apps_own_origin_and_ends_it_with_ctrl_c(project):
    process = project("conversions.js", "vite.config.js", index_html="<!doctype html><title>App</title>")
    command = ["vite", "--host", "127.0.0.1", "--port", "0"]
    vite = subprocess.Popen(command, **process, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        printed = []
        for line in vite.stdout:
            printed.append(line)
            if address := re.search(r"Local: +(http://127\.0\.0\.1:\d+)", line):
                break
        assert address, printed
        body, headers = b'{"source": "google.com"}', {"Authentication": "YOUR_API_KEY", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(f"{address[1]}/api/v1/conversions", body, headers)) as response:
            assert json.load(response)["records"]
        assert not is_gone(process["cwd"])
    finally:
        os.killpg(vite.pid, signal.SIGINT)  # as a terminal does
        vite.communicate(timeout=60)
    assert is_gone(process["cwd"])


def test_playwright_starts_the_server_and_finds_its_address(project):
    process = project("playwright.config.js", "client.spec.js")
    done = run("playwright test", process)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
