"""The pages of app/strategies.py at a cost that does not grow with the offset: an optimization, and not part of the definition.

Instead of skipping rows with OFFSET, these statements seek: they read the rows after a sort key. A cached sparse index
(sparse_index.py) gives the sort key of an offset, and the number of all matches.

A cached value is valid while the window holds the same rows. So its key has the data version, which every import and seeding
replaces, and instead of the window the times in the data next to its ends: the first and last conversion within it, and for
sessions the last start and the first end. Windows with the same times hold the same rows, so a default window, which ends now,
still finds its cached values a second later.
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

# The conversions per batch are only for display. Finding where each of many batches ends would cost more than the page.
BATCHES_REPORTED = 7


def page(connection: Connection, query: dict, cache: Cache) -> Page:
    """Return the page that strategies.page returns, except that conversions_per_batch covers the first seven batches at most."""
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
WHERE account_id = :account AND (timestamp, id) < (:after_time, :after_id) AND timestamp >= :start {conversion_filters}
"""

NTH_CONVERSION = """
SELECT timestamp, id
FROM conversions
WHERE account_id = :account AND (timestamp, id) < (:after_time, :after_id) AND timestamp >= :start {conversion_filters}
ORDER BY timestamp DESC, id DESC
LIMIT 1 OFFSET :n - 1
"""

PAGE_OF_CONVERSIONS = f"""
SELECT id, email, datetime(timestamp, 'unixepoch'), conversion_page, previous_page, meta_type, meta_id
FROM conversions
WHERE account_id = :account AND (timestamp, id) < (:after_time, :after_id) AND timestamp >= :start {{conversion_filters}}
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

    matches_key = (query["account"], _present(CONVERSION_FILTERS, query), *connection.rows(CONVERSIONS_IN_WINDOW, query)[0])
    fences = cache.get_or_compute(matches_key, lambda: build_fences(newest, nth, count, cache.step))
    skipped = min(query["offset"], fences.total)
    fence, skip = fences.before(skipped)
    conversions = run(PAGE_OF_CONVERSIONS, fence, skip=skip) if skipped < fences.total else []
    return Page(
        "direct",
        conversions,
        skipped + len(conversions),
        fences.total,
        batches=0,
        conversions_per_batch=[],
        nothing_matches=fences.total == 0,
    )


# Attribution-based query
#
# A key range of the pool is the sessions after one sort key, up to and including another.

POOL_IN_WINDOW = """
SELECT
    (SELECT number FROM data_version),
    (SELECT max(started_at) FROM sessions WHERE account_id = :account AND {one_filter} = :{one_filter} AND started_at <= :end),
    (SELECT min(ended_at) FROM sessions WHERE account_id = :account AND ended_at >= :start),
    (SELECT min(timestamp) FROM conversions WHERE account_id = :account AND timestamp >= :start),
    (SELECT max(timestamp) FROM conversions WHERE account_id = :account AND timestamp <= :end)
"""

COUNT_SESSIONS = """
SELECT count(*)
FROM sessions
WHERE account_id = :account {session_filters}
  AND (started_at, id) < (:after_time, :after_id) AND (started_at, id) >= (:last_time, :last_id) AND ended_at >= :start
"""

NTH_SESSION = """
SELECT started_at, id
FROM sessions
WHERE account_id = :account {session_filters}
  AND (started_at, id) < (:after_time, :after_id) AND (started_at, id) >= (:last_time, :last_id) AND ended_at >= :start
ORDER BY started_at DESC, id DESC
LIMIT 1 OFFSET :n - 1
"""

# With "converts = 1" SQLite reads an index of only the sessions that convert. CROSS JOIN fixes the order of the join.
SESSIONS_OF_NEXT_CONVERSIONS = """
SELECT started_at, sessions.id
FROM sessions CROSS JOIN conversions ON conversions.session_id = sessions.id
WHERE sessions.account_id = :account {session_filters} AND converts = 1
  AND (started_at, sessions.id) < (:after_time, :after_id) AND (started_at, sessions.id) >= (:last_time, :last_id)
  AND ended_at >= :start
  AND timestamp BETWEEN :start AND :end {conversion_filters}
ORDER BY started_at DESC, sessions.id DESC
LIMIT :n
"""

CONVERSIONS_OF_SESSIONS = """
SELECT conversions.id, email, datetime(timestamp, 'unixepoch'), conversion_page, previous_page, meta_type, meta_id
FROM sessions CROSS JOIN conversions ON conversions.session_id = sessions.id
WHERE sessions.account_id = :account {session_filters} AND converts = 1
  AND (started_at, sessions.id) < (:after_time, :after_id) AND (started_at, sessions.id) >= (:last_time, :last_id)
  AND ended_at >= :start
  AND timestamp BETWEEN :start AND :end {conversion_filters}
"""


def session_page(connection: Connection, query: dict, cache: Cache) -> Page:
    newest, oldest = (query["end"] + 1, 0), (query["start"] - query["longest_session"], 0)
    run = _runner(connection, query, oldest)

    def nth(n: int, after: SortKey) -> SortKey | None:
        """Return the sort key of the n-th session after another one; of the 0-th, that one itself."""
        return next(iter(run(NTH_SESSION, after, n=n)), None) if n else after

    def count(after: SortKey, last: SortKey = oldest) -> int:
        return run(COUNT_SESSIONS, after, last)[0][0]

    filters = _present(SESSION_FILTERS, query)
    pool_in_window = POOL_IN_WINDOW.format(one_filter=filters[0])
    ((version, last_start, first_end, *conversion_times),) = connection.rows(pool_in_window, query)
    pool_key = (query["account"], filters, version, last_start, first_end)
    matches_key = (*pool_key, _present(CONVERSION_FILTERS, query), *conversion_times)
    fences = cache.get_or_compute(pool_key, lambda: build_fences(newest, nth, count, cache.step))
    total = fences.total
    skipped = min(query["offset"], total)

    def find_ends() -> tuple[SortKey, SortKey | None, int, list[int]]:
        """Find where the page starts and ends, how many sessions it takes, and what its batches before the last one had.

        The page ends with the batch that brings it to 50 conversions: that of the session with the 50th.
        """
        fence, rest = fences.before(skipped)
        start = nth(rest, fence)
        next_sessions = run(SESSIONS_OF_NEXT_CONVERSIONS, start, n=PAGE_SIZE)
        is_full = len(next_sessions) == PAGE_SIZE

        end, taken, per_batch = start, 0, []
        while skipped + taken < total and len(per_batch) < BATCHES_REPORTED:
            after, batch = end, min(BATCH_SIZE, total - skipped - taken)
            end, taken = nth(batch, end), taken + batch
            if skipped + taken == total or (is_full and end <= next_sessions[-1]):
                return start, end, taken, per_batch
            per_batch.append(sum(end <= session < after for session in next_sessions))

        if not is_full:  # "or exhausts the session pool"
            return start, next_sessions[-1] if next_sessions else None, total - skipped, per_batch
        # Count up to the session from the last fence before it, or from where the batches ended if that is nearer.
        nearest, number = max(fences.newer_than(next_sessions[-1]), (end, skipped + taken), key=lambda known: known[1])
        position = number + count(nearest, next_sessions[-1])
        taken = min(_batches(position - skipped) * BATCH_SIZE, total - skipped)
        return start, nth(skipped + taken - position, next_sessions[-1]), taken, per_batch

    start, end, taken, per_batch = cache.get_or_compute(("page", skipped, *matches_key), find_ends)
    conversions = newest_first(run(CONVERSIONS_OF_SESSIONS, start, end)) if end else []
    if len(per_batch) < min(_batches(taken), BATCHES_REPORTED):  # the last batch has the rest
        per_batch = [*per_batch, len(conversions) - sum(per_batch)]

    def find_none() -> bool:
        return not run(SESSIONS_OF_NEXT_CONVERSIONS, newest, n=1)

    nothing_matches = not conversions and (skipped == 0 or cache.get_or_compute(("nothing", *matches_key), find_none))
    return Page("session", conversions, skipped + taken, total, _batches(taken), per_batch, nothing_matches)


def _runner(connection: Connection, query: dict, oldest: SortKey = (0, 0)) -> Callable:
    """Return a function that runs a statement on the rows after one sort key, up to and including another."""

    def run(statement: str, after: SortKey, last: SortKey = oldest, **values) -> list[tuple]:
        key_range = {"after_time": after[0], "after_id": after[1], "last_time": last[0], "last_id": last[1]}
        return connection.rows(with_filters(statement, query), query | key_range | values)

    return run


def _batches(sessions: int) -> int:
    return -(-sessions // BATCH_SIZE)  # rounded up


def _present(names: tuple[str, ...], query: dict) -> tuple:
    return tuple(part for name in names if name in query for part in (name, query[name]))
