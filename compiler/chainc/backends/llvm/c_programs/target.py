"""C as a target; what prints and compiles it is imported when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chainc.backends.signature import Signature
from chainc.backends.target import ExecutableTraining, Known
from chainc.ir import Graph

if TYPE_CHECKING:
    from chainc.backends.llvm.c_programs.running import CFunction
    from chainc.lowering.program import Program, TrainingLoop


class CTarget:
    """C11 as one would write it, compiled by the C compiler of this system.

    What it computes has the bits of machine code. The compiler is asked when a program first
    runs; to read the source takes none.
    """

    name = "c"
    language = "C"
    can_watch = True

    def compile_function(self, graph: Graph, program: Program) -> CFunction:
        """See `Target`; the code for given sizes is made when it is first called with them."""
        return self._function(lambda: (graph, program))

    def start_function(
        self, known: Known, make: Callable[[], tuple[Graph, Program]]
    ) -> tuple[Signature, CFunction]:
        """See `KeepingTarget`; without a compiler there is nothing to keep."""
        from chainc.backends.llvm.c_programs.compiler import is_there

        function = self._function(make, known if is_there() else None)
        return function.signature, function

    def _function(
        self, make: Callable[[], tuple[Graph, Program]], known: Known | None = None
    ) -> CFunction:
        from chainc.backends.llvm.c_programs.running import CFunction
        from chainc.backends.llvm.host.function_source import FunctionSource
        from chainc.backends.llvm.processors.native import host

        return CFunction(FunctionSource(make, host()), host(), known)

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        """See `Target`; one thread runs it where a step is not worth sharing."""
        from chainc.backends.llvm.c_programs.running import training

        return training(loop, threads)

    def start_training(
        self, known: Known, make: Callable[[], TrainingLoop], threads: int | None
    ) -> tuple[Signature, ExecutableTraining]:
        """See `KeepingTarget`."""
        from chainc.backends.llvm.c_programs.compiler import is_there
        from chainc.backends.llvm.c_programs.running import started

        if is_there():
            return started(known, make, threads)
        loop = make()
        return Signature.of_training(loop), self.compile_training(loop, threads)

    def bytes_of_function(self, program: Program) -> int:
        """See `PlanningTarget`: the arena."""
        from chainc.backends.llvm.target import NativeTarget

        return NativeTarget().bytes_of_function(program)

    def bytes_of_training(self, loop: TrainingLoop, threads: int | None) -> int:
        """See `PlanningTarget`: the arena."""
        from chainc.backends.llvm.target import NativeTarget

        return NativeTarget().bytes_of_training(loop, threads)
