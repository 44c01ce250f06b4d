"""The passes in any order, and any of them left out: the result does not change."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.graphs import Case, cases

from chainc.interpreters import reference
from chainc.ir import Graph
from chainc.ir.types import float64
from chainc.ir.verify import verify
from chainc.passes import PIPELINE, Pass

orders = st.permutations(PIPELINE).flatmap(
    lambda order: st.integers(0, len(order)).map(lambda kept: tuple(order[:kept]))
)


def agree(case: Case, graph: Graph) -> None:
    before = reference.evaluate(case.graph, case.inputs, case.states)
    kept = {leaf.op.label for leaf in graph.leaves("input")}
    inputs = {key: value for key, value in case.inputs.items() if key in kept}
    after = reference.evaluate(graph, inputs, case.states)
    for expected, found in zip(before.outputs, after.outputs, strict=True):
        scale = np.max(np.abs(expected), initial=1.0, where=np.isfinite(expected))
        np.testing.assert_allclose(
            found.astype(np.float64), expected.astype(np.float64), rtol=1e-9, atol=1e-9 * scale
        )


@given(case=cases(dtype=float64), order=orders)
def test_any_order_of_any_passes_gives_the_same_numbers(
    case: Case, order: tuple[Pass, ...]
) -> None:
    graph = case.graph
    for step in order:
        graph = step.run(graph)
        verify(graph)
    agree(case, graph)


@given(case=cases(dtype=float64))
def test_a_second_run_of_the_pipeline_gives_the_same_numbers(case: Case) -> None:
    graph = case.graph
    for step in (*PIPELINE, *PIPELINE):
        graph = step.run(graph)
        verify(graph)
    agree(case, graph)
