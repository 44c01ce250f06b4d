"""Operands of contractions whose elements lie far apart are copied into panels of their own.

    q[b,t,h,d] · k[b,s,h,d] → [b,h,t,s]      vectors run along s, and neighbours along s lie h·d
                                             elements apart: k becomes [b,h,d,s], in panels along s
    p[b,h,t,s] · v[b,s,h,d] → [b,t,h,d]      rows of v for one h lie h·d elements apart and would
                                             meet in the same cache sets: v becomes [b,h,s,d]

    h[b,k] · w[k,n] → [b,n]              so do rows of w, a few columns at a time; one copy is for
                                         all steps of a loop, if w is the same in these
    h[t,b,k] · g[b,t,n] → [k,n]          summed over t and b, one of the two is read by leaps: g, in
                                         panels along n, becomes [t,b,n]

The copy is one pass over the operand; its elements are read again for every row of the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.movements import Permute, Window
from chainc.loops.values import Parameter
from chainc.lowering.kernels import Contraction, Copy, Kernel
from chainc.lowering.views import Buffer, View
from chainc.schedules.layout.access import Access, Capacity, UnboundError, access
from chainc.schedules.layout.lanes import vector_letter
from chainc.schedules.layout.machine import Machine
from chainc.schedules.layout.panels import panels

WORTH_COPYING = 16  # rows for which an element is read again
FIRST_LEVEL = 1 << 15  # bytes of the nearest cache
SETS_APART = 256  # bytes: rows at multiples of it use few of the cache's sets


def packed(
    body: Sequence[Kernel], machine: Machine, capacity: Capacity, steady: Set[Buffer]
) -> Iterator[Kernel]:
    """The kernels, each after copies of the operands that lie unfavourably.

    What is `steady` is the same in all steps of a loop, before which it is copied once.
    """
    for found in body:
        kernel, root = found, found.root
        if isinstance(root, Contraction):
            for side in (0, 1):
                vector, view = vector_letter(found, root, machine), root.reads[side]
                factor = _Factor(root, vector, side, machine, capacity, view.buffer in steady)
                if factor.lies_apart:
                    copy, instead = factor.copied()
                    yield replace(copy, origin=kernel.origin, node=root.node)
                    kernel = kernel.reading(view, instead)
        yield kernel


@dataclass(frozen=True)
class _Factor:
    """One operand of a contraction. Vectors of the result run along `vector`."""

    root: Contraction
    vector: str
    side: int  # 0: the first operand; 1: the second
    machine: Machine
    capacity: Capacity
    once: bool  # is one copy for all steps of a loop?

    @property
    def letters(self) -> str:
        """Of its axes."""
        return self.root.letters[self.side]

    @property
    def view(self) -> View:
        return self.root.reads[self.side]

    @property
    def other(self) -> _Factor:
        return replace(self, side=1 - self.side)

    @property
    def lies_apart(self) -> bool:
        if not self.vector or self.vector not in self.letters:
            return False
        if not isinstance(self._extent(self.vector), int) or not self.view.type.dtype.is_float:
            return False
        found = self._access()
        if found is None or self._most(self.vector) < self.machine.lanes(self.view.type.dtype):
            return False
        rows = [x for x in self.root.letters[2] if x not in self.letters]
        reads = max((self._most(letter) for letter in rows), default=1)
        if reads < WORTH_COPYING:
            return False
        if self.view.buffer.panels:
            return self._leaps(found)
        return self._stride(found, self.vector) != 1 or self._meets_itself(found)

    def _access(self) -> Access | None:
        parameter = Parameter(self.view.buffer.name, self.view.type.dtype)
        try:
            return access(self.view, parameter, self.capacity)
        except UnboundError:
            return None

    def _stride(self, found: Access, letter: str) -> int:
        return found.strides[self.letters.index(letter)]

    def _meets_itself(self, found: Access) -> bool:
        """Do the rows along a summed axis crowd a few sets of the nearest cache?"""
        size = self.view.type.dtype.itemsize
        summed = [x for x in self.letters if x not in self.root.letters[2]]
        for letter in summed:
            step = self._stride(found, letter) * size
            apart = self.once or self._stride(found, letter) >= 2 * self._most(self.vector)
            far = step * self._most(letter) > FIRST_LEVEL
            if apart and far and step % SETS_APART == 0:
                return True
        return False

    def _leaps(self, found: Access) -> bool:
        """Do neighbours of the other operand, along a summed axis, meet what crowds a few sets?"""
        again = any(isinstance(movement, Window) for movement in self.view.movements)
        if again or not found.splits(self.letters.index(self.vector)):
            return False
        own, others = self._inward, self.other._inward
        if not others or own[:1] == others[:1]:
            return False
        letter = others[0]
        step = self._stride(found, letter) * self.view.type.dtype.itemsize
        return step % SETS_APART == 0 and step * self._most(letter) > FIRST_LEVEL

    @property
    def _inward(self) -> Sequence[str]:
        """The axes that both are summed over, those of the smallest steps first."""
        found = self._access()
        both = set(self.letters) & set(self.other.letters) - set(self.root.letters[2])
        if found is None:
            return ()
        steps = {x: abs(self._stride(found, x)) for x in both if self._most(x) > 1}
        return sorted(steps, key=lambda letter: (steps[letter], letter))

    def _extent(self, letter: str) -> object:
        return self.view.type.shape[self.letters.index(letter)]

    def _most(self, letter: str) -> int:
        return self.capacity.dim(self.root.extents[letter])

    def copied(self) -> tuple[Copy, View]:
        """The copy, and the view of it that stands for the operand."""
        shape = self.view.type.shape
        order = sorted(range(len(shape)), key=self._nearness)
        turned = Permute(tuple(shape[axis] for axis in order), tuple(order))
        source = self.view.moved(turned)
        name = f"{self.view.buffer.name}_by_{self.vector}"
        out = Buffer(name, source.type, cotangent=self.view.buffer.cotangent)
        out = replace(out, panels=panels(out, len(shape) - 1, self.machine, self.capacity))
        back = tuple(order.index(axis) for axis in range(len(shape)))
        return Copy(out, (source,)), View(out, out.type).moved(Permute(shape, back))

    def _nearness(self, axis: int) -> tuple[int, int, int]:
        """Axes of the result come first, then those that are summed over, lanes last."""
        letter, inward = self.letters[axis], self.other._inward
        if letter == self.vector:
            return 2, 0, axis
        if letter in inward:
            return 1, -inward.index(letter), axis
        return (0 if letter in self.root.letters[2] else 1), 0, axis
