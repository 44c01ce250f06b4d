"""The order of kernels that needs little memory.

    d_z2, d_z1, d_w2, d_w1       →   d_z2, d_w2, d_z1, d_w1         d_z2 is not kept for long
    y', z', d_z, d_y             →   z', d_z, y', d_y               nor what is computed again

Of the kernels that can be next, the one that leaves the fewest bytes needed is. What is computed
again is computed right before its first reader. Every step of a training is ordered so: else the
gradients for weights come last, and what they are computed from is kept through the backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

from chainc.dataclass import dataclass
from chainc.ir.types import bind, coefficient_of
from chainc.lowering.kernels import Kernel, Map
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View
from chainc.ops.formula import is_recomputed


def thrifty(program: Program, sizes: Mapping[str, int]) -> Program:
    """The same kernels in an order that keeps few bytes, for given sizes."""
    ordering = _Ordering(program, sizes)
    while ordering.waiting:
        ordering.do(ordering.best())
    return replace(program, body=tuple(program.body[position] for position in ordering.order))


@dataclass
class _Ordering:
    """The kernels by their positions in the program."""

    program: Program
    sizes: Mapping[str, int]
    order: list[int] = field(default_factory=list)
    done: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        body = self.program.body
        writer: dict[Buffer, int] = {}
        self.readers: dict[Buffer, set[int]] = {}
        self.before: list[set[int]] = []
        for position, kernel in enumerate(body):
            read = {view.buffer for view in kernel.reads}
            needs = {writer[b] for b in (*read, kernel.out) if b in writer}
            for buffer in read:
                self.readers.setdefault(buffer, set()).add(position)
            self.before.append(needs)
            writer[kernel.out] = position  # the parts of one buffer keep their order
        self.late = {at for at, kernel in enumerate(body) if _is_recomputed(kernel)}
        self.late = {at for at in self.late if body[at].out not in self.results}
        self.runs = [self._run(position) for position in range(len(body))]
        self.needs = [
            set().union(*(self.before[at] for at in run)).difference(run) for run in self.runs
        ]
        self.waiting = [at for at in range(len(body)) if at not in self.late]

    @cached_property
    def results(self) -> set[Buffer]:
        """Buffers that are needed when all is done."""
        views = (*self.program.outputs, *(value for _, value in self.program.updates))
        return {view.buffer for view in views if isinstance(view, View)}

    @cached_property
    def in_place(self) -> set[Buffer]:
        """New values of states, and what becomes one element by element: they need no memory."""
        found = {value.buffer for _, value in self.program.updates if value.whole}
        for kernel in reversed(self.program.body):
            readers = [self.program.body[at] for at in self.readers.get(kernel.out, ())]
            if readers and all(_goes_on(kernel, each, found) for each in readers):
                found.add(kernel.out)
        return found

    def _run(self, position: int) -> Sequence[int]:
        """The kernel, and before it those computed again that it needs; all in order."""
        found, open_ends = {position}, [position]
        while open_ends:
            for needed in self.before[open_ends.pop()] & self.late - found:
                found.add(needed)
                open_ends.append(needed)
        return sorted(found)

    def best(self) -> int:
        """The first in the old order, or what goes on with a value that is there and needs less."""
        first = self.waiting[0]
        ready = [at for at in self.waiting if at == first or self._can_follow(at)]
        return min(ready, key=lambda at: (self._growth(self.runs[at]), at))

    def _can_follow(self, position: int) -> bool:
        needed = self.needs[position]
        return bool(needed) and needed <= self.done

    def _growth(self, run: Sequence[int]) -> int:
        """By how many bytes more are needed once these kernels are done."""
        new = {at for at in run if at not in self.done}
        body, finished = self.program.body, self.done | new
        written = {body[at].out for at in new}
        touched = written | {view.buffer for at in new for view in body[at].reads}
        dead = {b for b in touched if self._is_work(b) and self.readers.get(b, set()) <= finished}
        there = {body[at].out for at in self.done}
        grown = sum(self._nbytes(b) for b in written - dead - there)
        return grown - sum(self._nbytes(b) for b in (dead - self.results) & there)

    def _is_work(self, buffer: Buffer) -> bool:
        return buffer.role == "work" and buffer not in self.results

    def _nbytes(self, buffer: Buffer) -> int:
        free = buffer.role != "work" or buffer in self.in_place
        return 0 if free else coefficient_of(bind(buffer.type.nbytes, self.sizes))

    def do(self, position: int) -> None:
        """It is next, behind what it needs that is computed again."""
        for at in self.runs[position]:
            if at not in self.done:
                self.done.add(at)
                self.order.append(at)
        self.waiting.remove(position)


def _is_recomputed(kernel: Kernel) -> bool:
    return kernel.node is not None and is_recomputed(kernel.node)


def _goes_on(kernel: Kernel, reader: Kernel, in_place: set[Buffer]) -> bool:
    same = isinstance(reader, Map) and reader.out.type == kernel.out.type
    return same and reader.out in in_place
