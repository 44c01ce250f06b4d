"""Maps join the kernel whose elements they go on with, reductions others of the same elements.

    d_w = x.T @ d_z              group(d_w = x.T @ d_z,
    new_v = m * v + d_w     →          new_v = m * v + d_w,
    new_w = w - lr * new_v             new_w = w - lr * new_v)

So an optimizer's update is done on the tile of the gradient, which is never stored. Whether that
is legal is a matter of order alone: a map that needs more of the result than its own element, or
waits for a kernel that does (a norm for clipping, say), stays outside. So does an activation such
as a GELU of a product that others read too: it is stored, and a loop of its own takes less time.

    s = Σ g;  t = Σ g * x        →   group(s, t), one pass over g and x

Rows that maps compute and that are put side by side are written where they come to lie.

    i = a * b;  f = c * d;  z[:, :n] = i;  z[:, n:] = f     →   group(z[:, :n] = a * b, …)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field, replace

from chainc.dataclass import dataclass
from chainc.ir.types import Dim
from chainc.lowering.kernels import (
    Contraction,
    Copy,
    Kernel,
    Map,
    Names,
    Part,
    Reduction,
    renamed_all,
)
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, Operand, View
from chainc.ops.functions import ELEMENTARY

MOST_MEMBERS = 32  # in a group, so that kernels stay of a size that compiles quickly
MOST_REDUCTIONS = 3  # so that their results stay in registers


@dataclass(frozen=True)
class Group(Kernel):
    """A kernel and the maps that go on with its elements, done together element by element.

    Results are handed on in registers: the members' own buffers have no storage. `kept` says
    which of them are written where, after all operands at that element have been read, and
    `places` to which part of that. `operands` are those that come from outside.
    """

    members: tuple[Kernel, ...]
    kept: tuple[tuple[Buffer, Buffer], ...]
    places: tuple[Part, ...] = ()  # all are whole, if none is given

    @property
    def stored(self) -> tuple[tuple[Buffer, Buffer], ...]:
        return self.kept

    @property
    def written(self) -> tuple[Part, ...]:
        return self.places or super().written

    @property
    def single(self) -> tuple[Kernel, ...]:
        return self.members

    @property
    def multiplications(self) -> Dim:
        return self.root.multiplications

    @property
    def index(self) -> tuple[View, Dim] | None:
        return self.root.index

    @property
    def keeps_rows_apart(self) -> bool:
        return all(member.keeps_rows_apart for member in self.members)

    def element_reads(self) -> Iterator[tuple[View, bool]]:
        results = {member.out for member in self.members}
        for member in self.members:
            yield from (read for read in member.element_reads() if read[0].buffer not in results)

    def over(self, names: Names) -> Kernel:
        members = tuple([member.over(names) for member in self.members])
        own = (self.out, *(target for _, target in self.kept))
        same = all(new is old for new, old in zip(members, self.members, strict=True))
        if same and not any(buffer in names for buffer in own):
            return self
        return replace(
            self,
            out=names.get(self.out, self.out),
            operands=renamed_all(self.operands, names),
            members=members,
            kept=tuple((result, names.get(target, target)) for result, target in self.kept),
        )

    def reading(self, view: View, instead: View) -> Kernel:
        members = (self.root.reading(view, instead), *self.members[1:])
        return replace(self, members=members, operands=outside(members))


def outside(members: Sequence[Kernel]) -> tuple[Operand, ...]:
    """What kernels that are done together read, but for each other's results."""
    inside = {member.out for member in members}
    operands = (operand for member in members for operand in member.operands)
    kept = (o for o in operands if not (isinstance(o, View) and o.buffer in inside))
    return tuple(dict.fromkeys(kept))


@dataclass(eq=False)
class Unit:
    """Kernels that are done together, by their positions in the program.

    `kernels` has the maps last: none of the others waits for one of them. `copies` put what they
    compute beside something else. `horizon` is the last position in it and in all that it waits
    for, directly or not. A unit that has `joined` another stands for it.
    """

    members: list[int] = field(default_factory=list)
    kernels: list[Kernel] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    after: set[Unit] = field(default_factory=set)  # units that must come first
    before: set[Unit] = field(default_factory=set)  # the reverse
    horizon: int = -1
    joined: Unit | None = None

    def wait_for(self, other: Unit) -> None:
        self.after.add(other)
        other.before.add(self)
        self.extend_horizon(other.horizon)

    def extend_horizon(self, position: int) -> None:
        """Of this unit and of all that wait for it."""
        waiting = [self]
        while waiting:
            unit = waiting.pop()
            if unit.horizon < position:
                unit.horizon = position
                waiting.extend(unit.before)

    def reaches(self, other: Unit) -> bool:
        """Does this unit wait for the other, directly or not?"""
        seen = {self}
        waiting = [self]
        while waiting:
            unit = waiting.pop()
            if unit is other:
                return True
            if unit.horizon < other.members[-1]:
                continue
            new = unit.after - seen
            seen |= new
            waiting.extend(new)
        return False


def group(program: Program) -> Program:
    """Groups wherever a map can follow; kernels that replace a slot come after its readers."""
    grouping = _Grouping(program)
    for position, kernel in enumerate(program.body):
        grouping.add(position, kernel)
    for slot, value in program.updates:
        grouping.order_update(slot, value.buffer)
    body = tuple(grouping.kernel(unit) for unit in grouping.ordered())
    return replace(program, body=body)


class _Grouping:
    def __init__(self, program: Program) -> None:
        self.program = program
        counts = Counter(out for kernel in program.body for out in kernel.outs)
        self.once = {buffer for buffer, count in counts.items() if count == 1}
        self.unit_of: dict[Buffer, Unit] = {}  # that wrote a buffer last
        self.units: list[Unit] = []
        self.readers: dict[Buffer, list[Unit]] = {}
        results = (*program.outputs, *(value for _, value in program.updates))
        self.times_read = Counter(
            buffer for each in program.body for buffer in {view.buffer for view in each.reads}
        )
        self.results = {each.buffer for each in results if isinstance(each, View)}

    def add(self, position: int, kernel: Kernel) -> None:
        unit = self._leader(kernel)
        if unit is None:
            unit = Unit()
            self.units.append(unit)
        self._hold(unit, [position])
        written = [view.buffer for view in kernel.reads]
        # what is written in parts: the parts keep their order
        written += [out for out in kernel.outs if out not in self.once]
        for buffer in written:
            self.readers.setdefault(buffer, []).append(unit)
            source = self.unit_of.get(buffer)
            if source is not None and source is not unit:
                unit.wait_for(source)
        self.unit_of.update(dict.fromkeys(kernel.outs, unit))

    def _hold(self, unit: Unit, positions: Sequence[int]) -> None:
        unit.members = sorted((*unit.members, *positions))
        kernels = [self.program.body[position] for position in unit.members]
        first, *others = kernels
        unit.copies = [kernel for kernel in others if isinstance(kernel, Copy)]
        left = [first, *(kernel for kernel in others if kernel not in unit.copies)]
        unit.kernels = sorted(left, key=lambda kernel: isinstance(kernel, Map))
        unit.extend_horizon(unit.members[-1])

    def _readers_of(self, buffer: Buffer) -> Sequence[Unit]:
        readers = self.readers.get(buffer, [])
        readers[:] = dict.fromkeys(map(_standing_for, readers))
        return readers

    def _leader(self, kernel: Kernel) -> Unit | None:
        """The unit that a kernel can join: for a map, the last one that gives it an element."""
        if isinstance(kernel, Reduction):
            return self._companions(kernel)
        if isinstance(kernel, Copy):
            return self._computing(kernel)
        if not isinstance(kernel, Map) or kernel.out not in self.once:
            return None
        sources = {view.buffer: self.unit_of.get(view.buffer) for view in kernel.reads}
        found = {unit for unit in sources.values() if unit is not None}
        for unit in sorted(found, key=lambda unit: unit.members[-1], reverse=True):
            if self._can_follow(kernel, unit, found):
                self._join_maps(kernel, unit, found)
                return unit
        return None

    def _computing(self, copy: Copy) -> Unit | None:
        """The maps whose rows it puts beside others, if these do not wait for each other."""
        (source,) = copy.operands
        unit = self.unit_of.get(source.buffer) if isinstance(source, View) else None
        if unit is None or not _puts_beside(copy, unit) or len(unit.members) == MOST_MEMBERS:
            return None
        before = self.unit_of.get(copy.out)
        others = {before, *self._readers_of(copy.out)} - {None, unit}
        return None if any(other.reaches(unit) for other in others if other) else unit

    def _join_maps(self, kernel: Map, unit: Unit, sources: set[Unit]) -> None:
        """Other maps that give it elements are done in the same loops, but not behind products."""
        if isinstance(unit.kernels[0], Contraction):
            return
        for other in sorted(sources - {unit}, key=lambda other: other.members[-1]):
            maps = isinstance(other.kernels[0], Map) and self._have_room(unit, other)
            if maps and self._can_follow(kernel, other, sources) and not _depend(unit, other):
                self._merge(unit, other)

    def _companions(self, kernel: Reduction) -> Unit | None:
        """Reductions of what the kernel reads; if there are several units of them, made one."""
        sources = [
            self.unit_of[view.buffer] for view in kernel.reads if view.buffer in self.unit_of
        ]
        read = [view.buffer for view in kernel.reads if view.type.shape == kernel.folded.shape]
        chosen: Unit | None = None
        for unit in dict.fromkeys(unit for each in read for unit in self._readers_of(each)):
            if not self._fold_alike(kernel, unit) or any(x.reaches(unit) for x in sources):
                continue
            if chosen is None:
                chosen = unit
            elif self._have_room(chosen, unit) and not _depend(chosen, unit):
                self._merge(chosen, unit)
        return chosen

    def _fold_alike(self, kernel: Reduction, unit: Unit) -> bool:
        """Does the unit fold along the same axes of the same shape, and has it room for more?"""
        first = unit.kernels[0]
        alike = isinstance(first, Reduction) and _folding(first) == _folding(kernel)
        return alike and self._have_room(unit)

    def _have_room(self, *units: Unit) -> bool:
        """Is one group for all of them, and one more reduction, of a fair size?"""
        members = [member for unit in units for member in unit.kernels]
        reductions = sum(isinstance(member, Reduction) for member in members)
        return len(members) < MOST_MEMBERS and reductions < MOST_REDUCTIONS

    def _merge(self, unit: Unit, other: Unit) -> None:
        """Two units that do not wait for each other become the first."""
        self.units.remove(other)
        other.joined = unit
        written = [out for position in other.members for out in self.program.body[position].outs]
        self.unit_of.update((out, unit) for out in written if self.unit_of[out] is other)
        self._hold(unit, other.members)
        for before in other.after:
            before.before.remove(other)
            unit.wait_for(before)
        for after in other.before:
            after.after.remove(other)
            after.wait_for(unit)

    def _can_follow(self, kernel: Map, unit: Unit, sources: set[Unit]) -> bool:
        if len(unit.members) == MOST_MEMBERS:
            return False
        members = unit.kernels
        results = {member.out for member in members}
        if not members[0].leads or not results <= self.once:
            return False
        if any(result.type.shape != kernel.out.type.shape for result in results):
            return False
        reads = [view for view in kernel.reads if view.buffer in results]
        if not all(view.whole for view in reads):
            return False
        if self._is_kept_product(members[0]) and _has_elementary(kernel):
            return False
        return not any(other.reaches(unit) for other in sources if other is not unit)

    def _is_kept_product(self, kernel: Kernel) -> bool:
        """A sum of products that several kernels read is stored for some of them anyway."""
        return isinstance(kernel, Contraction) and self.times_read[kernel.out] > 1

    def order_update(self, slot: Buffer, value: Buffer) -> None:
        """A slot's new value is computed once all others have read the old one."""
        writer = self.unit_of.get(value)
        if writer is None:
            return
        for reader in self._readers_of(slot):
            if reader is not writer and not reader.reaches(writer):
                writer.wait_for(reader)

    def ordered(self) -> Iterator[Unit]:
        """Every unit after those that it waits for, else by its last member."""
        done: set[Unit] = set()
        for unit in sorted(self.units, key=lambda unit: unit.members[-1]):
            yield from _with_predecessors(unit, done)

    def kernel(self, unit: Unit) -> Kernel:
        members = unit.kernels
        if len(unit.members) == 1:
            return members[0]
        own = {member.out: replace(member.out) for member in members}
        inside = set(unit.members)
        kept = tuple((own[m.out], m.out) for m in members if self._is_needed(m.out, inside))
        places = [(copy.starts, copy.steps) for copy in unit.copies]
        kept += tuple((own[copy.reads[0].buffer], copy.out) for copy in unit.copies)
        private = tuple(member.over(own) for member in members)
        target = kept[-1][1] if kept else members[-1].out
        parts = (*[()] * (len(kept) - len(places)), *places)
        return Group(target, outside(members), private, kept, parts, origin=members[0].origin)

    def _is_needed(self, buffer: Buffer, inside: set[int]) -> bool:
        """Is the buffer read outside the unit whose members are at these positions?"""
        if buffer.role == "output" or buffer in self.results:
            return True
        return any(not inside >= set(reader.members) for reader in self._readers_of(buffer))


def _standing_for(unit: Unit) -> Unit:
    while unit.joined is not None:
        unit = unit.joined
    return unit


def _puts_beside(copy: Copy, unit: Unit) -> bool:
    """Does it put what maps compute, as it is, next to other elements of the same rows?"""
    part, joined = copy.reads[0], copy.out.type
    maps = isinstance(unit.kernels[0], Map) and part.buffer in [each.out for each in unit.kernels]
    if not maps or not part.whole or set(copy.steps) != {1}:
        return False
    return part.type.shape[:-1] == joined.shape[:-1] and part.type.dtype == joined.dtype


def _has_elementary(kernel: Map) -> bool:
    """In a tile of sums, which fill the registers, such a function takes twice as long."""
    return any(each.primitive in ELEMENTARY for each in kernel.scalars)


def _depend(one: Unit, other: Unit) -> bool:
    """Must one of two units come before the other?"""
    return one.reaches(other) or other.reaches(one)


def _folding(kernel: Reduction) -> tuple[object, ...]:
    """What reductions have in common that are done in one nest."""
    return kernel.folded.shape, kernel.out.type.shape, kernel.axes, kernel.accumulator


def _with_predecessors(unit: Unit, done: set[Unit]) -> Iterator[Unit]:
    """Depth first, without recursion."""
    waiting = [unit]
    while waiting:
        top = waiting[-1]
        missing = sorted(top.after - done, key=lambda other: other.members[-1])
        if missing and top not in done:
            waiting.extend(missing[:1])
            continue
        waiting.pop()
        if top not in done:
            done.add(top)
            yield top
