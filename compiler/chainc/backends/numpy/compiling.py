"""Programs as NumPy source: printed, and executed by this interpreter."""

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
from chainc.backends.numpy.running import (
    Bind,
    EndEpoch,
    NumpyFunction,
    NumpyTraining,
    Train,
    Validate,
    execute,
)
from chainc.backends.numpy.training import added, list_training, print_training
from chainc.backends.target import ExecutableTraining
from chainc.lowering.program import Program, TrainingLoop


def compile_function(program: Program) -> NumpyFunction:
    """A function of this process."""
    prepared = prepare(program)
    source = assemble([print_function(prepared, "run")])
    bind = cast(Bind, execute(source, "function")["bind_run"])
    code = NumpyCode(source, lambda: listed([function_lines(prepared, "run")]))
    return NumpyFunction(bind, code)


def compile_training(loop: TrainingLoop) -> ExecutableTraining:
    """A training of this process."""
    source = print_training(loop)
    namespace = execute(source, "training")
    train, validate = cast(Train, namespace["train"]), cast(Validate, namespace["validate"])
    code = NumpyCode(source, lambda: list_training(loop))
    end_epoch = None if loop.epoch_end is None else cast(EndEpoch, namespace["end_epoch"])
    first, numbers = loop.batch_inputs[0], added(loop.step)
    runner = NumpyTraining(train, validate, first, loop.batch_size, numbers, end_epoch)
    return ExecutableTraining(runner, code)
