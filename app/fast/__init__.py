"""The pages of app/strategies.py at a cost that does not grow with the offset. Optional: strategies.page returns the same pages.

Instead of skipping rows with OFFSET, these statements seek: they read the rows after a sort key. A cached sparse index
(sparse_index.py) gives the sort key of an offset, and the number of all matches.

A cached value is right as long as the rows in the window are the same. So its key contains the data version, which every import and
seeding changes, and instead of the window the first and last times in the data that lie inside it: windows with the same first and
last times hold the same rows. So a default window, which ends now, still finds its cached values a second later.
"""

from collections.abc import Callable

from app.database import Connection
from app.fast.sparse_index import Cache, SortKey, build_fences
from app.strategies import (
    BATCH_SIZE,
    CONVERSION_FILTERS,
    PAGE_SIZE,
    SESSION_FILTERS,
    Page,
    is_session_query,
    newest_first,
    with_filters,
)

# On a page of many batches, only the conversions of the first ones are told apart.
BATCHES_TOLD_APART = 7


def page(connection: Connection, query: dict, cache: Cache) -> Page:
    """Return the page that strategies.page returns, except that "found" tells of the first seven batches at most."""
    return session_page(connection, query, cache) if is_session_query(query) else direct_page(connection, query, cache)


# Direct conversion query

CONVERSIONS_IN_WINDOW = """
SELECT
    (SELECT number FROM data_version),
    (SELECT min(timestamp) FROM conversions WHERE account_id = :account AND timestamp >= :start),
    (SELECT max(timestamp) FROM conversions WHERE account_id = :account AND timestamp <= :end)
"""

COUNT_CONVERSIONS = """
SELECT count(*)
FROM conversions
WHERE account_id = :account AND (timestamp, id) < (:time, :id) AND timestamp >= :start {conversion_filters}
"""

NTH_CONVERSION = """
SELECT timestamp, id
FROM conversions
WHERE account_id = :account AND (timestamp, id) < (:time, :id) AND timestamp >= :start {conversion_filters}
ORDER BY timestamp DESC, id DESC
LIMIT 1 OFFSET :n - 1
"""

PAGE_OF_CONVERSIONS = f"""
SELECT id, email, datetime(timestamp, 'unixepoch'), conversion_page, previous_page, meta_type, meta_id
FROM conversions
WHERE account_id = :account AND (timestamp, id) < (:time, :id) AND timestamp >= :start {{conversion_filters}}
ORDER BY timestamp DESC, id DESC
LIMIT {PAGE_SIZE} OFFSET :skip
"""


def direct_page(connection: Connection, query: dict, cache: Cache) -> Page:
    run = _runner(connection, query)
    newest = (query["end"] + 1, 0)

    def nth(n: int, after: SortKey) -> SortKey | None:
        return next(iter(run(NTH_CONVERSION, after, n=n)), None)

    def count(after: SortKey) -> int:
        return run(COUNT_CONVERSIONS, after)[0][0]

    matches = (query["account"], _present(CONVERSION_FILTERS, query), *connection.rows(CONVERSIONS_IN_WINDOW, query)[0])
    fences = cache.get_or_compute(matches, lambda: build_fences(newest, nth, count, cache.step))
    skipped = min(query["offset"], fences.total)
    fence, skip = fences.before(skipped)
    conversions = run(PAGE_OF_CONVERSIONS, fence, skip=skip) if skipped < fences.total else []
    return Page(
        "direct", conversions, skipped + len(conversions), fences.total, batches=0, found=[], nothing_matches=fences.total == 0
    )


# Attribution-based query
#
# A key range of the pool is the sessions after one sort key, up to and including another.

SESSIONS_IN_WINDOW = """
SELECT
    (SELECT number FROM data_version),
    (SELECT max(started_at) FROM sessions WHERE account_id = :account AND {one_filter} = :{one_filter} AND started_at <= :end),
    (SELECT min(ended_at) FROM sessions WHERE account_id = :account AND ended_at >= :start)
"""

COUNT_SESSIONS = """
SELECT count(*)
FROM sessions
WHERE account_id = :account {session_filters}
  AND (started_at, id) < (:time, :id) AND (started_at, id) >= (:to_time, :to_id) AND ended_at >= :start
"""

NTH_SESSION = """
SELECT started_at, id
FROM sessions
WHERE account_id = :account {session_filters}
  AND (started_at, id) < (:time, :id) AND (started_at, id) >= (:to_time, :to_id) AND ended_at >= :start
ORDER BY started_at DESC, id DESC
LIMIT 1 OFFSET :n - 1
"""

# An index holds only the sessions that convert. CROSS JOIN makes SQLite start with the sessions.
SESSIONS_OF_NEXT_CONVERSIONS = """
SELECT started_at, sessions.id
FROM sessions CROSS JOIN conversions ON conversions.session_id = sessions.id
WHERE sessions.account_id = :account {session_filters} AND converts = 1
  AND (started_at, sessions.id) < (:time, :id) AND (started_at, sessions.id) >= (:to_time, :to_id) AND ended_at >= :start
  AND timestamp BETWEEN :start AND :end {conversion_filters}
ORDER BY started_at DESC, sessions.id DESC
LIMIT :n
"""

CONVERSIONS_OF_SESSIONS = """
SELECT conversions.id, email, datetime(timestamp, 'unixepoch'), conversion_page, previous_page, meta_type, meta_id
FROM sessions CROSS JOIN conversions ON conversions.session_id = sessions.id
WHERE sessions.account_id = :account {session_filters} AND converts = 1
  AND (started_at, sessions.id) < (:time, :id) AND (started_at, sessions.id) >= (:to_time, :to_id) AND ended_at >= :start
  AND timestamp BETWEEN :start AND :end {conversion_filters}
"""


def session_page(connection: Connection, query: dict, cache: Cache) -> Page:
    newest, oldest = (query["end"] + 1, 0), (query["start"] - query["longest_session"], 0)
    run = _runner(connection, query, oldest)

    def nth(n: int, after: SortKey) -> SortKey | None:
        """Return the sort key of the n-th session after another one; of the 0-th, that one itself."""
        return next(iter(run(NTH_SESSION, after, n=n)), None) if n else after

    def count(after: SortKey, to: SortKey = oldest) -> int:
        return run(COUNT_SESSIONS, after, to)[0][0]

    filters = _present(SESSION_FILTERS, query)
    sessions = connection.rows(SESSIONS_IN_WINDOW.format(one_filter=filters[0]), query)[0]
    pool = (query["account"], filters, *sessions)
    matches = (*pool, _present(CONVERSION_FILTERS, query), *connection.rows(CONVERSIONS_IN_WINDOW, query)[0])
    fences = cache.get_or_compute(pool, lambda: build_fences(newest, nth, count, cache.step))
    total = fences.total
    skipped = min(query["offset"], total)

    def find_start() -> SortKey:
        fence, rest = fences.before(skipped)
        return nth(rest, fence)

    def find_end() -> tuple[SortKey, SortKey | None, int, list[int]]:
        """Find where the page starts and ends, how many sessions it takes, and what its batches before the last one had.

        The page ends with the batch that brings it to 50 conversions: that of the session with the 50th.
        """
        start = find_start()
        next_sessions = run(SESSIONS_OF_NEXT_CONVERSIONS, start, n=PAGE_SIZE)
        if len(next_sessions) < PAGE_SIZE:  # "or exhausts the session pool"
            end, taken = next_sessions[-1] if next_sessions else None, total - skipped
        else:
            fence, before = max(fences.newer_than(next_sessions[-1]), (start, skipped), key=lambda place: place[1])
            position = before + count(fence, next_sessions[-1])
            taken = min(_batches(position - skipped) * BATCH_SIZE, total - skipped)
            end = nth(skipped + taken - position, next_sessions[-1])
        found, key = [], start
        for _ in range(min(_batches(taken) - 1, BATCHES_TOLD_APART)):
            after, key = key, nth(BATCH_SIZE, key)
            found.append(sum(key <= session < after for session in next_sessions))
        return start, end, taken, found

    start, end, taken, found = cache.get_or_compute(("page", skipped, *matches), find_end)
    conversions = newest_first(run(CONVERSIONS_OF_SESSIONS, start, end)) if end else []
    if len(found) < min(_batches(taken), BATCHES_TOLD_APART):
        found = [*found, len(conversions) - sum(found)]

    def find_none() -> bool:
        return not run(SESSIONS_OF_NEXT_CONVERSIONS, newest, n=1)

    nothing_matches = not conversions and (skipped == 0 or cache.get_or_compute(("nothing", *matches), find_none))
    return Page("session", conversions, skipped + taken, total, _batches(taken), found, nothing_matches)


def _runner(connection: Connection, query: dict, oldest: SortKey = (0, 0)) -> Callable:
    """Return a function that runs a statement on the rows after one sort key, up to and including another."""

    def run(statement: str, after: SortKey, to: SortKey = oldest, **values) -> list[tuple]:
        key_range = {"time": after[0], "id": after[1], "to_time": to[0], "to_id": to[1]}
        return connection.rows(with_filters(statement, query), query | key_range | values)

    return run


def _batches(sessions: int) -> int:
    return -(-sessions // BATCH_SIZE)  # rounded up


def _present(names: tuple[str, ...], query: dict) -> tuple:
    return tuple(part for name in names if name in query for part in (name, query[name]))
