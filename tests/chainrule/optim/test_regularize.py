"""Penalties against their formulas, their derivatives, and what they do in a step."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import nn, optim, regularize, schedules

HERE = Path(__file__).name
TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])
Floats = npt.NDArray[np.float64]
free = cast("Any", regularize)  # for arguments that type checkers refuse

RNG = np.random.default_rng(0)
V: Floats = RNG.normal(size=(3, 4))
W: Floats = RNG.normal(size=(5,))
v, w = cr.input("v", V.shape, "float64"), cr.input("w", W.shape, "float64")
AT = {v: V, w: W}

PENALTIES: dict[str, tuple[Callable[[], cr.Node], float]] = {
    "l1": (lambda: regularize.l1(0.3, [v, w]), 0.3 * (np.abs(V).sum() + np.abs(W).sum())),
    "l2": (lambda: regularize.l2(0.3, [v, w]), 0.15 * ((V**2).sum() + (W**2).sum())),
    "l2 of one": (lambda: regularize.l2(0.3, v), 0.15 * (V**2).sum()),
    "elastic net": (
        lambda: regularize.elastic_net(2, (v, w), 0.25),
        0.5 * (np.abs(V).sum() + np.abs(W).sum()) + 0.75 * ((V**2).sum() + (W**2).sum()),
    ),
    "activity": (
        lambda: regularize.activity(0.1, [v, w]), 0.1 * (np.abs(V).sum() / 3 + np.abs(W).mean())
    ),
}  # fmt: skip


@TARGETS
@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_is_its_formula(name: str, target: str) -> None:
    declare, wanted = PENALTIES[name]
    node = declare()
    given = {leaf.op.label: AT[leaf] for leaf in cr.Graph([node]).leaves("input")}
    np.testing.assert_allclose(cr.compile(node, target=target)(given), wanted, rtol=1e-12)
    leaves = list(cr.Graph([node]).leaves("input"))
    assert cr.check_grad(node, leaves, {leaf: AT[leaf] for leaf in leaves}).passed


def test_the_derivative_of_l2_is_the_weight_decay_of_optimizers() -> None:
    slope = cr.compile(cr.grad(regularize.l2(0.25, v), v))(v=V)
    np.testing.assert_array_equal(slope, 0.25 * V)


def test_a_rate_that_is_an_input_changes_between_runs() -> None:
    rate = cr.input("rate", default=1.0)
    weights = cr.input("weights", (4,))
    run = cr.compile(regularize.l1(rate, weights))
    ones = np.ones(4, np.float32)
    assert (float(run(weights=ones)), float(run(weights=ones, rate=0.5))) == (4, 2)


@TARGETS
def test_the_penalty_of_a_linear_critic_is_that_of_its_weights(target: str) -> None:
    x = cr.input("x", ("batch", 5), "float64")
    node = regularize.gradient_penalty(x @ w, x, rate=3.0, target=0.5)
    run = cr.compile([node, cr.grad(node, w)], target=target)
    found, slope = run(x=RNG.normal(size=(4, 5)), w=W)
    length = np.sqrt((W**2).sum())
    np.testing.assert_allclose(found, 3 * (length - 0.5) ** 2, rtol=1e-12)
    np.testing.assert_allclose(slope, 6 * (length - 0.5) * W / length, rtol=1e-12)


def test_the_derivative_of_a_gradient_penalty_is_a_difference_quotient() -> None:
    x = cr.input("x", (4, 3), "float64")
    critic = cr.sum(cr.tanh(x @ v), axis=1, keepdims=True)
    node = regularize.gradient_penalty(critic, x)
    assert cr.check_grad(node, v, {x: RNG.normal(size=(4, 3)), v: V}).passed


@TARGETS
def test_a_gradient_penalty_where_the_critic_is_flat(target: str) -> None:
    x = cr.input("x", (2, 5), "float64")
    node = regularize.gradient_penalty(cr.relu(x) @ w, x)
    found, slope = cr.compile([node, cr.grad(node, w)], target=target)(x=-np.ones((2, 5)), w=W)
    assert found == 10
    assert not np.any(slope)


@TARGETS
def test_a_penalty_in_the_loss_and_in_the_signal_makes_the_same_step(target: str) -> None:
    x = cr.input("x", ("batch", 3))
    layer = nn.Linear(3, 2, name="layer")
    loss = cr.mean(cr.square(layer(x) - 1.0))
    penalty = regularize.l2(0.1, layer.parameters())
    data = {"x": RNG.normal(size=(12, 3)).astype(np.float32)}
    states = []
    for step in (
        optim.SGD(lr=0.1).minimize(loss + penalty),
        optim.SGD(lr=0.1, signal=[penalty]).minimize(loss),
    ):
        program = cr.compile(cr.training(step, epochs=3, batch_size=5), target=target)
        states.append(program.run(data, state=program.initial_state(0)).state)
    for name in ("layer/weight", "layer/bias"):
        left, right = (np.asarray(state[name], np.float64) for state in states)
        np.testing.assert_allclose(left, right, rtol=1e-6)


def test_the_program_of_all_of_them() -> None:
    x = cr.input("x", ("batch", 3))
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), name="model")
    loss = cr.mean(cr.square(model(x)))
    weights = [p for p in model.parameters() if p.ndim > 1]
    step = optim.SGD(lr=schedules.warmup(100, then=schedules.cosine(0.1, steps=3000)), momentum=0.9,
                     nesterov=True, signal=[regularize.l2(1e-4, weights),
                                            optim.clip.by_global_norm(1.0)],
                     ).minimize(loss + regularize.l1(1e-5, weights))  # fmt: skip
    program = cr.compile(cr.training(step, epochs=2, batch_size=4))
    history = program.run({"x": np.ones((8, 3), np.float32)}).history
    assert history["loss"][-1] < history["loss"][0]


def refused(call: Callable[[], object], what: str, hint: str) -> None:
    with pytest.raises(cr.ChainruleError) as caught:
        call()
    told, _, rest = str(caught.value).partition("\n  where: ")
    where, _, tried = rest.partition("\n  try: ")
    assert re.search(what, told), told
    assert HERE in where
    assert re.search(hint, tried), tried


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf, "1", None])
@pytest.mark.parametrize("name", ["l1", "l2", "elastic_net", "activity"])
def test_a_rate_that_is_none(name: str, wrong: object) -> None:
    what = rf"^{name}: rate must be a finite number and at least 0, got"
    refused(lambda: getattr(free, name)(wrong, v), what, r"such as 1e-4, or a scalar node")


def test_what_cannot_be_penalised() -> None:
    whole = cr.input("whole", (3,), "int32")
    for name in ("l1", "l2", "elastic_net", "activity"):
        function = getattr(free, name)
        refused(partial(function, 1, []), rf"^{name}: there is nothing", r"model.parameters")
        refused(partial(function, 1, [whole]), r"whole i32\[3\].* is no floating", r"give nodes")
        refused(partial(function, 1, [2.0]), r"a float is no floating-point node", r"give nodes")
        refused(partial(function, w, v), rf"^{name}: the rate w .* is no float", r"cr.input")
    refused(lambda: free.elastic_net(1, v, 1.5), r"l1_ratio must be at most 1, got 1.5", r"0 to 1")
    refused(lambda: free.elastic_net(1, v, -1), r"l1_ratio must be .*at least 0", r"0 to 1")
    refused(lambda: free.activity(1, cr.input("one")), r"^activity: one .*has no rows", r"batch")


def test_a_gradient_penalty_of_what_does_not_depend_on_its_inputs() -> None:
    x, other = cr.input("x", ("batch", 3)), cr.input("other", ("batch", 3))
    penalty = free.gradient_penalty
    what = r"^gradient_penalty: .*does not depend on other"
    refused(lambda: penalty(cr.sum(x, axis=1), other), what, r"critic\(mixed\), mixed")
    refused(lambda: penalty(x, x, target=-1), r"target must be .*at least 0", r"target=1.0")
    refused(lambda: penalty(x, x, rate=-1), r"rate must be", r"a scalar node")
    refused(lambda: penalty(x, 1.0), r"a float is no floating-point node", r"give nodes")
    one = cr.input("one")
    refused(lambda: penalty(one * 2.0, one), r"^gradient_penalty: one .*has no rows", r"batch")
