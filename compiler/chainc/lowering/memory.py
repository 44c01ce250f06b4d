"""Which buffers share storage: in-place reuse, updates of state slots, offsets in one arena.

All aliasing is decided here and nowhere else. A buffer holds one value, from the kernel that
first writes it to the last that reads it; storage may hold several values whose lifetimes do
not overlap.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, coefficient_of, names_of
from chainc.lowering.kernels import Kernel, renamed
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View

ALIGNMENT = 64  # bytes: a cache line, and the widest vector
FOREVER = math.inf


@dataclass(frozen=True, order=True)
class Lifetime:
    """From the position of the kernel that writes a value to the last that reads it."""

    start: float  # -1: before the first kernel
    end: float  # infinite: kept after the last


@dataclass(eq=False)
class Storage:
    """Values that share memory, sorted by lifetime, and the buffers that held them."""

    lifetimes: list[Lifetime]
    members: list[Buffer]
    state: Buffer | None  # the slot among them

    def representative(self, spans: Mapping[Buffer, Lifetime]) -> Buffer:
        """The slot if there is one, else the last value that has a telling name.

        A derivative names what is computed in its place, but not what it is itself written over.
        """
        order = sorted(self.members, key=lambda member: spans[member].start)
        alike = [member for member in order if member.cotangent == order[0].cotangent]
        prominent = [member for member in alike if member.prominent or member.cotangent]
        return self.state or (prominent or alike)[-1]


def reuse_in_place(program: Program, *, readable: bool = False) -> Program:
    """Let a kernel write over an operand that dies there, and a new value over its state slot.

    A value may be written over another at the kernel that reads it last, if that kernel reads
    element i only to write element i. State slots keep their old value until its last reader, and
    in `readable` source, what has a forward value's name is never a derivative.
    """
    planner = _Coalescing(_sink_updates(program))
    kept = [
        (slot, value)
        for slot, value in planner.program.updates
        if not planner.join_slot(slot, value)
    ]
    for kernel in planner.program.body:
        for out in kernel.outs:
            for operand in safe_operands(kernel, out):
                if not readable or operand.buffer.cotangent >= out.cotangent:
                    planner.join_operand(out, operand)
    return planner.result(kept)


def safe_operands(kernel: Kernel, out: Buffer) -> tuple[View, ...]:
    """Operands that the kernel reads at element i only to write element i of `out`."""
    reads = list(kernel.element_reads())
    unsafe = {view.buffer for view, elementwise in reads if not elementwise or not view.whole}
    return tuple(
        view
        for view, _ in reads
        if view.buffer not in unsafe and view.type == out.type and view.buffer.panels == out.panels
    )


def _sink_updates(program: Program) -> Program:
    """Move the writer of a slot's new value right behind the last reader of the old one.

    Only a writer whose result nothing else reads can move, as may the zeros that others add to.
    Kernels are ordered by keys: what moves behind the kernel with key k has one that starts with k.
    """
    keys: list[tuple[int, ...]] = [(position,) for position in range(len(program.body))]
    readers = _positions((v.buffer for v in kernel.reads) for kernel in program.body)
    writers = _positions(kernel.outs for kernel in program.body)
    for moved, (slot, view) in enumerate(program.updates):
        writer = writers.get(view.buffer, [])
        if not writer or view.buffer in readers or slot not in readers:
            continue
        if len(program.body[writer[0]].single) > 1:
            continue  # grouping has put it in its place
        last = max(keys[position] for position in readers[slot])
        if keys[writer[0]] < last and all(keys[other] > last for other in writer[1:]):
            keys[writer[0]] = (*last, -moved - 1)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return replace(program, body=tuple(program.body[position] for position in order))


def _positions(buffers: Iterable[Iterable[Buffer]]) -> dict[Buffer, list[int]]:
    """For each buffer, the positions of the kernels it is listed for."""
    found: dict[Buffer, list[int]] = {}
    for position, listed in enumerate(buffers):
        for buffer in listed:
            found.setdefault(buffer, []).append(position)
    return found


class _Coalescing:
    """Joins storages pair by pair while no two lifetimes conflict."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.spans = lifetimes(program)
        self.readers = _positions((v.buffer for v in kernel.reads) for kernel in program.body)
        states = set(program.states)
        self.storage = {
            buffer: Storage([lifetime], [buffer], buffer if buffer in states else None)
            for buffer, lifetime in self.spans.items()
        }

    def join_slot(self, slot: Buffer, view: View) -> bool:
        """Compute a slot's new value where the old one is."""
        value = view.buffer
        alike = value.type == slot.type and value.panels == slot.panels
        if value not in self.storage or not view.whole or not alike or _belongs_outside(value):
            return False
        old = self.storage[slot]
        if self.storage[value].state is not None or len(old.lifetimes) > 1:
            return False
        old.lifetimes = [Lifetime(-1, max(self.readers.get(slot, [-1])))]
        if self._join(old, self.storage[value]):
            return True
        old.lifetimes = [Lifetime(-1, FOREVER)]
        return False

    def join_operand(self, out: Buffer, operand: View) -> None:
        """Write a kernel's result over an operand."""
        target, source = self.storage.get(out), self.storage.get(operand.buffer)
        if target is None or source is None or target is source:
            return
        if _belongs_outside(out) or _belongs_outside(operand.buffer):
            return
        if target.state is None or source.state is None:
            self._join(source, target)

    def _join(self, a: Storage, b: Storage) -> bool:
        large, small = (a, b) if len(a.lifetimes) >= len(b.lifetimes) else (b, a)
        for lifetime in small.lifetimes:
            position = bisect_left(large.lifetimes, lifetime)
            before = large.lifetimes[position - 1 : position] if position else []
            after = large.lifetimes[position : position + 1]
            fits = all(self._follows(first, lifetime, a, b) for first in before)
            if not fits or not all(self._follows(lifetime, second, a, b) for second in after):
                return False
        for lifetime in small.lifetimes:
            insort(large.lifetimes, lifetime)
        large.members.extend(small.members)
        large.state = large.state or small.state
        for member in small.members:
            self.storage[member] = large
        return True

    def _follows(self, first: Lifetime, second: Lifetime, a: Storage, b: Storage) -> bool:
        """May a value with lifetime `second` be written where `first` is?"""
        if first.end != second.start:
            return first.end < second.start
        kernel = self.program.body[int(second.start)]
        targets = [out for out in kernel.outs if self.storage.get(out) in (a, b)]
        if len(targets) > 1:
            return False
        safe = [view for out in targets for view in safe_operands(kernel, out)]
        return all(view in safe for view in kernel.reads if self.storage.get(view.buffer) in (a, b))

    def result(self, kept: Sequence[tuple[Buffer, View]]) -> Program:
        names: dict[Buffer, Buffer] = {}
        in_place: dict[Buffer, tuple[Buffer, ...]] = {}
        for storage in dict.fromkeys(self.storage.values()):
            representative = storage.representative(self.spans)
            names.update(dict.fromkeys(storage.members, representative))
            if len(storage.members) > 1:
                order = sorted(storage.members, key=lambda member: self.spans[member].start)
                in_place[representative] = tuple(order)
        program = replace(self.program, updates=tuple(kept), in_place=in_place)
        return substitute(program, names)


def _belongs_outside(buffer: Buffer) -> bool:
    """Is this an array of the caller's, which shares no storage?"""
    return buffer.role == "output"


def lifetimes(program: Program) -> dict[Buffer, Lifetime]:
    """Of every buffer that the body writes, and of the state slots."""
    start: dict[Buffer, float] = dict.fromkeys(program.states, -1)
    end: dict[Buffer, float] = dict.fromkeys(program.states, FOREVER)
    for position, kernel in enumerate(program.body):
        for out in kernel.outs:
            start.setdefault(out, position)
        for buffer in (*kernel.outs, *(view.buffer for view in kernel.reads)):
            if buffer in start:
                end[buffer] = max(end.get(buffer, position), position)
    for view in (*program.outputs, *(value for _, value in program.updates)):
        if isinstance(view, View) and view.buffer in start:
            end[view.buffer] = FOREVER
    return {buffer: Lifetime(start[buffer], end[buffer]) for buffer in start}


def substitute(program: Program, names: Mapping[Buffer, Buffer]) -> Program:
    """The same program over other buffers."""
    if not names:
        return program

    def view(value: View) -> View:
        return replace(value, buffer=names.get(value.buffer, value.buffer))

    return replace(
        program,
        body=tuple(kernel.over(names) for kernel in program.body),
        outputs=tuple(renamed(value, names) for value in program.outputs),
        updates=tuple((slot, view(value)) for slot, value in program.updates),
    )


@dataclass(frozen=True)
class Arena:
    """Offsets in bytes, one arena for each product of named sizes.

    A buffer of `2*batch*4` bytes lies in the arena of `batch`, at `offset * batch`; a bound
    program has a single arena, whose key is ().
    """

    offsets: Mapping[Buffer, int]
    sizes: Mapping[tuple[str, ...], int]


def plan(program: Program, nbytes: Callable[[Buffer], Dim] = lambda b: b.type.nbytes) -> Arena:
    """Offsets by best fit over the lifetimes, in the order of the kernels."""
    spans = {
        buffer: lifetime for buffer, lifetime in lifetimes(program).items() if buffer.role == "work"
    }
    dying: dict[float, list[Buffer]] = {}
    for buffer, lifetime in spans.items():
        dying.setdefault(lifetime.end, []).append(buffer)
    offsets: dict[Buffer, int] = {}
    arenas: dict[tuple[str, ...], _FreeList] = {}
    for position, kernel in enumerate(program.body):
        for out in kernel.outs:
            if out in spans and out not in offsets:
                arena = arenas.setdefault(names_of(nbytes(out)), _FreeList())
                offsets[out] = arena.take(_aligned(nbytes(out)))
        for buffer in dying.get(position, ()):
            arenas[names_of(nbytes(buffer))].give(offsets[buffer], _aligned(nbytes(buffer)))
    return Arena(offsets, {names: arena.size for names, arena in arenas.items()})


def _aligned(nbytes: Dim) -> int:
    return -(-coefficient_of(nbytes) // ALIGNMENT) * ALIGNMENT


class _FreeList:
    """Free intervals of one arena, sorted by offset; neighbours are merged."""

    def __init__(self) -> None:
        self.size = 0
        self.gaps: list[tuple[int, int]] = []  # (offset, length)

    def take(self, length: int) -> int:
        """The smallest gap that holds `length`, or new room at the end."""
        if length == 0:
            return 0
        fitting = [(size, offset) for offset, size in self.gaps if size >= length]
        if fitting:
            size, offset = min(fitting)
            self.gaps.remove((offset, size))
            if size > length:
                insort(self.gaps, (offset + length, size - length))
            return offset
        offset = self._open_end()
        self.size = max(self.size, offset + length)
        return offset

    def _open_end(self) -> int:
        """The last gap, if it reaches the end of the arena, grows; else the end itself."""
        if self.gaps and sum(self.gaps[-1]) == self.size:
            return self.gaps.pop()[0]
        return self.size

    def give(self, offset: int, length: int) -> None:
        if length == 0:
            return
        position = bisect_left(self.gaps, (offset, length))
        if position < len(self.gaps) and self.gaps[position][0] == offset + length:
            length += self.gaps.pop(position)[1]
        if position and sum(self.gaps[position - 1]) == offset:
            offset, before = self.gaps.pop(position - 1)
            length += before
        insort(self.gaps, (offset, length))
