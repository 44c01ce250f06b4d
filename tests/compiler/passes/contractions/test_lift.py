"""What leaves a loop: the graph, and equal numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np

import chainrule as cr
from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ir.types import Array
from chainc.ops.contract import Contract
from chainc.ops.index import ScatterAdd
from chainc.ops.runs.scan import Scan
from chainc.passes import Pass
from chainc.passes.contractions.lift import lift

STEPS = 6


def network() -> tuple[Node, list[Node]]:
    """A loss over all steps of a recurrent network that reads a table, and its parameters."""
    words = cr.input("words", (STEPS, "batch"), dtype="int32")
    table = cr.input("table", (7, 3), dtype="float64")
    wx, wh = (cr.input(key, (n, 4), dtype="float64") for key, n in (("wx", 3), ("wh", 4)))
    b, h0 = cr.input("b", (4,), dtype="float64"), cr.input("h0", ("batch", 4), dtype="float64")

    def cell(h: Node, word: Node) -> tuple[Node, Node]:
        h = cr.tanh(cr.take(table, word) @ wx + h @ wh + b)
        return h, h

    _, every = cr.scan(cell, carry=h0, xs=words)
    assert isinstance(every, Node)
    return cr.sum(every * every), [table, wx, wh, b, h0]


def kinds(graph: Graph) -> Counter[str]:
    return Counter(node.op.name for node in graph.nodes)


def steps(graph: Graph) -> list[Graph]:
    """What the loops do in each step, each once."""
    found = {node.op.body: None for node in graph.nodes if isinstance(node.op, Scan)}
    return list(found)


def test_one_product_is_left_in_a_step_each_way() -> None:
    loss, parameters = network()
    graph = Graph((loss, *cr.grad(loss, parameters)))
    before = Pass("lift", lift).apply(graph)
    inside = [kinds(body) for body in steps(before)]
    assert [count["contract"] for count in inside] == [1, 1]
    assert all(count["take"] == count["scatter_add"] == 0 for count in inside)
    outside = [node for node in before.nodes if isinstance(node.op, Contract)]
    summed = [node.shape for node in outside if node.ndim == 2]  # over all steps
    assert sorted(summed) == [(3, 4), (4, 4)]  # the derivatives of wx and of wh
    assert sum(isinstance(node.op, ScatterAdd) for node in before.nodes) == 1


def test_its_numbers_are_the_same() -> None:
    loss, parameters = network()
    graph = Graph((loss, *cr.grad(loss, parameters)))
    random = np.random.default_rng(0)
    values: dict[str, Array] = {
        "words": random.integers(0, 7, (STEPS, 2)).astype(np.int32),
        **{key: random.normal(size=s) for key, s in (("table", (7, 3)), ("wx", (3, 4)))},
        **{key: random.normal(size=s) for key, s in (("wh", (4, 4)), ("b", (4,)), ("h0", (2, 4)))},
    }
    expected = reference.evaluate(graph, values).outputs
    for found, true in zip(reference.evaluate(lift(graph), values).outputs, expected, strict=True):
        assert np.allclose(found, true, rtol=1e-12, atol=0)


def test_a_loop_that_remembers_nothing_is_none() -> None:
    x, w = cr.input("x", (5, 2, 3)), cr.input("w", (3, 4))
    _, every = cr.scan(lambda c, x_t: (c, cr.exp(x_t @ w)), carry=cr.constant(0.0), xs=x)
    assert isinstance(every, Node)
    lifted = lift(Graph((every,)))
    assert kinds(lifted) == {"input": 2, "contract": 1, "exp": 1}


def test_a_graph_without_loops_stays_what_it_is() -> None:
    graph = Graph((cr.exp(cr.input("x", (2,))),))
    assert lift(graph) is graph
