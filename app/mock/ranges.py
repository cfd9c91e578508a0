"""Which positions of a walk are covered, as half-open ranges [start, end)."""

from bisect import bisect_left, bisect_right


class Ranges:
    """Ranges of integers, in order; ranges that touch or overlap become one."""

    def __init__(self):
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __iter__(self):
        return zip(self._starts, self._ends, strict=True)

    @property
    def end(self) -> int:
        """The end of the last range; 0 if there is none."""
        return self._ends[-1] if self._ends else 0

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        first, last = bisect_left(self._ends, start), bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last], self._ends[first:last] = [start], [end]

    def within(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return what these ranges have in common with [start, end)."""
        touched = slice(bisect_right(self._ends, start), bisect_left(self._starts, end))
        pairs = zip(self._starts[touched], self._ends[touched], strict=True)
        return [(max(start, first), min(end, last)) for first, last in pairs if max(start, first) < min(end, last)]

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return what of [start, end) is in none of these ranges."""
        gaps = []
        for first, last in self.within(start, end):
            if start < first:
                gaps.append((start, first))
            start = last
        return [*gaps, (start, end)] if start < end else gaps
