"""What every pytest run of an environment imports, installed as conversions_api_pytest.

It is not a part of conversions_api, because that would import Flask. A test with the fixture imports the rest. Decision 86.
"""

import json
from collections.abc import Iterator

import pytest

USED: pytest.StashKey = pytest.StashKey()  # the fixture's value in a test that uses it
MARKERS = (
    "pages_wrongly: the client of this test pages wrongly on purpose, so the fixture conversions_api does not fail the test.",
    "all_readings: this test runs as decided, and once under each other reading of the text that conversions_api can serve.",
)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("all_readings"):
        if "conversions_api" not in metafunc.fixturenames:
            pytest.fail(f"{metafunc.definition.nodeid}: the mark all_readings needs the fixture conversions_api.", pytrace=False)
        from conversions_api.mock.readings import EACH

        metafunc.parametrize("conversions_api_reading", ["", *EACH], ids=["as decided", *EACH])


@pytest.fixture(scope="session")
def _conversions_api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    from conversions_api.pytest_plugin.fixture import serving

    with serving(tmp_path_factory.mktemp("conversions_api") / "conversions.sqlite") as server:
        yield server


@pytest.fixture
def conversions_api_reading() -> str | None:
    """The reading that conversions_api serves in a test marked all_readings; "" as decided, None without the mark."""
    return None


@pytest.fixture
def conversions_api(
    request: pytest.FixtureRequest, _conversions_api_server: tuple, conversions_api_reading: str | None
) -> Iterator:
    """A mock of the AttributionHub conversions API, with an account of its own for the test: url, key, load(), walks() and more.

    If the client pages wrongly, the test fails.
    """
    from conversions_api.pytest_plugin.fixture import ConversionsApi

    conversions_api = request.node.stash[USED] = ConversionsApi(*_conversions_api_server)
    if conversions_api_reading is not None:
        conversions_api.reading(conversions_api_reading)
    yield conversions_api
    conversions_api.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    """Fail the test if its client paged wrongly. If the test has failed already, add to its report what the server says."""
    try:
        returned = yield
    except BaseException:
        if wrong := _wrong_walks(item):
            item.add_report_section("call", "conversions_api", wrong)
        raise
    if wrong := _wrong_walks(item):
        pytest.fail(wrong, pytrace=False)
    return returned


def _wrong_walks(item: pytest.Item) -> str:
    conversions_api = item.stash.get(USED, None)
    if conversions_api is None or item.get_closest_marker("pages_wrongly"):
        return ""
    wrong = [walk for walk in conversions_api.walks() if walk["faults"]]
    return "\n".join(f"The client paged wrongly through {json.dumps(walk['query'])}: {walk['message']}" for walk in wrong)
