"""What is remembered of a filter's matches, so that a deep page costs what the first one costs: how many, and every 1,000th key.

A key is a place in an order, newest first: (timestamp, id) of conversions, (started_at, id) of sessions. To skip n matches, SQLite
starts at the last of these fences before the n-th and has at most 999 to pass over. What is remembered can never be wrong: it is
remembered of a generation of the data, a number that every import and seeding changes in its own transaction, and that is read in
the transaction of the page; and of the moments that occur in the data next to the window's ends, between which lies the same as
in the window. So a window that ends now is found again a second later.
"""

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from sys import getsizeof
from threading import Lock

STEP = 1_000
PATIENCE = 7  # batches that are taken one by one, before the rest of a page is looked for among the sessions that convert
ROOM = 200_000  # fences of 16 bytes, for all that is remembered

Key = tuple[int, int]


class Fences:
    """The fences of one query: the keys of its 1,000th, 2,000th … match, or whatever the step is."""

    def __init__(self, step: int):
        self.step = step
        self.total = 0
        self._times, self._ids = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, key: Key) -> None:
        self._times.append(key[0])
        self._ids.append(key[1])
        self.total += self.step

    def before(self, place: int, newest: Key) -> tuple[Key, int]:
        """The key of the last fence up to a place, and how many matches there are from it to the place."""
        number = min(place // self.step, len(self))
        return ((self._times[number - 1], self._ids[number - 1]) if number else newest), place - number * self.step

    def newer_than(self, key: Key, newest: Key) -> tuple[Key, int]:
        """The key of the last fence that is newer than a key, and its place."""
        number = bisect_left(range(len(self)), True, key=lambda n: (self._times[n], self._ids[n]) <= key)
        return self.before(number * self.step, newest)[0], number * self.step


class Memory:
    """What was found out, up to so many fences in all; what nobody asked for longest is forgotten first. Safe with threads."""

    def __init__(self, room: int = ROOM, step: int = STEP, patience: int = PATIENCE):
        self.step, self.patience = step, patience
        self._room = room
        self._found: OrderedDict = OrderedDict()
        self._lock = Lock()

    def recall(self, what: tuple, find_out: Callable):
        """What is remembered of this; if nothing is, what find_out() returns, which is remembered then."""
        with self._lock:
            if what in self._found:
                self._found.move_to_end(what)
                return self._found[what]
        found = find_out()
        with self._lock:
            if what not in self._found:
                self._found[what] = found
                self._room -= self._size(what, found)
            while self._room < 0:
                self._room += self._size(*self._found.popitem(last=False))
        return found

    @staticmethod
    def _size(what: tuple, found) -> int:
        """In fences. A name and what is found weigh some 50 of them, but for the texts of filters, which can be long."""
        texts = sum(getsizeof(text) for part in what if isinstance(part, tuple) for text in part)
        return 50 + texts // 16 + (len(found) if isinstance(found, Fences) else 0)
