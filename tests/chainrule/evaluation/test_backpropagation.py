"""All numbers of one backward pass, against the lecture's circuits and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses
from chainrule.evaluation.backpropagation import backpropagate


def test_a_product_of_a_sum() -> None:
    """The circuit f = (x + y) z at (−2, 5, −4)."""
    x, y, z = (cr.input(name) for name in "xyz")
    q = x + y
    f = q * z
    found = backpropagate(f, {x: -2.0, y: 5.0, z: -4.0}, function="test")
    assert found.nodes[-1] is f
    assert {node: float(value) for node, value in found.values.items()} == {
        x: -2, y: 5, z: -4, q: 3, f: -12,
    }  # fmt: skip
    assert {node: float(value) for node, value in found.gradients.items()} == {
        f: 1, q: -4, z: 3, x: -4, y: -4,
    }  # fmt: skip
    assert next(iter(found.gradients)) is f


def test_a_fan_out_is_the_sum_of_what_its_readers_add() -> None:
    """The circuit y = z1 (z2 − 2 z1), where z1 = x1²: ∂z1 = 4 + (−1)·2 = 2."""
    x1, x2, x3 = (cr.input(f"x{i}") for i in (1, 2, 3))
    z1, z2 = cr.square(x1), x2 * x3
    z3 = 2 * z1
    z4 = z2 - z3
    y = z1 * z4
    found = backpropagate(y, {x1: 1.0, x2: 2.0, x3: 3.0}, function="test")
    contributions = {
        (each.reader, each.position): float(each.value) for each in found.contributions[z1]
    }
    assert contributions == {(y, 0): 4.0, (z3, 1): -2.0}
    assert float(found.gradients[z1]) == 2.0
    assert [float(found.gradients[x]) for x in (x1, x2, x3)] == [4.0, 3.0, 2.0]
    assert found.contributions[y][0].reader is None


def test_the_backward_pass_ends_where_it_is_told_to() -> None:
    x, w = cr.input("x"), cr.input("w")
    f = cr.tanh(x * w)
    found = backpropagate(f, {"x": 0.5, "w": 2.0}, [w], function="test")
    assert x in found.values
    assert x not in found.gradients
    assert float(found.gradients[w]) == pytest.approx(0.5 * (1 - np.tanh(1.0) ** 2))


def test_contributions_to_an_array_have_its_shape_and_add_up() -> None:
    x = cr.input("x", ("batch", 3))
    w, b = cr.parameter("w", (3, 3), "xavier_normal"), cr.parameter("b", (3,), 0.1)
    hidden = cr.tanh(x @ w + b)
    loss = losses.squared_error(cr.tanh(hidden @ w + b), x)
    values = {x: np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)}
    found = backpropagate(loss, values, function="test")
    assert {w, b} <= {
        node for node, contributions in found.contributions.items() if len(contributions) == 2
    }
    for node, contributions in found.contributions.items():
        assert all(each.value.shape == found.values[node].shape for each in contributions)
        summed = np.sum([np.asarray(each.value, np.float64) for each in contributions], axis=0)
        total = np.asarray(found.gradients[node], np.float64)
        np.testing.assert_allclose(np.asarray(summed, np.float64), total, atol=1e-15)


def test_errors_name_who_asked() -> None:
    x = cr.input("x", (3,))
    unused = cr.input("unused")
    with pytest.raises(cr.GradientError, match="draw needs a floating-point scalar"):
        backpropagate(x * 2, {x: [1.0, 2.0, 3.0]}, function="draw")
    with pytest.raises(cr.GradientError, match="does not depend on"):
        backpropagate(cr.sum(x), {x: [1.0, 2.0, 3.0]}, [unused], function="draw")
    with pytest.raises(cr.InputError, match="draw: there is no value for x"):
        backpropagate(cr.sum(x), {}, function="draw")
    with pytest.raises(cr.InputError, match="draw: the graph does not read 'y'"):
        backpropagate(cr.sum(x), {"y": 1.0}, function="draw")
