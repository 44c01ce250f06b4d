"""A run that leaves NaN or infinity says so once, at the line that asked for it."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Node
from chainrule import init, optim
from chainrule.compiled.history import Result
from chainrule.compiled.training import TrainingProgram

X = np.linspace(1, 2, 8, dtype=np.float32)[:, None]
x = cr.input("x", ("batch", 1))
targets = pytest.mark.parametrize("target", ["llvm", "numpy"])


def program(
    target: str, *, lr: float, weight: float = 1.0, metrics: dict[str, Node] | None = None
) -> TrainingProgram:
    w = cr.parameter("w", (), init.constant(weight))
    step = optim.SGD(lr=lr).minimize(cr.mean(cr.square(w * x)))
    loop = cr.training(step, epochs=40, batch_size=4, shuffle=False, metrics=metrics)
    return cr.compile(loop, target=target)


def line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


@targets
def test_a_loss_that_is_not_finite_is_told_with_its_epoch(target: str) -> None:
    diverging = program(target, lr=10.0)
    with pytest.warns(cr.NonFiniteWarning) as caught:
        result = diverging.run({"x": X}, progress=False)
    asked = line() - 1
    (told,) = caught
    losses = result.history["loss"]
    first = next(i for i, loss in enumerate(losses, 1) if not np.isfinite(loss))
    assert 1 < first < 40
    assert f"the loss is {losses[first - 1]} in epoch {first} of 40" in str(told.message)
    assert "try: declare the training with watch=True" in str(told.message)
    assert (told.filename, told.lineno) == (__file__, asked)


@targets
def test_a_parameter_that_the_last_step_spoils_is_told(target: str) -> None:
    diverging = program(target, lr=1e38, weight=3.0)
    with pytest.warns(cr.NonFiniteWarning, match="w f32.* holds NaN or infinity after it"):
        result = diverging.run({"x": X[:4]}, epochs=1, progress=False)
    assert np.isfinite(result.history["loss"]).all()


@targets
def test_a_run_that_stays_finite_says_nothing(target: str) -> None:
    def run() -> Result:
        return program(target, lr=0.01, metrics={"low": cr.log(cr.sum(x) * 0.0)}).run({"x": X})

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run().history["low"] == (-np.inf,) * 40


def test_in_a_loop_of_runs_it_is_said_once() -> None:
    diverging = program("numpy", lr=10.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            diverging.run({"x": X}, progress=False)
    assert len(caught) == 1
