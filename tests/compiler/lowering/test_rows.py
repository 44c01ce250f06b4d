"""Where each row stands for itself: the answer, and a run in blocks against a whole one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from tests.graphs import Case, cases

import chainrule as cr
from chainc.backends.llvm.host.function import BLOCK
from chainc.ir import Graph, Node
from chainc.ir.binding import bind_graph
from chainc.ir.types import Array, Size, float64
from chainc.lowering.grouping import group
from chainc.lowering.lower import lower
from chainc.lowering.rows import rows_are_independent

X = cr.input("x", ("batch", 6))
Y = cr.input("y", ("batch", 6))
W = cr.parameter("w", (6, 4), 0.5)
TABLE = cr.parameter("table", (9, 3), 0.5)
LABELS = cr.input("labels", ("batch",), dtype="int32")


def independent(*outputs: Node) -> bool:
    return rows_are_independent(lower(Graph(outputs)))


@pytest.mark.parametrize(
    "output",
    [
        X * 2.0,
        cr.tanh(X @ W),
        cr.softmax(X, axis=1),
        cr.argmax(X, 1),
        cr.take(TABLE, LABELS, 0),
        cr.sum(X, axis=1),
        cr.einsum("bi,bi->b", X, Y),
        cr.flip(X, 1),
        cr.one_hot(LABELS, 3),
    ],
    ids=["map", "layer", "softmax", "argmax", "take", "sum", "einsum", "flip", "one_hot"],
)
def test_rows_that_stand_for_themselves(output: Node) -> None:
    assert independent(output)


@pytest.mark.parametrize(
    "output",
    [
        X - cr.mean(X, axis=0),
        X / cr.astype(cr.size("batch"), "float32"),
        X @ cr.permute_dims(Y, (1, 0)) @ Y,
        cr.permute_dims(X, (1, 0)),
        cr.sum(X, axis=0),
        cr.reshape(X, (-1,)),
        cr.argmax(X, 0),
        cr.take(X, np.array([0], np.int32), 0),
        cr.einsum("bi,bj->ij", X, Y),
    ],
    ids=["mean", "size", "gram", "turned", "sum", "flat", "argmax", "take", "outer"],
)
def test_rows_that_need_others(output: Node) -> None:
    assert not independent(output)


def test_one_output_that_needs_others_is_enough() -> None:
    assert not independent(X * 2.0, cr.sum(X, axis=0))


def test_updates_forbid_blocks() -> None:
    assert not rows_are_independent(lower(Graph((X @ W,), {W: W * 0.5})))


def test_groups_are_looked_into() -> None:
    one, other = cr.tanh(X @ W), cr.exp(cr.einsum("bi,bj->ij", X, Y))
    assert rows_are_independent(group(lower(Graph((one,)))))
    assert not rows_are_independent(group(lower(Graph((one, other)))))


def test_blocks_of_rows_give_the_same_bits() -> None:
    y = cr.softmax(cr.tanh(X @ W), axis=1)
    run = cr.compile(y)
    run = run.bind(run.initial_state(0))
    rows = 2 * BLOCK + 37
    values = np.random.default_rng(0).standard_normal((rows, 6)).astype(np.float32)
    whole = run(x=values)
    parts = [run(x=values[start : start + BLOCK]) for start in range(0, rows, BLOCK)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(whole[300:301], run(x=values[300:301]))


@settings(max_examples=150)
@given(case=cases(dtype=float64))
def test_independent_rows_may_be_computed_one_at_a_time(case: Case) -> None:
    """What is called independent is: row i of an output follows from row i of the inputs."""
    sizes = {
        dim.names[0]: extent
        for leaf in case.graph.leaves("input")
        for dim, extent in zip(leaf.shape, case.inputs[leaf.op.label].shape, strict=True)
        if isinstance(dim, Size)
    }
    known = {name: extent for name, extent in sizes.items() if name != "batch"}
    for output in case.graph.outputs:
        graph = bind_graph(Graph((output,)), known)
        program = lower(graph)
        if program.size_names and rows_are_independent(program):
            check_row_by_row(graph, case, sizes["batch"])


def check_row_by_row(graph: Graph, case: Case, rows: int) -> None:
    function = cr.compile(graph, target="numpy", passes=()).bind(cr.State(case.states))
    used = {leaf.op.label: leaf for leaf in graph.leaves("input")}
    values = {key: array for key, array in case.inputs.items() if key in used}
    (whole,) = function(values)
    for row in range(rows):
        part: dict[str, Array] = {
            key: array[row : row + 1] if _has_rows(used[key]) else array
            for key, array in values.items()
        }
        (found,) = function(part)
        np.testing.assert_allclose(found, whole[row : row + 1], rtol=1e-12, atol=1e-12)


def _has_rows(leaf: Node) -> bool:
    return bool(leaf.shape) and isinstance(leaf.shape[0], Size)
