"""The gradient check: it passes for right gradients and names the worst of wrong ones."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from chainc import ops
from chainc.ir import Node
from chainc.ir.errors import GradientError, InputError
from chainrule import losses, nn
from chainrule.declare.leaves import input, parameter
from chainrule.declare.transforms import custom_gradient
from chainrule.teaching.gradient_check import check_grad

HERE = r"\n  where: .*test_gradient_check\.py:\d+\n  try: "
RNG = np.random.default_rng(0)


def model() -> tuple[Node, Node, Node, nn.Sequential]:
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    x, y = input("x", ("batch", 4)), input("y", ("batch",), dtype="int32")
    return losses.cross_entropy(net(x), y), x, y, net


POINT = {"x": RNG.normal(size=(6, 4)), "y": RNG.integers(0, 3, 6).astype(np.int32)}


def test_a_right_gradient_passes_for_inputs_and_parameters() -> None:
    loss, x, _, net = model()
    check = check_grad(loss, [x, *net.parameters()], POINT)
    assert check.passed
    assert check.worst.error < 1e-7
    assert [c.name for c in check.comparisons][:2] == ["x", "net/linear1/weight"]
    assert all(c.symbolic == pytest.approx(c.numeric, rel=1e-6) for c in check.comparisons)


def test_values_may_be_given_by_node_and_for_states() -> None:
    loss, x, y, net = model()
    weight = net[0].weight
    at = {x: POINT["x"], y: POINT["y"], weight: np.zeros((4, 5))}
    assert check_grad(loss, weight, at).passed


def test_it_prints_a_table() -> None:
    loss, x, *_ = model()
    assert "x  relative error " in str(check_grad(loss, x, POINT))


def flawed(factor: float) -> Callable[..., Node]:
    @custom_gradient
    def square(x: Node) -> tuple[Node, Callable[[Node], Node]]:
        return x * x, lambda g: g * x * factor

    return square


def test_a_wrong_gradient_is_an_error_that_names_the_worst() -> None:
    a, b = input("a", (3,)), input("b", (3,))
    loss = ops.sum(flawed(2.0)(a)) + ops.sum(flawed(3.0)(b))
    at = {"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]}
    with pytest.raises(
        GradientError,
        match=rf"^the gradient of .* is wrong for 'b': the relative error is 3.3e-01, symbolic .* "
        rf"against numeric .*{HERE}look for a wrong custom_gradient",
    ):
        check_grad(loss, [a, b], at)
    check = check_grad(loss, [a, b], at, raise_error=False)
    assert not check.passed
    assert check.worst.name == "b"
    assert check.worst.error == pytest.approx(1 / 3, rel=1e-6)
    assert check.worst.symbolic == pytest.approx(1.5 * check.worst.numeric, rel=1e-6)


def test_a_small_error_is_found_and_a_wider_tolerance_accepts_it() -> None:
    a = input("a", (3,))
    loss = ops.sum(flawed(2.0 + 1e-4)(a))
    assert not check_grad(loss, a, {"a": [1.0, 2.0, 3.0]}, raise_error=False).passed
    assert check_grad(loss, a, {"a": [1.0, 2.0, 3.0]}, tolerance=1e-3).passed


def test_nan_does_not_pass() -> None:
    a = input("a", (2,))
    check = check_grad(ops.sum(ops.log(a)), a, {"a": [-1.0, 1.0]}, raise_error=False)
    assert not check.passed
    assert math.isnan(check.worst.error)


def test_a_gradient_of_zero_passes() -> None:
    a = input("a", (2,))
    assert check_grad(ops.sum(a * 0.0), a, {"a": [1.0, 2.0]}).passed


def test_hyperparameters_and_parameters_have_their_first_values() -> None:
    w, rate = parameter("w", (2,), 3.0), input("rate", default=2.0)
    check = check_grad(ops.sum(w * w * rate), [w, rate], {})
    assert check.comparisons[1].numeric == pytest.approx(
        18.0 * np.sign(check.comparisons[1].numeric)
    )


def test_misuse_is_refused() -> None:
    loss, x, _, net = model()
    with pytest.raises(InputError, match=rf"no value for y i32\[batch\] .*{HERE}give one for"):
        check_grad(loss, x, {"x": POINT["x"]})
    with pytest.raises(InputError, match=rf"the graph does not read 'z'{HERE}give values for"):
        check_grad(loss, x, {**POINT, "z": np.zeros(3)})
    with pytest.raises(GradientError, match=rf"is computed, so it has no value.*{HERE}check the"):
        check_grad(loss, net(x), POINT)
    with pytest.raises(GradientError, match=r"does not depend on"):
        check_grad(loss, input("other", (3,)), POINT)
    with pytest.raises(InputError, match="check_grad: tolerance must be"):
        check_grad(loss, x, POINT, tolerance=0.0)
    with pytest.raises(InputError, match="check_grad: directions must be"):
        check_grad(loss, x, POINT, directions=0)
