"""Gradients against hand-derived graphs, known numbers and finite differences."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from tests.graphs import Case, cases

from chainc import ops
from chainc.autodiff import grad, hvp, jvp, vjp
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node, apply, scope
from chainc.ir.errors import GradientError
from chainc.ir.leaves import Input, constant
from chainc.ir.text import same
from chainc.ir.types import DType, Shape, TensorType, float32, float64, int32, named
from chainc.ir.verify import verify

Floats = npt.NDArray[np.float64]


def declare(key: str, *shape: int | str, dtype: DType = float64) -> Node:
    dims: Shape = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(key, TensorType(dims, dtype)))


def compute(nodes: Sequence[Node], values: Mapping[str, npt.ArrayLike]) -> list[Floats]:
    graph = Graph(tuple(nodes))
    verify(graph)
    used = {node.op.label for node in graph.leaves("input")}
    results = evaluate(graph, {key: v for key, v in values.items() if key in used}).outputs
    return [cast("Floats", result) for result in results]


def test_the_circuit_of_the_lectures() -> None:
    """F = (a + b) c at a = -2, b = 5, c = -4."""
    a, b, c = (declare(key) for key in "abc")
    f = (a + b) * c
    values = {"a": -2.0, "b": 5.0, "c": -4.0}
    assert compute([f, *grad(f, [a, b, c])], values) == [-12, -4, -4, 3]


def test_a_neuron_of_the_lectures() -> None:
    """Sigmoid of w0 x0 + w1 x1 + w2 at (2, -1), (-3, -2), -3 (CS231n)."""
    w0, x0, w1, x1, w2 = (declare(key) for key in ("w0", "x0", "w1", "x1", "w2"))
    f = ops.sigmoid(w0 * x0 + w1 * x1 + w2)
    values = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}
    found = compute([f, *grad(f, [w0, x0, w1, x1, w2])], values)
    s = 1 / (1 + np.exp(-1.0))
    slope = s * (1 - s)
    expected = [s, -slope, 2 * slope, -2 * slope, -3 * slope, slope]
    np.testing.assert_allclose(np.array(found), expected)


def test_a_gradient_is_the_graph_one_derives_by_hand() -> None:
    x, w = declare("x", 5, 3), declare("w", 3)
    y = ops.tanh(x @ w)
    loss = ops.sum(y)
    ones = ops.broadcast_to(ops.reshape(constant(1, float64), (1,)), (5,))
    local = ones * (1 - y * y)
    expected = ops.einsum("i,ik->k", local, x)
    found = grad(loss, w)
    assert [n.op.name for n in Graph((found,)).nodes if n.op.name in {"tanh", "exp"}] == ["tanh"]
    random = np.random.default_rng(0)
    values = {"x": random.normal(size=(5, 3)), "w": random.normal(size=3)}
    one, other = compute([found, expected], values)
    np.testing.assert_allclose(one, other, rtol=1e-15)


@pytest.mark.parametrize(
    ("f", "derivative"),
    [
        (lambda x: x * x, lambda g, _y, x: g * x + g * x),
        (ops.exp, lambda g, y, _x: g * y),
        (ops.sin, lambda g, _y, x: g * ops.cos(x)),
        (lambda x: -x, lambda g, _y, _x: -g),
        (ops.relu, lambda g, y, _x: ops.where(0 < y, g, 0)),
        (ops.tanh, lambda g, y, _x: g * (1 - y * y)),
    ],
)
def test_small_gradients_are_the_textbooks(
    f: Callable[[Node], Node], derivative: Callable[[Node, Node, Node], Node]
) -> None:
    x = declare("x")
    y = f(x)
    assert same(Graph((grad(y, x),)), Graph((derivative(constant(1, float64), y, x),)))


def test_contributions_are_summed_at_a_fan_out_once() -> None:
    x = declare("x")
    y = ops.exp(x)
    z = y * 2 + ops.sin(y) + y * y
    dx = grad(z, x)
    sums = [n for n in Graph((dx,)).nodes if n.origin.derivative is not None
            and n.origin.derivative.rule == "fan-out sum"]  # fmt: skip
    assert len(sums) == 3  # four contributions to y
    assert {n.origin.derivative.forward for n in sums if n.origin.derivative} == {y}
    (found,) = compute([dx], {"x": 0.3})
    e = np.exp(0.3)
    np.testing.assert_allclose(found, e * (2 + np.cos(e) + 2 * e), rtol=1e-14)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (2, 1), (2, 3), (1, 1)])
def test_broadcasting_is_undone(shape: tuple[int, ...]) -> None:
    x, big = declare("x", *shape), declare("big", 2, 3)
    dx = grad(ops.sum(x * big), x)
    assert dx.shape == shape
    values = np.arange(6.0).reshape(2, 3)
    padded = (1,) * (2 - len(shape)) + shape
    axes = tuple(axis for axis in range(2) if padded[axis] == 1)
    expected = values.sum(axis=axes, keepdims=True).reshape(shape)
    (found,) = compute([dx], {"x": np.zeros(shape), "big": values})
    np.testing.assert_array_equal(found, expected)


def test_broadcasting_over_a_named_size_is_undone() -> None:
    x, bias = declare("x", "batch", 3), declare("bias", 3)
    dbias = grad(ops.sum((x + bias) * x), bias)
    assert dbias.shape == (3,)
    values = np.arange(12.0).reshape(4, 3)
    (found,) = compute([dbias], {"x": values, "bias": np.zeros(3)})
    np.testing.assert_array_equal(found, values.sum(axis=0))


def test_promotion_is_undone() -> None:
    x, y = declare("x", 2, dtype=float32), declare("y", 2, dtype=float64)
    loss = ops.sum(x * y + ops.astype(x, "float64"))
    dx, dy = grad(loss, [x, y])
    assert (dx.type, dy.type) == (x.type, y.type)
    found = compute([dx, dy], {"x": [1.0, 2.0], "y": [3.0, 4.0]})
    np.testing.assert_array_equal(found, [[4.0, 5.0], [1.0, 2.0]])


def test_gradient_nodes_say_what_they_are_for() -> None:
    with scope("model"):
        x = declare("x", 3)
        y = x * x[:1]
    dx = grad(ops.sum(y), x)
    derived = [n.origin.derivative for n in Graph((dx,)).nodes if n.origin.derivative]
    assert {d.rule for d in derived} == {"seed", "local derivative", "fan-out sum", "un-broadcast"}
    local = [d for d in derived if d.rule == "local derivative" and d.forward is y]
    assert {d.operand for d in local} == {0, 1}
    assert dx.origin.scope == "model"
    assert dx.origin.location == x.origin.location


def test_integers_and_comparisons_carry_no_derivative() -> None:
    x, n = declare("x", 3), declare("n", 3, dtype=int32)
    loss = ops.sum(ops.where(x < 1.0, x * ops.astype(n, "float64"), 0.0))
    (found,) = compute([grad(loss, x)], {"x": [0.0, 2.0, 0.5], "n": np.array([5, 6, 7], np.int32)})
    assert found.tolist() == [5.0, 0.0, 7.0]
    with pytest.raises(GradientError, match="its element type i32 has no derivative"):
        grad(loss, n)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda _: ops.sum(declare("y", 2)), "there is no path, the output is not computed from"),
        (lambda x: ops.sum(ops.stop_gradient(x) * 2), r"the path stops at stop_gradient f64\[2\]"),
        (lambda x: ops.sum(ops.tanh(ops.floor(x))), r"the path stops at floor f64\[2\]"),
        (lambda x: ops.astype(ops.argmax(x), "float64"), r"the path stops at argmax i64\[\]"),
        (lambda x: ops.sum(ops.where(x < 1, 1.0, 0.5) * 1.5), r"the path stops at less bool\[2\]"),
    ],
)
def test_a_disconnected_wrt_is_an_error_that_names_the_missing_path(
    build: Callable[[Node], Node], message: str
) -> None:
    x = declare("x", 2)
    loss = ops.astype(build(x), "float64")
    with pytest.raises(GradientError, match=message) as caught:
        grad(loss, x)
    assert "does not depend on x f64[2]" in caught.value.what
    assert "allow_unused=True" in caught.value.hint
    zeros = grad(loss, x, allow_unused=True)
    assert zeros.type == x.type
    assert compute([zeros], {})[0].tolist() == [0.0, 0.0]


def test_what_cannot_be_differentiated() -> None:
    x, n = declare("x", 2), declare("n", dtype=int32)
    with pytest.raises(GradientError, match=r"grad needs a floating-point scalar, got x f64\[2\]"):
        grad(x, x)
    with pytest.raises(GradientError, match=r"grad needs a floating-point scalar, got n i32\[\]"):
        grad(n, n)
    with pytest.raises(GradientError, match=r"the cotangent f64\[\] does not have the type of x"):
        vjp([x], [x], [constant(1.0, float64)])


def test_the_gradient_of_a_node_with_respect_to_itself_is_one() -> None:
    x = declare("x")
    assert compute(grad(x, [x]), {}) == [1.0]


def test_second_and_third_order() -> None:
    x = declare("x")
    y = ops.sin(x) * x * x
    first = grad(y, x)
    second = grad(first, x)
    third = grad(second, x)
    s, c, v = np.sin(0.7), np.cos(0.7), 0.7
    expected = [
        2 * v * s + v * v * c,
        2 * s + 4 * v * c - v * v * s,
        6 * c - 6 * v * s - v * v * c,
    ]
    np.testing.assert_allclose(compute([first, second, third], {"x": v}), expected, rtol=1e-12)


def test_powers_have_derivatives_at_zero() -> None:
    a, b = declare("a", 3), declare("b", 3)
    da, db = compute(grad(ops.sum(a**b), [a, b]), {"a": [0.0, 0.0, 2.0], "b": [2.0, 0.0, 3.0]})
    np.testing.assert_allclose(da, [0.0, 0.0, 12.0])
    np.testing.assert_allclose(db, [0.0, 0.0, 8 * np.log(2)])


@pytest.mark.parametrize("shape", [(2, 3), (1, 3)])
def test_equal_extremes_share_the_cotangent(shape: tuple[int, ...]) -> None:
    x = declare("x", *shape)
    (found,) = compute([grad(ops.sum(ops.max(x, 1)), x)], {"x": np.ones(shape)})
    np.testing.assert_allclose(found, np.full(shape, 1 / 3))


def test_the_slope_of_an_absolute_value_is_its_sign_everywhere() -> None:
    x = declare("x", 5)
    values = [-np.inf, -2.0, 0.0, 1e-300, np.inf]
    (found,) = compute([grad(ops.sum(ops.abs(x)), x)], {"x": values})
    assert found.tolist() == [-1.0, -1.0, 0.0, 1.0, 1.0]


def test_products_have_derivatives_at_zeros() -> None:
    x = declare("x", 3, 3)
    values = [[2.0, 3.0, 5.0], [0.0, 3.0, 5.0], [0.0, 0.0, 5.0]]
    (found,) = compute([grad(ops.sum(ops.prod(x, 1)), x)], {"x": values})
    assert found.tolist() == [[15.0, 10.0, 6.0], [15.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


def network() -> tuple[Node, list[Node], dict[str, Floats]]:
    """A loss of two layers with its weights, and values for all inputs."""
    shapes = {"x": (4, 3), "w1": (3, 5), "b1": (5,), "w2": (5, 2), "b2": (2,)}
    x, *weights = (declare(key, *shape) for key, shape in shapes.items())
    hidden = ops.tanh(x @ weights[0] + weights[1])
    scores = hidden @ weights[2] + weights[3]
    loss = ops.mean(ops.logsumexp(scores, 1) - scores[:, 0])
    random = np.random.default_rng(1)
    return loss, weights, {key: random.normal(size=shape) for key, shape in shapes.items()}


def moved(
    values: Mapping[str, Floats], along: Mapping[str, Floats], by: float
) -> dict[str, Floats]:
    return {
        key: value + by * along[key] if key in along else value for key, value in values.items()
    }


def directions(
    weights: Sequence[Node], values: Mapping[str, Floats], seed: int
) -> dict[str, Floats]:
    random = np.random.default_rng(seed)
    return {w.op.label: random.normal(size=values[w.op.label].shape) for w in weights}


def test_jvp_is_the_slope_along_a_direction_and_agrees_with_vjp() -> None:
    loss, weights, values = network()
    along = directions(weights, values, 2)
    tangents = [declare(f"t_{w.op.label}", *values[w.op.label].shape) for w in weights]
    given_values = {**values, **{f"t_{key}": value for key, value in along.items()}}
    (pushed,) = jvp([loss], weights, tangents)
    slope, *gradient = compute([pushed, *grad(loss, weights)], given_values)
    higher, lower = (compute([loss], moved(values, along, h))[0] for h in (1e-5, -1e-5))
    np.testing.assert_allclose(slope, (higher - lower) / 2e-5, rtol=1e-8)
    dot = sum(float(np.sum(g * along[w.op.label])) for g, w in zip(gradient, weights, strict=True))
    np.testing.assert_allclose(slope, dot, rtol=1e-12)
    assert not {"t_w1"} - {n.op.label for n in Graph((pushed,)).leaves("input")}


def test_jvp_of_what_does_not_depend_is_zero() -> None:
    x, y, t = declare("x", 2), declare("y", 3), declare("t", 2)
    same_x, unmoved = jvp([x, y], [x], [t])
    assert same_x is t
    assert unmoved.type == y.type
    assert compute([unmoved], {})[0].tolist() == [0, 0, 0]


def test_hvp_is_the_change_of_the_gradient_along_a_direction() -> None:
    loss, weights, values = network()
    along = directions(weights, values, 3)
    vectors = [constant(along[w.op.label]) for w in weights]
    products = compute(hvp(loss, weights, vectors), values)
    gradient = grad(loss, weights)
    higher, lower = (compute(gradient, moved(values, along, h)) for h in (1e-5, -1e-5))
    for product, up, down in zip(products, higher, lower, strict=True):
        np.testing.assert_allclose(product, (up - down) / 2e-5, rtol=1e-6, atol=1e-9)


def test_the_gradient_graph_of_a_perceptron_is_small() -> None:
    loss, weights, _ = network()
    forward = Graph((loss,)).nodes
    both = Graph((loss, *grad(loss, weights))).nodes
    assert len(both) - len(forward) <= 5 * len(forward)


def test_a_chain_of_ten_thousand_nodes_differentiates() -> None:
    y = x = declare("x")
    for _ in range(10_000):
        y = -y
    dx = grad(y, x)
    assert len(Graph((y, dx)).nodes) <= 2 * 10_000 + 2
    assert compute([dx], {"x": 1.0}) == [1.0]


def test_nodes_off_the_path_are_not_differentiated() -> None:
    x, y = declare("x"), declare("y")
    dx = grad(ops.exp(x) * ops.tanh(y), x)
    assert {n.op.name for n in Graph((dx,)).nodes} == {
        "input",
        "constant",
        "exp",
        "tanh",
        "multiply",
    }


@given(cases(dtype=float64))
def test_gradients_of_random_graphs_match_finite_differences(case: Case) -> None:
    wrt = [n for n in case.graph.leaves("input") if n.type.dtype.is_float]
    outputs = [y for y in case.graph.outputs if y.type.dtype.is_float]
    assume(wrt and outputs)
    loss = outputs[0]
    for y in outputs:
        loss = ops.sum(loss) + ops.sum(ops.tanh(y))
    gradient = evaluate_case([loss, *grad(loss, wrt, allow_unused=True)], case, {})[1:]
    random = np.random.default_rng(0)
    along = {n.op.label: random.normal(size=g.shape) for n, g in zip(wrt, gradient, strict=True)}
    slope = sum(float(np.sum(g * d)) for g, d in zip(gradient, along.values(), strict=True))
    steps = (2e-6, 1e-6, -1e-6, -2e-6)
    far, near, back, behind = (evaluate_case([loss], case, along, h)[0] for h in steps)
    expected = (8 * (near - back) - (far - behind)) / 12e-6
    (here,) = evaluate_case([loss], case, along)
    kink = abs((near - back) / 2 - (far - behind) / 4) > 1e-9 * (1 + abs(near - back))
    at_kink = abs(near + back - 2 * here) > 1e-9 * (1 + abs(here))
    # an operand of max, |x| or relu passes from one side to the other, or lies between them
    assume(not kink and not at_kink)
    np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-6)


def evaluate_case(
    nodes: Sequence[Node], case: Case, along: Mapping[str, Floats], by: float = 0.0
) -> list[Floats]:
    inputs = {key: cast("Floats", value) for key, value in case.inputs.items()}
    graph = Graph(tuple(nodes) + tuple(case.graph.leaves("input")))
    return [
        cast("Floats", result)
        for result in evaluate(graph, moved(inputs, along, by), case.states).outputs[: len(nodes)]
    ]
