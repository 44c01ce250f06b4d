"""Native code that is timed computes what the code that runs does, and names its kernels."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.llvm.host.function import Binding, NativeFunction
from chainc.backends.llvm.host.function_source import FunctionSource
from chainc.backends.llvm.host.timing import time_function, time_training
from chainc.backends.llvm.machine_code.jit import compile_object, loaded
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.training_code import training_code
from chainc.backends.timing import BATCH
from chainc.ir.types import Array
from chainc.lowering.lower import lower
from chainrule import losses, nn, optim
from chainrule.compiled.training import TrainingProgram


def native(graph: cr.Graph) -> NativeFunction:
    return NativeFunction(FunctionSource(lambda: (graph, lower(graph)), host()), host())


def two_kernels() -> cr.Graph:
    x = cr.input("x", ("batch", 8))
    return cr.Graph([cr.tanh(x) @ cr.input("w", (8, 3))])


def arrays(rows: int) -> list[Array]:
    random = np.random.default_rng(0)
    return [random.standard_normal(shape).astype(np.float32) for shape in ((rows, 8), (8, 3))]


@pytest.mark.parametrize("rows", [1, 7, 600])
def test_a_function_gives_the_same_bits_and_counts_ticks(rows: int) -> None:
    function, inputs = native(two_kernels()), arrays(rows)
    timed = function.timed_code(rows)
    assert timed.clock is not None
    library = loaded([compile_object(timed.text, host())], ["bind", "run", "store"])
    readings = np.zeros(timed.clock.columns, np.int64)
    run = Binding(timed, library, {}, [rows], readings).run
    np.testing.assert_array_equal(run(*inputs)[0], function.bind({}, rows)(*inputs)[0])
    count = len(timed.clock.calls)
    assert readings[:count].sum() > 0
    assert not readings[count:].any()
    before = readings.sum()
    run(*inputs)
    assert readings.sum() > before


@pytest.mark.parametrize(("rows", "calls"), [(7, 1), (256, 1), (600, 3)])
def test_kernels_are_called_as_in_the_code(rows: int, calls: int) -> None:
    function = native(two_kernels())
    timing = time_function(function, arrays(rows), {}, [rows], 4)
    names = [line.text for line in timing.kernels.lines]
    kernels = function.code(rows)[0].whole.uses
    assert names == [name for name in kernels if name in names]
    assert len(names) == 2
    assert timing.seconds.shape == (4, len(names))
    assert timing.calls == calls


def test_a_size_that_must_be_known_is_timed_too() -> None:
    x = cr.input("x", ("n", "n"))
    graph = cr.Graph([cr.reshape(x, (-1,)) * 2.0])
    timing = time_function(native(graph), [np.ones((3, 3), np.float32)], {}, [3], 2)
    assert len(timing.kernels.lines) == 1


def training(*, shuffle: bool) -> TrainingProgram:
    x, t = cr.input("x", ("batch", 30)), cr.input("t", ("batch", 20))
    loss = losses.squared_error(nn.Linear(40, 20)(cr.tanh(nn.Linear(30, 40)(x))), t)
    step = optim.Adam(lr=0.01).minimize(loss)
    return cr.compile(cr.training(step, epochs=1, batch_size=8, shuffle=shuffle))


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_step_is_timed_with_the_batch_that_it_gathers(shuffle: bool) -> None:
    program = training(shuffle=shuffle)
    loop = program._compiled.loop
    data = {"x": np.ones((24, 30), np.float32), "t": np.ones((24, 20), np.float32)}
    given = program._check(data, {})
    timing = time_training(loop, host(), given, program._starting_values(None), 10)
    assert timing.kernels.lines[0] is BATCH
    assert timing.seconds.shape == (10, len(timing.kernels.lines))
    assert (timing.seconds >= 0).all()
    assert (timing.seconds.sum(axis=1) > 0).all()  # of every step there is a row
    many = time_training(loop, host(), given, program._starting_values(None), 2500)
    assert (many.seconds.sum(axis=1) > 0).all()
    assert len(many.seconds) == 2500


def test_a_loop_without_a_clock_has_none_in_its_code() -> None:
    loop = training(shuffle=True)._compiled.loop
    plain, timed = (training_code(loop, host(), 1, timed=timed) for timed in (False, True))
    reading = "call i64 @llvm.readcyclecounter"
    of_pace = 6  # around steps and while others are awaited, not within them
    assert plain.text.count(reading) == of_pace
    assert timed.text.count(reading) > of_pace + 4
    assert plain.written.clock is None
