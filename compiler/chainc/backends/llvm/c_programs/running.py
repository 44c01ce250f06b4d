"""Functions and trainings in C, in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from chainc.backends import compiled_cache
from chainc.backends.llvm.c_programs import compiler
from chainc.backends.llvm.c_programs.compiler import SharedObject
from chainc.backends.llvm.host.function import KeepingFunction
from chainc.backends.llvm.host.memory import LoopCode
from chainc.backends.llvm.host.storage import storage_of_training
from chainc.backends.llvm.host.training import NativeTraining
from chainc.backends.llvm.host.training_start import started_as, written
from chainc.backends.llvm.machine_code.code import NativeCode
from chainc.backends.llvm.processors.native import host
from chainc.backends.signature import Signature
from chainc.backends.target import ExecutableTraining, Figures, Known

if TYPE_CHECKING:
    from chainc.backends.llvm.function_code import FunctionCode
    from chainc.backends.llvm.training_code import TrainingCode
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


class CFunction(KeepingFunction[SharedObject]):
    """A function that the C compiler of this system makes when it is first called."""

    shown = CCode

    @property
    def identity(self) -> Sequence[str]:
        """See `KeepingFunction`."""
        return *super().identity, *compiler.identity()

    def _loaded(self, code: FunctionCode, sizes: tuple[int, ...], by_rows: bool) -> SharedObject:
        def text() -> str:
            return code.c.text()

        if self._known is None:
            return SharedObject(lambda: compiler.shared_object(text()))
        key = self._name("c", sizes, by_rows)
        self._keep_call(sizes, by_rows, code, compiler.cached(key))
        return SharedObject(lambda: compiler.named_object(key, text))

    def _of_objects(self, made: Sequence[bytes]) -> SharedObject:
        (library,) = made
        return SharedObject(lambda: library)


def training(loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
    """A training that the C compiler of this system makes when it first runs.

    Raises:
        GraphError: a view depends on the number of rows as C cannot have it.
    """
    code = written(loop, threads)
    return _executable(code, code.fingerprint, code.threads, lambda: code)


def started(
    known: Known, make: Callable[[], TrainingLoop], threads: int | None
) -> tuple[Signature, ExecutableTraining]:
    """The same; it is kept for other processes."""
    return started_as(_executable, compiler.identity(), known, make, threads)


def _executable(
    code: LoopCode, key: str, threads: int, whole: Callable[[], TrainingCode]
) -> ExecutableTraining:
    def text() -> str:
        return whole().c.text()

    def library() -> bytes:
        return compiler.named_object(compiled_cache.key(key, *compiler.identity()), text)

    runner = NativeTraining(code, SharedObject(library), threads)
    return ExecutableTraining(runner, CCode(whole, lambda: storage_of_training(whole()), host()))
