"""The request and its responses, as marshmallow schemas. Decisions 6 to 8, 11, 20, 21.

The OpenAPI document is generated from these schemas. Requests are loaded with them. Responses are not dumped with them, which would
take longer than everything else; instead, the tests load every response with them.
"""

from functools import lru_cache

from marshmallow import fields, validate

from . import instants
from .fields import Count, Date, Flag, Strict, Text

NOTHING_FOUND = "No conversions matched the given filters."
LIMIT_EXCEEDED = "API monthly limit exceeded."
DEFAULT_WINDOW = 30 * instants.DAY

FORMS_OF_A_DATE = (
    "YYYY-MM-DD, or an ISO 8601 date-time: the date, T or a space, hh:mm or hh:mm:ss with an optional fraction, and Z or an offset "
    "such as +02:00, +0200 or +02. Without an offset the time is UTC."
)


# The request


class Query(Strict):
    """The body of a request: an offset, a window, and filters, each of which "use[s] exact match logic"."""

    # Without load_default, which the document would show as a default: some generators make such a property required.
    offset = Count(
        "How many conversions to skip; with a session filter, how many sessions. Default: 0. "
        "For the next page, send the records_processed of the previous response.",
        example=50,
    )
    start_date = Date(
        "start",
        f"Start of the window, included. {FORMS_OF_A_DATE} A date alone is its first second. Default: 30 days before end_date.",
        example="2025-07-15",
        attribute="start",
    )
    end_date = Date(
        "end",
        f"End of the window, included. {FORMS_OF_A_DATE} A date alone is its last second. Default: now.",
        example="2025-07-30",
        attribute="end",
    )
    conversion_page = Text(
        "Conversion filter: the URL of the page where the conversion occurred.", example="https://www.example.com/request-a-demo/"
    )
    meta_type = Text(
        "Conversion filter: the kind of conversion, such as hubspot_form, html_form, custom or custom_event.", example="html_form"
    )
    meta_id = Text("Conversion filter: the ID of the form or event.", example="request-a-demo-form")
    source = Text(
        "Session filter: where the session came from: utm_source, otherwise the referrer's primary domain, otherwise (direct).",
        example="google.com",
    )
    medium = Text(
        "Session filter: utm_medium, otherwise cpc, organic, social, email, referral or (none), derived from the referrer and the "
        "landing page.",
        example="cpc",
    )
    campaign = Text("Session filter: the session's utm_campaign.", example="brand-search")
    content = Text("Session filter: the session's utm_content.", example="headline-a")
    term = Text("Session filter: the session's utm_term.", example="attribution software")
    landing_page = Text(
        "Session filter: the URL of the session's first page, without utm parameters, click IDs and fragment.",
        example="https://store.example.com/products/xyz",
    )


_FIELDS = tuple(Query().fields)


@lru_cache(maxsize=32)
def _query_with(names: frozenset[str]) -> Query:
    """Return the schema of the requests that have these fields: with fewer fields, it loads a body in half the time."""
    return Query(only=[name for name in _FIELDS if name in names])


def load_query(body: dict, now: int) -> dict:
    """Return the body as strategies.page takes it: "offset", "start" and "end" (instants), and the filters that are present.

    "Unless otherwise specified, the query defaults to a 30-day time window." Raises marshmallow.ValidationError.
    """
    given = frozenset(body)
    query = _query_with(given if given.issubset(_FIELDS) else frozenset(_FIELDS)).load(body)
    query.setdefault("offset", 0)
    query.setdefault("end", now)
    query.setdefault("start", query["end"] - DEFAULT_WINDOW)
    return query


# The responses


class ConversionMeta(Strict):
    type = Text("The kind of conversion.", example="custom_event", required=True)
    id = Text("The ID of the form or event.", example="purchase-complete", required=True)


class Conversion(Strict):
    email = Text("The user's email address, if captured.", example="noor.rossi@studio.example", required=True, allow_none=True)
    timestamp = Text(
        "When the conversion occurred, in UTC: YYYY-MM-DD HH:MM:SS.",
        example="2025-07-14 11:06:38",
        required=True,
        validate=validate.Regexp(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"),
    )
    conversion_page = Text(
        "The URL of the page where the conversion occurred.",
        example="https://store.example.com/purchase-complete",
        required=True,
    )
    previous_page = Text(
        "The URL of the page before it, if known.", example="https://store.example.com/cart", required=True, allow_none=True
    )
    conversion_meta = fields.Nested(ConversionMeta, required=True)


class Pagination(Strict):
    records_processed = Count("The offset of the next request.", example=11, required=True)
    total_records = Count(
        "How many conversions match; with a session filter, how many sessions match the session filters.", example=11, required=True
    )
    has_more = Flag("Whether there is another page: records_processed is less than total_records.", example=False, required=True)


class ConversionsPage(Strict):
    records = fields.List(
        fields.Nested(Conversion),
        required=True,
        metadata={"description": "Newest first. Up to 50; with a session filter a page can have more."},
    )
    pagination = fields.Nested(Pagination, required=True)


class Message(Strict):
    message = Text("Says that nothing was found.", example=NOTHING_FOUND, required=True)


class ApiError(Strict):
    error = Text("What was wrong, as a sentence.", example="Send filters in the JSON body, not in the URL.", required=True)


class BadRequest(ApiError):
    fields_ = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        data_key="fields",
        metadata={
            "description": "For each faulty field, what was wrong with it.",
            "example": {"sorce": ["Unknown field: did you mean source?"]},
        },
    )


class LimitExceeded(Strict):
    error = Text("Says that the limit is used up.", example=LIMIT_EXCEEDED, required=True)
    limit = Count("The account's calls per calendar month (UTC).", example=5000, required=True)
    used = Count("How many of them are used.", example=5000, required=True)
    domain = Text("The account's primary domain.", example="over-limit.example", required=True)
