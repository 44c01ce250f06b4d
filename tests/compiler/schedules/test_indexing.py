"""Gathering and scattering as machine code, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler.schedules.indexed import (
    BATCH,
    MACHINES,
    buffer,
    numbers,
    run,
    some_indices,
    view,
)
from tests.native import nest_of

from chainc.ir.movements import Permute, Slice
from chainc.ir.types import (
    Array,
    DType,
    TensorType,
    float32,
    float64,
    int32,
    int64,
    uint8,
)
from chainc.lowering.grouping import Group
from chainc.lowering.instructions import Argument, Instruction
from chainc.lowering.kernels import Applied, Map
from chainc.lowering.views import Buffer, Panels, View
from chainc.ops.families.indexing import Gather, Pick, ScatterAdd
from chainc.schedules.indexing.slices import (
    schedule_gather,
    schedule_pick,
    schedule_scatter_add,
)
from chainc.schedules.layout.machine import AVX512, Machine


def gather(
    table: Buffer, indices: Buffer, axis: int, *, checked: bool = True, panels: Panels | None = None
) -> Applied:
    old = table.type.shape
    shape = (*old[:axis], *indices.type.shape, *old[axis + 1 :])
    out = Buffer("y", TensorType(shape, table.type.dtype), panels=panels)
    return Applied(out, (view(table), view(indices)), Gather(axis), checked)


@MACHINES
@pytest.mark.parametrize("dtype", [float32, float64, int32, int64, uint8], ids=str)
@pytest.mark.parametrize(
    ("shape", "indices", "axis"),
    [
        ((9, 35), (12,), 0),
        ((9, 32), (3, 4), 0),
        ((7, 9, 20), (5,), 1),
        ((7, 9), (5,), 1),
        ((40,), (33,), 0),
        ((5, 6, 7), (2, 3), 0),
        ((5, 20), (), 0),
        ((5,), (), 0),
        ((5, 3), (0,), 0),
        ((5, 0), (4,), 0),
    ],
    ids=str,
)
def test_gather(
    machine: Machine,
    dtype: DType,
    shape: tuple[int, ...],
    indices: tuple[int, ...],
    axis: int,
) -> None:
    table, listed = buffer("x", shape, dtype), buffer("index", indices, int32)
    values, picked = numbers(shape, dtype), some_indices(shape[axis], indices)
    found, code = run(
        gather(table, listed, axis), schedule_gather, {table: values, listed: picked}, machine
    )
    assert code == 0
    np.testing.assert_array_equal(found, np.take(values, picked, axis))


@pytest.mark.parametrize("dtype", [int32, int64, uint8], ids=str)
def test_types_of_indices(dtype: DType) -> None:
    table, listed = buffer("x", (200, 17)), buffer("index", (30,), dtype)
    values, picked = numbers((200, 17)), some_indices(200, (30,), dtype)
    found, code = run(gather(table, listed, 0), schedule_gather, {table: values, listed: picked})
    assert code == 0
    np.testing.assert_array_equal(found, values[picked])


@pytest.mark.parametrize(
    ("of", "to", "axis"),
    [
        (None, Panels(1, 16), 0),
        (Panels(1, 16), None, 0),
        (Panels(1, 16), Panels(1, 16, gap=1), 0),
        (Panels(0, 16), None, 0),
        (Panels(0, 16), Panels(1, 16), 0),
        (None, Panels(0, 16), 0),
        (Panels(1, 16), Panels(1, 16), 1),
        (Panels(0, 16), Panels(0, 16), 1),
    ],
    ids=str,
)
def test_gather_of_and_to_panels(of: Panels | None, to: Panels | None, axis: int) -> None:
    table, listed = buffer("x", (37, 50), panels=of), buffer("index", (20,), int64)
    values, picked = numbers((37, 50)), some_indices(37, (20,), int64)
    kernel = gather(table, listed, axis, panels=to)
    found, code = run(kernel, schedule_gather, {table: values, listed: picked})
    assert code == 0
    np.testing.assert_array_equal(found, np.take(values, picked, axis))


@pytest.mark.parametrize("panels", [Panels(0, 16), Panels(1, 16), Panels(1, 16, gap=1)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_picks_go_through_panels_one_by_one(panels: Panels, threads: int) -> None:
    """Each element has an index of its own: vectors would take one for all their lanes."""
    rows, listed = buffer("x", (37, 300, 5)), buffer("index", (37, 300), int64, panels=panels)
    out = buffer("out", (37, 300), panels=panels)
    kernel = Applied(out, (view(rows), view(listed)), Pick())
    values, picked = numbers((37, 300, 5)), some_indices(5, (37, 300), int64)
    found, code = run(kernel, schedule_pick, {rows: values, listed: picked}, threads=threads)
    assert code == 0
    np.testing.assert_array_equal(found, np.take_along_axis(values, picked[..., None], 2)[..., 0])


def loader(width: int, dtype: DType, panels: Panels | None) -> tuple[Group, Buffer, Buffer]:
    """The rows of a data set that an order lists, as float32."""
    data = buffer("data", (500, width), dtype, role="input")
    order = buffer("order", (BATCH,), int64)
    rows = Buffer("rows", TensorType((BATCH, width), dtype))
    batch = buffer("batch", (BATCH, width), panels=panels)
    kernel = Applied(rows, (view(data), view(order)), Gather(0), checked=False)
    cast = Instruction("cast", (Argument(0, rows.type),), batch.type)
    converted = Map(batch, (view(rows),), (cast,))
    operands = (view(data), view(order))
    return Group(batch, operands, (kernel, converted), ((batch, batch),)), data, order


@pytest.mark.parametrize("rows", [1, 50, 64])
@pytest.mark.parametrize("width", [10, 64, 617])
@pytest.mark.parametrize("dtype", [float32, uint8], ids=str)
@pytest.mark.parametrize("panels", [None, Panels(1, 16)], ids=["plain", "panels"])
@pytest.mark.parametrize("threads", [1, 2])
def test_batches_of_a_data_set(
    rows: int, width: int, dtype: DType, panels: Panels | None, threads: int
) -> None:
    kernel, data, order = loader(width, dtype, panels)
    values = numbers((500, width), dtype)
    picked = np.random.default_rng(1).permutation(500)[:rows]
    picked[0] = 499  # the last row: nothing may be read behind it
    given = {data: values, order: picked}
    found, _ = run(kernel, schedule_gather, given, rows=rows, capacity=64, threads=threads)
    np.testing.assert_array_equal(found, values[picked].astype(np.float32))


def test_nothing_is_read_behind_the_data() -> None:
    """Of what is read from the caller's array, no vector stands out past a row."""
    kernel, _, _ = loader(100, float32, Panels(1, 16))
    nest, _ = nest_of(kernel, schedule_gather, AVX512, 64)
    (data,) = (parameter for parameter in nest.parameters if parameter.name == "data")
    assert not data.padded
    values = np.full((500, 100), 2.0, np.float32)
    found, _ = run(
        kernel,
        schedule_gather,
        {kernel.reads[0].buffer: values, kernel.reads[1].buffer: np.arange(64)},
        rows=64,
        capacity=64,
    )
    np.testing.assert_array_equal(found, np.full((64, 100), 2.0))


@pytest.mark.parametrize("wrong", [-1, 9, 1 << 40, -(1 << 40)])
@pytest.mark.parametrize("panels", [None, Panels(0, 16)], ids=["plain", "panels"])
def test_gather_refuses_an_index_out_of_range(wrong: int, panels: Panels | None) -> None:
    """The others are gathered all the same, and nothing outside is read."""
    table, listed = buffer("x", (9, 20), panels=panels), buffer("index", (5,), int64)
    values, picked = numbers((9, 20)), np.array([0, 8, wrong, 3, 1])
    found, code = run(gather(table, listed, 0), schedule_gather, {table: values, listed: picked})
    assert code == 7
    right = [0, 1, 3, 4]
    np.testing.assert_array_equal(found[right], values[picked[right]])


def test_gather_from_nothing_is_refused() -> None:
    table, listed = buffer("x", (0, 4)), buffer("index", (2,), int64)
    given: dict[Buffer, Array] = {
        table: np.empty((0, 4), np.float32),
        listed: np.zeros(2, np.int64),
    }
    kernel = gather(table, listed, 0)
    given[kernel.out] = np.ones((2, 4), np.float32)
    found, code = run(kernel, schedule_gather, given)
    assert code == 7
    np.testing.assert_array_equal(found, np.ones((2, 4)))


@pytest.mark.parametrize(("index", "code"), [(4, 0), (5, 7)])
def test_gather_along_rows_is_checked_against_their_number(index: int, code: int) -> None:
    """The table has room for more rows than there are."""
    table, listed = buffer("x", (BATCH, 3)), buffer("index", (1,), int64)
    values, picked = numbers((5, 3)), np.array([index])
    given = {table: values, listed: picked}
    found = run(gather(table, listed, 0), schedule_gather, given, rows=5, capacity=8)
    assert found[1] == code


def test_gather_through_movements() -> None:
    table, listed = buffer("x", (20, 9)), buffer("index", (6,), int32)
    values, picked = numbers((20, 9)), some_indices(9, (12,))[::2]
    spaced = buffer("index", (12,), int32)
    indices = View(spaced, spaced.type).moved(Slice((6,), starts=(0,), stops=(12,), steps=(2,)))
    transposed = view(table).moved(Permute((9, 20), axes=(1, 0)))
    out = buffer("y", (6, 20))
    every = some_indices(9, (12,))
    found, _ = run(
        Applied(out, (transposed, indices), Gather(0)),
        schedule_gather,
        {table: values, spaced: every},
    )
    np.testing.assert_array_equal(found, values.T[picked])
    assert listed.type == indices.type


def scatter(
    shape: tuple[int, ...], indices: tuple[int, ...], axis: int, dtype: DType
) -> tuple[Applied, dict[Buffer, Array], Array]:
    """A kernel, its operands, and what NumPy gives for them."""
    slices = (*shape[:axis], *indices, *shape[axis + 1 :])
    out, listed, updates = (
        buffer("y", shape, dtype),
        buffer("index", indices, int32),
        buffer("update", slices, dtype),
    )
    base, added = numbers(shape, dtype), numbers(slices, dtype, 1)
    picked = some_indices(max(shape[axis] // 2, 1), indices)  # so that some repeat
    wanted = base.copy()
    rank = len(indices)
    slices_first = np.moveaxis(added, range(axis, axis + rank), range(rank))
    np.add.at(np.moveaxis(wanted, axis, 0), picked, slices_first)
    kernel = Applied(out, (view(listed), view(updates)), ScatterAdd(axis))
    return kernel, {out: base, listed: picked, updates: added}, wanted


@MACHINES
@pytest.mark.parametrize("dtype", [float32, float64, int64, uint8], ids=str)
@pytest.mark.parametrize(
    ("shape", "indices", "axis"),
    [
        ((9, 35), (12,), 0),
        ((9, 32), (3, 4), 0),
        ((7, 9, 20), (5,), 1),
        ((7, 9), (15,), 1),
        ((8,), (33,), 0),
        ((5, 20), (), 0),
        ((5, 3), (0,), 0),
    ],
    ids=str,
)
def test_scatter_add(
    machine: Machine,
    dtype: DType,
    shape: tuple[int, ...],
    indices: tuple[int, ...],
    axis: int,
) -> None:
    """In order of position, so the very bits of NumPy."""
    kernel, given, wanted = scatter(shape, indices, axis, dtype)
    found, code = run(kernel, schedule_scatter_add, given, machine)
    assert code == 0
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_threads_scatter_to_places_of_their_own(threads: int, axis: int) -> None:
    kernel, given, wanted = scatter((10, 12, 64), (30,), axis, float32)
    nest, _ = nest_of(kernel, schedule_scatter_add, AVX512)
    assert nest.shared == (axis == 1)  # never the positions, whose order is that of the sums
    found, _ = run(kernel, schedule_scatter_add, given, threads=threads)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("panels", [Panels(0, 16), Panels(1, 16), Panels(1, 16, 1)], ids=str)
@pytest.mark.parametrize("axis", [0, 1])
def test_scatter_add_to_panels(panels: Panels, axis: int) -> None:
    kernel, given, wanted = scatter((20, 35), (12,), axis, float32)
    out = buffer("y", (20, 35), panels=panels)
    operands = {out if each is kernel.out else each: values for each, values in given.items()}
    moved = Applied(out, kernel.operands, ScatterAdd(axis))
    found, _ = run(moved, schedule_scatter_add, operands)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("wrong", [-1, 9])
def test_scatter_add_refuses_an_index_out_of_range(wrong: int) -> None:
    kernel, given, _ = scatter((9, 20), (5,), 0, float32)
    listed = kernel.reads[0].buffer
    given[listed] = np.array([1, wrong, 2, 3, 4], np.int32)
    assert run(kernel, schedule_scatter_add, given)[1] == 7
