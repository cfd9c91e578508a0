"""The two strategies by which the endpoint pages, each as SQL beside the sentences of the published text that it carries out.
Decisions 1, 12, 14 to 19, 28.

    page(connection, query)   the page that a request asks for

A query is what schemas.load_query makes of a request's body, with the "account" added: it is also what the statements bind by name.
A filter is in it if the request has it. A page takes several statements: ask for it within one transaction, which is one snapshot.
"""

from typing import NamedTuple

from app.database import Connection
from app.instants import DAY

# "Each page can contain up to 50 records."
PAGE_SIZE = 50

# "The API processes sessions in batches of 200 …"
BATCH_SIZE = 200

# "Its meaning depends on whether session-level filters … are applied." Each name is the request's and the column's.
SESSION_FILTERS = ("source", "medium", "campaign", "content", "term", "landing_page")
CONVERSION_FILTERS = ("conversion_page", "meta_type", "meta_id")


class Page(NamedTuple):
    strategy: str
    conversions: list[tuple]  # in the order of RECORD, newest first
    records_processed: int  # "This value should be used as the offset for the next request."
    total_records: int
    found: list[int]  # conversions of each batch, in the order in which they were taken
    rows_looked_at: int
    nothing_matches: bool  # not on this page alone: no conversion at all matches the filters

    @property
    def batches(self) -> int:
        return len(self.found)

    @property
    def has_more(self) -> bool:
        return self.records_processed < self.total_records


RECORD = """
    conversions.id,
    conversions.email,
    datetime(conversions.timestamp, 'unixepoch') AS timestamp,
    conversions.conversion_page,
    conversions.previous_page,
    conversions.meta_type,
    conversions.meta_id
"""


def page(connection: Connection, query: dict) -> Page:
    """ "The meaning of offset, records_processed, and total_records depends on whether session-level filters … are applied." """
    return session_page(connection, query) if has_session_filter(query) else direct_page(connection, query)


def has_session_filter(query: dict) -> bool:
    """The presence of the key decides, "" included (decision 1)."""
    return any(name in query for name in SESSION_FILTERS)


def _and(filters: tuple[str, ...], query: dict) -> str:
    """ "All filters … use exact match logic"; "all filters are applied using AND conditions"."""
    return "".join(f" AND {name} = :{name}" for name in filters if name in query)


# Without session filters
#
# "The API queries conversion records directly. In this case, the offset parameter refers to the number of conversion records to
# skip. Each request will return up to 50 matching conversions."

DIRECT_TOTAL = """
SELECT count(*)
FROM conversions
WHERE account_id = :account AND timestamp BETWEEN :start AND :end {conversion_filters}
"""

DIRECT_PAGE = f"""
SELECT {RECORD}
FROM conversions
WHERE account_id = :account AND timestamp BETWEEN :start AND :end {{conversion_filters}}
ORDER BY conversions.timestamp DESC, conversions.id DESC
LIMIT {PAGE_SIZE} OFFSET :offset
"""


def direct_page(connection: Connection, query: dict) -> Page:
    """The offset counts conversions."""
    filters = _and(CONVERSION_FILTERS, query)
    ((total,),) = connection.rows(DIRECT_TOTAL.format(conversion_filters=filters), query)
    skipped = min(query["offset"], total)
    conversions = connection.rows(DIRECT_PAGE.format(conversion_filters=filters), query) if skipped < total else []
    processed = skipped + len(conversions)
    return Page("direct", conversions, processed, total, [], total + processed, nothing_matches=total == 0)


# With session filters
#
# "The API first finds sessions that match your filter criteria, then retrieves all conversions associated with those sessions. In
# this case, offset refers to the number of sessions that have been processed — not the number of conversions."
#
# The sessions that match, newest first, are the pool. A session's place in it is its key (started_at, id), and a stretch of the
# pool is what lies between two keys: after the one, up to and including the other. The whole pool is a stretch too: the sessions
# that overlap the window, which can be looked for by started_at because none lasts longer than 24 hours.

STRETCH = """
WITH stretch AS (
    SELECT id, started_at
    FROM sessions
    WHERE account_id = :account {session_filters}
      AND (started_at, id) < (:after_started_at, :after_id)
      AND (started_at, id) >= (:to_started_at, :to_id)
      AND ended_at >= :start
)
"""

SESSION_TOTAL = f"""
{STRETCH}
SELECT count(*) FROM stretch
"""

NTH_SESSION = f"""
{STRETCH}
SELECT started_at, id
FROM stretch
ORDER BY started_at DESC, id DESC
LIMIT 1 OFFSET :n - 1
"""

# CROSS JOIN keeps SQLite from starting with the conversions.
CONVERSIONS_OF_SESSIONS = f"""
{STRETCH}
SELECT {RECORD}
FROM stretch CROSS JOIN conversions ON conversions.session_id = stretch.id
WHERE timestamp BETWEEN :start AND :end {{conversion_filters}}
"""

ANY_CONVERSION = f"""
{STRETCH}
SELECT EXISTS (
    SELECT 1
    FROM stretch CROSS JOIN conversions ON conversions.session_id = stretch.id
    WHERE timestamp BETWEEN :start AND :end {{conversion_filters}}
)
"""


def session_page(connection: Connection, query: dict) -> Page:
    """The offset counts sessions."""
    newest, oldest = (query["end"] + 1, 0), (query["start"] - DAY, 0)
    filters = {
        "session_filters": _and(SESSION_FILTERS, query),
        "conversion_filters": _and(CONVERSION_FILTERS, query),
    }

    def run(statement: str, after=newest, to=oldest, **values) -> list[tuple]:
        stretch = {"after_started_at": after[0], "after_id": after[1], "to_started_at": to[0], "to_id": to[1]}
        return connection.rows(statement.format(**filters), query | stretch | values)

    ((total,),) = run(SESSION_TOTAL)
    processed = min(query["offset"], total)
    last = run(NTH_SESSION, n=processed)[0] if processed else newest

    # "… and continues processing until it collects 50 or more conversion records from each batch or exhausts the session pool."
    conversions, found = [], []
    while len(conversions) < PAGE_SIZE and processed < total:
        batch = min(BATCH_SIZE, total - processed)
        after, last = last, run(NTH_SESSION, after=last, n=batch)[0]
        found_now = run(CONVERSIONS_OF_SESSIONS, after=after, to=last)
        conversions += found_now
        found.append(len(found_now))
        processed += batch

    nothing_matches = not conversions and run(ANY_CONVERSION) == [(0,)]
    conversions.sort(key=lambda row: (row[2], row[0]), reverse=True)
    return Page("session", conversions, processed, total, found, total + processed + len(conversions), nothing_matches)
