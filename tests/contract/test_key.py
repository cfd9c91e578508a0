"""Who can read conversions: only somebody with a key, and only the account's own."""

import pytest
from verdict import check

WRONG = {
    "no key": lambda _: "",
    "an unknown key": lambda _: "nobody-9f1c27",
    "the key in another case": str.swapcase,
    "the beginning of the key": lambda key: key[:-1],
    "the key and one character more": lambda key: f"{key}x",
}


@pytest.mark.parametrize(
    "wrong",
    [pytest.param(wrong, marks=[pytest.mark.later] if "the key and" in wrong or "beginning" in wrong else []) for wrong in WRONG],
)
def test_only_the_key_opens_the_account(api, wrong):
    """“Authentication: YOUR_API_KEY”"""
    key = WRONG[wrong](api.key)
    if key == api.key or (not key and wrong != "no key"):
        pytest.skip("the key has no letters" if "case" in wrong else "the key is too short")
    answer = api.ask({}, Authentication=key)
    check(answer.status >= 400 and b'"records"' not in answer.body, f"a request with {wrong} is answered {answer.status}")


def test_a_content_type_can_name_its_charset(api):
    """“Content-Type: application/json” A parameter does not change a media type."""
    answer = api.ask({}, **{"Content-Type": "application/json; charset=utf-8"})
    check(answer.status == 200, f"“application/json; charset=utf-8” is answered {answer.status}")


def test_accounts_have_no_conversion_in_common(api, survey):
    """“clean access to every tracked conversion event” of the account whose key is sent, and of no other"""
    if not survey.other_key:
        pytest.skip("--other-key gives the key of another account")
    query = survey.window().query
    own, offset = survey.direct().records, 0
    for _ in range(4):
        answer = api.ask(query | {"offset": offset}, Authentication=survey.other_key)
        check(answer.status == 200, f"the other key is answered {answer}")
        theirs = api.read(answer)
        common = own.common(theirs.records)
        check(not common, f"both keys return {len(common)} conversions ({common})")
        if not theirs.has_more:
            break
        offset = theirs.records_processed
    name, value = next(iter(survey.filter(survey.main_name()).items()))
    theirs = api.read(api.ask(query | {name: value}, Authentication=survey.other_key))
    common = own.common(theirs.records)
    check(not common, f"with {name} {value}, both keys return {len(common)} conversions ({common})")


@pytest.mark.later
@pytest.mark.beyond_the_text
def test_a_response_over_the_limit_says_when_to_try_again(api, survey):
    """“Authentication: YOUR_API_KEY” Our reading: a key over its limit gets 429, with the header Retry-After."""
    if survey.over_limit_key:
        exchange = api.too_many_of(survey.over_limit_key)
    else:
        api.ask({}, Prefer="code=429")  # a mock returns a 429 then; other servers ignore the header
        exchange = api.too_many
    if exchange is None:
        pytest.skip("no answer was a 429; --over-limit-key gives a key that is over its limit")
    seconds = str(exchange.answer.headers.get("Retry-After", ""))
    check(seconds, "a 429 has no Retry-After")
    check(seconds.strip().isdecimal() or "GMT" in seconds, f"the Retry-After of a 429 is {seconds}")
    check("error" in exchange.answer.json, f"the body of a 429 has no error: {exchange.answer}")
