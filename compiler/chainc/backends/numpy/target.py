"""NumPy source as a target: printed, executed, and run by this interpreter."""

from __future__ import annotations

from typing import cast

from chainc.backends.numpy.code import NumpyCode
from chainc.backends.numpy.module import (
    assemble,
    function_lines,
    listed,
    prepare,
    print_function,
)
from chainc.backends.numpy.running import Bind, NumpyFunction, NumpyTraining, Train, Validate
from chainc.backends.numpy.training import list_training, print_training
from chainc.backends.target import ExecutableTraining
from chainc.ir import Graph
from chainc.lowering.program import Program, TrainingLoop


class NumpyTarget:
    """Vectorised NumPy that one can read."""

    name = "numpy"
    language = "NumPy"
    can_watch = False

    def compile_function(self, graph: Graph, program: Program) -> NumpyFunction:
        """See `Target`."""
        prepared = prepare(program)
        source = assemble([print_function(prepared, "run")])
        bind = cast(Bind, _execute(source, "function")["bind_run"])
        code = NumpyCode(source, lambda: listed([function_lines(prepared, "run")]))
        return NumpyFunction(bind, code)

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        """See `Target`; one thread runs it, which calls NumPy's own."""
        source = print_training(loop)
        namespace = _execute(source, "training")
        train, validate = cast(Train, namespace["train"]), cast(Validate, namespace["validate"])
        code = NumpyCode(source, lambda: list_training(loop))
        runner = NumpyTraining(train, validate, loop.batch_inputs[0], loop.batch_size)
        return ExecutableTraining(runner, code)


def _execute(source: str, title: str) -> dict[str, object]:
    """Define the functions of source that this compiler has just printed."""
    namespace: dict[str, object] = {}
    exec(compile(source, f"<chainrule {title}>", "exec"), namespace)
    return namespace
