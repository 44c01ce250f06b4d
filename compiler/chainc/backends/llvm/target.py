"""Machine code for this processor as a target; what makes it is imported when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from chainc.backends.epochs import Arrays
from chainc.backends.signature import Signature
from chainc.backends.target import ExecutableTraining, Known
from chainc.ir import Graph
from chainc.ir.types import Array

if TYPE_CHECKING:
    from chainc.backends.llvm.host.function import NativeFunction
    from chainc.backends.timing import Timing
    from chainc.lowering.program import Program, TrainingLoop


class NativeTarget:
    """Machine code for the processor of this process, made by LLVM and run in this process."""

    name = "llvm"
    language = "machine code"
    can_watch = True

    def compile_function(self, graph: Graph, program: Program) -> NativeFunction:
        """See `Target`; the code for given sizes is made when it is first called with them."""
        return self._function(lambda: (graph, program))

    def start_function(
        self, known: Known, make: Callable[[], tuple[Graph, Program]]
    ) -> tuple[Signature, NativeFunction]:
        """See `KeepingTarget`."""
        function = self._function(make, known)
        return function.signature, function

    def _function(
        self, make: Callable[[], tuple[Graph, Program]], known: Known | None = None
    ) -> NativeFunction:
        from chainc.backends.llvm.host.function import NativeFunction
        from chainc.backends.llvm.host.function_source import FunctionSource
        from chainc.backends.llvm.processors.native import host

        return NativeFunction(FunctionSource(make, host()), host(), known)

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        """See `Target`; one thread runs it where a step is not worth sharing."""
        from chainc.backends.llvm.host.training_start import made, written

        return made(written(loop, threads))

    def start_training(
        self, known: Known, make: Callable[[], TrainingLoop], threads: int | None
    ) -> tuple[Signature, ExecutableTraining]:
        """See `KeepingTarget`."""
        from chainc.backends.llvm.host.training_start import started

        return started(known, make, threads)

    def bytes_of_function(self, program: Program) -> int:
        """See `PlanningTarget`: the arena."""
        from chainc.backends.llvm.function_code import placed
        from chainc.backends.llvm.processors.native import host
        from chainc.schedules.layout.access import Capacity
        from chainc.schedules.program.memory import MOST_IN_CODE

        return placed(program, Capacity({}), host(), MOST_IN_CODE).memory.arena_bytes

    def bytes_of_training(self, loop: TrainingLoop, threads: int | None) -> int:
        """See `PlanningTarget`: the arena."""
        from chainc.backends.llvm.host.training_start import written

        return written(loop, threads).memory.arena_bytes

    def time_function(
        self,
        graph: Graph,
        program: Program,
        inputs: Sequence[Array],
        state: Mapping[str, Array],
        sizes: Sequence[int],
        runs: int | None,
    ) -> Timing:
        """See `TimingTarget`."""
        from chainc.backends.llvm.host.timing import time_function

        return time_function(self.compile_function(graph, program), inputs, state, sizes, runs)

    def time_training(
        self, loop: TrainingLoop, data: Arrays, state: Arrays, runs: int | None
    ) -> Timing:
        """See `TimingTarget`; one thread runs it."""
        from chainc.backends.llvm.host.timing import time_training
        from chainc.backends.llvm.processors.native import host

        return time_training(loop, host(), data, state, runs)
