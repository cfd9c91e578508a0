"""The two strategies by which the endpoint pages, each as SQL beside the sentences of the published text that it carries out.
Decisions 1, 12, 14 to 19, 28.

    page(connection, query)           the page that a request asks for, by plain statements: the definition
    page(connection, query, memory)   the equal page, at a cost that does not grow with the offset

A query is what schemas.load_query makes of a request's body, with the "account" added: it is also what the statements bind by name.
A filter is in it if the request has it. A page takes several statements: ask for it within one transaction, which is one snapshot.
"""

from operator import itemgetter
from typing import NamedTuple

from app.database import Connection
from app.fast.fences import Fences, Memory, Place
from app.instants import DAY

# "Each page can contain up to 50 records."
PAGE_SIZE = 50

# "The API processes sessions in batches of 200 …"
BATCH_SIZE = 200

# "Session-level filters (such as source, medium, or landing_page)". Each name is the request's and the column's.
SESSION_FILTERS = ("source", "medium", "campaign", "content", "term", "landing_page")
CONVERSION_FILTERS = ("conversion_page", "meta_type", "meta_id")


class Page(NamedTuple):
    strategy: str
    conversions: list[tuple]  # in the order of RECORD, newest first
    records_processed: int  # "This value should be used as the offset for the next request."
    total_records: int
    batches: int
    found: list[int]  # how many conversions each batch held; with a memory, of batches beyond memory.batches_in_turn nothing
    rows_looked_at: int  # by the plain statements; what is remembered spares most of them
    nothing_matches: bool  # not on this page alone: no conversion at all matches the filters

    @property
    def has_more(self) -> bool:
        return self.records_processed < self.total_records


RECORD = "conversions.id, email, datetime(timestamp, 'unixepoch'), conversion_page, previous_page, meta_type, meta_id"


def page(connection: Connection, query: dict, memory: Memory | None = None) -> Page:
    """ "The meaning of offset, records_processed, and total_records depends on whether session-level filters … are applied." """
    has_session_filter = any(name in query for name in SESSION_FILTERS)  # "" is one too
    return (session_page if has_session_filter else direct_page)(connection, query, memory)


def _and(filters: tuple[str, ...], query: dict) -> str:
    """ "All filters … use exact match logic"; "all filters are applied using AND conditions"."""
    return "".join(f" AND {name} = :{name}" for name in filters if name in query)


# What is remembered between requests
#
# With a memory, a filter's first request counts its matches and keeps every 1,000th place as a fence (fences.py); without one, the
# statements below do all the work each time. The pages are equal, for a fence is only a nearer place to count from. Its name is the
# generation of the data, and the moments that occur in it next to the window's ends: two windows between the same moments hold the
# same conversions, and the same sessions, if also the same ones begin and end.

MOMENTS = """
SELECT
    (SELECT number FROM generation),
    (SELECT min(timestamp) FROM conversions WHERE account_id = :account AND timestamp >= :start),
    (SELECT max(timestamp) FROM conversions WHERE account_id = :account AND timestamp <= :end)
"""

MOMENTS_OF_SESSIONS = """
SELECT
    (SELECT number FROM generation),
    (SELECT max(started_at) FROM sessions WHERE account_id = :account AND {one_filter} = :{one_filter} AND started_at <= :end),
    (SELECT min(ended_at) FROM sessions WHERE account_id = :account AND ended_at >= :start),
    (SELECT min(timestamp) FROM conversions WHERE account_id = :account AND timestamp >= :start),
    (SELECT max(timestamp) FROM conversions WHERE account_id = :account AND timestamp <= :end)
"""


def _filters(names: tuple[str, ...], query: dict) -> tuple:
    return tuple((name, query[name]) for name in names if name in query)


def _fences(run, nth: str, count: str, newest: Place, step: int) -> Fences:
    """The place of every step-th match, and the number of all: one pass over what matches."""
    fences, last = Fences(newest, step), newest
    while found := run(nth, last, n=step):
        (last,) = found
        fences.add(last)
    fences.total += run(count, last)[0][0]
    return fences


# Without session filters
#
# "The API queries conversion records directly. In this case, the offset parameter refers to the number of conversion records to
# skip. Each request will return up to 50 matching conversions."
#
# A conversion's place in the order is (timestamp, id), and what follows a place is found by the index.

DIRECT_TOTAL = """
SELECT count(*)
FROM conversions
WHERE account_id = :account {conversion_filters} AND (timestamp, id) < (:after_time, :after_id) AND timestamp >= :start
"""

NTH_CONVERSION = """
SELECT timestamp, id
FROM conversions
WHERE account_id = :account {conversion_filters} AND (timestamp, id) < (:after_time, :after_id) AND timestamp >= :start
ORDER BY timestamp DESC, id DESC
LIMIT 1 OFFSET :n - 1
"""

DIRECT_PAGE = f"""
SELECT {RECORD}
FROM conversions
WHERE account_id = :account {{conversion_filters}} AND (timestamp, id) < (:after_time, :after_id) AND timestamp >= :start
ORDER BY timestamp DESC, id DESC
LIMIT {PAGE_SIZE} OFFSET :skip
"""


def direct_page(connection: Connection, query: dict, memory: Memory | None) -> Page:
    """The offset counts conversions."""
    newest = (query["end"] + 1, 0)
    filters = {"conversion_filters": _and(CONVERSION_FILTERS, query)}

    def run(statement: str, after: Place = newest, **values) -> list[tuple]:
        return connection.rows(statement.format(**filters), query | {"after_time": after[0], "after_id": after[1]} | values)

    if memory is None:
        fences = Fences(newest, total=run(DIRECT_TOTAL)[0][0])
    else:
        matches = (query["account"], *_filters(CONVERSION_FILTERS, query), *connection.rows(MOMENTS, query)[0])
        fences = memory.recall(matches, lambda: _fences(run, NTH_CONVERSION, DIRECT_TOTAL, newest, memory.step))
    skipped = min(query["offset"], fences.total)
    after, skip = fences.before(skipped)
    conversions = run(DIRECT_PAGE, after, skip=skip) if skipped < fences.total else []
    processed = skipped + len(conversions)
    return Page("direct", conversions, processed, fences.total, 0, [], fences.total + processed, nothing_matches=fences.total == 0)


# With session filters
#
# "The API first finds sessions that match your filter criteria, then retrieves all conversions associated with those sessions. In
# this case, offset refers to the number of sessions that have been processed — not the number of conversions."
#
# The sessions that match, newest first, are the pool. A session's place in it is (started_at, id), and a stretch of the pool is
# what lies between two places: after the one, up to and including the other. The whole pool is a stretch too: the sessions that
# overlap the window, which can be looked for by started_at because none lasts longer than 24 hours.

STRETCH = """
WITH stretch AS (
    SELECT id, started_at, converts
    FROM sessions
    WHERE account_id = :account {session_filters}
      AND (started_at, id) < (:after_time, :after_id)
      AND (started_at, id) >= (:to_time, :to_id)
      AND ended_at >= :start
)
"""

SESSION_TOTAL = f"{STRETCH} SELECT count(*) FROM stretch"

NTH_SESSION = f"""
{STRETCH}
SELECT started_at, id
FROM stretch
ORDER BY started_at DESC, id DESC
LIMIT 1 OFFSET :n - 1
"""

# Only sessions that convert have conversions: an index has them alone. CROSS JOIN keeps SQLite from starting with the conversions.
CONVERSIONS_OF_SESSIONS = f"""
{STRETCH}
SELECT {RECORD}
FROM stretch CROSS JOIN conversions ON conversions.session_id = stretch.id
WHERE converts = 1 AND timestamp BETWEEN :start AND :end {{conversion_filters}}
"""

SESSIONS_OF_NEXT_CONVERSIONS = f"""
{STRETCH}
SELECT stretch.started_at, stretch.id
FROM stretch CROSS JOIN conversions ON conversions.session_id = stretch.id
WHERE converts = 1 AND timestamp BETWEEN :start AND :end {{conversion_filters}}
ORDER BY stretch.started_at DESC, stretch.id DESC
LIMIT :n
"""


def session_page(connection: Connection, query: dict, memory: Memory | None) -> Page:
    """The offset counts sessions."""
    newest, oldest = (query["end"] + 1, 0), (query["start"] - DAY, 0)
    filters = {"session_filters": _and(SESSION_FILTERS, query), "conversion_filters": _and(CONVERSION_FILTERS, query)}

    def run(statement: str, after: Place = newest, to: Place = oldest, **values) -> list[tuple]:
        stretch = {"after_time": after[0], "after_id": after[1], "to_time": to[0], "to_id": to[1]}
        return connection.rows(statement.format(**filters), query | stretch | values)

    def nth(n: int, after: Place) -> Place:
        """The n-th session after a place; of none the place itself."""
        return run(NTH_SESSION, after, n=n)[0] if n else after

    if memory is None:
        fences = Fences(newest, total=run(SESSION_TOTAL)[0][0])
    else:
        session_filters = _filters(SESSION_FILTERS, query)
        moments = connection.rows(MOMENTS_OF_SESSIONS.format(one_filter=session_filters[0][0]), query)[0]
        generation, last_start, first_end, *_ = moments
        pool = (query["account"], *session_filters, generation, last_start, first_end)
        matches = (query["account"], *session_filters, *_filters(CONVERSION_FILTERS, query), *moments)
        fences = memory.recall(pool, lambda: _fences(run, NTH_SESSION, SESSION_TOTAL, newest, memory.step))
    total = fences.total
    skipped = min(query["offset"], total)
    after, rest = fences.before(skipped)
    last = nth(rest, after)

    # "The API processes sessions in batches of 200 and continues processing until it collects 50 or more conversion records from
    # each batch or exhausts the session pool."
    conversions, found, processed = [], [], skipped
    while len(conversions) < PAGE_SIZE and processed < total and not (memory and len(found) == memory.batches_in_turn):
        batch = min(BATCH_SIZE, total - processed)
        after, last = last, nth(batch, last)
        of_batch = run(CONVERSIONS_OF_SESSIONS, after, last)
        conversions += of_batch
        found.append(len(of_batch))
        processed += batch

    if len(conversions) < PAGE_SIZE and processed < total:
        # Few so far. The page ends with the batch that brings them to 50: find the session of the 50th, count up to it, round up.
        def find_end() -> tuple[int, Place | None]:
            missing = PAGE_SIZE - len(conversions)
            next_sessions = run(SESSIONS_OF_NEXT_CONVERSIONS, last, n=missing)
            if len(next_sessions) < missing:
                return total, next_sessions[-1] if next_sessions else None
            fence, counted = max(fences.newer_than(next_sessions[-1]), (last, processed), key=itemgetter(1))
            counted += run(SESSION_TOTAL, fence, next_sessions[-1])[0][0]
            batches = -(-(counted - skipped) // BATCH_SIZE)
            end = min(skipped + batches * BATCH_SIZE, total)
            return end, nth(end - counted, next_sessions[-1])

        processed, end = memory.recall(("end", skipped, *matches), find_end)
        conversions += run(CONVERSIONS_OF_SESSIONS, last, end) if end else []

    # The message of "nothing found" is for filters that match no conversion at all: not on this page, nor before it.
    def find_any() -> bool:
        return bool(run(SESSIONS_OF_NEXT_CONVERSIONS, n=1))

    nothing_matches = not conversions
    if nothing_matches and skipped > 0:
        nothing_matches = not (memory.recall(("any", *matches), find_any) if memory else find_any())
    conversions.sort(key=lambda row: (row[2], row[0]), reverse=True)
    batches = -(-(processed - skipped) // BATCH_SIZE)
    return Page("session", conversions, processed, total, batches, found, total + processed + len(conversions), nothing_matches)
