"""Canonical spelling: each idea in one form. The rules themselves are tried in test_rules."""

import pytest
from tests.two_sided import check, check_numbers, check_unchanged, declare

from chainc.autodiff import grad
from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import constant, size
from chainc.ir.types import float32, float64, int32, named
from chainc.ops import (
    astype,
    broadcast_to,
    einsum,
    exp,
    max,
    maximum,
    mean,
    permute_dims,
    relu,
    reshape,
    softplus,
    stop_gradient,
    sum,
    where,
)
from chainc.ops.contract import Contract
from chainc.ops.formula import CustomGradient
from chainc.ops.movement import BroadcastTo, Flip, Reshape
from chainc.ops.reduce import Sum
from chainc.passes.canonicalize import canonicalize

BATCH = named("batch")
x = declare("x", "batch", 3)
y = declare("y", "batch", 3)
n = declare("n", 3, dtype=int32)
row = declare("row", 3)
s = declare("s")
COUNT = astype(size("batch"), float32)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (2 * x, x * 2),
        (2 + x, x + 2),
        (x + -2, x - 2),
        (x - -2, x + 2),
        (x * -2, -(x * 2)),
        (-2 / x, -(2 / x)),
        (x**2, x * x),
        (x + x, x * 2),
        (maximum(0, x), relu(x)),
        (-x * -y, y * x),
        (x + -y, x - y),
        (-x + y, y - x),
        (-x / y, -(x / y)),
        (x / -y, -(x / y)),
        (stop_gradient(x) + stop_gradient(y), x + y),
        (astype(astype(x, "float64"), "float32"), x),
        (x * (constant(2.0) + constant(3.0)), x * 5),
        (x + exp(constant(0.0)), x + 1),
        (2 - x, 2 - x),
        (n + -3, n - 3),
    ],
)
def test_numbers_and_signs(before: Node, after: Node) -> None:
    check(canonicalize, before, after)


def test_a_conversion_that_loses_something_stays() -> None:
    check_unchanged(canonicalize, astype(astype(x, "int32"), "float32"))
    check(canonicalize, astype(astype(n, "float64"), "float32"), astype(n, "float32"))


def test_a_number_of_another_element_type_is_not_touched() -> None:
    wide = x * constant(2.0, float64)
    assert wide.type.dtype == float64
    check(canonicalize, constant(2.0, float64) * x, wide)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (broadcast_to(row, (BATCH, 3)) * x, row * x),
        (exp(broadcast_to(row, (BATCH, 3))), broadcast_to(exp(row), (BATCH, 3))),
        (broadcast_to(s, (3,)) * row, s * row),
        (
            broadcast_to(s, (BATCH, 3)) + broadcast_to(row, (BATCH, 3)),
            broadcast_to(s + row, (BATCH, 3)),
        ),
        (reshape(row, (1, 3)) * x, row * x),
        (where(x < y, broadcast_to(s, (BATCH, 3)), y), where(x < y, s, y)),
        (broadcast_to(reshape(s, (1,)), (BATCH,)), broadcast_to(s, (BATCH,))),
        (reshape(broadcast_to(s, (BATCH,)), (BATCH, 1)), broadcast_to(s, (BATCH, 1))),
        (broadcast_to(row, (1, 3)), reshape(row, (1, 3))),
        (sum(broadcast_to(row, (4, 3)), 0), row * 4),
        (sum(broadcast_to(s, (BATCH, 3)), 0), broadcast_to(s * COUNT, (3,))),
        (max(broadcast_to(row, (4, 3)), 0), row),
    ],
)
def test_broadcasting_is_left_to_the_ops(before: Node, after: Node) -> None:
    check(canonicalize, before, after)


def turned(node: Node) -> Node:
    return permute_dims(node, (1, 0))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (reshape(reshape(x, (-1,)), (3, BATCH)), reshape(x, (3, BATCH))),
        (apply(Reshape((BATCH, 3)), x), x),
        (turned(turned(x)), x),
        (turned(sum(x, 0, keepdims=True)), reshape(sum(x, 0, keepdims=True), (3, 1))),
        (apply(BroadcastTo((BATCH, 3)), x), x),
        (apply(Flip((1,)), apply(Flip((0, 1)), x)), apply(Flip((0,)), x)),
        (declare("v", 9)[1:][1::2], declare("v", 9)[2::2]),
        (exp(turned(x)), turned(exp(x))),
        (turned(x) * turned(y) + s, turned(x * y + s)),
        (reshape(x, (-1,)) + reshape(y, (-1,)), reshape(x + y, (-1,))),
        (reshape(sum(x, 1), (BATCH, 1)), sum(x, 1, keepdims=True)),
        (reshape(sum(x, 0, keepdims=True), (3,)), sum(x, 0)),
        (apply(Sum(()), x), x),
        (sum(reshape(row, (1, 3)), 0), row),
    ],
)
def test_movements_meet_and_vanish(before: Node, after: Node) -> None:
    check(canonicalize, before, after)


def test_a_reduction_that_another_reads_keeps_its_form() -> None:
    total = sum(x, 1)
    graph = Graph((reshape(total, (BATCH, 1)), total))
    assert canonicalize(graph) is graph


def test_axes_that_are_not_of_size_1_stay_in_their_order() -> None:
    check_unchanged(canonicalize, turned(x))
    check_unchanged(canonicalize, reshape(x, (3, BATCH)))
    check_unchanged(canonicalize, broadcast_to(row, (BATCH, 3)))


AB = Contract("ab", "bc", "ac")
w = declare("w", 3, 5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (x @ w, apply(AB, x, w)),
        (einsum("oi,io->oi", x, turned(x)), apply(Contract("ab", "ab", "ab"), x, x)),
        (x @ turned(declare("w", 5, 3)), apply(Contract("ab", "cb", "ac"), x, declare("w", 5, 3))),
        (
            turned(declare("z", 3, "batch")) @ w,
            apply(Contract("ab", "ac", "bc"), declare("z", 3, "batch"), w),
        ),
        (turned(x @ w), apply(Contract("ab", "bc", "ca"), x, w)),
        (einsum("zy,yx->zx", x, w), apply(AB, x, w)),
    ],
)
def test_contractions_take_permutations_in(before: Node, after: Node) -> None:
    check(canonicalize, before, after)


def test_a_product_that_another_reads_is_not_computed_twice() -> None:
    product = apply(AB, x, w)
    graph = Graph((turned(product), product))
    assert canonicalize(graph) is graph


def test_the_picture_of_a_contraction_is_called_the_same() -> None:
    for before in (x @ w, x @ turned(declare("w", 5, 3)), turned(declare("z", 3, "batch")) @ w):
        (after,) = canonicalize(Graph((before,))).outputs
        assert len(after.op.label) <= 5
        assert after.op.label.replace(" ", "")[0] == "A"


def test_nothing_of_broadcasting_is_left_in_a_gradient() -> None:
    bias = declare("bias", 3)
    loss = mean(softplus(x + bias))
    graph = check_numbers(canonicalize, Graph((grad(loss, bias), grad(loss, x))))
    names = [node.op.name for node in graph.nodes]
    assert "broadcast_to" not in names
    assert "reshape" not in names
    assert names.count("sum") == 1


def test_a_graph_in_canonical_form_is_the_same_object() -> None:
    graph = Graph((x * 2 + row,))
    assert canonicalize(graph) is graph


def test_a_custom_gradient_is_dropped_with_what_only_it_read() -> None:
    x = declare("x", 3)
    y, unused = relu(x), exp(x)
    result = canonicalize(Graph((apply(CustomGradient("f", lambda g: g), y, unused),)))
    assert [node.op.name for node in result.nodes] == ["input", "relu"]
