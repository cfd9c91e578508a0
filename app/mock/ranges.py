"""Which positions of a walk are covered, as half-open ranges [start, end)."""

Range = tuple[int, int]


class Ranges:
    """Ranges of integers, in order; ranges that touch or overlap become one."""

    def __init__(self):
        self._ranges: list[Range] = []

    def __iter__(self):
        return iter(self._ranges)

    @property
    def end(self) -> int:
        """The end of the last range; 0 if there is none."""
        return self._ranges[-1][1] if self._ranges else 0

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        apart: list[Range] = []
        touching = [(start, end)]
        for each in self._ranges:
            (apart if each[1] < start or end < each[0] else touching).append(each)
        self._ranges = sorted([*apart, (min(first for first, _ in touching), max(last for _, last in touching))])

    def within(self, start: int, end: int) -> list[Range]:
        """Return what these ranges have in common with [start, end)."""
        common = ((max(start, first), min(end, last)) for first, last in self._ranges)
        return [(first, last) for first, last in common if first < last]

    def missing(self, start: int, end: int) -> list[Range]:
        """Return what of [start, end) is in none of these ranges."""
        gaps = []
        for first, last in self.within(start, end):
            if start < first:
                gaps.append((start, first))
            start = last
        return [*gaps, (start, end)] if start < end else gaps
