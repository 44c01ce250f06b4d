"""Composed functions against NumPy, their boxes, and their derivatives at extreme values."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from chainc.autodiff import grad
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node
from chainc.ir.errors import InputError
from chainc.ops import sum
from chainrule.compiled.compilation import compile
from chainrule.declare import functional
from chainrule.declare.leaves import input
from chainrule.teaching.gradient_check import check_grad

Values = npt.NDArray[np.float64]
POINT = np.random.default_rng(1).uniform(-3, 3, (3, 4))
NORMAL = np.vectorize(lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2))))

CASES: list[tuple[Callable[[Node], Node], Callable[[Values], Values]]] = [
    (functional.softmax, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    (functional.log_softmax, lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
    (functional.leaky_relu, lambda x: np.maximum(x, 0.01 * x)),
    (functional.elu, lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    (functional.gelu, lambda x: x * NORMAL(x)),
    (functional.silu, lambda x: x / (1 + np.exp(-x))),
]
FUNCTIONS = [function for function, _ in CASES]


@pytest.mark.parametrize(("function", "formula"), CASES)
def test_values(function: Callable[[Node], Node], formula: Callable[[Values], Values]) -> None:
    y = function(input("x", ("batch", 4)))
    assert np.allclose(evaluate(Graph((y,)), {"x": POINT}).outputs[0], formula(POINT), rtol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_derivatives(function: Callable[[Node], Node]) -> None:
    x, weight = input("x", (3, 4)), input("weight", (3, 4))
    loss = sum(function(x) * weight)
    check = check_grad(loss, x, {x: POINT, weight: np.cos(POINT)})
    assert check.worst.error < 1e-7


@pytest.mark.parametrize("function", FUNCTIONS)
def test_extreme_values_stay_finite(function: Callable[[Node], Node]) -> None:
    x, weight = input("x", (2, 3)), input("weight", (2, 3))
    y = function(x)
    given = {
        "x": np.array([[-1e4, 0, 1e4], [1e4, 1e4, -700]]),
        "weight": np.arange(6.0).reshape(2, 3),
    }
    graph = Graph((y, grad(sum(y * weight), x)))
    assert np.isfinite(evaluate(graph, given).outputs).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_is_one_box(function: Callable[[Node], Node]) -> None:
    x = input("x", ("batch", 4))
    nodes = Graph((function(x),)).nodes
    name = function.__name__
    assert {node.origin.scope for node in nodes if node is not x} == {name}


def test_softmax_takes_any_axis_and_sums_to_one() -> None:
    y = functional.softmax(input("x", (3, 4)), axis=0)
    values = evaluate(Graph((y,)), {"x": POINT * 100}).outputs[0].astype(np.float64)
    assert np.allclose(values.sum(0), 1)


def test_log_softmax_is_finite_where_the_softmax_is_zero() -> None:
    y = functional.log_softmax(input("x", (2,)))
    assert evaluate(Graph((y,)), {"x": [0.0, 2000.0]}).outputs[0].tolist() == [-2000.0, 0.0]


def test_gelu_by_tanh_is_its_formula_and_stays_finite_where_a_cube_does_not() -> None:
    x = input("x", ("batch", 4))
    y = functional.gelu(x, "tanh")
    inner = math.sqrt(2 / math.pi) * (POINT + 0.044715 * POINT**3)
    found = evaluate(Graph((y,)), {"x": POINT}).outputs[0]
    assert np.allclose(found, POINT / 2 * (1 + np.tanh(inner)), rtol=1e-12)
    assert np.abs(POINT * NORMAL(POINT) - found).max() < 5e-4
    far = np.array([-3e38, -1e13, -21, -20, 20, 21, 1e13, 3e38], np.float32)
    z = input("z", (8,))
    big = functional.gelu(z, "tanh")
    value, slope = compile([big, grad(sum(big), z)])(z=far)
    assert np.array_equal(value, np.maximum(far, 0))
    assert np.array_equal(slope, far > 0)
    with pytest.raises(InputError, match=r"(?s)gelu: there is no form 'fast'.*try: give approx"):
        functional.gelu(x, "fast")


def test_nan_passes_through() -> None:
    x = input("x", (2,))
    for function in (functional.leaky_relu, functional.elu, functional.gelu, functional.silu):
        assert np.isnan(evaluate(Graph((function(x),)), {"x": [np.nan, 1]}).outputs[0][0])


def test_parameters_out_of_range_are_refused() -> None:
    x = input("x", (2,))
    with pytest.raises(InputError, match=r"^leaky_relu: slope must be a finite number, got nan"):
        functional.leaky_relu(x, math.nan)
    with pytest.raises(InputError, match=r"^elu: scale must be a finite number and above 0"):
        functional.elu(x, 0.0)
