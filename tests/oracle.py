"""Section 2 of the spec over plain lists: what the endpoint must answer, found the slow and obvious way.

Sessions are in the import format. Their order, and that of the conversions in each, is the order of their ids.
"""

from datetime import UTC, datetime, time
from functools import cache

NOTHING = {"message": "No conversions matched the given filters."}


@cache
def instant(text: str) -> datetime:
    """The moment that an ISO date-time names; UTC where it does not say."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def edges(query: dict) -> tuple[datetime, datetime]:
    """The window: a date alone is 00:00:00 as its start, the whole day as its end."""
    start, end = instant(query["start_date"]), instant(query["end_date"])
    return start, datetime.combine(end, time(23, 59, 59), UTC) if len(query["end_date"]) == len("2025-08-01") else end


def meets(query: dict, values: dict) -> bool:
    """Whether each of the values that the query filters by is exactly the one asked for."""
    return all(query[name] == value for name, value in values.items() if name in query)


def filtered_values(session: dict) -> dict:
    """A session's values, for one without a referrer and with a plain landing page."""
    return {
        "source": session.get("utm_source") or "(direct)",
        "medium": session.get("utm_medium") or "(none)",
        "campaign": session.get("utm_campaign") or None,
        "content": session.get("utm_content") or None,
        "term": session.get("utm_term") or None,
        "landing_page": session["landing_page"],
    }


def matching(sessions: list[dict], query: dict) -> list[dict]:
    """The records of these sessions that match all filters, newest first, the last imported first among equals."""
    start, end = edges(query)
    records = [
        conversion
        for session in sessions
        if meets(query, filtered_values(session))
        for conversion in session["conversions"]
        if start <= instant(conversion["timestamp"]) <= end
        and meets(
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
    """The places in the list of the sessions that a session query counts, newest first."""
    start, end = edges(query)
    places = [
        place
        for place, session in enumerate(sessions)
        if meets(query, filtered_values(session))
        and instant(session["started_at"]) <= end
        and instant(session["ended_at"]) >= start
    ]
    return sorted(places, key=lambda place: instant(sessions[place]["started_at"]))[::-1]


def answer(sessions: list[dict], query: dict) -> dict:
    """The answer to a query that has a start_date and an end_date, for the account with these sessions."""
    found = matching(sessions, query)
    if not found:
        return NOTHING
    offset = query.get("offset", 0)
    if not {"source", "medium", "campaign", "content", "term", "landing_page"} & query.keys():
        records, total = found[offset : offset + 50], len(found)
        taken = len(records)
    else:
        places = pool(sessions, query)
        total, taken, records = len(places), 0, []
        while len(records) < 50 and offset + taken < total:
            taken = min(taken + 200, total - offset)
            batches = places[offset : offset + taken]
            records = matching([sessions[place] for place in sorted(batches)], query)
    processed = min(offset + taken, total)
    return {
        "records": records,
        "pagination": {"records_processed": processed, "total_records": total, "has_more": processed < total},
    }
