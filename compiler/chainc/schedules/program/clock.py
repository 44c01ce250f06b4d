"""Reads the processor's clock before and after every call of a routine.

readings[steps done][call] += ticks, an array of int64 behind a pointer of the table

A kernel in a loop is timed over all steps of the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, int64
from chainc.loops.language import Nest
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Parameter, affine
from chainc.lowering.parts import Part
from chainc.lowering.program import Loop, Program
from chainc.schedules.program.control_block import STEPS


@dataclass(frozen=True)
class TimedCall:
    """A call whose ticks are counted, in so many steps of loops.

    Without a nest, it is none of a kernel.
    """

    nest: Nest | None
    parts: tuple[Part, ...]
    steps: Dim = 1


@dataclass
class Clock:
    """Written into the routine of one thread.

    Attributes:
        place: of the readings in the table.
        columns: readings a step; there is room for more calls than there are.
        calls: what is timed so far, in order.
    """

    place: int
    columns: int
    calls: list[TimedCall] = field(default_factory=list)

    @contextmanager
    def around(
        self, to: RoutineBuilder, arena: Parameter, table: Parameter, call: TimedCall
    ) -> Iterator[None]:
        """What is written inside is timed."""
        column = len(self.calls)
        self.calls.append(call)
        before = to.clock("before")
        yield
        ticks = to.minus(to.clock("after"), before, "ticks")
        step = to.load(Address(to.within(arena, STEPS, "steps_done", int64), affine(0)))
        readings = to.entry(table, self.place, "readings", int64)
        reading = Address(readings, affine(step) * self.columns + column)
        to.store(to.plus(to.load(reading), ticks), reading)


def room_for_calls(program: Program) -> int:
    """No program calls more kernels: one that is watched is looked through after each."""
    given = len(program.inputs) + len(program.states)
    kernels = sum(1 + len(kernel.outs) for kernel in program.body)
    steps = sum(room_for_calls(each.program) for each in program.body if isinstance(each, Loop))
    return 1 + given + kernels + steps + 2 * len(program.updates)
