"""The conformance kit in tests/contract finds planted defects, names the sentence that each breaks, and accepts other readings."""

import json
import re
import socket
import ssl
import sys
import threading
from contextlib import suppress
from functools import partial
from xml.etree import ElementTree

import pytest

from tests import endpoint
from tests.conftest import Hub
from tests.tools import defects
from tests.tools.defects import ALONE, ALONE_IN_KNOWN_DATA, DEFECTS, KINDS, NEVER, WITH_OTHERS, quoting
from tests.tools.kit_in_process import ARGUMENTS, KIT, InProcess, checks, pytest_in_process

# `python -m tests.tools.defects` runs all of them.
PLANTED = """
    TimestampInLocalTime HasMoreAlwaysFalse SessionTotalCappedAtAThousand PageOf49 EndDateIsExcluded DatesInLocalTime
    WindowClampedTo30Days FiltersCombinedWithOr BatchesOf100 SessionLostAtEachBoundary OffsetCountsConversionsInSessionQueries
""".split()
# Readings that are not in readings.json.
OTHER_READINGS = """
    Milliseconds MoreFieldsInTheBody DefaultFromMidnight HugeOffsetsRefused
    OnlyIsoWithSeconds UnknownFieldsAccepted BodyRequired NullCharacterRefused WindowIgnoredInSessionQueries ProcessedIsAFloat
""".split()


@pytest.fixture(scope="module")
def found() -> defects.Found:
    return defects.judge("Endpoint")


def test_the_small_server_responds_like_ours(tmp_path):
    own = endpoint.sessions(40)
    hub = Hub(tmp_path / "conversions.sqlite", now="2025-11-20T12:00:00Z")
    hub.load(own, "example.com", endpoint.KEY)
    small = InProcess(endpoint.Endpoint(own))
    filters = [
        {},
        {"source": "google.com"},
        {"campaign": "brand-search", "term": "attribution software"},
        {"landing_page": "https://example.com/pricing", "meta_type": "html_form"},
        {"conversion_page": "https://www.example.com/newsletter/"},
        {"medium": ""},
        {"source": "nobody"},
    ]
    windows = [
        {},
        {"start_date": "2025-11-01", "end_date": "2025-11-03"},
        {"start_date": "2025-10-20T10:00:00+02:00", "end_date": "2025-11-10 12:00:00.5"},
        {"end_date": "2025-11-10"},
        {"start_date": "2025-11-12", "end_date": "2025-11-11"},
    ]
    offsets = [{}, {"offset": 1}, {"offset": 50}, {"offset": 200}, {"offset": 10_000}]
    bodies = [json.dumps(one | two | three) for one in filters for two in windows for three in offsets]
    wrong = ["{", "[]", '{"offset": -1}', '{"offset": "1"}', '{"sorce": "a"}', '{"source": null}', '{"end_date": "2025-02-30"}']
    headers = {"Authentication": endpoint.KEY, "Content-Type": "application/json"}
    for body in [*bodies, *wrong, "", '{"source": "google.com",}']:
        status, _, response = small.call(body.encode(), "POST", "", headers)
        ours = hub.post(body, endpoint.KEY)
        assert status == ours.status_code, body
        if status == 200:
            assert json.loads(response) == ours.json, body


def test_the_kit_finds_no_difference_in_the_small_server(found):
    assert found.findings == []
    assert len(found.unchecked) < 10


def test_a_run_needs_at_most_400_calls(found):
    assert not [name for name, reason in found.unchecked if "--max-calls" in reason]


@pytest.mark.parametrize("name", PLANTED)
def test_the_kit_finds_a_defect_and_names_the_sentence(name):
    """Only the checks that quote the sentence run here."""
    findings = defects.judge(name, quoting(DEFECTS[KINDS[name]])).findings
    assert [finding for finding in findings if not finding.is_reading]


@pytest.mark.parametrize("name", OTHER_READINGS)
def test_the_kit_does_not_report_another_reading_as_a_defect(name):
    assert [finding for finding in defects.judge(name).findings if not finding.is_reading] == []


@pytest.mark.parametrize("check", ALONE)
def test_each_check_has_a_defect_that_it_alone_finds(check):
    """The checks that quote the same sentence run, too. `python -m tests.tools.defects --all-checks` runs all."""
    name = ALONE[check]
    neighbours = quoting(DEFECTS[KINDS[name]]) if KINDS[name] in DEFECTS else []
    chosen = [one for one in checks() if one.function.__name__ == f"test_{check}" or one in neighbours]
    if check == "every_field_of_every_response_had_its_type":
        chosen = checks()
    assert {finding.check for finding in defects.judge(name, chosen, to_the_end=True).findings} == {f"test_{check}"}


@pytest.mark.parametrize("check", WITH_OTHERS)
def test_a_check_that_names_the_cause_finds_it(check):
    chosen = [one for one in checks() if one.function.__name__ == f"test_{check}"]
    assert defects.judge(WITH_OTHERS[check], chosen, to_the_end=True).findings


@pytest.mark.parametrize("check", ALONE_IN_KNOWN_DATA)
def test_known_data_shows_what_no_other_data_can(check):
    names = {finding.check for finding in defects.judge_by_known_data(ALONE_IN_KNOWN_DATA[check]).findings}
    assert names == {f"test_{check}"}


@pytest.mark.parametrize("name", ["Endpoint", "PoolOfSessionsThatConvert", "CutAt50"])
def test_known_data_of_a_right_server_has_no_difference(name):
    assert defects.judge_by_known_data(name).findings == []


def test_no_check_is_without_a_defect():
    named = {f"test_{check}" for check in [*ALONE, *WITH_OTHERS, *ALONE_IN_KNOWN_DATA, *NEVER]}
    assert named == {check.function.__name__ for check in checks()}


@pytest.mark.parametrize("name", ["EndDateIsExcluded", "SessionLostAtEachBoundary", "DefaultOf7Days"])
def test_the_most_important_checks_need_60_calls(name):
    assert any(DEFECTS[KINDS[name]] in finding.text for finding in defects.judge(name, max_calls=60).findings)


# Faults of the line


def test_a_redirect_is_not_followed(capfd):
    assert defects.run("Redirects").status == 4
    assert "redirects to https://elsewhere.example/api/v1/conversions (308). Point --base-url there." in capfd.readouterr().err


def test_a_redirect_to_a_final_slash_can_be_followed_by_giving_that_url(capfd):
    assert defects.run("RedirectsToAFinalSlash", "--max-calls=20").status == 4
    url = re.search(r"redirects to (\S+) ", capfd.readouterr().err)[1]
    outcome = defects.run("RedirectsToAFinalSlash", "--max-calls=20", f"--base-url={url}")
    assert outcome.status == 5, outcome.output  # with so few calls, most is not checked
    assert outcome.differences == []


def test_http_to_an_https_port_says_so_in_one_sentence(capfd):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with suppress(OSError):  # at the end of the test
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(ssl.SSLError):
                        context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        status, _ = pytest_in_process([f"--base-url=http://127.0.0.1:{port}", "--api-key=k"])
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    error = capfd.readouterr().err
    assert status == 4
    assert f"This port seems to speak https: point --base-url to https://127.0.0.1:{port}." in error
    assert len(error.strip().splitlines()) == 1


# How long it takes


@pytest.mark.parametrize(("seconds", "max_calls", "told"), [(2, 400, "13 minutes"), (2, 200, ""), (0.5, 400, "")])
def test_a_run_that_takes_more_than_ten_minutes_says_so(seconds, max_calls, told):
    checks()  # puts the kit's modules on the path
    from client import Client
    from run import first_request
    from survey import Survey

    api = Client("http://in-process", endpoint.KEY, max_calls)
    api._send = partial(InProcess(endpoint.Endpoint(defects.OWN)).send, api)
    sentence = first_request(Survey(api, [], {}), iter([0, seconds]).__next__)
    assert sentence.startswith(f"A response takes {seconds:.1f} s, so {max_calls} calls take up to {told}" if told else "")
    assert bool(sentence) is bool(told)


def test_it_is_said_before_the_checks_start():
    output = defects.run("Endpoint", "--delay=2", "-k", "unheard_of").output
    assert "calls take up to 13 minutes; a smaller --max-calls ends earlier." in output


def test_requests_that_fail_now_and_then_are_counted_and_no_verdict():
    outcome = defects.run("EveryThirtiethCallFails", "--max-calls=100")
    assert outcome.differences == []
    assert re.search(r"\d+ of \d+ requests failed and were repeated: 503\.", outcome.output)
    assert outcome.status in (0, 5)  # 5: most was not checked with so few calls


def test_a_connection_that_breaks_now_and_then_is_counted_too():
    outcome = defects.run("EveryThirtiethConnectionBreaks", "--max-calls=100")
    assert outcome.differences == []
    assert "requests failed and were repeated: Connection reset by peer." in outcome.output


@pytest.mark.parametrize("name", ["EveryFifthCallFails", "GoneAfter40Calls"])
def test_a_server_that_is_not_well_gets_no_verdict_but_an_exit_status_of_its_own(name):
    outcome = defects.run(name, "--max-calls=100")
    assert outcome.status == 6, outcome.output
    assert outcome.differences == []
    assert "the server is not well: " in outcome.output
    assert "0 from our reading" in outcome.last_line


def test_a_429_with_retry_after_is_waited_for_and_says_so(capsys):
    outcome = defects.run("EveryFiftiethCallWaits", "--max-calls=100", "-s")
    assert outcome.differences == []
    assert "429 with Retry-After: the kit waits 1 seconds" in outcome.output


def test_a_run_that_the_limit_ends_is_not_a_success():
    outcome = defects.run("LimitAfter22Calls")
    assert outcome.status == 5
    assert "the server takes no more calls of this key: 429" in outcome.output
    assert "so the exit status is 0" not in outcome.output


def test_data_that_changes_during_the_run_is_reported(tmp_path):
    report = tmp_path / "report.md"
    outcome = defects.run("DataThatChanges", f"--report={report}", "--max-calls=100")
    assert "The data is changing" in outcome.output
    assert "The data is changing" in report.read_text(encoding="utf-8")


def test_a_page_of_html_is_one_finding():
    outcome = defects.run("HtmlPages")
    assert len(outcome.differences) == 1
    assert outcome.status == 1


def test_a_missing_field_is_reported_once():
    (difference,) = defects.run("TimestampsMissing").differences
    assert "When the session started" in difference
    assert "timestamp is missing" in difference


def test_defects_of_different_things_are_findings_of_their_own():
    found = defects.run("ThreeDefects").output.partition("= differs from the text =")[2].partition("= not checked =")[0]
    findings = re.split("^differs from the text: ", found, flags=re.MULTILINE)[1:]
    assert "S22" in findings[0]
    (of_case,) = [finding for finding in findings if "in another case" in finding.partition(" -- ")[2].splitlines()[1]]
    name, value = re.search(r" -- (\w+) '([^']+)' finds", of_case).groups()
    assert f'"{name}": "{value}"}} -> 200' in of_case
    (of_pages,) = [finding for finding in findings if "about the pages of session queries" in finding]
    assert "missing" in of_pages
    assert "may follow from window/" in of_pages


def test_the_two_requests_are_the_wrong_one_and_the_right_one():
    headline, _, requests = defects.run("CaseOfCampaignIgnored").output.partition(" finds ")
    wrong = re.search(r"campaign '([^']+)'$", headline)[1]
    assert re.findall(r'^    POST .*"campaign": "([^"]+)"', requests, re.MULTILINE)[:2] == [wrong, wrong.swapcase()]


def test_an_interrupted_run_says_so_in_its_files(tmp_path):
    files = tmp_path / "report.md", tmp_path / "result.json", tmp_path / "learnt.json"
    outcome = defects.run(
        "InterruptedAfter40Calls", *map("=".join, zip(("--report", "--json", "--learn"), map(str, files), strict=True))
    )
    report, result = (file.read_text(encoding="utf-8") for file in files[:2])
    assert (outcome.status, json.loads(result)["exit_status"]) == (2, 2)
    assert re.search(r"The run was interrupted after \d+ of \d\d\d checks\.", report)
    assert not files[2].exists()


def test_readings_of_a_server_that_differs_are_not_certain(tmp_path):
    outcome = defects.run("EndDateADayLate", "--max-calls=100", f"--learn={tmp_path / 'learnt.json'}")
    assert "What was learnt can be wrong: it is certain only for a server that does what the text says." in outcome.output


def test_what_was_not_checked_is_not_gone(written):
    _, files = written
    outcome = defects.run("EndDateADayLate", "--max-calls=40", f"--expect={files['result.json']}")
    assert "gone: " not in outcome.output


@pytest.mark.parametrize("option", ["--other-key", "--known-data"])
def test_another_key_that_is_unknown_is_not_a_difference(option, capfd):
    assert defects.run("Endpoint", f"{option}=nobody").status == 4
    assert f"does not accept the key of {option}. It returned 401" in capfd.readouterr().err


# What is written


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[defects.Outcome, dict]:
    folder = tmp_path_factory.mktemp("kit")
    files = {name: folder / name for name in ("report.md", "result.json", "junit.xml", "learnt.json")}
    outcome = defects.run(
        "EndDateADayLate",
        "--max-calls=150",
        f"--report={files['report.md']}",
        f"--json={files['result.json']}",
        f"--junitxml={files['junit.xml']}",
        f"--learn={files['learnt.json']}",
    )
    return outcome, files


def test_a_report_begins_with_the_cause_and_folds_what_is_about_the_same_thing(written):
    outcome, files = written
    text = files["report.md"].read_text(encoding="utf-8")
    assert re.search(r"version \d\.\d of the kit, \d+ calls, exit status 1", text)
    first = text.partition("## Differs from the text")[2].partition("### ")[2].partition("### ")[0]
    assert "S22: Only conversions before or on this date are included." in first
    assert re.search(r"<summary>\d+ more about the window", first)
    assert max(map(len, text.splitlines())) < 2000
    assert len(outcome.differences) <= 3, outcome.output


def test_the_requests_of_a_report_can_be_pasted(written):
    _, files = written
    commands = re.findall(r"^curl .*$", files["report.md"].read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) >= 2
    assert all('-H "Authentication: $KEY"' in command for command in commands)
    body = re.search(r"-d '(.*)'", commands[0])[1]
    assert {"start_date", "end_date"} <= json.loads(body).keys()


def test_junit_xml_and_json_have_the_ids_of_checks_and_sentences(written):
    _, files = written
    checks = {check["id"]: check for check in json.loads(files["result.json"].read_text(encoding="utf-8"))["checks"]}
    assert checks["window/a_date_means_its_whole_day[direct]"]["verdict"] == "differs from the text"
    assert "S22" in checks["window/a_date_means_its_whole_day[direct]"]["sentences"]
    properties = [
        {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in ElementTree.parse(files["junit.xml"]).iter("testcase")
    ]
    assert {one["check"] for one in properties} == checks.keys()
    failures = [failure.get("message") for failure in ElementTree.parse(files["junit.xml"]).iter("failure")]
    assert failures
    assert all(message.startswith("differs from the text: “") for message in failures), failures


def test_learnt_readings_are_in_the_form_of_the_setting(written):
    _, files = written
    assert json.loads(files["learnt.json"].read_text(encoding="utf-8"))["status"] == "200"


def test_expected_differences_are_accepted_and_others_are_not(written, tmp_path):
    _, files = written
    same = defects.run("EndDateADayLate", "--max-calls=150", f"--expect={files['result.json']}")
    assert same.status == 0, same.output
    gone = defects.run("Endpoint", "--max-calls=150", f"--expect={files['result.json']}")
    assert gone.status == 1
    assert "gone: " in gone.output
    (tmp_path / "none.json").write_text('{"checks": []}')
    new = defects.run("EndDateADayLate", "--max-calls=150", f"--expect={tmp_path / 'none.json'}")
    assert new.status == 1
    assert "new: " in new.output


def test_a_page_shows_several_servers_side_by_side(written):
    _, files = written
    sys.path.insert(0, str(KIT))
    import compare

    run = json.loads(files["result.json"].read_text(encoding="utf-8"))
    page = compare.page_of(["one", "other"], [run, run])
    assert page.count("<th>one<br>") == page.count("<th>other<br>") == 1
    assert "window/a_date_means_its_whole_day[direct]" in page


def test_email_addresses_and_keys_are_not_shown(written):
    outcome, files = written
    for text in [outcome.output, *(file.read_text(encoding="utf-8") for file in files.values())]:
        assert "@mail.example" not in text
        assert endpoint.OTHER_KEY not in text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--base-url=http://127.0.0.1:99999", "--api-key=k"], "Port out of range"),
        (["--base-url=HTTP://127.0.0.1:1", "--api-key=k"], "fails again and again"),
        (["--base-url=127.0.0.1:5000", "--api-key=k"], "give a URL such as"),
        (["--base-url=http://127.0.0.1:1", "--api-key=ключ"], "cannot be sent in a header"),
        (["--base-url=http://127.0.0.1:1"], "Give --base-url and --api-key"),
        (["--base-url=http://127.0.0.1:1", "--api-key=k", "--other-key=k"], "need different keys"),
        (["--base-url=http://127.0.0.1:1", "--api-key=k", "--session-filter=sorce=a"], "NAME=VALUE"),
        (["--base-url=http://127.0.0.1:1", "--api-key=k", "--start-date=2025-07-02", "--end-date=2025-07-01"], "is after"),
        (
            ["--base-url=http://127.0.0.1:1", "--api-key=k", "--report=/nowhere/r.md"],
            "--report /nowhere/r.md: there is no such folder.",
        ),
        (["--base-url=http://127.0.0.1:1", "--api-key=k", "--expect=/nowhere/r.json"], "this is not a file that --json wrote"),
    ],
)
def test_a_wrong_option_is_explained_in_a_sentence(options, sentence, capfd):
    status = pytest.main([*ARGUMENTS, *options])
    out, err = capfd.readouterr()
    assert status == 4
    assert sentence in err
    assert "Traceback" not in err + out


def test_every_check_quotes_sentences_of_the_published_text():
    sys.path.insert(0, str(KIT))
    from sentences import SENTENCES, quoted

    assert list(SENTENCES) == [f"S{number}" for number in range(1, 77)]
    texts = [group["text"] for group in json.loads((KIT / "cases.json").read_text(encoding="utf-8"))]
    for path in KIT.glob("test_*.py"):
        texts += re.findall(r'"""(“.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL)
    for text in texts:
        assert quoted(" ".join(text.split())), text


def test_the_folder_can_be_copied_elsewhere():
    """It imports only itself, pytest and the standard library."""
    allowed = {*sys.stdlib_module_names, "pytest", *(path.stem for path in KIT.glob("*.py"))}
    for path in KIT.glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "from ")):
                assert line.split()[1].partition(".")[0] in allowed, (path.name, line)
