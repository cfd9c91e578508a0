"""What comes in and goes out, as marshmallow schemas: a request, an answer, an imported session. Decisions 6 to 8, 11, 20, 21, 30.

Answers are not dumped by their schemas, which would take longer than all the rest: they describe them, and the tests load every
answer with them. Where marshmallow is lenient (true or "50" as an integer), the fields here are not.
"""

from decimal import Decimal
from difflib import get_close_matches

from marshmallow import Schema, ValidationError, fields, post_load, validate

from app import attribution, instants

MOST_FAULTS = 20  # that one answer or one import tells in full
LARGEST_COUNT = 2**63 - 1
NOTHING_FOUND = "No conversions matched the given filters."
LIMIT_EXCEEDED = "API monthly limit exceeded."
DEFAULT_WINDOW = 30 * instants.DAY
LONGEST_SESSION = instants.DAY


def kind(value) -> str:
    """What JSON calls the value, for sentences."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {str: "a string", int: "a number", Decimal: "a number", list: "an array", dict: "an object"}
    return kinds[type(value)]


def flat(messages: dict, path: str = "") -> dict[str, list[str]]:
    """The messages of a ValidationError by the whole name of the field, such as conversions.0.timestamp."""
    found = {}
    for name, inner in messages.items():
        field = path if name == "_schema" else f"{path}.{name}".lstrip(".")
        found |= flat(inner, field) if isinstance(inner, dict) else {field: inner}
    return found


# Fields


class Exact(fields.Field):
    """A field of one type of JSON, that nothing else is turned into."""

    default_error_messages = {"required": "Is missing.", "null": "{wanted}, not null.", "type": "{wanted}, not {kind}."}
    wanted: str
    json_schema: dict

    def __init__(self, about: str = "", **kwargs):
        super().__init__(metadata={"description": about, **self.json_schema}, **kwargs)

    def make_error(self, key, **values):
        return super().make_error(key, wanted=self.wanted, **values)

    def refuse(self, value):
        raise self.make_error("type", kind=kind(value))


class Text(Exact):
    """A string, which is taken as it is: never trimmed, never normalised."""

    wanted = "Must be a string"
    json_schema = {"type": "string"}

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        return value if isinstance(value, str) else self.refuse(value)


class Count(Exact):
    """A whole number as JSON Schema understands it: 50, and 50.0 too."""

    wanted = f"Must be an integer from 0 to {LARGEST_COUNT}"
    json_schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_COUNT}

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            self.refuse(value)
        # The range first: 1e999999 as an integer would fill the memory.
        if not 0 <= value <= LARGEST_COUNT or value != int(value):
            raise ValidationError(f"{self.wanted}, not {value}.")
        return int(value)


class Flag(Exact):
    """true or false."""

    wanted = "Must be true or false"
    json_schema = {"type": "boolean"}

    def _deserialize(self, value, attr, data, **kwargs) -> bool:
        return value if isinstance(value, bool) else self.refuse(value)


class Date(Text):
    """One edge of the window, as an instant: "start" is the first second that the text names, "end" the last."""

    json_schema = {"type": "string", "pattern": instants.PUBLISHED_PATTERN}

    def __init__(self, edge: str = "end", about: str = "", **kwargs):
        super().__init__(about, **kwargs)
        self.edge = edge

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return instants.parse(text, self.edge)
        except ValueError as fault:
            raise ValidationError(str(fault)) from None


class Moment(Date):
    """A moment of an imported session, as an instant; fractions of its second are dropped."""

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        moment = super()._deserialize(value, attr, data, **kwargs)
        if len(value) <= len("YYYY-MM-DD"):
            raise ValidationError("Must have a time of day, for example 2025-07-15T10:00:00Z.")
        if not instants.EARLIEST <= moment <= instants.LATEST:
            raise ValidationError("Must be within the years 1 to 9999 UTC.")
        return moment


class Url(Text):
    """A full URL."""

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        url = super()._deserialize(value, attr, data, **kwargs)
        if attribution.host(url) is None:
            raise ValidationError("Must be a full URL, for example https://example.com/pricing.")
        return url


class List(fields.List):
    default_error_messages = {"required": "Is missing.", "null": "Must be an array, not null.", "invalid": "Must be an array."}


class Nested(fields.Nested):
    default_error_messages = {"required": "Is missing.", "null": "Must be an object, not null.", "type": "Must be an object."}


class Strict(Schema):
    """Refuses a field that it does not know, and names the nearest one that it does."""

    error_messages = {"type": "Must be an object."}

    def handle_error(self, error: ValidationError, data, **kwargs):
        unknown = [name for name, sentences in error.messages.items() if name not in self.fields and name != "_schema"]
        for name in unknown[:MOST_FAULTS]:
            near = get_close_matches(name, self.fields, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.fields)}."
            error.messages[name] = [f"Unknown field: {advice}"]
        # In the order in which the request has them, which marshmallow loses.
        given = data if isinstance(data, dict) else {}
        error.messages = {name: error.messages[name] for name in [*given, *self.fields, "_schema"] if name in error.messages}
        raise error


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


_query = Query()


def load_query(body: dict, now: int) -> dict:
    """The body as strategies.page takes it: "offset", "start" and "end" (instants), and those filters that it has.

    "Unless otherwise specified, the query defaults to a 30-day time window." Raises marshmallow.ValidationError.
    """
    query = _query.load(body)
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


# The imported session


class ImportedConversion(Conversion):
    """ "In the shape in which the API returns them"; an address or a previous page that is not known may be left out."""

    email = Text(load_default=None, allow_none=True)
    timestamp = Moment(required=True)
    conversion_page = Url(required=True)
    previous_page = Url(load_default=None, allow_none=True)


class ImportedSession(Strict):
    session_id = Text(validate=validate.Length(min=1, error="Must not be empty."))
    started_at = Moment(required=True)
    ended_at = Moment()
    landing_page = Url(required=True)
    referrer = Url(load_default=None, allow_none=True)
    utm_source = Text(load_default=None, allow_none=True)
    utm_medium = Text(load_default=None, allow_none=True)
    utm_campaign = Text(load_default=None, allow_none=True)
    utm_content = Text(load_default=None, allow_none=True)
    utm_term = Text(load_default=None, allow_none=True)
    conversions = List(Nested(ImportedConversion), load_default=list)

    @post_load
    def _times(self, session: dict, **kwargs) -> dict:
        """ "A conversion lies within its session, a session lasts at most 24 hours." """
        moments = [conversion["timestamp"] for conversion in session["conversions"]]
        start, end = session["started_at"], session.setdefault("ended_at", max(moments, default=session["started_at"]))
        if end < start:
            raise ValidationError("Must not be before started_at.", "ended_at")
        if end - start > LONGEST_SESSION:
            raise ValidationError("Must be at most 24 hours after started_at.", "ended_at")
        outside = {n: {"timestamp": ["Must lie within its session."]} for n, at in enumerate(moments) if not start <= at <= end}
        if outside:
            raise ValidationError({"conversions": outside})
        return session
