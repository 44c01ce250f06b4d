"""WebAssembly as a target; what makes it is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainc.backends.llvm.processors.wasm32 import WASM32
from chainc.backends.target import ExecutableTraining
from chainc.ir import Graph

if TYPE_CHECKING:
    from chainc.backends.llvm.host.apart import FunctionApart
    from chainc.lowering.program import Program, TrainingLoop


class WasmTarget:
    """WebAssembly with SIMD128, made by LLVM and run by `wasmtime` in this process."""

    name = "wasm"
    language = "WebAssembly"
    can_watch = True

    def compile_function(self, graph: Graph, program: Program) -> FunctionApart:
        """See `Target`; the code for given sizes is made when it is first called with them."""
        from chainc.backends.llvm.host.apart import FunctionApart
        from chainc.backends.llvm.host.function_source import FunctionSource
        from chainc.backends.llvm.wasm.running import Compiled

        return FunctionApart(FunctionSource(lambda: (graph, program), WASM32), WASM32, Compiled)

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        """See `Target`; one thread runs it."""
        from chainc.backends.llvm.host.apart import compiled_training
        from chainc.backends.llvm.wasm.running import Compiled

        return compiled_training(loop, WASM32, Compiled)

    def bytes_of_function(self, program: Program) -> int:
        """See `PlanningTarget`: the arena."""
        from chainc.backends.llvm.function_code import placed
        from chainc.schedules.layout.access import Capacity
        from chainc.schedules.program.memory import MOST_IN_CODE

        return placed(program, Capacity({}), WASM32, MOST_IN_CODE).memory.arena_bytes

    def bytes_of_training(self, loop: TrainingLoop, threads: int | None) -> int:
        """See `PlanningTarget`: the arena."""
        from chainc.backends.llvm.training_code import training_code
        from chainc.schedules.program.memory import MOST_IN_CODE

        return training_code(loop, WASM32, 1, most_in_code=MOST_IN_CODE).memory.arena_bytes
