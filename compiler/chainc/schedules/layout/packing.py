"""Operands of contractions whose elements lie far apart are copied into panels of their own.

    q[b,t,h,d] · k[b,s,h,d] → [b,h,t,s]      vectors run along s, and neighbours along s lie h·d
                                             elements apart: k becomes [b,h,d,s], in panels along s
    p[b,h,t,s] · v[b,s,h,d] → [b,t,h,d]      rows of v for one h lie h·d elements apart and would
                                             meet in the same cache sets: v becomes [b,h,s,d]

    h[b,k] · w[k,n] → [b,n]              so do rows of w, a few columns at a time; one copy is for
                                         all steps of a loop, if w is the same in these

The copy is one pass over the operand; its elements are read again for every row of the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.movements import Permute
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
            for letters, view in zip(root.letters[:2], root.reads[:2], strict=True):
                vector = vector_letter(found, root, machine)
                once = view.buffer in steady
                factor = _Factor(root, vector, letters, view, machine, capacity, once)
                if factor.lies_apart:
                    copy, instead = factor.copied()
                    yield replace(copy, origin=kernel.origin, node=root.node)
                    kernel = kernel.reading(view, instead)
        yield kernel


@dataclass(frozen=True)
class _Factor:
    """One operand of a contraction: its view, and the letters of its axes.

    Vectors of the result run along `vector`.
    """

    root: Contraction
    vector: str
    letters: str
    view: View
    machine: Machine
    capacity: Capacity
    once: bool  # is one copy for all steps of a loop?

    @property
    def lies_apart(self) -> bool:
        if not self.vector or self.vector not in self.letters or self.view.buffer.panels:
            return False
        if not isinstance(self._extent(self.vector), int) or not self.view.type.dtype.is_float:
            return False
        found = self._access()
        if found is None or self._most(self.vector) < self.machine.lanes(self.view.type.dtype):
            return False
        rows = [x for x in self.root.letters[2] if x not in self.letters]
        reads = max((self._most(letter) for letter in rows), default=1)
        return reads >= WORTH_COPYING and (
            self._stride(found, self.vector) != 1 or self._meets_itself(found)
        )

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

    def _extent(self, letter: str) -> object:
        return self.view.type.shape[self.letters.index(letter)]

    def _most(self, letter: str) -> int:
        return self.capacity.dim(self.root.extents[letter])

    def copied(self) -> tuple[Copy, View]:
        """The copy, and the view of it that stands for the operand."""
        shape = self.view.type.shape
        order = sorted(range(len(shape)), key=lambda axis: (self._nearness(axis), axis))
        turned = Permute(tuple(shape[axis] for axis in order), tuple(order))
        source = self.view.moved(turned)
        name = f"{self.view.buffer.name}_by_{self.vector}"
        out = Buffer(name, source.type, cotangent=self.view.buffer.cotangent)
        out = replace(out, panels=panels(out, len(shape) - 1, self.machine, self.capacity))
        back = tuple(order.index(axis) for axis in range(len(shape)))
        return Copy(out, (source,)), View(out, out.type).moved(Permute(shape, back))

    def _nearness(self, axis: int) -> int:
        """Axes of the result come first, then those that are summed over, lanes last."""
        letter = self.letters[axis]
        if letter == self.vector:
            return 2
        return 0 if letter in self.root.letters[2] else 1
