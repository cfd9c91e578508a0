"""Black-box checks of POST /api/v1/conversions, as a pytest plugin: options, the order of the checks, the result. See README.md.

pytest tests/contract --base-url https://app.example.com --api-key KEY
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from client import Client, NotWell
from machine import expected
from outcome import Outcome
from pages import Unusable
from records import instant_of
from run import first_request
from sentences import quoted, split
from survey import SESSION_FILTERS, Survey
from verdict import DIFFERS, FORM_ONLY, HOLDS, NOT_CHECKED, READING, Difference, Result, evidence, id_of

MAX_CALLS = 400
# Most important first: if the calls run out, the forms of errors are not checked.
ORDER = ["test_shape", "test_key", "test_walks", "test_batches", "test_window", "test_filters", "test_known"]
ORDER += ["test_exact_values", "test_readings", "test_cases"]

SURVEY = pytest.StashKey[Survey]()
OUTCOME = pytest.StashKey[Outcome]()


@pytest.fixture
def survey(request) -> Survey:
    survey = request.config.stash[SURVEY]
    survey.api.seen.clear()
    if survey.broken and request.node.name != "test_a_response_is_json":
        pytest.skip(f"another check reports: {survey.broken}")
    return survey


@pytest.fixture
def api(survey) -> Client:
    return survey.api


def pytest_ignore_collect(collection_path, config) -> bool | None:
    """Leave the checks out if this folder is collected by another test suite, which gives no server to check."""
    return True if SURVEY not in config.stash and collection_path.suffix == ".py" else None


def pytest_addoption(parser):
    group = parser.getgroup("contract", "the server to check")
    group.addoption("--base-url", metavar="URL", help="root of the server, or the whole URL of the endpoint")
    group.addoption("--api-key", metavar="KEY", help="sent as the header Authentication")
    group.addoption("--other-key", metavar="KEY", default="", help="a key of another account: the two have no conversion in common")
    group.addoption("--over-limit-key", metavar="KEY", default="", help="a key that is over its limit, to look at a 429")
    group.addoption("--known-data", metavar="KEY", default="", help="a key whose account has the sessions of known_data.py")
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
    group.addoption("--strict-readings", action="store_true", help="exit with 1 also if the server only differs from our reading")
    group.addoption("--report", metavar="FILE.md", help="write what was found, with the requests that show it")
    group.addoption("--json", metavar="FILE.json", help="write the result of each check, for programs and for compare.py")
    group.addoption("--expect", metavar="FILE.json", help="exit with 0 if exactly the differences of this file are found")
    group.addoption("--learn", metavar="FILE.json", help="write the readings of the server, as CONVERSIONS_READING takes them")


def pytest_configure(config):
    config.addinivalue_line("markers", "beyond_the_text: checks a decision of this project that the published text does not state")
    config.addinivalue_line("markers", "later: is checked after the others, if there are calls left")
    config.addinivalue_line("markers", "form_only: checks the type and the form of a field, not what it means")
    option = config.getoption
    if config.inipath is None or config.inipath.parent != Path(__file__).parent:
        return  # collected by another test suite, which has settings of its own
    if config.option.collectonly or config.option.help:
        return
    url, key = option("base_url"), option("api_key")
    if not url or not key:
        raise pytest.UsageError("Give --base-url and --api-key: which server to check, and a key that it knows.")
    check_url(url)
    keys = {name: option(name) for name in ("api_key", "other_key", "over_limit_key", "known_data")}
    for name, value in keys.items():
        check_key(name, value)
    given = [value for value in keys.values() if value]
    if len(set(given)) < len(given):
        raise pytest.UsageError("--api-key, --other-key, --over-limit-key and --known-data need different keys.")
    for pair in option("session_filter"):
        if not re.match(rf"({'|'.join(SESSION_FILTERS)})=.", pair):
            raise pytest.UsageError(f"--session-filter {pair}: give NAME=VALUE, where NAME is one of {', '.join(SESSION_FILTERS)}.")
    for name in ("report", "json", "learn"):
        if (file := option(name)) and not Path(file).absolute().parent.is_dir():
            raise pytest.UsageError(f"--{name} {file}: there is no such folder.")
    if file := option("expect"):
        expected(Path(file))  # read again at the end; what is wrong with it is said before the first request
    dates = {name: value for name in ("start_date", "end_date") if (value := option(name))}
    client = Client(url, key, option("max_calls"), option("delay"))
    survey = Survey(client, option("session_filter"), check_dates(dates), option("other_key"), option("over_limit_key"))
    survey.known_data_key = option("known_data")
    config.stash[SURVEY] = survey
    config.stash[OUTCOME] = Outcome(config, survey)
    config.pluginmanager.register(config.stash[OUTCOME], "contract-outcome")


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


def check_dates(dates: dict[str, str]) -> dict[str, str]:
    moments = {}
    for name, value in dates.items():
        try:
            moments[name] = instant_of(value, whole_day=name == "end_date")
        except ValueError:
            raise pytest.UsageError(f"--{name.replace('_', '-')} {value}: give a date such as 2025-07-01.") from None
    if len(moments) == 2 and moments["start_date"] > moments["end_date"]:
        raise pytest.UsageError(f"--start-date {dates['start_date']} is after --end-date {dates['end_date']}.")
    return dates


def pytest_report_header(config):
    if SURVEY in config.stash:
        return f"checking {config.stash[SURVEY].api.endpoint} with at most {config.stash[SURVEY].api.max_calls} calls"
    return None


def pytest_runtestloop(session):
    if SURVEY in session.config.stash:
        told = first_request(session.config.stash[SURVEY])
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if told and reporter:
            reporter.write_line(told)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Put the most important checks first, those marked "later" after them, and the forms of requests last."""

    def rank(item) -> tuple[bool, bool, int]:
        module = item.module.__name__
        if module == "test_readings" and config.getoption("learn"):
            return False, False, -1
        return module == "test_cases", item.get_closest_marker("later") is not None, ORDER.index(module)

    if SURVEY in config.stash and not config.stash[SURVEY].known_data_key:
        items[:] = [item for item in items if item.module.__name__ != "test_known"]
    if items and all(Path(item.path).parent == Path(__file__).parent for item in items):
        items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item) -> Iterator[None]:
    """Fail the first check that receives an unusable response, and skip the others. A server that is not well ends the run."""
    try:
        return (yield)
    except Unusable as unusable:
        fault = unusable.fault
    except NotWell as not_well:
        item.session.shouldstop = str(not_well)
        pytest.skip(str(not_well))
    first = item.funcargs["survey"].reported.setdefault(fault, item.nodeid)
    if first != item.nodeid:
        pytest.skip(f"another check reports: {fault}")
    raise Difference(fault, ())


def text_of(item) -> str:
    case = item.callspec.params.get("case") if hasattr(item, "callspec") else None
    return case["text"] if case else item.function.__doc__ or item.name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call) -> Iterator[None]:
    report = yield
    outcome = item.config.stash.get(OUTCOME, None)
    if outcome is None or report.when == "teardown" or (report.when == "setup" and report.passed):
        return report
    result = result_of(item, report, call)
    item.user_properties += [("check", result.id), ("sentences", " ".join(result.numbers)), ("verdict", result.verdict)]
    if report.failed:
        asked = "".join(f"\n  {exchange}" for exchange in result.exchanges)
        report.longrepr = f"{result.headline}{asked}" + (f"\n{report.longreprtext}" if "broke off" in result.how else "")
    outcome.results[item.nodeid] = result
    return report


def result_of(item, report, call) -> Result:
    survey: Survey = item.config.stash[SURVEY]
    sentence, reading = split(text_of(item))
    broke_off = report.failed and not call.excinfo.errisinstance(pytest.fail.Exception)
    verdict = HOLDS if report.passed else NOT_CHECKED if report.skipped or broke_off else DIFFERS
    if verdict == DIFFERS and item.get_closest_marker("beyond_the_text"):
        verdict = READING
    how = ""
    if report.skipped:
        how = report.longrepr[2].removeprefix("Skipped: ")
    elif report.failed:
        how = f"the check broke off with {call.excinfo.typename}: {call.excinfo.value}" if broke_off else str(call.excinfo.value)
    fault = call.excinfo.value if report.failed and isinstance(call.excinfo.value, Difference) else None
    exchanges = evidence(survey.api, fault) if not report.skipped else []
    if verdict == HOLDS and item.get_closest_marker("form_only"):
        how = FORM_ONLY
    params = item.callspec.params if hasattr(item, "callspec") else {}
    told = survey.shown_readings.get(params.get("name", "")) if item.module.__name__ == "test_readings" else None
    value = f"{params['name']}={told.value}" if told else ""
    return Result(id_of(item.nodeid), item.nodeid, sentence, quoted(sentence), reading, verdict, how, exchanges, value)
