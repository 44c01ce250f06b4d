"""Machine code for this processor: what the driver needs of the LLVM backend."""

from __future__ import annotations

from chainc.backends.llvm.host.function import NativeFunction
from chainc.backends.llvm.host.training import NativeTraining, threads_for
from chainc.backends.llvm.machine_code.jit import Library, kept_object, machine_code
from chainc.backends.llvm.processor import host
from chainc.backends.llvm.training.code import ENTRIES, TrainingCode, training_code, worth_sharing
from chainc.ir import Graph
from chainc.ir.binding import bind_graph
from chainc.lowering.lower import lower
from chainc.lowering.program import Program, TrainingLoop

__all__ = ["NativeFunction", "TrainingCode", "native_function", "native_training"]


def native_function(graph: Graph, program: Program) -> NativeFunction:
    """A graph and what it was lowered to as machine code, made when it is first called."""
    return NativeFunction(program, lambda sizes: lower(bind_graph(graph, sizes)), host())


def native_training(loop: TrainingLoop, threads: int | None) -> tuple[NativeTraining, TrainingCode]:
    """A training loop as machine code, and what there is to see of it.

    One thread runs it where a step is not worth sharing.
    """
    used = threads_for(threads if threads is not None or worth_sharing(loop) else 1)
    code = training_code(loop, host(), used)
    made = kept_object(code.fingerprint, lambda: machine_code(code.text, host()))
    library = Library(made, ENTRIES)
    return NativeTraining(code, library, used), code
