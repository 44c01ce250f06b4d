"""Optimizers: trajectories against NumPy written by hand, what a step holds, and refusals."""

import math
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.interpreters.reference import evaluate
from chainc.ir import Node
from chainc.ir.errors import GradientError, GraphError, InputError
from chainc.ir.leaves import initial_graph
from chainc.ir.types import float32, float64, int64
from chainc.ops import square, stop_gradient, sum
from chainrule import losses, nn, optim, schedules
from chainrule.declare.leaves import input, parameter, step_counter

HERE = r"\n  where: .*test_optimizers\.py:\d+\n  try: "
Values = npt.NDArray[np.float64]

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(100, 8, 3)), RNG.normal(size=(100, 8))  # 100 batches of 8 rows
START = RNG.normal(size=3)


def regression() -> tuple[Node, Node]:
    """Mean squared error of x · w, and w."""
    w = parameter("w", (3,), START, dtype="float64")
    x, y = input("x", ("batch", 3), "float64"), input("y", ("batch",), "float64")
    return losses.squared_error(x @ w, y), w


def gradient(w: Values, x: Values, y: Values) -> Values:
    return np.asarray(2 * x.T @ (x @ w - y) / len(y))


def run(step: optim.Step, **hyperparameters: float) -> tuple[Mapping[str, Values], list[Values]]:
    """The last state, and w after each of 100 steps, computed by the reference backend."""
    slots = list(step.updates)
    first = evaluate(initial_graph(slots), {}).outputs
    state = {slot.op.label: value for slot, value in zip(slots, first, strict=True)}
    seen: list[Values] = []
    for x, y in zip(X, Y, strict=True):
        given = {"x": x, "y": y, **hyperparameters}
        state = dict(evaluate(step.graph, given, state).updates)
        seen.append(state["w"].astype(np.float64))
    return {name: value.astype(np.float64) for name, value in state.items()}, seen


def by_hand(update: Callable[[int, Values, Values], Values]) -> list[Values]:
    w, seen = START, []
    for t, (x, y) in enumerate(zip(X, Y, strict=True), start=1):
        w = update(t, w, gradient(w, x, y))
        seen.append(w)
    return seen


def test_gradient_descent() -> None:
    state, seen = run(optim.SGD(lr=0.05).minimize(regression()[0]))
    assert np.allclose(seen, by_hand(lambda _, w, g: w - 0.05 * g), rtol=1e-12)
    assert sorted(state) == ["step", "w"]
    assert state["step"] == 100


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov: bool) -> None:
    velocity = np.zeros(3)

    def update(_: int, w: Values, g: Values) -> Values:
        nonlocal velocity
        velocity = 0.9 * velocity + g
        return w - 0.01 * (g + 0.9 * velocity if nesterov else velocity)

    sgd = optim.SGD(lr=0.01, momentum=0.9, nesterov=nesterov)
    state, seen = run(sgd.minimize(regression()[0]))
    assert np.allclose(seen, by_hand(update), rtol=1e-11)
    assert np.allclose(state["sgd/velocity/w"], velocity, rtol=1e-11)


def test_adam() -> None:
    m, v = np.zeros(3), np.zeros(3)

    def update(t: int, w: Values, g: Values) -> Values:
        nonlocal m, v
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        corrected = m / (1 - 0.8**t), v / (1 - 0.95**t)
        return w - 0.02 * corrected[0] / (np.sqrt(corrected[1]) + 1e-6)

    adam = optim.Adam(lr=0.02, betas=(0.8, 0.95), eps=1e-6)
    state, seen = run(adam.minimize(regression()[0]))
    assert np.allclose(seen, by_hand(update), rtol=1e-11)
    assert np.allclose(state["adam/mean/w"], m, rtol=1e-11)
    assert np.allclose(state["adam/variance/w"], v, rtol=1e-11)


def test_a_schedule_is_asked_for_the_number_of_steps_done() -> None:
    step = optim.SGD(lr=schedules.step_decay(0.1, 0.5, every=30)).minimize(regression()[0])
    seen = run(step)[1]
    expected = by_hand(lambda t, w, g: w - 0.1 * 0.5 ** ((t - 1) // 30) * g)
    assert np.allclose(seen, expected, rtol=1e-6)  # the rate itself is float32
    assert step.hyperparameters == {}


def test_hyperparameters_are_inputs_whose_values_can_be_changed() -> None:
    step = optim.SGD(lr=0.5, momentum=0.5).minimize(regression()[0])
    assert list(step.hyperparameters) == ["lr", "momentum"]
    changed = run(step, lr=0.01, momentum=0.9)[1]
    expected = run(optim.SGD(lr=0.01, momentum=0.9).minimize(regression()[0]))[1]
    assert np.array_equal(changed, expected)
    adam = optim.Adam().minimize(regression()[0])
    assert set(adam.hyperparameters) == {"lr", "beta1", "beta2", "eps"}


def test_a_step_is_a_value_with_its_parts() -> None:
    loss, w = regression()
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(loss)
    assert step.loss is loss
    assert step.parameters == (w,)
    assert [gradient.type for gradient in step.gradients] == [w.type]
    assert [slot.op.label for slot in step.updates] == ["w", "sgd/velocity/w", "step"]
    assert step.graph.outputs == (loss,)
    for slot, value in step.updates.items():
        assert slot.type == value.type
    assert step.updates[w].origin.scope == "sgd"
    assert step_counter().type.dtype == int64


def test_hyperparameters_have_the_precision_of_the_parameters() -> None:
    wide = optim.SGD(lr=0.1).minimize(regression()[0])
    assert wide.hyperparameters["lr"].type.dtype == float64
    narrow = optim.SGD(lr=0.1).minimize(sum(square(parameter("v", (2,), 1.0))))
    assert narrow.hyperparameters["lr"].type.dtype == float32


def test_parameters_of_both_precisions_keep_their_own() -> None:
    a, b = parameter("a", (), 1.0), parameter("b", (), 1.0, dtype="float64")
    for optimizer in (optim.SGD(lr=0.1, momentum=0.9, nesterov=True), optim.Adam()):
        step = optimizer.minimize(square(a) + square(b))
        assert all(slot.type == value.type for slot, value in step.updates.items())


def test_slots_are_named_after_the_parameter_even_if_it_is_adopted_later() -> None:
    layer = nn.Linear(3, 1)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(sum(layer(input("x", ("batch", 3)))))
    model = nn.Sequential(layer)
    assert model[0] is layer
    assert [slot.op.label for slot in step.updates][:2] == [
        "model/linear1/weight",
        "sgd/velocity/model/linear1/weight",
    ]


def test_by_default_every_trainable_state_is_changed() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    frozen = parameter("scale", (), 2.0, trainable=False)
    loss = sum(model(input("x", ("batch", 3))) * frozen)
    assert set(optim.SGD(lr=0.1).minimize(loss).parameters) == set(model.parameters())
    chosen = model[0].parameters()
    only = optim.SGD(lr=0.1).minimize(loss, chosen)
    assert only.parameters == chosen
    assert set(only.updates) == {*chosen, step_counter()}


@pytest.mark.parametrize("lr", [0.0, -0.1, math.nan, math.inf, True, "0.1", None])
def test_learning_rates_that_are_none_are_refused(lr: float) -> None:
    for make in (optim.SGD, optim.Adam):
        with pytest.raises(
            InputError, match=rf"^{make.__name__}: lr must be .* above 0, got .*{HERE}give a small"
        ):
            make(lr=lr)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(0.1, momentum=1.0), r"SGD: momentum must be .* below 1, got 1.0"),
        (lambda: optim.SGD(0.1, momentum=-0.1), r"SGD: momentum must be .* at least 0"),
        (lambda: optim.SGD(0.1, nesterov=True), r"SGD: nesterov needs a momentum"),
        (lambda: optim.Adam(betas=(0.9, 1.0)), r"Adam: betas\[1\] must be .* below 1"),
        (lambda: optim.Adam(betas=(math.nan, 0.9)), r"Adam: betas\[0\] must be"),
        (
            lambda: optim.Adam(betas=cast("tuple[float, float]", (0.9,))),
            r"Adam: betas must be two numbers, got \(0.9,\)",
        ),
        (lambda: optim.Adam(eps=0.0), r"Adam: eps must be .* above 0"),
    ],
)
def test_other_numbers_out_of_range_are_refused(
    make: Callable[[], optim.Optimizer], message: str
) -> None:
    with pytest.raises(InputError, match=f"^{message}.*{HERE}give "):
        make()


def test_a_schedule_that_gives_no_scalar_is_refused() -> None:
    loss, w = regression()
    with pytest.raises(GraphError, match=rf"schedule gave w f64\[3\] .*, not a.*{HERE}return a"):
        optim.SGD(lr=lambda _: w).minimize(loss)


def test_losses_without_parameters_are_refused() -> None:
    x = input("x", (3,))
    with pytest.raises(GraphError, match=rf"^minimize: there is no parameter.*{HERE}compute the"):
        optim.SGD(lr=0.1).minimize(sum(x))
    with pytest.raises(GraphError, match=rf"^minimize: x f32\[3\] .* is no parameter{HERE}give f"):
        optim.SGD(lr=0.1).minimize(sum(x), [x])


def test_losses_without_a_gradient_are_refused() -> None:
    w = parameter("w", (3,), 1.0)
    with pytest.raises(GradientError, match=rf"grad needs a floating-point scalar.*{HERE}reduce"):
        optim.SGD(lr=0.1).minimize(square(w))
    with pytest.raises(GradientError, match=rf"path stops at stop_gradient.*{HERE}change others"):
        optim.SGD(lr=0.1).minimize(sum(stop_gradient(w)))


def test_parameters_of_one_name_are_refused() -> None:
    first, second = parameter("w", (), 1.0), parameter("w", (), 2.0)
    with pytest.raises(
        GraphError, match=rf"^two states are named w: w f32\[\] .* and w f32\[\] .*{HERE}give the"
    ):
        optim.SGD(lr=0.1).minimize(first * second)


def test_what_optimizers_have_in_common_changes_nothing() -> None:
    loss = cr.mean(cr.square(cr.parameter("w", (2,), 1.0)))
    with pytest.raises(cr.GraphError, match="Optimizer: it does not say how a parameter changes"):
        optim.Optimizer(0.1).minimize(loss)
