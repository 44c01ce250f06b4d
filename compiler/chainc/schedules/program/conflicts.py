"""What threads have touched since they last waited for each other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import field

from chainc.dataclass import dataclass

Extent = tuple[str, int, int]  # a space, a start and an end


@dataclass
class Extents:
    """A union of intervals: for each space, where they start and end, in order and apart."""

    starts: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, list[int]] = field(default_factory=dict)

    def add(self, extent: Extent) -> None:
        space, start, end = extent
        starts, ends = self.starts.setdefault(space, []), self.ends.setdefault(space, [])
        first, last = bisect_right(ends, start), bisect_left(starts, end)
        if first < last:
            start, end = min(start, starts[first]), max(end, ends[last - 1])
        starts[first:last], ends[first:last] = [start], [end]

    def overlaps(self, extent: Extent) -> bool:
        space, start, end = extent
        ends = self.ends.get(space, [])
        position = bisect_right(ends, start)
        return position < len(ends) and self.starts[space][position] < end


@dataclass
class _Touched:
    """By some calls."""

    written: Extents = field(default_factory=Extents)
    all: Extents = field(default_factory=Extents)

    def add(self, touched: Sequence[Extent], written: Collection[Extent]) -> None:
        for extent in touched:
            self.all.add(extent)
        for extent in written:
            self.written.add(extent)

    def conflicts(self, touched: Sequence[Extent], written: Collection[Extent]) -> bool:
        return any(map(self.written.overlaps, touched)) or any(map(self.all.overlaps, written))


class Conflicts:
    """Tells where a barrier is needed between calls.

    Two calls conflict if one touches what the other writes, and they are not both made by the
    first thread alone.
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.by_any, self.by_all = _Touched(), _Touched()

    def waits(self, touched: Sequence[Extent], written: Sequence[Extent], *, shared: bool) -> bool:
        """Must all threads have come so far before this call? It is noted as made."""
        before = self.by_any if shared else self.by_all
        waits = before.conflicts(touched, written)
        if waits:
            self._start()
        self.by_any.add(touched, written)
        if shared:
            self.by_all.add(touched, written)
        return waits
