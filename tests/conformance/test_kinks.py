"""The table of derivatives at kinks in docs/api/tensors.rst, row for row, on every target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.values import values

import chainrule as cr

INF, NAN = math.inf, math.nan
ROWS: Sequence[tuple[str, Callable[..., cr.Node], list[npt.ArrayLike], list[npt.ArrayLike]]] = [
    ("relu", cr.relu, [0.0], [0.0]),
    ("abs", cr.abs, [0.0], [0.0]),
    ("leaky_relu", lambda x: cr.leaky_relu(x, 0.25), [0.0], [0.25]),
    ("elu", lambda x: cr.elu(x, 0.5), [0.0], [0.5]),
    ("sign", lambda x: x + cr.sign(x), [0.0], [1.0]),
    ("floor", lambda x: x + cr.floor(x), [1.0], [1.0]),
    ("floor_divide", lambda a, b: a + b + cr.floor_divide(a, b), [4.0, 2.0], [1.0, 1.0]),
    ("remainder", cr.remainder, [4.0, 2.0], [1.0, -2.0]),
    ("maximum", cr.maximum, [1.0, 1.0], [0.0, 1.0]),
    ("minimum", cr.minimum, [1.0, 1.0], [0.0, 1.0]),
    ("max", cr.max, [[2.0, 1.0, 2.0]], [[0.5, 0.0, 0.5]]),
    ("min", cr.min, [[2.0, 1.0, 1.0]], [[0.0, 0.5, 0.5]]),
    ("max_pool", lambda x: cr.max_pool1d(x, 3), [[[[2.0, 3.0, 3.0]]]], [[[[0.0, 1.0, 0.0]]]]),
    ("clip", lambda x: cr.minimum(cr.maximum(x, -1.0), 1.0), [[-1.0, 1.0, 0.5]], [[0.0, 0.0, 1.0]]),
    ("where", lambda x: cr.where(x > 0, 3 * x, 5 * x), [0.0], [5.0]),
    ("sqrt", cr.sqrt, [0.0], [INF]),
    ("power", cr.pow, [[0.0] * 4, [0.0, 0.5, 1.0, 2.0]], [[0.0, INF, 1.0, 0.0], [0.0] * 4]),
    ("norm", lambda x: cr.sqrt(cr.sum(cr.square(x))), [[0.0, 0.0]], [[NAN, NAN]]),
    ("std", cr.std, [[3.0, 3.0]], [[NAN, NAN]]),
    ("norm²", lambda x: cr.square(cr.sqrt(cr.sum(cr.square(x)))), [[0.0, 0.0]], [[0.0, 0.0]]),
    ("prod", cr.prod, [[0.0, 2.0, 3.0]], [[6.0, 0.0, 0.0]]),
    ("absolute_error", cr.losses.absolute_error, [[1.0], [1.0]], [[0.0], [0.0]]),
]  # fmt: skip


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize(
    ("function", "at", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_the_derivative_at_a_kink_is_the_documented_one(
    function: Callable[..., cr.Node],
    at: list[npt.ArrayLike],
    expected: list[npt.ArrayLike],
    target: str,
) -> None:
    inputs = [cr.input(f"x{i}", np.shape(value), "float64") for i, value in enumerate(at)]
    slopes = cr.grad(cr.sum(function(*inputs)), inputs)
    given: dict[str, Any] = {f"x{i}": np.asarray(value) for i, value in enumerate(at)}
    for found, wanted in zip(values(slopes, target, **given), expected, strict=True):
        np.testing.assert_array_equal(found, np.asarray(wanted))


@pytest.mark.parametrize("step", [cr.sign, cr.floor, lambda x: cr.floor_divide(x, 2.0)])
def test_a_step_alone_has_no_gradient(step: Callable[[cr.Node], cr.Node]) -> None:
    x = cr.input("x", ())
    with pytest.raises(cr.GradientError, match="no derivative flows"):
        cr.grad(step(x), x)
