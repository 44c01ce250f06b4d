"""The order of kernels that needs little memory.

    d_z2, d_z1, d_w2, d_w1       →   d_z2, d_w2, d_z1, d_w1         d_z2 is not kept for long
    y', z', d_z, d_y             →   z', d_z, y', d_y               nor what is computed again

Of the kernels that can be next, the one that leaves the fewest bytes needed is. What is computed
again is computed right before its first reader. Every step of a training is ordered so: else the
gradients for weights come last, and what they are computed from is kept through the backward pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from heapq import heappop, heappush

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
    ready: set[int] = field(default_factory=set)  # all that these need is done
    there: set[Buffer] = field(default_factory=set)  # what is written
    growths: dict[int, int] = field(default_factory=dict)  # as long as they are right
    unknown: set[int] = field(default_factory=set)  # those that are ready and have none
    heap: list[tuple[int, int]] = field(default_factory=list)  # growths, some not right any more

    def __post_init__(self) -> None:
        body = self.program.body
        writer: dict[Buffer, int] = {}
        self.readers: dict[Buffer, set[int]] = {}
        self.before: list[set[int]] = []
        for position, kernel in enumerate(body):
            read = {view.buffer for view in kernel.reads}
            needs = {writer[b] for b in (*read, *kernel.outs) if b in writer}
            for buffer in read:
                self.readers.setdefault(buffer, set()).add(position)
            self.before.append(needs)
            writer |= dict.fromkeys(kernel.outs, position)  # parts of one buffer keep their order
        self.late = {at for at, kernel in enumerate(body) if _is_recomputed(kernel)}
        self.late = {at for at in self.late if body[at].out not in self.results}
        self.runs = [self._run(position) for position in range(len(body))]
        self.needs = [
            set().union(*(self.before[at] for at in run)).difference(run) for run in self.runs
        ]
        self.longest = max(map(len, self.runs), default=0)
        self.unread = {buffer: len(readers) for buffer, readers in self.readers.items()}
        waiting = (at for at in range(len(body)) if at not in self.late)
        self.waiting: dict[int, None] = dict.fromkeys(waiting)
        self._note_neighbours()

    def _note_neighbours(self) -> None:
        """Whom it concerns that a kernel is done: else all would be looked at again and again."""
        self.missing = {at: len(self.needs[at]) for at in self.waiting}
        self.following: dict[int, list[int]] = {}
        self.touching: dict[Buffer, list[int]] = {}
        for at in self.waiting:
            for needed in self.needs[at]:
                self.following.setdefault(needed, []).append(at)
            for buffer in set().union(*(self._touched(each) for each in self.runs[at])):
                self.touching.setdefault(buffer, []).append(at)

    def _touched(self, position: int) -> set[Buffer]:
        """The buffers of a kernel that may take memory."""
        kernel = self.program.body[position]
        return {b for b in (kernel.out, *(v.buffer for v in kernel.reads)) if b.role == "work"}

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
        first = next(iter(self.waiting))
        for at in self.unknown:
            heappush(self.heap, (self._growth(at), at))
        self.unknown.clear()
        while self.heap and not self._is_right(*self.heap[0]):
            heappop(self.heap)
        return min([(self._growth(first), first), *self.heap[:1]])[1]

    def _is_right(self, growth: int, position: int) -> bool:
        return position in self.ready and self.growths.get(position) == growth

    def _growth(self, position: int) -> int:
        """By how many bytes more are needed once a kernel and its run are done."""
        if position not in self.growths:
            self.growths[position] = self._growth_now(self.runs[position])
        return self.growths[position]

    def _growth_now(self, run: Sequence[int]) -> int:
        new = {at for at in run if at not in self.done}
        written = {self.program.body[at].out for at in new}
        touched = set().union(*(self._touched(at) for at in new))
        dead = {b for b in touched if self._is_work(b) and self._is_read_by(b, new)}
        grown = sum(self._nbytes(b) for b in written - dead - self.there)
        return grown - sum(self._nbytes(b) for b in (dead - self.results) & self.there)

    def _is_read_by(self, buffer: Buffer, new: set[int]) -> bool:
        """By these, and else by none that is not done?"""
        few = self.unread.get(buffer, 0) <= len(new)
        return few and self.readers.get(buffer, set()) - new <= self.done

    def _is_work(self, buffer: Buffer) -> bool:
        return buffer.role == "work" and buffer not in self.results

    def _nbytes(self, buffer: Buffer) -> int:
        free = buffer.role != "work" or buffer in self.in_place
        return 0 if free else coefficient_of(bind(buffer.type.nbytes, self.sizes))

    def do(self, position: int) -> None:
        """It is next, behind what it needs that is computed again."""
        for at in self.runs[position]:
            if at not in self.done:
                self._do_one(at)
        del self.waiting[position]
        self.ready.discard(position)

    def _do_one(self, position: int) -> None:
        self.done.add(position)
        self.order.append(position)
        self.there.add(self.program.body[position].out)
        kernel = self.program.body[position]
        for buffer in {view.buffer for view in kernel.reads}:
            self.unread[buffer] -= 1
        for buffer in self._touched(position):  # many readers are all the same to each of them
            if buffer is kernel.out or self.unread[buffer] <= self.longest:
                self._forget(self.touching.get(buffer, ()))
        for at in self.following.get(position, ()):
            self.missing[at] -= 1
            if self.missing[at] == 0:
                self.ready.add(at)
                self.unknown.add(at)

    def _forget(self, positions: Iterable[int]) -> None:
        for at in positions:
            if self.growths.pop(at, None) is not None and at in self.ready:
                self.unknown.add(at)


def _is_recomputed(kernel: Kernel) -> bool:
    return kernel.node is not None and is_recomputed(kernel.node)


def _goes_on(kernel: Kernel, reader: Kernel, in_place: set[Buffer]) -> bool:
    same = isinstance(reader, Map) and reader.out.type == kernel.out.type
    return same and reader.out in in_place
