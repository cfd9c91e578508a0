"""The file formats that `flask import` recognises by content, and its errors for other files."""

import gzip
import json
import sqlite3
from contextlib import closing

import pytest
from conversions_api.loading import imported
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from tests.conftest import Hub, a_conversion, a_session
from tests.test_import import IMPORT, a_named_session, faults, lines, session_ids, tables

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
TWO = [a_named_session("a"), a_named_session("b")]
RECORDS = [
    a_conversion(timestamp=f"2025-08-01 10:0{minute}:00", conversion_meta={"type": "custom", "id": name})
    for minute, name in ((2, "d"), (2, "c"), (2, "b"), (1, "a"))
]
RESPONSE = {"records": RECORDS, "pagination": {"records_processed": 4, "total_records": 4, "has_more": False}}


def import_file(hub: Hub, file: str | bytes, *options: str):
    """Import a file that must be accepted."""
    outcome = hub.run(*IMPORT, *options, stdin=file)
    assert outcome.exit_code == 0, outcome.output
    return outcome


def refusal(hub: Hub, file: str | bytes, *options: str) -> str:
    """Return the one error sentence for a file that must be refused as a whole and change nothing."""
    before = tables(hub.path)
    outcome = hub.run(*IMPORT, *options, stdin=file)
    assert outcome.exit_code == 1, outcome.output
    assert tables(hub.path) == before
    *_, sentence = outcome.stderr.splitlines()
    assert sentence.startswith("Error: ")
    return sentence


# JSON


@pytest.mark.decision(45)
@pytest.mark.parametrize(
    "file",
    [
        lines(*TWO),
        json.dumps(TWO),
        json.dumps(TWO, indent=2),
        json.dumps(TWO, indent=2).replace("[\n", "[", 1),
        "[\n" + ",\n".join(json.dumps(session) for session in TWO) + "\n]\n",
        json.dumps({"records": TWO}, indent=1),
    ],
    ids=["JSON Lines", "array", "pretty-printed array", "bracket on the first line", "array with a session per line", "records"],
)
@pytest.mark.parametrize("wrap", [bytes, lambda raw: BYTE_ORDER_MARK + raw, gzip.compress], ids=["plain", "BOM", "gzip"])
def test_json_is_recognised_by_its_content(hub, file, wrap):
    import_file(hub, wrap(file.encode()))
    assert session_ids(hub) == {"a", "b"}


@pytest.mark.parametrize(
    "file",
    [
        json.dumps(RESPONSE),
        json.dumps(RESPONSE, indent=4),
        json.dumps(RECORDS),
        lines(*({"records": part, "pagination": {}} for part in (RECORDS[:1], RECORDS[1:2], RECORDS[2:]))),
    ],
    ids=["a response", "pretty-printed", "its records", "several pages, one per line"],
)
def test_a_captured_response_is_served_again_in_the_same_order(hub, file):
    import_file(hub, file)
    assert hub.ask({}) == RESPONSE


def test_a_record_becomes_a_session_that_starts_at_the_conversion_and_lands_on_its_page(hub):
    import_file(hub, lines(*RECORDS))
    (page,) = hub.walk({"source": "(direct)", "medium": "(none)", "landing_page": RECORDS[0]["conversion_page"]})
    assert page["pagination"]["total_records"] == 4
    query = {"source": "(direct)", "start_date": "2025-08-01T10:02:00Z", "end_date": "2025-08-01T10:02:00Z"}
    assert hub.ask(query)["pagination"]["total_records"] == 3


def test_a_file_can_contain_both_sessions_and_records(hub):
    import_file(hub, lines(TWO[0], RECORDS[0]))
    assert session_ids(hub) == {"a", "d"}


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"previous_page": "home"}, 'previous_page: Must be a full URL such as https://example.com/pricing, not "home".'),
        ({"email": 3}, "email: Must be a string, not 3."),
        ({"timestamp": "2025-08-01"}, 'timestamp: "2025-08-01" has no time of day. Use a date-time such as 2025-07-15T10:00:00Z.'),
        ({"conversion_meta": {"type": "custom"}}, "conversion_meta.id: Is missing."),
        ({"emial": "a@example.org"}, "emial: Unknown field: did you mean email?"),
    ],
)
def test_a_fault_in_a_record_names_its_field(hub, record, fault):
    wrong = RECORDS[0] | record
    assert faults(hub, lines(RECORDS[1], wrong)) == [f"line 2, {fault}"]
    before = tables(hub.path)
    outcome = hub.run(*IMPORT, stdin=json.dumps({"records": [RECORDS[1], wrong]}, indent=2))
    assert f"item 2, {fault}" in outcome.stderr.splitlines()
    assert tables(hub.path) == before


@pytest.mark.parametrize(
    "broken", ['{"records": [%s]\n}\n', '{"request": {},\n"response": {"records": [%s]}}', '{"records"\n: [%s]}']
)
def test_a_document_may_go_on_in_another_line_wherever_it_is_broken(hub, broken):
    record = a_conversion()
    outcome = hub.run(*IMPORT, stdin=broken % json.dumps(record))
    assert outcome.exit_code == 0, outcome.output
    assert [each["email"] for each in hub.ask({"start_date": "2025-07-01"})["records"]] == [record["email"]]


def test_a_document_that_is_not_valid_json_is_refused_with_line_and_column(hub):
    assert refusal(hub, json.dumps(TWO, indent=2)[:-3]) == (
        "Error: The file is not valid JSON: unexpected end at line 35, column 3, and nothing was changed."
    )


# CSV

FORM = """timestamp,email,conversion_page,previous_page,type,id
2025-08-01 10:00:00,a@example.org,https://example.com/thankyou,https://example.com/pricing,html_form,demo
2025-08-01T10:05:00Z,,https://example.com/thankyou,,html_form,demo
"""


@pytest.mark.decision(46)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("says_so", [False, True], ids=["", "as Excel says it"])
def test_a_csv_row_is_a_conversion(hub, delimiter, line_end, says_so):
    said = f"sep={delimiter}\n" if says_so else ""
    import_file(hub, (said + FORM.replace(",", delimiter)).replace("\n", line_end))
    assert hub.ask({"landing_page": "https://example.com/thankyou"})["records"] == [
        a_conversion(email=None, timestamp="2025-08-01 10:05:00", conversion_meta={"type": "html_form", "id": "demo"}),
        a_conversion(previous_page="https://example.com/pricing", conversion_meta={"type": "html_form", "id": "demo"}),
    ]


@pytest.mark.parametrize(
    "wrap", [lambda raw: BYTE_ORDER_MARK + raw, gzip.compress, lambda raw: gzip.compress(BYTE_ORDER_MARK + raw)]
)
def test_csv_can_have_a_byte_order_mark_and_be_compressed(hub, wrap):
    import_file(hub, wrap(FORM.encode()))
    assert len(hub.everything({})) == 2


def test_options_map_columns_and_set_values_and_unused_columns_are_listed(hub):
    file = 'Submitted on,E-mail,First name,Page\n2025-08-01 10:00:00,a@example.org,"Doe, Jane",https://example.com/thankyou\n'
    options = ["--column", "timestamp=Submitted on", "--column", "email=E-mail", "--column", "conversion_page=Page"]
    outcome = import_file(hub, file, *options, "--set", "type=hubspot_form", "--set", "id=demo", "--set", "utm_source=a=b")
    assert "Columns that were not used: First name." in outcome.stderr
    assert hub.ask({"source": "a=b"})["records"] == [a_conversion(conversion_meta={"type": "hubspot_form", "id": "demo"})]


SESSIONS = """session_id,started_at,landing_page,referrer,utm_campaign,timestamp,conversion_page,type,id
s-1,2025-08-01 10:00:00,https://example.com/?a=1,https://www.google.com/,spring,2025-08-01 10:01:00,https://example.com/1,custom,x
s-2,2025-08-01 10:00:30,https://example.com/,,,,,,
s-1,2025-08-01 10:00:00,,https://www.google.com/,spring,2025-08-01 10:02:00,https://example.com/2,custom,y
,2025-08-01 10:00:40,https://example.com/,,,,,,
,2025-08-01 10:00:40,https://example.com/,,,,,,
"""


def test_rows_with_the_same_session_id_are_one_session_wherever_they_are(hub):
    import_file(hub, SESSIONS)
    query = {"source": "google.com", "medium": "organic", "campaign": "spring", "landing_page": "https://example.com/?a=1"}
    page = hub.ask(query)
    assert page["pagination"]["total_records"] == 1
    assert [record["conversion_page"][-1] for record in page["records"]] == ["2", "1"]


def test_a_row_without_a_timestamp_is_a_session_without_conversions(hub):
    import_file(
        hub, SESSIONS + "s-3,2025-08-01 10:00:50,https://example.com/,,,2025-08-01 10:00:50,https://example.com/3,custom,z\n"
    )
    assert hub.ask({"source": "(direct)"})["pagination"]["total_records"] == 4


@pytest.mark.parametrize("text", ["1754042400", "1754042400123", "2025-08-01 10:00:00 UTC", "2025-08-01 12:00:00.5 +02:00"])
def test_a_row_can_have_other_unambiguous_times(hub, text):
    import_file(hub, FORM.replace("2025-08-01T10:05:00Z", text))
    assert [record["timestamp"] for record in hub.everything({})] == ["2025-08-01 10:00:00"] * 2


def test_without_started_at_a_session_starts_at_its_first_conversion_and_lands_on_its_page(hub):
    file = "session_id,timestamp,conversion_page\n1,2025-08-01 10:05:00,https://example.com/b\n1,2025-08-01 10:00:00Z,https://example.com/a\n"
    import_file(hub, file, "--set", "type=custom", "--set", "id=x")
    query = {"landing_page": "https://example.com/a", "start_date": "2025-08-01T10:02:00Z", "end_date": "2025-08-01T10:05:00Z"}
    assert len(hub.ask(query)["records"]) == 1


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (FORM.replace("10:05:00Z", "late"), 'row 3, timestamp: "2025-08-01Tlate" is not a valid date'),
        (FORM.replace("2025-08-01T10:05:00Z", ""), "row 3, timestamp: Is missing, and the row has a conversion_page."),
        (FORM + "1,2,3\n", "row 4: The row has 3 cells, and the header has 6."),
        (FORM + '"a\nb",,,,,\n', "row 4, timestamp: "),
        (FORM + "2025-08-01 10:00:00,,https://example.com/,,,demo\n", "row 4, type: Is missing."),
        (FORM.replace("type,id", "kind,name"), "row 1, type and id: No column has this name. Name it with --column type=COLUMN"),
        (
            FORM.replace("timestamp", "when"),
            "row 1, started_at and landing_page: No column has this name. Name it with --column timest",
        ),
        (FORM.replace("previous_page", "email"), "row 1, email: There is more than one column 'email'."),
        (
            SESSIONS.replace("00,,https://www.google", "00,,https://www.bing"),
            "row 4, referrer: Is ",
        ),
        (FORM.encode() + b"\xe9,,,,,\n", "line 4: The line is not UTF-8."),
        (FORM + '"open', "line 4: The line is not valid CSV: unexpected end of data."),
    ],
)
def test_a_csv_fault_names_the_row_as_a_spreadsheet_counts_it(hub, file, fault):
    before = tables(hub.path)
    outcome = hub.run(*IMPORT, stdin=file)
    assert outcome.exit_code == 1
    assert outcome.stderr.splitlines()[2].startswith(fault)
    assert tables(hub.path) == before


def test_a_column_that_does_not_exist_is_a_fault_that_lists_the_columns(hub):
    outcome = hub.run(*IMPORT, "--column", "email=Mail", stdin=FORM)
    assert "row 1, email: There is no column 'Mail'. The columns are: timestamp, email, " in outcome.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--column", "timestmp=When"], "There is no field 'timestmp'. Did you mean timestamp?"),
        (["--set", "type"], "Must have the form FIELD=VALUE, not 'type'."),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_expected(hub, options, words):
    outcome = hub.run(*IMPORT, *options, stdin=FORM)
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert not hub.path.exists()


# Anything else


def a_database(folder) -> bytes:
    with closing(sqlite3.connect(folder / "theirs.sqlite")) as connection:
        connection.execute("CREATE TABLE visits (id)")
    return (folder / "theirs.sqlite").read_bytes()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (lines(*TWO).encode("utf-16"), "UTF-16 text: save it as UTF-8"),
        (FORM.encode("utf-16-le"), "UTF-16 text"),
        (FORM.encode("utf-16-be"), "UTF-16 text"),
        (b"PK\x03\x04\x14\x00\x06\x00", "a spreadsheet (.xlsx)"),
        (a_database, "a SQLite database"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"<!DOCTYPE html>\n<title>Log in</title>", "HTML or XML: check that the download worked"),
        (b'\n<?xml version="1.0"?>', "HTML or XML"),
        (b'192.0.2.7 - - [17/May/2015:10:05:10 +0000] "GET / HTTP/1.1" 200 9 "-" "Mozilla, like Gecko"', "the log of a web server"),
        (b"BZh91AY&SY", "a compressed file that is not gzip"),
        (b"hello world", "This is neither JSON nor CSV with a header. It begins with: hello world"),
        (gzip.compress(lines(*TWO).encode())[:-9], "The gzip file is damaged or incomplete, and nothing was changed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_other_file_gets_one_sentence_that_says_what_it_looks_like(hub, tmp_path, file, words):
    assert words in refusal(hub, file(tmp_path) if callable(file) else file)


# Small files in the format of real exports: the file, the --set and --column options, and fields of the imported session

EXPORTS = {
    "sessions from a data warehouse": (
        "session_id,customer_id,started_at,ended_at,utm_source,utm_medium,utm_campaign\n"
        "1,7,2025-08-01 10:00:00,2025-08-04 18:30:00,facebook_ads,paid_social,freetrial\n",
        ["landing_page=https://example.com/"],
        [],
        {"utm_source": "facebook_ads", "ended_at": "2025-08-04T18:30:00Z", "conversions": []},
    ),
    "conversions with their sessions": (
        "session_id;timestamp;email;conversion_page;landing_page;referrer\n"
        "9;2025-08-01T10:00:00+00:00;;https://example.com/signup;https://example.com/?gclid=1;https://www.google.com/\n",
        ["type=custom_event", "id=signup"],
        [],
        {"derived_source": "google.com", "derived_medium": "cpc", "landing_page": "https://example.com/"},
    ),
    "events from an event tracker": (
        "event_id\tdomain_sessionid\tcollector_tstamp\tpage_url\tpage_referrer\tevent_name\n"
        "e-1\ts-1\t2025-08-01 10:00:00.123\thttps://example.com/a\thttps://news.ycombinator.com/\tlink_click\n",
        ["type=custom_event"],
        "session_id=domain_sessionid timestamp=collector_tstamp conversion_page=page_url".split()
        + "referrer=page_referrer id=event_name".split(),
        {"session_id": "s-1", "derived_source": "ycombinator.com", "derived_medium": "referral"},
    ),
    "visits from a web analytics tool": (
        '"idVisit","serverTime","landing","referrerUrl"\n'
        '"4","2025-08-01 10:00:00","https://example.com/a?fbclid=x","https://m.facebook.com/"\n',
        [],
        "session_id=idVisit started_at=serverTime landing_page=landing referrer=referrerUrl".split(),
        {"derived_source": "facebook.com", "derived_medium": "social", "landing_page": "https://example.com/a"},
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_typical_exports_can_be_imported_with_options(hub, name):
    file, values, columns, expected = EXPORTS[name]
    options = [f"--set={value}" for value in values] + [f"--column={column}" for column in columns]
    import_file(hub, file, *options)
    session = json.loads(hub.run("export", "--domain", "example.com").stdout)
    assert session | expected == session


# The fast path for valid sessions

GOOD_MOMENTS = "2025-08-01T10:00:00Z 2025-08-01T10:00:01 2025-08-02T00:00:00Z 2025-08-01T12:00:00+02:00".split()
BAD_MOMENTS = "2025-02-29T10:00:00Z 0000-01-01T00:00:00Z 2025-08-01T10:00:00.5Z 2025-08-01 ２０２５-08-01T10:00:00Z".split()
MOMENTS = st.sampled_from([*GOOD_MOMENTS * 3, "2025-08-01 10:00:00", *BAD_MOMENTS, "", None, 0, 5, True])
TEXTS = st.sampled_from(["google.com", "a b", "\ud800", "", None, 7, False, [], {}])
GOOD_URLS = ["https://example.com/", "https://www.google.com/?a#b", "android-app://com.slack"]
URLS = st.sampled_from([*GOOD_URLS * 3, "/pricing", "", None, 3, [], {}])
META = st.fixed_dictionaries({}, optional={"type": TEXTS, "id": TEXTS, "name": TEXTS}) | st.sampled_from([None, [], "form"])
CONVERSION = st.fixed_dictionaries(
    {"timestamp": MOMENTS, "conversion_page": URLS, "conversion_meta": META},
    optional={"email": TEXTS, "previous_page": URLS, "emial": TEXTS},
) | st.sampled_from([None, "", [], {}])  # fmt: skip
NAMES = ["session_id", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "derived_source", "derived_medium"]
SESSION = st.fixed_dictionaries(
    {"started_at": MOMENTS, "landing_page": URLS},
    optional=dict.fromkeys(NAMES, TEXTS)
    | {"ended_at": MOMENTS, "referrer": URLS, "utm_sorce": TEXTS}
    | {"conversions": st.lists(CONVERSION, max_size=3) | st.sampled_from([None, "", {}, False, "none"])},
)


@pytest.mark.decision(44)
@settings(max_examples=500, deadline=None)
@given(SESSION | CONVERSION)
def test_the_fast_path_loads_a_line_as_any_other_form_of_file_or_leaves_it_to_that(given):
    loaded = imported.load_line(json.dumps(given).encode())
    if loaded is not None:
        assert loaded == imported.load(given)


LONG = a_session(ended_at="2025-08-03T10:00:00Z", referrer="", utm_term=None)


@pytest.mark.parametrize("given", [*TWO, RECORDS[0], a_session(), LONG])
def test_the_fast_path_loads_valid_sessions_and_records(given):
    assert imported.load_line(json.dumps(given).encode()) == imported.load(given)
    with pytest.raises(ValidationError):
        imported.load(given | {"unknown": 1})
