"""Gates that are declared each by itself: one product for all of them, and equal numbers."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ir.types import Array, Shape, TensorType, float32
from chainc.ops.contract import Contract
from chainc.ops.runs.scan import Scan, step_input
from chainc.passes import Pass, pipeline
from chainc.passes.contractions.lift import lift
from chainc.passes.contractions.siblings import join_siblings

STEPS, FEATURES, HIDDEN = 6, 5, 3
GATES = "ifgo"


def declare(key: str, *shape: int | str) -> Node:
    return cr.input(key, shape, dtype="float64")


def textbook_lstm() -> tuple[Node, list[Node]]:
    """As it is printed in textbooks, and all that it reads."""
    x = declare("x", STEPS, "batch", FEATURES)
    w = {gate: declare(f"w{gate}", FEATURES, HIDDEN) for gate in GATES}
    u = {gate: declare(f"u{gate}", HIDDEN, HIDDEN) for gate in GATES}
    b = {gate: declare(f"b{gate}", HIDDEN) for gate in GATES}
    first = declare("h", "batch", HIDDEN), declare("c", "batch", HIDDEN)

    def cell(carry: tuple[Node, Node], x_t: Node) -> tuple[tuple[Node, Node], Node]:
        h, c = carry
        z = {gate: x_t @ w[gate] + h @ u[gate] + b[gate] for gate in GATES}
        c = cr.sigmoid(z["f"]) * c + cr.sigmoid(z["i"]) * cr.tanh(z["g"])
        h = cr.sigmoid(z["o"]) * cr.tanh(c)
        return (h, c), h

    _, every = cr.scan(cell, carry=first, xs=x)
    assert isinstance(every, Node)
    return cr.sum(every * every), [*w.values(), *u.values(), *b.values(), *first]


def products(graph: Graph) -> list[tuple[Shape, ...]]:
    """The shapes of contractions outside of loops and in their steps."""
    bodies = {node.op.body: None for node in graph.nodes if isinstance(node.op, Scan)}
    parts = [graph, *bodies]
    return [
        tuple(node.shape for node in part.nodes if isinstance(node.op, Contract)) for part in parts
    ]


def test_a_textbook_lstm_does_one_product_a_step() -> None:
    """One for all steps before the loop, one in a step each way, and one for each weight after."""
    loss, parameters = textbook_lstm()
    graph = Graph((loss, *cr.grad(loss, parameters)))
    for each in pipeline(False):
        if each.name == "fuse":
            break
        graph = each.apply(graph)
    outside, *inside = products(graph)
    wide = 4 * HIDDEN
    assert sorted(len(shape) for shape in outside) == [2, 2, 3]
    weights = {shape for shape in outside if len(shape) == 2}
    assert weights == {(HIDDEN, wide), (FEATURES, wide)}
    assert [len(shapes) for shapes in inside] == [1, 1]


def test_its_numbers_are_the_same() -> None:
    loss, parameters = textbook_lstm()
    graph = Graph((loss, *cr.grad(loss, parameters)))
    random = np.random.default_rng(0)
    values: dict[str, Array] = {
        leaf.op.label: random.normal(size=[2 if not isinstance(d, int) else d for d in leaf.shape])
        for leaf in graph.leaves("input")
    }
    expected = reference.evaluate(graph, values).outputs
    lifted = Pass("lift", lift).apply(graph)
    for found, true in zip(reference.evaluate(lifted, values).outputs, expected, strict=True):
        assert np.allclose(found, true, rtol=1e-12, atol=1e-13)


def test_the_line_of_the_user_survives() -> None:
    loss, parameters = textbook_lstm()
    lifted = Pass("lift", lift).apply(Graph((loss, *cr.grad(loss, parameters))))
    joined = [node for node in lifted.nodes if isinstance(node.op, Contract)]
    assert joined
    for node in joined:
        assert node.origin.location is not None
        assert node.origin.location.file.endswith("test_siblings.py")


def test_sequences_are_no_weights() -> None:
    """A product with what comes from before the loop stays apart: it leaves the loop."""
    shapes = [(2, 3), (3, 4), (2, 5), (5, 4)]
    x, w, y, v = (step_input(i, TensorType(shape, float32)) for i, shape in enumerate(shapes))
    body = Graph((x @ w + y @ v,))
    assert join_siblings(body, 0, 1) is body
    computed = Graph((cr.tanh(x) @ w + cr.tanh(y) @ v,))
    assert len(products(join_siblings(computed, 0, 1))[0]) == 1


def test_what_the_next_step_does_not_need_stays_apart() -> None:
    """The gradient of a slice leaves the loop, where it is one product for all steps."""
    h, w, v = (
        step_input(i, TensorType(s, float32)) for i, s in enumerate([(2, 3), (3, 3), (3, 5)])
    )
    z = cr.tanh(h)
    body = Graph((z @ w, z @ v))
    assert join_siblings(body, 1, 1) is body
    assert len(products(join_siblings(body, 2, 1))[0]) == 1
