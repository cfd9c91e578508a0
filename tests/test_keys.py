"""Commands create, list and revoke keys. No list reveals a whole key."""

import re

import pytest
from conversions_api.accounts import LONGEST_PREFIX

from .conftest import Hub, a_conversion, a_session


@pytest.fixture
def hub(hub) -> Hub:
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "a-key-of-your-own")
    return hub


def create_key(hub: Hub, domain: str = "example.com") -> str:
    outcome = hub.run("keys", "add", "--domain", domain)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout.split()[-1]


def list_keys(hub: Hub) -> list[list[str]]:
    outcome = hub.run("keys", "list")
    assert outcome.exit_code == 0
    return [line.split() for line in outcome.stdout.splitlines()]


def test_a_new_key_works_and_the_other_keys_still_work(hub):
    assert hub.ask({}, create_key(hub)) == hub.ask({}, "a-key-of-your-own")


def test_a_key_can_only_be_created_for_an_existing_account(hub):
    outcome = hub.run("keys", "add", "--domain", "nobody.example")
    assert outcome.exit_code == 1
    advice = "conversions accounts lists them, conversions import creates one."
    assert outcome.stderr == f"Error: There is no account of nobody.example: {advice}\n"
    assert len(list_keys(hub)) == 1


@pytest.mark.decision(41)
def test_keys_are_listed_with_prefix_day_and_account_but_never_in_full(hub):
    key = create_key(hub)
    rows = list_keys(hub)
    assert sorted(row[0] for row in rows) == sorted([key[:LONGEST_PREFIX] + "…", "a-ke…"])
    for _, day, domain in rows:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", day)
        assert domain == "example.com"
    assert key.encode() not in b"".join(path.read_bytes() for path in hub.path.parent.iterdir())


@pytest.mark.parametrize("shown", [lambda key: key, lambda key: key[:LONGEST_PREFIX]], ids=["the whole key", "its prefix"])
def test_a_revoked_key_stops_working_at_once_and_the_others_keep_working(hub, shown):
    key = create_key(hub)
    assert hub.post("{}", key).status_code == 200
    assert hub.run("keys", "revoke", shown(key)).exit_code == 0
    assert hub.post("{}", key).status_code == 401
    assert hub.post("{}", "a-key-of-your-own").status_code == 200


def test_a_prefix_that_two_keys_share_revokes_neither_of_them(hub):
    hub.load([], "example.com", "a-key-of-another")
    outcome = hub.run("keys", "revoke", "a-ke")
    assert outcome.exit_code == 1
    assert outcome.stderr == "Error: 2 keys are shown as a-ke; give the whole key instead.\n"
    assert [hub.post("{}", key).status_code for key in ("a-key-of-your-own", "a-key-of-another")] == [200, 200]
    assert hub.run("keys", "revoke", "a-key-of-another").exit_code == 0
    assert [hub.post("{}", key).status_code for key in ("a-key-of-your-own", "a-key-of-another")] == [200, 401]


def test_a_whole_key_is_revoked_even_if_it_is_the_prefix_of_another(hub):
    hub.load([], "example.com", "a-ke")
    assert hub.run("keys", "revoke", "a-ke").exit_code == 0
    assert [hub.post("{}", key).status_code for key in ("a-key-of-your-own", "a-ke")] == [200, 401]


def test_an_unknown_key_cannot_be_revoked(hub):
    outcome = hub.run("keys", "revoke", "nobody")
    assert outcome.exit_code == 1
    assert outcome.stderr == "Error: No key is shown as nobody; conversions keys list shows them all.\n"
