"""Who can read conversions: only a client with a key, and only those of its account."""

import pytest
from verdict import check

WRONG = {
    "no key": lambda _: "",
    "an unknown key": lambda _: "nobody-9f1c27",
    "the key in another case": str.swapcase,
    "the beginning of the key": lambda key: key[:-1],
    "the key with one more character": lambda key: f"{key}x",
    "SQL": lambda _: "' OR '1'='1",
}


@pytest.mark.parametrize(
    "wrong",
    [pytest.param(wrong, marks=[pytest.mark.later] if wrong not in ("no key", "an unknown key") else []) for wrong in WRONG],
)
def test_only_the_exact_key_is_accepted(api, wrong):
    """“Authentication: YOUR_API_KEY”"""
    key = WRONG[wrong](api.key)
    if key == api.key or (not key and wrong != "no key"):
        pytest.skip("the key has no letters" if "case" in wrong else "the key is too short")
    response = api.ask({}, Authentication=key)
    check(
        response.status >= 400 and b'"records"' not in response.body, f"a request with {wrong} gets the response {response.status}"
    )


def test_a_content_type_can_name_its_charset(api):
    """“Content-Type: application/json” A parameter does not change a media type."""
    response = api.ask({}, **{"Content-Type": "application/json; charset=utf-8"})
    check(response.is_success, f"“application/json; charset=utf-8” gets the response {response.status}")


@pytest.mark.later
@pytest.mark.beyond_the_text
def test_a_body_can_be_sent_in_chunks(api):
    """“POST /api/v1/conversions” Our reading: a body can be sent in chunks. This is said by HTTP/1.1 (RFC 9112, section 7.1), and
    not by the text."""
    plain, chunked = (
        api.ask({"meta_id": "nobody-9f1c27"}),
        api.ask({"meta_id": "nobody-9f1c27"}, **{"Transfer-Encoding": "chunked"}),
    )
    check(chunked.status in (plain.status, 411), f"a chunked body gets the response {chunked}")
    check(chunked.status == 411 or chunked.body == plain.body, f"a chunked body gets the response {chunked}, another one {plain}")


def test_accounts_have_no_conversion_in_common(api, survey):
    """“clean access to every tracked conversion event” of the account whose key is sent, and of no other"""
    if not survey.other_key:
        pytest.skip("--other-key gives the key of another account")
    query = survey.window().query
    own, offset = survey.direct().records, 0
    for _ in range(4):
        response = api.ask(query | {"offset": offset}, Authentication=survey.other_key)
        check(response.is_success, f"the other key gets the response {response}")
        theirs = api.reader.read(response)
        common = own.common(theirs.records)
        check(not common, f"both keys return {len(common)} conversions ({common})", common)
        if not theirs.has_more:
            break
        offset = theirs.records_processed
    filters = survey.filter("main")
    theirs = api.reader.read(api.ask(query | filters, Authentication=survey.other_key))
    common = own.common(theirs.records)
    check(not common, f"with {filters}, both keys return {len(common)} conversions ({common})", common)


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
        pytest.skip("no response was a 429; --over-limit-key gives a key that is over its limit")
    seconds = str(exchange.response.headers.get("Retry-After", ""))
    check(seconds, "a 429 has no Retry-After")
    check(seconds.strip().isdecimal() or "GMT" in seconds, f"the Retry-After of a 429 is {seconds}")
    body = exchange.response.json
    check({"error", "message"} & body.keys(), f"the body of a 429 says nothing: {exchange.response}")
