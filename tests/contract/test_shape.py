"""The form of a response. It is checked first, because all other checks depend on it."""

import re

import pytest
from pages import Unusable, kind
from verdict import Difference, check

# What the text says of each field. Only the type and the form of a field are checked here, not what it means.
FIELDS = {
    "records": "“The /conversions endpoint returns a list of all conversion events”",
    "pagination": "“Each response includes a pagination object that helps you request additional pages of results efficiently.”",
    "records_processed": "“Represents the number of records scanned to produce the current response.”",
    "total_records": "“The total number of matching conversions (in a direct query) or matching sessions (in a session-filtered "
    "query)”",
    "has_more": "“A boolean value that indicates whether additional pages of results are available.”",
    "timestamp": "“When the session started (ISO 8601 UTC format).”",
    "email": "“The user’s email address, if captured during the conversion.”",
    "conversion_page": "“The full URL of the page where the conversion event was triggered.”",
    "previous_page": "“The page the user visited just before the conversion occurred.”",
    "conversion_meta": "“Metadata associated with the conversion event.”",
    "type": "“The kind of conversion (hubspot_form, custom_event, html_form, etc.) completed.”",
    "id": "“The conversion point identifier.”",
}


def test_a_response_is_json(api):
    """“Response { "records": [” The published response is JSON."""
    response = api.ask({})
    content_type = response.headers.get_content_type()
    try:
        body = response.json
    except Unusable:
        raise Difference(f"the body is not JSON but {content_type}: {response}", ()) from None
    check(isinstance(body, dict), f"the body is not an object but {kind(body)}")
    check(not response.body.startswith(b"\xef\xbb\xbf"), "a byte-order mark stands before the JSON, which many parsers refuse")
    check("json" in content_type, f"a 200 has the Content-Type {content_type}")


@pytest.mark.form_only
@pytest.mark.parametrize(("field", "case"), [pytest.param(name, {"text": text}, id=name) for name, text in FIELDS.items()])
def test_a_field_has_its_type(api, survey, field, case):
    wrong_types = api.reader.wrong_types
    try:
        records = [record for page in [api.page({}), *survey.direct().pages] for record in page.records]
    except Unusable as unusable:
        records = []
        if not wrong_types:
            raise
        if field not in wrong_types:
            pytest.skip(f"another check reports: {unusable.fault}")
        survey.reported.setdefault(unusable.fault, "")
    if field in wrong_types:
        survey.wrong_types_reported.add(field)
        raise Difference(f"{field} is {wrong_types[field]}", ())
    if not records:
        pytest.skip("there are no conversions to look at")
    # "Conversion records may include the following fields": one can be missing, but not from all.
    if field in ("conversion_page", "conversion_meta"):
        check(any(field in record for record in records), f"none of {len(records)} records has {field}")
    if field in ("type", "id"):
        check(any(record.filters[f"meta_{field}"] for record in records), f"none of {len(records)} records has a {field}")
    if field == "conversion_page":
        partial = [record for record in records if not re.match(r"\w[\w+.-]*:", record.get(field) or "none:")]
        check(not partial, f"it is not a full URL: {partial[0].get(field) if partial else ''}")
    if field == "email":
        bad = api.reader.bad_emails
        check(not bad, f"an email address has no “@”: {bad[0] if bad else ''}")


@pytest.mark.beyond_the_text
def test_a_response_has_records_and_pagination_and_no_other_field(api, survey):
    """“Each response includes a pagination object” Our reading: the sample shows all fields of a response."""
    survey.direct()
    body = api.ask(survey.window().query).json
    check(body.keys() == {"records", "pagination"}, f"its fields are {', '.join(body)}")
    expected = {"records_processed", "total_records", "has_more"}
    check(body["pagination"].keys() == expected, f"the fields of pagination are {', '.join(body['pagination'])}")


@pytest.mark.beyond_the_text
def test_only_email_and_previous_page_can_be_missing(survey):
    """“Conversion records may include the following fields” Our reading: only email and previous_page can be missing or null."""
    for record in survey.direct().records:
        meta = record.get("conversion_meta") or {}
        values = {name: record.get(name) for name in ("timestamp", "conversion_page")} | {
            name: meta.get(name) for name in ("type", "id")
        }
        nulls = [name for name, value in values.items() if value is None]
        check(not nulls, f"{', '.join(nulls)} is null or missing")
