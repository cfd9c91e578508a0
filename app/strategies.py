"""The two strategies by which the endpoint pages, each as SQL beside the sentences of the published text that it carries out.
Decisions 1, 12, 14 to 19, 28.

    page(connection, query)           the page that a request asks for: this defines it
    page(connection, query, memory)   the same, at the same cost for every page, with what is remembered between requests

A query is what schemas.load_query makes of a request's body, with the "account" added: it is also what the statements bind by name.
A filter is in it if the request has it. A page takes several statements: ask for it within one transaction, which is one snapshot.
"""

from operator import itemgetter
from typing import NamedTuple

from app.database import Connection
from app.fences import Fences, Key, Memory
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
    found: list[int]  # the conversions of each batch, but of those that were passed over together
    rows_looked_at: int
    nothing_matches: bool  # not on this page alone: no conversion at all matches the filters

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


def page(connection: Connection, query: dict, memory: Memory | None = None) -> Page:
    """ "The meaning of offset, records_processed, and total_records depends on whether session-level filters … are applied." """
    strategy = session_page if has_session_filter(query) else direct_page
    return strategy(connection, query, memory)


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
#
# A conversion's place in the order has a key (timestamp, id), and what follows a key is found by the index.

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
ORDER BY conversions.timestamp DESC, conversions.id DESC
LIMIT {PAGE_SIZE} OFFSET :skip
"""


def direct_page(connection: Connection, query: dict, memory: Memory | None = None) -> Page:
    """The offset counts conversions."""
    newest = (query["end"] + 1, 0)
    filters = {"conversion_filters": _and(CONVERSION_FILTERS, query)}

    def run(statement: str, after: Key = newest, **values) -> list[tuple]:
        return connection.rows(statement.format(**filters), query | {"after_time": after[0], "after_id": after[1]} | values)

    if memory is None:
        ((total,),) = run(DIRECT_TOTAL)
        skipped = min(query["offset"], total)
        after, skip = newest, skipped
    else:
        # The same place, reached from the last fence before it.
        matches = (query["account"], *_filters(CONVERSION_FILTERS, query), *connection.rows(MOMENTS, query)[0])
        fences = memory.recall(matches, lambda: _fences(run, NTH_CONVERSION, DIRECT_TOTAL, newest, memory.step))
        total = fences.total
        skipped = min(query["offset"], total)
        after, skip = fences.before(skipped, newest)

    conversions = run(DIRECT_PAGE, after, skip=skip) if skipped < total else []
    processed = skipped + len(conversions)
    return Page("direct", conversions, processed, total, 0, [], total + processed, nothing_matches=total == 0)


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
      AND (started_at, id) < (:after_time, :after_id)
      AND (started_at, id) >= (:to_time, :to_id)
      AND ended_at >= :start
)
"""

# Only sessions that convert have conversions: an index finds them alone.
CONVERTING_STRETCH = STRETCH.replace("ended_at >= :start", "ended_at >= :start AND converts = 1")

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

# CROSS JOIN keeps SQLite from starting with the conversions, here and below.
CONVERSIONS_OF_SESSIONS = f"""
{CONVERTING_STRETCH}
SELECT {RECORD}
FROM stretch CROSS JOIN conversions ON conversions.session_id = stretch.id
WHERE timestamp BETWEEN :start AND :end {{conversion_filters}}
"""

SESSIONS_OF_NEXT_CONVERSIONS = f"""
{CONVERTING_STRETCH}
SELECT stretch.started_at, stretch.id
FROM stretch CROSS JOIN conversions ON conversions.session_id = stretch.id
WHERE timestamp BETWEEN :start AND :end {{conversion_filters}}
ORDER BY stretch.started_at DESC, stretch.id DESC
LIMIT :n
"""


def session_page(connection: Connection, query: dict, memory: Memory | None = None) -> Page:
    """The offset counts sessions."""
    newest, oldest = (query["end"] + 1, 0), (query["start"] - DAY, 0)
    filters = {"session_filters": _and(SESSION_FILTERS, query), "conversion_filters": _and(CONVERSION_FILTERS, query)}

    def run(statement: str, after: Key = newest, to: Key = oldest, **values) -> list[tuple]:
        stretch = {"after_time": after[0], "after_id": after[1], "to_time": to[0], "to_id": to[1]}
        return connection.rows(statement.format(**filters), query | stretch | values)

    def nth(n: int, after: Key) -> Key:
        """The key of the n-th session after a key; of none the key itself."""
        return run(NTH_SESSION, after, n=n)[0] if n else after

    if memory is None:
        ((total,),) = run(SESSION_TOTAL)
        skipped = min(query["offset"], total)
        last = nth(skipped, newest)
    else:
        # The same place, reached from the last fence before it.
        generation, starts, ends, *moments = connection.rows(
            MOMENTS_OF_SESSIONS.format(filter=_filters(SESSION_FILTERS, query)[0][0]), query
        )[0]
        pool = (query["account"], *_filters(SESSION_FILTERS, query), generation, starts, ends)
        fences = memory.recall(pool, lambda: _fences(run, NTH_SESSION, SESSION_TOTAL, newest, memory.step))
        total = fences.total
        skipped = min(query["offset"], total)
        after, rest = fences.before(skipped, newest)
        last = nth(rest, after)

    # "The API processes sessions in batches of 200 and continues processing until it collects 50 or more conversion records from
    # each batch or exhausts the session pool."
    conversions, found, processed = [], [], skipped
    while len(conversions) < PAGE_SIZE and processed < total and not (memory and len(found) == memory.patience):
        batch = min(BATCH_SIZE, total - processed)
        after, last = last, nth(batch, last)
        of_batch = run(CONVERSIONS_OF_SESSIONS, after, last)
        conversions += of_batch
        found.append(len(of_batch))
        processed += batch

    if len(conversions) < PAGE_SIZE and processed < total:
        # A pool with hardly any conversions, and the same without its empty batches: the batch that brings the conversions to 50
        # is the one that holds the session of the 50th, so that session's place, rounded up to a whole batch, is the page's end.
        def find_end() -> tuple[int, Key | None]:
            missing = PAGE_SIZE - len(conversions)
            next_sessions = run(SESSIONS_OF_NEXT_CONVERSIONS, last, n=missing)
            if len(next_sessions) < missing:
                return total, next_sessions[-1] if next_sessions else None
            fence, place = max(fences.newer_than(next_sessions[-1], newest), (last, processed), key=itemgetter(1))
            ((more,),) = run(SESSION_TOTAL, fence, next_sessions[-1])
            batches = -(-(place + more - skipped) // BATCH_SIZE)
            end = min(skipped + batches * BATCH_SIZE, total)
            return end, nth(end - place - more, next_sessions[-1])

        matches = ("end", skipped, *pool, *_filters(CONVERSION_FILTERS, query), *moments)
        processed, end = memory.recall(matches, find_end)
        conversions += run(CONVERSIONS_OF_SESSIONS, last, end) if end else []

    # The message of "nothing found" is for filters that match no conversion at all: not on this page, nor before it.
    nothing_matches = not conversions and (skipped == 0 or not run(SESSIONS_OF_NEXT_CONVERSIONS, n=1))
    conversions.sort(key=lambda row: (row[2], row[0]), reverse=True)
    batches = -(-(processed - skipped) // BATCH_SIZE)
    return Page("session", conversions, processed, total, batches, found, total + processed + len(conversions), nothing_matches)


# What is remembered between requests (fences.py): of a generation of the data, and of the moments that occur next to the window's
# ends. Two windows between the same moments hold the same conversions; the same sessions, if also the same ones begin and end.

MOMENTS = """
SELECT
    (SELECT number FROM generation),
    (SELECT min(timestamp) FROM conversions WHERE account_id = :account AND timestamp >= :start),
    (SELECT max(timestamp) FROM conversions WHERE account_id = :account AND timestamp <= :end)
"""

MOMENTS_OF_SESSIONS = """
SELECT
    (SELECT number FROM generation),
    (SELECT max(started_at) FROM sessions WHERE account_id = :account AND {filter} = :{filter} AND started_at <= :end),
    (SELECT min(ended_at) FROM sessions WHERE account_id = :account AND ended_at >= :start),
    (SELECT min(timestamp) FROM conversions WHERE account_id = :account AND timestamp >= :start),
    (SELECT max(timestamp) FROM conversions WHERE account_id = :account AND timestamp <= :end)
"""


def _filters(names: tuple[str, ...], query: dict) -> tuple:
    return tuple((name, query[name]) for name in names if name in query)


def _fences(run, nth: str, count: str, newest: Key, step: int) -> Fences:
    """Every so-manieth key, and the number of all: one pass over what matches."""
    fences, last = Fences(step), newest
    while found := run(nth, last, n=step):
        (last,) = found
        fences.add(last)
    fences.total += run(count, last)[0][0]
    return fences
