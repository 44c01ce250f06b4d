"""Functions and trainings whose memory is not that of this process: each run has one of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from chainc.backends.epochs import Arrays
from chainc.backends.llvm.function_code import FunctionCode
from chainc.backends.llvm.host.function import ENTRIES as OF_FUNCTION
from chainc.backends.llvm.host.function import CompiledFunction, shape_of, sizes_by_name
from chainc.backends.llvm.host.function_source import CallCode, FunctionSource
from chainc.backends.llvm.host.memory import RunMemory
from chainc.backends.llvm.host.space import Space
from chainc.backends.llvm.host.storage import storage_of_training
from chainc.backends.llvm.host.training import ENTRIES as OF_TRAINING
from chainc.backends.llvm.host.training import ROWS, Entries, Function, LoopRunner
from chainc.backends.llvm.machine_code.code import NativeCode
from chainc.backends.llvm.machine_code.jit import Functions
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.training_code import TrainingCode, training_code
from chainc.backends.target import ExecutableTraining, Run
from chainc.ir.types import Array, has_named_size
from chainc.lowering.program import TrainingLoop
from chainc.schedules.program.control_block import FAILURE
from chainc.schedules.program.memory import MOST_IN_CODE


class Instance(Space, Functions, Protocol):
    """Memory, and the functions that address it."""


class Module(Protocol):
    """Code that instances are made of."""

    def instance(self) -> Instance:
        """With memory of its own."""


Loading = Callable[[str, tuple[str, ...], Processor], Module]  # LLVM text with its entries


def compiled_training(
    loop: TrainingLoop, processor: Processor, load: Loading
) -> ExecutableTraining:
    """A training loop on one thread; its module is made when it first runs."""
    code = training_code(loop, processor, 1, most_in_code=MOST_IN_CODE)
    shown = NativeCode(lambda: code, lambda: storage_of_training(code), processor)
    return ExecutableTraining(TrainingApart(code, load(code.text, OF_TRAINING, processor)), shown)


class TrainingApart(LoopRunner):
    """A loop each run of which has an instance of its own."""

    def __init__(self, code: TrainingCode, module: Module) -> None:
        super().__init__(code, threads=1)
        self._module = module
        self._outside = code.outside

    def memory(
        self, data: Arrays, validation: Arrays | None, state: Arrays, epochs: int
    ) -> RunMemory:
        """See `LoopRunner`."""
        instance = self._module.instance()
        return RunMemory(
            self._code, data, validation, state, epochs, outside=self._outside, space=instance
        )

    def entries(self, memory: RunMemory) -> Entries:
        """See `LoopRunner`."""
        instance = memory.space
        assert isinstance(instance, Functions), "its memory is of an instance"
        return Entries(instance)


class FunctionApart(CompiledFunction[Module]):
    """A function each binding of which has an instance of its own."""

    def __init__(self, source: FunctionSource, processor: Processor, load: Loading) -> None:
        super().__init__(source, processor)
        self._load = load

    def bind(self, state: Mapping[str, Array], *sizes: int) -> Run:
        """See `ExecutableFunction`."""
        code, module = self.code(*sizes)
        return _Binding(code, module.instance(), state, sizes).run

    def _loaded(self, code: FunctionCode, _sizes: tuple[int, ...], _by_rows: bool) -> Module:
        return self._load(code.text, OF_FUNCTION, self.processor)


class _Binding:
    """Arrays are copied into the instance's memory, and out of it."""

    def __init__(
        self,
        code: CallCode,
        instance: Instance,
        state: Mapping[str, Array],
        sizes: Sequence[int],
    ) -> None:
        self._code, self._instance = code, instance
        self._places = places = code.places
        self._enter, self._run, self._store = (
            instance.function(name, None, ROWS) for name in OF_FUNCTION
        )
        self._arena = instance.zeros(places.arena_bytes)
        self._failure = self._arena[FAILURE : FAILURE + 8].view(np.int64)
        self._rows = sizes[0] if sizes else 1
        names = sizes_by_name(places, sizes)
        self._arguments = [
            instance.placed(np.zeros(shape_of(type.shape, names), type.dtype.numpy))
            for type in (*places.inputs, *places.outputs)
        ]
        self._has_rows = [has_named_size(type.shape) for type in (*places.inputs, *places.outputs)]
        self._given = [state[key] for key in places.states]
        self._state = [instance.placed(array) for array in self._given]
        self._constants = [instance.placed(array) for array in code.outside]
        kept = (*self._arguments, *self._state, *self._constants)
        self._table = instance.placed(np.zeros(len(kept), instance.pointer))
        self._point_to(0)
        self._refresh()

    def run(self, *inputs: Array) -> tuple[Array, ...]:
        """The outputs for inputs of the declared types, in row-major order."""
        for place, array in zip(self._arguments, inputs, strict=False):
            place[...] = array
        if self._places.updates:
            self._refresh()
        block = self._places.block or self._rows
        for start in range(0, self._rows, block):
            self._point_to(start)
            self._call(self._run, min(block, self._rows - start))
        if self._places.updates:
            self._point_to(0)
            self._call(self._store, self._rows)
            for given, array in zip(self._given, self._state, strict=True):
                given[...] = array
        return tuple(array.copy() for array in self._arguments[len(self._places.inputs) :])

    def _refresh(self) -> None:
        """From the state as it is now."""
        for given, array in zip(self._given, self._state, strict=True):
            array[...] = given
        self._call(self._enter, self._rows)

    def _point_to(self, row: int) -> None:
        """The table of arrays, those with rows from one on."""
        address = self._instance.address
        self._table[:] = [
            *(
                address(array[row:] if has_rows else array)
                for array, has_rows in zip(self._arguments, self._has_rows, strict=True)
            ),
            *map(address, (*self._state, *self._constants)),
        ]

    def _call(self, function: Function, rows: int) -> None:
        address = self._instance.address
        function(address(self._arena), address(self._table), rows, 0, 1)
        if self._failure[0]:
            code = int(self._failure[0])
            self._failure[0] = 0
            raise self._code.failures.error(code)
