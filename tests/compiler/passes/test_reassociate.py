"""The order of chained contractions."""

import itertools
import math
from functools import reduce

import pytest
from tests.two_sided import check, check_numbers, check_unchanged, declare

from chainc.autodiff import grad
from chainc.ir import Graph, Node, Rewrite, apply
from chainc.ir.leaves import Input, constant
from chainc.ir.types import TensorType, coefficient_of, float32, int32, named, names_of
from chainc.ops import broadcast_to, einsum, permute_dims, relu, scatter_add, sum, take
from chainc.ops.arithmetic import Add
from chainc.ops.contract import Contract
from chainc.ops.index import ScatterAdd
from chainc.ops.reduce import Sum
from chainc.passes.canonicalize import canonicalize
from chainc.passes.contractions.reassociate import MAX_FACTORS, reassociate
from chainc.rewriting.trace import tracing


def run(graph: Graph) -> Graph:
    return reassociate(canonicalize(graph))


def times(a: Node, b: Node) -> Node:
    """The matrix product in canonical letters."""
    return apply(Contract("ab", "bc", "ac"), a, b)


def chain(*sizes: int) -> list[Node]:
    """The factors of a chain between these sizes."""
    return [declare(f"m{i}", *pair) for i, pair in enumerate(itertools.pairwise(sizes))]


def cost(root: Node) -> int:
    """The scalar products of all contractions, every size known."""
    total = 0
    for node in Graph((root,)).nodes:
        if isinstance(node.op, Contract):
            sizes = node.op.sizes(*(operand.type for operand in node.inputs))
            total += math.prod(coefficient_of(dim) for dim in sizes.values())
    return total


def cheapest(sizes: tuple[int, ...]) -> int:
    """By the recurrence over the last product of a chain (Cormen et al., section 15.2)."""
    best: dict[tuple[int, int], int] = {}
    for width in range(1, len(sizes)):
        for i in range(len(sizes) - width):
            j = i + width
            splits = (
                best[i, k] + best[k, j] + sizes[i] * sizes[k] * sizes[j] for k in range(i + 1, j)
            )
            best[i, j] = min(splits, default=0)
    return best[0, len(sizes) - 1]


# ----- known sizes


def test_the_oracle_knows_the_textbook_example() -> None:
    assert cheapest((30, 35, 15, 5, 10, 20, 25)) == 15125


@pytest.mark.parametrize(
    "sizes",
    [(30, 35, 15, 5, 10, 20, 25), (2, 9, 2, 9, 2), (1, 50, 1, 50), (7, 7, 7, 7), (10, 100, 5, 50)],
)
def test_a_chain_is_as_cheap_as_can_be(sizes: tuple[int, ...]) -> None:
    factors = chain(*sizes)
    for root in (
        reduce(times, factors),
        reduce(lambda later, earlier: times(earlier, later), reversed(factors)),
    ):
        (after,) = check_numbers(run, Graph((root,))).outputs
        assert cost(after) == cheapest(sizes)


def test_a_matrix_meets_the_vector_first() -> None:
    a, b, v = declare("a", 6, 4), declare("b", 4, 5), declare("v", 5)
    vector = Contract("ab", "b", "a")
    check(run, (a @ b) @ v, apply(vector, a, apply(vector, b, v)))


def test_transposed_and_batched_factors_take_part() -> None:
    a, b, c = declare("a", 2, 9, 8), declare("b", 2, 7, 8), declare("c", 2, 7, 1)
    root = (a @ permute_dims(b, (0, 2, 1))) @ c
    (after,) = check_numbers(run, Graph((root,))).outputs
    assert cost(after) == 2 * (8 * 7 + 9 * 8) < cost(root)
    x, y, z = declare("x", 3, 50), declare("y", 4, 50), declare("z", 50, 2)
    outer = einsum("iak,kb->iab", einsum("ik,ak->iak", x, y), z)
    (after,) = check_numbers(run, Graph((outer,))).outputs
    assert cost(after) <= cost(outer)


def test_equal_costs_leave_the_order_as_it_is() -> None:
    a, b, c = chain(5, 5, 5, 5)
    check_unchanged(run, times(times(a, b), c))
    check_unchanged(run, times(a, times(b, c)))


# ----- named sizes


def test_an_order_that_is_better_for_some_sizes_only_is_not_taken() -> None:
    x, v, w = declare("x", "batch", 64), declare("v", 64, 32), declare("w", 32, 10)
    check_unchanged(run, times(times(x, v), w))
    check_unchanged(run, times(x, times(v, w)))


def test_an_order_that_is_never_worse_and_sometimes_better_is() -> None:
    u, x, q = declare("u", "batch", "batch"), declare("x", "batch", 8), declare("q", 8, 1)
    check(run, times(times(u, x), q), times(u, times(x, q)))
    # 4160 batch products against 4096 + 64 batch: the same for one row
    x, v, w = declare("x", "batch", 64), declare("v", 64, 64), declare("w", 64, 1)
    check(run, times(times(x, v), w), times(x, times(v, w)))


def test_two_named_sizes_vary_on_their_own() -> None:
    a, b = declare("a", "batch", "time"), declare("b", "time", "batch")
    v = declare("v", "batch", 1)
    # batch² (time + 1) products against 2 batch time: less for a batch of 1, more for others
    check_unchanged(run, times(times(a, b), v))
    check_unchanged(run, times(a, times(b, v)))


# ----- what may be reordered


def test_a_product_that_another_reads_stays() -> None:
    a, b, c = chain(2, 9, 9, 1)
    product = times(a, b)
    graph = Graph((times(product, c), relu(product)))
    assert run(graph) is graph or run(graph).outputs[0].inputs[0] is product
    output = Graph((times(product, c), product))
    assert run(output).outputs[0].inputs[0] is product


def test_an_op_in_between_ends_a_chain() -> None:
    a, b, c = chain(2, 9, 9, 1)
    check_unchanged(run, times(relu(times(a, b)), c))


def test_a_long_chain_is_cut() -> None:
    factors = chain(*([7, 3] * 40))
    graph = check_numbers(run, Graph((reduce(times, factors[:20]),)))
    assert cost(graph.outputs[0]) < cost(reduce(times, factors[:20]))
    square = [declare(f"s{i}", 2, 2) for i in range(3)]
    long = reduce(times, [square[i % 3] for i in range(2000)])
    assert len(run(Graph((long,))).nodes) == 1999 + 3
    assert MAX_FACTORS < 20


def test_the_trace_and_the_origin_tell() -> None:
    a, b, c = chain(2, 9, 9, 1)
    root = times(times(a, b), c)
    with tracing() as fired:
        (result,) = reassociate(Graph((root,))).outputs
    assert [(step.rule, step.kind, step.replaced) for step in fired] == [
        ("cheapest_order", "fast", root)
    ]
    for node in (result, result.inputs[1]):
        assert node.origin.rewrite == Rewrite("cheapest_order", root)


# ----- rows that are looked up


def test_rows_that_are_looked_up_are_multiplied_once_each() -> None:
    """Of all positions in sequences, none is multiplied: neither forwards nor backwards."""
    tokens = apply(Input("tokens", TensorType((named("batch"), 64), int32)))
    table, weight = declare("table", 65, 32), declare("weight", 32, 8)
    y = take(table, tokens) @ weight
    loss = sum(y * declare("g", "batch", 64, 8))
    graph = run(Graph((loss, *grad(loss, [table, weight]))))
    batched = [
        node
        for node in graph.nodes
        if isinstance(node.op, Contract) and any(names_of(d) for x in node.inputs for d in x.shape)
    ]
    assert batched == []
    assert [node.type.shape for node in graph.nodes if isinstance(node.op, ScatterAdd)] == [(65, 8)]


def test_rows_of_a_large_table_are_looked_up_first() -> None:
    tokens = apply(Input("tokens", TensorType((10,), int32)))
    y = take(declare("table", 1000, 32), tokens) @ declare("weight", 32, 8)
    check_unchanged(run, canonicalize(Graph((y,))).outputs[0])


def test_a_bias_is_added_to_the_rows_and_its_gradient_to_their_sums() -> None:
    """Not to what is looked up, of which there is more."""
    tokens = apply(Input("tokens", TensorType((named("batch"), 64), int32)))
    table, bias = declare("table", 65, 8), declare("bias", 8)
    y = relu(take(table, tokens) + bias)
    loss = sum(y * declare("g", "batch", 64, 8))
    graph = run(Graph((loss, *grad(loss, [table, bias]))))
    assert [node.shape for node in graph.nodes if isinstance(node.op, Add)] == [(65, 8)]
    sums = graph.outputs[1]
    assert isinstance(sums.op, ScatterAdd)
    assert graph.outputs[2].op == Sum((0,))
    assert graph.outputs[2].inputs == (sums,)


def test_what_is_added_up_along_other_axes_than_the_indices_stays() -> None:
    tokens = apply(Input("tokens", TensorType((named("batch"), 64), int32)))
    rows = declare("rows", "batch", 64, 8)
    table = broadcast_to(constant(0.0, float32), (65, 8))
    sums, total = scatter_add(table, tokens, rows), apply(Sum((1,)), rows)
    every = apply(Sum((0, 1, 2)), rows)
    graph = run(Graph((sums, total, every)))
    assert graph.outputs[1].inputs == (rows,)
    assert graph.outputs[2].op == Sum((0, 1))
    assert graph.outputs[2].inputs == (graph.outputs[0],)
