"""Where a session's source comes from (section 5): each case is a session, loaded once, and a query that must find it."""

import json

import pytest

from tests.conftest import Hub, a_conversion, a_session

LOADED: list[dict] = []


def sessions(*cases: tuple[dict, dict]):
    """Parametrize a test with sessions, each with the query that must find it, and put them into the one import."""
    LOADED.extend(fields for fields, _ in cases)
    return pytest.mark.parametrize(
        ("fields", "query"),
        [pytest.param(fields, query, id=" ".join(map(str, fields.values())) or "bare") for fields, query in cases],
    )


def referrers(cases: dict[str, dict]):
    """The same, for sessions of which only the referrer matters."""
    return sessions(*(({"referrer": referrer}, query) for referrer, query in cases.items()))


def landing_pages(cases: dict[str, dict]):
    """The same, for sessions of which only the landing page matters."""
    return sessions(*(({"landing_page": page}, query) for page, query in cases.items()))


def name_of(fields: dict) -> str:
    return json.dumps(fields, sort_keys=True)


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Hub:
    """A server with the sessions of all cases; the conversion of each carries its case's name as its id."""
    hub = Hub(tmp_path_factory.mktemp("attribution") / "conversions.sqlite")
    hub.load(
        [
            a_session(**fields, conversions=[a_conversion(conversion_meta={"type": "custom", "id": name_of(fields)})])
            if "landing_page" not in fields
            else a_session() | fields | {"conversions": [a_conversion(conversion_meta={"type": "custom", "id": name_of(fields)})]}
            for fields in LOADED
        ]
    )
    return hub


@pytest.fixture
def found(hub, fields, query) -> bool:
    """Whether the query finds the session of the fields."""
    return "records" in hub.ask(query | {"meta_id": name_of(fields)})
