"""Where each row stands for itself: the answer, and a run in blocks against a whole one."""

from __future__ import annotations

from collections.abc import Callable

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


def running(x: Node, axis: int, first: Node) -> Node:
    """Running sums, each of half the one before."""

    def add(h: Node, x_t: Node) -> tuple[Node, Node]:
        return h / 2.0 + x_t, h

    _, every = cr.scan(add, first, x, axis=axis)
    assert isinstance(every, Node)
    return every


def test_loops_along_rows_leave_them_apart_and_loops_over_rows_do_not() -> None:
    zeros = cr.broadcast_to(cr.constant(0.0), ("batch",))
    assert independent(running(X, 1, zeros))
    assert not independent(running(X, 0, cr.constant(np.zeros(6, np.float32))))
    assert not independent(running(X - cr.mean(X, axis=0), 1, zeros))
    assert not independent(running(X, 1, cr.mean(X) + zeros))


def test_a_step_that_mixes_rows_forbids_blocks() -> None:
    def mix(h: Node, x_t: Node) -> tuple[Node, Node]:
        return h + cr.mean(x_t), h

    first = cr.broadcast_to(cr.constant(0.0), ("batch",))
    _, every = cr.scan(mix, first, X, axis=1)
    assert isinstance(every, Node)
    assert not independent(every)


def test_blocks_of_rows_give_the_same_bits() -> None:
    run = check_blocks(cr.softmax(cr.tanh(X @ W), axis=1))
    np.testing.assert_array_equal(run(x=VALUES)[300:301], run(x=VALUES[300:301]))


def test_blocks_of_sequences_give_the_same_bits() -> None:
    check_blocks(cr.nn.GRU(2, 5)(cr.reshape(X, ("batch", 3, 2))))


VALUES = np.random.default_rng(0).standard_normal((2 * BLOCK + 37, 6)).astype(np.float32)


def check_blocks(y: Node) -> Callable[..., Array]:
    run = cr.compile(y)
    run = run.bind(run.initial_state(0))
    parts = [run(x=VALUES[start : start + BLOCK]) for start in range(0, len(VALUES), BLOCK)]
    np.testing.assert_array_equal(run(x=VALUES), np.concatenate(parts))
    return run


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
