"""A lowered program as routines: its kernels in order, over one arena.

    NAME(arena, table, rows, thread, threads)

Every thread calls the routine; a kernel is shared among them or done by the first alone. Where
one reads or overwrites what another thread has touched, a barrier comes between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from chainc.dataclass import dataclass
from chainc.ir import Origin
from chainc.ir.types import Dim, product, uint8
from chainc.loops.language import Nest, Routine
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Register, affine
from chainc.lowering.forms import form_of
from chainc.lowering.kernels import Copy, Kernel
from chainc.lowering.parts import Part, parts_of, parts_of_all
from chainc.lowering.program import Loop, Program
from chainc.lowering.views import Buffer, View
from chainc.schedules.by_kernel import schedule
from chainc.schedules.layout.access import UnboundError
from chainc.schedules.layout.machine import Machine
from chainc.schedules.program.call_writing import CallWriter, KernelCall, Team, write_calls
from chainc.schedules.program.clock import Clock
from chainc.schedules.program.conflicts import Conflicts
from chainc.schedules.program.elements import over_elements
from chainc.schedules.program.failures import Failures, Watched
from chainc.schedules.program.memory import Memory
from chainc.schedules.unrolled.schedule import Unrolled
from chainc.schedules.watching import watching_nest

MOST_CALLS = 512  # of kernels in one routine; it calls others for those before


@dataclass
class ProgramWriter:
    """Writes routines over one memory.

    `computed` has what each nest computes. With a clock, every call of a kernel is timed. What is
    `ready` is told of each nest that is new.
    """

    memory: Memory
    machine: Machine
    failures: Failures = field(default_factory=Failures)
    computed: list[tuple[Nest, tuple[Part, ...]]] = field(default_factory=list)
    scheduled: dict[str, tuple[Nest, tuple[int, ...]]] = field(default_factory=dict)  # by form
    clock: Clock | None = None
    ready: Callable[[Nest], object] | None = None
    around: tuple[Loop, ...] = ()  # the loops that what is written is a step of

    def kernel(self, kernel: Kernel) -> KernelCall:
        nest, buffers = self._nest(kernel)
        parts = parts_of(kernel)
        self.computed.append((nest, parts))
        code = self.failures.add_kernel(kernel)
        return KernelCall(nest, buffers, frozenset(kernel.outs), code, parts)

    def _nest(self, kernel: Kernel) -> tuple[Nest, tuple[Buffer, ...]]:
        """One for all kernels of a form, called as the first of them, and the buffers of this."""
        kernel = over_elements(kernel, self.memory)
        form = form_of(kernel)
        if form.text not in self.scheduled:
            nest, buffers = schedule(kernel, self.memory.capacity, self.machine)
            self.scheduled[form.text] = nest, tuple(map(form.buffers.index, buffers))
            if self.ready is not None:
                self.ready(nest)
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
        for state in _alike_together(states):
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
        before: list[Routine] = []
        for position, kernel in enumerate(kernels):
            if len(calls) >= MOST_CALLS or (calls and isinstance(kernel, Loop)):
                before.append(self._routine(f"{name}.part.{position}", calls))
                calls = []
            if isinstance(kernel, Loop):
                if kernel.length != 0:
                    before.append(self._loop(f"{name}.loop.{position}", kernel))
                continue
            calls.append(self.kernel(kernel))
            outs = kernel.outs if watch else ()
            watched = (Watched(out, _origin_of(out, kernel), given=False) for out in outs)
            calls += self._watched(watched)
        return self._routine(name, calls, before)

    def _count(self, writer: CallWriter, length: Dim) -> int | Register:
        """How many steps there are; a named size is that of the rows of this call."""
        if isinstance(length, int):
            return length
        if len(length.names) > 1:
            raise UnboundError(f"the size {length}")
        return writer.to.times(writer.rows, length.coefficient, "steps")

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
        before: Sequence[Routine] = (),
        *,
        inlined: bool = False,
    ) -> Routine:
        writer = self._begin(before)
        if calls:
            conflicts = Conflicts()
            waits = [self._waits(conflicts, call) for call in calls]
            write_calls(writer, name, calls, waits)
        return writer.to.routine(name, "kernels in order", inlined=inlined)

    def _begin(self, before: Sequence[Routine] = ()) -> CallWriter:
        """A routine that first runs others."""
        to = RoutineBuilder()
        team, rows, counts = step_arguments(to, len(self.around))
        loops = zip(counts, self.around, strict=True)
        steps = {part: count for count, loop in loops for part, _ in loop.slices}
        often = product(loop.length for loop in self.around)
        writer = CallWriter(to, team, rows, self.memory, self.clock, counts, steps, often)
        for each in before:
            to.run(each, *writer.arguments)
            team.wait(to)
        return writer

    def _loop(self, name: str, loop: Loop) -> Routine:
        """Runs a step again and again; the threads wait for each other after each."""
        program = loop.program
        self.memory.slices |= dict(loop.slices)
        updates = [Copy(slot, (view,)) for slot, view in program.updates]
        inside = replace(self, around=(*self.around, loop))
        step = inside.sequence(f"{name}.step", (*program.body, *updates))
        writer = self._begin()
        to, team = writer.to, writer.team
        *given, thread, threads = writer.arguments
        count = self._count(writer, loop.length)
        if loop.condition is not None:
            self._while(writer, loop.condition, step, count)
            return to.routine(name, "a loop with a condition")
        with to.loop("step", 0, count) as steps:
            at = affine(steps.index)
            place = affine(count) + at * -1 + -1 if loop.reverse else at
            to.run(step, *given, to.positions(place, 1), thread, threads)
            team.wait(to)
        return to.routine(name, "a loop")

    def _while(
        self, writer: CallWriter, condition: Buffer, step: Routine, count: int | Register
    ) -> None:
        """Runs a step while the condition holds; no thread changes it before all have read it."""
        to, team = writer.to, writer.team
        *given, thread, threads = writer.arguments

        def another(done: Register) -> Register:
            holds = to.load(Address(writer.place(condition), affine(0)))
            again = to.both(holds, to.is_less(done, count), "again")
            team.wait(to)
            return again

        none = to.integer(0)
        with to.when(another(none)), to.repeat([none]) as steps:
            (done,) = steps.values
            to.run(step, *given, done, thread, threads)
            team.wait(to)
            following = to.plus(done, 1)
            steps.carry(following, again=another(following))

    def _waits(self, conflicts: Conflicts, call: KernelCall) -> bool:
        touched = {buffer: self.memory.extent(buffer) for buffer in call.buffers}
        written = [extent for buffer, extent in touched.items() if buffer in call.written]
        return conflicts.waits([*touched.values()], written, shared=call.nest.shared)


def step_arguments(to: RoutineBuilder, depth: int = 0) -> tuple[Team, Register, Sequence[Register]]:
    """The arguments of a routine that is called with a number of rows, in steps of loops.

    The last are the steps of these loops, from the outermost on.
    """
    arena, table, rows = to.buffer("arena", uint8), to.buffer("table", uint8), to.number("rows")
    counts = [to.number(f"step{each}") for each in range(depth)]
    return Team(arena, table, to.number("thread"), to.number("threads")), rows, counts


def _alike_together(states: Sequence[Buffer]) -> Sequence[Buffer]:
    """Those of one type and layout side by side, so that they can be copied in a loop."""
    kinds: dict[tuple[object, ...], list[Buffer]] = {}
    for state in states:
        kinds.setdefault((state.type, state.panels), []).append(state)
    return [state for some in kinds.values() for state in some]


def _origin_of(out: Buffer, kernel: Kernel) -> Origin:
    """Of what is written to a buffer."""
    results = [result for result, target in kernel.stored if target is out]
    return next(member.origin for member in kernel.single if member.out in results)
