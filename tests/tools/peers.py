"""The endpoint as it is usually written, for comparison: flask-smorest, marshmallow and SQLAlchemy, with count and OFFSET.

It runs in a separate environment (see tests/tools/benchmark.py), on the benchmark's database. Queries must have both dates.
"""

import hashlib
import os
from datetime import UTC, datetime, time

from flask import Flask, request
from flask_smorest import Api, Blueprint, abort
from marshmallow import Schema, fields
from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

SESSION_FILTERS = ("source", "medium", "campaign", "content", "term", "landing_page")
CONVERSION_FILTERS = ("conversion_page", "meta_type", "meta_id")


class Table(DeclarativeBase):
    pass


class Key(Table):
    __tablename__ = "keys"
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[int]


class Visit(Table):
    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    started_at: Mapped[int]
    ended_at: Mapped[int]
    source: Mapped[str]
    medium: Mapped[str]
    campaign: Mapped[str | None]
    content: Mapped[str | None]
    term: Mapped[str | None]
    landing_page: Mapped[str]
    conversions: Mapped[list["Event"]] = relationship()


class Event(Table):
    __tablename__ = "conversions"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    timestamp: Mapped[int]
    email: Mapped[str | None]
    conversion_page: Mapped[str]
    previous_page: Mapped[str | None]
    meta_type: Mapped[str]
    meta_id: Mapped[str]

    @property
    def moment(self) -> str:
        return datetime.fromtimestamp(self.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")

    @property
    def meta(self) -> dict:
        return {"type": self.meta_type, "id": self.meta_id}


class QuerySchema(Schema):
    offset = fields.Integer(load_default=0)
    start_date = fields.Date(required=True)
    end_date = fields.Date(required=True)
    conversion_page = fields.String()
    meta_type = fields.String()
    meta_id = fields.String()
    source = fields.String()
    medium = fields.String()
    campaign = fields.String()
    content = fields.String()
    term = fields.String()
    landing_page = fields.String()


class MetaSchema(Schema):
    type = fields.String()
    id = fields.String()


class RecordSchema(Schema):
    email = fields.String()
    timestamp = fields.String(attribute="moment")
    conversion_page = fields.String()
    previous_page = fields.String()
    conversion_meta = fields.Nested(MetaSchema, attribute="meta")


class PaginationSchema(Schema):
    records_processed = fields.Integer()
    total_records = fields.Integer()
    has_more = fields.Boolean()


class PageSchema(Schema):
    records = fields.List(fields.Nested(RecordSchema))
    pagination = fields.Nested(PaginationSchema)


app = Flask(__name__)
app.config.update(API_TITLE="conversions", API_VERSION="1", OPENAPI_VERSION="3.0.3")
engine = create_engine(f"sqlite:///{os.environ.get('CONVERSIONS_DATABASE')}")
blueprint = Blueprint("conversions", __name__)


@blueprint.post("/api/v1/conversions")
@blueprint.arguments(QuerySchema)
@blueprint.response(200, PageSchema)
def conversions(query: dict):
    start = int(datetime.combine(query["start_date"], time.min, UTC).timestamp())
    end = int(datetime.combine(query["end_date"], time.max, UTC).timestamp())
    with Session(engine) as session:
        key = session.get(Key, hashlib.sha256(request.headers.get("Authentication", "").encode()).digest())
        if key is None:
            abort(401)
        if any(name in query for name in SESSION_FILTERS):
            return pages_of_sessions(session, key.account_id, query, start, end)
        matches = select(Event).where(Event.account_id == key.account_id, Event.timestamp.between(start, end))
        for name in CONVERSION_FILTERS:
            if name in query:
                matches = matches.where(getattr(Event, name) == query[name])
        total = session.scalar(select(func.count()).select_from(matches.subquery()))
        newest_first = matches.order_by(Event.timestamp.desc(), Event.id.desc())
        events = session.scalars(newest_first.offset(query["offset"]).limit(50)).all()
        return page(events, query["offset"] + len(events), total)


def pages_of_sessions(session: Session, account: int, query: dict, start: int, end: int) -> dict:
    within = Visit.started_at.between(start - 86_400, end)  # no session is longer; without this, the query would be slower still
    pool = select(Visit).where(Visit.account_id == account, within, Visit.ended_at >= start)
    for name in SESSION_FILTERS:
        if name in query:
            pool = pool.where(getattr(Visit, name) == query[name])
    total = session.scalar(select(func.count()).select_from(pool.subquery()))
    newest_first = pool.order_by(Visit.started_at.desc(), Visit.id.desc()).options(selectinload(Visit.conversions))
    conversion_filters = [name for name in CONVERSION_FILTERS if name in query]
    events, processed = [], query["offset"]
    while len(events) < 50 and processed < total:
        visits = session.scalars(newest_first.offset(processed).limit(200)).all()
        events += [
            event
            for visit in visits
            for event in visit.conversions
            if start <= event.timestamp <= end and all(getattr(event, name) == query[name] for name in conversion_filters)
        ]
        processed += len(visits)
    return page(sorted(events, key=lambda event: (event.timestamp, event.id), reverse=True), processed, total)


def page(events: list[Event], processed: int, total: int) -> dict:
    pagination = {"records_processed": processed, "total_records": total, "has_more": processed < total}
    return {"records": events, "pagination": pagination}


Api(app).register_blueprint(blueprint)
