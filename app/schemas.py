"""What comes in and goes out, as marshmallow schemas: a request and an answer. Decisions 6 to 8, 11, 20, 21.

Answers are not dumped by their schemas, which would take longer than all the rest: they describe them, and the tests load every
answer with them.
"""

from marshmallow import fields, validate

from app import instants
from app.fields import Count, Date, Flag, List, Nested, Strict, Text

NOTHING_FOUND = "No conversions matched the given filters."
LIMIT_EXCEEDED = "API monthly limit exceeded."
DEFAULT_WINDOW = 30 * instants.DAY


# The request


class Query(Strict):
    """The body of a request: the page's place, the window, and filters, each of which "use[s] exact match logic"."""

    offset = Count("How much to skip: conversions, or with a session filter sessions.", load_default=0)
    start_date = Date("start", "The window's start, included; a date alone is its first second.", attribute="start")
    end_date = Date("end", "The window's end, included; a date alone is its last second.", attribute="end")
    conversion_page = Text("The URL of the page where the conversion occurred.")
    meta_type = Text("The kind of conversion, such as hubspot_form, html_form, custom or custom_event.")
    meta_id = Text("The form or event that was converted on.")
    source = Text("Where the session came from: utm_source, else the referrer's primary domain, else (direct).")
    medium = Text("How it came: utm_medium, else cpc, organic, social, email, referral or (none).")
    campaign = Text("The session's utm_campaign.")
    content = Text("The session's utm_content.")
    term = Text("The session's utm_term.")
    landing_page = Text("The page where the session began, without utm parameters, click ids and fragment.")


# Nothing is required. With "partial", marshmallow skips the fields that are missing, which takes half the time.
_query = Query(partial=True)


def load_query(body: dict, now: int) -> dict:
    """The body as strategies.page takes it: "offset", "start" and "end" (instants), and those filters that it has.

    "Unless otherwise specified, the query defaults to a 30-day time window." Raises marshmallow.ValidationError.
    """
    query = _query.load(body)
    query.setdefault("offset", 0)
    query.setdefault("end", now)
    query.setdefault("start", query["end"] - DEFAULT_WINDOW)
    return query


# The answer


class ConversionMeta(Strict):
    type = Text("The kind of conversion.", required=True)
    id = Text("The form or event that was converted on.", required=True)


class Conversion(Strict):
    email = Text("The person's address, if it was captured.", required=True, allow_none=True)
    timestamp = Text(
        "The moment of the conversion, in UTC.", required=True, validate=validate.Regexp(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
    )
    conversion_page = Text("The URL of the page where it occurred.", required=True)
    previous_page = Text("The URL of the page before it, if it is known.", required=True, allow_none=True)
    conversion_meta = Nested(ConversionMeta, required=True)


class Pagination(Strict):
    records_processed = Count("The offset of the next request.", required=True)
    total_records = Count("How many conversions match, or with a session filter how many sessions.", required=True)
    has_more = Flag("Whether another page follows.", required=True)


class ConversionsPage(Strict):
    records = List(Nested(Conversion), required=True, metadata={"description": "Newest first."})
    pagination = Nested(Pagination, required=True)


class NothingFound(Strict):
    message = Text("What is said instead of a page.", required=True, validate=validate.OneOf([NOTHING_FOUND]))


class Fault(Strict):
    error = Text("What was wrong, in a sentence.", required=True)


class FieldFaults(Fault):
    fields_ = fields.Dict(
        keys=fields.String(),
        values=List(fields.String()),
        data_key="fields",
        metadata={"description": "Of each field at fault, what was wrong with it."},
    )


class LimitExceeded(Strict):
    error = Text("What was wrong.", required=True, validate=validate.OneOf([LIMIT_EXCEEDED]))
    limit = Count("The account's calls a calendar month.", required=True)
    used = Count("Those that are used.", required=True)
    domain = Text("The account's primary domain.", required=True)
