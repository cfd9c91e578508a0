"""What is remembered of a filter's matches, so that a deep page costs what the first one costs: how many, and every 1,000th place.

A place is where a match stands in its order, newest first: (timestamp, id) of a conversion, (started_at, id) of a session. To skip
n matches, SQLite starts at the last of these fences before the n-th and has at most 999 to pass over. What is remembered is never
wrong: it is remembered of a generation of the data, a number that every import and seeding changes in its own transaction, and that
is read in the transaction of the page; and of the moments that occur in the data next to the window's ends, between which lies the
same as in the window. So a window that ends now is found again a second later.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from sys import getsizeof
from threading import Lock

STEP = 1_000
BATCHES_IN_TURN = 7  # before the rest of a page is looked for among the sessions that convert
ROOM = 8_000_000  # bytes, by and large, for all that is remembered
FENCE, ENTRY = 130, 800  # bytes

Place = tuple[int, int]


class Fences:
    """The fences of one query: where its matches begin, and the places of the 1,000th, 2,000th … match, or whatever the step is."""

    def __init__(self, newest: Place, step: int = STEP, total: int = 0):
        self.places, self.step, self.total = [newest], step, total

    def add(self, place: Place) -> None:
        self.places.append(place)
        self.total += self.step

    def before(self, n: int) -> tuple[Place, int]:
        """The last fence up to the n-th match, and how many matches there are from the one to the other."""
        number = min(n // self.step, len(self.places) - 1)
        return self.places[number], n - number * self.step

    def newer_than(self, place: Place) -> tuple[Place, int]:
        """The last fence that is newer than a place, and how many matches there are up to it."""
        number = bisect_left(self.places, True, key=lambda fence: fence <= place) - 1
        return self.places[number], number * self.step


class Memory:
    """What was found out, as far as there is room; what nobody asked for longest is forgotten first. Safe with threads."""

    def __init__(self, room: int = ROOM, step: int = STEP, batches_in_turn: int = BATCHES_IN_TURN):
        self.step, self.batches_in_turn = step, batches_in_turn
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
        texts = sum(getsizeof(text) for part in what if isinstance(part, tuple) for text in part)
        return ENTRY + texts + (len(found.places) * FENCE if isinstance(found, Fences) else 0)
