"""Activation layers against their formulas in NumPy, at moderate and at extreme values."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from chainc.autodiff import grad
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph
from chainc.ops import sum
from chainrule import nn
from chainrule.declare.leaves import input

Values = npt.NDArray[np.float64]
Formula = Callable[[Values], Values]


def softmax(x: Values, axis: int) -> Values:
    return np.asarray(np.exp(x) / np.exp(x).sum(axis, keepdims=True))


CASES: list[tuple[nn.Module, Formula]] = [
    (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    (nn.Tanh(), np.tanh),
    (nn.ReLU(), lambda x: np.maximum(x, 0)),
    (nn.Softplus(), lambda x: np.log1p(np.exp(x))),
    (nn.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x)),
    (nn.LeakyReLU(slope=0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
    (nn.ELU(), lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    (nn.ELU(scale=2.0), lambda x: np.where(x > 0, x, 2 * (np.exp(x) - 1))),
    (nn.Softmax(), lambda x: softmax(x, -1)),
    (nn.Softmax(axis=0), lambda x: softmax(x, 0)),
]


@pytest.mark.parametrize(("layer", "formula"), CASES)
def test_values(layer: nn.Module, formula: Formula) -> None:
    x = np.random.default_rng(0).uniform(-3, 3, (4, 5))
    y = evaluate(Graph((layer(input("x", (4, 5))),)), {"x": x}).outputs[0]
    assert np.allclose(y, formula(x), rtol=1e-12)


@pytest.mark.parametrize("layer", [layer for layer, _ in CASES])
def test_extreme_values_and_their_gradients_stay_finite(layer: nn.Module) -> None:
    x = input("x", (2, 3))
    y = layer(x)
    weighted = sum(y * np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32))
    given = {"x": np.array([[-1000.0, 0, 1000], [1e4, -1e4, 30]])}
    values = evaluate(Graph((y, grad(weighted, x))), given).outputs
    assert np.isfinite(values).all()


def test_the_layer_is_a_box() -> None:
    model = nn.Sequential(nn.Softmax())
    y = model(input("x", ("batch", 3)))
    assert y.origin.scope == "model/softmax1/softmax"


def test_softplus_and_sigmoid_far_out() -> None:
    x = input("x", (2,))
    graph = Graph((nn.Softplus()(x), nn.Sigmoid()(x)))
    softplus, sigmoid = evaluate(graph, {"x": [1000.0, -1000.0]}).outputs
    assert softplus.tolist() == [1000.0, 0.0]
    assert sigmoid.tolist() == [1.0, 0.0]
