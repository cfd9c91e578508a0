"""An imported session and its conversions, as marshmallow schemas: the same for every form of file. Decisions 30, 43."""

from datetime import datetime, timedelta
from typing import Any

from marshmallow import ValidationError, post_load

from .. import fields
from ..fields import List, Moment, Nested, Strict
from ..schemas import ConversionMeta
from ..strict_json import shown
from . import attribution, fast_path


class Text(fields.Text):
    """A string. If null is allowed, "" means null: that is how CSV exports write it."""

    def deserialize(self, value, *args, **kwargs):
        return super().deserialize(None if value == "" and self.allow_none else value, *args, **kwargs)


class Url(Text):
    """A full URL."""

    def _deserialize(self, value, attr, data, **kwargs) -> str:
        url = super()._deserialize(value, attr, data, **kwargs)
        if attribution.host(url) is None:
            raise ValidationError(f"Must be a full URL such as https://example.com/pricing, not {shown(url)}.")
        return url


class OptionalMoment(Moment):
    """A moment; null and "" mean that it is not given."""

    def deserialize(self, value, *args, **kwargs):
        return super().deserialize(None if value == "" else value, *args, **kwargs)


class ImportedConversion(Strict):
    """A conversion as the API returns it. An email or a previous page that is not known can be left out."""

    email = Text(load_default=None)
    timestamp = Moment(required=True)
    conversion_page = Url(required=True)
    previous_page = Url(load_default=None)
    conversion_meta = Nested(ConversionMeta, required=True)


class ImportedSession(Strict):
    session_id = Text(load_default=None)
    started_at = Moment(required=True)
    ended_at = OptionalMoment(load_default=None)
    landing_page = Url(required=True)
    referrer = Url(load_default=None)
    utm_source = Text(load_default=None)
    utm_medium = Text(load_default=None)
    utm_campaign = Text(load_default=None)
    utm_content = Text(load_default=None)
    utm_term = Text(load_default=None)
    # Only flask export writes these two: such a session keeps the source and medium that it had, whatever the rules are by now.
    derived_source = Text(load_default=None)
    derived_medium = Text(load_default=None)
    conversions = List(Nested(ImportedConversion), load_default=list)

    @post_load
    def _complete(self, session: dict, **kwargs) -> dict:
        """ "A conversion lies within its session." """
        if (session["derived_source"] is None) != (session["derived_medium"] is None):
            raise ValidationError("Must be given both or neither.", "derived_source")
        start, moments = session["started_at"], [conversion["timestamp"] for conversion in session["conversions"]]
        if session["ended_at"] is None:
            session["ended_at"] = max([start, *moments])
        end = session["ended_at"]
        if end < start:
            raise ValidationError(f"Is {_text(end)}, before started_at, {_text(start)}.", "ended_at")
        outside = {
            number: {"timestamp": [f"Is {_text(at)}, outside its session, which lasts from {_text(start)} to {_text(end)}."]}
            for number, at in enumerate(moments)
            if not start <= at <= end
        }
        if outside:
            raise ValidationError({"conversions": outside})
        return session


def _text(moment: int) -> str:
    return str(datetime(1970, 1, 1) + timedelta(seconds=moment))


_session = ImportedSession()


def load(given: Any) -> dict:
    """Load a session in the import format, or a record as the API returns it, which becomes a session of its own.

    Moments become instants. Raises marshmallow.ValidationError, whose fields are those of what was given.
    """
    if session := fast_path.load(given):
        return session
    if not fast_path.is_record(given):
        return _session.load(given)
    try:
        return _session.load(fast_path.as_session(given))
    except ValidationError as error:
        raise ValidationError(error.messages_dict["conversions"][0]) from None
