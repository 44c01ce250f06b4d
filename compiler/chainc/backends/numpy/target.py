"""NumPy source as a target: printed, executed, and run by this interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from chainc.backends.epochs import Arrays
from chainc.backends.numpy.code import NumpyCode
from chainc.backends.numpy.module import (
    assemble,
    function_lines,
    listed,
    prepare,
    print_function,
)
from chainc.backends.numpy.running import (
    Bind,
    NumpyFunction,
    NumpyTraining,
    Train,
    Validate,
    execute,
)
from chainc.backends.numpy.timing import time_function, time_training
from chainc.backends.numpy.training import list_training, print_training
from chainc.backends.target import ExecutableTraining
from chainc.backends.timing import Timing
from chainc.ir import Graph
from chainc.ir.types import Array
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
        bind = cast(Bind, execute(source, "function")["bind_run"])
        code = NumpyCode(source, lambda: listed([function_lines(prepared, "run")]))
        return NumpyFunction(bind, code)

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        """See `Target`; one thread runs it, which calls NumPy's own."""
        source = print_training(loop)
        namespace = execute(source, "training")
        train, validate = cast(Train, namespace["train"]), cast(Validate, namespace["validate"])
        code = NumpyCode(source, lambda: list_training(loop))
        runner = NumpyTraining(train, validate, loop.batch_inputs[0], loop.batch_size)
        return ExecutableTraining(runner, code)

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
        return time_function(program, inputs, state, sizes, runs)

    def time_training(
        self, loop: TrainingLoop, data: Arrays, state: Arrays, runs: int | None
    ) -> Timing:
        """See `TimingTarget`."""
        return time_training(loop, data, state, runs)
