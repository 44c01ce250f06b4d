"""Plots of activation functions against their formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.chainrule.plots.legible import assert_legible, corners, curve, texts

import chainrule as cr
from chainrule import nn

Floats = NDArray[np.float64]
Formula = Callable[[Floats], NDArray[Any]]


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)), np.float64)


FORMULAS: dict[str, tuple[Formula, Formula]] = {
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "relu": (lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0)),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, 0.01)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(x)), lambda x: np.where(x > 0, 1, np.exp(x))),
    "softplus": (lambda x: np.logaddexp(0, x), sigmoid),
}
TOLD = {
    "sigmoid": ("range 0 … 1", "not zero-centred, saturates left and right"),
    "tanh": ("range −1 … 1", "zero-centred, saturates left and right"),
    "relu": ("range 0 … ∞", "not zero-centred, saturates left"),
    "leaky_relu": ("range −∞ … ∞", "not zero-centred, does not saturate"),
    "elu": ("range −1 … ∞", "not zero-centred, saturates left"),
    "softplus": ("range 0 … ∞", "not zero-centred, saturates left"),
}


def shaded(plot: cr.plots.Plot, panel: int = 0) -> list[tuple[float, float]]:
    """The intervals in grey."""
    (area,) = plot.figure.axes[panel].collections
    sides = [corners(path)[:, 0] for path in area.get_paths()]
    return sorted((float(x.min()), float(x.max())) for x in sides)


def test_the_usual_functions_are_drawn_with_their_derivatives() -> None:
    plot = cr.plots.activation_functions()
    lines = texts(plot)
    for panel, (name, (value, slope)) in enumerate(FORMULAS.items()):
        x = curve(plot, panel, 2).x
        away = np.abs(x) > 1e-6  # at 0 some have no derivative
        y, dy = (curve(plot, panel, k).y for k in (2, 3))
        np.testing.assert_allclose(y, value(x), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(dy[away], slope(x)[away], rtol=1e-4, atol=1e-6)
        start = lines.index(name)
        assert tuple(lines[start + 1 : start + 3]) == TOLD[name]
    assert (x[0], x[-1]) == (-6, 6)
    assert {"f(x)", "f′(x)", "saturated: |f′(x)| < 0.05"} <= set(lines)
    assert_legible(plot)


def test_shaded_is_where_a_derivative_that_vanishes_is_small() -> None:
    edge = float(np.log(1 / ((1 - np.sqrt(0.8)) / 2) - 1))  # σ(1−σ) = 0.05 there
    plot = cr.plots.activation_functions(cr.sigmoid, low=-8, high=8)
    (left, right) = shaded(plot)
    assert left == pytest.approx((-8, -edge), abs=0.02)
    assert right == pytest.approx((edge, 8), abs=0.02)
    assert shaded(cr.plots.activation_functions(nn.LeakyReLU())) == []  # 0.01, but never less


def test_layers_lambdas_and_names() -> None:
    plot = cr.plots.activation_functions(nn.ELU(2.0), lambda x: cr.sin(x) + 0, cr.tanh, low=-2)
    lines = texts(plot)
    assert {"ELU", "function 2", "tanh", "range −2 … ∞"} <= set(lines)
    assert lines[lines.index("function 2") + 1] == "range −1 … 1"
    assert lines[lines.index("tanh") + 2].startswith("zero-centred")
    named = cr.plots.activation_functions(cr.tanh, names=["tangens hyperbolicus"])
    assert "tangens hyperbolicus" in texts(named)
    assert_legible(plot)


@pytest.mark.parametrize(
    ("functions", "options", "message"),
    [
        ((lambda x: cr.sum(x) + 0,), {}, "function 1 is no function of each element"),
        ((lambda x: cr.softmax(x) + 0,), {}, "function 1 is no function of each element"),
        ((lambda _: 3.0,), {}, "try: give a function from a node to a node"),
        ((3,), {}, "function 1 is no function of each element"),
        ((cr.tanh,), {"low": 1.0}, "low must be a finite number"),
        ((cr.tanh,), {"names": ["a", "b"]}, "2 names for 1 functions"),
        ((cr.tanh,) * 13, {}, "13 functions, not from 1 to 12"),
    ],
)
def test_what_cannot_be_plotted_is_refused(
    functions: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.activation_functions(*functions, **options)
