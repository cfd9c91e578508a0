"""What is kept between requests: a sparse index of each filter's matches, in a cache of limited size.

OFFSET makes SQLite step over every row that it skips. So the first request with a filter counts the matches once and notes the sort
key of every 1,000th: its fences. To reach the n-th match, SQLite then seeks to the last fence before it and steps over fewer than
1,000 rows.

A sort key is (timestamp, id) of a conversion or (started_at, id) of a session; the order is descending, newest first.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from sys import getsizeof
from threading import Lock
from typing import NamedTuple

STEP = 1_000
CACHE_SIZE = 8_000_000  # bytes, roughly
FENCE_SIZE, ENTRY_SIZE = 130, 800  # bytes, roughly

SortKey = tuple[int, int]


class Fences(NamedTuple):
    """The sort keys of the matches number 0 (before the first one), STEP, 2 × STEP …, and the number of all matches."""

    keys: list[SortKey]
    total: int
    step: int

    def before(self, n: int) -> tuple[SortKey, int]:
        """Return the last fence that is not after the n-th match, and how many matches lie from it to the n-th."""
        number = min(n // self.step, len(self.keys) - 1)
        return self.keys[number], n - number * self.step

    def newer_than(self, key: SortKey) -> tuple[SortKey, int]:
        """Return the last fence that comes before this sort key, and how many matches lie up to that fence."""
        number = bisect_left(self.keys, True, key=lambda fence: fence <= key) - 1
        return self.keys[number], number * self.step


def build_fences(newest: SortKey, nth: Callable, count: Callable, step: int = STEP) -> Fences:
    """Read all matches after the sort key "newest" once, and note the sort key of every step-th.

    nth(n, after) returns the sort key of the n-th match after another one, or None. count(after) returns how many matches follow.
    """
    keys = [newest]
    while key := nth(step, keys[-1]):
        keys.append(key)
    return Fences(keys, (len(keys) - 1) * step + count(keys[-1]), step)


class Cache:
    """An LRU cache of limited size. Safe to share between threads, two of which may compute the same value."""

    def __init__(self, size: int = CACHE_SIZE, step: int = STEP):
        self.step = step
        self._free = size
        self._entries: OrderedDict = OrderedDict()
        self._lock = Lock()

    def get_or_compute(self, key: tuple, compute: Callable):
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        value = compute()
        with self._lock:
            if key not in self._entries:
                self._entries[key] = value
                self._free -= _size(key, value)
            while self._free < 0:
                self._free += _size(*self._entries.popitem(last=False))
        return value


def _size(key: tuple, value) -> int:
    texts = sum(getsizeof(text) for part in key if isinstance(part, tuple) for text in part)
    return ENTRY_SIZE + texts + (len(value.keys) * FENCE_SIZE if isinstance(value, Fences) else 0)
