"""Constraints after each update, against steps by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import nn, optim, regularize

HERE = Path(__file__).name
TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])
Floats = npt.NDArray[np.float64]
RNG = np.random.default_rng(3)
X: Floats = RNG.normal(size=(24, 6))
free = cast("Any", regularize)


def length(weight: Floats, axis: int | tuple[int, ...]) -> Floats:
    found: Floats = np.sqrt((weight**2).sum(axis=axis, keepdims=True))
    return found


def max_norm(weight: Floats, axis: int | tuple[int, ...] = 0) -> Floats:
    found: Floats = weight * np.minimum(1, 0.5 / length(weight, axis))
    return found


Declare = Callable[[cr.Node], regularize.Constraint]
CASES: Mapping[str, tuple[Declare, Callable[[Floats], Floats]]] = {
    "max_norm": (lambda _: regularize.max_norm(0.5), max_norm),
    "max_norm of it": (lambda w: regularize.max_norm(0.5, [w]), max_norm),
    "max_norm of rows": (
        lambda w: regularize.max_norm(0.5, w, axis=1), lambda w: max_norm(w, 1)),
    "max_norm of all": (
        lambda w: regularize.max_norm(0.5, w, axis=(0, 1)), lambda w: max_norm(w, (0, 1))),
    "unit_norm": (lambda _: regularize.unit_norm(), lambda w: w / length(w, 0)),
    "non_negative": (lambda _: regularize.non_negative(), lambda w: np.maximum(w, 0)),
}  # fmt: skip


@TARGETS
@pytest.mark.parametrize("name", CASES)
def test_weights_are_moved_after_each_step(name: str, target: str) -> None:
    declare, project = CASES[name]
    x = cr.input("x", ("batch", 6), "float64")
    weight = cr.parameter("weight", (6, 4), RNG.normal(size=(6, 4)), dtype="float64")
    bias = cr.parameter("bias", (4,), -np.ones(4), dtype="float64")
    loss = cr.mean(cr.square(x @ weight + bias - 1.0))
    step = optim.SGD(lr=0.3, constraints=[declare(weight)]).minimize(loss)
    declared = cr.training(step, epochs=2, batch_size=10, shuffle=False)
    program = cr.compile(declared, target=target)
    state = program.initial_state(0)
    w, b = (np.array(state[key], np.float64) for key in ("weight", "bias"))
    for rows in np.split(X, [10, 20]) * 2:
        error = rows @ w + b - 1
        w = project(w - 0.3 * 2 * rows.T @ error / error.size)
        b -= 0.3 * 2 * error.sum(0) / error.size
    found = program.run({"x": X}, state=state).state
    np.testing.assert_allclose(np.asarray(found["weight"], np.float64), w, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(np.asarray(found["bias"], np.float64), b, rtol=1e-12)


def moved(constraint: regularize.Constraint, values: Floats, target: str) -> Floats:
    """What becomes of weights whose gradient is 0."""
    weight = cr.parameter("weight", values.shape, values, dtype="float64")
    step = optim.SGD(lr=0.1, constraints=[constraint]).minimize(0.0 * cr.sum(weight))
    run = cr.compile(cr.Graph([step.loss], step.updates), target=target)
    run = run.bind(run.initial_state())
    run()
    return np.asarray(run.state["weight"], np.float64)


@TARGETS
def test_what_is_allowed_stays_exactly(target: str) -> None:
    short = RNG.uniform(-0.1, 0.1, (7, 5))
    np.testing.assert_array_equal(moved(regularize.max_norm(1.0), short, target), short)
    np.testing.assert_array_equal(moved(regularize.non_negative(), np.abs(short), target),
                                  np.abs(short))  # fmt: skip
    for stays in (np.zeros((7, 5)), np.full((7, 5), 1e200)):
        for constraint in (regularize.unit_norm(), regularize.max_norm(1.0)):
            np.testing.assert_array_equal(moved(constraint, stays, target), stays)


@TARGETS
def test_of_a_kernel_all_axes_but_the_first_lead_into_a_unit(target: str) -> None:
    kernel = RNG.normal(size=(3, 2, 4, 4))
    found = moved(regularize.unit_norm(), kernel, target)
    np.testing.assert_allclose(found, kernel / length(kernel, (1, 2, 3)), rtol=1e-12)


@TARGETS
def test_several_act_in_their_order_and_with_any_optimizer(target: str) -> None:
    x = cr.input("x", ("batch", 6))
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2), name="model")
    loss = cr.mean(cr.square(model(x) - 1.0))
    bounds = [regularize.non_negative(model[0].weight), regularize.max_norm(0.7)]
    step = optim.Adam(0.05, constraints=bounds).minimize(loss)
    program = cr.compile(cr.training(step, epochs=5, batch_size=7), target=target)
    state = program.run({"x": X.astype(np.float32)}, state=program.initial_state(0)).state
    first, second = (np.array(state[f"model/linear{i}/weight"], np.float64) for i in (1, 2))
    assert first.min() == 0
    assert second.min() < 0
    for weight in (first, second):
        assert length(weight, 0).max() <= 0.7 * (1 + 1e-6)


def test_both_targets_give_the_same_training() -> None:
    x = cr.input("x", ("batch", 6))
    layer = nn.Linear(6, 40, name="layer")
    step = optim.SGD(0.1, momentum=0.9, constraints=[regularize.max_norm(0.3)]).minimize(
        cr.mean(cr.square(layer(x) - 1.0))
    )
    states = []
    for target in ("numpy", "llvm"):
        program = cr.compile(cr.training(step, epochs=4, batch_size=7), target=target)
        states.append(program.run({"x": X.astype(np.float32)}, state=program.initial_state(0)))
    left, right = (np.asarray(result.state["layer/weight"], np.float64) for result in states)
    np.testing.assert_allclose(left, right, rtol=2e-5, atol=1e-6)


def refused(call: Callable[[], object], what: str, hint: str) -> None:
    with pytest.raises(cr.ChainruleError) as caught:
        call()
    told, _, rest = str(caught.value).partition("\n  where: ")
    where, _, tried = rest.partition("\n  try: ")
    assert re.search(what, told), told
    assert HERE in where
    assert re.search(hint, tried), tried


def test_constraints_that_are_none() -> None:
    weight, other = cr.parameter("weight", (3, 2), 1.0), cr.parameter("other", (3, 2), 1.0)
    x = cr.input("x", (3,))
    for wrong in (0, -1, np.inf, "1"):
        refused(partial(free.max_norm, wrong), r"^max_norm: limit must be", r"such as 3.0")
    makers = (partial(free.max_norm, 1), free.unit_norm, free.non_negative)
    for name, make in zip(("max_norm", "unit_norm", "non_negative"), makers, strict=True):
        what = rf"^{name}: x f32\[3\].* is no parameter"
        refused(partial(make, [x]), what, r"give weights")
        refused(partial(make, [1.0]), rf"^{name}: a float is no parameter", r"give weights")
        what = rf"^{name}: the step does not change other"
        minimize = optim.SGD(0.1, constraints=[make([other])]).minimize
        refused(partial(minimize, cr.sum(weight)), what, r"that the optimizer changes")
    refused(lambda: free.unit_norm(weight, axis=2), r"^unit_norm: axis 2 does not fit", r"-2 to 1")
    sgd = cast("Any", optim.SGD)
    refused(lambda: sgd(0.1, constraints=[3.0]), r"^SGD: a float is no constraint$", r"max_norm")
    bound = regularize.unit_norm()
    refused(lambda: sgd(0.1, constraints=bound), r"^SGD: constraints is a Constraint, no", r"=\[")
