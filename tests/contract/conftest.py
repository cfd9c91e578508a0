"""Black-box checks of POST /api/v1/conversions, as a pytest plugin: options, the order of the checks, the result. See README.md.

    pytest tests/contract --base-url https://app.example.com --api-key KEY

Without --base-url, the checks run against this project's own server, once for each key of OWN.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from client import Client, Unusable
from survey import SESSION_FILTERS, Survey
from verdict import DIFFERS, HOLDS, NOT_CHECKED, READING, Result, exchanges_of, split, table

MAX_CALLS = 400
OWN = {
    "YOUR_API_KEY": [],
    "boundaries": ["source=google.com", "campaign=60-in-one-session", "campaign=tied-timestamps"],
    "sparse": ["source=google.com", "medium=organic"],
}
# Most important first: if the calls run out, the forms of errors are not checked.
ORDER = ["test_shape", "test_key", "test_walks", "test_window", "test_filters", "test_cases"]
MAX_UNCHECKED = 0.5
EXIT_MOSTLY_UNCHECKED = 5  # exit status: nothing differs, but most was not checked

GIVEN = pytest.StashKey[Survey]()
RESULTS = pytest.StashKey[dict[str, Result]]()
CHANGED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def own_server(tmp_path_factory) -> Iterator[str]:
    """Start this project's own server, with its bundled data, and return its URL."""
    folder = tmp_path_factory.mktemp("contract")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CONVERSIONS_", "FLASK_"))}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "run", "--port", "0"],
            cwd=Path(__file__).parents[2],
            env=environment | {"CONVERSIONS_DATABASE": str(folder / "conversions.sqlite")},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 60
        while not (running := re.search(r"Running on (http://\S+)\s", (folder / "log").read_text())):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("flask run does not serve:\n" + (folder / "log").read_text(), pytrace=False)
            time.sleep(0.05)
        yield running[1]
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def own_surveys(own_server) -> dict[str, Survey]:
    return {
        key: Survey(
            Client(own_server, key, 1000, when_over=pytest.fail), filters, {}, other_key="dense", over_limit_key="over-limit"
        )
        for key, filters in OWN.items()
    }


@pytest.fixture
def survey(request) -> Survey:
    survey = request.config.stash.get(GIVEN, None) or request.getfixturevalue("own_surveys")[request.param]
    survey.api.seen.clear()
    return survey


@pytest.fixture
def api(survey) -> Client:
    return survey.api


def pytest_generate_tests(metafunc):
    if {"api", "survey"} & set(metafunc.fixturenames) and GIVEN not in metafunc.config.stash:
        metafunc.parametrize("survey", OWN, indirect=True)


def pytest_addoption(parser):
    group = parser.getgroup("contract", "the server to check (default: this project's own)")
    group.addoption("--base-url", metavar="URL", help="root of the server, or the whole URL of the endpoint")
    group.addoption("--api-key", metavar="KEY", help="sent as the header Authentication")
    group.addoption("--other-key", metavar="KEY", default="", help="a key of another account: the two have no conversion in common")
    group.addoption("--over-limit-key", metavar="KEY", default="", help="a key that is over its limit, to look at a 429")
    group.addoption(
        "--max-calls", metavar="N", type=int, default=MAX_CALLS, help=f"do not check what needs more calls (default: {MAX_CALLS})"
    )
    group.addoption("--delay", metavar="SECONDS", type=float, default=0.0, help="wait so long between two calls (default: 0)")
    group.addoption(
        "--session-filter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a session filter that matches something, such as campaign=summer; repeatable (default: well-known values)",
    )
    group.addoption("--start-date", metavar="DATE", help="of the data to look at (default: as far back as needed)")
    group.addoption("--end-date", metavar="DATE", help="likewise (default: an hour ago)")
    # Most versions of pytest have an option of this name, which does no harm here.
    with suppress(ValueError):
        group.addoption("--strict", action="store_true", help="exit with 1 also if the server only differs from our reading")
    group.addoption("--report", metavar="FILE.md", help="write a table of all sentences with their verdicts")


def pytest_configure(config):
    config.addinivalue_line("markers", "beyond_the_text: checks a decision of this project that the published text does not state")
    option = config.getoption
    config.addinivalue_line("markers", "later: is checked after the others, if there are calls left")
    url, key, filters = option("base_url", None), option("api_key", None), option("session_filter", None) or []
    dates = {name: value for name in ("start_date", "end_date") if (value := option(name, None))}
    if not url and not key:
        given = [name for name in ("other_key", "over_limit_key", "report") if option(name, None)]
        if filters or dates or given:
            raise pytest.UsageError("Give --base-url and --api-key too, or no option at all to check this project's own server.")
        return
    if not url or not key:
        raise pytest.UsageError("Give both --base-url and --api-key, or neither to check this project's own server.")
    check_url(url)
    for name in ("api_key", "other_key", "over_limit_key"):
        check_key(name, option(name))
    for pair in filters:
        if not re.match(rf"({'|'.join(SESSION_FILTERS)})=.", pair):
            raise pytest.UsageError(f"--session-filter {pair}: give NAME=VALUE, where NAME is one of {', '.join(SESSION_FILTERS)}.")
    for name, value in dates.items():
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise pytest.UsageError(f"--{name.replace('_', '-')} {value}: give a date such as 2025-07-01.") from None
    client = Client(url, key, option("max_calls"), option("delay"))
    config.stash[GIVEN] = Survey(client, filters, dates, option("other_key"), option("over_limit_key"))
    config.stash[RESULTS] = {}


def check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise pytest.UsageError(f"--base-url {url}: {fault}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or re.search(r"[^!-~]", url):
        raise pytest.UsageError(f"--base-url {url}: give a URL such as http://127.0.0.1:5000, without parameters.")


def check_key(name: str, key: str) -> None:
    if re.search(r"[^ -~\xa0-\xff]", key) or key != key.strip():
        raise pytest.UsageError(
            f"--{name.replace('_', '-')}: this key cannot be sent in a header; it has a line break, a space at an end, or a letter "
            "beyond Latin-1."
        )


def pytest_report_header(config):
    if GIVEN in config.stash:
        return f"checking {config.stash[GIVEN].api.endpoint} with at most {config.stash[GIVEN].api.max_calls} calls"
    return None


def pytest_runtestloop(session):
    """Make one call first: if it fails, all others would."""
    if GIVEN not in session.config.stash or session.config.option.collectonly:
        return
    survey = session.config.stash[GIVEN]
    api = survey.api
    try:
        response = api.ask(survey.dates)
    except (Unusable, pytest.skip.Exception) as fault:
        raise pytest.UsageError(str(fault)) from None
    if 300 <= response.status < 400:
        location = response.headers.get("Location", "nowhere")
        raise pytest.UsageError(f"{api.endpoint} redirects to {location} ({response.status}). Point --base-url there.")
    if response.status in (401, 403):
        raise pytest.UsageError(f"{api.endpoint} does not accept the key of --api-key. It returned {response}")
    if response.status != 200:
        raise pytest.UsageError(f"{api.endpoint} does not return 200 for {survey.dates}. It returned {response}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put the most important checks first. The largest session filter goes before the others, and "later" after both."""

    def rank(item) -> tuple[int, int]:
        module = ORDER.index(item.module.__name__)
        name = item.callspec.params.get("name") if hasattr(item, "callspec") else None
        if item.module.__name__ == "test_cases":
            return 3, module
        if item.get_closest_marker("later"):
            return 1, module
        return (2 if name in SESSION_FILTERS and item.module.__name__ != "test_filters" else 0), module

    if items and all(Path(item.path).parent == Path(__file__).parent for item in items):
        items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail the first check that receives an unusable response, and skip the others."""
    try:
        return (yield)
    except Unusable as unusable:
        fault = unusable.fault
    first = item.funcargs["survey"].reported.setdefault(fault, item.nodeid)
    if first != item.nodeid:
        pytest.skip(f"another check reports: {fault}")
    return pytest.fail(fault, pytrace=False)


def text_of(item) -> str:
    case = item.callspec.params.get("case") if hasattr(item, "callspec") else None
    return case["text"] if case else item.function.__doc__ or item.name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "teardown" or (report.when == "setup" and report.passed):
        return report
    survey = item.funcargs.get("survey")
    sentence, reading = split(text_of(item))
    beyond = item.get_closest_marker("beyond_the_text")
    broke_off = report.failed and not call.excinfo.errisinstance(pytest.fail.Exception)
    verdict = HOLDS if report.passed else NOT_CHECKED if report.skipped or broke_off else READING if beyond else DIFFERS
    how = ""
    if report.skipped:
        how = report.longrepr[2].removeprefix("Skipped: ")
        if how == Survey.ALREADY:
            return report
    elif report.failed:
        how = f"the check broke off with {call.excinfo.typename}: {call.excinfo.value}" if broke_off else str(call.excinfo.value)
    exchanges = exchanges_of(survey.api) if survey and not report.skipped else []
    result = Result(item.nodeid, sentence, reading, verdict, how, exchanges)
    if report.failed:
        asked = "".join(f"\n  {exchange}" for exchange in exchanges)
        trace = f"\n{report.longreprtext}" if broke_off else ""
        report.longrepr = f"{result.headline}{asked}{trace}"
    if RESULTS in item.config.stash:
        item.config.stash[RESULTS][item.nodeid] = result
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report, config):
    """Count differences from the text and from our reading separately."""
    result = config.stash.get(RESULTS, {}).get(report.nodeid)
    if result is None or report.when == "teardown" or (report.when == "setup" and report.passed):
        return None
    return {
        HOLDS: ("passed", ".", "PASSED"),
        DIFFERS: ("differ", "D", ("DIFFERS", {"red": True})),
        READING: ("other reading", "R", ("OTHER READING", {"yellow": True})),
        NOT_CHECKED: ("skipped", "s", "NOT CHECKED"),
    }[result.verdict]


def results_with(config, verdict: str) -> list[Result]:
    return [result for result in config.stash[RESULTS].values() if result.verdict == verdict]


def last_line(config) -> str:
    differ, reading, unchecked = (len(results_with(config, verdict)) for verdict in (DIFFERS, READING, NOT_CHECKED))
    return f"{differ} differ from the text, {reading} from our reading, {unchecked} not checked"


def data_is_changing(survey: Survey) -> bool:
    """Send the first query again, even over the limit of calls, and return whether its response has changed."""
    try:
        query = survey.window().query
        before, api = survey.api.ask(query), survey.api
        again = api.fresh(query)
    except (Unusable, pytest.skip.Exception):
        return False
    return (again.status, again.body) != (before.status, before.body)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    config = session.config
    if GIVEN not in config.stash or not config.stash[RESULTS]:
        return (yield)
    survey = config.stash[GIVEN]
    differ, reading, unchecked = (len(results_with(config, verdict)) for verdict in (DIFFERS, READING, NOT_CHECKED))
    config.stash[CHANGED] = bool(differ) and data_is_changing(survey)
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        mostly_unchecked = unchecked > MAX_UNCHECKED * len(config.stash[RESULTS])
        broke_off = any(result.how.startswith("the check broke off") for result in results_with(config, NOT_CHECKED))
        session.exitstatus = (
            1
            if differ or (reading and config.getoption("strict"))
            else pytest.ExitCode.INTERNAL_ERROR
            if broke_off
            else EXIT_MOSTLY_UNCHECKED
            if mostly_unchecked
            else 0
        )
    if file := config.getoption("report"):
        Path(file).write_text(table(list(config.stash[RESULTS].values()), survey.api.endpoint, last_line(config)), encoding="utf-8")
    outcome = yield
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        reporter.write_line(last_line(config))
    return outcome


def pytest_terminal_summary(terminalreporter, config):
    if GIVEN not in config.stash:
        return
    survey, write = config.stash[GIVEN], terminalreporter.write_line
    for verdict in (DIFFERS, READING):
        results = results_with(config, verdict)
        if results:
            terminalreporter.section(verdict)
        of_check: dict[tuple, list[Result]] = {}
        for result in results:
            of_check.setdefault((result.nodeid.partition("[")[0], result.sentence), []).append(result)
        for first, *others in of_check.values():
            write(first.headline)
            write(f"    {first.nodeid}")
            for exchange in first.exchanges:
                write(f"    {exchange}")
            for other in others[:8]:
                write(f"  also [{other.nodeid.partition('[')[2]} {other.how[:120]}{'…' if len(other.how) > 120 else ''}")
            if len(others) > 8:
                write(f"  and {len(others) - 8} more times")
    reasons: dict[str, list[Result]] = {}
    for result in results_with(config, NOT_CHECKED):
        reasons.setdefault(result.how, []).append(result)
    if reasons:
        terminalreporter.section(NOT_CHECKED)
    for reason, results in reasons.items():
        names = list(dict.fromkeys(re.sub(r".*::test_|\[.*", "", result.nodeid).replace("_", " ") for result in results))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        write(f"{len(results)} not checked: {reason} ({'; '.join(names[:3])}{more})")
    terminalreporter.section("result")
    write(f"Calls made to {survey.api.endpoint}: {survey.api.count}")
    if config.stash.get(CHANGED, False):
        write(
            "The data is changing: the first query gets another response now. Differences may come from that; --end-date may help."
        )
    differ, reading, unchecked = (len(results_with(config, verdict)) for verdict in (DIFFERS, READING, NOT_CHECKED))
    if reading and not differ and not config.getoption("strict"):
        write("The server only differs where the text leaves a choice, so the exit status is 0. With --strict it is 1.")
    if unchecked > MAX_UNCHECKED * max(1, len(config.stash[RESULTS])) and not differ:
        write(f"Most was not checked, so the exit status is {EXIT_MOSTLY_UNCHECKED}.")
