"""Sums over steps of a carry before each: the graph, and equal numbers."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ir.types import Array
from chainc.ops.contract import Contract
from chainc.passes.contractions.lift import lift
from chainc.passes.contractions.steps_before import sums_over_steps_after

STEPS = 6


def gradient(h0: Node, *, reverse: bool = False, steps: int = STEPS) -> Graph:
    """Of a recurrent weight: a sum over all steps."""
    x, w = cr.input("x", (steps, 2, 4), dtype="float64"), cr.input("w", (4, 4), dtype="float64")

    def cell(h: Node, x_t: Node) -> tuple[Node, Node]:
        h = cr.tanh(x_t + h @ w)
        return h, h

    _, every = cr.scan(cell, carry=h0, xs=x, reverse=reverse)
    assert isinstance(every, Node)
    return lift(Graph((cr.grad(cr.sum(every * every * x), w),)))


def zeros() -> Node:
    return cr.broadcast_to(cr.constant(0.0, dtype="float64"), (2, 4))


def over_steps(graph: Graph) -> list[int]:
    """How many steps the products are summed over that give a matrix."""
    found = [node for node in graph.nodes if isinstance(node.op, Contract) and node.ndim == 2]
    return [int(str(node.inputs[0].shape[0])) for node in found]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_first_carry_of_zeros_is_no_factor(reverse: bool) -> None:
    graph = gradient(zeros(), reverse=reverse)
    found = sums_over_steps_after(graph)
    assert over_steps(graph) == [STEPS]
    assert over_steps(found) == [STEPS - 1]
    random = np.random.default_rng(0)
    values: dict[str, Array] = {
        "x": random.normal(size=(STEPS, 2, 4)),
        "w": random.normal(size=(4, 4)),
    }
    true, own = (reference.evaluate(each, values).outputs[0] for each in (graph, found))
    assert np.allclose(own, true, rtol=1e-12, atol=0)


def test_another_first_carry_is_one() -> None:
    graph = gradient(cr.input("h0", (2, 4), dtype="float64"))
    assert over_steps(sums_over_steps_after(graph)) == [STEPS]


def test_of_a_single_step_nothing_would_be_left() -> None:
    graph = gradient(zeros(), steps=1)
    assert over_steps(sums_over_steps_after(graph)) == over_steps(graph)
