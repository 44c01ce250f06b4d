"""Stable formulas and gradients. The rules themselves are compared with the truth in test_rules."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from tests.rules import compute
from tests.two_sided import check, check_numbers, check_unchanged, declare, numbers

from chainc.autodiff import grad
from chainc.ir import Graph, Node
from chainc.ir.types import float32, int32
from chainc.ops import (
    abs,
    equal,
    exp,
    expm1,
    log,
    log1p,
    logsumexp,
    max,
    mean,
    one_hot,
    sigmoid,
    softplus,
    sqrt,
    square,
    stop_gradient,
    sum,
    tanh,
    where,
)
from chainc.passes.canonicalize import canonicalize
from chainc.passes.simplify import simplify
from chainc.passes.stabilize import stabilize

Numbers = npt.NDArray[np.float64]

x = declare("x", 4)
t = declare("t", 4)
logits = declare("logits", "batch", 3)
labels = declare("labels", "batch", dtype=int32)


def stable(graph: Graph) -> Graph:
    return stabilize(canonicalize(graph))


def stable_and_simple(graph: Graph) -> Graph:
    return simplify(stable(graph))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (log(1 + x), log1p(x)),
        (log(1 - x), log1p(-x)),
        (exp(x) - 1, expm1(x)),
        (1 - exp(x), -expm1(x)),
        (log(exp(x)), x),
        (log(1 + exp(x)), softplus(x)),
        (log1p(exp(-x)), softplus(-x)),
        (softplus(x) - x, softplus(-x)),
        (1 / (1 + exp(-x)), sigmoid(x)),
        (1 / (1 + exp(x)), sigmoid(-x)),
        (exp(x) / (1 + exp(x)), sigmoid(x)),
        (log(1 / (1 + exp(-x))), -softplus(-x)),
        (log(1 - sigmoid(x)), -softplus(x)),
        ((exp(x) - exp(-x)) / (exp(x) + exp(-x)), tanh(x)),
        (sqrt(square(x)), abs(x)),
    ],
)
def test_elementary_functions(before: Node, after: Node) -> None:
    check(stable, before, after)


def softmax(z: Node) -> Node:
    e = exp(z - stop_gradient(max(z, -1, keepdims=True)))
    return e / sum(e, -1, keepdims=True)


def naive_softmax(z: Node) -> Node:
    return exp(z) / sum(exp(z), -1, keepdims=True)


def test_log_of_softmax() -> None:
    shifted = logits - max(logits, 1, keepdims=True)
    expected = shifted - log(sum(exp(shifted), 1, keepdims=True))
    check(stable, log(softmax(logits)), expected)
    largest = max(logits, 1, keepdims=True)
    finite = logits - where(abs(largest) < np.inf, largest, 0)
    expected = finite - log(sum(exp(finite), 1, keepdims=True))
    check(stable, logits - logsumexp(logits, 1, keepdims=True), expected)


@pytest.mark.parametrize(
    "formula",
    [
        lambda z: log(naive_softmax(z)),
        lambda z: z - log(sum(exp(z), -1, keepdims=True)),
        lambda z: log(sum(exp(z), -1)),
        naive_softmax,
    ],
)
def test_naive_formulas_stay_finite(formula: Callable[[Node], Node]) -> None:
    extreme = np.array([[1000, 0, -1000], [-1000, -1001, -1002], [5, 5, 5], [0, -np.inf, 1]])
    root = formula(logits)
    assert not np.all(np.isfinite(in_float32(root, extreme)[:3]))
    (after,) = check_numbers(stable, Graph((root,))).outputs
    found = in_float32(after, extreme)
    assert np.all(np.isfinite(found[:3]))
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(found, by_hand(root, extreme), rtol=1e-5)


def by_hand(root: Node, z: Numbers) -> Numbers:
    """The stable formulas in NumPy."""
    largest: Numbers = z.max(1, keepdims=True)
    total: Numbers = np.log(np.exp(z - largest).sum(1, keepdims=True))
    if root.ndim == 1:
        return (total + largest)[:, 0]
    shifted: Numbers = z - largest - total
    return np.exp(shifted) if root.op.name == "divide" else shifted


def in_float32(root: Node, z: Numbers) -> Numbers:
    return compute([root], {"logits": z.astype(np.float32)})[0].astype(np.float64)


def test_rows_without_a_finite_element_keep_their_limits() -> None:
    z = np.array([[-np.inf, -np.inf, -np.inf], [np.inf, 0, 1], [np.nan, 0, 1], [0, 0, 0]])
    root = log(sum(exp(logits), -1))
    (after,) = stable(Graph((root,))).outputs
    np.testing.assert_allclose(in_float32(after, z), [-np.inf, np.inf, np.nan, np.log(3)])


# ----- gradients of losses


def by_logsumexp(z: Node, target: Node) -> Node:
    return mean(logsumexp(z, -1) - sum(z * target, -1))


def by_log_softmax(z: Node, target: Node) -> Node:
    return mean(-sum(target * (z - logsumexp(z, -1, keepdims=True)), -1))


def by_log_of_softmax(z: Node, target: Node) -> Node:
    return mean(-sum(target * log(softmax(z)), -1))


def by_log_of_naive_softmax(z: Node, target: Node) -> Node:
    return mean(-sum(target * log(naive_softmax(z)), -1))


def by_naive_logsumexp(z: Node, target: Node) -> Node:
    return mean(log(sum(exp(z), -1)) - sum(z * target, -1))


CROSS_ENTROPIES = (
    by_logsumexp,
    by_log_softmax,
    by_log_of_softmax,
    by_log_of_naive_softmax,
    by_naive_logsumexp,
)


@pytest.mark.parametrize("loss", CROSS_ENTROPIES)
def test_the_gradient_of_every_cross_entropy_is_softmax_minus_target(
    loss: Callable[[Node, Node], Node],
) -> None:
    target = one_hot(labels, 3)
    value = loss(logits, target)
    graph = Graph((value, grad(value, logits)))
    after = check_numbers(stable_and_simple, graph)
    gradient = after.outputs[1]
    names = Counter(node.op.name for node in after.nodes)
    assert names["exp"] == names["max"] == names["one_hot"] == 1
    assert gradient.op.name == "divide"
    difference, count = gradient.inputs
    assert count.shape == ()
    probability, code = difference.inputs
    assert difference.op.name == "subtract"
    assert code.op.name == "one_hot"
    assert probability.op.name == "divide"
    # one exponential and one sum of it, in the loss and its gradient alike
    exponential, total = probability.inputs
    assert exponential.op.name == "exp"
    assert total.inputs == (exponential,)
    assert total in set(Graph((after.outputs[0],)).nodes)


def test_the_sum_in_place_of_the_mean_needs_no_division() -> None:
    value = -sum(one_hot(labels, 3) * log(softmax(logits)))
    (gradient,) = check_numbers(stable_and_simple, Graph((grad(value, logits),))).outputs
    assert [node.op.name for node in gradient.inputs] == ["divide", "one_hot"]


def test_soft_targets_keep_their_sum() -> None:
    target = declare("target", "batch", 3)
    value = by_log_of_naive_softmax(logits, target)
    after = check_numbers(stable, Graph((value, grad(value, logits))))
    assert Counter(node.op.name for node in after.nodes)["exp"] == 1
    extreme = {"logits": np.array([[1e4, 0, -1e4]] * 4), "target": np.full((4, 3), 1 / 3)}
    loss, gradient = numbers(after, extreme)
    np.testing.assert_allclose(gradient, [[1 / 6, -1 / 12, -1 / 12]] * 4)
    np.testing.assert_allclose(loss, 1e4)


def test_binary_cross_entropy_from_probabilities_becomes_that_from_logits() -> None:
    p = sigmoid(x)
    value = mean(-(t * log(p) + (1 - t) * log(1 - p)))
    after = check_numbers(stable, Graph((value, grad(value, x))))
    names = Counter(node.op.name for node in after.nodes)
    assert names["log"] == 0
    assert names["softplus"] == 2
    extreme = {"x": np.array([1e4, -1e4, 50, -50]), "t": np.array([0, 1, 1, 0])}
    loss, gradient = numbers(after, extreme)
    np.testing.assert_allclose(loss, (1e4 + 1e4 + 2 * np.exp(-50)) / 4)
    np.testing.assert_allclose(gradient, [0.25, -0.25, 0, np.exp(-50) / 4], atol=1e-16)
    (difference, target) = after.outputs[1].inputs[0].inputs
    assert difference.op.name == "sigmoid"
    assert target is t


def test_the_gradient_of_a_naive_softplus_is_a_sigmoid() -> None:
    check(stable, grad(sum(log(1 + exp(x))), x), sigmoid(x))
    weight = declare("weight", 4)
    gradient = grad(sum(weight * log(1 + exp(x))), x)
    check(stable_and_simple, gradient, weight * sigmoid(x))


# ----- gradients of where


@pytest.mark.parametrize(
    ("value", "points", "slopes"),
    [
        (where(0 < x, log(x), 0), [0, -1, 2, 4], [0, 0, 0.5, 0.25]),
        (where(0 < x, sqrt(x), 0), [0, -1, 4, 1], [0, 0, 0.25, 0.5]),
        (where(x <= 0, 0, x * sqrt(x)), [0, -1, 4, 1], [0, 0, 3, 1.5]),
        (where(equal(x, 0), 1, t / x), [0, 1, 2, -1], [0, -3, -0.75, -3]),
        (where(0 < x, log(x), -log(-x)), [1, 2, -1, -2], [1, 0.5, 1, 0.5]),
        (where(0 < x, 2 * log(x), 0) * 3, [0, 1, 2, 3], [0, 6, 3, 2]),
    ],
)
def test_the_branch_not_taken_has_no_slope(
    value: Node, points: list[float], slopes: list[float]
) -> None:
    graph = Graph((grad(sum(value), x),))
    values = {"x": np.array(points), "t": np.full(4, 3.0)}
    (gradient,) = numbers(stable(graph), values)
    np.testing.assert_allclose(gradient, slopes)


def test_without_the_pass_the_branch_not_taken_spoils_the_gradient() -> None:
    graph = Graph((grad(sum(where(0 < x, log(x), 0)), x),))
    (gradient,) = numbers(graph, {"x": [0, -1, 2, 4]})
    assert np.isnan(gradient[0])


def test_a_product_outside_of_a_gradient_may_be_nan() -> None:
    check_unchanged(stable, where(0 < x, x, 0) * t)
    check_unchanged(stable, where(0 < x, x, 0) / t)


def test_what_is_stable_stays() -> None:
    for root in (log(x), exp(x), softplus(x) + x, log(2 + x), exp(x) - 2, x / (2 + exp(x))):
        graph = canonicalize(Graph((root,)))
        assert stabilize(graph) is graph


def test_the_loss_of_a_scaled_mean_is_stable_too() -> None:
    value = 0.5 * by_log_of_naive_softmax(logits, one_hot(labels, 3, float32))
    gradient = grad(value, logits)
    after = check_numbers(stable, Graph((value, gradient)))
    assert Counter(node.op.name for node in after.nodes)["exp"] == 1
