"""The clients of app/mock/retry.md fetch everything although requests fail, and give up if that is of no use."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from tests.conftest import REPOSITORY, SERVERS, Hub, a_conversion, a_session
from tests.third_party import needs

PAGE = (REPOSITORY / "app" / "mock" / "retry.md").read_text(encoding="utf-8")
CLIENTS = {
    section.partition("\n")[0]: re.search(r"```(\w+)\n(.*?)```", section, re.DOTALL).groups()
    for section in PAGE.split("\n## ")[1:]
    if " with " in section.partition("\n")[0]
}
PYTHON_LOOP = """
query, offset, records = {"source": "google.com"}, 0, []
while offset is not None:
    page = ask(query | {"offset": offset})
    records += page["records"]
    offset = page["pagination"]["records_processed"] if page["pagination"]["has_more"] else None
print(len(records))
"""
JAVASCRIPT_LOOP = """
const records = []
for (let offset = 0; offset !== undefined; ) {
  const page = await ask({ source: 'google.com', offset })
  records.push(...page.records)
  offset = page.pagination.has_more ? page.pagination.records_processed : undefined
}
console.log(records.length)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Iterator[str]:
    with SERVERS["flask run"](Hub(tmp_path_factory.mktemp("retry") / "conversions.sqlite")) as (host, port):
        yield f"http://{host}:{port}"


def send(url: str, body: dict | None = None) -> dict:
    sent = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, sent, {"Content-Type": "application/json"})) as response:
        return json.load(response)


def run(base: str, client: str, key: str) -> subprocess.CompletedProcess:
    language, code = CLIENTS[client]
    names = f"URL = {base + '/api/v1/conversions'!r}\nKEY = {key!r}\n"
    if language == "python":
        command = [sys.executable, "-c", names + code + PYTHON_LOOP]
    else:
        command = ["node", "--input-type=module", "-e", f"const {names.replace(chr(10), ';const ', 1)}\n" + code + JAVASCRIPT_LOOP]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_page_has_three_clients():
    assert [language for language, _ in CLIENTS.values()] == ["python", "python", "js"]


@pytest.mark.parametrize(
    "client", [pytest.param(name, marks=needs("node") if language == "js" else ()) for name, (language, _) in CLIENTS.items()]
)
def test_a_client_with_retries_fetches_each_page_once_although_requests_fail(base, client):
    visit = a_session(started_at="2025-08-10 10:00:00", referrer="https://www.google.com/")
    converting = visit | {"conversions": [a_conversion(timestamp="2025-08-10 10:00:00")]}
    account = send(f"{base}/_mock/accounts", {"sessions": [converting] * 450, "monthly_limit": 3})
    faults = [
        {"code": 503, "after": 1, "times": 2},
        {"truncate": True, "after": 1},
        {"code": 502, "after": 2},
        {"drop": True, "after": 2},
    ]
    for fault in faults:
        send(f"{base}/_mock/faults", fault | {"key": account["key"]})
    done = run(base, client, account["key"])
    assert done.stdout == "450\n", done.stderr
    (walk,) = send(f"{base}/_mock/walks?domain={account['domain']}")["walks"]
    assert ([page["offset"] for page in walk["pages"]], walk["complete"], walk["faults"]) == ([0, 200, 400], True, [])
    requests = send(f"{base}/_mock/requests?domain={account['domain']}")["requests"]
    assert [entry["status"] for entry in requests] == [200, 503, 503, 200, 200, 502, None, 200]
    # The limit is used up now, and waiting until the next month is of no use.
    assert run(base, client, account["key"]).returncode != 0
    assert [entry["status"] for entry in send(f"{base}/_mock/requests?domain={account['domain']}")["requests"]][8:] == [429]
