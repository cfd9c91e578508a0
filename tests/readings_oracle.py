"""The expected responses under other readings of the text, computed from plain lists in the slow and obvious way.

Sessions are in the import format, as for tests/oracle.py. A reading that is not given is as the server decided.
"""

from datetime import UTC, datetime, time, timedelta

from tests.oracle import NOTHING, filtered_values, instant, matches

SESSION_FILTERS = {"source", "medium", "campaign", "content", "term", "landing_page"}
FILTERS = SESSION_FILTERS | {"conversion_page", "meta_type", "meta_id"}
FORMS = {None: "%Y-%m-%d %H:%M:%S", "iso": "%Y-%m-%dT%H:%M:%SZ", "iso-milliseconds": "%Y-%m-%dT%H:%M:%S.000Z"}


def end_of_day(moment: datetime) -> datetime:
    return datetime.combine(moment, time(23, 59, 59), UTC)


def window_of(query: dict, now: datetime, readings: dict) -> tuple[datetime, datetime]:
    default = readings.get("default-window")
    if "end_date" in query:
        is_date = len(query["end_date"]) == len("2025-08-01")
        end = end_of_day(instant(query["end_date"])) if is_date else instant(query["end_date"])
    else:
        end = end_of_day(now) if default == "days" else now
    if "start_date" in query:
        return instant(query["start_date"]), end
    if default == "days":
        return datetime.combine(end, time(), UTC) - timedelta(days=29), end
    return (now if default == "before-now" else end) - timedelta(days=30), end


class Conversion:
    """One conversion, with what the readings make of it."""

    def __init__(self, number: tuple[int, int], session: dict, record: dict, readings: dict):
        self.number, self.session, self.readings = number, session, readings
        self.record = record
        self.moment = instant(record["timestamp"])
        self.session_start = instant(session["started_at"])
        self.shown = self.session_start if readings.get("timestamp") == "session" else self.moment

    def matches(self, query: dict) -> bool:
        meta = self.record["conversion_meta"]
        values = {"conversion_page": self.record["conversion_page"], "meta_type": meta["type"], "meta_id": meta["id"]}
        return matches(query, values) and matches(query, filtered_values(self.session))

    def as_returned(self) -> dict:
        record = self.record | {"timestamp": self.shown.strftime(FORMS[self.readings.get("timestamp-form")])}
        for name in ("email", "previous_page"):
            if record[name] is None and "missing" in self.readings:
                del record[name]
                if self.readings["missing"] == "empty":
                    record[name] = ""
        if "extra-fields" in self.readings:
            values = filtered_values(self.session)
            record |= {"session_id": self.session["session_id"], "source": values["source"], "medium": values["medium"]}
        return record


def sort(conversions: list[Conversion], readings: dict) -> list[Conversion]:
    oldest_first = sorted(conversions, key=lambda conversion: (conversion.shown, conversion.number))
    return oldest_first if readings.get("order") == "oldest" else oldest_first[::-1]


def query_as_read(query: dict, readings: dict) -> dict:
    if readings.get("empty-filter") == "absent":
        return {name: value for name, value in query.items() if value != ""}
    return query


def returned(sessions: list[dict], query: dict, now: datetime, readings: dict) -> tuple[list[int], list[Conversion]]:
    """Return the pool of a session query, as indexes in its order, and the conversions that all pages together return."""
    start, end = window_of(query, now, readings)
    is_session_query = bool(SESSION_FILTERS & query.keys())
    pool = []
    conversions = []
    for index, session in enumerate(sessions):
        of_session = [
            conversion
            for number, record in enumerate(session["conversions"])
            if (conversion := Conversion((index, number), session, record, readings)).matches(query)
        ]
        overlaps = instant(session["started_at"]) <= end and instant(session["ended_at"]) >= start
        started = start <= instant(session["started_at"]) <= end
        is_in_pool = overlaps and matches(query, filtered_values(session))
        if readings.get("pool") == "started":
            is_in_pool = is_in_pool and started

        if readings.get("window") == "session":
            of_session = of_session if started else []
        elif readings.get("window") == "associated" and is_session_query:
            of_session = of_session if is_in_pool else []
        else:
            of_session = [conversion for conversion in of_session if start <= conversion.moment <= end]

        if readings.get("pool") == "converting":
            is_in_pool = is_in_pool and bool(of_session)
        if is_in_pool:
            pool.append(index)
        if is_in_pool or not is_session_query:
            conversions += of_session
    pool.sort(key=lambda index: (instant(sessions[index]["started_at"]), index), reverse=readings.get("order") != "oldest")
    return pool, conversions


def session_page(pool: list[int], found: list[Conversion], offset: int, readings: dict) -> tuple[int, list[Conversion]]:
    """Return the next offset and the conversions of a page of a session query."""
    of_session: dict[int, list[Conversion]] = {index: [] for index in pool}
    for conversion in found:
        of_session[conversion.number[0]].append(conversion)
    by_session = [of_session[index] for index in pool]
    taken = 0
    if readings.get("batch") == "each":
        while offset + taken < len(pool):
            batch = by_session[offset + taken : offset + taken + 200]
            taken += len(batch)
            if sum(map(len, batch)) >= 50:
                break
    else:
        while offset + taken < len(pool) and sum(map(len, by_session[offset : offset + taken])) < 50:
            taken = min(taken + 200, len(pool) - offset)
    page = by_session[offset : offset + taken]
    if readings.get("page") == "cut":
        for count in range(1, len(page)):
            before = sum(map(len, page[:count]))
            if before > 0 and before + len(page[count]) > 50:
                page = page[:count]
                break
    conversions = [conversion for of_session in page for conversion in sort(of_session, readings)]
    return offset + len(page), conversions if readings.get("order") == "session" else sort(conversions, readings)


def refused(status: int, readings: dict) -> tuple[int, dict]:
    """Return the status of a refused request, and what its body has; the sentence is left out."""
    if "error-status" in readings:
        status = {400: 422, 401: 403}.get(status, status)
    return status, {"message" if "error-field" in readings else "error": ...}


def expected_response(sessions: list[dict], query: dict, now: datetime, readings: dict) -> tuple[int, dict]:
    """Return the expected status and body of a response to a valid query, for the account with these sessions."""
    query = query_as_read(query, readings)
    start, end = window_of(query, now, readings)
    first_second, last_second = start + timedelta(microseconds=999_999), end  # the window has whole seconds
    if first_second.replace(microsecond=0) > last_second and readings.get("reversed-window") == "refused":
        return refused(400, readings)
    status = 201 if "status" in readings else 200
    pool, found = returned(sessions, query, now, readings)
    if not found:
        return status, NOTHING
    offset = query.get("offset", 0)
    if SESSION_FILTERS & query.keys():
        total = len(pool)
        offset = min(offset, total)
        processed, records = session_page(pool, found, offset, readings)
        has_more = processed < total
        if "has-more" in readings:
            has_more = bool({conversion.number[0] for conversion in found} & set(pool[processed:]))
    else:
        total = len(found)
        records = sort(found, readings)[offset:][:50]
        processed = min(offset + len(records), total)
        has_more = processed < total
        if "last-offset" in readings:
            processed = offset + 50
    if not records and "empty-page" in readings:
        return status, NOTHING
    pagination = {"records_processed": processed, "total_records": total, "has_more": has_more}
    return status, {"records": [conversion.as_returned() for conversion in records], "pagination": pagination}
