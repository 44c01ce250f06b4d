"""Machine code for this processor as a target; what makes it is imported when it is first used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chainc.backends.epochs import Arrays
from chainc.backends.target import ExecutableFunction, ExecutableTraining
from chainc.backends.timing import Timing
from chainc.ir import Graph
from chainc.ir.binding import bind_graph
from chainc.ir.types import Array
from chainc.lowering.lower import lower
from chainc.lowering.program import Program, TrainingLoop

if TYPE_CHECKING:
    from chainc.backends.llvm.host.function import NativeFunction


class NativeTarget:
    """Machine code for the processor of this process, made by LLVM and run in this process."""

    name = "llvm"
    language = "machine code"
    can_watch = True

    def compile_function(self, graph: Graph, program: Program) -> ExecutableFunction:
        """See `Target`; the code for given sizes is made when it is first called with them."""
        return self._function(graph, program)

    def _function(self, graph: Graph, program: Program) -> NativeFunction:
        from chainc.backends.llvm.host.function import NativeFunction
        from chainc.backends.llvm.processor import host

        def rebound(sizes: Mapping[str, int]) -> Program:
            return replace(lower(bind_graph(graph, sizes)), seldom=program.seldom)

        return NativeFunction(program, rebound, host())

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        """See `Target`; one thread runs it where a step is not worth sharing."""
        from chainc.backends.llvm.host.storage import storage_of_training
        from chainc.backends.llvm.host.training import NativeTraining, threads_for
        from chainc.backends.llvm.machine_code.code import NativeCode
        from chainc.backends.llvm.machine_code.jit import Library, kept_object, machine_code
        from chainc.backends.llvm.processor import host
        from chainc.backends.llvm.training_code import ENTRIES, training_code, worth_sharing
        from chainc.schedules.program.memory import MOST_IN_CODE

        used = threads_for(threads if threads is not None or worth_sharing(loop) else 1)
        code = training_code(loop, host(), used, most_in_code=MOST_IN_CODE)
        made = kept_object(code.fingerprint, lambda: machine_code(code.text, host()))
        runner = NativeTraining(code, Library(made, ENTRIES), used)
        shown = NativeCode(code, lambda: storage_of_training(code), host())
        return ExecutableTraining(runner, shown)

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

        return time_function(self._function(graph, program), inputs, state, sizes, runs)

    def time_training(
        self, loop: TrainingLoop, data: Arrays, state: Arrays, runs: int | None
    ) -> Timing:
        """See `TimingTarget`; one thread runs it."""
        from chainc.backends.llvm.host.timing import time_training
        from chainc.backends.llvm.processor import host

        return time_training(loop, host(), data, state, runs)
