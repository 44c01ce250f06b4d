"""NumPy source as a target; what prints and runs it is imported when it is first used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from chainc.backends.epochs import Arrays
from chainc.backends.target import ExecutableFunction, ExecutableTraining
from chainc.ir import Graph
from chainc.ir.types import Array

if TYPE_CHECKING:
    from chainc.backends.timing import Timing
    from chainc.lowering.program import Program, TrainingLoop


class NumpyTarget:
    """Vectorised NumPy that one can read."""

    name = "numpy"
    language = "NumPy"
    can_watch = False

    def compile_function(self, graph: Graph, program: Program) -> ExecutableFunction:
        """See `Target`."""
        from chainc.backends.numpy.compiling import compile_function

        return compile_function(program)

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        """See `Target`; one thread runs it, which calls NumPy's own."""
        from chainc.backends.numpy.compiling import compile_training

        return compile_training(loop)

    def bytes_of_function(self, program: Program) -> int:
        """See `PlanningTarget`: the buffers of a call."""
        from chainc.backends.numpy.module import buffer_bytes

        return buffer_bytes(program, {})

    def bytes_of_training(self, loop: TrainingLoop, threads: int | None) -> int:
        """See `PlanningTarget`: the buffers of a step."""
        from chainc.backends.numpy.module import buffer_bytes

        return buffer_bytes(loop.step, dict.fromkeys(loop.step.size_names, loop.batch_size))

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
        from chainc.backends.numpy.timing import time_function

        return time_function(program, inputs, state, sizes, runs)

    def time_training(
        self, loop: TrainingLoop, data: Arrays, state: Arrays, runs: int | None
    ) -> Timing:
        """See `TimingTarget`."""
        from chainc.backends.numpy.timing import time_training

        return time_training(loop, data, state, runs)
