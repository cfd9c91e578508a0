"""Files of other services: the first try gives the line to type, and the second gets them in."""

import gzip
import json
import re
import resource
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import NOW, REPOSITORY, Hub, a_conversion, a_session, flask
from tests.test_forms import FORM, import_file, refusal
from tests.test_import import IMPORT, lines

KINDS = {name: kind for name, (kind,) in tomllib.loads((Path(__file__).parent / "kinds.toml").read_text(encoding="utf-8")).items()}
PAGE = (REPOSITORY / "app" / "loading" / "README.md").read_text(encoding="utf-8")


def exported(hub: Hub) -> list[dict]:
    return [json.loads(line) for line in hub.run("export", "--domain", "example.com").stdout.splitlines()]


def second_try(hub: Hub, folder: Path, text: str, name: str = "file.csv"):
    """Import a file twice: as it is, and with the line that the first try gives. Returns both results."""
    (folder / name).write_text(text, encoding="utf-8")
    first = hub.run("import", str(folder / name), "--domain", "example.com", "--key", "key")
    assert first.exit_code == 1, first.output
    words = shlex.split(first.stderr.splitlines()[-1])
    return first, hub.run(*words[words.index("import") :])


def test_the_page_says_how_old_the_list_of_click_ids_is():
    names = tomllib.loads((REPOSITORY / "app" / "loading" / "attribution.toml").read_text(encoding="utf-8"))
    assert f"last compared on {names['click_ids']['checked']}" in PAGE


def test_the_page_names_exactly_the_kinds_that_are_tested():
    rows = PAGE.split("| what you have | how |\n| --- | --- |\n")[1].split("\n\n")[0]
    assert re.findall(r"^\| ([^|]+) \|", rows, re.MULTILINE) == list(KINDS)


@pytest.mark.decision(66)
@pytest.mark.parametrize("name", KINDS)
def test_the_first_try_gives_the_line_to_type_and_the_second_gets_it_in(hub, tmp_path, name):
    kind = KINDS[name]
    _, second = second_try(hub, tmp_path, kind["text"], kind["file"])
    assert second.exit_code == 0, second.output
    (session,) = exported(hub)
    assert session | kind.get("session", {}) == session
    assert [conversion | kind.get("conversion", {}) for conversion in session["conversions"]] == session["conversions"]
    assert len(session["conversions"]) == ("conversion" in kind)
    assert [words for words in kind.get("says", []) if words not in second.stderr] == []


def test_a_column_of_urls_is_suggested_rather_than_a_page_of_the_domain(hub, tmp_path):
    text = "When,Mail,Thanks,Form\n2025-08-01 10:00:00,a@example.org,https://shop.example/thanks,contact\n"
    file = tmp_path / "file.csv"
    file.write_text(text)
    for options in ([], ["--column", "timestamp=Wann"]):
        first = hub.run("import", str(file), "--domain", "shop.example", *options)
        line = first.stderr.splitlines()[-1]
        assert "--column timestamp=When" in line, first.stderr
        assert "--column conversion_page=Thanks" in line, first.stderr


def test_a_column_that_is_called_page_and_has_names_is_not_suggested(hub, tmp_path):
    _, second = second_try(hub, tmp_path, "Submitted on,Page,E-mail\n2025-08-01 10:00:00,lead-form,a@example.org\n", "file.csv")
    assert second.exit_code == 0, second.output


@pytest.mark.parametrize("form", ["%Q", "abc", "%H:%M", "%d/%m %H:%M"])
def test_a_time_format_without_a_day_is_refused(hub, form):
    outcome = hub.run(*IMPORT, "--time-format", form, stdin="")
    assert outcome.exit_code == 2
    assert f"Must say where the year, the month and the day are, such as '%d/%m/%Y %H:%M', not {form!r}." in outcome.stderr


# What is absent, and what is odd


@pytest.mark.parametrize("sentinel", ["-1", "0", "(not set)", "null", "None", "undefined", "-"])
def test_a_session_id_that_says_there_is_none_does_not_merge_strangers(hub, sentinel):
    rows = "".join(f"{sentinel},2025-08-0{day} 10:00:00,https://example.com/,custom,x\n" for day in (1, 5))
    outcome = import_file(hub, f"session_id,timestamp,conversion_page,type,id\n{rows}")
    assert len(exported(hub)) == 2
    assert f"Values that were taken as absent, and how many: session_id {json.dumps(sentinel)} (2)." in outcome.stderr


def test_a_referrer_without_a_clear_meaning_is_named_and_the_others_are_mapped(hub):
    head = "started_at,landing_page,referrer\n"
    rows = [
        f"2025-08-01 10:00:0{n},https://example.com/,{referrer}\n" for n, referrer in enumerate(["$direct", "about:blank", "-"])
    ]
    host = "2025-08-01 10:00:04,https://example.com/,www.google.com\n"
    assert (
        'row 2, referrer: Must be a full URL such as https://example.com/pricing, not "home".'
        in hub.run(*IMPORT, stdin=head + rows[0].replace("$direct", "home")).stderr
    )
    outcome = import_file(hub, head + "".join(rows) + host)
    assert [session["derived_source"] for session in exported(hub)] == ["(direct)"] * 3 + ["google.com"]
    assert 'referrer "$direct" (1), referrer "about:blank" (1), referrer "-" (1)' in outcome.stderr


def test_json_sessions_have_the_same_corrections_of_referrers_and_times(hub):
    import_file(hub, lines(a_session(referrer="$direct", started_at="2025-08-01 12:00:00 +0200"), a_session(referrer="t.co/x")))
    assert [session["derived_source"] for session in exported(hub)] == ["(direct)", "t.co"]
    assert {session["started_at"] for session in exported(hub)} == {"2025-08-01T10:00:00Z"}


def test_sessions_that_look_like_several_visits_are_named(hub):
    long = a_session(session_id="long", ended_at="2025-08-02T10:00:01Z")
    many = a_session(session_id="many", conversions=[a_conversion()] * 101)
    usual = a_session(session_id="usual", ended_at="2025-08-02T10:00:00Z", conversions=[a_conversion()] * 100)
    outcome = import_file(hub, lines(long, usual, many))
    assert "line 1, session 'long': 1 day, 0:00:01, 0 conversions" in outcome.stderr
    assert "line 3, session 'many': 0:00:00, 101 conversions" in outcome.stderr
    assert "usual" not in outcome.stderr


def test_the_summary_says_what_was_imported_and_how_to_look_at_it(hub):
    outcome = import_file(hub, FORM.replace("email", "E-mail"), "--column", "email=E-mail")
    assert "Fields: email from E-mail, timestamp, conversion_page, previous_page, type, id." in outcome.stderr
    assert "From 2025-08-01 10:00:00 to 2025-08-01 10:05:00 UTC. The longest session lasts 0:00:00." in outcome.stdout
    (walk,) = re.findall(r" (walk '.*)$", outcome.stdout, re.MULTILINE)
    assert "Conversions: 2, on pages: 1." in hub.run(*shlex.split(walk.replace("KEY", "key"))).stdout
    assert "http://127.0.0.1:5000/" in outcome.stdout


# Options


def test_set_and_site_work_for_sessions_and_records_in_json(hub):
    records = [a_conversion(conversion_page="/thanks"), a_conversion(conversion_page="/thanks", previous_page="/a")]
    options = ["--set", "source=google.com", "--set", "medium=cpc", "--set", "type=custom", "--site", "https://example.com/"]
    import_file(hub, lines(*records, a_session(landing_page="/b", conversions=[a_conversion()])), *options)
    found = hub.everything({"source": "google.com", "medium": "cpc", "meta_type": "custom"})
    assert [record["conversion_page"] for record in found] == ["https://example.com/thankyou", *["https://example.com/thanks"] * 2]
    assert hub.ask({"landing_page": "https://example.com/b"})["records"]


def test_a_site_must_be_one(hub):
    for site in ("shop.example", "https://shop.example/pricing", "ftp://shop.example"):
        assert "Must be a site such as https://shop.example" in hub.run(*IMPORT, "--site", site, stdin=FORM).stderr


def test_an_ignored_referrer_is_not_a_source(hub):
    sessions = [a_session(referrer=f"https://{host}/") for host in ("www.paypal.com", "klarna.com", "www.google.com", "paypal.org")]
    import_file(
        hub, lines(*sessions, a_session(utm_source="x")), "--ignore-referrer", "paypal.com", "--ignore-referrer", "klarna.com"
    )
    assert [session["derived_source"] for session in exported(hub)] == ["(direct)"] * 2 + ["google.com", "paypal.org", "(direct)"]


def test_a_time_with_two_meanings_is_not_guessed_in_silence(hub, tmp_path):
    text = "Created at,Email,Page\n03/08/2025 14:05,a@example.org,https://example.com/\n"
    first, second = second_try(hub, tmp_path, text)
    assert '"03/08/2025 14:05" may be written as %d/%m/%Y %H:%M instead: choose the right --time-format.' in first.stderr
    assert second.exit_code == 0
    assert exported(hub)[0]["started_at"] == "2025-03-08T14:05:00Z"


def test_a_path_that_leads_to_an_object_is_a_fault_that_names_the_paths_inside(hub):
    file = '{"at": "2025-08-01 10:00:00", "who": {"email": "a@example.org", "name": "Jane"}}'
    outcome = hub.run(
        *IMPORT, "--column", "started_at=at", "--column", "email=who", "--set", "landing_page=https://a.example/", stdin=file
    )
    assert outcome.exit_code == 1
    assert "item 1, email: who is an object, not a text. Paths inside it: who.email, who.name." in outcome.stderr


# Messages


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (
            "landing_page,when\nhttps://example.com/,2025-08-01 10:00:00\n",
            "row 1, started_at: No column has this name. Name it with --column st",
        ),
        ('{\n "a": 1\n}\n{\n "a": 2\n}\n', "These are JSON documents one after another. Write each on one line: jq -c . FILE."),
        ("e-1\t2025-08-01 10:00:00\thttps://example.com/\n", "row 1: This is data, and not a header. Add a line before it"),
        ('{"event_name": "x", "event_params": []}', "a GA4 export from BigQuery: turn it into CSV first"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_the_way_to_go_on(hub, file, words):
    outcome = hub.run(*IMPORT, stdin=file)
    assert outcome.exit_code == 1
    assert words in outcome.stderr


def test_a_second_import_at_once_says_that_another_one_is_running(hub):
    hub.load([a_session()])
    hub.app.extensions["database"].patience = 0.1
    with hub.app.extensions["database"].writing():
        assert "another import, or another program, is writing to it. Try again when it has finished." in refusal(
            hub, lines(a_session(session_id="b"))
        )


def test_no_room_for_temporary_files_is_not_blamed_on_the_database(hub):
    rows = "".join(f"{n},2025-08-01 10:00:00,https://example.com/{'x' * 1000},custom,x\n" for n in range(10_000))
    small = 3_000_000  # bytes, of a file; SQLite keeps the first two million in memory
    done = subprocess.run(
        **flask(*IMPORT, DATABASE=hub.path, NOW=NOW),
        input=f"session_id,timestamp,conversion_page,type,id\n{rows}",
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (small, small)),
    )
    assert "There is no room for temporary files, and nothing was changed. Set SQLITE_TMPDIR to a folder" in done.stderr


# Limits


@pytest.mark.decision(68)
@pytest.mark.parametrize("length", [200_000, 1_048_576, 1_048_577])
@pytest.mark.parametrize("form", ["CSV", "JSON Lines", "a document"])
def test_a_field_has_the_same_limit_in_every_form_of_file(hub, form, length):
    session = a_session(utm_term="x" * length)
    table = ",".join(session) + "\n" + ",".join(session.values()) + "\n"
    outcome = hub.run(*IMPORT, stdin={"CSV": table, "JSON Lines": lines(session), "a document": json.dumps([session])}[form])
    assert outcome.exit_code == (length > 1_048_576), outcome.output
    assert ("as more than 1,048,576 characters, which is the most that a field can have." in outcome.stderr) == (length > 1_048_576)


@pytest.mark.parametrize("start", [b"[", b'{"started_at": "', b"timestamp,"], ids=["document", "JSON Lines", "CSV"])
def test_a_gzip_bomb_does_not_fill_the_memory(hub, tmp_path, start):
    bomb = tmp_path / "bomb.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as file:
        file.write(start)
        for _ in range(300):
            file.write(b" " * 1_000_000)
    done = subprocess.run(
        **flask("import", str(bomb), "--domain", "example.com", DATABASE=hub.path, NOW=NOW),
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (700_000_000, 700_000_000)),
    )
    assert done.returncode == 1
    assert "MemoryError" not in done.stderr
    assert re.search(r"can have 134,217,728 bytes|more than 33,554,432 bytes|more than 1,048,576 characters", done.stderr)


# Logs


AT = "01/Aug/2025:10:00:00"
REST = '"GET / HTTP/1.1" 200 5'
BALANCED = "192.0.2.1:2817 10.0.0.1:80 0 0 0 200 200 0 57"
LOGS = {
    "nginx": f'192.0.2.1 - - [{AT} +0000] {REST} "-" "Mozilla"',
    "Apache": f"192.0.2.1 - - [{AT} +0000] {REST}",
    "nginx, Apache, Traefik": f'example.com:443 192.0.2.1 - - [{AT} +0000] {REST} "-" "Mozilla"',
    "HAProxy": f"Aug  1 10:00:00 lb haproxy[14389]: 192.0.2.1:33317 [{AT}.655] in web/a 10/0/30/69/109 200 2750 - - {REST}",
    "an S3 bucket": f'{"0a" * 32} bucket [{AT} +0000] 192.0.2.1 {"0a" * 32} 3E5 REST.GET.OBJECT a {REST} - 7 - "-" "Mozilla" -',
    "AWS load balancer (ALB)": f'https 2025-08-01T10:00:00.186641Z app/lb/1 {BALANCED} "GET https://a:443/ HTTP/1.1" "M"',
    "AWS load balancer (ELB)": f'2025-08-01T10:00:00.945958Z lb {BALANCED} "GET http://a:80/ HTTP/1.1" "M" - -',
    "CloudFront and IIS": "#Version: 1.0\n#Fields: date time",
    "NetScaler": "Aug  1 10:00:00 <local0.info> 192.0.2.1 08/01/2025:10:00:00 GMT ns 0-PPE-0 : SSLLOG 1",
}


@pytest.mark.parametrize("name", LOGS)
def test_a_log_is_named_as_what_it_is(hub, name):
    sentence = refusal(hub, LOGS[name] + "\n")
    assert name in sentence
    assert "script" in sentence
