"""Linear layers as one layer: the rules, the numbers, and what is left as it is."""

import itertools

import numpy as np
from tests.two_sided import check_numbers, declare

from chainc.driver import optimize
from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Label, Slot, constant
from chainc.ir.text import same
from chainc.ir.types import TensorType, float32, named
from chainc.ops import linear, relu
from chainc.ops.contract import Contract
from chainc.passes import Pass
from chainc.passes.canonicalize import canonicalize
from chainc.passes.contractions.merge_linear import merge_linear
from chainc.passes.fold import fold


def weights(*sizes: int) -> list[tuple[Node, Node]]:
    """Weight and bias of layers between these sizes, as state slots."""
    return [
        (slot(f"w{i}", inner, outer), slot(f"b{i}", outer))
        for i, (inner, outer) in enumerate(itertools.pairwise(sizes))
    ]


def times(a: Node, b: Node) -> Node:
    """The matrix product in canonical letters."""
    return apply(Contract("ab", "bc", "ac"), a, b)


def slot(name: str, *shape: int) -> Node:
    return apply(Slot(Label(name), TensorType(shape, float32), trainable=True))


def rows_times_matrix(graph: Graph) -> int:
    """How many contractions run over the batch."""
    return sum(n.op.name == "contract" and named("batch") in n.shape for n in graph.nodes)


def test_two_linear_layers_are_one() -> None:
    x = declare("x", "batch", 4)
    (v, a), (w, b) = weights(4, 5, 3)
    before = canonicalize(Graph((linear(linear(x, v, a), w, b),)))
    after = merge_linear([v, a, w, b])(before)
    merged = times(x, times(v, w)) + (apply(Contract("a", "ab", "b"), a, w) + b)
    assert same(after, Graph((merged,)))
    assert (rows_times_matrix(before), rows_times_matrix(after)) == (2, 1)


def constants(*shapes: tuple[int, ...]) -> list[Node]:
    random = np.random.default_rng(0)
    return [constant(random.normal(size=shape).astype(np.float32)) for shape in shapes]


def test_merged_layers_compute_the_same() -> None:
    v, a, w, b, u = constants((4, 5), (5,), (5, 3), (3,), (3, 2))
    x = declare("x", "batch", 4)
    before = canonicalize(Graph((linear(linear(x, v, a), w, b) @ u,)))
    after = check_numbers(merge_linear(), before)
    assert rows_times_matrix(after) == 1
    (root,) = fold(after).outputs
    assert [node.op.name for node in Graph((root,)).nodes] == [
        "input",
        "constant",
        "contract",
        "constant",
        "add",
    ]


def test_layers_without_bias_and_with_more_axes() -> None:
    v, w = constants((4, 5), (5, 3))
    x = declare("x", 2, "batch", 4)
    letters = Contract("abc", "cd", "abd")
    before = canonicalize(Graph((apply(letters, apply(letters, x, v), w),)))
    (after,) = check_numbers(merge_linear(), before).outputs
    assert same(Graph((after,)), Graph((apply(letters, x, times(v, w)),)))


def test_weights_that_are_trained_are_not_merged() -> None:
    x = declare("x", "batch", 4)
    (v, a), (w, b) = weights(4, 5, 3)
    graph = canonicalize(Graph((linear(linear(x, v, a), w, b),)))
    assert merge_linear()(graph) is graph
    assert merge_linear([v, w])(graph) is graph


def test_an_activation_keeps_layers_apart() -> None:
    x = declare("x", "batch", 4)
    (v, a), (w, b) = weights(4, 5, 3)
    graph = canonicalize(Graph((linear(relu(linear(x, v, a)), w, b),)))
    assert merge_linear([v, a, w, b])(graph) is graph


def test_a_product_with_a_transposed_weight_is_not_taken_for_a_layer() -> None:
    v, w = constants((5, 4), (3, 5))
    x = declare("x", "batch", 4)
    transposed = Contract("ab", "cb", "ac")
    graph = Graph((apply(transposed, apply(transposed, x, v), w),))
    assert merge_linear()(graph) is graph


def test_the_pass_tells_what_it_does_and_what_it_did() -> None:
    v, a, w, b = constants((4, 5), (5,), (5, 3), (3,))
    merging = Pass("merge_linear", merge_linear())
    assert merging.meaning.startswith("Linear layers without an activation between them: one layer")
    y = linear(linear(declare("x", "batch", 4), v, a), w, b)
    stages = optimize(Graph((y,)), (Pass("canonicalize", canonicalize), merging))
    assert {fired.rule for fired in stages[-1].fired} == {"layer_of_layer", "sum_of_biases"}
