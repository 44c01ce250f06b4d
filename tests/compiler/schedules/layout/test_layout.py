"""Which buffers lie in panels, which uses forbid it, and the copies between two layouts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.ir.types import TensorType, float32, float64, named
from chainc.lowering.grouping import Group, group
from chainc.lowering.kernels import Contraction, Copy, Kernel
from chainc.lowering.lower import lower
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, Panels
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine
from chainc.schedules.layout.panels import CACHE_SETS_BYTES, CACHE_WAYS, lay_out, layouts, panels

CAPACITY = Capacity({"batch": 8})


def laid_out(graph: Graph, machine: Machine = AVX512) -> Program:
    program = group(lower(graph))
    return lay_out(program, machine, CAPACITY)


def by_name(program: Program) -> dict[str, Buffer]:
    found = {buffer.key: buffer for buffer in (*program.states, *program.inputs)}
    for kernel in program.body:
        found.update({out.name: out for out in kernel.outs})
    return found


def root(kernel: Kernel) -> Kernel:
    return kernel.members[0] if isinstance(kernel, Group) else kernel


def product(columns: int = 32) -> tuple[Node, Node]:
    x = cr.input("x", ("batch", 24))
    w = cr.parameter("w", (24, columns), 0.5)
    return x, x @ w


@pytest.mark.parametrize(
    ("machine", "dtype", "lanes"),
    [(AVX512, "float32", 16), (AVX512, "float64", 8), (AVX2, "float32", 8), (SSE, "float32", 4)],
)
def test_weights_and_results_of_contractions_lie_in_panels(
    machine: Machine, dtype: str, lanes: int
) -> None:
    x = cr.input("x", ("batch", 24), dtype=dtype)
    w = cr.parameter("w", (24, 32), 0.5, dtype=dtype)
    found = by_name(
        laid_out(Graph((cr.exp(cr.tanh(x @ w) + 1.0) @ cr.permute_dims(w, (1, 0)),)), machine)
    )
    assert found["w"].panels is not None
    assert (found["w"].panels.axis, found["w"].panels.lanes) == (1, lanes)
    assert found["x"].panels is None  # an array of the caller's stays as it is


def test_what_is_computed_from_panels_lies_in_panels() -> None:
    """So that no element changes its place between kernels, nor does a slot and its update."""
    _, y = product()
    hidden = cr.tanh(y)
    w = next(node for node in Graph((y,)).leaves("state"))
    graph = Graph((cr.sum(hidden, axis=0), cr.max(hidden, axis=1)), {w: w * 0.5})
    program = laid_out(graph)
    for kernel in program.body:
        for out in kernel.outs:
            if len(out.type.shape) == 2 and out.type.shape[1] != 1:
                assert out.panels is not None, out.name
    assert all(slot.panels == value.buffer.panels for slot, value in program.updates)


@pytest.mark.parametrize(("columns", "inside"), [(3, False), (4, False), (5, True), (16, True)])
def test_a_last_axis_much_shorter_than_a_vector_stays_row_major(columns: int, inside: bool) -> None:
    _, y = product(columns)
    found = by_name(laid_out(Graph((y * 2.0,))))
    assert (found["w"].panels is not None) is inside


@pytest.mark.parametrize(
    "use",
    [
        lambda w: w[:, 3:7],
        lambda w: cr.reshape(w, (-1,)),
        lambda w: cr.flip(w, 1),
        lambda w: cr.take(w, np.array([1, 0], np.int32), 0),
    ],
    ids=["slice", "reshape", "flip", "take"],
)
def test_some_uses_need_row_major_order(use: object) -> None:
    x = cr.input("x", ("batch", 24))
    w = cr.parameter("w", (24, 32), 0.5)
    assert callable(use)
    graph = Graph((x @ w, cr.sum(use(w) * 2.0)))
    assert by_name(laid_out(graph))["w"].panels is None
    run = cr.compile(graph)
    values = np.ones((8, 24), np.float32)
    plain = cr.compile(graph, target="numpy")
    state = run.initial_state(0)
    for a, b in zip(run.bind(state)(x=values), plain.bind(state)(x=values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_arrays_of_the_caller_integers_and_vectors_stay_row_major() -> None:
    x, y = product()
    labels = cr.argmax(y, 1)
    program = laid_out(Graph((cr.sum(y, axis=1), labels, x * 1.0)))
    for buffer in (*program.inputs, *(out for kernel in program.body for out in kernel.outs)):
        if buffer.role == "input" or not buffer.type.dtype.is_float or buffer.type.ndim < 2:
            assert buffer.panels is None


def test_vectors_along_the_other_axis_get_a_copy() -> None:
    x, y = product()
    w = next(node for node in Graph((y,)).leaves("state"))
    again = cr.tanh(y) @ cr.permute_dims(w, (1, 0))
    program = laid_out(Graph((again, x + again)))
    (copy,) = (kernel for kernel in program.body if isinstance(kernel, Copy))
    (source,) = copy.reads
    assert source.buffer.key == "w"
    assert (source.buffer.panels or Panels(9, 9)).axis == 1
    assert (copy.out.panels or Panels(9, 9)).axis == 0
    contractions = [root(k) for k in program.body if isinstance(root(k), Contraction)]
    assert copy.out in [view.buffer for view in contractions[1].reads]
    assert copy.out not in [view.buffer for view in contractions[0].reads]


@pytest.mark.parametrize(("columns", "copies"), [(20, 0), (32, 1)])
def test_where_lanes_lie_along_the_sum_no_copy_is_needed(columns: int, copies: int) -> None:
    x = cr.input("x", ("batch", columns))
    w = cr.parameter("w", (columns, 1000), 0.5)
    program = laid_out(Graph((cr.tanh(x @ w) @ cr.permute_dims(w, (1, 0)),)))
    assert sum(isinstance(kernel, Copy) for kernel in program.body) == copies


def test_a_copy_serves_all_contractions_until_its_source_changes() -> None:
    _, y = product()
    w = next(node for node in Graph((y,)).leaves("state"))
    turned = cr.permute_dims(w, (1, 0))
    both = cr.sum(cr.tanh(y) @ turned) + cr.sum(cr.exp(y) @ turned)
    program = laid_out(Graph((both,)))
    assert sum(isinstance(kernel, Copy) for kernel in program.body) == 1


def test_a_second_program_keeps_the_layouts_of_the_first() -> None:
    _, y = product()
    first = laid_out(Graph((y,)))
    w = next(node for node in Graph((y,)).leaves("state"))
    best = cr.parameter("best", (24, 32), 0.0)
    other = group(lower(Graph((cr.where(cr.less(w, best), w, best),))))
    alone = lay_out(other, AVX512, CAPACITY)
    shared = lay_out(other, AVX512, CAPACITY, layouts(first))
    assert by_name(alone)["w"].panels is None
    assert by_name(shared)["w"].panels == by_name(first)["w"].panels is not None
    assert by_name(shared)["best"].panels == by_name(first)["w"].panels  # beside which it is read
    plain = lay_out(group(lower(Graph((y,)))), AVX512, CAPACITY, {"w": None})
    assert by_name(plain)["w"].panels is None


@pytest.mark.parametrize("rows", [1, 24, 63, 64, 128])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_panels_do_not_begin_in_the_same_cache_sets(rows: int, dtype: object) -> None:
    type = TensorType((rows, 64), float32 if dtype is float32 else float64)
    found = panels(Buffer("w", type), 1, AVX512, CAPACITY)
    distance = (rows + found.gap) * found.lanes * type.dtype.itemsize
    assert distance % CACHE_SETS_BYTES != 0
    assert found.gap <= 1


@pytest.mark.parametrize("machine", [AVX512, AVX2], ids=["avx512", "avx2"])
@pytest.mark.parametrize("rows", [2, 7, 8, 9, 12, 16, 32, 48, 1024])
def test_all_panels_of_a_row_find_room_in_their_cache_sets(rows: int, machine: Machine) -> None:
    found = panels(Buffer("d", TensorType((rows, 1168), float32)), 1, machine, CAPACITY)
    panel = (rows + found.gap) * found.lanes * 4
    lines = {number * panel // 64 for number in range(-(-1168 // found.lanes))}
    most = max(Counter(line % (CACHE_SETS_BYTES // 64) for line in lines).values())
    assert most <= CACHE_WAYS
    assert found.gap == 0 or rows % 2 == 0


def test_the_batch_counts_with_its_capacity() -> None:
    of = Buffer("h", TensorType((named("batch"), 32), float32))
    assert panels(of, 1, AVX512, Capacity({"batch": 64})).gap == 1
    assert panels(of, 1, AVX512, Capacity({"batch": 60})).gap == 0
