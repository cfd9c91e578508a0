"""The form of a response. It is checked first, because all other checks depend on it."""

import re

import pytest
from client import Unusable, kind
from verdict import check

# What the text says of each field.
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
    "id": "“The conversion point identifier. Used to differentiate between different conversions of the same type.”",
}


def test_a_response_is_json(api):
    """“Response” “{ "records": [ …” The published response is JSON."""
    response = api.ask({})
    check(isinstance(response.json, dict), f"the body is not an object but {kind(response.json)}")
    content_type = response.headers.get_content_type()
    check("json" in content_type, f"a 200 has the Content-Type {content_type}")


@pytest.mark.parametrize(("field", "case"), [pytest.param(name, {"text": text}, id=name) for name, text in FIELDS.items()])
def test_a_field_has_its_type(api, survey, field, case):
    try:
        records = [record for page in [api.page({}), *survey.direct().pages] for record in page.records]
    except Unusable as unusable:
        records = []
        if not api.wrong_types:
            raise
        if field not in api.wrong_types:
            pytest.skip(f"another check reports: {unusable.fault}")
        survey.reported.setdefault(unusable.fault, "")
    if field in api.wrong_types:
        survey.wrong_types_reported.add(field)
        pytest.fail(f"{field} is {api.wrong_types[field]}", pytrace=False)
    if not records:
        pytest.skip("there are no conversions to look at")
    # "Conversion records may include the following fields": one can be missing, but not from all.
    if field in ("conversion_page", "conversion_meta", "previous_page"):
        check(any(field in record for record in records), f"none of {len(records)} records has {field}")
    if field in ("type", "id"):
        check(any(record.filters[f"meta_{field}"] for record in records), f"none of {len(records)} records has a {field}")
    if field == "conversion_page":
        partial = [record for record in records if not re.match(r"\w[\w+.-]*:", record.get(field) or "none:")]
        check(not partial, f"it is not a full URL: {partial[0].get(field) if partial else ''}")


@pytest.mark.beyond_the_text
def test_a_response_has_records_and_pagination_and_no_other_field(api, survey):
    """“Each response includes a pagination object” Our reading: the sample shows all fields of a response."""
    survey.direct()
    body = api.ask(survey.window().query).json
    check(body.keys() == {"records", "pagination"}, f"its fields are {', '.join(body)}")
    expected = {"records_processed", "total_records", "has_more"}
    check(body["pagination"].keys() == expected, f"the fields of pagination are {', '.join(body['pagination'])}")


@pytest.mark.beyond_the_text
def test_a_timestamp_has_the_form_of_the_published_sample(survey):
    """“"timestamp": "2025-03-05 15:14:00"” Our reading: every timestamp is written like that."""
    form = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    other = [record for record in survey.direct().records if not re.fullmatch(form, str(record["timestamp"]))]
    check(not other, f"a timestamp is {other[0]['timestamp'] if other else ''}")


@pytest.mark.beyond_the_text
def test_every_record_has_every_field(survey):
    """“Conversion records may include the following fields” Our reading: each has all of them and no other, and only email and
    previous_page can be null."""
    for record in survey.direct().records:
        expected = {"email", "timestamp", "conversion_page", "previous_page", "conversion_meta"}
        check(record.keys() == expected, f"the fields of a record are {', '.join(record)}")
        meta = record["conversion_meta"]
        check(meta.keys() == {"type", "id"}, f"the fields of conversion_meta are {', '.join(meta)}")
        values = {"conversion_page": record["conversion_page"], **meta}
        nulls = [name for name, value in values.items() if value is None]
        check(not nulls, f"{', '.join(nulls)} is null")
