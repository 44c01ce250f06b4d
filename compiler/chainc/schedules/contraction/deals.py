"""How evenly the loops of a contraction can be dealt out to threads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from chainc.dataclass import dataclass
from chainc.schedules.contraction.axes import Axis

TEAMS = ((2, 0.75), (4, 0.25))  # of threads that share a product, and how much each counts
INSIDE = 0.1  # of a thread's work: what a loop must gain to be dealt out in place of an outer one,
# as the same columns of weights are then no longer one core's from kernel to kernel
FLATTENED = 0.02  # the same for each loop around, where the passes of all are dealt out as one's


@dataclass(frozen=True)
class Passes:
    """Those of a loop over an extent, `grain` positions each; a position is so much `work`."""

    extent: int
    grain: int
    work: int = 1

    @property
    def count(self) -> int:
        return -(-self.extent // self.grain)

    def positions(self, count: int) -> int:
        """In the first passes; the last of all may have fewer."""
        return min(count * self.grain, self.extent)


@dataclass(frozen=True)
class Deal:
    """A loop that may be dealt out to threads, and what is lost by it, in shares of the work.

    Groups of columns stay together, or are taken `apart`. In every pass of the loops `around` it
    there are as many passes of it, and all of them are dealt out: 5 × 5 taps to two threads as 13
    and 12, where 5 are 3 and 2.
    """

    axis: Axis
    passes: Sequence[Passes]  # of loops one after another: of whole panels, and of the last
    price: float
    apart: bool = False
    around: tuple[Axis, ...] = ()

    @property
    def cost(self) -> float:
        """What the thread with the most to do has of an even share, for teams of some sizes."""
        return self.price + sum(weight * self._busiest(threads) for threads, weight in TEAMS)

    @property
    def count(self) -> int:
        """Passes that are dealt out together."""
        return self._times * sum(passes.count for passes in self.passes)

    def runs(self, outer: Sequence[Axis]) -> Iterator[Deal]:
        """The same with the next loop around it, the two next, …: those over whole axes."""
        around: tuple[Axis, ...] = ()
        if self.axis.dynamic or len(self.passes) > 1:
            return
        for axis in reversed(outer):
            if axis.dynamic or axis.lanes:
                return
            if axis.most == 1:
                continue
            around = (axis, *around)
            price = self.price + (FLATTENED - INSIDE) * len(around)
            yield replace(self, price=price, around=around)

    @property
    def _times(self) -> int:
        return math.prod(axis.most for axis in self.around)

    def _busiest(self, threads: int) -> float:
        done = [self._work(self.count * n // threads) for n in range(threads + 1)]
        return max(high - low for low, high in pairwise(done)) * threads / done[-1]

    def _work(self, count: int) -> int:
        """Of the first passes of all."""
        times, left = divmod(count, self.count // self._times)
        whole = sum(passes.extent * passes.work for passes in self.passes)
        found = times * whole
        for passes in self.passes:
            found += passes.positions(min(left, passes.count)) * passes.work
            left -= min(left, passes.count)
        return found
