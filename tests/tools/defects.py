"""Defects that are planted in the endpoint, one at a time, and other readings of the text, which are not defects.

    python -m tests.tools.defects [NAME ...]

points the conformance kit at each of them and prints what it finds; the suite does the same with a part of them (test_kit.py).
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from tests import endpoint
from tests.endpoint import DAY, KEY, NOTHING, OTHER_KEY, SECOND, Endpoint, Refused, only
from tests.tools.kit_in_process import Finding, Found, InProcess, checks, pytest_in_process, run_checks, text_of

DEFECTS: dict[type[Endpoint], str] = {}  # with the beginning of the published sentence that each breaks
READINGS: list[type[Endpoint]] = []


def breaks(sentence: str) -> Callable:
    """Register a defect, with words of the sentence that the kit should name."""

    def register(kind: type[Endpoint]) -> type[Endpoint]:
        DEFECTS[kind] = sentence
        return kind

    return register


def reading(kind: type[Endpoint]) -> type[Endpoint]:
    READINGS.append(kind)
    return kind


# The form of a response


@breaks("Response")
class HtmlContentType(Endpoint):
    def respond(self, environ):
        status, body, headers = super().respond(environ)
        return status, body, headers | ({"Content-Type": "text/html"} if status == 200 else {})


class Pagination(Endpoint):
    """What changes one field of pagination."""

    def change(self, pagination: dict, offset: int, count: int) -> dict:
        raise NotImplementedError

    def pagination(self, processed, total, offset, count):
        pagination = super().pagination(processed, total, offset, count)
        return pagination | self.change(pagination, offset, count)


@breaks("total number of matching conversions")
class TotalIsAString(Pagination):
    def change(self, pagination, offset, count):
        return {"total_records": str(pagination["total_records"])}


@reading
class ProcessedIsAFloat(Pagination):
    def change(self, pagination, offset, count):
        return {"records_processed": float(pagination["records_processed"])}


@breaks("boolean value")
class HasMoreIsANumber(Pagination):
    def change(self, pagination, offset, count):
        return {"has_more": int(pagination["has_more"])}


@breaks("boolean value")
class HasMoreIsAString(Pagination):
    def change(self, pagination, offset, count):
        return {"has_more": str(pagination["has_more"]).lower()}


@breaks("pagination object")
class NoPagination(Endpoint):
    def body(self, *arguments):
        return {"records": super().body(*arguments)["records"]}


@breaks("list of all conversion events")
class RecordsByNumber(Endpoint):
    def body(self, *arguments):
        body = super().body(*arguments)
        return body | {"records": dict(enumerate(body["records"]))}


@breaks("total number")
class NoTotal(Endpoint):
    def pagination(self, *arguments):
        pagination = super().pagination(*arguments)
        del pagination["total_records"]
        return pagination


@breaks("boolean value")
class HasMoreAlwaysFalse(Pagination):
    def change(self, pagination, offset, count):
        return {"has_more": False}


@breaks("boolean value")
class HasMoreAlwaysTrue(Pagination):
    def change(self, pagination, offset, count):
        return {"has_more": True}


@breaks("boolean value")
class HasMoreAlsoAtTheEnd(Pagination):
    def change(self, pagination, offset, count):
        return {"has_more": count >= 50}


@breaks("should be used as the offset")
class ProcessedOfThisPageOnly(Pagination):
    def change(self, pagination, offset, count):
        return {"records_processed": pagination["records_processed"] - offset}


@breaks("should be used as the offset")
class ProcessedOneTooMany(Pagination):
    def change(self, pagination, offset, count):
        return {"records_processed": pagination["records_processed"] + 1}


@breaks("boolean value")
class TotalOfThisPage(Pagination):
    def change(self, pagination, offset, count):
        return {"total_records": count}


@breaks("total number of matching conversions")
class TotalOfTheRest(Pagination):
    def change(self, pagination, offset, count):
        return {"total_records": pagination["total_records"] - offset}


@breaks("total number of matching")
class TotalCappedAtAThousand(Endpoint):
    def pagination(self, processed, total, offset, count):
        return super().pagination(min(processed, 1000), min(total, 1000), offset, count)


@breaks("matching sessions")
class SessionTotalCappedAtAThousand(Endpoint):
    def session_total(self, pool, of_pool):
        return min(1000, len(pool))


@breaks("qualifying conversions")
class NothingFoundIs404(Endpoint):
    def nothing_found(self, offset):
        raise Refused(404, "No conversions matched the given filters.")


@breaks("qualifying conversions")
class NothingFoundIsAnEmptyPage(Endpoint):
    def nothing_found(self, offset):
        return self.body([], 0, 0, 0)


@breaks("qualifying conversions")
class NothingFoundInOtherWords(Endpoint):
    def nothing_found(self, offset):
        return {"message": "No conversions found."}


@breaks("qualifying conversions")
class NothingFoundWithPagination(Endpoint):
    def nothing_found(self, offset):
        return NOTHING | {"records": []}


class Field(Endpoint):
    """What changes a record's fields."""

    def change(self, fields: dict) -> dict:
        raise NotImplementedError

    def record(self, conversion):
        return self.change(dict(conversion.fields))


@breaks("When the session started")
class TimestampIsANumber(Field):
    def change(self, fields):
        return fields | {"timestamp": int(datetime.fromisoformat(fields["timestamp"] + "Z").timestamp())}


@breaks("When the session started")
class TimestampIsAmerican(Field):
    def change(self, fields):
        return fields | {"timestamp": f"{datetime.fromisoformat(fields['timestamp']):%m/%d/%Y %I:%M %p}"}


@breaks("on or after this date")
class TimestampInLocalTime(Field):
    def change(self, fields):
        return fields | {"timestamp": str(datetime.fromisoformat(fields["timestamp"]) - timedelta(hours=5))}


@breaks("Metadata associated")
class MetaIsFlat(Field):
    def change(self, fields):
        return fields | {"conversion_meta": fields["conversion_meta"]["type"]}


@breaks("Metadata associated")
class NoMeta(Field):
    def change(self, fields):
        del fields["conversion_meta"]
        return fields


@breaks("exact match logic")
class TypeAndIdSwapped(Field):
    def change(self, fields):
        meta = fields["conversion_meta"]
        return fields | {"conversion_meta": {"type": meta["id"], "id": meta["type"]}}


@breaks("conversion event was triggered")
class PageIsAPath(Field):
    def change(self, fields):
        return fields | {"conversion_page": "/" + fields["conversion_page"].split("/", 3)[3]}


@breaks("exact match logic")
class PagesSwapped(Field):
    def change(self, fields):
        return fields | {"conversion_page": fields["previous_page"], "previous_page": fields["conversion_page"]}


@breaks("email address")
class EmailIsAList(Field):
    def change(self, fields):
        return fields | {"email": [fields["email"]]}


# The key


@breaks("Authentication")
class NoKeyNeeded(Endpoint):
    def sent_key(self, environ):
        return KEY


@breaks("Authentication")
class AnyKeyAccepted(Endpoint):
    def sent_key(self, environ):
        return super().sent_key(environ) and KEY


@breaks("Authentication")
class KeyInAnotherCase(Endpoint):
    def sent_key(self, environ):
        key = super().sent_key(environ)
        return KEY if key.lower() == KEY.lower() else key


@breaks("Authentication")
class BeginningOfTheKey(Endpoint):
    def sent_key(self, environ):
        key = super().sent_key(environ)
        return KEY if key and KEY.startswith(key) else key


@breaks("Content-Type: application/json")
class CharsetRefused(Endpoint):
    def check_content_type(self, content_type):
        if content_type != "application/json":
            raise Refused(415, "Send application/json.")


@breaks("conversion event")
class OtherAccountsConversions(Endpoint):
    """Found with --other-key only."""

    def __init__(self, own, others=()):
        super().__init__([*own, *others], others)


@breaks("429")
class NoRetryAfter(Endpoint):
    def answer(self, environ):
        if environ.get("HTTP_PREFER") == "code=429":
            raise Refused(429, "API monthly limit exceeded.")
        return super().answer(environ)


# Direct queries


@breaks("up to 50")
class PageOf100(Endpoint):
    page_size = 100

    def has_enough(self, count):
        return count >= 50


@breaks("up to 50")
class PageOf49(Endpoint):
    page_size = 49

    def has_enough(self, count):
        return count >= 50


@breaks("conversion records to skip")
class OffsetIsAPageNumber(Endpoint):
    def skip(self, offset):
        return offset * 50


@breaks("conversion records to skip")
class OffsetIgnored(Endpoint):
    def skip(self, offset):
        return 0


@breaks("conversion records to skip")
class OffsetOneLess(Endpoint):
    def skip(self, offset):
        return max(0, offset - 1)


@breaks("conversion records to skip")
class OffsetRoundedToPages(Endpoint):
    def skip(self, offset):
        return offset // 50 * 50


@breaks("conversion records to skip")
class OnePerMinute(Endpoint):
    """A conversion in the same minute as another one is left out, on each page."""

    def direct_page(self, account, query, start, end, offset):
        body = super().direct_page(account, query, start, end, offset)
        if "records" in body:
            body["records"] = list({record["timestamp"][:15]: record for record in body["records"]}.values())
        return body


@breaks("unique conversion event")
class EmailsOnlyOnce(Endpoint):
    def sort(self, found):
        return list({conversion.fields["email"] or id(conversion): conversion for conversion in super().sort(found)[::2]}.values())


@breaks("number of")
class HugeOffsetFails(Endpoint):
    def skip(self, offset):
        if offset >= 2**31:
            raise Refused(500, "Internal Server Error")
        return offset


@breaks("number of")
class HugeOffsetFailsInSessionQueries(Endpoint):
    def skip_sessions(self, offset):
        if offset >= 2**63 - 1:
            raise Refused(500, "Internal Server Error")
        return offset


# The window


@breaks("before or on this date")
class EndDateIsExcluded(Endpoint):
    def is_in_window(self, conversion, start, end):
        return start <= conversion.at < end


@breaks("on or after this date")
class StartDateIsExcluded(Endpoint):
    def is_in_window(self, conversion, start, end):
        return start < conversion.at <= end


@breaks("before or on this date")
class EndDateAtMidnight(Endpoint):
    def whole_day(self, midnight, is_end):
        return midnight


@breaks("before or on this date")
class EndDateAtMidnightInSessionQueries(Endpoint):
    def window(self, query):
        start, end = super().window(query)
        if self.is_session_query(query) and len(query.get("end_date", "")) == len("2025-07-01"):
            end = end - DAY + SECOND
        return start, end


@breaks("on or after this date")
class StartDateAtTheEndOfItsDay(Endpoint):
    def whole_day(self, midnight, is_end):
        return midnight + DAY - SECOND


@breaks("on or after this date")
class TimesIgnored(Endpoint):
    def date(self, text, name):
        super().date(text, name)
        return super().date(text[:10], name)


@breaks("before or on this date")
class TimeOfEndDateIgnored(Endpoint):
    def date(self, text, name):
        moment = super().date(text, name)
        return super().date(text[:10], name) if name == "end_date" else moment


@breaks("on or after this date")
class TimeOfStartDateIgnored(Endpoint):
    def date(self, text, name):
        moment = super().date(text, name)
        return super().date(text[:10], name) if name == "start_date" else moment


@breaks("on or after this date")
class MinutesOnly(Endpoint):
    def date(self, text, name):
        return super().date(text, name).replace(second=0)


@breaks("on or after this date")
class DatesInLocalTime(Endpoint):
    def whole_day(self, midnight, is_end):
        return super().whole_day(midnight, is_end) + timedelta(hours=5)


@breaks("before or on this date")
class DatesAnHourAhead(Endpoint):
    def whole_day(self, midnight, is_end):
        return super().whole_day(midnight, is_end) - timedelta(hours=1)


@breaks("on or after this date")
class WindowInLocalTime(Endpoint):
    def date(self, text, name):
        return super().date(text, name) + timedelta(hours=2)


@breaks("ISO 8601")
class TimeZonesIgnored(Endpoint):
    def offset(self, zone):
        return timedelta()


@breaks("ISO 8601")
class TimeZonesReversed(Endpoint):
    def offset(self, zone):
        return -super().offset(zone)


@breaks("on or after this date")
class StartDateIgnored(Endpoint):
    def window(self, query):
        return super().window({name: value for name, value in query.items() if name != "start_date"})


@breaks("before or on this date")
class EndDateIgnored(Endpoint):
    def window(self, query):
        return super().window(query)[0], self.now


@reading
class WindowIgnoredInSessionQueries(Endpoint):
    def of_pool(self, pool, query, start, end):
        return super().of_pool(pool, query, datetime.min.replace(tzinfo=UTC), self.now)


@breaks("defaults to a 30-day time window")
class DefaultOf7Days(Endpoint):
    default_days = 7


@breaks("defaults to a 30-day time window")
class DefaultOf29Days(Endpoint):
    default_days = 29


@breaks("defaults to a 30-day time window")
class DefaultOf31Days(Endpoint):
    default_days = 31


@breaks("defaults to a 30-day time window")
class DefaultOfAllTime(Endpoint):
    default_days = 3650


@breaks("defaults to a 30-day time window")
class DefaultOf90DaysInSessionQueries(Endpoint):
    def window(self, query):
        start, end = super().window(query)
        return (start - 60 * DAY if self.is_session_query(query) and "start_date" not in query else start), end


@breaks("time window to analyze")
class WindowClampedTo30Days(Endpoint):
    def window(self, query):
        start, end = super().window(query)
        return max(start, end - 30 * DAY), end


@breaks("time window to analyze")
class WindowClampedFromItsStart(Endpoint):
    def window(self, query):
        start, end = super().window(query)
        return start, min(end, start + 30 * DAY)


@breaks("time window to analyze")
class WindowClampedInSessionQueries(Endpoint):
    def window(self, query):
        start, end = super().window(query)
        return (max(start, end - 30 * DAY) if self.is_session_query(query) else start), end


@breaks("All filters are optional")
class StartDateNeedsAnEndDate(Endpoint):
    def window(self, query):
        if "start_date" in query and "end_date" not in query:
            query = {}
        return super().window(query)


@reading
class EndDateNeedsAStartDate(Endpoint):
    def default_start(self, end):
        return self.now - 30 * DAY


# Filters


@breaks("exact match logic")
class PrefixesMatch(Endpoint):
    def equals(self, name, value, wanted):
        return value is not None and value.startswith(wanted)


@breaks("exact match logic")
class SuffixesMatch(Endpoint):
    def equals(self, name, value, wanted):
        return value is not None and value.endswith(wanted)


@breaks("exact match logic")
class LandingPageContains(Endpoint):
    def equals(self, name, value, wanted):
        return wanted in value if name == "landing_page" else value == wanted


@breaks("exact match logic")
class CaseIgnored(Endpoint):
    def equals(self, name, value, wanted):
        return value is not None and value.lower() == wanted.lower()


@breaks("exact match logic")
class CaseOfCampaignIgnored(Endpoint):
    def equals(self, name, value, wanted):
        return value == wanted or (name == "campaign" and (value or "").lower() == wanted.lower())


@breaks("exact match logic")
class CaseOfMetaIdIgnored(Endpoint):
    def equals(self, name, value, wanted):
        return value == wanted or (name == "meta_id" and value.lower() == wanted.lower())


@breaks("exact match logic")
class FiltersTrimmed(Endpoint):
    def equals(self, name, value, wanted):
        return value == wanted.strip()


@breaks("exact match logic")
class PatternsMatch(Endpoint):
    def equals(self, name, value, wanted):
        pattern = re.escape(wanted).replace("%", ".*").replace("_", ".")
        return value is not None and re.fullmatch(pattern, value) is not None


@breaks("exact match logic")
class SlashesIgnored(Endpoint):
    def equals(self, name, value, wanted):
        return value == wanted or (name.endswith("page") and value.rstrip("/") == wanted.rstrip("/"))


@breaks("string")
class FiltersPastedIntoSql(Endpoint):
    def equals(self, name, value, wanted):
        if re.search(r"'\s*OR\s*'1'='1", wanted):
            return True
        if wanted.count("'") % 2:
            raise Refused(500, "Internal Server Error")
        return value == wanted


@breaks("string")
class QuotationMarkFails(Endpoint):
    def equals(self, name, value, wanted):
        if wanted.count("'") == 1:
            raise Refused(500, "Internal Server Error")
        return value == wanted


@breaks("string")
class NonAsciiFails(Endpoint):
    def equals(self, name, value, wanted):
        if not wanted.isascii():
            raise Refused(500, "Internal Server Error")
        return value == wanted


@breaks("string")
class NonAsciiSourceFails(Endpoint):
    def session_matches(self, session, filters):
        if not filters.get("source", "").isascii():
            raise Refused(500, "Internal Server Error")
        return super().session_matches(session, filters)


@reading
class EmptyFiltersIgnored(Endpoint):
    def page(self, account, query):
        return super().page(account, {name: value for name, value in query.items() if value != ""})


class Ignored(Endpoint):
    """One filter is ignored."""

    ignored = ""

    def equals(self, name, value, wanted):
        return name == self.ignored or value == wanted


for _name in [*endpoint.CONVERSION_FILTERS, *endpoint.SESSION_FILTERS]:
    _kind = type(f"{_name.title().replace('_', '')}Ignored", (Ignored,), {"ignored": _name})
    breaks("exact match logic")(_kind)


@breaks("AND conditions")
class FiltersCombinedWithOr(Endpoint):
    def matches(self, results):
        return any(results) or not results


@breaks("AND conditions")
class OnlyTheFirstSessionFilter(Endpoint):
    def matches(self, results):
        return all(results[:1])


@breaks("AND conditions")
class TermIgnoredNextToOthers(Endpoint):
    def session_matches(self, session, filters):
        others = {name: value for name, value in filters.items() if name != "term"}
        return super().session_matches(session, others or filters)


@breaks("AND conditions")
class ConversionFiltersIgnoredInSessionQueries(Endpoint):
    def of_pool(self, pool, query, start, end):
        return super().of_pool(pool, {}, start, end)


class Swapped(Endpoint):
    """Two filters are exchanged."""

    pair = ("", "")

    def session_value(self, session, name):
        exchanged = dict([self.pair, self.pair[::-1]])
        return session.values[exchanged.get(name, name)]


@breaks("Filter by UTM content value")
class ContentAndTermSwapped(Swapped):
    pair = ("content", "term")


@breaks("Filter by UTM")
class CampaignAndContentSwapped(Swapped):
    pair = ("campaign", "content")


@breaks("traffic")
class SourceAndMediumSwapped(Swapped):
    pair = ("source", "medium")


@breaks("exact match logic")
class MetaTypeAndMetaIdSwapped(Endpoint):
    def conversion_value(self, conversion, name):
        return conversion.values[{"meta_type": "meta_id", "meta_id": "meta_type"}.get(name, name)]


@breaks("landing page URL")
class LandingPageFromConversionPage(Endpoint):
    @staticmethod
    def load(account):
        loaded = Endpoint.load(account)
        for session in loaded:
            session.alike = session.order
        return loaded

    def session_matches(self, session, filters):
        others = {name: value for name, value in filters.items() if name != "landing_page"}
        pages = {conversion.values["conversion_page"] for conversion in session.conversions}
        return filters.get("landing_page") in {None, *pages} and (not others or super().session_matches(session, others))

    def of_pool(self, pool, query, start, end):
        pages = {"conversion_page": query["landing_page"]} if "landing_page" in query else {}
        return super().of_pool(pool, pages | query, start, end)


# Session queries


@breaks("batches of 200")
class BatchesOf100(Endpoint):
    batch_size = 100


@breaks("batches of 200")
class BatchesOf250(Endpoint):
    batch_size = 250


@breaks("50 or more conversion records")
class OneBatchPerPage(Endpoint):
    def has_enough(self, count):
        return count >= 0

    def collect(self, of_pool, first):
        batch = of_pool[first : first + self.batch_size]
        return [conversion for conversions in batch for conversion in conversions], first + len(batch)


@breaks("50 or more conversion records")
class NeverStops(Endpoint):
    def has_enough(self, count):
        return False


@breaks("50 or more conversion records")
class StopsOver50(Endpoint):
    def has_enough(self, count):
        return count > 50


@breaks("50 or more conversion records")
class StopsAt100(Endpoint):
    def has_enough(self, count):
        return count >= 100


@breaks("50 or more conversion records")
class StopsAt25(Endpoint):
    def has_enough(self, count):
        return count >= 25


@breaks("unique conversion event")
class SessionPageCutAt50(Endpoint):
    def collect(self, of_pool, first):
        records, processed = super().collect(of_pool, first)
        return records[:50], processed


@breaks("unique conversion event")
class SessionLostAtEachBoundary(Endpoint):
    def collect(self, of_pool, first):
        return super().collect(of_pool, first + 1 if first else 0)


@breaks("unique conversion event")
class SessionRepeatedAtEachBoundary(Endpoint):
    def collect(self, of_pool, first):
        records, processed = super().collect(of_pool, first)
        return (of_pool[first - 1] if first else []) + records, processed


@breaks("number of sessions that have been processed")
class OffsetCountsConversionsInSessionQueries(Endpoint):
    def session_page(self, account, query, start, end, offset):
        return Endpoint.session_page(OffsetByConversions(self), account, query, start, end, offset)


class OffsetByConversions:
    """The same endpoint, but the page of a session query is cut from the conversions of the pool."""

    def __init__(self, of: Endpoint):
        self.of = of

    def __getattr__(self, name):
        return getattr(self.of, name)

    def collect(self, of_pool, first):
        flat = [(conversion, place) for place, conversions in enumerate(of_pool) for conversion in conversions]
        page = flat[first : first + 50]
        return [conversion for conversion, _ in page], page[-1][1] + 1 if page else len(of_pool)


@breaks("number of sessions that have been processed")
class ProcessedCountsConversionsInSessionQueries(Endpoint):
    def collect(self, of_pool, first):
        records, _ = super().collect(of_pool, first)
        return records, first + len(records)


@breaks("unique conversion event")
class TotalCountsConversionsInSessionQueries(Endpoint):
    def session_total(self, pool, of_pool):
        return sum(map(len, of_pool))


@breaks("AND conditions")
class OnlyTheFirstConversionOfASession(Endpoint):
    def of_pool(self, *arguments):
        return [conversions[:1] for conversions in super().of_pool(*arguments)]


@breaks("unique conversion event")
class ConversionsOfASessionTwice(Endpoint):
    def of_pool(self, *arguments):
        return [conversions * 2 if len(conversions) > 1 else conversions for conversions in super().of_pool(*arguments)]


# Forms of requests: beyond the text


@breaks("offset")
class OffsetAsAString(Endpoint):
    def fault(self, name, value):
        return "" if name == "offset" and str(value).isdecimal() else super().fault(name, value)


@breaks("offset")
class NegativeOffset(Endpoint):
    def fault(self, name, value):
        return "" if value == -1 else super().fault(name, value)

    def skip(self, offset):
        return max(0, offset)


@breaks("All filters are optional")
class UnknownFieldsIgnored(Endpoint):
    def parse(self, raw):
        return {name: value for name, value in super().parse(raw).items() if name in endpoint.FIELDS}


@breaks("Content-Type: application/json")
class AnyContentType(Endpoint):
    def check_content_type(self, content_type):
        pass


@breaks("Content-Type: application/json")
class BrokenJsonIsNoQuery(Endpoint):
    def parse(self, raw):
        try:
            return super().parse(raw)
        except Refused:
            return {}


@breaks("string")
class NullFiltersIgnored(Endpoint):
    def parse(self, raw):
        return {name: value for name, value in super().parse(raw).items() if value is not None}


@breaks("ISO 8601")
class SpaceInDateTimesRefused(Endpoint):
    def date(self, text, name):
        if " " in text:
            raise ValueError(text)
        return super().date(text, name)


@breaks("ISO 8601")
class WrongDatesIgnored(Endpoint):
    def fault(self, name, value):
        return "" if name.endswith("_date") and isinstance(value, str) else super().fault(name, value)

    def window(self, query):
        return super().window(
            {name: value for name, value in query.items() if not super(WrongDatesIgnored, self).fault(name, value)}
        )


@breaks("Content-Type: application/json")
class ErrorsAreHtml(Endpoint):
    def respond(self, environ):
        status, body, headers = super().respond(environ)
        return (status, "<h1>Error</h1>", headers | {"Content-Type": "text/html"}) if status >= 400 else (status, body, headers)


@breaks("All filters are optional")
class NoFieldsInErrors(Endpoint):
    def named(self, faults):
        return {}


@breaks("POST")
class GetIsNotFound(Endpoint):
    def answer(self, environ):
        if environ["REQUEST_METHOD"] != "POST":
            raise Refused(404, "There is nothing here.")
        return super().answer(environ)


@breaks("2025-03-05 14:31:00")
class OldestFirst(Endpoint):
    def sort(self, found):
        return super().sort(found)[::-1]


# What only one check finds, and what only known data shows


@breaks("Response")
class ByteOrderMark(Endpoint):
    def __call__(self, environ, start_response):
        return [b"\xef\xbb\xbf", *super().__call__(environ, start_response)]


@breaks("email address")
class EmailIsTheWordNull(Field):
    def change(self, fields):
        return fields | {"email": str(fields["email"])}


@breaks("number of")
class OffsetWrapsAround(Endpoint):
    """The records are those of the offset in 31 bits."""

    def skip(self, offset):
        return offset % 2**31

    def skip_sessions(self, offset):
        return offset % 2**31


@breaks("Authentication")
class KeyPastedIntoSql(Endpoint):
    def sent_key(self, environ):
        key = super().sent_key(environ)
        return KEY if "' OR '1'='1" in key else key


@breaks("time window to analyze")
class EndDateAfter2050Fails(Endpoint):
    def date(self, text, name):
        if re.match("20[5-9]", text):
            raise Refused(500, "Internal Server Error")
        return super().date(text, name)


@breaks("string")
class FourByteCharactersFail(Endpoint):
    def equals(self, name, value, wanted):
        if max(wanted, default="") > "\uffff":
            raise Refused(500, "Internal Server Error")
        return value == wanted


@breaks("exact match logic")
class SpacesAtTheEndIgnored(Endpoint):
    def equals(self, name, value, wanted):
        return value == wanted.rstrip(" ")


@breaks("exact match logic")
class UnderscoresMatch(Endpoint):
    def equals(self, name, value, wanted):
        return value is not None and re.fullmatch(re.escape(wanted).replace("_", "."), value) is not None


@breaks("exact match logic")
class PercentEncodingDecoded(Endpoint):
    def equals(self, name, value, wanted):
        return value == unquote(wanted)


@breaks("exact match logic")
class FragmentsIgnored(Endpoint):
    def equals(self, name, value, wanted):
        return value == wanted.partition("#")[0]


@breaks("exact match logic")
class ParametersIgnored(Endpoint):
    def equals(self, name, value, wanted):
        return value == wanted.partition("?")[0]


@breaks("exact match logic")
class MediumMatchesSourceToo(Endpoint):
    def session_matches(self, session, filters):
        others = {name: value for name, value in filters.items() if name != "medium"}
        medium = filters.get("medium", session.values["medium"])
        return medium in (session.values["medium"], session.values["source"]) and super().session_matches(session, others)


@breaks("POST")
class ChunkedIsEmpty(Endpoint):
    """The body of a chunked request is taken for none."""

    def read(self, environ):
        if "HTTP_TRANSFER_ENCODING" in environ:
            environ["body"] = b""
        return super().read(environ)


@breaks("unique conversion event")
class EqualConversionsOnlyOnce(Endpoint):
    def body(self, records, *arguments):
        seen = {(json.dumps(one.fields), one.fields["email"]): one for one in records}
        return super().body(list(seen.values()), *arguments)


@breaks("unique conversion event")
class EqualConversionsOfASessionOnlyOnce(Endpoint):
    def of_pool(self, *arguments):
        found = super().of_pool(*arguments)
        return [list({json.dumps(one.fields): one for one in conversions}.values()) for conversions in found]


@breaks("50 or more conversion records")
class AtMostFiveBatches(Endpoint):
    def collect(self, of_pool, first):
        return super().collect(of_pool[: first + 1000], first)


@breaks("unique conversion event")
class MessageIfTheFirstBatchIsEmpty(Endpoint):
    def of_pool(self, *arguments):
        found = super().of_pool(*arguments)
        return found if any(found[:200]) else []


@breaks("exact URL")
class PagesBeyondAsciiAreNotFound(Endpoint):
    def equals(self, name, value, wanted):
        return value == wanted and (name != "conversion_page" or wanted.isascii())


@breaks("exact match logic")
class ParametersOfPagesIgnored(Endpoint):
    def conversion_value(self, conversion, name):
        return re.sub(r"[?].*", "", conversion.values[name]) if name == "conversion_page" else conversion.values[name]

    def equals(self, name, value, wanted):
        return value == (re.sub(r"[?].*", "", wanted) if name == "conversion_page" else wanted)


@breaks("unique conversion event")
class EqualTimestampsLostBetweenPages(Endpoint):
    """A page begins after the last timestamp of the page before it."""

    def direct_page(self, account, query, start, end, offset):
        if offset:
            before = super().direct_page(account, query, start, end, offset - 1).get("records")
            body = super().direct_page(account, query, start, end, offset)
            if before and body.get("records"):
                body["records"] = [one for one in body["records"] if one["timestamp"] < before[0]["timestamp"]]
            return body
        return super().direct_page(account, query, start, end, offset)


@breaks("before or on this date")
class EndDateADayLate(Endpoint):
    def whole_day(self, midnight, is_end):
        return super().whole_day(midnight, is_end) + (DAY if is_end else timedelta())


# What one check alone finds


@breaks("total number of matching conversions")
class TotalChangesInTheMiddle(Endpoint):
    def direct_page(self, account, query, start, end, offset):
        body = super().direct_page(account, query, start, end, offset)
        if offset and "pagination" in body and body["pagination"]["has_more"]:
            body["pagination"]["total_records"] += 7
        return body


@breaks("boolean value")
class HasMoreAlwaysTrueInSessionQueries(Endpoint):
    def session_page(self, account, query, start, end, offset):
        body = super().session_page(account, query, start, end, offset)
        if "pagination" in body:
            body["pagination"]["has_more"] = True
        return body


@breaks("should be used as the offset")
class ProcessedRoundedUpToBatches(Endpoint):
    def session_page(self, account, query, start, end, offset):
        body = super().session_page(account, query, start, end, offset)
        if "pagination" in body and not body["pagination"]["has_more"]:
            body["pagination"]["records_processed"] += -(body["pagination"]["records_processed"] - offset) % 200
        return body


@breaks("number of sessions that have been processed")
class OffsetOfOneIgnored(Endpoint):
    def skip_sessions(self, offset):
        return 0 if offset == 1 else offset


@breaks("on or after this date")
class OneSecondFindsNothing(Endpoint):
    def direct_page(self, account, query, start, end, offset):
        return NOTHING if start == end else super().direct_page(account, query, start, end, offset)


@breaks("conversion records to skip")
class EarlyOffsetsRoundedToPages(Endpoint):
    def skip(self, offset):
        return offset // 50 * 50 if offset < 200 else offset


@breaks("conversion records to skip")
class OffsetCappedAtAThousand(Endpoint):
    def skip(self, offset):
        return min(offset, 1000)


@breaks("associated with those sessions")
class DirectQueriesNeedAnEmail(Endpoint):
    def conversions_matching(self, account, filters):
        return [conversion for conversion in super().conversions_matching(account, filters) if conversion.fields["email"]]


@breaks("unique conversion event")
class ADayLostInLongWindows(Endpoint):
    longest = 20 * DAY

    def of_pool(self, pool, query, start, end):
        found, lost = super().of_pool(pool, query, start, end), (self.now - 12 * DAY).date()
        if end - start > self.longest:
            return [[conversion for conversion in conversions if conversion.at.date() != lost] for conversions in found]
        return found


@breaks("unique conversion event")
class ADayLostByMediumInLongWindows(ADayLostInLongWindows):
    longest = 60 * DAY

    def of_pool(self, pool, query, start, end):
        of = ADayLostInLongWindows if "medium" in query else Endpoint
        return of.of_pool(self, pool, query, start, end)


@breaks("exact match logic")
class ThreeConversionFiltersFindNothing(Endpoint):
    def matches(self, results):
        return all(results) and len(results) < 3


@breaks("AND conditions")
class TwoSessionFiltersFindHalf(Endpoint):
    def pool(self, account, query, start, end):
        pool = super().pool(account, query, start, end)
        return pool[::2] if len(only(query, endpoint.SESSION_FILTERS)) > 1 else pool


@breaks("batches of 200")
class BatchesOf100OnLaterPages(Endpoint):
    def collect(self, of_pool, first):
        self.batch_size = 100 if first >= 200 else 200
        return super().collect(of_pool, first)


@breaks("50 or more conversion records")
class SecondBatchesNeed100(Endpoint):
    """The first batch is enough with 50 records, but two need 100."""

    def collect(self, of_pool, first):
        records, processed = super().collect(of_pool, first)
        if processed - first > 200 and len(records) < 100:
            more, processed = super().collect(of_pool, processed)
            records = records + more
        return records, processed


@breaks("qualifying conversions")
class AnUnknownTermSaysSo(Endpoint):
    def page(self, account, query):
        body = super().page(account, query)
        return {"message": "No such term."} if body == NOTHING and query.keys() == {"term"} else body


@breaks("qualifying conversions")
class NothingBefore1980(Endpoint):
    def page(self, account, query):
        body = super().page(account, query)
        return {"message": "Too early."} if body == NOTHING and query.get("end_date", "2") < "1980" else body


@breaks("pagination object")
class HasMoreIsANumberInALongWindow(Endpoint):
    def page(self, account, query):
        body = super().page(account, query)
        if query.get("end_date", "") > "2090" and "pagination" in body:
            body["pagination"]["has_more"] = int(body["pagination"]["has_more"])
        return body


@breaks("may include the following fields")
class IdIsNullForCustomConversions(Field):
    def change(self, fields):
        meta = fields["conversion_meta"]
        return fields | {"conversion_meta": meta | {"id": None if meta["type"] == "custom" else meta["id"]}}


@breaks("up to 50")
class FirstPageOf60(Endpoint):
    def direct_page(self, account, query, start, end, offset):
        self.page_size = 50 if offset else 60
        return super().direct_page(account, query, start, end, offset)

    def has_enough(self, count):
        return count >= 50


@breaks("before or on this date")
class EndIsExcludedInSessionQueries(Endpoint):
    def of_pool(self, pool, query, start, end):
        return super().of_pool(pool, query, start, max(start, end - SECOND))


@breaks("before or on this date")
class EndDateAloneMeansFiveDays(Endpoint):
    def default_start(self, end):
        return end - 5 * DAY if self.now - 3 * DAY < end < self.now else super().default_start(end)


@breaks("exact match logic")
class EmptyMetaIdFindsSome(Endpoint):
    def equals(self, name, value, wanted):
        return value == wanted or (name == "meta_id" and not wanted and value.startswith("r"))


@breaks("POST")
class NoAllow(Endpoint):
    def answer(self, environ):
        if environ["REQUEST_METHOD"] != "POST":
            raise Refused(405, "Only POST is allowed.")
        return super().answer(environ)


@breaks("total number of matching conversions")
class TotalOneTooManyInHalfAQuarter(Endpoint):
    days = (40, 50)

    def direct_page(self, account, query, start, end, offset):
        body = super().direct_page(account, query, start, end, offset)
        if self.days[0] * DAY < end - start < self.days[1] * DAY and "pagination" in body:
            body["pagination"]["total_records"] += 1
        return body


@breaks("time window to analyze")
class TotalOneTooManyInTwoMonths(TotalOneTooManyInHalfAQuarter):
    days = (59, 60)


@breaks("matching sessions")
class LongPoolsAreIncomplete(Endpoint):
    """A window of more than 60 days leaves out every other session without conversions."""

    def pool(self, account, query, start, end):
        pool = super().pool(account, query, start, end)
        if end - start < 60 * DAY:
            return pool
        return [session for session in pool if session.conversions or session.order[1] % 2]


# Other readings, which are no defects


@reading
class CutAt50(Endpoint):
    """“Each page can contain up to 50 records”: a page ends with the session that makes it full."""

    def collect(self, of_pool, first):
        records, processed = [], first
        while processed < len(of_pool) and (not records or len(records) + len(of_pool[processed]) <= 50):
            records += of_pool[processed]
            processed += 1
        return records, processed


@reading
class CutAt50WithTheSessionsThatFollow(CutAt50):
    """The same, and the sessions after it that have no conversions."""

    def collect(self, of_pool, first):
        records, processed = super().collect(of_pool, first)
        while processed < len(of_pool) and not of_pool[processed]:
            processed += 1
        return records, processed


@reading
class TimestampIsTheSessionsStart(Endpoint):
    def record(self, conversion):
        return conversion.fields | {"timestamp": f"{conversion.session.started_at:%Y-%m-%d %X}"}


@reading
class WindowIsTheSessionsStart(Endpoint):
    def moment(self, conversion):
        return conversion.session.started_at

    def is_in_pool(self, session, start, end):
        return start <= session.started_at <= end


@reading
class BothAreTheSessionsStart(WindowIsTheSessionsStart):
    def record(self, conversion):
        return conversion.fields | {"timestamp": f"{conversion.session.started_at:%Y-%m-%d %X}"}


@reading
class PoolByTheSessionsStart(Endpoint):
    def is_in_pool(self, session, start, end):
        return start <= session.started_at <= end


@reading
class PoolByTheSessionsStartWithAllItsConversions(PoolByTheSessionsStart):
    def of_pool(self, pool, query, start, end):
        return super().of_pool(pool, query, start, end + DAY)


@reading
class PoolOfSessionsThatConvert(Endpoint):
    def pool(self, account, query, start, end):
        pool = super().pool(account, query, start, end)
        return [session for session in pool if self.of_session(session, {}, start, end)]


@reading
class IsoTimestamps(Endpoint):
    def record(self, conversion):
        return conversion.fields | {"timestamp": f"{conversion.at:%Y-%m-%dT%XZ}"}


@reading
class Milliseconds(Endpoint):
    def moment(self, conversion):
        return conversion.at + timedelta(milliseconds=conversion.session.order[1] % 1000)

    def record(self, conversion):
        return conversion.fields | {"timestamp": self.moment(conversion).isoformat(timespec="milliseconds").replace("+00:00", "Z")}


@reading
class MoreFields(Endpoint):
    def record(self, conversion):
        return conversion.fields | {"session_id": "s-1", "source": conversion.session.values["source"]}


@reading
class MoreFieldsInTheBody(Endpoint):
    def body(self, *arguments):
        body = super().body(*arguments)
        return body | {"request_id": "7", "pagination": body["pagination"] | {"limit": 50}}


@reading
class FieldsOnlyIfCaptured(Endpoint):
    def record(self, conversion):
        return {name: value for name, value in conversion.fields.items() if value is not None}


@reading
class TrailingCommaRefused(Endpoint):
    def without_trailing_comma(self, text):
        return text


@reading
class DefaultFromMidnight(Endpoint):
    def default_start(self, end):
        return datetime.combine(end - 30 * DAY, time(), UTC)


@reading
class NothingOnALaterPage(Endpoint):
    """An offset past the end finds nothing."""

    def body(self, records, processed, total, offset):
        return super().body(records, processed, total, offset) if records or not offset else NOTHING


@reading
class SortedByIdOnly(Endpoint):
    def sort(self, found):
        return sorted(found, key=lambda conversion: conversion.order[1])


@reading
class UnknownKeysAre403(Endpoint):
    def respond(self, environ):
        status, body, headers = super().respond(environ)
        return 403 if status == 401 else status, body, headers


@reading
class ErrorsAre422(Endpoint):
    def respond(self, environ):
        status, body, headers = super().respond(environ)
        return (422, {"detail": body}, headers) if status == 400 else (status, body, headers)


@reading
class HugeOffsetsRefused(Endpoint):
    def fault(self, name, value):
        return "too large" if name == "offset" and isinstance(value, int) and value > 10**6 else super().fault(name, value)


@reading
class OnlyIsoWithSeconds(Endpoint):
    def date(self, text, name):
        if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))?", text):
            raise ValueError(text)
        return super().date(text, name)


@reading
class UnknownFieldsAccepted(Endpoint):
    def parse(self, raw):
        return {name: value for name, value in super().parse(raw).items() if name in endpoint.FIELDS}


@reading
class BodyRequired(Endpoint):
    def read(self, environ):
        if not environ["body"].strip():
            raise Refused(400, "The body is missing.")
        return super().read(environ)


@reading
class NullCharacterRefused(Endpoint):
    def fault(self, name, value):
        return "a null character" if "\x00" in str(value) else super().fault(name, value)


# Trouble that the kit has to live with


class Redirects(Endpoint):
    def respond(self, environ):
        return 308, {}, {"Location": "https://elsewhere.example/api/v1/conversions"}


class RedirectsToAFinalSlash(Endpoint):
    def respond(self, environ):
        if not environ["PATH_INFO"].endswith("/"):
            return 308, {}, {"Location": f"http://planted{endpoint.PATH}/"}
        return super().respond(environ | {"PATH_INFO": endpoint.PATH})


class Failing(Endpoint):
    """What fails at some of its calls."""

    calls = 0

    def fails(self) -> bool:
        raise NotImplementedError

    def respond(self, environ):
        self.calls += 1
        return (503, "try again", {}) if self.fails() else super().respond(environ)


class EveryFifthCallFails(Failing):
    def fails(self):
        return self.calls % 5 == 0


class EveryThirtiethCallFails(Failing):
    def fails(self):
        return self.calls % 30 == 0


class EveryThirtiethConnectionBreaks(Failing):
    def fails(self):
        if self.calls % 30 == 0:
            raise ConnectionResetError("Connection reset by peer")
        return False


class GoneAfter40Calls(Failing):
    def fails(self):
        if self.calls > 40:
            raise ConnectionRefusedError("Connection refused")
        return False


class ThreeDefects(EndDateADayLate, CaseIgnored, SessionLostAtEachBoundary):
    """None of the three follows from another one."""


class InterruptedAfter40Calls(Failing):
    """A person presses Ctrl-C."""

    def fails(self):
        if self.calls > 40:
            raise KeyboardInterrupt
        return False


class HtmlPages(Endpoint):
    def respond(self, environ):
        return 200, "<!doctype html><title>Welcome</title>", {"Content-Type": "text/html"}


class EveryFiftiethCallWaits(Endpoint):
    calls = 0

    def respond(self, environ):
        self.calls += 1
        return (429, {"error": "slower"}, {"Retry-After": "1"}) if self.calls % 50 == 0 else super().respond(environ)


class LimitAfter22Calls(Endpoint):
    calls = 0

    def respond(self, environ):
        self.calls += 1
        return (429, {"error": "no more"}, {}) if self.calls > 22 else super().respond(environ)


class DataThatChanges(Endpoint):
    """A conversion is deleted with each request."""

    def answer(self, environ):
        converted = next(session for session in self.accounts[KEY][60:] if session.conversions)
        converted.conversions.pop()
        self.remembered.clear()
        return super().answer(environ)


class TimestampsMissing(Endpoint):
    def record(self, conversion):
        return {name: value for name, value in conversion.fields.items() if name != "timestamp"}


TROUBLE = [
    ThreeDefects,
    InterruptedAfter40Calls,
    Redirects,
    RedirectsToAFinalSlash,
    EveryFifthCallFails,
    EveryThirtiethCallFails,
    EveryThirtiethConnectionBreaks,
    GoneAfter40Calls,
    HtmlPages,
]
TROUBLE += [EveryFiftiethCallWaits, LimitAfter22Calls, DataThatChanges, TimestampsMissing]


# For each check a defect that it alone finds

ALONE = {
    "a_response_is_json": "ByteOrderMark",
    "a_field_has_its_type": "EmailIsTheWordNull",
    "a_response_has_records_and_pagination_and_no_other_field": "MoreFieldsInTheBody",
    "only_email_and_previous_page_can_be_missing": "IdIsNullForCustomConversions",
    "only_the_exact_key_is_accepted": "KeyPastedIntoSql",
    "a_content_type_can_name_its_charset": "CharsetRefused",
    "a_body_can_be_sent_in_chunks": "ChunkedIsEmpty",
    "accounts_have_no_conversion_in_common": "OtherAccountsConversions",
    "a_response_over_the_limit_says_when_to_try_again": "NoRetryAfter",
    "records_processed_is_the_offset_of_the_next_request": "ProcessedRoundedUpToBatches",
    "has_more_says_whether_pages_follow": "HasMoreAlwaysTrueInSessionQueries",
    "total_records_is_the_same_on_all_pages": "TotalChangesInTheMiddle",
    "each_page_of_a_direct_query_except_the_last_has_50_records": "FirstPageOf60",
    "the_offset_of_a_direct_query_skips_conversions": "EarlyOffsetsRoundedToPages",
    "the_total_of_a_direct_query_is_the_sum_of_its_parts": "TotalOneTooManyInHalfAQuarter",
    "the_last_page_of_a_long_window_can_be_reached": "OffsetCappedAtAThousand",
    "every_conversion_is_returned_once": "ADayLostByMediumInLongWindows",
    "every_conversion_of_a_session_query_is_returned_once_by_windows_of_one_page": "ADayLostInLongWindows",
    "the_total_of_a_session_query_is_the_sum_of_its_parts": "LongPoolsAreIncomplete",
    "the_offset_of_a_session_query_skips_sessions": "OffsetOfOneIgnored",
    "an_offset_past_the_end_has_no_records": "OffsetWrapsAround",
    "a_session_query_processes_whole_batches": "BatchesOf100OnLaterPages",
    "a_page_continues_until_it_has_50_records": "OneBatchPerPage",
    "a_page_stops_when_it_has_50_records": "SecondBatchesNeed100",
    "a_page_stops_at_exactly_50_records": "StopsOver50",
    "the_default_window_covers_the_last_30_days": "DefaultOf90DaysInSessionQueries",
    "a_window_includes_both_its_ends": "OneSecondFindsNothing",
    "the_window_of_a_session_query_includes_both_its_ends": "EndIsExcludedInSessionQueries",
    "a_date_means_its_whole_day": "EndDateAtMidnightInSessionQueries",
    "a_window_can_be_longer_than_30_days": "TotalOneTooManyInTwoMonths",
    "a_window_can_be_as_long_as_a_date_allows": "EndDateAfter2050Fails",
    "start_date_can_be_given_alone": "StartDateNeedsAnEndDate",
    "end_date_can_be_given_alone": "EndDateAloneMeansFiveDays",
    "a_conversion_filter_finds_the_conversions_with_its_value": "ThreeConversionFiltersFindNothing",
    "a_filter_that_nothing_matches_finds_nothing": "AnUnknownTermSaysSo",
    "filters_are_combined_with_and": "TermIgnoredNextToOthers",
    "a_session_query_finds_only_conversions_of_the_direct_query": "DirectQueriesNeedAnEmail",
    "a_conversion_filter_narrows_a_session_query": "OnlyTheFirstConversionOfASession",
    "two_session_filters_find_what_both_find": "TwoSessionFiltersFindHalf",
    "two_filters_are_not_swapped": "ContentAndTermSwapped",
    "the_landing_page_is_not_the_conversion_page": "LandingPageFromConversionPage",
    "a_filter_matches_exactly": "SpacesAtTheEndIgnored",
    "a_filter_does_not_find_the_value_of_another": "MediumMatchesSourceToo",
    "an_empty_value_is_a_filter_or_none": "EmptyMetaIdFindsSome",
    "a_filter_is_a_plain_string": "FourByteCharactersFail",
    "the_reading_is_ours": "OldestFirst",
    "two_requests_mean_the_same": "TimeZonesIgnored",
    "nothing_found_is_a_message_and_not_an_error": "NothingBefore1980",
    "a_request_is_accepted_or_refused": "OffsetAsAString",
    "a_405_names_the_method_that_is_allowed": "NoAllow",
    "every_field_of_every_response_had_its_type": "HasMoreIsANumberInALongWindow",
}
# What these checks find, another one finds too: they are there because they name the cause.
WITH_OTHERS = {
    # A walk that is counted wrongly loses conversions, has a wrong has_more, or has another total than the parts of its window.
    "a_direct_query_counts_conversions": "OnePerMinute",
    # Conversions outside a window are missing or counted twice in the windows next to it.
    "every_conversion_lies_in_the_window": "TimestampInLocalTime",
    # The parts of the long window, which are shorter, find what it does not.
    "a_session_query_can_be_longer_than_30_days": "WindowClampedInSessionQueries",
}
# This check never differs: it says which of the filters that the caller gave find nothing.
NEVER = ["the_session_filters_that_were_given_find_conversions"]
# Of the checks that need --known-data. No other check finds these defects in the data of this file.
ALONE_IN_KNOWN_DATA = {
    "a_session_query_returns_each_known_conversion_once": "EqualConversionsOfASessionOnlyOnce",
    "the_first_page_has_the_known_batches": "AtMostFiveBatches",
    "a_direct_query_returns_each_known_conversion_once": "EqualTimestampsLostBetweenPages",
    "a_conversion_page_is_found_by_its_exact_url": "PagesBeyondAsciiAreNotFound",
}


# Running the kit

OWN = endpoint.sessions()
OTHERS = endpoint.sessions(30, "others", "other.example")
KINDS = {kind.__name__: kind for kind in [Endpoint, *DEFECTS, *READINGS, *TROUBLE]}


def quoting(sentence: str) -> list[pytest.Function]:
    """Return the checks that quote these words of the published text."""
    return [check for check in checks() if sentence in text_of(check)]


def judge(name: str, chosen: list[pytest.Function] | None = None, to_the_end: bool = False, max_calls: int = 400) -> Found:
    """Return what the kit, or chosen checks of it, find in one kind of endpoint; in a defect only until they name its sentence."""
    kind = KINDS[name]

    def is_named(finding: Finding) -> bool:
        return kind in DEFECTS and DEFECTS[kind] in finding.text

    until = None if to_the_end else is_named
    send = InProcess(kind(OWN, OTHERS)).send
    return run_checks(chosen or checks(), send, KEY, max_calls=max_calls, other_key=OTHER_KEY, until=until)


def judge_by_known_data(name: str) -> Found:
    """Return what the checks of known data find in one kind of endpoint that has it."""
    chosen = [check for check in checks() if check.module.__name__ == "test_known"]
    sessions = [session for of_group in sys.modules["known_data"].groups().values() for session in of_group]
    server = KINDS[name](OWN)
    server.accounts["known"] = server.load(sessions)
    return run_checks(chosen, InProcess(server).send, KEY, known_data_key="known")


class Outcome(NamedTuple):
    """A run of the kit as its users see it."""

    status: int
    output: str

    def headlines(self, verdict: str) -> list[str]:
        return [line for line in self.output.splitlines() if line.startswith(f"{verdict}: ")]

    @property
    def differences(self) -> list[str]:
        return self.headlines("differs from the text")

    @property
    def last_line(self) -> str:
        return self.output.strip().rpartition("\n")[2]


class Plugin:
    def __init__(self, server: InProcess):
        self.server = server

    def pytest_sessionstart(self) -> None:
        client = sys.modules["client"].Client
        self.over_the_line = client._send
        client._send = lambda api, *request: self.server.send(api, *request)


def run(name: str, *options: str) -> Outcome:
    """Run the conformance kit against one kind of endpoint, and return what it prints."""
    plugin = Plugin(InProcess(KINDS[name](OWN, OTHERS)))
    outcome = Outcome(*pytest_in_process(["--base-url", "http://planted", "--api-key", KEY, *options], plugin))
    sys.modules["client"].Client._send = plugin.over_the_line
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description="Point the conformance kit at planted defects and other readings.")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--all-checks", action="store_true", help="do not stop at the check that names the sentence; print each")
    arguments = parser.parse_args()
    names = arguments.names or [kind.__name__ for kind in [Endpoint, *DEFECTS, *READINGS]]
    count: Counter[str] = Counter()
    for name in names:
        kind = KINDS[name]
        found = judge(name, to_the_end=arguments.all_checks).findings or judge_by_known_data(name).findings
        differences = [finding for finding in found if not finding.is_reading]
        if kind not in DEFECTS:
            mark = "BLAMED" if differences else "not blamed"
        elif not found:
            mark = "NOT FOUND"
        elif not any(DEFECTS[kind] in finding.text for finding in found):
            mark = "WRONG SENTENCE"
        else:
            mark = "found" if differences else "found, as a reading"
        count[mark] += 1
        checks_of = {finding.check.removeprefix("test_") for finding in found}
        print(f"{mark:25}{name:45}{len(found):4}  {' '.join(checks_of) if len(checks_of) == 1 else ''}", flush=True)
        if arguments.all_checks and name in ALONE.values() and [*checks_of] != [check for check in ALONE if ALONE[check] == name]:
            print(f"    NOT ALONE: {' '.join(sorted(checks_of))}")
        for finding in found if mark == "BLAMED" else []:
            print(f"    {finding.name}: {finding.how[:300]}")
    print(", ".join(f"{number} {mark}" for mark, number in sorted(count.items())), f"of {len(names)}")


if __name__ == "__main__":
    main()
