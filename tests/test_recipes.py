"""The README's recipes for importing your own data, run unchanged on small files. A recipe is found by words that it contains."""

import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.conftest import NOW, REPOSITORY, Hub, a_conversion, a_session
from tests.test_docs import DOCUMENTATION
from tests.third_party import needs

BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", DOCUMENTATION, re.DOTALL | re.MULTILINE)


def block(words: str) -> str:
    (found,) = [block for block in BLOCKS if words in block]
    return found


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a block of the README in a temporary folder, and returns a server on its database."""

    def run(words: str, **files: str) -> Hub:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text, encoding="utf-8")
        programs = {"flask": f"-m flask --app '{REPOSITORY / 'wsgi.py'}'", "python": ""}
        (tmp_path / ".venv" / "bin").mkdir(parents=True)
        for name, arguments in programs.items():
            program = tmp_path / ".venv" / "bin" / name
            program.write_text(f"#!/bin/sh\nexec '{sys.executable}' {arguments} \"$@\"\n")
            program.chmod(0o755)
        path = tmp_path / "conversions.sqlite"
        # A known key, instead of one that is generated and printed.
        command = block(words).replace("--domain example.org", "--domain example.org --key key")
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=tmp_path,
            env=os.environ | {"CONVERSIONS_DATABASE": str(path), "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Hub(path, NOW)

    return run


def test_form_submissions_in_csv_can_be_imported(run):
    file = "Name,E-mail,Page,Submitted on\nJane,a@example.org,https://example.com/thankyou,2025-08-01 10:00:00\n"
    hub = run("Submitted on", submissions_csv=file)
    assert hub.ask({"meta_type": "html_form"})["records"] == [a_conversion(conversion_meta={"type": "html_form", "id": "contact"})]


def test_a_hubspot_export_can_be_imported(run):
    file = (
        '"Record ID","Email","Conversion Date","Conversion Title","Conversion Page"\n'
        '"1","a@example.org","2025-08-01 10:00:00","Demo: request","https://example.com/thankyou"\n'
    )
    hub = run("hubspot.csv", hubspot_csv=file)
    assert hub.ask({"meta_id": "Demo: request"})["records"] == [
        a_conversion(conversion_meta={"type": "hubspot_form", "id": "Demo: request"})
    ]


def ga4(name: str, second: int, **parameters: str) -> str:
    """Return an event as BigQuery exports it, with integers as strings."""
    values = [{"key": "ga_session_id", "value": {"int_value": "1754042400"}}]
    values += [{"key": key, "value": {"string_value": value}} for key, value in parameters.items()]
    at = str((1754042400 + second) * 1_000_000)
    return json.dumps({"event_timestamp": at, "event_name": name, "user_pseudo_id": "7.8", "event_params": values}) + "\n"


GA4 = ga4("generate_lead", 60, page_location="https://example.org/thanks", page_referrer="https://example.org/") + ga4(
    "page_view", 0, page_location="https://example.org/?gclid=1", page_referrer="https://www.google.com/"
)


@needs("sqlite3")
def test_a_ga4_export_can_be_imported(run):
    check_ga4(run("ga4.json", ga4_json=GA4))


@pytest.mark.parametrize("driver", [sqlite3, apsw], ids=["this Python's SQLite", "a current SQLite"])
def test_the_ga4_recipe_works_with_old_and_current_versions_of_sqlite(hub, driver):
    query = re.search(r'-csv :memory: "(.*?)" \|', block("ga4.json"), re.DOTALL)[1]
    with closing(driver.Connection(":memory:")) as connection:
        if driver is sqlite3:
            connection.create_function("readfile", 1, lambda _name: GA4.encode())
        else:
            connection.create_scalar_function("readfile", lambda _name: GA4.encode())
        cursor = connection.cursor().execute(query)
        table = [[column[0] for column in cursor.description], *cursor]
    text = io.StringIO()
    csv.writer(text).writerows(table)
    outcome = hub.run("import", "-", "--domain", "example.org", "--key", "key", stdin=text.getvalue())
    assert outcome.exit_code == 0, outcome.output
    check_ga4(hub)


def check_ga4(hub: Hub) -> None:
    page = hub.ask({"source": "google.com", "medium": "cpc", "landing_page": "https://example.org/"})
    assert page["records"] == [
        a_conversion(
            email=None,
            timestamp="2025-08-01 10:01:00",
            conversion_page="https://example.org/thanks",
            conversion_meta={"type": "custom_event", "id": "generate_lead"},
        )
    ]
    assert page["pagination"]["total_records"] == 1


FORMATS = {
    "combined": '{ip} - - [01/Aug/2025:{at} +0200] "GET {path} HTTP/1.1" 200 512 "{referrer}" "Mozilla/5.0 (X11)"',
    "common": '{ip} - - [01/Aug/2025:{at} +0200] "GET {path} HTTP/1.1" 200 512',
    "vhost": 'example.org:443 {ip} - - [01/Aug/2025:{at} +0200] "GET {path} HTTP/1.1" 200 512 "{referrer}" "Mozilla/5.0"',
    "Traefik": '{ip} - - [01/Aug/2025:{at} +0200] "GET {path} HTTP/2.0" 200 5 "{referrer}" "Mozilla" 1 "a@docker" "http://a" 2ms',
    "S3": '0a bucket [01/Aug/2025:{at} +0200] {ip} 0a 3E5 REST.GET a "GET {path} HTTP/1.1" 200 - 5 - 7 - "{referrer}" "Moz" -',
    "HAProxy": 'Aug  1 {utc} lb haproxy[9]: {ip}:333 [01/Aug/2025:{utc}.655] in a/b 1/0/6 200 7 - - 1/1 "GET {path} HTTP/1.1"',
    "ALB": 'https 2025-08-01T{utc}.186641Z app/lb/1 {ip}:281 10.0.0.1:80 0 0 200 200 0 "GET https://a:443{path} HTTP/1.1" "Moz" a',
    "ELB": '2025-08-01T{utc}.945958Z lb {ip}:2817 10.0.0.1:80 0 0 0 200 200 0 57 "GET http://a:80{path} HTTP/1.1" "Mozilla" - -',
    "CloudFront": "2025-08-01\t{utc}\tFRA2\t{ip}\tGET\t{path}\t200\t{referrer}\tMozilla/5.0%20(X11)\t-",
    "IIS": "2025-08-01 {utc} GET {path} - 443 - {ip} Mozilla/5.0+(X11) {referrer} 200 0 0",
}
FIELDS = {
    "CloudFront": "date time x-edge-location c-ip cs-method cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query",
    "IIS": "date time cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status a b",
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_log_of_a_web_server_can_be_imported(run, tmp_path, name):
    (tmp_path / "log.py").write_text(block("# log.py"))

    def hit(ip: int, hour: int, minute: int, path: str, referrer: str) -> str:
        at, utc = (f"{hour - behind}:{minute:02}:00" for behind in (0, 2))
        return FORMATS[name].format(ip=f"192.0.2.{ip}", at=at, utc=utc, path=path, referrer=referrer) + "\n"

    has_referrer = "{referrer}" in FORMATS[name]
    log = (
        f"#Version: 1.0\n#Fields: {FIELDS.get(name)}\n" * (name in FIELDS)
        + hit(1, 12, 0, "/pricing", "https://news.ycombinator.com/item?id=1")
        + hit(2, 12, 0, "/", "-")
        + hit(1, 12, 5, "/thank-you", "https://example.org/pricing")
        + hit(1, 13, 0, "/", "-")
        + hit(1, 13, 1, "/missing", "-").replace("200", "404")
        + "# not a line of a log\n"
    )
    hub = run("log.py <", access_log=log)
    page = hub.ask({"source": "ycombinator.com" if has_referrer else "(direct)", "landing_page": "https://example.org/pricing"})
    assert [record["timestamp"] for record in page["records"]] == ["2025-08-01 10:05:00"]
    exported = hub.run("export", "--domain", "example.org").stdout
    assert len(exported.splitlines()) == 3


def test_a_captured_response_can_be_imported(run):
    records = [a_conversion(email=f"{n}@example.org") for n in range(3)]
    captured = {"records": records, "pagination": {"records_processed": 3, "total_records": 3, "has_more": False}}
    hub = run("captured.json", captured_json=json.dumps(captured))
    assert hub.ask({}) == captured


def test_a_backup_can_be_made_while_the_server_runs(run, tmp_path):
    hub = Hub(tmp_path / "instance" / "conversions.sqlite")
    hub.load([a_session(conversions=[a_conversion()])])
    with hub.app.extensions["database"].reading():
        run("backup.sqlite")
    assert Hub(Path(tmp_path / "backup.sqlite")).ask({}) == hub.ask({})
