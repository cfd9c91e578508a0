"""What may be asked, what is refused and in which words, and what a record looks like (specification, sections 1, 3 and 4)."""

import json
import re
import time
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.schemas import ApiError, BadRequest, ConversionsPage, Message

from .conftest import Hub, a_conversion, a_session

URL = "/api/v1/conversions"
NOTHING = {"message": "No conversions matched the given filters."}
ALWAYS = {"start_date": "0001-01-01", "end_date": "9999-12-31"}
LIMIT = 64 * 1024

CONVERSION_FILTERS = ["conversion_page", "meta_type", "meta_id"]
SESSION_FILTERS = ["source", "medium", "campaign", "content", "term", "landing_page"]
STRINGS = CONVERSION_FILTERS + SESSION_FILTERS
DATES = ["start_date", "end_date"]
FIELDS = ["offset", *DATES, *STRINGS]


def seen(response):
    """The response itself, once it has the form that every answer has."""
    assert response.mimetype == "application/json", response.text
    answer = response.json
    if response.status_code == 200:
        assert (Message() if "message" in answer else ConversionsPage()).validate(answer) == {}
    else:
        assert (BadRequest() if "fields" in answer else ApiError()).validate(answer) == {}
        assert answer.keys() <= {"error", "fields"}
        assert re.fullmatch(r".*\w.*\.", answer["error"], re.DOTALL), answer["error"]
        if "fields" in answer:
            assert response.status_code == 400
            assert answer["fields"]
            for sentences in answer["fields"].values():
                assert sentences
                assert all(re.fullmatch(r".*\w.*[.?]", sentence, re.DOTALL) for sentence in sentences), sentences
    return response


def post(hub: Hub, body: str | bytes, **more):
    # The time of the processor, not of the wall: the test is not to fail on a busy machine.
    began = time.process_time()
    response = hub.post(body, **more)
    assert time.process_time() - began < 1
    return seen(response)


def refused(hub: Hub, body: str | bytes, status: int = 400, **more) -> str:
    """The sentence of an error that is not about a field."""
    response = post(hub, body, **more)
    assert response.status_code == status, response.text
    assert "fields" not in response.json
    return response.json["error"]


def faults(hub: Hub, body: str | bytes) -> dict[str, list[str]]:
    """The sentences about each field."""
    response = post(hub, body)
    assert response.status_code == 400, response.text
    assert "fields" in response.json, response.text
    return response.json["fields"]


def times(hub: Hub, query: dict, key: str) -> list[str]:
    return [record["timestamp"] for record in hub.everything(query, key)]


def converted_at(*moments: str) -> list[dict]:
    """A session for each moment, with one conversion then."""
    return [
        a_session(started_at=moment.replace(" ", "T") + "Z", conversions=[a_conversion(timestamp=moment)]) for moment in moments
    ]


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Hub:
    """A server for tests that change nothing: sixty conversions within the default window, each in a session of its own."""
    hub = Hub(tmp_path_factory.mktemp("request") / "conversions.sqlite")
    hub.load(converted_at(*(f"2025-08-01 10:00:{second:02}" for second in range(60))))
    return hub


# Route and methods


@pytest.mark.decision(27)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_any_method_but_post_is_405_with_allow(hub, method):
    response = seen(hub.client.open(URL, method=method, headers={"Authentication": "key"}))
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


def test_head_is_405_with_allow_and_without_a_body(hub):
    response = hub.client.head(URL)
    assert (response.status_code, response.headers["Allow"], response.mimetype) == (405, "POST", "application/json")
    assert response.data == b""


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    """/api/ /api/v1 /api/v1/ /api/v2/conversions /api/v1/conversion /api/v1/conversions/ /api/v1/conversions/1
    /api/v1//conversions /api//v1/conversions /api/v1/conversions// /api/V1/conversions /api/v1/CONVERSIONS
    /api/v1/conversions.json /api/v1/conversions;v=1 /api/v1/conversions%20 /api/v1/conversions%00 /api/v1/conversions%0A
    /api/v1/./conversions /api/v1/%FF /api/<b>""".split(),
)
def test_any_other_path_under_api_is_404_in_json(hub, method, path):
    response = seen(hub.client.open(path, method=method, headers={"Authentication": "key"}, data="{}"))
    assert response.status_code == 404, response.headers


# Key


def test_a_missing_key_is_401(hub):
    assert "Authentication" in refused(hub, "{}", 401, key=None)


@pytest.mark.parametrize(
    "key",
    ["unknown", "KEY", "ke", "key2", "key,key", '"key"', "Bearer key", "cl\xe9", "%", "' OR 1=1 --", "k" * 5000],
    ids=lambda key: key[:12],
)
def test_an_unknown_key_is_401_with_a_sentence_of_its_own(hub, key):
    sentence = refused(hub, "{}", 401, key=key)
    assert sentence != refused(hub, "{}", 401, key=None)
    assert sentence == refused(hub, "{}", 401, key="another")


def test_an_empty_key_is_401(hub):
    refused(hub, "{}", 401, key="")


@pytest.mark.parametrize("value", ["key", "Bearer key", "Basic a2V5Og=="])
def test_a_key_in_the_authorization_header_is_a_missing_key(hub, value):
    assert "Authentication" in refused(hub, "{}", 401, key=None, headers={"Authorization": value})


def test_a_key_in_the_url_is_a_missing_key(hub):
    refused(hub, "{}", 401, key=None, query_string={"Authentication": "key"})


def test_the_name_of_the_header_is_not_case_sensitive(hub):
    assert post(hub, "{}", key=None, headers={"authentication": "key"}).status_code == 200


@pytest.mark.parametrize("blanks", [" {}", "{} ", "\t {} \t"])
def test_blanks_around_a_key_do_not_belong_to_it(hub, blanks):
    assert post(hub, "{}", key=blanks.format("key")).status_code == 200


@pytest.mark.decision(38)
@pytest.mark.parametrize("joined", ["key,key", "key, key"])
def test_two_keys_are_none(hub, joined):
    """A header that comes twice arrives as one, joined in one of these ways: test_hostile.py sends it twice."""
    assert refused(hub, "{}", 401, key=joined) == refused(hub, "{}", 401, key="unknown")


@pytest.mark.decision(2)
@pytest.mark.parametrize("key", [None, "unknown"])
@pytest.mark.parametrize(
    ("body", "more"),
    [
        pytest.param("{", {}, id="not JSON"),
        pytest.param('{"offset": -1}', {}, id="a fault in a field"),
        pytest.param("a=b", {"content_type": "application/x-www-form-urlencoded"}, id="another content type"),
        pytest.param(" " * (LIMIT + 1), {}, id="too large"),
        pytest.param("{}", {"query_string": {"source": "a"}}, id="filter in the URL"),
    ],
)
def test_the_key_is_checked_before_the_body(hub, key, body, more):
    assert refused(hub, body, 401, key=key, **more) == refused(hub, "{}", 401, key=key)


# Body


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
def test_no_body_is_an_empty_query(hub, content_type):
    assert post(hub, "", content_type=content_type).json == hub.ask({})


@pytest.mark.decision(4)
@pytest.mark.parametrize("body", [" ", "\n", " \t\r\n ", "{}", " {\n} "])
def test_a_blank_body_is_an_empty_query(hub, body):
    assert post(hub, body).json == hub.ask({})


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"])
def test_a_content_type_may_carry_a_charset_and_capitals(hub, content_type):
    assert post(hub, '{"offset": 59}', content_type=content_type).json == hub.ask({"offset": 59})


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/json",
        "text/html",
        "application/jsonl",
        "json",
        None,
    ],
)
def test_a_body_of_another_content_type_is_415(hub, content_type):
    assert "application/json" in refused(hub, "{}", 415, content_type=content_type)


@pytest.mark.parametrize("body", ["[]", "[{}]", "null", "true", "0", "1.5", '"source"', '""', "[1,]"])
def test_a_body_that_is_not_an_object_is_400(hub, body):
    assert "object" in refused(hub, body)


OUTSIDE_THE_GRAMMAR = """
{
}
{}}
{},
{} {}
{} x
{,}
{"offset": 1,,}
{"offset": 1},}
{,"offset": 1}
{"offset": 1 "source": "a"}
{"offset"}
{"offset",}
{"offset":}
{"offset":,}
{"offset" 1}
{"offset": 1]
{"source": [,]}
{"source": ["a",,]}
{"source": [,"a"]}
{"source": ["a"}
{: 1}
{1: 1}
{null: 1}
{offset: 1}
{'source': 'a'}
{"source": 'a'}
{"source": a}
{"source": "a}
{"source": “a”}
{"source": "a" "b"}
{"source": "\\x41"}
{"source": "\\'"}
{"source": "\\u12"}
{"source": "\\u12g4"}
{"source": "\\u+123"}
{"source": "\\u1_23"}
{"source": "\\U00000041"}
{"source": "\\"}
{"offset": NaN}
{"offset": nan}
{"offset": Infinity}
{"offset": -Infinity}
{"offset": inf}
{"offset": 01}
{"offset": 00}
{"offset": -01}
{"offset": +1}
{"offset": .5}
{"offset": 1.}
{"offset": 1.e1}
{"offset": 1e}
{"offset": 1e+}
{"offset": -}
{"offset": --1}
{"offset": 0x10}
{"offset": 1_000}
{"offset": 1,000}
{"offset": 1n}
{"offset": ５０}
{"offset": ٥}
{"offset": 1٥}
{"offset": True}
{"offset": None}
{"offset": undefined}
{"offset": nul}
{"offset": 1} // comment
{"offset": 1 /* comment */}
{"offset": 1} # comment
# comment
""".strip().splitlines()

OUTSIDE_THE_GRAMMAR += ['{"source": "a\nb"}', '{"source": "a\tb"}', '{"source": "\0"}', '{"sou\nrce": "a"}']
OUTSIDE_THE_GRAMMAR += ["\f{}", "{\v}", "{\xa0}", "{}\u2028", "{\u3000}", "{}\0"]


@pytest.mark.parametrize("body", OUTSIDE_THE_GRAMMAR)
def test_what_is_not_json_is_400_that_names_the_place(hub, body):
    assert re.search(r"\bline 1\b.*\bcolumn \d", refused(hub, body))


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        ('{"offset": NaN}', 1, 12),
        ('{"offset": 1}}', 1, 14),
        ('{\n  "offset": 1\n  "source": "a"\n}', 3, 3),
        ("{\n  \"source\": 'a'\n}", 2, 13),
        ('{\r\n"source": "é,]",\r\n"term": x}', 3, 9),
        ('{"source": ["a",],\n "offset": NaN}', 2, 12),
        ('{"source": ["a" ,], "offset": x}', 1, 31),
    ],
)
def test_the_place_of_a_fault_is_its_line_and_column(hub, body, line, column):
    assert re.search(rf"\bline {line}\b.*\bcolumn {column}\b", refused(hub, body))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"source": "café"}'.encode("latin-1"), id="Latin-1"),
        pytest.param('{"source": "a"}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"source": "a"}'.encode("utf-32"), id="UTF-32"),
        pytest.param(b'{"source": "\xc0\xaf"}', id="overlong"),
        pytest.param(b'{"source": "\xed\xa0\x80"}', id="a surrogate"),
        pytest.param(b'{"source": "\xf4\x90\x80\x80"}', id="past the last code point"),
        pytest.param(b'{"source": "\xe2\x82"}', id="cut short"),
        pytest.param(b'{"\xff": 1}', id="in a key"),
        pytest.param(b"\xff", id="one byte"),
    ],
)
def test_what_is_not_utf_8_is_400_that_names_the_place(hub, body):
    assert re.search(r"UTF-8.*\d", refused(hub, body))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_no_other_encoding_is_guessed_and_a_byte_order_mark_is_no_json(hub, encoding):
    assert "line 1" in refused(hub, '{"source": "a"}'.encode(encoding))


# Strictness


@pytest.mark.decision(3)
@pytest.mark.parametrize(
    "body", ['{"offset": 59,}', '{"offset": 59 ,\n}', ' {"offset":59,\t} ', '{"meta_id": "form", "offset": 59,}']
)
def test_one_comma_after_the_last_member_of_an_object_is_accepted(hub, body):
    assert post(hub, body).json == hub.ask({"offset": 59})


@pytest.mark.parametrize("body", ['{"source": ["a",]}', '{"source": ["a" , ] , }', '{"source": [[1,],]}', '{"source": {"a": [],}}'])
def test_one_comma_after_the_last_member_of_an_array_or_an_inner_object_is_json_too(hub, body):
    # That it has been read shows in the complaint about the field, which is not one about JSON.
    assert faults(hub, body).keys() == {"source"}


@pytest.mark.parametrize(
    "body",
    [
        '{"source": "a", "source": "b"}',
        '{"source": "a", "source": "a"}',
        '{"source": "a", "term": "b", "source": "a",}',
        '{"source": "a", "s\\u006furce": "b"}',
        '{"source": "a", "source": null}',
        '{"term": {"source": 1, "source": 2}}',
    ],
)
def test_a_key_given_twice_is_400_that_names_it(hub, body):
    assert "source" in refused(hub, body)


def test_a_key_may_be_written_with_escapes(hub):
    assert post(hub, r'{"\u006fffset": 59}').json == hub.ask({"offset": 59})


@pytest.mark.parametrize(
    "text", [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d\ud83d\ude00", r"\ud83dx\ude00", r"\uD800", r"a\uDFFF"]
)
@pytest.mark.parametrize("body", ['{"source": "%s"}', '{"%s": "a"}', '{"source": ["%s"]}', '"%s"'])
def test_a_lone_surrogate_is_400(hub, body, text):
    assert post(hub, body % text).status_code == 400


@pytest.mark.parametrize("levels", [100, 900, 20_000])
@pytest.mark.parametrize("start", ['{"source": ', ""], ids=["in a field", "alone"])
@pytest.mark.parametrize(
    "inner", ["[", "[]", '{"":', '{"":}'], ids=["arrays never closed", "arrays", "objects never closed", "objects"]
)
def test_deep_nesting_is_400(hub, levels, start, inner):
    opening, closing = inner.rstrip("]}"), inner.lstrip('[{":')
    levels = min(levels, (LIMIT - 20) // len(inner))
    assert post(hub, start + opening * levels + '"a"' + closing * levels + "}" * len(start[:1])).status_code == 400


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "number",
    [
        pytest.param("1" * 5000, id="5000 digits"),
        pytest.param("-" + "1" * 5000, id="minus 5000 digits"),
        pytest.param("50." + "0" * 5000, id="5000 decimals"),
        pytest.param("1" + "0" * 5000 + "e-5000", id="a long way to say 1"),
        pytest.param("1e400", id="1e400"),
        pytest.param("1e999999999", id="1e999999999"),
        pytest.param("1e" + "9" * 5000, id="an exponent of 5000 digits"),
    ],
)
def test_a_number_past_a_sane_length_or_size_is_400(hub, field, number):
    assert post(hub, f'{{"{field}": {number}}}').status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("{" + ",".join(f'"{n:x}":1' for n in range(7000)), id="many fields, never closed"),
        pytest.param("{" + ",".join(f'"{n:x}":1' for n in range(6500)) + "}", id="many unknown fields"),
        pytest.param("{" + ",".join(f'"sourc{n}":1' for n in range(4500)) + "}", id="many fields near to known ones"),
        pytest.param("{" + '"source":1,' * 5900 + "}", id="a key given many times"),
        pytest.param('{"' + "source" * 10_000 + '": 1}', id="a long name"),
        pytest.param('{"' + "\\u0073" * 10_000 + '": 1}', id="a long name in escapes"),
        pytest.param('{"start_date": "' + "2025-07-01" * 6000 + '"}', id="a long date"),
        pytest.param('{"start_date": "' + "0" * 65_000 + '"}', id="a long number as a date"),
        pytest.param('{"source": "' + '\\"' * 32_000, id="a string never closed"),
        pytest.param('{"source": ' + '"' * 65_000, id="quotation marks"),
        pytest.param("{" + "," * 65_000, id="commas"),
        pytest.param("[1," * 20_000, id="arrays and commas"),
        pytest.param('{"offset": 1' + " " * 65_000, id="blanks and no end"),
        pytest.param('{"offset": 1,' + "\n" * 65_000 + "x", id="a comma, blank lines and no end"),
        pytest.param('{"source": [' + "[]," * 21_000 + "]}", id="many values"),
        pytest.param('{"offset": 0.' + "1" * 65_000 + "}", id="decimals"),
    ],
)
def test_no_body_keeps_the_server_busy(hub, body):
    assert post(hub, body).status_code == 400


# Fields


@pytest.mark.decision(5)
@pytest.mark.parametrize("value", ["", "1", "google.com"])
@pytest.mark.parametrize("field", [*FIELDS, "sorce"])
def test_a_filter_in_the_url_is_400_that_says_to_send_it_in_the_body(hub, field, value):
    assert "body" in refused(hub, "{}", query_string={field: value})


@pytest.mark.parametrize("body", ["", '{"source": "(direct)"}', "{"])
def test_a_filter_in_the_url_is_refused_whatever_the_body(hub, body):
    assert "URL" in refused(hub, body, query_string="source=%28direct%29")


@pytest.mark.decision(6)
@pytest.mark.parametrize(
    ("field", "nearest"),
    [
        ("sorce", "source"),
        ("Source", "source"),
        ("utm_source", "source"),
        ("source ", "source"),
        ("start", "start_date"),
        ("startDate", "start_date"),
        ("enddate", "end_date"),
        ("meta-type", "meta_type"),
        ("metaid", "meta_id"),
        ("offest", "offset"),
        ("landingpage", "landing_page"),
        ("conversion_pages", "conversion_page"),
        ("utm_campaign", "campaign"),
    ],
)
def test_an_unknown_field_is_400_that_names_it_and_the_nearest_known_one(hub, field, nearest):
    sentences = faults(hub, json.dumps({field: "a"}))
    assert sentences.keys() == {field}
    assert [known for known in FIELDS if re.search(rf"\b{known}\b", sentences[field][0])] == [nearest]


@pytest.mark.parametrize("field", ["limit", "zzz", "", " ", "0", "é", "😀", "__proto__", "a\0b", "<b>", "%s", "{0}"])
def test_a_field_like_no_other_is_400_too(hub, field):
    assert faults(hub, json.dumps({field: "a"})).keys() == {field}


@pytest.mark.decision(59)
@pytest.mark.parametrize("field", ["_schema", "fields", ".source", "source.", "..", "offset.0", "None", "null"])
def test_a_field_is_named_as_it_was_sent(hub, field):
    answer = post(hub, json.dumps({field: 1})).json
    assert answer["fields"].keys() == {field}
    assert field in answer["error"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param('{".offset": 1, "offset": -1}', {".offset", "offset"}, id="a dot in front"),
        pytest.param('{"_schema": 1, "offset": -1}', {"_schema", "offset"}, id="marshmallow's own name"),
        pytest.param('{"_schema": 1, "": 2}', {"_schema", ""}, id="an empty name"),
        pytest.param('{"source": {"_schema": 1}, "_schema": {"source": 1}}', {"source", "_schema"}, id="objects as values"),
    ],
)
def test_no_fault_hides_another(hub, body, named):
    assert faults(hub, body).keys() == named


@pytest.mark.parametrize("field", ["", " ", "a, b", "a\nb", "x" * 1000])
def test_an_odd_name_is_quoted_in_the_sentence_and_cut_at_60_characters(hub, field):
    sentence = post(hub, json.dumps({field: 1})).json["error"]
    quoted = json.dumps(field)
    assert sentence.endswith(f": {quoted if len(quoted) <= 60 else quoted[:59] + '…'}.")


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("offset", "-1", "-1"),
        ("offset", "1.50", "1.50"),
        ("offset", '"50"', '"50"'),
        ("offset", "true", "true"),
        ("source", "7", "7"),
        ("source", "null", "null"),
        ("meta_type", '["html_form", 1.5]', '["html_form", 1.5]'),
        ("start_date", '"yesterday"', '"yesterday"'),
        ("start_date", '"2025-02-29"', '"2025-02-29"'),
        ("end_date", '"2025-07-01T10:00:60Z"', '"2025-07-01T10:00:60Z"'),
        ("end_date", "20250701", "20250701"),
        ("end_date", '"Größe 😀"', '"Größe 😀"'),
        ("end_date", '"' + "9" * 1000 + '"', '"' + "9" * 58 + "…"),
        ("offset", "9" * 100, "9" * 59 + "…"),
    ],
)
def test_a_sentence_about_a_field_shows_its_value_cut_at_60_characters(hub, field, value, shown):
    (sentence,) = faults(hub, f'{{"{field}": {value}}}')[field]
    assert re.search(rf"(^|, not ){re.escape(shown)}(\.$| )", sentence), sentence


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("{'source': 1}", 'unexpected "\'" at line 1, column 2'),
        ('{"offset": 1', "unexpected end at line 1, column 13"),
        ('{"offset": 1, "offset": 2}', 'the key "offset" twice'),
        ('{"' + "a" * 1000 + '": 1, "' + "a" * 1000 + '": 2}', 'the key "' + "a" * 58 + "… twice"),
        (r'{"source": "\ud83d"}', r"\ud83d, half of a surrogate pair, at line 1, column 13"),
        ('{"offset": ' + "1" * 101 + "}", "101 characters, 11111111111111111111…"),
    ],
)
def test_a_sentence_about_json_shows_what_is_wrong(hub, body, shown):
    assert shown in refused(hub, body)


def test_all_fields_at_fault_are_named_at_once(hub):
    body = '{"sorce": "a", "offset": -1, "start_date": "yesterday", "source": null, "term": "good"}'
    assert faults(hub, body).keys() == {"sorce", "offset", "start_date", "source"}


# Offset


@pytest.mark.decision(7)
@pytest.mark.parametrize(("filters", "most"), [("", 50), ('"source": "(direct)", ', 200)], ids=["direct", "session"])
@pytest.mark.parametrize(
    ("number", "offset"),
    [(text, 50) for text in "50 50.0 50.000 5e1 5E1 5e+1 0.5e2 500e-1 5000.0e-2".split()]
    + [(text, 0) for text in "0 -0 0.0 -0.0 0e5 -0e-5 0e999999999".split()]
    + [
        (text, 60)
        for text in "60 61 1e18 9223372036854775806 9223372036854775807 9223372036854775807.0 9.223372036854775807e18".split()
    ],
)
def test_an_offset_is_any_integer_however_it_is_written(hub, filters, most, number, offset):
    answer = post(hub, f'{{{filters}"offset": {number}}}').json
    assert (len(answer["records"]), answer["pagination"]["total_records"]) == (min(most, 60 - offset), 60)


@pytest.mark.parametrize(
    "value",
    """true false null "50" "" [] [50] {} 1.5 -1 -1.0 -0.5 0.1 1e-1 1e-400 -1e-400
    1.0000000000000000000001 0.99999999999999999999999 9223372036854775806.5 9223372036854775807.5 9223372036854775808
    9223372036854775808.0 18446744073709551616 1e19 1e300 -9223372036854775809 -1e300 -1e400""".split(),
)
def test_any_other_offset_is_400(hub, value):
    assert faults(hub, f'{{"offset": {value}}}').keys() == {"offset"}


# String filters


@pytest.mark.parametrize("value", ["null", "0", "1", "1.5", "true", "false", "[]", '["a"]', "{}", '{"a": "b"}'])
@pytest.mark.parametrize("field", STRINGS + DATES)
def test_a_filter_that_is_not_a_string_is_400(hub, field, value):
    assert faults(hub, f'{{"{field}": {value}}}').keys() == {field}


LOOKALIKES = [
    *[
        "form",
        "Form",
        "FORM",
        " form",
        "form ",
        "form\t",
        "form\n",
        "form\0",
        "form\u200b",
        "ｆｏｒｍ",
        "f%",
        "f_rm",
        "f*",
        "'form'",
        '"form"',
    ],
    *["ﬁn", "fin", "é", unicodedata.normalize("NFD", "é"), "ß", "ss", "ẞ", "Å", "\u212b", "😀", "1", "1.0", "null"],
    *["a,}", 'a",}', "a,]", "a\\", "a\\,}", ",\n}", ",,", "//", "{}"],
]
LOOKALIKE_PAGES = [
    "https://example.com/" + rest
    for rest in [
        "",
        "pricing",
        "Pricing",
        "pricing/",
        "pricing?a=b",
        "pricing?a=B",
        "pric%69ng",
        "pricing?b=1&a=2",
        "pricing?a=2&b=1",
    ]
] + ["http://example.com/pricing", "https://www.example.com/pricing", "https://example.com:443/pricing"]


@pytest.fixture(scope="module")
def lookalikes(hub) -> Hub:
    """Conversions that differ by little, one for each value; its place in the list is the local part of its email."""
    hub.load(
        [
            a_session(
                **{"utm_" + field: value for field in ["source", "medium", "campaign", "content", "term"]},
                conversions=[a_conversion(email=f"{place}@example.org", conversion_meta={"type": value, "id": value})],
            )
            for place, value in enumerate(LOOKALIKES)
        ],
        "lookalikes.example",
        "lookalikes",
    )
    hub.load(
        [
            a_session(landing_page=page, conversions=[a_conversion(email=f"{place}@example.org", conversion_page=page)])
            for place, page in enumerate(LOOKALIKE_PAGES)
        ],
        "pages.example",
        "pages",
    )
    return hub


@pytest.mark.decision(8)
@pytest.mark.parametrize("field", [field for field in STRINGS if "page" not in field])
@pytest.mark.parametrize("in_ascii", [True, False], ids=["escaped", "as it is"])
def test_a_filter_matches_exactly_never_trimmed_or_normalised(lookalikes, field, in_ascii):
    for place, value in enumerate(LOOKALIKES):
        # The comma at the end is there to show that none inside a string is touched.
        body = json.dumps({field: value}, ensure_ascii=in_ascii)[:-1] + ",}"
        answer = post(lookalikes, body, key="lookalikes").json
        assert [record["email"] for record in answer.get("records", [])] == [f"{place}@example.org"], value


@pytest.mark.parametrize("field", ["conversion_page", "landing_page"])
def test_a_page_matches_exactly_as_a_text_not_as_a_url(lookalikes, field):
    for place, page in enumerate(LOOKALIKE_PAGES):
        answer = lookalikes.ask({field: page}, "pages")
        assert [record["email"] for record in answer.get("records", [])] == [f"{place}@example.org"], page


@pytest.mark.parametrize("field", STRINGS)
def test_an_empty_filter_matches_nothing_but_an_empty_value(hub, field):
    assert hub.ask({field: ""}) == NOTHING


# Dates


def one_second(forms: str, moment: str) -> list[tuple[str, str, str]]:
    """Forms, one a line, that mean the same second at both ends of a window."""
    return [(form, moment, moment) for form in forms.strip().splitlines()]


# The form, the first second that it lets in as start_date, the last one that it lets in as end_date.
DATE_FORMS = [
    ("2025-07-01", "2025-07-01 00:00:00", "2025-07-01 23:59:59"),
    ("2024-02-29", "2024-02-29 00:00:00", "2024-02-29 23:59:59"),
    *[
        (form, "2025-07-01 23:59:00", "2025-07-01 23:59:59")
        for form in """
2025-07-01T23:59
2025-07-01t23:59z
2025-07-01T23:59Z
2025-07-01 23:59
2025-07-01 23:59Z
2025-07-01T23:59+00:00
2025-07-02T01:59+0200
2025-07-02T01:59+02
2025-07-01T23:59-00
""".split("\n")[1:-1]
    ],
    *one_second(
        """
2025-07-01T23:59:59Z
2025-07-01t23:59:59z
2025-07-01T23:59:59
2025-07-01 23:59:59
2025-07-01 23:59:59Z
2025-07-01 23:59:59z
2025-07-01T23:59:59+00:00
2025-07-01T23:59:59-00:00
2025-07-01 23:59:59+00:00
2025-07-01T23:59:59+0000
2025-07-01T23:59:59+00
2025-07-01 23:59:59-00
2025-07-02T01:59:59+0200
2025-07-02T01:59:59+02
2025-07-01T16:59:59.0-0700
2025-07-02 05:29:59+0530
2025-07-02T01:59:59+02:00
2025-07-02 01:59:59+02:00
2025-07-02T05:29:59+05:30
2025-07-01T16:59:59-07:00
2025-07-02T23:58:59+23:59
2025-07-01T00:00:59-23:59
2025-07-01T23:59:59.0Z
2025-07-01T23:59:59.000
2025-07-01 23:59:59.000000
2025-07-02T01:59:59.000000000000000000000000000000+02:00
2025-07-01T23:59:60Z
2025-07-01T23:59:60
""",
        "2025-07-01 23:59:59",
    ),
    *one_second("2025-07-02T00:00:00Z\n2025-07-02 00:00:00\n2025-07-01T23:00:00-01:00", "2025-07-02 00:00:00"),
    *one_second(
        """
2016-12-31T23:59:60Z
2016-12-31 23:59:60
2016-12-31T23:59:60-00:00
2017-01-01T01:59:60+02:00
2017-01-01T01:59:60+0200
2017-01-01T01:59:60+02
2016-12-31T23:59:60+00
2016-12-31T18:29:60-05:30
2016-12-31T23:59:60.0Z
""",
        "2016-12-31 23:59:59",
    ),
    ("2016-12-31T23:59:60.5Z", "2017-01-01 00:00:00", "2016-12-31 23:59:59"),
    ("2025-07-01T23:59:59.5Z", "2025-07-02 00:00:00", "2025-07-01 23:59:59"),
    ("2025-07-01T23:59:59.1", "2025-07-02 00:00:00", "2025-07-01 23:59:59"),
    ("2025-07-01 23:59:59.999999Z", "2025-07-02 00:00:00", "2025-07-01 23:59:59"),
    ("2025-07-02T01:59:59.0000001+02:00", "2025-07-02 00:00:00", "2025-07-01 23:59:59"),
    ("2025-07-01T23:59:59.9999999999Z", "2025-07-02 00:00:00", "2025-07-01 23:59:59"),
    ("2025-07-01T23:59:59.0000000000000000000000000000001Z", "2025-07-02 00:00:00", "2025-07-01 23:59:59"),
]

NO_DATES = """
20250701
2025-7-1
25-07-01
2025-07
2025
02025-07-01
12025-07-01
+2025-07-01
-2025-07-01
2025-W27-2
2025-W27
2025W272
2025-182
2025182
2025/07/01
2025.07.01
2025 07 01
01-07-2025
01/07/2025
July 1, 2025
Tue, 01 Jul 2025 10:00:00 GMT
1751364000
now
today
-1d
P1D
null
2025-00-01
2025-13-01
2025-07-00
2025-07-32
2025-06-31
2025-02-29
2100-02-29
2025-07-01Z
2025-07-01+02:00
2025-07-01T
2025-07-01T10
2025-07-01T10Z
2025-07-01T1000
2025-07-01T100000Z
20250701T100000Z
20250701T10:00:00Z
2025-07-01T1:00:00Z
2025-07-01T10:0:00Z
2025-07-01T10:00:0Z
2025-07-01T24:00:00Z
2025-07-01 24:00:00
2025-07-01T24:00:00
2025-07-01T25:00:00Z
2025-07-01T-1:00:00Z
2025-07-01T10:60:00Z
2025-07-01T10:00:60Z
2025-07-01T23:59:61Z
2025-07-01T23:58:60Z
2016-12-31T23:59:60+02:00
2016-12-31T22:59:60Z
2025-07-01T10:00:00.Z
2025-07-01T10:00:00.
2025-07-01T10:00:00,5Z
2025-07-01T10:00:00.-5Z
2025-07-01T10:00.5Z
2025-07-01T10:00:Z
2025-07-01T23:60
2025-07-01T24:00
2025-07-01T1:00
2025-07-01T10:00+2
2025-07-01T10:00+200
2025-07-01T10:00+02000
2025-07-01T10:00+02:
2025-07-01T10:00+0260
2025-07-01T10:00+24
2025-07-01T10:00 +02
2025-07-01T10:00 Z
2025-07-01T10.5Z
2025-07-01T10:00:00ZZ
2025-07-01T10:00:00Z+00:00
2025-07-01T10:00:00 Z
2025-07-01T10:00:00 +02:00
2025-07-01 10:00:00 +0200
2025-07-01 10:00:00 UTC
2025-07-01T10:00:00UTC
2025-07-01T10:00:00A
2025-07-01T10:00:00Europe/Berlin
2025-07-01T10:00:00[Europe/Berlin]
2025-07-01T10:00:00Z[UTC]
2025-07-01T10:00:00+2:00
2025-07-01T10:00:00+02:0
2025-07-01T10:00:00+02:00:00
2025-07-01T10:00:00+02:00.5
2025-07-01T10:00:00+24:00
2025-07-01T10:00:00-24:00
2025-07-01T10:00:00+02:60
2025-07-01T10:00:00+-2:00
2025-07-01T10:00:00+
2025-07-01_10:00:00
2025-07-01x10:00:00Z
2025-07-01TT10:00:00Z
2025-07-01  10:00:00
2025-07-01T10-00-00Z
 2025-07-01
2025-07-01\x20
２０２５-07-01
٢٠٢٥-07-01
2025‐07‐01
2025-07-01T10:00:00−02:00
2025-07-01T1０:00:00Z
2025-07-01T10:00:00.٥Z
""".strip("\n").splitlines()
NO_DATES += ["", " ", "2025-07-01\n", "\n2025-07-01", "2025-07-01T10:00:00Z\n", "2025-07-01\t10:00:00", "2025-07-01\xa010:00:00"]
NO_DATES += ["2025-07-01\0", "2025-07-01T10:00:00\0Z", "2025-07-01T10:00:00.5\n"]


@pytest.fixture(scope="module")
def clock(hub) -> Hub:
    """A conversion at each edge of the dates above, a second before, and a second after."""
    edges = {datetime.fromisoformat(edge) for _, *both in DATE_FORMS for edge in both}
    moments = {edge + timedelta(seconds=second) for edge in edges for second in (-1, 0, 1)}
    hub.load(converted_at(*(moment.isoformat(" ") for moment in moments)), "clock.example", "clock")
    return hub


@pytest.mark.decision(10)
@pytest.mark.parametrize("filters", [{}, {"source": "(direct)"}], ids=["direct", "session"])
@pytest.mark.parametrize(("form", "first", "last"), DATE_FORMS, ids=[form for form, *_ in DATE_FORMS])
def test_a_date_means_the_same_to_the_second(clock, form, first, last, filters):
    assert times(clock, filters | ALWAYS | {"start_date": form}, "clock")[-1] == first
    assert times(clock, filters | ALWAYS | {"end_date": form}, "clock")[0] == last


@pytest.mark.decision(9)
@pytest.mark.parametrize("field", DATES)
@pytest.mark.parametrize("form", NO_DATES)
def test_any_other_form_of_a_date_is_400(hub, form, field):
    assert faults(hub, json.dumps({field: form})).keys() == {field}


@settings(max_examples=60, deadline=None)
@given(seconds=st.integers(-3, 3), offset=st.integers(-1439, 1439), fraction=st.sampled_from(["", ".0", ".25", ".0000000001"]))
def test_an_instant_is_the_same_in_every_offset(clock, seconds, offset, fraction):
    instant = datetime(2025, 7, 1, 23, 59, 59, tzinfo=UTC) + timedelta(seconds=seconds)
    local = instant.astimezone(timezone(timedelta(minutes=offset))).isoformat()
    form = local[:19] + fraction + local[19:]
    # A fraction in all of these sorts as text between its second and the next.
    edge = instant.strftime("%Y-%m-%d %H:%M:%S") + fraction.rstrip(".0")
    every = times(clock, ALWAYS, "clock")
    assert times(clock, ALWAYS | {"start_date": form}, "clock") == [moment for moment in every if moment >= edge]
    assert times(clock, ALWAYS | {"end_date": form}, "clock") == [moment for moment in every if moment <= edge]


@pytest.fixture(scope="module")
def ends_of_time(hub) -> Hub:
    """A conversion in the first second that a timestamp can name, and one in the last."""
    hub.load(converted_at("0001-01-01 00:00:00", "9999-12-31 23:59:59"), "time.example", "time")
    return hub


@pytest.mark.parametrize("filters", [{}, {"source": "(direct)"}], ids=["direct", "session"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"start_date": "0001-01-01", "end_date": "9999-12-31"}, 2),
        ({"start_date": "0001-01-01T00:00:00+01:00", "end_date": "9999-12-31T23:59:59-01:00"}, 2),
        ({"start_date": "0001-01-01T00:00:00Z", "end_date": "0001-01-01T00:00:00Z"}, 1),
        ({"start_date": "0001-01-01T00:00:00+23:59", "end_date": "0001-01-01T00:00:00+00:01"}, 0),
        ({"start_date": "9999-12-31T23:59:59Z", "end_date": "9999-12-31T23:59:59.9Z"}, 1),
        ({"start_date": "9999-12-31T23:59:59.1Z", "end_date": "9999-12-31"}, 0),
        ({"start_date": "9999-12-31T23:59:59-00:01", "end_date": "9999-12-31T23:59:59-23:59"}, 0),
        ({"start_date": "9999-12-31T23:59:60", "end_date": "9999-12-31T23:59:60"}, 1),
        ({"end_date": "0001-01-01"}, 1),
        ({"end_date": "0001-01-30T12:00:00"}, 1),
        ({"end_date": "0001-01-01T00:00:00+00:01"}, 0),
        ({"end_date": "9999-12-31"}, 1),
        ({"end_date": "9999-12-31T23:59:59-23:59"}, 1),
        ({"start_date": "0001-01-01T00:00:00+00:01"}, 1),
        ({"start_date": "9999-12-31T23:59:59-00:01"}, 0),
    ],
    ids=str,
)
def test_a_date_past_the_ends_of_time_is_before_or_after_everything(ends_of_time, query, found, filters):
    assert len(ends_of_time.everything(query | filters, "time")) == found


# The window


@pytest.fixture(scope="module")
def thirty_days(hub) -> Hub:
    """Conversions on both sides of either end of the default window."""
    hub.load(
        converted_at("2025-07-16 11:59:59", "2025-07-16 12:00:00", "2025-08-15 12:00:00", "2025-08-15 12:00:01"),
        "window.example",
        "window",
    )
    return hub


@pytest.mark.decision(11)
@pytest.mark.parametrize("filters", [{}, {"source": "(direct)"}], ids=["direct", "session"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({}, ["07-16 12:00:00", "08-15 12:00:00"], id="neither: thirty days up to now, both ends included"),
        pytest.param({"start_date": "2025-08-01"}, ["08-15 12:00:00"], id="start_date alone: up to now"),
        pytest.param({"start_date": "1970-01-01"}, ["07-16 11:59:59", "07-16 12:00:00", "08-15 12:00:00"], id="however long ago"),
        pytest.param({"start_date": "2025-08-15T12:00:00Z"}, ["08-15 12:00:00"], id="start_date now"),
        pytest.param({"start_date": "2025-08-15T12:00:01Z"}, [], id="start_date after now"),
        pytest.param({"start_date": "2025-09-01"}, [], id="start_date in the future"),
        pytest.param(
            {"end_date": "2025-08-15T12:00:01Z"},
            ["08-15 12:00:00", "08-15 12:00:01"],
            id="end_date alone: the thirty days before it",
        ),
        pytest.param({"end_date": "2025-08-15T11:59:59Z"}, ["07-16 11:59:59", "07-16 12:00:00"], id="end_date before now"),
        pytest.param({"end_date": "2025-08-15"}, ["08-15 12:00:00", "08-15 12:00:01"], id="end_date today: the whole day"),
        pytest.param({"end_date": "2025-08-14"}, ["07-16 11:59:59", "07-16 12:00:00"], id="end_date yesterday"),
        pytest.param(ALWAYS, ["07-16 11:59:59", "07-16 12:00:00", "08-15 12:00:00", "08-15 12:00:01"], id="both: no upper limit"),
    ],
)
def test_the_window(thirty_days, query, found, filters):
    assert times(thirty_days, query | filters, "window") == [f"2025-{moment}" for moment in reversed(found)]


@pytest.mark.decision(12)
@pytest.mark.parametrize("more", [{}, {"source": "(direct)"}, {"meta_id": "form"}, {"offset": 50}], ids=str)
@pytest.mark.parametrize(
    "window",
    [
        {"start_date": "2025-08-02", "end_date": "2025-08-01"},
        {"start_date": "2025-08-01T10:00:01Z", "end_date": "2025-08-01T10:00:00Z"},
        {"start_date": "2025-08-01T10:00:00.1Z", "end_date": "2025-08-01T10:00:00.9Z"},
        {"start_date": "9999-12-31", "end_date": "0001-01-01"},
    ],
    ids=lambda window: " to ".join(window.values()),
)
def test_a_start_after_the_end_is_nothing_found_and_not_an_error(hub, window, more):
    assert hub.ask(window | more) == NOTHING


# Size

ENDS_BY_ITSELF = {"wsgi.input_terminated": True}  # what a server says that finds the end of the body, and counts no bytes
UNREAD_CHUNKS = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
CHUNKED = UNREAD_CHUNKS | ENDS_BY_ITSELF


@pytest.mark.decision(13)
@pytest.mark.parametrize("environment", [{}, CHUNKED], ids=["with its length", "chunked"])
@pytest.mark.parametrize("body", ['{"offset": 59}', ""], ids=["an object", "blank"])
def test_a_body_of_64_kib_is_accepted_and_one_byte_more_is_413(hub, body, environment):
    expected = hub.ask({"offset": 59} if body else {})
    assert post(hub, body.ljust(LIMIT), environ_overrides=environment).json == expected
    assert re.search("64 KiB|65536", refused(hub, body.ljust(LIMIT + 1), 413, environ_overrides=environment))


@pytest.mark.parametrize("environment", [{}, CHUNKED], ids=["with its length", "chunked"])
def test_a_body_too_large_is_413_whatever_it_holds(hub, environment):
    for body in ["x" * 1_000_000, '{"source": "' + "a" * LIMIT + '"}', "[" * 100_000]:
        refused(hub, body, 413, environ_overrides=environment)


def test_a_length_too_large_is_413_before_anything_is_read(hub):
    refused(hub, "{}", 413, environ_overrides={"CONTENT_LENGTH": str(10**15)})


def test_a_chunked_body_that_the_server_in_front_cannot_read_is_not_taken_for_none(hub):
    assert post(hub, '{"offset": 59}', environ_overrides=UNREAD_CHUNKS).status_code in (400, 411)


@pytest.mark.parametrize("environment", [{}, ENDS_BY_ITSELF], ids=["by its length", "by itself"])
@pytest.mark.parametrize("body", ["", "{}", '{"offset": 59}'])
def test_a_body_cut_short_is_not_taken_for_a_whole_one(hub, body, environment):
    assert post(hub, body, environ_overrides={"CONTENT_LENGTH": "100"} | environment).status_code == 400


@pytest.mark.parametrize("length", ["x", "-2", "+2", "0x2", "2, 2", "2 2", "²", "9" * 5000])
def test_a_length_that_is_no_number_is_400(hub, length):
    assert "Content-Length" in refused(hub, "{}", environ_overrides={"CONTENT_LENGTH": length})


# The published examples, letter for letter


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            """{
 "start_date": "2025-07-15",
 "end_date": "2025-07-30",
}""",
            id="Filter by Time Window",
        ),
        pytest.param(
            """{
 "conversion_page" : "https://www.example.com/request-a-demo/",
 "meta_id" : "request-a-demo-form",
 "meta_type" : "html_form"
}""",
            id="Filter by Conversion Point",
        ),
    ],
)
def test_a_published_example_returns_records(bundled, body):
    answer = post(bundled, body, key="YOUR_API_KEY").json
    assert answer["records"]
    for record in answer["records"]:
        if "start_date" in body:
            assert "2025-07-15" <= record["timestamp"] < "2025-07-31"
        else:
            assert record["conversion_page"] == "https://www.example.com/request-a-demo/"
            assert record["conversion_meta"] == {"type": "html_form", "id": "request-a-demo-form"}


# A record (section 3)


@pytest.mark.decision(20)
@pytest.mark.parametrize("filters", [{}, {"source": "(direct)"}], ids=["direct", "session"])
def test_a_record_is_what_was_imported_with_every_key_there(hub, filters):
    conversions = [
        a_conversion(timestamp="2025-08-01 10:00:03", email="a@example.org", previous_page="https://example.com/"),
        a_conversion(timestamp="2025-08-01 10:00:02", email=None, previous_page=None),
        a_conversion(
            timestamp="2025-08-01 10:00:01", email="Ü <ü@example.org>", conversion_meta={"type": "a type of its own", "id": "1"}
        ),
    ]
    bare = {name: value for name, value in a_conversion().items() if name not in ("email", "previous_page")}
    hub.load(
        [a_session(ended_at="2025-08-01T11:00:00Z", conversions=[*conversions, bare])], "records.example", "records", "--replace"
    )
    assert hub.ask(filters, "records")["records"] == [*conversions, bare | {"email": None, "previous_page": None}]


@pytest.mark.parametrize("key", ["YOUR_API_KEY", "boundaries", "dense"])
@pytest.mark.parametrize("filters", [{}, {"source": "google.com"}, {"medium": ""}, {"campaign": "no-email"}], ids=str)
def test_every_record_has_exactly_the_documented_keys(bundled, key, filters):
    for record in post(bundled, json.dumps(filters), key=key).json.get("records", []):
        assert record.keys() == {"email", "timestamp", "conversion_page", "previous_page", "conversion_meta"}
        assert record["conversion_meta"].keys() == {"type", "id"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", record["timestamp"])
        assert re.match(r"https?://", record["conversion_page"])
        assert all(record[name] is None or isinstance(record[name], str) for name in ("email", "previous_page"))


def test_a_timestamp_can_be_sent_back_as_a_date(bundled):
    records = bundled.ask({}, "YOUR_API_KEY")["records"]
    for record in records[::10]:
        moment = record["timestamp"]
        again = bundled.ask({"start_date": moment, "end_date": moment}, "YOUR_API_KEY")["records"]
        assert record in again
        assert {other["timestamp"] for other in again} == {moment}


# Whatever is sent

any_text = st.text(st.characters())  # with lone surrogates, unlike st.text()
any_name = st.sampled_from(FIELDS) | any_text
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(any_name, values, max_size=4),
    max_leaves=10,
)
json_pieces = st.sampled_from(
    [*'{}[],:"\\\n -.e0', "1", '"offset"', '"source"', '"a"', '"a":', "null", "NaN", "\\u00", "\\ud83d", "é", "\0", "\x7f"]
)


@settings(max_examples=150, deadline=None)
@given(any_json | st.dictionaries(st.sampled_from(FIELDS), any_json, max_size=3))
def test_any_json_is_answered_or_refused_in_the_documented_form(hub, value):
    response = post(hub, json.dumps(value))
    assert response.status_code in (200, 400)
    if not isinstance(value, dict) or not value.keys() <= set(FIELDS):
        assert response.status_code == 400


@settings(max_examples=150, deadline=None)
@given(
    st.binary()
    | st.lists(json_pieces).map("".join).map(str.encode)
    | st.lists(json_pieces).map(lambda p: "{" + "".join(p) + "}").map(str.encode)
)
@example(b"{\x00}")
def test_any_bytes_are_answered_or_refused_in_the_documented_form(hub, body):
    assert post(hub, body).status_code in (200, 400)


date_pieces = st.lists(
    st.sampled_from([*"0123456789-:+.TZtz ", "2025-07-01", "T10:00:00", "+02:00", "23:59:60", "0001-01-01", "9999-12-31"]),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(field=st.sampled_from(DATES), text=any_text | date_pieces.map("".join) | st.datetimes().map(str) | st.dates().map(str))
@example("end_date", "0000-01-01")
@example("start_date", "0000-12-31T23:59:59-23:59")
@example("start_date", "2016-12-31T23:59:60.5Z")
@example("end_date", "9999-12-31T23:59:60-23:59")
@example("start_date", "2025-07-01T00:00:00." + "1" * 60_000 + "Z")
def test_any_text_as_a_date_is_answered_or_refused_in_the_documented_form(hub, field, text):
    for filters in ({}, {"source": "(direct)"}):
        assert post(hub, json.dumps({field: text} | filters)).status_code in (200, 400)
