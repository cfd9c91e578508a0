"""An imported session and its conversions, as marshmallow schemas. Decision 30."""

from marshmallow import ValidationError, post_load, validate

from app.fields import List, Moment, Nested, Strict, Text
from app.loading import attribution
from app.schemas import Conversion


class Url(Text):
    """A full URL."""

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        url = super()._deserialize(value, attr, data, **kwargs)
        if attribution.host(url) is None:
            raise ValidationError("Must be a full URL, for example https://example.com/pricing.")
        return url


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
        """ "A conversion lies within its session." """
        moments = [conversion["timestamp"] for conversion in session["conversions"]]
        start, end = session["started_at"], session.setdefault("ended_at", max(moments, default=session["started_at"]))
        if end < start:
            raise ValidationError("Must not be before started_at.", "ended_at")
        outside = {n: {"timestamp": ["Must lie within its session."]} for n, at in enumerate(moments) if not start <= at <= end}
        if outside:
            raise ValidationError({"conversions": outside})
        return session


def session_of_record(record: dict) -> dict:
    """Return the session of a record as the API returns it: it starts at the conversion and lands on the conversion's page."""
    return {"started_at": record["timestamp"], "landing_page": record["conversion_page"], "conversions": [record]}
