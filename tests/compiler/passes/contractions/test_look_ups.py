"""Rows that steps of a loop look up: the graph, and equal numbers."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ir.types import Array
from chainc.ops.index import Take
from chainc.ops.runs.scan import Scan
from chainc.passes.contractions.look_ups import look_up_in_steps

STEPS = 6
BEHIND = 2  # columns of a part


def network(reverse: bool = False) -> tuple[Node, Node]:
    """What a loop makes of rows and of parts of them, and these rows."""
    words = cr.input("words", (STEPS, "batch"), dtype="int32")
    rows = cr.take(cr.input("table", (7, 6), dtype="float64"), words)
    parts = rows, rows[:, :, :BEHIND], rows[:, :, -BEHIND:]

    def cell(h: Node, x: tuple[Node, Node, Node]) -> tuple[Node, Node]:
        whole, first, last = x
        h = cr.tanh(whole + h) * cr.sum(first - last)
        return h, h

    h0 = cr.input("h0", ("batch", 6), dtype="float64")
    _, every = cr.scan(cell, carry=h0, xs=parts, reverse=reverse)
    assert isinstance(every, Node)
    return every, rows


def looked_up(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if isinstance(node.op, Take)]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_step_looks_up_its_own_rows_once_with_the_same_numbers(reverse: bool) -> None:
    graph = Graph((network(reverse)[0],))
    found = look_up_in_steps(graph)
    (loop,) = [node.op for node in found.nodes if isinstance(node.op, Scan)]
    assert looked_up(found) == []
    assert len(looked_up(loop.body)) == 1
    random = np.random.default_rng(0)
    values: dict[str, Array] = {
        "words": random.integers(0, 7, (STEPS, 2)).astype(np.int32),
        "table": random.normal(size=(7, 6)),
        "h0": random.normal(size=(2, 6)),
    }
    true, own = (reference.evaluate(each, values).outputs[0] for each in (graph, found))
    assert np.array_equal(true, own)


def test_rows_that_are_read_besides_are_looked_up_before() -> None:
    every, rows = network()
    for other in (rows, cr.sum(rows), rows[:, :, 1:3], rows[1:]):
        graph = Graph((every, other))
        assert look_up_in_steps(graph) is graph
