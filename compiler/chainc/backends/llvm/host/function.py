"""A compiled graph as native code: bound to state and sizes, then called with arrays."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from chainc.backends.llvm.host.arena import aligned_bytes, arrays_outside
from chainc.backends.llvm.host.storage import storage_of_function
from chainc.backends.llvm.machine_code.code import NativeCode
from chainc.backends.llvm.machine_code.jit import Library, compile_object
from chainc.backends.llvm.printing.module import MOST_COPIES, KernelUse, Module
from chainc.backends.llvm.printing.routine import CLOCK_DECLARED
from chainc.backends.llvm.processor import Processor
from chainc.backends.llvm.runtime.entry import CLOCK, environment, exported
from chainc.backends.llvm.runtime.threads import barrier
from chainc.backends.target import Run
from chainc.ir.types import Array, Dim, bind_shape, static
from chainc.loops.language import Nest, Routine
from chainc.lowering.program import Program
from chainc.lowering.rows import rows_are_independent
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity, UnboundError
from chainc.schedules.program.calls import ProgramWriter
from chainc.schedules.program.clock import Clock, room_for_calls
from chainc.schedules.program.control_block import FAILURE
from chainc.schedules.program.failures import Failures
from chainc.schedules.program.memory import MOST_IN_CODE, Memory
from chainc.schedules.program.preparation import prepare, with_outputs

BLOCK = 256  # rows that are done at once where each row stands for itself
CODES_KEPT = 16  # for other sizes; what is bound keeps its own
ENTRIES = ("bind", "run", "store")
SIGNATURE = [ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3


@dataclass(frozen=True)
class FunctionCode:
    """The module of one function for up to a number of rows."""

    text: str
    program: Program
    memory: Memory
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    states: tuple[Buffer, ...]
    failures: Failures
    updates: bool
    block: int | None  # rows at once; None: all of a call
    nests: tuple[Nest, ...]
    called: Mapping[Nest, str]  # what the function of each nest is called
    uses: Mapping[str, Sequence[KernelUse]]  # what each function of the module computes
    clock: Clock | None  # of one that is timed
    routines: tuple[Routine, ...] = ()  # to be shown: those of a function say no more than it

    @cached_property
    def outside(self) -> tuple[Array, ...]:
        """The constants that are handed over as arrays."""
        return arrays_outside(self.memory)


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
    direct, outputs = with_outputs(program)
    prepared = prepare(direct, processor.machine, capacity)
    memory = Memory(capacity, most_in_code)
    arrays = (*prepared.inputs, *outputs)
    memory.table = {buffer: position for position, buffer in enumerate(arrays)}
    memory.place_outside([prepared], len(arrays) + len(prepared.states) + timed)
    memory.keep(prepared.states)
    memory.keep_results(prepared.prologue)
    memory.work([prepared])
    clock = Clock(len(arrays) + len(prepared.states), room_for_calls(prepared)) if timed else None
    writer = ProgramWriter(memory, processor.machine)
    prologue, step = replace(writer, clock=clock).program("step", prepared)
    places = {s.key: len(arrays) + position for position, s in enumerate(prepared.states)}
    exchange = writer.exchange("state", prepared.states, places)
    module = Module(processor.machine, most_copies=0 if program.seldom else MOST_COPIES)
    module.add(environment(processor))
    module.add(barrier(processor))
    for routine in (prologue, step, *exchange):
        module.routine(routine)
    module.add(exported("bind", ["state.set", "step.prologue"]))
    module.add(exported("run", ["step"]))
    module.add(exported("store", ["state.get"]))
    if timed:
        module.add(CLOCK, [CLOCK_DECLARED])
    return FunctionCode(
        module.text(),
        prepared,
        memory,
        prepared.inputs,
        outputs,
        prepared.states,
        writer.failures,
        bool(program.updates),
        max(capacity.sizes.values()) if independent else None,
        module.nests,
        module.called,
        module.uses(writer.computed),
        clock,
    )


class NativeFunction:
    """Makes code for the sizes it is bound to; `rebound` gives the program for fixed sizes."""

    def __init__(
        self,
        program: Program,
        rebound: Callable[[Mapping[str, int]], Program],
        processor: Processor,
    ) -> None:
        self._program = program
        self._rebound = rebound
        self.processor = processor
        self._codes: dict[tuple[int, ...], tuple[FunctionCode, Library]] = {}
        self._turn = threading.Lock()
        self._one_code_for_rows = len(program.size_names) == 1
        self._blocks = rows_are_independent(program)

    def bind(self, state: Mapping[str, Array], *sizes: int) -> Run:
        """The function over state arrays, which updates change in place."""
        code, library = self.code(*sizes)
        return Binding(code, library, state, sizes).run

    def generated(self, *sizes: int) -> NativeCode:
        """What there is to see of the code for given sizes."""
        code, _ = self.code(*sizes)
        return NativeCode(
            code, lambda: storage_of_function(code.program, code.memory), self.processor
        )

    def code(self, *sizes: int) -> tuple[FunctionCode, Library]:
        """The code for given sizes: one for all numbers of rows up to the next power of two."""
        if self._one_code_for_rows:
            try:
                return self._kept((self._capacity(sizes[0]),), self._for_rows)
            except UnboundError:
                self._one_code_for_rows = False
        return self._kept(sizes, self._for_sizes)

    def _kept(
        self, sizes: tuple[int, ...], make: Callable[[Mapping[str, int]], FunctionCode]
    ) -> tuple[FunctionCode, Library]:
        with self._turn:
            known = self._codes.pop(sizes, None)
            if known is None:
                code = make(dict(zip(self._program.size_names, sizes, strict=True)))
                known = code, Library(compile_object(code.text, self.processor), ENTRIES)
            self._codes[sizes] = known  # the last, as it was used last
            if len(self._codes) > CODES_KEPT:
                del self._codes[next(iter(self._codes))]
            return known

    def _capacity(self, rows: int) -> int:
        power = 1 << max(rows - 1, 0).bit_length()
        return min(power, BLOCK) if self._blocks else power

    def timed_code(self, *sizes: int) -> FunctionCode:
        """The code for given sizes with a clock around every kernel."""
        self.code(*sizes)  # which finds out whether one code serves for all numbers of rows
        names = self._program.size_names
        if self._one_code_for_rows:
            return self._for_rows({names[0]: self._capacity(sizes[0])}, timed=True)
        return self._for_sizes(dict(zip(names, sizes, strict=True)), timed=True)

    def _for_rows(self, sizes: Mapping[str, int], *, timed: bool = False) -> FunctionCode:
        return self._printed(self._program, Capacity(sizes), timed=timed)

    def _for_sizes(self, sizes: Mapping[str, int], *, timed: bool = False) -> FunctionCode:
        program = self._rebound(sizes) if sizes else self._program
        return self._printed(program, Capacity({}), timed=timed)

    def _printed(self, program: Program, capacity: Capacity, *, timed: bool) -> FunctionCode:
        most_in_code = 0 if program.seldom else MOST_IN_CODE  # so that draws are a loop
        return function_code(program, capacity, self.processor, most_in_code, timed=timed)


class Binding:
    """An arena of its own; not to be called from two threads at once."""

    def __init__(
        self,
        code: FunctionCode,
        library: Library,
        state: Mapping[str, Array],
        sizes: Sequence[int],
        readings: Array | None = None,
    ) -> None:
        self._code = code
        self._library = library
        self._enter, self._run, self._store = (
            library.function(name, None, SIGNATURE) for name in ENTRIES
        )
        self._memory = aligned_bytes(code.memory.arena_bytes)
        self._arena = self._memory.ctypes.data
        self._failure = self._memory[FAILURE : FAILURE + 8].view(np.int64)
        self._state = [state[buffer.key] for buffer in code.states]
        self._rows = sizes[0] if sizes else 1
        count = len(code.inputs) + len(code.outputs)
        self._readings = [] if readings is None else [readings]  # of the clock of a timed one
        kept = (*self._state, *self._readings, *code.outside)
        self._table = (ctypes.c_void_p * (count + len(kept)))()
        for position, array in enumerate(kept):
            self._table[count + position] = array.ctypes.data
        self._call(self._enter, self._rows)
        names = dict(zip(code.program.size_names or ("",), sizes or (1,), strict=False))
        self._shapes = [_shape(buffer.type.shape, names) for buffer in code.outputs]
        self._dtypes = [buffer.type.dtype.numpy for buffer in code.outputs]
        self._by_row = [
            (position, buffer.type.dtype.itemsize * math.prod(_shape(buffer.type.shape[1:], names)))
            for position, buffer in enumerate((*code.inputs, *code.outputs))
            if any(not isinstance(dim, int) for dim in buffer.type.shape)
        ]

    def run(self, *inputs: Array) -> tuple[Array, ...]:
        """The outputs for inputs of the declared types, in row-major order."""
        outputs = tuple(map(np.empty, self._shapes, self._dtypes))
        for position, array in enumerate((*inputs, *outputs)):
            self._table[position] = array.__array_interface__["data"][0]
        if self._code.updates:
            self._call(self._enter, self._rows)
        block = self._code.block or self._rows
        for start in range(0, self._rows, block):
            self._call(self._run, min(block, self._rows - start))
            self._advance(block)
        if self._code.updates:
            self._call(self._store, self._rows)
        return outputs

    def _advance(self, rows: int) -> None:
        for position, nbytes in self._by_row:
            self._table[position] = (self._table[position] or 0) + rows * nbytes

    def _call(self, function: Callable[..., object], rows: int) -> None:
        function(self._arena, self._table, rows, 0, 1)
        if self._failure[0]:
            code = int(self._failure[0])
            self._failure[0] = 0
            raise self._code.failures.error(code)


def _shape(shape: Sequence[Dim], sizes: Mapping[str, int]) -> tuple[int, ...]:
    return static(bind_shape(tuple(shape), sizes))
