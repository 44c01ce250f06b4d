"""The sum of all rows of a gradient that are also added up by indices: that of the fewer sums.

    scatter_add(0, i, g), sum(g)   →   s, sum(s)        with s = scatter_add(0, i, g)

Each row of `g` is in one of the sums. So it is with the bias of a layer that looks its rows up.
"""

from __future__ import annotations

from collections.abc import Iterator

from chainc.ir import Graph, Node, apply, originating, substitute, topological
from chainc.ops.index import ScatterAdd
from chainc.ops.reduce import Sum
from chainc.passes.rules.rows import are_fewer, is_zero
from chainc.rewriting.trace import note, replacing


def sums_of_sums(graph: Graph) -> Graph:
    """Add sums by index up, where all that was added to them is added up besides."""
    found: dict[Node, Node] = {}
    for total, sums in _pairs(graph):
        with originating(replacing(total, "sum_of_sums")):
            found[total] = apply(Sum(_axes(total, sums)), sums)
        note("sum_of_sums", total, found[total], "fast")
    return substitute(graph, found) if found else graph


def _pairs(graph: Graph) -> Iterator[tuple[Node, Node]]:
    """Each sum that another way leads to, and the sums by index that lie on it."""
    known: set[Node] = set()
    for sums in graph.nodes:
        if not isinstance(sums.op, ScatterAdd):
            continue
        start, indices, rows = sums.inputs
        if not is_zero(start) or not are_fewer(start.shape[sums.op.axis], indices):
            continue
        summed = set(range(sums.op.axis, sums.op.axis + indices.ndim))
        for total in graph.users[rows]:
            if not isinstance(total.op, Sum) or total.op.keepdims or total in known:
                continue
            if summed <= set(total.op.axes) and total not in set(topological([indices])):
                known.add(total)
                yield total, sums


def _axes(total: Node, sums: Node) -> tuple[int, ...]:
    """Those of sums by index that are to be added up, of which the indices' are one."""
    assert isinstance(total.op, Sum)
    assert isinstance(sums.op, ScatterAdd)
    first, gone = sums.op.axis, sums.inputs[1].ndim - 1
    kept = {axis if axis <= first else max(axis - gone, first) for axis in total.op.axes}
    return tuple(sorted(kept))
