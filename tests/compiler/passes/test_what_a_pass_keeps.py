"""A pass that changes what a graph computes is told so, and not believed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import chainrule as cr
from chainc.driver import optimize
from chainc.ir import Graph
from chainc.ir.errors import VerifyError
from chainc.passes import Pass

x = cr.input("x", (3,))
w, v = cr.parameter("w", (3,), 1.0), cr.parameter("v", (3,), 1.0)
GRAPH = Graph((cr.sum(x * w), x), {w: w + x}, ("total", "same"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda g: Graph(g.outputs[:1], g.updates, g.names[:1]),
            "changed the outputs from f32",
        ),
        (lambda g: Graph(g.outputs[::-1], g.updates, g.names), "changed the outputs from"),
        (
            lambda g: Graph((cr.astype(g.outputs[0], "float64"), x), g.updates, g.names),
            "changed the outputs from",
        ),
        (
            lambda g: Graph(g.outputs, g.updates, ("same", "total")),
            "changed the names of the outputs from total, same to same, total",
        ),
        (
            lambda g: Graph((g.outputs[0], cr.input("z", (3,))), g.updates, g.names),
            "reads what the graph did not have: z",
        ),
        (lambda g: Graph((g.outputs[0], v), g.updates, g.names), "did not have: v"),
        (lambda g: Graph(g.outputs, {}, g.names), "lost the update of w"),
        (lambda g: Graph((*g.outputs[:1], w), {w: w, v: v}, g.names), "did not have: v"),
        (lambda _: None, "gave a NoneType"),
    ],
)
def test_a_pass_keeps_outputs_inputs_and_updates(
    change: Callable[[Graph], Graph], message: str
) -> None:
    with pytest.raises(VerifyError, match=message) as caught:
        optimize(GRAPH, (Pass("strange", change),))
    assert "the pass 'strange'" in str(caught.value)


def test_a_slot_may_be_dropped_whose_value_stays() -> None:
    graph = Graph((cr.sum(x * w),), {w: w})
    stages = optimize(graph, (Pass("drop", lambda g: Graph(g.outputs, {}, g.names)),))
    assert not stages[-1].graph.updates


def test_a_slot_that_is_only_read_is_not_updated() -> None:
    with pytest.raises(VerifyError, match="updates w"):
        optimize(
            Graph((cr.sum(x * w),)), (Pass("train", lambda g: Graph(g.outputs, {w: w + 1.0})),)
        )
