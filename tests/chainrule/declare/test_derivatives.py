"""Derivatives are asked for in one way, of one node, of several and of a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses, nn

X = cr.input("x", (3,))
A, B = np.array([1.0, 2.0, 3.0], np.float32), np.array([0.5, -1.0, 2.0], np.float32)
HERE = r"(.|\n)*where: .*test_derivatives\.py:\d+(.|\n)*try: "


def at(node: cr.Node) -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = cr.compile(node)(x=A)
    return values


def test_one_node_gives_one_node() -> None:
    y, loss = X**3, cr.sum(X**3)
    np.testing.assert_allclose(at(cr.vjp(y, X, B)), 3 * A**2 * B)
    np.testing.assert_allclose(at(cr.jvp(y, X, B)), 3 * A**2 * B)
    np.testing.assert_allclose(at(cr.hvp(loss, X, B)), 6 * A * B)
    value, gradient = cr.value_and_grad(loss, X)
    assert value is loss
    np.testing.assert_allclose(at(gradient), 3 * A**2)


@pytest.mark.parametrize("direction", [B, B.tolist(), tuple(B), B.astype(float), cr.constant(B)])
def test_directions_are_nodes_or_numbers(direction: npt.ArrayLike | cr.Node) -> None:
    expected = 6 * A * B
    loss = cr.sum(X**3)
    np.testing.assert_allclose(at(cr.hvp(loss, X, direction)), expected)
    (listed,) = cr.hvp(loss, [X], [direction])
    np.testing.assert_allclose(at(listed), expected)
    np.testing.assert_allclose(at(cr.vjp([loss], X, [2.0])), 6 * A**2)
    np.testing.assert_allclose(at(cr.vjp(loss, X, 2)), 6 * A**2)


def test_a_model_stands_for_its_parameters() -> None:
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch", 1))
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    loss = losses.squared_error(model(x), y)
    of_model, of_nodes = cr.grad(loss, model), cr.grad(loss, model.parameters())
    run = cr.compile([*of_model, *of_nodes])
    results = run.bind(run.initial_state())(x=np.eye(2), y=np.ones((2, 1)))
    assert len(results) == 8
    for first, second in zip(results[:4], results[4:], strict=True):
        np.testing.assert_array_equal(first, second)
    assert [node.type for node in cr.hvp(loss, model, model.parameters())] == [
        node.type for node in model.parameters()
    ]
    assert cr.value_and_grad(loss, model[0])[1][0].type == model[0].weight.type
    assert cr.jvp(loss, model, model.parameters()).shape == ()


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: cr.grad(cr.sum(X), nn.Tanh()), "grad: the Tanh has no parameters"),
        (lambda: cr.grad(3.0, X), "grad: the loss is a float, not a node"),  # type: ignore[call-overload]
        (lambda: cr.grad(cr.sum(X), "x"), "grad: a str is no node"),  # type: ignore[arg-type]
        (lambda: cr.grad(cr.sum(X), [X, 1]), "grad: a int is no node"),  # type: ignore[list-item]
        (lambda: cr.vjp(X * 2, X, 1.0), r"vjp: the cotangent f32\[\] does not have the type of"),
        (lambda: cr.jvp(X * 2, X, [B, B]), r"jvp: the tangent f32\[2,3\] does not have the type"),
        (lambda: cr.jvp(X * 2, [X], [B, B]), "jvp: there are 2 tangents for 1 nodes"),
        (lambda: cr.hvp(cr.sum(X), X, [1.0, 2.0]), r"hvp: the vector f32\[2\] does not have"),
        (lambda: cr.hvp(X, X, B), "grad needs a floating-point scalar"),
    ],
)
def test_what_cannot_be_differentiated(call: Callable[[], object], what: str) -> None:
    with pytest.raises(cr.GradientError, match=rf"{what}{HERE}"):
        call()
