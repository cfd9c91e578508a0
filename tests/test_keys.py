"""Keys are made, listed and revoked by commands, and no list gives one away."""

import re

import pytest

from app.accounts import LONGEST_PREFIX

from .conftest import Hub, a_conversion, a_session


@pytest.fixture
def hub(hub) -> Hub:
    hub.load([a_session(conversions=[a_conversion()])], "example.com", "a-key-of-ones-own")
    return hub


def made(hub: Hub, domain: str = "example.com") -> str:
    outcome = hub.run("keys", "add", "--domain", domain)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout.split()[-1]


def listed(hub: Hub) -> list[list[str]]:
    outcome = hub.run("keys", "list")
    assert outcome.exit_code == 0
    return [line.split() for line in outcome.stdout.splitlines()]


def test_a_key_that_was_made_opens_the_account_beside_the_others(hub):
    assert hub.ask({}, made(hub)) == hub.ask({}, "a-key-of-ones-own")


def test_a_key_is_made_for_an_account_that_is_there_alone(hub):
    outcome = hub.run("keys", "add", "--domain", "nobody.example")
    assert outcome.exit_code == 1
    assert outcome.stderr == "Error: There is no account of nobody.example; flask import creates one.\n"
    assert len(listed(hub)) == 1


@pytest.mark.decision(41)
def test_keys_are_listed_by_prefix_day_and_account_and_not_given_away(hub):
    key = made(hub)
    rows = listed(hub)
    assert sorted(row[0] for row in rows) == sorted([key[:LONGEST_PREFIX] + "…", "a-ke…"])
    for _, day, domain in rows:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", day)
        assert domain == "example.com"
    assert key.encode() not in b"".join(path.read_bytes() for path in hub.path.parent.iterdir())


@pytest.mark.parametrize("shown", [lambda key: key, lambda key: key[:LONGEST_PREFIX]], ids=["the whole key", "its prefix"])
def test_a_revoked_key_opens_nothing_at_once_and_the_others_go_on(hub, shown):
    key = made(hub)
    assert hub.post("{}", key).status_code == 200
    assert hub.run("keys", "revoke", shown(key)).exit_code == 0
    assert hub.post("{}", key).status_code == 401
    assert hub.post("{}", "a-key-of-ones-own").status_code == 200


def test_of_keys_that_are_shown_alike_none_is_revoked_until_one_is_given_whole(hub):
    hub.load([], "example.com", "a-key-of-another")
    outcome = hub.run("keys", "revoke", "a-ke")
    assert outcome.exit_code == 1
    assert outcome.stderr == "Error: 2 keys are shown as a-ke; give the whole key instead.\n"
    assert [hub.post("{}", key).status_code for key in ("a-key-of-ones-own", "a-key-of-another")] == [200, 200]
    assert hub.run("keys", "revoke", "a-key-of-another").exit_code == 0
    assert [hub.post("{}", key).status_code for key in ("a-key-of-ones-own", "a-key-of-another")] == [200, 401]


def test_a_key_that_is_given_whole_is_revoked_whatever_is_shown_like_it(hub):
    hub.load([], "example.com", "a-ke")
    assert hub.run("keys", "revoke", "a-ke").exit_code == 0
    assert [hub.post("{}", key).status_code for key in ("a-key-of-ones-own", "a-ke")] == [200, 401]


def test_what_is_no_key_cannot_be_revoked(hub):
    outcome = hub.run("keys", "revoke", "nobody")
    assert outcome.exit_code == 1
    assert outcome.stderr == "Error: No key is shown as nobody; flask keys list shows them all.\n"
