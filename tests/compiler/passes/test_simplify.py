"""Algebra, exact and fast. The rules themselves are tried in test_rules."""

import numpy as np
import pytest
from tests.two_sided import check, check_numbers, declare, numbers

from chainc.autodiff import grad
from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import constant
from chainc.ir.types import Dim, int32, named
from chainc.ops import (
    abs,
    broadcast_to,
    exp,
    log,
    logical_not,
    max,
    mean,
    one_hot,
    relu,
    scatter_add,
    softplus,
    sqrt,
    sum,
    take,
    where,
)
from chainc.ops.reduce import Max, Sum
from chainc.passes.canonicalize import canonicalize
from chainc.passes.simplify import simplify, simplify_fast

BATCH: Dim = named("batch")
x = declare("x", "batch", 3)
y = declare("y", "batch", 3)
z = declare("z", "batch", 3)
s = declare("s")
n = declare("n", 3, dtype=int32)
table = declare("table", 2, 3)
labels = declare("labels", "batch", dtype=int32)
zeros = broadcast_to(constant(0.0), (BATCH, 3))


def exactly(graph: Graph) -> Graph:
    return simplify(canonicalize(graph))


def quickly(graph: Graph) -> Graph:
    return simplify_fast(canonicalize(graph))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (x * 1, x),
        (1 * x, x),
        (x / 1, x),
        (x - 0, x),
        (x**1, x),
        (x**0, broadcast_to(constant(1.0), (BATCH, 3))),
        (x**-1, 1 / x),
        (x * (1 / y), x / y),
        (x / (1 / y), x * y),
        (1 / (x / y), y / x),
        (x / 2, x * 0.5),
        (abs(-x), abs(x)),
        (abs(x * x), x * x),
        (relu(relu(x)), relu(x)),
        (where(x < y, z, z), z),
        (where(logical_not(x < y), x, z), where(x < y, z, x)),
        (where(x < y, where(x < y, x, y), z), where(x < y, x, z)),
        (max(max(declare("w", 2, 3, 4), 1), 1), apply(Max((1, 2)), declare("w", 2, 3, 4))),
        (n + 0, n),
        (n * 0, broadcast_to(constant(0, int32), (3,))),
        (n - n, broadcast_to(constant(0, int32), (3,))),
        ((n + 2) + 3, n + 5),
    ],
)
def test_exact_rules(before: Node, after: Node) -> None:
    check(exactly, before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (x + 0, x),
        (x * 0, zeros),
        (0 / x, zeros),
        (x - x, zeros),
        (x / x, broadcast_to(constant(1.0), (BATCH, 3))),
        (0 - x, -x),
        (-(x - y), y - x),
        (x**0.5, sqrt(x)),
        (x**3, x * x * x),
        (x / y / z, x / (y * z)),
        (x / (y / z), x * z / y),
        (x / y * y, x),
        (x * y / y, x),
        (x / s * 4, x * (4 / s)),
        (exp(log(x)), x),
        (exp(x) * exp(y), exp(x + y)),
        (exp(x) / exp(y), exp(x - y)),
        (log(x**y), log(x) * y),
        (sqrt(x) * sqrt(x), x),
        (x * z + y * z, (x + y) * z),
        (x * z - z * y, (x - y) * z),
        ((x + 2) + 3, x + 5),
        ((x + 2) - 3, x - 1),
        ((x * 2) * 3, x * 6),
        (sum(-x), -sum(x)),
        (sum(x * s), sum(x) * s),
        (sum(sum(x, 1)), apply(Sum((0, 1)), x)),
        (y * softplus(-x) + (1 - y) * softplus(x), softplus(x) - y * x),
    ],
)
def test_fast_rules_are_not_used_unless_asked_for(before: Node, after: Node) -> None:
    check(quickly, before, after)
    graph = canonicalize(Graph((before,)))
    assert simplify(graph) is graph


def test_a_quotient_by_a_number_becomes_a_product_only_if_that_is_exact() -> None:
    check(exactly, x / 3, x / 3)
    check(quickly, x / 3, x * float(1 / np.float32(3)))
    check(exactly, x / 0.125, x * 8)


def test_an_embedding_looks_up_rows() -> None:
    check(quickly, one_hot(labels, 2) @ table, take(table, labels))
    gradient = grad(sum((one_hot(labels, 2) @ table) * x), table)
    rows = scatter_add(broadcast_to(constant(0.0), (2, 3)), labels, x)
    (result,) = quickly(Graph((gradient,))).outputs
    assert result.op.name == "scatter_add"
    check_numbers(quickly, Graph((gradient, rows)))


def test_exact_rules_leave_nan_and_infinity_alone() -> None:
    extreme = {"x": np.array([[np.nan, np.inf, -0.0]]), "y": np.array([[1.0, 0.0, -1.0]])}
    for root in (x * 0, x - x, x / x, x + 0, exp(log(x)), x * y / y):
        before, after = Graph((root,)), exactly(Graph((root,)))
        np.testing.assert_array_equal(numbers(after, extreme)[0], numbers(before, extreme)[0])


def test_a_factor_that_another_reads_is_not_computed_twice() -> None:
    a, b = x * z, y * z
    graph = Graph((a + b, a))
    assert quickly(graph) is graph


def test_the_gradient_of_a_mean_of_squares() -> None:
    value = mean((x - y) ** 2)
    (after,) = quickly(Graph((grad(value, x),))).outputs
    product = after.inputs[0] if after.op.name == "divide" else after
    assert {node.op.name for node in Graph((after,)).nodes} <= {
        "input",
        "subtract",
        "multiply",
        "divide",
        "constant",
        "size",
        "astype",
    }
    assert product.shape == (BATCH, 3)
    check_numbers(quickly, Graph((value, grad(value, x))))
