"""Loops written out: the same bits, copy by copy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.chainrule.sequences.test_scan import declared, derivatives, looped, numbers

import chainrule as cr
from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ir.verify import verify
from chainc.ops.runs.scan import Scan
from chainc.ops.runs.unroll import unroll


def scans(graph: Graph) -> list[object]:
    """The numbers of steps of the loops that are left."""
    return list({node.op.length for node in graph.nodes if isinstance(node.op, Scan)})


@pytest.mark.parametrize(("steps", "left"), [(None, []), (2, [3]), (5, []), (0, [5])])
@pytest.mark.parametrize("reverse", [False, True])
def test_its_bits_are_those_of_the_loop(
    steps: int | None, left: list[object], reverse: bool
) -> None:
    """With first and second derivatives, whose loops go the other way."""
    leaves = declared()
    graph = Graph(tuple(derivatives(*looped(leaves, reverse=reverse), leaves)))
    copies = unroll(graph, steps)
    verify(copies)
    assert scans(copies) == left
    pairs = zip(*(reference.evaluate(g, numbers()).outputs for g in (graph, copies)), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_loops_in_loops_and_layers_in_copies() -> None:
    x = cr.input("x", (3, 4), dtype="float64")

    def outer(total: Node, row: Node) -> tuple[Node, None]:
        with cr.scope("inside"):
            last, _ = cr.scan(lambda s, each: (s + each * total, None), 0.0 * total, row)
        assert isinstance(last, Node)
        return last, None

    last, _ = cr.scan(outer, carry=cr.constant(0.5, cr.float64), xs=x)
    assert isinstance(last, Node)
    copies = unroll(Graph((last,)))
    scopes = {node.origin.scope for node in copies.nodes}
    assert {"t = 2", "t = 2/inside/t = 3"} <= scopes
    given = {"x": np.arange(12.0).reshape(3, 4)}
    found = reference.evaluate(copies, given).outputs
    assert np.array_equal(found, reference.evaluate(Graph((last,)), given).outputs)


def test_how_many_copies_must_be_known() -> None:
    x = cr.input("x", ("time", 2))
    last, _ = cr.scan(lambda h, x_t: (h + x_t, None), carry=cr.broadcast_to(0.0, (2,)), xs=x)
    assert isinstance(last, Node)
    with pytest.raises(
        cr.GraphError, match=r"makes time steps: how many copies[\s\S]*try: declare"
    ):
        unroll(Graph((last,)))
