"""A lowered program as routines: its kernels in order, over one arena.

    NAME(arena, table, rows, thread, threads)

Every thread calls the routine; a kernel is shared among them or done by the first alone. Where
one reads or overwrites what another thread has touched, a barrier comes between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby

from chainc.ir import Origin
from chainc.ir.types import int64, uint8
from chainc.loops.language import Nest, Routine
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Parameter, Register, affine
from chainc.lowering.forms import form_of
from chainc.lowering.kernels import Copy, Kernel
from chainc.lowering.parts import Part, parts_of, parts_of_all
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View
from chainc.schedules import schedule
from chainc.schedules.layout.machine import Machine
from chainc.schedules.program.clock import Clock, TimedCall
from chainc.schedules.program.conflicts import Conflicts
from chainc.schedules.program.control_block import FAILURE
from chainc.schedules.program.failures import Failures, Watched
from chainc.schedules.program.memory import Memory
from chainc.schedules.unrolled.schedule import Unrolled
from chainc.schedules.watching import watching_nest

MOST_CALLS = 512  # of kernels in one routine; it calls another for those before


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


@dataclass
class ProgramWriter:
    """Writes routines over one memory.

    `computed` has what each nest computes. With a clock, every call of a kernel is timed.
    """

    memory: Memory
    machine: Machine
    failures: Failures = field(default_factory=Failures)
    computed: list[tuple[Nest, tuple[Part, ...]]] = field(default_factory=list)
    scheduled: dict[str, tuple[Nest, tuple[int, ...]]] = field(default_factory=dict)  # by form
    clock: Clock | None = None

    def kernel(self, kernel: Kernel) -> KernelCall:
        nest, buffers = self._nest(kernel)
        parts = parts_of(kernel)
        self.computed.append((nest, parts))
        code = self.failures.add_kernel(kernel)
        return KernelCall(nest, buffers, frozenset(kernel.outs), code, parts)

    def _nest(self, kernel: Kernel) -> tuple[Nest, tuple[Buffer, ...]]:
        """One for all kernels of a form, called as the first of them, and the buffers of this."""
        form = form_of(kernel)
        if form.text not in self.scheduled:
            nest, buffers = schedule(kernel, self.memory.capacity, self.machine)
            self.scheduled[form.text] = nest, tuple(map(form.buffers.index, buffers))
        nest, positions = self.scheduled[form.text]
        return nest, tuple(form.buffers[position] for position in positions)

    def unrolled(self, name: str, small: Unrolled) -> Routine:
        """Calls a whole program as straight-line code."""
        parts = parts_of_all(small.kernels)
        self.computed.append((small.nest, parts))
        code = self.failures.add_kernels(small.checked)
        call = KernelCall(small.nest, small.buffers, frozenset(), code, parts)
        return self._routine(name, [call], inlined=True)

    def program(self, name: str, program: Program, *, watch: bool = False) -> Sequence[Routine]:
        """`NAME.prologue` and `NAME`."""
        updates = [Copy(slot, (view,)) for slot, view in program.updates]
        prologue = replace(self, clock=None).sequence(f"{name}.prologue", program.prologue)
        given = (*program.inputs, *program.states) if watch else ()
        step = self.sequence(name, (*program.body, *updates), given, watch=watch)
        return prologue, step

    def exchange(
        self, name: str, states: Sequence[Buffer], table: Mapping[str, int]
    ) -> Sequence[Routine]:
        """`NAME.set` copies states from the table's arrays into the arena, `NAME.get` back."""
        given, taken = [], []
        for state in states:
            plain = replace(state, panels=None)
            source, target = replace(plain, role="input"), replace(plain, role="output")
            self.memory.table[source] = self.memory.table[target] = table[state.key]
            given.append(Copy(state, (View(source, source.type),)))
            taken.append(Copy(target, (View(state, state.type),)))
        return self.sequence(f"{name}.set", given), self.sequence(f"{name}.get", taken)

    def sequence(
        self,
        name: str,
        kernels: Sequence[Kernel],
        given: Sequence[Buffer] = (),
        *,
        watch: bool = False,
    ) -> Routine:
        """Calls the kernels in order.

        Watched, what is given and each result is looked through for NaN and infinities.
        """
        calls = [*self._watched(Watched(each, each.origin, given=True) for each in given)]
        before: Routine | None = None
        for position, kernel in enumerate(kernels):
            if position and position % MOST_CALLS == 0:
                part = f"{name}.part.{position // MOST_CALLS - 1}"
                before, calls = self._routine(part, calls, before), []
            calls.append(self.kernel(kernel))
            outs = kernel.outs if watch else ()
            watched = (Watched(out, _origin_of(out, kernel), given=False) for out in outs)
            calls += self._watched(watched)
        return self._routine(name, calls, before)

    def _watched(self, watched: Iterable[Watched]) -> Iterator[KernelCall]:
        for each in watched:
            if each.buffer.type.dtype.is_float:
                nest, buffers = watching_nest(each.buffer, self.memory.capacity, self.machine)
                code = self.failures.add_watched(each)
                yield KernelCall(nest, buffers, frozenset(), code)

    def _routine(
        self,
        name: str,
        calls: Sequence[KernelCall],
        before: Routine | None = None,
        *,
        inlined: bool = False,
    ) -> Routine:
        to = RoutineBuilder()
        team, rows = step_arguments(to)
        if before is not None:
            to.run(before, team.arena, team.table, rows, team.thread, team.threads)
            team.wait(to)
        self._calls(to, team, rows, calls)
        return to.routine(name, "kernels in order", inlined=inlined)

    def _calls(
        self, to: RoutineBuilder, team: Team, rows: Register, calls: Sequence[KernelCall]
    ) -> None:
        """Those of the first thread alone are put together between barriers."""
        if not calls:
            return
        leads = team.leads(to)
        conflicts, passed = Conflicts(), 0
        counts = accumulate(self._waits(conflicts, call) for call in calls)
        stages = zip(counts, calls, strict=True)
        for (stage, shared), some in groupby(stages, lambda each: (each[0], each[1].nest.shared)):
            if stage != passed:
                team.wait(to)
                passed = stage
            with nullcontext() if shared else to.when(leads):
                for _, call in some:
                    self.call(to, team, rows, call)

    def _waits(self, conflicts: Conflicts, call: KernelCall) -> bool:
        touched = {buffer: self.memory.extent(buffer) for buffer in call.buffers}
        written = [extent for buffer, extent in touched.items() if buffer in call.written]
        return conflicts.waits([*touched.values()], written, shared=call.nest.shared)

    def call(self, to: RoutineBuilder, team: Team, rows: Register, call: KernelCall) -> None:
        """Pointers are found where they are needed: kept for long, they would take registers."""
        buffers = [self._place(to, team, buffer) for buffer in call.buffers]
        failing: Sequence[Parameter | Register] = ()
        if call.nest.fails:
            place = to.within(team.arena, FAILURE, "failure", int64)
            failing = (place, to.integer(call.code))
        with self._timed(to, team, call):
            to.run(call.nest, *buffers, rows, team.thread, team.threads, *failing)

    def _timed(
        self, to: RoutineBuilder, team: Team, call: KernelCall
    ) -> AbstractContextManager[None]:
        if self.clock is None:
            return nullcontext()
        return self.clock.around(to, team.arena, team.table, TimedCall(call.nest, call.parts))

    def _place(self, to: RoutineBuilder, team: Team, buffer: Buffer) -> Parameter:
        name, dtype = buffer.name or "value", buffer.type.dtype
        if buffer in self.memory.offsets:
            return to.within(team.arena, self.memory.offsets[buffer], name, dtype)
        if buffer in self.memory.table:
            return to.entry(team.table, self.memory.table[buffer], name, dtype)
        return to.data(self.memory.constant(buffer), dtype, buffer.data)


def step_arguments(to: RoutineBuilder) -> tuple[Team, Register]:
    """The arguments of a routine that is called with a number of rows."""
    arena, table = to.buffer("arena", uint8), to.buffer("table", uint8)
    rows = to.number("rows")
    return Team(arena, table, to.number("thread"), to.number("threads")), rows


def _origin_of(out: Buffer, kernel: Kernel) -> Origin:
    """Of what is written to a buffer."""
    results = [result for result, target in kernel.stored if target is out]
    return next(member.origin for member in kernel.single if member.out in results)
