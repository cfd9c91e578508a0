"""The expected responses, computed from plain lists in the slow and obvious way. Decisions 1 and 14 to 19.

Sessions are in the import format. Their order, and that of the conversions in each, is the order of their ids.
"""

from datetime import UTC, datetime, time
from functools import cache

NOTHING = {"message": "No conversions matched the given filters."}


@cache
def instant(text: str) -> datetime:
    """Parse an ISO date-time, which is in UTC if it has no offset."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def window_of(query: dict) -> tuple[datetime, datetime]:
    """Return the ends of the window: a date means 00:00:00 as start_date and the whole day as end_date."""
    start, end = instant(query["start_date"]), instant(query["end_date"])
    return start, datetime.combine(end, time(23, 59, 59), UTC) if len(query["end_date"]) == len("2025-08-01") else end


def matches(query: dict, values: dict) -> bool:
    """Return whether the values equal the query's filters of the same names."""
    return all(query[name] == value for name, value in values.items() if name in query)


def filtered_values(session: dict) -> dict:
    """Return the values that session filters compare, for a session without a referrer and with a plain landing page."""
    return {
        "source": session.get("utm_source") or "(direct)",
        "medium": session.get("utm_medium") or "(none)",
        "campaign": session.get("utm_campaign") or None,
        "content": session.get("utm_content") or None,
        "term": session.get("utm_term") or None,
        "landing_page": session["landing_page"],
    }


def matching(sessions: list[dict], query: dict) -> list[dict]:
    """Return the records of these sessions that match all filters, newest first; if timestamps are equal, last imported first."""
    start, end = window_of(query)
    records = [
        conversion
        for session in sessions
        if matches(query, filtered_values(session))
        for conversion in session["conversions"]
        if start <= instant(conversion["timestamp"]) <= end
        and matches(
            query,
            {
                "conversion_page": conversion["conversion_page"],
                "meta_type": conversion["conversion_meta"]["type"],
                "meta_id": conversion["conversion_meta"]["id"],
            },
        )
    ]
    return sorted(records, key=lambda record: instant(record["timestamp"]))[::-1]


def pool(sessions: list[dict], query: dict) -> list[int]:
    """Return the indexes of the sessions in the pool of a session query, newest first."""
    start, end = window_of(query)
    indexes = [
        index
        for index, session in enumerate(sessions)
        if matches(query, filtered_values(session))
        and instant(session["started_at"]) <= end
        and instant(session["ended_at"]) >= start
    ]
    return sorted(indexes, key=lambda index: instant(sessions[index]["started_at"]))[::-1]


def expected_page(sessions: list[dict], query: dict) -> dict:
    """Return the expected response to a query with a start_date and an end_date, for the account with these sessions."""
    found = matching(sessions, query)
    if not found:
        return NOTHING
    offset = query.get("offset", 0)
    if not {"source", "medium", "campaign", "content", "term", "landing_page"} & query.keys():
        records, total = found[offset : offset + 50], len(found)
        taken = len(records)
    else:
        indexes = pool(sessions, query)
        total, taken, records = len(indexes), 0, []
        while len(records) < 50 and offset + taken < total:
            taken = min(taken + 200, total - offset)
            batches = indexes[offset : offset + taken]
            records = matching([sessions[index] for index in sorted(batches)], query)
    processed = min(offset + taken, total)
    return {
        "records": records,
        "pagination": {"records_processed": processed, "total_records": total, "has_more": processed < total},
    }
