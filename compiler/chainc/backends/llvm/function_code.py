"""One function as a module.

@bind    copies the state in and computes what stays the same
@run     all rows, or a block of them; @store copies the state out
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from chainc.backends.llvm.arena import arrays_outside, constants_outside
from chainc.backends.llvm.places import CallPlaces
from chainc.backends.llvm.printing.module import MOST_COPIES, KernelUse, Module
from chainc.backends.llvm.printing.routine import CLOCK_DECLARED
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.runtime.entry import CLOCK, environment, exported
from chainc.backends.llvm.runtime.threads import pauses
from chainc.dataclass import dataclass
from chainc.ir.types import Array
from chainc.loops.language import Nest, Routine
from chainc.lowering.loops import with_outputs
from chainc.lowering.program import Program
from chainc.lowering.rows import rows_are_independent
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.lent import lent
from chainc.schedules.program.calls import ProgramWriter
from chainc.schedules.program.clock import Clock, room_for_calls
from chainc.schedules.program.failures import Failures
from chainc.schedules.program.memory import Memory
from chainc.schedules.program.preparation import prepare
from chainc.schedules.training.waiting import ALONE, BARRIER

if TYPE_CHECKING:
    from chainc.backends.c.file import CFile


@dataclass(frozen=True)
class FunctionCode:
    """The module of one function for up to a number of rows."""

    module: Module
    program: Program
    memory: Memory
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    states: tuple[Buffer, ...]
    failures: Failures
    updates: bool
    block: int | None  # rows at once; None: all of a call
    uses: Mapping[str, Sequence[KernelUse]]  # what each function of the module computes
    clock: Clock | None  # of one that is timed
    entries: Mapping[str, tuple[Routine, ...]]  # what can be called, and what that calls
    routines: tuple[Routine, ...] = ()  # to be shown: those of a function say no more than it

    @cached_property
    def text(self) -> str:
        """All of it in LLVM text."""
        return self.module.text()

    @cached_property
    def c(self) -> CFile:
        """All of it in C."""
        from chainc.backends.c.entries import about
        from chainc.backends.c.file import CALL, CFile, Entry

        entries = [Entry(name, CALL, called) for name, called in self.entries.items()]
        arrays = [buffer.key or buffer.name for buffer in (*self.inputs, *self.outputs)]
        arrays += [buffer.key for buffer in self.states]
        arrays += ["a constant"] * len(self.memory.outside)
        return CFile(entries, about(self.memory.arena_bytes, arrays))

    @property
    def nests(self) -> Sequence[Nest]:
        """The kernels of the module, in order of first use."""
        return self.module.nests

    @property
    def called(self) -> Mapping[Nest, str]:
        """What the function of each nest is called."""
        return self.module.called

    @property
    def whole(self) -> FunctionCode:
        """Itself."""
        return self

    @cached_property
    def places(self) -> CallPlaces:
        """What a call must know."""
        return CallPlaces(
            self.memory.arena_bytes,
            tuple(buffer.type for buffer in self.inputs),
            tuple(buffer.type for buffer in self.outputs),
            tuple(buffer.key for buffer in self.states),
            tuple(buffer.key for buffer in self.states if buffer.role != "state"),
            self.program.size_names,
            self.updates,
            self.block,
            constants_outside(self.memory),
        )

    @cached_property
    def outside(self) -> tuple[Array, ...]:
        """The constants that are handed over as arrays."""
        return arrays_outside(self.memory)


@dataclass(frozen=True)
class Placed:
    """A program as it is printed, the caller's arrays for its outputs, and where all lies."""

    program: Program
    outputs: tuple[Buffer, ...]
    memory: Memory


def placed(
    program: Program,
    capacity: Capacity,
    processor: Processor,
    most_in_code: int | None = None,
    *,
    timed: bool = False,
) -> Placed:
    """Where everything of a function lies, before any code is written."""
    direct, outputs = with_outputs(program)
    has_host = most_in_code is not None  # whose arrays stay as long as the function is bound
    given = lent(direct, capacity) if has_host else direct
    prepared = prepare(given, processor.machine, capacity)
    memory = Memory(capacity, most_in_code)
    arrays = (*prepared.inputs, *outputs, *prepared.states)
    copied = _copied(prepared)
    memory.table = {array: at for at, array in enumerate(arrays) if array not in copied}
    memory.place_outside([prepared], len(arrays) + timed)
    memory.keep(copied)
    memory.keep_results(prepared.prologue)
    memory.work([prepared])
    return Placed(prepared, outputs, memory)


def _copied(program: Program) -> Sequence[Buffer]:
    """The states that are not read where the caller has them."""
    return [state for state in program.states if state.role == "state"]


def function_code(
    program: Program,
    capacity: Capacity,
    processor: Processor,
    most_in_code: int | None = None,
    *,
    timed: bool = False,
) -> FunctionCode:
    """Schedules and prints every kernel; with a clock around each if they are timed.

    For `most_in_code` see `Memory`.

    Raises:
        UnboundError: the number of rows must be known when compiling.
    """
    independent = bool(capacity.sizes) and rows_are_independent(program)
    place = placed(program, capacity, processor, most_in_code, timed=timed)
    prepared, outputs, memory = place.program, place.outputs, place.memory
    arrays = (*prepared.inputs, *outputs)
    clock = Clock(len(arrays) + len(prepared.states), room_for_calls(prepared)) if timed else None
    writer = ProgramWriter(memory, processor.machine)
    prologue, step = replace(writer, clock=clock).program("step", prepared)
    places = {s.key: len(arrays) + position for position, s in enumerate(prepared.states)}
    exchange = writer.exchange("state", _copied(prepared), places)
    copies = 0 if program.seldom else MOST_COPIES
    waits = ALONE if processor.threads == 1 else BARRIER
    module = Module(processor.machine, most_copies=copies, barrier=waits)
    module.add(environment(processor))
    module.add(pauses(processor))
    for routine in (prologue, step, *exchange):
        module.routine(routine)
    entries = {"bind": (exchange[0], prologue), "run": (step,), "store": (exchange[1],)}
    for name, called in entries.items():
        module.add(exported(name, [routine.name for routine in called]))
    if timed:
        module.add(CLOCK, [CLOCK_DECLARED])
    return FunctionCode(
        module,
        prepared,
        memory,
        prepared.inputs,
        outputs,
        prepared.states,
        writer.failures,
        bool(program.updates),
        max(capacity.sizes.values()) if independent else None,
        module.uses(writer.computed),
        clock,
        entries,
    )
