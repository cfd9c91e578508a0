"""The import format and `flask import`: what a line can contain, and that a file is imported completely or not at all."""

import json
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import NOW, Hub, a_conversion, a_session, flask

IMPORT = ("import", "-", "--domain", "example.com", "--key", "key")


def lines(*sessions: object) -> str:
    return "".join(json.dumps(session) + "\n" for session in sessions)


def tables(path: Path) -> list[str]:
    """Return the whole database as SQL statements, or nothing if it does not exist."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [statement for statement in connection.iterdump() if statement not in ("BEGIN TRANSACTION;", "COMMIT;")]


def faults(hub: Hub, file: str | bytes, *options: str) -> list[str]:
    """Return the faults that are reported for a file. It must be refused and change nothing."""
    before = tables(hub.path)
    outcome = hub.run(*IMPORT, *options, stdin=file)
    assert outcome.exit_code == 1, outcome.output
    assert tables(hub.path) == before
    return [line for line in outcome.stderr.splitlines() if re.match(r"line \d+|… and", line)]


def session_ids(hub: Hub) -> set[str]:
    """Return the names of the imported sessions."""
    return {record["conversion_meta"]["id"] for record in hub.everything({})}


def a_named_session(name: str, **fields) -> dict:
    """Return a session whose conversion shows its name in a response."""
    return a_session(session_id=name, conversions=[a_conversion(conversion_meta={"type": "custom", "id": name})]) | fields


# What a line contains

EXAMPLE = """
{"session_id": "s-1", "started_at": "2025-07-15T10:00:00Z", "ended_at": "2025-07-15T10:20:00Z",
 "landing_page": "https://example.com/pricing?utm_source=google.com&utm_medium=cpc", "referrer": "https://www.google.com/",
 "utm_source": null, "utm_medium": null, "utm_campaign": null, "utm_content": null, "utm_term": null,
 "conversions": [{"email": "a@example.com", "timestamp": "2025-07-15 10:14:00",
                  "conversion_page": "https://example.com/thankyou", "previous_page": "https://example.com/pricing",
                  "conversion_meta": {"type": "html_form", "id": "lead-capture-form-1"}}]}
"""


def test_the_conversions_of_the_example_are_returned_as_they_were_imported(hub):
    example = json.loads(EXAMPLE)
    hub.load([example])
    query = {"source": "google.com", "medium": "cpc", "landing_page": "https://example.com/pricing", "start_date": "2025-07-15"}
    assert hub.ask(query) == {
        "records": example["conversions"],
        "pagination": {"records_processed": 1, "total_records": 1, "has_more": False},
    }


@pytest.mark.parametrize("field", ["started_at", "landing_page"])
def test_started_at_and_landing_page_are_required(hub, field):
    session = a_session()
    del session[field]
    assert faults(hub, lines(session)) == [f"line 1, {field}: Is missing."]


def test_all_other_fields_of_a_session_are_optional(hub):
    hub.load(
        [{"started_at": "2025-08-01T10:00:00Z", "landing_page": "https://example.com/"}, a_session(conversions=[a_conversion()])]
    )
    assert hub.ask({"landing_page": "https://example.com/"})["pagination"]["total_records"] == 2


@pytest.mark.decision(47)
def test_equal_sessions_without_a_session_id_in_one_file_are_separate_sessions(hub):
    hub.load([a_session(conversions=[a_conversion()])] * 120 + [a_session(conversions=[a_conversion()], session_id=None)])
    assert hub.ask({"source": "(direct)"})["pagination"]["total_records"] == 121


def test_importing_a_file_without_session_ids_twice_is_a_fault_that_suggests_replace(hub):
    file = [a_session(conversions=[a_conversion()])] * 3
    hub.load(file)
    outcome = hub.run(*IMPORT, stdin=lines(a_session(conversions=[a_conversion(email="new@example.org")]), *file))
    assert outcome.exit_code == 1
    assert "line 2: The account already has this session." in outcome.stderr
    assert "--replace" in outcome.stderr.splitlines()[-1]
    assert len(hub.everything({})) == 3
    assert hub.run(*IMPORT, "--replace", stdin=lines(*file)).exit_code == 0
    assert len(hub.everything({})) == 3


def test_a_session_without_a_session_id_is_recognised_if_it_is_written_differently(hub):
    hub.load([a_session(session_id="", referrer="", utm_term="", started_at="2025-08-01T12:00:00+02:00")])
    assert hub.run(*IMPORT, stdin=lines(a_session())).exit_code == 1


@pytest.mark.parametrize(
    "field",
    """
    session_id ended_at referrer utm_source utm_medium utm_campaign utm_content utm_term
    conversions.0.email conversions.0.previous_page
    """.split(),
)
def test_an_empty_string_means_null_in_every_field_that_can_be_null(hub, field):
    hub.load([with_value(field, ""), with_value(field, None)])
    assert len(hub.everything({"source": "(direct)", "medium": "(none)"})) == 2
    assert all(record["email"] is None for record in hub.everything({})) == (field == "conversions.0.email")
    if field.startswith("utm_"):
        assert hub.ask({field.removeprefix("utm_"): ""}) == {"message": "No conversions matched the given filters."}


def test_an_empty_email_or_previous_page_is_returned_as_null(hub):
    hub.load([with_value("conversions.0.email", ""), with_value("conversions.0.previous_page", "")])
    assert {record["email"] for record in hub.everything({})} == {None, "a@example.org"}
    assert {record["previous_page"] for record in hub.everything({})} == {None}


def test_sessions_of_one_visitor_can_overlap(hub):
    sessions = [a_named_session(name, ended_at="2025-08-01T10:30:00Z") for name in "ab"]
    hub.load(sessions)
    assert hub.ask({"source": "(direct)"})["pagination"]["total_records"] == 2


def test_lines_can_be_in_any_order(hub):
    days = ["2025-08-03", "2025-08-01", "2025-08-02"]
    hub.load([a_session(started_at=f"{day}T10:00:00Z", conversions=[a_conversion(timestamp=f"{day} 10:00:00")]) for day in days])
    assert [record["timestamp"][:10] for record in hub.everything({})] == ["2025-08-03", "2025-08-02", "2025-08-01"]


@pytest.mark.parametrize(
    ("session", "end", "a_second_later"),
    [
        (a_session(ended_at="2025-08-01T10:30:00Z", conversions=[a_conversion()]), "10:30:00", "10:30:01"),
        (
            a_session(conversions=[a_conversion(timestamp=f"2025-08-01 10:{minute}:00") for minute in (10, 25, 20)]),
            "10:25:00",
            "10:25:01",
        ),
        (a_session(), "10:00:00", "10:00:01"),
    ],
    ids=["ended_at", "no ended_at", "no ended_at and no conversion"],
)
def test_a_session_ends_at_ended_at_or_its_last_conversion_or_its_start(hub, session, end, a_second_later):
    # Another session converts at the end of each window, because without a conversion the response has no total.
    hub.load([session, a_session(ended_at="2025-08-01T10:59:59Z", conversions=[a_conversion(timestamp="2025-08-01 10:59:59")])])

    def pool(start: str) -> int:
        query = {"source": "(direct)", "start_date": f"2025-08-01T{start}", "end_date": "2025-08-01T10:59:59"}
        return hub.ask(query)["pagination"]["total_records"]

    assert pool(end) == 2
    assert pool(a_second_later) == 1


@pytest.mark.parametrize(
    "moment",
    [
        "2025-08-01T10:00:00Z",
        "2025-08-01T10:00:00",
        "2025-08-01 10:00:00",
        "2025-08-01T12:00:00+02:00",
        "2025-07-31 23:30:00-10:30",
        "2025-08-01T10:00",
        "2025-08-01T12:00+0200",
        "2025-08-01T12:00:00.9+02",
    ],
)
def test_a_time_can_have_the_forms_that_a_request_accepts(hub, moment):
    hub.load([a_session(started_at=moment, ended_at=moment, conversions=[a_conversion(timestamp=moment)])])
    assert [record["timestamp"] for record in hub.everything({})] == ["2025-08-01 10:00:00"]


def test_a_date_without_a_time_and_a_time_outside_the_years_1_to_9999_are_faults(hub):
    assert faults(hub, lines(a_session(started_at="2025-08-01"))) == [
        'line 1, started_at: "2025-08-01" has no time of day. Use a date-time such as 2025-07-15T10:00:00Z.'
    ]
    assert faults(hub, lines(a_session(started_at="0001-01-01T00:00+01"))) == [
        'line 1, started_at: "0001-01-01T00:00+01" is outside the years 1 to 9999 UTC.'
    ]


def test_a_field_name_with_dots_does_not_hide_a_fault_of_a_nested_field(hub):
    session = a_session(conversions=[a_conversion(timestamp="yesterday")]) | {"conversions.0.timestamp": 1}
    assert [fault.split(": ")[0] for fault in faults(hub, lines(session))] == ["line 1, conversions.0.timestamp"] * 2


@pytest.mark.parametrize("field", ["email", "previous_page"])
def test_email_and_previous_page_can_be_null_or_missing(hub, field):
    conversion = a_conversion()
    del conversion[field]
    hub.load([a_session(conversions=[conversion, a_conversion(**{field: None})])])
    assert [record[field] for record in hub.everything({})] == [None, None]


@pytest.mark.decision(21)
def test_a_type_can_be_any_string(hub):
    meta = {"type": "Anrufrückruf ☎", "id": " 7 "}
    hub.load([a_session(conversions=[a_conversion(conversion_meta=meta)])])
    assert [record["conversion_meta"] for record in hub.everything({"meta_type": meta["type"], "meta_id": meta["id"]})] == [meta]


# Faults of one line

NOT_STRINGS = (3, True, [], {})
NOT_MOMENTS = (
    *NOT_STRINGS,
    None,
    "",
    "yesterday",
    "2025-08-01",
    "20250801T100000Z",
    "2025-02-30T10:00:00Z",
    "2025-08-01T24:00:00Z",
    1754042400,
)
NOT_PAGES = (*NOT_STRINGS, "pricing", "/pricing", "//example.com/pricing", "https://")
WRONG = {
    "session_id": NOT_STRINGS,
    "started_at": NOT_MOMENTS,
    "ended_at": [value for value in NOT_MOMENTS if value not in (None, "")],
    "landing_page": (*NOT_PAGES, "", None),
    "referrer": NOT_PAGES,
    "utm_source": NOT_STRINGS,
    "utm_medium": NOT_STRINGS,
    "utm_campaign": NOT_STRINGS,
    "utm_content": NOT_STRINGS,
    "utm_term": NOT_STRINGS,
    "conversions": (3, "none", {}),
    "conversions.0": (3, "one", [], None),
    "conversions.0.email": NOT_STRINGS,
    "conversions.0.timestamp": NOT_MOMENTS,
    "conversions.0.conversion_page": (*NOT_PAGES, "", None),
    "conversions.0.previous_page": NOT_PAGES,
    "conversions.0.conversion_meta": (3, "form", [], None),
    "conversions.0.conversion_meta.type": (*NOT_STRINGS, None),
    "conversions.0.conversion_meta.id": (*NOT_STRINGS, None),
}


def with_value(path: str, value: object) -> dict:
    """Return a session that is valid except for the value at one path, such as conversions.0.email."""
    session = a_session(conversions=[a_conversion()])
    *parents, name = [int(part) if part.isdigit() else part for part in path.split(".")]
    parent = session
    for part in parents:
        parent = parent[part]
    parent[name] = value
    return session


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_value_is_reported_with_its_line_and_field(hub, field):
    file = lines(*(session for value in WRONG[field] for session in (a_session(), with_value(field, value))))
    found = faults(hub, file)
    assert [fault.partition(": ")[0] for fault in found] == [
        f"line {2 * number}, {field}" for number in range(1, len(WRONG[field]) + 1)
    ]


@pytest.mark.parametrize("field", ["timestamp", "conversion_page", "conversion_meta"])
def test_a_missing_field_of_a_conversion_is_a_fault(hub, field):
    conversion = a_conversion()
    del conversion[field]
    assert faults(hub, lines(a_session(conversions=[a_conversion(), conversion]))) == [
        f"line 1, conversions.1.{field}: Is missing."
    ]


@pytest.mark.parametrize("field", ["type", "id"])
def test_a_missing_field_of_conversion_meta_is_a_fault(hub, field):
    meta = {"type": "html_form", "id": "form"}
    del meta[field]
    session = a_session(conversions=[a_conversion(conversion_meta=meta)])
    assert faults(hub, lines(session)) == [f"line 1, conversions.0.conversion_meta.{field}: Is missing."]


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("sesion_id", "session_id"),
        ("refferer", "referrer"),
        ("utm_sorce", "utm_source"),
        ("conversion", "conversions"),
        ("conversions.0.emial", "email"),
        ("conversions.0.conversion_pge", "conversion_page"),
        ("conversions.0.conversion_meta.typ", "type"),
    ],
)
def test_an_unknown_field_is_a_fault_that_names_the_nearest_known_one(hub, path, nearest):
    assert faults(hub, lines(with_value(path, "x"))) == [f"line 1, {path}: Unknown field: did you mean {nearest}?"]


@pytest.mark.parametrize(
    ("timestamp", "is_valid"),
    [
        ("2025-08-01 09:59:59", False),
        ("2025-08-01 10:00:00", True),
        ("2025-08-01 10:20:00", True),
        ("2025-08-01 10:20:01", False),
        ("2025-08-01T10:20:00+01:00", False),
    ],
)
def test_a_conversion_must_lie_within_its_session(hub, timestamp, is_valid):
    session = a_session(ended_at="2025-08-01T10:20:00Z", conversions=[a_conversion(), a_conversion(timestamp=timestamp)])
    if is_valid:
        hub.load([session])
        assert len(hub.everything({})) == 2
    else:
        (fault,) = faults(hub, lines(session))
        assert fault.startswith("line 1, conversions.1.timestamp: ")


@pytest.mark.parametrize(
    ("field", "session"),
    [
        ("ended_at", a_session(ended_at="2025-08-01T09:59:59Z")),
        ("conversions.0.timestamp", a_session(conversions=[a_conversion(timestamp="2025-08-01 09:59:59")])),
    ],
    ids=["ended_at before started_at", "a conversion before started_at"],
)
def test_a_session_cannot_end_before_it_starts(hub, field, session):
    (fault,) = faults(hub, lines(session))
    assert fault.startswith(f"line 1, {field}: Is 2025-08-01 09:59:59, ")
    assert "2025-08-01 10:00:00" in fault


@pytest.mark.parametrize("fields", [{"ended_at": "2025-08-09T10:00:00Z"}, {}], ids=["given", "from the last conversion"])
def test_a_session_can_last_for_days(hub, fields):
    hub.load([a_session(**fields, conversions=[a_conversion(timestamp="2025-08-09 10:00:00")])])
    assert len(hub.everything({})) == 1


# What a fault says


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("landing_page", "pricing", 'such as https://example.com/pricing, not "pricing".'),
        ("utm_term", 3, "Must be a string, not 3."),
        ("referrer", "x" * 100, ', not "' + "x" * 58 + "…"),
        ("started_at", 1754042400, "write 2025-08-01T10:00:00Z instead of 1754042400."),
        ("started_at", "1754042400123", "write 2025-08-01T10:00:00Z instead of 1754042400123."),
        ("ended_at", 1754042400123456, "write 2025-08-01T10:00:00Z instead of 1754042400123456."),
        ("conversions.0.timestamp", 1754042400.5, "write 2025-08-01T10:00:00Z instead of 1754042400.5."),
        (
            "conversions.0.timestamp",
            "2025-08-01 09:00:00",
            "Is 2025-08-01 09:00:00, outside its session, which lasts from 2025-08-01 10:00:00 to 2025-08-01 10:00:00.",
        ),
        ("derived_source", "google.com", "Must be given both or neither."),
    ],
)
@pytest.mark.decision(30)
def test_a_fault_shows_the_value_and_what_is_expected(hub, path, value, words):
    (fault,) = faults(hub, lines(with_value(path, value)))
    assert fault.startswith(f"line 1, {path}: ")
    assert words in fault
    assert len(fault) < 240


@pytest.mark.parametrize(
    "spelling", ['"utm_term": "a", "utm_term": "b"', '"utm_term" : "a", "utm_term": "b"', '"utm_term":"a","\\u0075tm_term"  :"b"']
)
def test_a_duplicate_field_is_a_fault(hub, spelling):
    (fault,) = faults(hub, json.dumps(a_session())[:-1] + ", " + spelling + "}")
    assert 'has the key "utm_term" twice' in fault


# Faults of a file


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (b'{"started_at": "\xff"}', "UTF-8"),
        (lines(a_session()).strip().encode("utf-16-le"), "JSON"),
        (b"started_at,landing_page", "JSON"),
        (b'{"started_at": "2025-08-01T10:00:00Z"', "JSON"),
        (lines(a_session()).strip().encode() * 2, "JSON"),
        (b'{"started_at": NaN}', "JSON"),
        (b'{"started_at": "a", "started_at": "b"}', "twice"),
        (rb'{"session_id": "\ud800"}', "surrogate"),
        (b"[" * 100_000, ""),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b"null", "object"),
        (b"[{}]", "object"),
    ],
    ids=[
        "not UTF-8",
        "UTF-16",
        "not JSON",
        "cut off",
        "two objects",
        "NaN",
        "a duplicate key",
        "a lone surrogate",
        "nested too deeply",
        "an array",
        "a string",
        "null",
        "an array of objects",
    ],
)
def test_a_line_that_is_not_a_json_object_is_a_fault_of_that_line(hub, bad, what):
    good = lines(a_session()).encode()
    (fault,) = faults(hub, good + bad + b"\n" + good)
    assert fault.startswith("line 2: ")
    assert what in fault


@pytest.mark.parametrize(
    "file",
    [
        lines(a_named_session("a"), a_named_session("b")),
        lines(a_named_session("a"), a_named_session("b")).replace("\n", "\r\n"),
        lines(a_named_session("a"), a_named_session("b")).removesuffix("\n"),
        "\n  \n" + lines(a_named_session("a"), a_named_session("b")).replace("\n", "\n\r\n\n"),
    ],
    ids=["line feeds", "CRLF", "no final newline", "blank lines"],
)
def test_any_line_ending_and_blank_lines_are_accepted(hub, file):
    assert hub.run(*IMPORT, stdin=file).exit_code == 0
    assert session_ids(hub) == {"a", "b"}


def test_blank_lines_count_in_line_numbers(hub):
    (fault,) = faults(hub, "\n\r\n" + lines(a_session()) + "\n" + lines({}).replace("{}", "[]"))
    assert fault.startswith("line 5: ")


def test_unicode_line_separators_do_not_end_a_line(hub):
    name = "a\u2028b\u0085c"
    hub.run(*IMPORT, stdin=json.dumps(a_named_session(name), ensure_ascii=False))
    assert session_ids(hub) == {name}


@pytest.mark.decision(43)
@pytest.mark.parametrize("options", [(), ("--replace",)])
@pytest.mark.parametrize(
    "file",
    [
        "",
        "\n \r\n",
        "[]",
        '{"records": []}',
        '{"message": "No conversions matched the given filters."}',
        "timestamp,conversion_page,type,id\n",
    ],
)
def test_a_file_without_sessions_is_a_fault_and_changes_nothing(hub, file, options):
    hub.load([a_named_session("old")])
    before = tables(hub.path)
    outcome = hub.run(*IMPORT, *options, stdin=file)
    assert outcome.exit_code == 1
    assert "The file has no sessions, and nothing was changed." in outcome.stderr
    assert tables(hub.path) == before


def test_all_faults_of_a_line_and_of_several_lines_are_reported(hub):
    file = lines({}, a_session(), a_session(referrer=3, utm_term=3), a_session(), "text")
    assert [fault.partition(": ")[0] for fault in faults(hub, file)] == [
        "line 1, started_at",
        "line 1, landing_page",
        "line 3, referrer",
        "line 3, utm_term",
        "line 5",
    ]


@pytest.mark.parametrize(("bad_lines", "more"), [(20, []), (21, ["… and 1 more"]), (1000, ["… and 980 more"])])
def test_the_first_20_faults_and_the_number_of_others_are_reported(hub, bad_lines, more):
    found = faults(hub, lines(*[a_session(referrer=3)] * bad_lines))
    assert [fault.partition(",")[0] for fault in found[:20]] == [f"line {number}" for number in range(1, 21)]
    assert found[20:] == more


@pytest.mark.decision(30)
def test_a_file_with_one_bad_line_among_many_changes_nothing(hub):
    hub.load([a_named_session("old")])
    good = lines(*(a_named_session(f"new-{number}") for number in range(500)))
    assert faults(hub, good + lines(a_session(referrer=3))) == ["line 501, referrer: Must be a string, not 3."]
    assert faults(hub, lines(a_session(referrer=3)) + good) == ["line 1, referrer: Must be a string, not 3."]
    assert session_ids(hub) == {"old"}


def test_a_refused_file_for_a_new_account_creates_neither_the_account_nor_its_key(hub):
    hub.load([a_named_session("old")], "example.org", "other")
    assert faults(hub, lines({}))
    assert hub.post("{}").status_code == 401


def test_after_a_refused_first_import_seed_and_the_next_import_still_work(hub):
    assert faults(hub, lines({}))
    assert hub.run("seed").exit_code == 0
    hub.load([a_named_session("first")], "example.org")
    assert session_ids(hub) == {"first"}
    assert hub.ask({}, "YOUR_API_KEY")["records"]


# session_id and --replace


def test_a_duplicate_session_id_in_a_file_is_a_fault(hub):
    (fault,) = faults(hub, lines(a_session(session_id="s"), a_session(), a_session(session_id="s")))
    assert fault.startswith("line 3, session_id: ")


def test_a_session_id_that_the_account_already_has_is_a_fault_that_suggests_replace(hub):
    hub.load([a_named_session("s")])
    outcome = hub.run(*IMPORT, stdin=lines(a_session(), a_named_session("s")))
    assert outcome.exit_code == 1
    assert outcome.stderr.splitlines()[-2:] == [
        "line 2, session_id: The account already has a session 's'.",
        "To import the whole file in place of what the account has, use --replace.",
    ]
    assert session_ids(hub) == {"s"}


def test_a_session_id_that_another_account_has_is_accepted(hub):
    hub.load([a_named_session("s")], "example.org", "other")
    hub.load([a_named_session("s")])
    assert session_ids(hub) == {"s"}


def test_session_ids_are_case_sensitive_and_not_trimmed(hub):
    hub.load([a_named_session(name) for name in ("s", "S", " s")])
    assert session_ids(hub) == {"s", "S", " s"}


def test_without_replace_an_import_adds_sessions(hub):
    hub.load([a_named_session("a")])
    hub.load([a_named_session("b")])
    assert session_ids(hub) == {"a", "b"}


def test_replace_deletes_what_the_account_had_and_nothing_of_another_account(hub):
    hub.load([a_named_session("theirs")], "example.org", "other")
    hub.load([a_named_session("a"), a_named_session("b")])
    hub.load([a_named_session("b"), a_named_session("c")], "example.com", "key", "--replace")
    assert session_ids(hub) == {"b", "c"}
    assert [record["conversion_meta"]["id"] for record in hub.everything({}, "other")] == ["theirs"]


def test_replace_with_a_faulty_file_deletes_nothing(hub):
    hub.load([a_named_session("a"), a_named_session("b")])
    assert faults(hub, lines(a_named_session("c"), {}), "--replace")
    assert session_ids(hub) == {"a", "b"}


def test_a_duplicate_session_id_in_a_file_is_a_fault_with_replace_too(hub):
    hub.load([a_named_session("s")])
    (fault,) = faults(hub, lines(a_named_session("s"), a_named_session("s")), "--replace")
    assert fault.startswith("line 2, session_id: ")


# The file


def test_a_file_can_be_given_by_its_path(hub, tmp_path):
    file = tmp_path / "sessions.jsonl"
    file.write_text(lines(a_named_session("a"), a_named_session("b")))
    assert hub.run("import", str(file), "--domain", "example.com", "--key", "key").exit_code == 0
    assert session_ids(hub) == {"a", "b"}


def test_a_missing_file_is_an_error_that_names_it_and_changes_nothing(hub, tmp_path):
    outcome = hub.run("import", str(tmp_path / "none.jsonl"), "--domain", "example.com", "--key", "key")
    assert outcome.exit_code != 0
    assert "none.jsonl" in outcome.stderr
    assert not hub.path.exists()


# kill -9


def kill_during_import(path: Path, *options: str, until_on_disk: int = 0) -> None:
    """Send valid lines to an import process, and kill it when it has read them and written so many bytes to the disk."""
    command = flask(*IMPORT, *options, DATABASE=path, NOW=NOW)
    process = subprocess.Popen(**command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # A pipe holds 64 KiB, so when all this is written, the import has read most of it.
        process.stdin.write(lines(*(a_named_session(f"new-{number}") for number in range(1500))))
        long_line = lines(a_session(conversions=[a_conversion(conversion_page="https://example.com/" + "x" * 1_000_000)]))
        for _ in range(100):
            if sum(file.stat().st_size for file in path.parent.iterdir()) >= until_on_disk:
                break
            process.stdin.write(long_line)
        else:
            pytest.fail("The import kept 100 MB in memory, so killing it now would not interrupt a write.")
        process.stdin.flush()
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def test_a_killed_import_leaves_the_database_unchanged(hub):
    hub.load([a_named_session("old")])
    before = tables(hub.path)
    kill_during_import(hub.path)
    assert tables(hub.path) == before
    hub.load([a_named_session("new-0")])
    assert session_ids(hub) == {"old", "new-0"}


def test_a_killed_import_with_replace_leaves_the_old_sessions(hub):
    old = {f"old-{number}" for number in range(300)}
    hub.load([a_named_session(name) for name in old])
    before = tables(hub.path)
    # More than SQLite keeps in memory, so that half of the transaction is on the disk
    kill_during_import(hub.path, "--replace", until_on_disk=2_000_000)
    assert tables(hub.path) == before
    hub.load([a_named_session("new-0")], "example.com", "key", "--replace")
    assert session_ids(hub) == {"new-0"}


def test_after_a_killed_first_import_the_next_one_creates_the_database(hub):
    kill_during_import(hub.path)
    assert tables(hub.path) == []
    hub.load([a_named_session("new-0")])
    assert session_ids(hub) == {"new-0"}
