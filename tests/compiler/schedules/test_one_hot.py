"""One-hot codes, picked elements and ranges as machine code, against NumPy."""

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

from chainc.ir.movements import Window
from chainc.ir.types import (
    DType,
    float32,
    float64,
    int32,
    int64,
    uint8,
)
from chainc.loops.language import Store, statements
from chainc.lowering.kernels import Applied
from chainc.lowering.views import Panels, View
from chainc.ops.families.indexing import Iota, OneHot, Pick
from chainc.schedules.indexing.slices import (
    schedule_arange,
    schedule_one_hot,
    schedule_pick,
)
from chainc.schedules.layout.machine import AVX2, AVX512, Machine


@MACHINES
@pytest.mark.parametrize("dtype", [float32, float64, int32, uint8], ids=str)
@pytest.mark.parametrize("indices", [(50,), (3, 5), (), (0,)], ids=str)
@pytest.mark.parametrize("depth", [1, 3, 10, 40])
def test_one_hot(machine: Machine, dtype: DType, indices: tuple[int, ...], depth: int) -> None:
    listed, classes = buffer("index", indices, int32), buffer("classes", (depth,), int32)
    picked = some_indices(depth, indices)
    kernel = Applied(buffer("y", (*indices, depth), dtype), (view(listed), view(classes)), OneHot())
    found, code = run(kernel, schedule_one_hot, {listed: picked}, machine)
    assert code == 0
    np.testing.assert_array_equal(found, np.eye(depth)[picked])


@pytest.mark.parametrize(
    ("machine", "depth", "widths"),
    [
        (AVX512, 2, [2]),
        (AVX512, 3, [2, 1]),
        (AVX512, 4, [4]),
        (AVX512, 10, [16]),
        (AVX512, 20, [16, 16]),
        (AVX2, 3, [2, 1]),
    ],
)
def test_few_columns_are_short_vectors_without_masks(
    machine: Machine, depth: int, widths: list[int]
) -> None:
    listed, classes = buffer("index", (BATCH,), int32), buffer("classes", (depth,), int32)
    kernel = Applied(
        buffer("y", (BATCH, depth)), (view(listed), view(classes)), OneHot(), checked=False
    )
    nest, _ = nest_of(kernel, schedule_one_hot, machine, 64)
    stores = [each for each in statements(nest.body) if isinstance(each, Store)]
    assert [each.value.kind.lanes for each in stores] == widths
    assert all(not each.address.first for each in stores) == (depth <= 4)


@pytest.mark.parametrize("rows", [1, 33, 64])
@pytest.mark.parametrize("dtype", [int32, int64, uint8], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("width", [1, 10, 100])
def test_one_hot_of_rows_in_panels(rows: int, dtype: DType, threads: int, width: int) -> None:
    """Rows that are not there hold anything; no index among them is refused."""
    listed, classes = buffer("index", (BATCH,), dtype), buffer("classes", (width,), dtype)
    out = buffer("y", (BATCH, width), panels=Panels(1, 16))
    picked = some_indices(width, (rows,), dtype)
    kernel = Applied(out, (view(listed), view(classes)), OneHot())
    found, code = run(
        kernel, schedule_one_hot, {listed: picked}, rows=rows, capacity=64, threads=threads
    )
    assert code == 0
    np.testing.assert_array_equal(found, np.eye(width)[picked])


@pytest.mark.parametrize("dtype", [int32, int64], ids=str)
def test_panels_are_whole_vectors_whatever_the_type_of_an_index(dtype: DType) -> None:
    """An index is one number a row: it is no vector that could reach past the end."""
    listed, classes = buffer("index", (32,), dtype), buffer("classes", (10,), dtype)
    kernel = Applied(
        buffer("y", (32, 10), panels=Panels(1, 16)), (view(listed), view(classes)), OneHot()
    )
    nest, _ = nest_of(kernel, schedule_one_hot, AVX512)
    stores = [each for each in statements(nest.body) if isinstance(each, Store)]
    assert [each.value.kind.lanes for each in stores] == [16]


@pytest.mark.parametrize("wrong", [-1, 10, 1 << 32])
@pytest.mark.parametrize("position", [0, 18, 19])
def test_one_hot_refuses_an_index_out_of_range(wrong: int, position: int) -> None:
    listed, classes = buffer("index", (20,), int64), buffer("classes", (10,), int64)
    picked = some_indices(10, (20,), int64)
    picked[position] = wrong
    kernel = Applied(buffer("y", (20, 10)), (view(listed), view(classes)), OneHot())
    assert run(kernel, schedule_one_hot, {listed: picked})[1] == 7


@MACHINES
@pytest.mark.parametrize("panels", [None, Panels(1, 8), Panels(1, 16)], ids=str)
@pytest.mark.parametrize("width", [1, 10, 33])
def test_pick(machine: Machine, panels: Panels | None, width: int) -> None:
    x, index = buffer("x", (20, width), panels=panels), buffer("index", (20,), int32)
    values, chosen = numbers((20, width)), some_indices(width, (20,))
    kernel = Applied(buffer("y", (20,)), (view(x), view(index)), Pick())
    found, code = run(kernel, schedule_pick, {x: values, index: chosen}, machine)
    assert code == 0
    np.testing.assert_array_equal(found, values[np.arange(20), chosen])


@MACHINES
def test_pick_among_rows_that_overlap(machine: Machine) -> None:
    """Positions of windows are no axis that goes on where the rows' ends: two loops, not one."""
    x, index = buffer("x", (2, 6)), buffer("index", (2, 4), int32)
    values, chosen = numbers((2, 6)), some_indices(3, (2, 4))
    movement = Window((2, 4, 3), (1,), ((1, 1),))
    windows = View(x, x.type.with_shape(movement.shape), (movement,))
    kernel = Applied(buffer("y", (2, 4)), (windows, view(index)), Pick())
    found, code = run(kernel, schedule_pick, {x: values, index: chosen}, machine)
    assert code == 0
    expected = [
        [row[p + i] for p, i in enumerate(picked)]
        for row, picked in zip(values, chosen, strict=True)
    ]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("wrong", [-1, 10, 1 << 32])
def test_pick_refuses_an_index_out_of_range(wrong: int) -> None:
    x, index = buffer("x", (3, 10)), buffer("index", (3,), int64)
    chosen = np.array([0, wrong, 9])
    kernel = Applied(buffer("y", (3,)), (view(x), view(index)), Pick())
    assert run(kernel, schedule_pick, {x: numbers((3, 10)), index: chosen})[1] == 7


@pytest.mark.parametrize("dtype", [float32, int32, int64, uint8], ids=str)
@pytest.mark.parametrize("count", [0, 1, 16, 100])
@pytest.mark.parametrize("panels", [None, Panels(0, 16)], ids=["plain", "panels"])
def test_arange(dtype: DType, count: int, panels: Panels | None) -> None:
    kernel = Applied(buffer("y", (count,), dtype, panels=panels), (), Iota())
    found, _ = run(kernel, schedule_arange, {})
    np.testing.assert_array_equal(found, np.arange(count))


@pytest.mark.parametrize("rows", [1, 16, 5000])
@pytest.mark.parametrize("threads", [1, 2])
def test_arange_of_rows(rows: int, threads: int) -> None:
    kernel = Applied(buffer("y", (BATCH,), int64), (), Iota())
    found, _ = run(kernel, schedule_arange, {}, rows=rows, capacity=5000, threads=threads)
    np.testing.assert_array_equal(found, np.arange(rows))
