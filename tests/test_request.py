"""Valid and invalid requests, the error messages, and the format of a record. Decisions 2 to 13, 20, 27, 38, 59."""

import json
import re
import time
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from conversions_api.schemas import ApiError, BadRequest, ConversionsPage, Message, Query
from hypothesis import example, given, settings
from hypothesis import strategies as st

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


def check_format(response):
    """Check that the response has the documented format, and return it."""
    assert response.mimetype == "application/json", response.text
    body = response.json
    if response.status_code == 200:
        assert (Message() if "message" in body else ConversionsPage()).validate(body) == {}
    else:
        assert (BadRequest() if "fields" in body else ApiError()).validate(body) == {}
        assert body.keys() <= {"error", "fields"}
        assert re.fullmatch(r".*\w.*\.", body["error"], re.DOTALL), body["error"]
        if "fields" in body:
            assert response.status_code == 400
            assert body["fields"]
            for sentences in body["fields"].values():
                assert sentences
                assert all(re.fullmatch(r".*\w.*[.?]", sentence, re.DOTALL) for sentence in sentences), sentences
    return response


def post(hub: Hub, body: str | bytes, **more):
    # CPU time, not wall-clock time: a busy machine must not make the test fail.
    started = time.process_time()
    response = hub.post(body, **more)
    assert time.process_time() - started < 1
    return check_format(response)


def expect_error(hub: Hub, body: str | bytes, status: int = 400, **more) -> str:
    """Check that the request fails with this status and no field errors, and return the error message."""
    response = post(hub, body, **more)
    assert response.status_code == status, response.text
    assert "fields" not in response.json
    return response.json["error"]


def field_errors(hub: Hub, body: str | bytes) -> dict[str, list[str]]:
    """Check that the request fails with 400 and field errors, and return them."""
    response = post(hub, body)
    assert response.status_code == 400, response.text
    assert "fields" in response.json, response.text
    return response.json["fields"]


def timestamps(hub: Hub, query: dict, key: str) -> list[str]:
    return [record["timestamp"] for record in hub.everything(query, key)]


def converted_at(*moments: str) -> list[dict]:
    """Return a session for each of these timestamps, with one conversion at that time."""
    return [
        a_session(started_at=moment.replace(" ", "T") + "Z", conversions=[a_conversion(timestamp=moment)]) for moment in moments
    ]


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Hub:
    """Provide a server for read-only tests, with sixty conversions in the default window, each in its own session."""
    hub = Hub(tmp_path_factory.mktemp("request") / "conversions.sqlite")
    hub.load(converted_at(*(f"2025-08-01 10:00:{second:02}" for second in range(60))))
    return hub


# Route and methods


@pytest.mark.decision(27)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_any_method_other_than_post_returns_405_with_an_allow_header(hub, method):
    response = check_format(hub.client.open(URL, method=method, headers={"Authentication": "key"}))
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


def test_head_returns_405_with_an_allow_header_and_no_body(hub):
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
def test_any_other_path_under_api_returns_404_as_json(hub, method, path):
    response = check_format(hub.client.open(path, method=method, headers={"Authentication": "key"}, data="{}"))
    assert response.status_code == 404, response.headers


# Key


def test_a_missing_key_returns_401(hub):
    assert "Authentication" in expect_error(hub, "{}", 401, key=None)


@pytest.mark.parametrize(
    "key",
    ["unknown", "KEY", "ke", "key2", "key,key", '"key"', "Bearer key", "cl\xe9", "%", "' OR 1=1 --", "k" * 5000],
    ids=lambda key: key[:12],
)
def test_an_unknown_key_returns_401_with_its_own_error_message(hub, key):
    sentence = expect_error(hub, "{}", 401, key=key)
    assert sentence != expect_error(hub, "{}", 401, key=None)
    assert sentence == expect_error(hub, "{}", 401, key="another")


def test_an_empty_key_returns_401(hub):
    expect_error(hub, "{}", 401, key="")


@pytest.mark.parametrize("value", ["key", "Bearer key", "Basic a2V5Og=="])
def test_a_key_in_the_authorization_header_counts_as_missing(hub, value):
    assert "Authentication" in expect_error(hub, "{}", 401, key=None, headers={"Authorization": value})


def test_a_key_in_the_url_counts_as_missing(hub):
    expect_error(hub, "{}", 401, key=None, query_string={"Authentication": "key"})


def test_the_header_name_is_case_insensitive(hub):
    assert post(hub, "{}", key=None, headers={"authentication": "key"}).status_code == 200


@pytest.mark.parametrize("template", [" {}", "{} ", "\t {} \t"])
def test_blanks_around_a_key_are_ignored(hub, template):
    assert post(hub, "{}", key=template.format("key")).status_code == 200


@pytest.mark.decision(38)
@pytest.mark.parametrize("joined", ["key,key", "key, key"])
def test_an_authentication_header_sent_twice_returns_401(hub, joined):
    """A server joins a repeated header into one value, in one of these ways. test_hostile.py sends it twice."""
    assert expect_error(hub, "{}", 401, key=joined) == expect_error(hub, "{}", 401, key="unknown")


@pytest.mark.decision(2)
@pytest.mark.parametrize("key", [None, "unknown"])
@pytest.mark.parametrize(
    ("body", "more"),
    [
        pytest.param("{", {}, id="not JSON"),
        pytest.param('{"offset": -1}', {}, id="an invalid field"),
        pytest.param("a=b", {"content_type": "application/x-www-form-urlencoded"}, id="another content type"),
        pytest.param(" " * (LIMIT + 1), {}, id="too large"),
        pytest.param("{}", {"query_string": {"source": "a"}}, id="a filter in the URL"),
    ],
)
def test_the_key_is_checked_before_the_body(hub, key, body, more):
    assert expect_error(hub, body, 401, key=key, **more) == expect_error(hub, "{}", 401, key=key)


# Body


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
def test_a_missing_body_is_an_empty_query(hub, content_type):
    assert post(hub, "", content_type=content_type).json == hub.ask({})


@pytest.mark.decision(4)
@pytest.mark.parametrize("body", [" ", "\n", " \t\r\n ", "{}", " {\n} "])
def test_a_blank_body_is_an_empty_query(hub, body):
    assert post(hub, body).json == hub.ask({})


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"])
def test_a_content_type_may_have_a_charset_and_is_case_insensitive(hub, content_type):
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
def test_a_body_with_another_content_type_returns_415(hub, content_type):
    assert "application/json" in expect_error(hub, "{}", 415, content_type=content_type)


@pytest.mark.parametrize("body", ["[]", "[{}]", "null", "true", "0", "1.5", '"source"', '""', "[1,]"])
def test_a_body_that_is_not_an_object_returns_400(hub, body):
    assert "object" in expect_error(hub, body)


INVALID_JSON = """
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

INVALID_JSON += ['{"source": "a\nb"}', '{"source": "a\tb"}', '{"source": "\0"}', '{"sou\nrce": "a"}']
INVALID_JSON += ["\f{}", "{\v}", "{\xa0}", "{}\u2028", "{\u3000}", "{}\0"]


@pytest.mark.parametrize("body", INVALID_JSON)
def test_invalid_json_returns_400_with_the_position(hub, body):
    assert re.search(r"\bline 1\b.*\bcolumn \d", expect_error(hub, body))


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
def test_the_position_of_a_json_error_is_its_line_and_column(hub, body, line, column):
    assert re.search(rf"\bline {line}\b.*\bcolumn {column}\b", expect_error(hub, body))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"source": "café"}'.encode("latin-1"), id="Latin-1"),
        pytest.param('{"source": "a"}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"source": "a"}'.encode("utf-32"), id="UTF-32"),
        pytest.param(b'{"source": "\xc0\xaf"}', id="overlong"),
        pytest.param(b'{"source": "\xed\xa0\x80"}', id="a surrogate"),
        pytest.param(b'{"source": "\xf4\x90\x80\x80"}', id="beyond the last code point"),
        pytest.param(b'{"source": "\xe2\x82"}', id="truncated"),
        pytest.param(b'{"\xff": 1}', id="in a key"),
        pytest.param(b"\xff", id="one byte"),
    ],
)
def test_invalid_utf_8_returns_400_with_the_position(hub, body):
    assert re.search(r"UTF-8.*\d", expect_error(hub, body))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_other_encodings_and_byte_order_marks_are_invalid_json(hub, encoding):
    assert "line 1" in expect_error(hub, '{"source": "a"}'.encode(encoding))


# Strictness


@pytest.mark.decision(3)
@pytest.mark.parametrize(
    "body", ['{"offset": 59,}', '{"offset": 59 ,\n}', ' {"offset":59,\t} ', '{"meta_id": "form", "offset": 59,}']
)
def test_one_comma_after_the_last_member_of_an_object_is_accepted(hub, body):
    assert post(hub, body).json == hub.ask({"offset": 59})


@pytest.mark.parametrize("body", ['{"source": ["a",]}', '{"source": ["a" , ] , }', '{"source": [[1,],]}', '{"source": {"a": [],}}'])
def test_one_comma_after_the_last_member_of_an_array_or_an_inner_object_is_accepted_too(hub, body):
    # The error is about the field, not about the JSON, so the body was parsed.
    assert field_errors(hub, body).keys() == {"source"}


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
def test_a_duplicate_key_returns_a_400_that_names_it(hub, body):
    assert "source" in expect_error(hub, body)


def test_a_key_may_be_written_with_escapes(hub):
    assert post(hub, r'{"\u006fffset": 59}').json == hub.ask({"offset": 59})


@pytest.mark.parametrize(
    "text", [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d\ud83d\ude00", r"\ud83dx\ude00", r"\uD800", r"a\uDFFF"]
)
@pytest.mark.parametrize("body", ['{"source": "%s"}', '{"%s": "a"}', '{"source": ["%s"]}', '"%s"'])
def test_a_lone_surrogate_returns_400(hub, body, text):
    assert post(hub, body % text).status_code == 400


@pytest.mark.parametrize("levels", [100, 900, 20_000])
@pytest.mark.parametrize("start", ['{"source": ', ""], ids=["in a field", "at the top level"])
@pytest.mark.parametrize("inner", ["[", "[]", '{"":', '{"":}'], ids=["unclosed arrays", "arrays", "unclosed objects", "objects"])
def test_deep_nesting_returns_400(hub, levels, start, inner):
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
        pytest.param("1" + "0" * 5000 + "e-5000", id="1 in a long notation"),
        pytest.param("1e400", id="1e400"),
        pytest.param("1e999999999", id="1e999999999"),
        pytest.param("1e" + "9" * 5000, id="an exponent of 5000 digits"),
    ],
)
def test_a_number_that_is_too_long_or_too_large_returns_400(hub, field, number):
    assert post(hub, f'{{"{field}": {number}}}').status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("{" + ",".join(f'"{n:x}":1' for n in range(7000)), id="many fields in an unclosed object"),
        pytest.param("{" + ",".join(f'"{n:x}":1' for n in range(6500)) + "}", id="many unknown fields"),
        pytest.param("{" + ",".join(f'"sourc{n}":1' for n in range(4500)) + "}", id="many misspelled fields"),
        pytest.param("{" + '"source":1,' * 5900 + "}", id="a key repeated many times"),
        pytest.param('{"' + "source" * 10_000 + '": 1}', id="a long name"),
        pytest.param('{"' + "\\u0073" * 10_000 + '": 1}', id="a long name of escapes"),
        pytest.param('{"start_date": "' + "2025-07-01" * 6000 + '"}', id="a long date"),
        pytest.param('{"start_date": "' + "0" * 65_000 + '"}', id="a long number as a date"),
        pytest.param('{"source": "' + '\\"' * 32_000, id="an unclosed string"),
        pytest.param('{"source": ' + '"' * 65_000, id="quotation marks"),
        pytest.param("{" + "," * 65_000, id="commas"),
        pytest.param("[1," * 20_000, id="arrays and commas"),
        pytest.param('{"offset": 1' + " " * 65_000, id="many spaces in an unclosed object"),
        pytest.param('{"offset": 1,' + "\n" * 65_000 + "x", id="a comma and many blank lines in an unclosed object"),
        pytest.param('{"source": [' + "[]," * 21_000 + "]}", id="many values"),
        pytest.param('{"offset": 0.' + "1" * 65_000 + "}", id="decimals"),
    ],
)
def test_a_body_designed_to_be_slow_is_refused_quickly(hub, body):
    assert post(hub, body).status_code == 400


# Fields


@pytest.mark.decision(5)
@pytest.mark.parametrize("value", ["", "1", "google.com"])
@pytest.mark.parametrize("field", [*FIELDS, "sorce"])
def test_a_filter_in_the_url_returns_a_400_that_says_to_send_it_in_the_body(hub, field, value):
    assert "body" in expect_error(hub, "{}", query_string={field: value})


@pytest.mark.parametrize("body", ["", '{"source": "(direct)"}', "{"])
def test_a_filter_in_the_url_returns_400_whatever_is_in_the_body(hub, body):
    assert "URL" in expect_error(hub, body, query_string="source=%28direct%29")


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
def test_an_unknown_field_returns_a_400_that_suggests_the_nearest_known_field(hub, field, nearest):
    sentences = field_errors(hub, json.dumps({field: "a"}))
    assert sentences.keys() == {field}
    assert [known for known in FIELDS if re.search(rf"\b{known}\b", sentences[field][0])] == [nearest]


@pytest.mark.parametrize("field", ["limit", "zzz", "", " ", "0", "é", "😀", "__proto__", "a\0b", "<b>", "%s", "{0}"])
def test_an_unknown_field_that_resembles_no_known_field_returns_400_too(hub, field):
    sentences = field_errors(hub, json.dumps({field: "a"}))
    # In the order of the document, at each start of the server.
    assert sentences == {field: [f"Unknown field: the known fields are {', '.join(Query().fields)}."]}


@pytest.mark.decision(59)
@pytest.mark.parametrize("field", ["_schema", "fields", ".source", "source.", "..", "offset.0", "None", "null"])
def test_an_error_names_a_field_as_it_was_sent(hub, field):
    body = post(hub, json.dumps({field: 1})).json
    assert body["fields"].keys() == {field}
    assert field in body["error"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param('{".offset": 1, "offset": -1}', {".offset", "offset"}, id="a leading dot"),
        pytest.param('{"_schema": 1, "offset": -1}', {"_schema", "offset"}, id="marshmallow's own name"),
        pytest.param('{"_schema": 1, "": 2}', {"_schema", ""}, id="an empty name"),
        pytest.param('{"source": {"_schema": 1}, "_schema": {"source": 1}}', {"source", "_schema"}, id="objects as values"),
    ],
)
def test_no_field_error_hides_another(hub, body, named):
    assert field_errors(hub, body).keys() == named


@pytest.mark.parametrize("field", ["", " ", "a, b", "a\nb", "x" * 1000])
def test_an_error_quotes_an_unusual_field_name_and_cuts_it_at_60_characters(hub, field):
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
        ("meta_type", '["html_form", 1.50]', '["html_form", 1.50]'),
        ("source", "[1e999999]", "[1E+999999]"),
        ("source", '{"a": [1e999999, "b"]}', '{"a": [1E+999999, "b"]}'),
        ("start_date", '"yesterday"', '"yesterday"'),
        ("start_date", '"2025-02-29"', '"2025-02-29"'),
        ("end_date", '"2025-07-01T10:00:60Z"', '"2025-07-01T10:00:60Z"'),
        ("end_date", "20250701", "20250701"),
        ("end_date", '"Größe 😀"', '"Größe 😀"'),
        ("end_date", '"' + "9" * 1000 + '"', '"' + "9" * 58 + "…"),
        ("offset", "9" * 100, "9" * 59 + "…"),
    ],
)
def test_a_field_error_shows_the_value_cut_at_60_characters(hub, field, value, shown):
    (sentence,) = field_errors(hub, f'{{"{field}": {value}}}')[field]
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
def test_a_json_error_shows_what_is_wrong(hub, body, shown):
    assert shown in expect_error(hub, body)


def test_all_invalid_fields_are_reported_at_once(hub):
    body = '{"sorce": "a", "offset": -1, "start_date": "yesterday", "source": null, "term": "good"}'
    assert field_errors(hub, body).keys() == {"sorce", "offset", "start_date", "source"}


# Offset


@pytest.mark.decision(7)
@pytest.mark.parametrize(("filters", "limit"), [("", 50), ('"source": "(direct)", ', 200)], ids=["direct", "session"])
@pytest.mark.parametrize(
    ("number", "offset"),
    [(text, 50) for text in "50 50.0 50.000 5e1 5E1 5e+1 0.5e2 500e-1 5000.0e-2".split()]
    + [(text, 0) for text in "0 -0 0.0 -0.0 0e5 -0e-5 0e999999999".split()]
    + [
        (text, 60)
        for text in "60 61 1e18 9223372036854775806 9223372036854775807 9223372036854775807.0 9.223372036854775807e18".split()
    ],
)
def test_an_offset_is_any_integer_in_any_notation(hub, filters, limit, number, offset):
    page = post(hub, f'{{{filters}"offset": {number}}}').json
    assert (len(page["records"]), page["pagination"]["total_records"]) == (min(limit, 60 - offset), 60)


@pytest.mark.parametrize(
    "value",
    """true false null "50" "" [] [50] {} 1.5 -1 -1.0 -0.5 0.1 1e-1 1e-400 -1e-400
    1.0000000000000000000001 0.99999999999999999999999 9223372036854775806.5 9223372036854775807.5 9223372036854775808
    9223372036854775808.0 18446744073709551616 1e19 1e300 -9223372036854775809 -1e300 -1e400""".split(),
)
def test_any_other_offset_returns_400(hub, value):
    assert field_errors(hub, f'{{"offset": {value}}}').keys() == {"offset"}


# String filters


@pytest.mark.parametrize("value", ["null", "0", "1", "1.5", "true", "false", "[]", '["a"]', "{}", '{"a": "b"}'])
@pytest.mark.parametrize("field", STRINGS + DATES)
def test_a_filter_that_is_not_a_string_returns_400(hub, field, value):
    assert field_errors(hub, f'{{"{field}": {value}}}').keys() == {field}


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
    """Provide a conversion for each of the similar values, with the index of the value in its email address."""
    hub.load(
        [
            a_session(
                **{"utm_" + field: value for field in ["source", "medium", "campaign", "content", "term"]},
                conversions=[a_conversion(email=f"{index}@example.org", conversion_meta={"type": value, "id": value})],
            )
            for index, value in enumerate(LOOKALIKES)
        ],
        "lookalikes.example",
        "lookalikes",
    )
    hub.load(
        [
            a_session(landing_page=page, conversions=[a_conversion(email=f"{index}@example.org", conversion_page=page)])
            for index, page in enumerate(LOOKALIKE_PAGES)
        ],
        "pages.example",
        "pages",
    )
    return hub


@pytest.mark.decision(8)
@pytest.mark.parametrize("field", [field for field in STRINGS if "page" not in field])
@pytest.mark.parametrize("ensure_ascii", [True, False], ids=["escaped", "unescaped"])
def test_a_filter_matches_exactly_never_trimmed_or_normalised(lookalikes, field, ensure_ascii):
    for index, value in enumerate(LOOKALIKES):
        # The parser must skip the trailing comma, but no comma inside a string.
        body = json.dumps({field: value}, ensure_ascii=ensure_ascii)[:-1] + ",}"
        found = post(lookalikes, body, key="lookalikes").json
        assert [record["email"] for record in found.get("records", [])] == [f"{index}@example.org"], value


@pytest.mark.parametrize("field", ["conversion_page", "landing_page"])
def test_a_page_filter_compares_pages_as_text_not_as_urls(lookalikes, field):
    for index, page in enumerate(LOOKALIKE_PAGES):
        found = lookalikes.ask({field: page}, "pages")
        assert [record["email"] for record in found.get("records", [])] == [f"{index}@example.org"], page


@pytest.mark.parametrize("field", STRINGS)
def test_an_empty_filter_matches_only_an_empty_value(hub, field):
    assert hub.ask({field: ""}) == NOTHING


# Dates


def one_second(forms: str, moment: str) -> list[tuple[str, str, str]]:
    """Return a case for each line, which means this second both as start_date and as end_date."""
    return [(form, moment, moment) for form in forms.strip().splitlines()]


# Each form of a date, the first second that it includes as start_date, and the last that it includes as end_date.
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

INVALID_DATES = """
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
INVALID_DATES += [
    "",
    " ",
    "2025-07-01\n",
    "\n2025-07-01",
    "2025-07-01T10:00:00Z\n",
    "2025-07-01\t10:00:00",
    "2025-07-01\xa010:00:00",
]
INVALID_DATES += ["2025-07-01\0", "2025-07-01T10:00:00\0Z", "2025-07-01T10:00:00.5\n"]


@pytest.fixture(scope="module")
def date_edges(hub) -> Hub:
    """Provide a conversion at each edge of the dates above, a second before it, and a second after it."""
    edges = {datetime.fromisoformat(edge) for _, *both in DATE_FORMS for edge in both}
    moments = {edge + timedelta(seconds=second) for edge in edges for second in (-1, 0, 1)}
    hub.load(converted_at(*(moment.isoformat(" ") for moment in moments)), "edges.example", "edges")
    return hub


@pytest.mark.decision(10)
@pytest.mark.parametrize("filters", [{}, {"source": "(direct)"}], ids=["direct", "session"])
@pytest.mark.parametrize(("form", "first", "last"), DATE_FORMS, ids=[form for form, *_ in DATE_FORMS])
def test_each_form_of_a_date_is_exact_to_the_second(date_edges, form, first, last, filters):
    assert timestamps(date_edges, filters | ALWAYS | {"start_date": form}, "edges")[-1] == first
    assert timestamps(date_edges, filters | ALWAYS | {"end_date": form}, "edges")[0] == last


@pytest.mark.decision(9)
@pytest.mark.parametrize("field", DATES)
@pytest.mark.parametrize("form", INVALID_DATES)
def test_any_other_form_of_a_date_returns_400(hub, form, field):
    assert field_errors(hub, json.dumps({field: form})).keys() == {field}


@settings(max_examples=60, deadline=None)
@given(seconds=st.integers(-3, 3), offset=st.integers(-1439, 1439), fraction=st.sampled_from(["", ".0", ".25", ".0000000001"]))
def test_an_instant_is_the_same_in_every_utc_offset(date_edges, seconds, offset, fraction):
    instant = datetime(2025, 7, 1, 23, 59, 59, tzinfo=UTC) + timedelta(seconds=seconds)
    local = instant.astimezone(timezone(timedelta(minutes=offset))).isoformat()
    form = local[:19] + fraction + local[19:]
    # Compared as text, an edge with a fraction lies between its second and the next.
    edge = instant.strftime("%Y-%m-%d %H:%M:%S") + fraction.rstrip(".0")
    every = timestamps(date_edges, ALWAYS, "edges")
    assert timestamps(date_edges, ALWAYS | {"start_date": form}, "edges") == [moment for moment in every if moment >= edge]
    assert timestamps(date_edges, ALWAYS | {"end_date": form}, "edges") == [moment for moment in every if moment <= edge]


@pytest.fixture(scope="module")
def ends_of_time(hub) -> Hub:
    """Provide a conversion in the first second that a timestamp can express, and one in the last."""
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
def test_a_date_outside_the_years_1_to_9999_is_before_or_after_everything(ends_of_time, query, found, filters):
    assert len(ends_of_time.everything(query | filters, "time")) == found


# The window


@pytest.fixture(scope="module")
def thirty_days(hub) -> Hub:
    """Provide conversions just inside and just outside each end of the default window."""
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
        pytest.param({"start_date": "2025-08-01"}, ["08-15 12:00:00"], id="only start_date: up to now"),
        pytest.param(
            {"start_date": "1970-01-01"}, ["07-16 11:59:59", "07-16 12:00:00", "08-15 12:00:00"], id="only start_date, long ago"
        ),
        pytest.param({"start_date": "2025-08-15T12:00:00Z"}, ["08-15 12:00:00"], id="only start_date, now"),
        pytest.param({"start_date": "2025-08-15T12:00:01Z"}, [], id="only start_date, a second after now"),
        pytest.param({"start_date": "2025-09-01"}, [], id="only start_date, in the future"),
        pytest.param(
            {"end_date": "2025-08-15T12:00:01Z"},
            ["08-15 12:00:00", "08-15 12:00:01"],
            id="only end_date: the thirty days before it",
        ),
        pytest.param(
            {"end_date": "2025-08-15T11:59:59Z"}, ["07-16 11:59:59", "07-16 12:00:00"], id="only end_date, a second before now"
        ),
        pytest.param({"end_date": "2025-08-15"}, ["08-15 12:00:00", "08-15 12:00:01"], id="only end_date, today: the whole day"),
        pytest.param({"end_date": "2025-08-14"}, ["07-16 11:59:59", "07-16 12:00:00"], id="only end_date, yesterday"),
        pytest.param(
            ALWAYS, ["07-16 11:59:59", "07-16 12:00:00", "08-15 12:00:00", "08-15 12:00:01"], id="both: a window of any length"
        ),
    ],
)
def test_by_default_the_window_ends_now_and_starts_30_days_before_its_end(thirty_days, query, found, filters):
    assert timestamps(thirty_days, query | filters, "window") == [f"2025-{moment}" for moment in reversed(found)]


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
def test_a_start_after_the_end_finds_nothing_and_is_not_an_error(hub, window, more):
    assert hub.ask(window | more) == NOTHING


# Size

INPUT_TERMINATED = {"wsgi.input_terminated": True}  # set by a server that finds the end of the body without Content-Length
UNDECODED_CHUNKS = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
CHUNKED = UNDECODED_CHUNKS | INPUT_TERMINATED


@pytest.mark.decision(13)
@pytest.mark.parametrize("environment", [{}, CHUNKED], ids=["with Content-Length", "chunked"])
@pytest.mark.parametrize("body", ['{"offset": 59}', ""], ids=["an object", "blank"])
def test_a_body_of_64_kib_is_accepted_and_one_byte_more_returns_413(hub, body, environment):
    expected = hub.ask({"offset": 59} if body else {})
    assert post(hub, body.ljust(LIMIT), environ_overrides=environment).json == expected
    assert re.search("64 KiB|65536", expect_error(hub, body.ljust(LIMIT + 1), 413, environ_overrides=environment))


@pytest.mark.parametrize("environment", [{}, CHUNKED], ids=["with Content-Length", "chunked"])
def test_a_body_that_is_too_large_returns_413_whatever_it_contains(hub, environment):
    for body in ["x" * 1_000_000, '{"source": "' + "a" * LIMIT + '"}', "[" * 100_000]:
        expect_error(hub, body, 413, environ_overrides=environment)


def test_a_content_length_that_is_too_large_returns_413_before_the_body_is_read(hub):
    expect_error(hub, "{}", 413, environ_overrides={"CONTENT_LENGTH": str(10**15)})


def test_a_chunked_body_that_the_server_cannot_decode_is_not_treated_as_missing(hub):
    assert post(hub, '{"offset": 59}', environ_overrides=UNDECODED_CHUNKS).status_code in (400, 411)


@pytest.mark.parametrize("environment", [{}, INPUT_TERMINATED], ids=["by Content-Length", "by the server"])
@pytest.mark.parametrize("body", ["", "{}", '{"offset": 59}'])
def test_a_truncated_body_is_not_treated_as_complete(hub, body, environment):
    assert post(hub, body, environ_overrides={"CONTENT_LENGTH": "100"} | environment).status_code == 400


@pytest.mark.parametrize("length", ["x", "-2", "+2", "0x2", "2, 2", "2 2", "²", "9" * 5000])
def test_an_invalid_content_length_returns_400(hub, length):
    assert "Content-Length" in expect_error(hub, "{}", environ_overrides={"CONTENT_LENGTH": length})


# The published examples, verbatim


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
    page = post(bundled, body, key="YOUR_API_KEY").json
    assert page["records"]
    for record in page["records"]:
        if "start_date" in body:
            assert "2025-07-15" <= record["timestamp"] < "2025-07-31"
        else:
            assert record["conversion_page"] == "https://www.example.com/request-a-demo/"
            assert record["conversion_meta"] == {"type": "html_form", "id": "request-a-demo-form"}


# A record


@pytest.mark.decision(20)
@pytest.mark.parametrize("filters", [{}, {"source": "(direct)"}], ids=["direct", "session"])
def test_a_record_is_returned_as_imported_and_has_every_key(hub, filters):
    conversions = [
        a_conversion(timestamp="2025-08-01 10:00:03", email="a@example.org", previous_page="https://example.com/"),
        a_conversion(timestamp="2025-08-01 10:00:02", email=None, previous_page=None),
        a_conversion(
            timestamp="2025-08-01 10:00:01", email="Ü <ü@example.org>", conversion_meta={"type": "any other type", "id": "1"}
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


# Arbitrary input

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
def test_any_json_gets_a_200_or_a_400_in_the_documented_format(hub, value):
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
def test_any_bytes_get_a_200_or_a_400_in_the_documented_format(hub, body):
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
def test_any_text_as_a_date_gets_a_200_or_a_400_in_the_documented_format(hub, field, text):
    for filters in ({}, {"source": "(direct)"}):
        assert post(hub, json.dumps({field: text} | filters)).status_code in (200, 400)
