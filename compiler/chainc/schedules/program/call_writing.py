"""Calls of kernels in a routine: one after another, and again and again over other buffers.

    step.calls.4 = [offsets in the arena, and places in the table]
    for layer in 0..98:
        relu1(arena + step.calls.4[4*layer], …)

A loop over the places of its buffers is as long for a hundred layers as for ten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field
from itertools import accumulate, groupby

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, int64
from chainc.loops.language import Nest
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Parameter, Register, affine
from chainc.lowering.parts import Part
from chainc.lowering.views import Buffer
from chainc.schedules.program.clock import Clock, TimedCall
from chainc.schedules.program.control_block import FAILURE
from chainc.schedules.program.memory import Memory
from chainc.schedules.program.repetition import stretches


@dataclass(frozen=True)
class KernelCall:
    """A kernel, the buffers it is given, and which of them it writes; what a failure is called.

    `parts` is what it computes; nothing if it looks through what another has computed.
    """

    nest: Nest
    buffers: tuple[Buffer, ...]
    written: frozenset[Buffer]
    code: int
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Team:
    """What every thread is given: the memory they have in common, and who it is."""

    arena: Parameter
    table: Parameter
    thread: Register
    threads: Register

    def wait(self, to: RoutineBuilder) -> None:
        to.barrier(self.arena, self.thread, self.threads)

    def word(self, to: RoutineBuilder, offset: int, name: str) -> Address:
        """A 64-bit word of the arena."""
        return Address(to.within(self.arena, offset, name, int64), affine(0))

    def leads(self, to: RoutineBuilder) -> Register:
        """Is this the first thread?"""
        return to.is_equal(self.thread, 0, "first")


@dataclass(frozen=True)
class CallWriter:
    """Writes into a routine that every thread of a team goes through; with a clock, times it."""

    to: RoutineBuilder
    team: Team
    rows: Register
    memory: Memory
    clock: Clock | None
    counts: Sequence[Register] = ()  # steps done of the loops around, which may have no slices
    steps: Mapping[Buffer, Register] = field(default_factory=dict)  # the same for each slice
    repeated_by: Dim = 1  # steps of these loops

    @property
    def arguments(self) -> Sequence[Parameter | Register]:
        """Of another routine that is run in the place of this one."""
        team = self.team
        return team.arena, team.table, self.rows, *self.counts, team.thread, team.threads

    def one_by_one(
        self, leads: Register, calls: Sequence[KernelCall], waits: Sequence[bool]
    ) -> None:
        """Those of the first thread alone are put together between barriers."""
        passed = 0
        stages = zip(accumulate(waits), calls, strict=True)
        for (stage, shared), some in groupby(stages, lambda each: (each[0], each[1].nest.shared)):
            if stage != passed:
                self.team.wait(self.to)
                passed = stage
            with nullcontext() if shared else self.to.when(leads):
                for _, call in some:
                    self._call(call, [self.place(buffer) for buffer in call.buffers])

    def repeated(
        self,
        leads: Register,
        name: str,
        passes: Sequence[Sequence[KernelCall]],
        waits: Sequence[bool],
    ) -> None:
        """The calls of the first pass over the places of every pass."""
        to = self.to
        numbers = [[self._number(b) for call in some for b in call.buffers] for some in passes]
        places = to.data(name, int64, np.asarray(numbers, np.int64).tobytes())
        with to.loop("layer", 0, len(passes)) as loop:
            position = affine(loop.index) * len(numbers[0])
            for call, wait in zip(passes[0], waits, strict=True):
                if wait:
                    self.team.wait(to)
                with nullcontext() if call.nest.shared else to.when(leads):
                    at = [Address(places, position + i) for i in range(len(call.buffers))]
                    self._call(call, list(map(self._place_at, call.buffers, at)))
                position += len(call.buffers)

    def _call(self, call: KernelCall, buffers: Sequence[Parameter]) -> None:
        to, team = self.to, self.team
        failing: Sequence[Parameter | Register] = ()
        if call.nest.fails:
            place = to.within(team.arena, FAILURE, "failure", int64)
            failing = (place, to.integer(call.code))
        with self._timed(call):
            to.run(call.nest, *buffers, self.rows, team.thread, team.threads, *failing)

    def _timed(self, call: KernelCall) -> AbstractContextManager[None]:
        if self.clock is None:
            return nullcontext()
        timed = TimedCall(call.nest, call.parts, self.repeated_by)
        return self.clock.around(self.to, self.team.arena, self.team.table, timed)

    def place(self, buffer: Buffer) -> Parameter:
        """Found where it is needed: kept for long, it would take a register."""
        base, distance = self.memory.base(buffer)
        name, dtype = buffer.name or "value", buffer.type.dtype
        if base in self.steps:
            whole = self.place(self.memory.slices[base])
            start = affine(self.steps[base]) * self.memory.nbytes(base) + distance
            return self.to.within(whole, start, name, dtype)
        if base in self.memory.offsets:
            offset = self.memory.offsets[base] + distance
            return self.to.within(self.team.arena, offset, name, dtype)
        if base is not buffer:
            return self.to.within(self.place(base), distance, name, dtype)
        if buffer in self.memory.table:
            return self.to.entry(self.team.table, self.memory.table[buffer], name, dtype)
        return self.to.data(self.memory.constant(buffer), dtype, buffer.data)

    def _place_at(self, buffer: Buffer, number: Address) -> Parameter:
        """A buffer like this one; the number says where, but of a constant of the code's own."""
        if self._is_constant(buffer):
            return self.place(buffer)
        name, dtype = buffer.name or "value", buffer.type.dtype
        found, (base, _) = self.to.load(number, name="place"), self.memory.base(buffer)
        if base in self.memory.offsets:
            return self.to.within(self.team.arena, found, name, dtype)
        if base is not buffer:
            return self.to.within(self.place(base), found, name, dtype)
        return self.to.entry(self.team.table, found, name, dtype)

    def _number(self, buffer: Buffer) -> int:
        base, distance = self.memory.base(buffer)
        if base in self.memory.offsets:
            return self.memory.offsets[base] + distance
        return self.memory.table.get(buffer, distance)

    def kind(self, call: KernelCall, wait: bool) -> tuple[object, ...] | None:
        """Equal for calls that differ in nothing but numbers; None: it is like no other."""
        found = [self._space(buffer) for buffer in call.buffers]
        if call.nest.fails or self.clock is not None or None in found:
            return None
        return call.nest, wait, *found

    def _space(self, buffer: Buffer) -> object:
        """In what the number of a buffer counts; None if it has none."""
        base, _ = self.memory.base(buffer)
        if base in self.memory.offsets:
            return "arena"
        if base is not buffer:
            return base
        if buffer in self.memory.table:
            return "table"
        return self.memory.constant(buffer) if self._is_constant(buffer) else None

    def _is_constant(self, buffer: Buffer) -> bool:
        base, _ = self.memory.base(buffer)
        return base is buffer and not (
            base in self.memory.offsets or base in self.memory.table or base in self.steps
        )


def write_calls(
    writer: CallWriter, name: str, calls: Sequence[KernelCall], waits: Sequence[bool]
) -> None:
    """All calls in order; `waits` says before which of them the threads wait for each other."""
    leads = writer.team.leads(writer.to)
    for part in stretches([writer.kind(*each) for each in zip(calls, waits, strict=True)]):
        start, length = part.start, part.length
        end = start + length * part.count
        if part.count == 1:
            writer.one_by_one(leads, calls[start:end], waits[start:end])
            continue
        passes = [calls[at : at + length] for at in range(start, end, length)]
        place = f"{name}.calls.{start}"
        writer.repeated(leads, place, passes, waits[start : start + length])
