"""The two pagination strategies of the endpoint, as whole SQL statements beside the published sentences. Every page is computed
here. Decisions 1, 12, 14 to 19, 28.

A query is what schemas.load_query returns, with the "account_id" and its "longest_session" (seconds) added. The statements bind its
values by name; a filter that the request leaves out is missing from the query. A page takes several statements: run them in one
transaction, so that they read one snapshot.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

import orjson

from .database import Connection

# "Each page can contain up to 50 records."
PAGE_SIZE = 50

# "The API processes sessions in batches of 200 …"
BATCH_SIZE = 200

# "… session-level filters (such as source, medium, or landing_page) …" Each name is a field of the request and a column.
SESSION_FILTERS = ("source", "medium", "campaign", "content", "term", "landing_page")
CONVERSION_FILTERS = ("conversion_page", "meta_type", "meta_id")


class Page(NamedTuple):
    strategy: str  # "direct" or "session"
    conversions: Sequence[tuple]  # id, then the fields of a record; newest first
    records_processed: int  # "This value should be used as the offset for the next request."
    total_records: int
    conversions_per_batch: list[int]  # for each batch of sessions; empty in a direct query
    nothing_matches: bool  # no conversion matches the filters, on this page or on any other
    has_more: bool


# "The meaning of offset, records_processed, and total_records depends on whether session-level filters … are applied."


def page(connection: Connection, query: dict) -> Page:
    """Return the page that the query asks for."""
    return session_page(connection, query) if is_session_query(query) else direct_page(connection, query)


def is_session_query(query: dict) -> bool:
    """Return True if the query has a session filter, even if its value is ""."""
    return any(name in query for name in SESSION_FILTERS)


# "All filters are optional and use exact match logic. You can combine multiple filters to narrow results; all filters are applied
# using AND conditions."


def with_filters(statement: str, query: dict) -> str:
    """Insert the conditions of the filters that the query has."""
    return statement.format(
        session_filters="".join(f" AND {name} = :{name}" for name in SESSION_FILTERS if name in query),
        conversion_filters="".join(f" AND {name} = :{name}" for name in CONVERSION_FILTERS if name in query),
    )


# Direct conversion query
#
# "When no session-level filters are included in the request, the API queries conversion records directly. In this case, the offset
# parameter refers to the number of conversion records to skip. Each request will return up to 50 matching conversions …"

MATCHING_CONVERSIONS = """
SELECT count(*)
FROM conversions
WHERE account_id = :account_id AND timestamp BETWEEN :start AND :end {conversion_filters}
"""

PAGE_OF_CONVERSIONS = f"""
SELECT id, email, datetime(timestamp, 'unixepoch'), conversion_page, previous_page, meta_type, meta_id
FROM conversions
WHERE account_id = :account_id AND timestamp BETWEEN :start AND :end {{conversion_filters}}
ORDER BY timestamp DESC, id DESC
LIMIT {PAGE_SIZE} OFFSET :offset
"""


def direct_page(connection: Connection, query: dict) -> Page:
    total = connection.remembered_number(with_filters(MATCHING_CONVERSIONS, query), query)
    conversions = connection.rows(with_filters(PAGE_OF_CONVERSIONS, query), query)
    processed = min(query["offset"] + len(conversions), total)
    return Page("direct", conversions, processed, total, [], nothing_matches=total == 0, has_more=processed < total)


# Attribution-based query
#
# "When session filters are applied, the API first finds sessions that match your filter criteria, then retrieves all conversions
# associated with those sessions. In this case, offset refers to the number of sessions that have been processed — not the number of
# conversions."
#
# The pool: the sessions that match the session filters and overlap the window, newest first. No session lasts longer than
# longest_session, so one that overlaps the window started at or after :start - :longest_session. An index finds them by this bound.
# These conditions stand in SESSIONS_IN_POOL, POOL and ANY_CONVERSION.
#
# LIMIT -1 means no limit: SQLite accepts OFFSET only after a LIMIT. Sessions that no batch asks for are not read.

SESSIONS_IN_POOL = """
SELECT count(*)
FROM sessions
WHERE account_id = :account_id {session_filters}
  AND started_at BETWEEN :start - :longest_session AND :end AND ended_at >= :start
"""

POOL = """
SELECT id
FROM sessions
WHERE account_id = :account_id {session_filters}
  AND started_at BETWEEN :start - :longest_session AND :end AND ended_at >= :start
ORDER BY started_at DESC, id DESC
LIMIT -1 OFFSET :offset
"""

# CROSS JOIN, here and below, fixes the order of the join: SQLite might otherwise read every conversion in the window first.

CONVERSIONS_OF_BATCH = """
SELECT conversions.id, email, datetime(timestamp, 'unixepoch'), conversion_page, previous_page, meta_type, meta_id
FROM json_each(:batch) AS batch CROSS JOIN conversions ON conversions.session_id = batch.value
WHERE timestamp BETWEEN :start AND :end {conversion_filters}
"""

ANY_CONVERSION = """
SELECT EXISTS (
    SELECT 1
    FROM sessions CROSS JOIN conversions ON conversions.session_id = sessions.id
    WHERE sessions.account_id = :account_id {session_filters}
      AND started_at BETWEEN :start - :longest_session AND :end AND ended_at >= :start
      AND timestamp BETWEEN :start AND :end {conversion_filters}
)
"""


def session_page(connection: Connection, query: dict) -> Page:
    total = connection.remembered_number(with_filters(SESSIONS_IN_POOL, query), query)
    processed, conversions, per_batch = min(query["offset"], total), [], []

    # "The API processes sessions in batches of 200 and continues processing until it collects 50 or more conversion records from
    # each batch or exhausts the session pool." The 50 counts across all batches of a page, not per batch. A page can hold more: it
    # has every conversion of its sessions, since the next offset starts after them, and cutting it would lose the rest.
    for sessions in connection.batches(with_filters(POOL, query), query, BATCH_SIZE):
        batch = orjson.dumps([id for (id,) in sessions]).decode()
        found = connection.rows(with_filters(CONVERSIONS_OF_BATCH, query), query | {"batch": batch})
        conversions += found
        per_batch.append(len(found))
        processed += len(sessions)
        if len(conversions) >= PAGE_SIZE:
            break

    # "If no qualifying conversions are found": on no page, which an empty page alone does not show, unless it is the whole pool.
    nothing_matches = not conversions and (
        query["offset"] == 0 or not connection.remembered_number(with_filters(ANY_CONVERSION, query), query)
    )
    conversions.sort(key=itemgetter(2, 0), reverse=True)  # newest first: timestamp, id
    return Page("session", conversions, processed, total, per_batch, nothing_matches, has_more=processed < total)
