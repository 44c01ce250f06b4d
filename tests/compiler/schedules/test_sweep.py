"""Sweeps over panels whose last one is not whole, and over squares that are turned."""

from __future__ import annotations

import numpy as np
import pytest
from tests.native import aligned, call, nest_of, packed, unpacked

from chainc.ir.movements import Permute
from chainc.ir.types import DType, TensorType, float32, float64, int32, int64, uint8
from chainc.loops.language import Load, Loop, Transpose, statements
from chainc.lowering.instructions import Argument, Instruction
from chainc.lowering.kernels import Fill, Map
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.elementwise import schedule_fill, schedule_map
from chainc.schedules.layout.machine import AVX2, AVX512, Machine


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("width", [5, 16, 100])
def test_every_element_is_updated_once(threads: int, width: int) -> None:
    type = TensorType((900, width), float32)
    slot, step = Buffer("p", type, "state"), Buffer("g", type, panels=Panels(1, 16))
    a, b = (Argument(i, type) for i in range(2))
    kernel = Map(
        slot, (View(slot, type), View(step, type)), (Instruction("subtract", (a, b), type),)
    )
    nest, buffers = nest_of(kernel, schedule_map, AVX512)
    assert nest.shared
    values = np.random.default_rng(0).standard_normal((900, width)).astype(np.float32)
    arrays = {slot: packed(slot, values), step: packed(step, np.ones_like(values))}
    call(nest, [arrays[each] for each in buffers], AVX512, threads=threads)
    np.testing.assert_array_equal(unpacked(slot, arrays[slot], values.shape), values - 1)


def test_strided_vectors_do_not_stand_out() -> None:
    """Past the end, such a vector would reach whole rows behind the array."""
    x = Buffer("x", TensorType((20, 4096), float32))
    y = Buffer("y", TensorType((4096, 20), float32), panels=Panels(1, 16))
    turned = View(x, x.type).moved(Permute((4096, 20), axes=(1, 0)))
    negative = Instruction("negative", (Argument(0, turned.type),), y.type)
    nest, _ = nest_of(Map(y, (turned,), (negative,)), schedule_map, AVX512)
    (panels,) = (
        each
        for each in nest.body
        if isinstance(each, Loop)
        and any(
            isinstance(inner, Load) and inner.out.kind.lanes > 1 for inner in statements(each.body)
        )
    )
    assert panels.step == 16


def turned_and_added(shape: tuple[int, ...], axes: tuple[int, ...], dtype: DType) -> Map:
    """The sum of x with permuted axes and y."""
    x = Buffer("x", TensorType(shape, dtype), "input")
    y = Buffer("y", TensorType(tuple(shape[axis] for axis in axes), dtype), "input")
    turned = View(x, x.type).moved(Permute(y.type.shape, axes))
    both = Instruction("add", (Argument(0, y.type), Argument(1, y.type)), y.type)
    return Map(Buffer("z", y.type, "output"), (turned, View(y, y.type)), (both,))


@pytest.mark.parametrize("machine", [AVX2, AVX512], ids=["avx2", "avx512"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", [float32, float64, int32], ids=str)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((64, 96), (1, 0)),
        ((101, 53), (1, 0)),
        ((19, 18, 21), (2, 0, 1)),
        ((3, 33, 50), (0, 2, 1)),
        ((17, 5, 40), (2, 1, 0)),
    ],
    ids=str,
)
def test_what_lies_across_is_turned_in_squares(
    shape: tuple[int, ...], axes: tuple[int, ...], dtype: DType, threads: int, machine: Machine
) -> None:
    kernel = turned_and_added(shape, axes, dtype)
    nest, buffers = nest_of(kernel, schedule_map, machine)
    assert any(isinstance(each, Transpose) for each in statements(nest.body))
    numbers = np.random.default_rng(0).integers(0, 99, (2, *shape)).astype(dtype.name)
    values = dict(zip("xy", (numbers[0], numbers[1].transpose(axes).copy()), strict=True))
    arrays = {each: packed(each, values[each.name]) for each in buffers if each.name in values}
    arrays[kernel.out] = packed(kernel.out, np.zeros_like(values["y"]))
    call(nest, [arrays[each] for each in buffers], machine, threads=threads)
    found = unpacked(kernel.out, arrays[kernel.out], values["y"].shape)
    np.testing.assert_array_equal(found, values["x"].transpose(axes) + values["y"])


@pytest.mark.parametrize(
    ("shape", "dtype"), [((5, 300), float32), ((300, 5), float32), ((64, 64), uint8)], ids=str
)
def test_few_rows_and_bytes_are_read_where_they_are(shape: tuple[int, int], dtype: DType) -> None:
    nest, _ = nest_of(turned_and_added(shape, (1, 0), dtype), schedule_map, AVX512)
    assert not any(isinstance(each, Transpose) for each in statements(nest.body))


def test_wide_integers_end_with_their_cache_line() -> None:
    """Sixteen of them are two cache lines, and the second one may be another buffer's."""
    type = TensorType((4,), int64)
    x, y = Buffer("x", type), Buffer("y", type)
    doubled = Instruction("add", (Argument(0, type), Argument(0, type)), type)
    nest, buffers = nest_of(Map(y, (View(x, type),), (doubled,)), schedule_map, AVX512)
    arrays = {x: aligned(np.arange(16)), y: aligned(np.full(16, -1))}
    call(nest, [arrays[each] for each in buffers], AVX512)
    np.testing.assert_array_equal(arrays[y][8:], -1)
    np.testing.assert_array_equal(arrays[y][:4], [0, 2, 4, 6])


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("channels", [6, 40])
def test_a_border_is_filled_and_no_more(threads: int, channels: int) -> None:
    """With few panels, threads share the images."""
    type = TensorType((90, channels, 14, 12), float32)
    image = Buffer("padded", type, panels=Panels(1, 16))
    border = Fill(image, (), 3.0, (0, 0, 2, 1), (90, channels, 11, 11))
    nest, buffers = nest_of(border, schedule_fill, AVX512)
    assert nest.shared
    values = np.random.default_rng(0).standard_normal((90, channels, 14, 12)).astype(np.float32)
    array = packed(image, values)
    call(nest, [array for _ in buffers], AVX512, threads=threads)
    expected = np.full_like(values, 3.0)
    expected[:, :, 2:13, 1:] = values[:, :, 2:13, 1:]
    np.testing.assert_array_equal(unpacked(image, array, values.shape), expected)
