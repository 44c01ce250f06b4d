"""Functions and trainings in C, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from chainc.backends.llvm.c_programs.compiler import SharedObject, shared_object
from chainc.backends.llvm.function_code import FunctionCode
from chainc.backends.llvm.host.function import Binding, CompiledFunction
from chainc.backends.llvm.host.storage import storage_of_function, storage_of_training
from chainc.backends.llvm.host.training import NativeTraining
from chainc.backends.llvm.host.training_start import written
from chainc.backends.llvm.machine_code.code import NativeCode
from chainc.backends.llvm.processors.native import host
from chainc.backends.target import ExecutableTraining, Figures, Run
from chainc.ir.types import Array
from chainc.lowering.program import TrainingLoop


class CCode(NativeCode):
    """What there is to see of a program in C."""

    codes = ("loops", "c")

    @property
    def source(self) -> str:
        """The file."""
        return self.text("c")

    @cached_property
    def figures(self) -> Figures:
        """What it takes; its size is the affair of the compiler that takes it on."""
        return Figures(
            kernels=self.kernels,
            arena_bytes=self.storage.arena_bytes,
            processor=self.processor.name,
            vector_bits=8 * self.processor.machine.vector_bytes,
        )


class CFunction(CompiledFunction[SharedObject]):
    """A function that the C compiler of this system makes when it is first called."""

    def bind(self, state: Mapping[str, Array], *sizes: int) -> Run:
        """See `CompiledFunction`."""
        code, library = self.code(*sizes)
        return Binding(code, library, state, sizes).run

    def generated(self, *sizes: int) -> CCode:
        """See `CompiledFunction`."""
        whole = self.code(*sizes)[0].whole
        storage = storage_of_function(whole.program, whole.memory)
        return CCode(lambda: whole, lambda: storage, self.processor)

    def _loaded(self, code: FunctionCode, _sizes: tuple[int, ...], _by_rows: bool) -> SharedObject:
        return SharedObject(lambda: shared_object(code.c.text()))


def training(loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
    """A training that the C compiler of this system makes when it first runs.

    Raises:
        GraphError: a view depends on the number of rows as C cannot have it.
    """
    code = written(loop, threads)
    library = SharedObject(lambda: shared_object(code.c.text()))
    runner = NativeTraining(code, library, code.threads)
    return ExecutableTraining(
        runner, CCode(lambda: code, lambda: storage_of_training(code), host())
    )
