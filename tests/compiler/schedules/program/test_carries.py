"""Carries of loops are computed where they lie."""

from __future__ import annotations

import pytest

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.lowering.lower import lower
from chainc.lowering.program import Loop
from chainc.passes import pipeline
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2, AVX512, Machine
from chainc.schedules.program.preparation import prepare


@pytest.mark.parametrize("machine", [AVX2, AVX512], ids=["256", "512"])
@pytest.mark.parametrize("width", [32, 512], ids=["at once", "in pieces"])
def test_the_way_back_copies_no_cotangent(machine: Machine, width: int) -> None:
    """A product writes it row by row, after the last that reads the one before."""
    x, w = cr.input("x", (5, "batch", width)), cr.input("w", (width, width))

    def cell(h: Node, x_t: Node) -> tuple[Node, Node]:
        h = cr.tanh(x_t + h @ w)
        return h, h

    h0 = cr.broadcast_to(cr.constant(0.0), ("batch", width))
    _, every = cr.scan(cell, carry=h0, xs=x)
    assert isinstance(every, Node)
    graph = Graph((cr.grad(cr.sum(every * every), w),))
    for step in pipeline():
        graph = step.apply(graph)
    program = prepare(lower(graph), machine, Capacity({"batch": 32}))
    (back,) = [k for k in program.body if isinstance(k, Loop) and k.reverse]
    assert back.program.updates == ()
