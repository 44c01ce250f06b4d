"""Learning rules: backpropagation and others, and the two halves of `minimize`, each alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, nn, optim

RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(64, 2)).astype(np.float32)
SUMS = ROWS @ np.array([[1.0], [-2.0]], np.float32)


def regression() -> tuple[cr.Node, cr.Node]:
    """The loss of a linear model without bias, and its weight."""
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch", 1))
    weight = cr.parameter("weight", (2, 1), 0.0)
    return losses.squared_error(x @ weight, y), weight


def trained(step: optim.Step, x: cr.Node | str = "x") -> cr.Result:
    program = cr.compile(cr.training(step, epochs=60, batch_size=16), target="numpy")
    data: Mapping[cr.Node | str, object] = {x: ROWS, "y": SUMS}
    return program.run(data, progress=False)


def signs(loss: cr.Node, parameters: Sequence[cr.Node]) -> Mapping[cr.Node, cr.Node]:
    """Only the direction of each derivative (Riedmiller and Braun 1993, Bernstein et al. 2018)."""
    return {each: cr.sign(signal) for each, signal in optim.backprop(loss, parameters).items()}


def test_backpropagation_gives_the_derivatives() -> None:
    loss, weight = regression()
    (signal,) = optim.backprop(loss, [weight]).values()
    values, wanted = cr.compile([signal, cr.grad(loss, weight)]).bind(
        cr.State({"weight": np.ones((2, 1), np.float32)})
    )(x=ROWS, y=SUMS)
    assert np.array_equal(values, wanted)
    assert signal.origin.derivative is not None


def test_the_default_rule_is_backpropagation() -> None:
    loss, _ = regression()
    sgd = optim.SGD(lr=0.1)
    plain, named = sgd.minimize(loss), sgd.minimize(loss, rule=optim.backprop)
    assert cr.Graph.of(plain.graph).text() == cr.Graph.of(named.graph).text()


def test_a_rule_of_ones_own_trains() -> None:
    loss, weight = regression()
    step = optim.SGD(lr=0.05).minimize(loss, rule=signs)
    result = trained(step)
    assert np.abs(result.state["weight"] - [[1.0], [-2.0]]).max() < 0.1
    moved = trained(optim.SGD(lr=0.05).minimize(loss)).state["weight"]
    assert not np.array_equal(result.state["weight"], moved)
    assert step.parameters == (weight,)
    assert step.gradients[0].op.name == "sign"


def test_a_rule_may_leave_the_loss_alone() -> None:
    """Feedback through a fixed random matrix in place of the transposed weight (Lillicrap 2016)."""
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch", 1))
    first, second = nn.Linear(2, 8, name="first"), nn.Linear(8, 1, name="second")
    hidden = cr.tanh(first(x))
    output = second(hidden)
    loss = losses.squared_error(output, y)
    feedback = cr.constant(RNG.normal(size=(1, 8)).astype(np.float32))

    def aligned(loss: cr.Node, parameters: Sequence[cr.Node]) -> Mapping[cr.Node, cr.Node]:
        error = cr.grad(loss, output)
        back = (error @ feedback) * (1.0 - cr.square(hidden))
        found = {
            first.weight: cr.permute_dims(x, (1, 0)) @ back,
            first.bias: cr.sum(back, axis=0),
            second.weight: cr.permute_dims(hidden, (1, 0)) @ error,
            second.bias: cr.sum(error, axis=0),
        }
        return {each: found[each] for each in parameters}

    history = trained(optim.SGD(lr=0.1).minimize(loss, rule=aligned)).history["loss"]
    assert history[-1] < 0.05 * history[0]


def test_the_second_half_takes_any_signals() -> None:
    loss, weight = regression()
    step = optim.SGD(lr=1.0).step(loss, {weight: cr.constant(np.full((2, 1), 0.5, np.float32))})
    run = cr.compile(step).bind(cr.State({"weight": np.zeros((2, 1), np.float32), "step": 0}))
    run(x=ROWS, y=SUMS)
    assert np.array_equal(run.state["weight"], [[-0.5], [-0.5]])
    assert run.state["step"] == 1


def test_both_halves_are_minimize() -> None:
    loss, weight = regression()
    adam = optim.Adam(lr=0.01)
    halves = adam.step(loss, optim.backprop(loss, [weight]))
    whole = adam.minimize(loss)
    one, other = trained(halves).state, trained(whole).state
    assert dict(one).keys() == dict(other).keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (lambda w: [w], "minimize: the learning rule gave a list", "by parameter"),
        (lambda _: {}, "minimize: the learning rule gave no signal for weight", "every parameter"),
        (
            lambda w: {w: w, cr.parameter("v", (), 0.0): w},
            "minimize: the learning rule gave 2 signals for 1 parameters",
            "no others",
        ),
        (lambda w: {w: 1.0}, "a float is no signal for weight", "a node of type f32[2,1]"),
        (lambda w: {w: cr.sum(w)}, "sum f32[]", "of the parameter's type, f32[2,1]"),
        (lambda w: {w: cr.astype(w, "float64")}, "is no signal for weight", "f32[2,1]"),
    ],
)
def test_rules_that_give_something_else_are_refused(given: object, message: str, hint: str) -> None:
    loss, weight = regression()
    assert callable(given)
    with pytest.raises(cr.GraphError, match=re.escape(message)) as caught:
        optim.SGD(lr=0.1).minimize(loss, rule=lambda _, parameters: given(parameters[0]))
    assert re.search(rf"where: .*test_rules\.py:\d+\n  try: .*{re.escape(hint)}", str(caught.value))
    assert weight.op.label == "weight"


def test_signals_for_what_is_no_parameter_are_refused() -> None:
    loss, _ = regression()
    x = cr.input("z", (3,))
    with pytest.raises(cr.GraphError, match=r"^step: z .* is no parameter"):
        optim.SGD(lr=0.1).step(loss, {x: x})
    with pytest.raises(cr.GraphError, match=r"^step: there is no signal"):
        optim.SGD(lr=0.1).step(loss, {})
