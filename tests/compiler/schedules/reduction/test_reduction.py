"""Reductions as machine code, against NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.compiler.schedules.reduction.reduced import (
    BATCH,
    MACHINES,
    PRIMITIVES,
    Run,
    assert_reduced,
    expected,
    numbers,
    operand,
    result_of,
)
from tests.compiler.schedules.traced import Call, touches
from tests.native import nest_of

from chainc.ir.movements import Broadcast, Flip, Permute, Slice
from chainc.ir.types import (
    Array,
    DType,
    Shape,
    Size,
    TensorType,
    float32,
    float64,
    int32,
    int64,
    uint8,
)
from chainc.loops.language import Compute, Load, Prefetch, statements
from chainc.loops.text import print_nest
from chainc.lowering.grouping import Group
from chainc.lowering.instructions import Argument, Instruction, Result
from chainc.lowering.kernels import Map, Reduction
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.layout.machine import AVX2, AVX512, Machine
from chainc.schedules.reduction.schedule import schedule_reduce


@MACHINES
@pytest.mark.parametrize("primitive", PRIMITIVES)
@pytest.mark.parametrize("dtype", [float32, float64, int32, int64, uint8], ids=str)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 35), (0,)),
        ((37, 10), (1,)),
        ((3, 200), (1,)),
        ((77,), (0,)),
        ((3, 5, 19), (0, 2)),
        ((7, 3, 4), (1, 2)),
        ((6, 1, 4), (1,)),
        ((2, 3), ()),
        ((), ()),
    ],
    ids=str,
)
def test_plain(
    machine: Machine, primitive: str, dtype: DType, shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    x, values = operand(shape, dtype), numbers(shape, dtype)
    assert_reduced(Run(machine).reduce(x, values, primitive, axes), values, primitive, axes)


@pytest.mark.parametrize("primitive", PRIMITIVES)
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize(
    ("shape", "axis", "axes"),
    [
        ((64, 10), 1, (1,)),
        ((33, 20), 1, (1,)),
        ((9, 100), 1, (1,)),
        ((50, 40), 1, (0,)),
        ((50, 40), 1, (0, 1)),
        ((4, 6, 21), 2, (1,)),
        ((4, 6, 21), 2, (0, 2)),
        ((21, 6, 5), 0, (0,)),
        ((21, 6, 5), 0, (1, 2)),
        ((5, 33, 6), 1, (0, 1, 2)),
        ((5, 33, 6), 1, (1,)),
    ],
    ids=str,
)
@pytest.mark.parametrize("gap", [0, 1])
def test_panels(
    primitive: str,
    dtype: DType,
    shape: tuple[int, ...],
    axis: int,
    axes: tuple[int, ...],
    gap: int,
) -> None:
    panels = Panels(axis, AVX512.lanes(dtype), gap)
    x, values = operand(shape, dtype, panels), numbers(shape, dtype)
    assert_reduced(Run(AVX512).reduce(x, values, primitive, axes), values, primitive, axes)


@pytest.mark.parametrize("rows", [1, 3, 16, 50, 64])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)], ids=str)
@pytest.mark.parametrize("width", [1, 10, 16, 50, 100])
@pytest.mark.parametrize("panelled", [False, True])
@pytest.mark.parametrize("primitive", ["add", "maximum"])
def test_rows_that_are_known_when_running(
    rows: int, axes: tuple[int, ...], width: int, panelled: bool, primitive: str
) -> None:
    panels = Panels(1, 16) if panelled else None
    x, values = operand((BATCH, width), panels=panels), numbers((rows, width), float32)
    found = Run(AVX512, rows, 64).reduce(x, values, primitive, axes)
    assert_reduced(found, values, primitive, axes)


@pytest.mark.parametrize("machine", [AVX512, AVX2], ids=["avx512", "avx2"])
def test_rows_left_over_are_a_square_too(machine: Machine) -> None:
    x = operand((BATCH, 20), panels=Panels(1, machine.lanes(float32)))
    kernel = Reduction(result_of(x, (1,)), (View(x, x.type),), "add", (1,), False)
    nest, _ = nest_of(kernel, schedule_reduce, machine, 64)
    over_rows = [line for line in print_nest(nest).splitlines() if "for i0" in line]
    lanes = machine.lanes(float32)
    assert [each.strip() for each in over_rows] == [f"for i0 in 0..ceil(rows, {lanes}) by {lanes}:"]


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 100, 128])
@pytest.mark.parametrize("dtype", [float32, float64, int64, uint8], ids=str)
def test_vector_to_scalar(rows: int, dtype: DType) -> None:
    x, values = operand((BATCH,), dtype), numbers((rows,), dtype)
    found = Run(AVX512, rows, 128).reduce(x, values, "add", (0,))
    assert_reduced(found, values, "add", (0,))


@pytest.mark.parametrize("shape", [(3, 5), (3, 83), (80, 10)], ids=str)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)], ids=str)
def test_nothing_past_the_end_of_the_callers_arrays(
    shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    x = operand(shape, role="input")
    kernel = Reduction(result_of(x, axes), (View(x, x.type),), "add", axes, False)
    nest, buffers = nest_of(kernel, schedule_reduce, AVX512)
    of_x = nest.parameters[buffers.index(x)]
    read = [
        i for touch in touches(nest, Call()) if touch.parameter is of_x for i in touch.positions
    ]
    assert sorted(read) == list(range(shape[0] * shape[1]))
    values = numbers(shape, float32)
    assert_reduced(Run(AVX512).reduce(x, values, "add", axes), values, "add", axes)


@pytest.mark.parametrize("primitive", PRIMITIVES)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)], ids=str)
@pytest.mark.parametrize("panels", [None, Panels(1, 16)], ids=["plain", "panels"])
def test_special_values(primitive: str, axes: tuple[int, ...], panels: Panels | None) -> None:
    rng = np.random.default_rng(1)
    pool = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.0], np.float32)
    values = rng.choice(pool, (40, 21), p=[0.02, 0.03, 0.03, 0.2, 0.2, 0.26, 0.26])
    found = Run(AVX512).reduce(operand((40, 21), panels=panels), values, primitive, axes)
    with np.errstate(all="ignore"):
        wanted = getattr(np, primitive).reduce(values, axis=axes)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("shape", [(1,), (3,), (40,), (4, 40), (40, 4)], ids=str)
def test_sums_of_negative_zeros(shape: tuple[int, ...]) -> None:
    found = Run(AVX512).reduce(operand(shape), np.full(shape, -0.0, np.float32), "add", (0,))
    assert np.signbit(found).all()


@pytest.mark.parametrize("dtype", [float32, int32], ids=str)
@pytest.mark.parametrize(("primitive", "value"), [("add", 0), ("multiply", 1)])
@pytest.mark.parametrize(("shape", "axes"), [((0, 40), (0,)), ((3, 0), (1,)), ((0,), (0,))])
def test_empty(
    dtype: DType, primitive: str, value: int, shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    found = Run(AVX512).reduce(operand(shape, dtype), np.empty(shape, dtype.numpy), primitive, axes)
    np.testing.assert_array_equal(found, np.full(found.shape, value))
    assert not np.signbit(found).any()


def test_empty_result() -> None:
    assert (
        Run(AVX512).reduce(operand((0, 3)), np.empty((0, 3), np.float32), "maximum", (1,)).size == 0
    )


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2), (0, 1, 2)], ids=str)
def test_keepdims(axes: tuple[int, ...]) -> None:
    values = numbers((5, 18, 35), float32)
    found = Run(AVX512).reduce(operand((5, 18, 35)), values, "add", axes, keepdims=True)
    assert found.shape == expected(values, "add", axes, keepdims=True).shape
    assert_reduced(found, values, "add", axes)


@pytest.mark.parametrize("primitive", PRIMITIVES)
@pytest.mark.parametrize("axes", [(0,), (1,)], ids=str)
def test_through_movements(primitive: str, axes: tuple[int, ...]) -> None:
    """Every second column of the transposed operand, last row first."""
    x, values = operand((20, 60)), numbers((20, 60), float32)
    view = (
        View(x, x.type)
        .moved(Permute((60, 20), axes=(1, 0)))
        .moved(Slice((30, 20), starts=(0, 0), stops=(60, 20), steps=(2, 1)))
        .moved(Flip((30, 20), axes=(0,)))
    )
    moved = values.T[::2][::-1]
    out = Buffer("y", TensorType(expected(moved, primitive, axes).shape, float32))
    kernel = Reduction(out, (view,), primitive, axes, False)
    found = Run(AVX512)(kernel, schedule_reduce, {x: values}, out)
    assert_reduced(found, moved, primitive, axes)


@pytest.mark.parametrize("role", ["work", "input"])
@pytest.mark.parametrize("count", [6, 40, 83])
@pytest.mark.parametrize("turned", [False, True], ids=["rows repeated", "columns repeated"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)], ids=str)
def test_broadcast_operand(axes: tuple[int, ...], turned: bool, count: int, role: str) -> None:
    x, values = operand((count,), role=role), numbers((count,), float32)
    view, wide = View(x, x.type).moved(Broadcast((9, count))), np.broadcast_to(values, (9, count))
    if turned:
        view, wide = view.moved(Permute((count, 9), axes=(1, 0))), wide.T
    out = Buffer("y", TensorType(expected(wide, "add", axes).shape, float32))
    kernel = Reduction(out, (view,), "add", axes, False)
    found = Run(AVX512)(kernel, schedule_reduce, {x: values}, out)
    assert_reduced(found, wide, "add", axes)


def update_of_a_bias(batch: int, width: int, panelled: bool) -> tuple[Group, Buffer, Buffer]:
    """A step: bias - 0.5 Σ gradient, written over the bias."""
    panels = Panels(1, 16) if panelled else None
    gradient = operand((batch, width), panels=panels)
    total = Buffer("total", TensorType((width,), float32))
    new, bias = Buffer("new", total.type), Buffer("bias", total.type, "state")
    a, b = (Argument(i, total.type) for i in range(2))
    half = Buffer("half", TensorType((), float32), "state")
    product = Instruction("multiply", (b, Argument(2, half.type)), total.type)
    step = Instruction("subtract", (a, Result(0, total.type)), total.type)
    follower = Map(
        new,
        (View(bias, bias.type), View(total, total.type), View(half, half.type)),
        (product, step),
    )
    reduction = Reduction(total, (View(gradient, gradient.type),), "add", (0,), False)
    operands = (View(gradient, gradient.type), View(bias, bias.type), View(half, half.type))
    return Group(bias, operands, (reduction, follower), ((new, bias),)), gradient, bias


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("panelled", [False, True])
@pytest.mark.parametrize("width", [10, 100, 256])
def test_followers_and_threads(threads: int, panelled: bool, width: int) -> None:
    """The update is done once for each element, by whichever thread."""
    group, gradient, bias = update_of_a_bias(64, width, panelled)
    values, before = numbers((64, width), float32), numbers((width,), float32, 1)
    half = next(view.buffer for view in group.reads if view.buffer.name == "half")
    given: dict[Buffer, Array] = {
        gradient: values,
        bias: before,
        half: np.array(0.5, np.float32),
    }
    found = Run(AVX512, threads=threads)(group, schedule_reduce, given, bias)
    alone = Run(AVX512)(group, schedule_reduce, given, bias)
    np.testing.assert_array_equal(found, alone)
    wanted = before.astype(np.longdouble) - 0.5 * expected(values, "add", (0,))
    assert np.abs(found.astype(np.longdouble) - wanted).max() < 1e-4


@pytest.mark.parametrize("axes", [(0,), (1,)], ids=str)
@pytest.mark.parametrize("panels", [None, Panels(1, 16)], ids=["plain", "panels"])
@pytest.mark.parametrize("width", [10, 300])
@pytest.mark.parametrize("rows", [37, 512])
def test_bits_do_not_depend_on_threads(
    axes: tuple[int, ...], panels: Panels | None, width: int, rows: int
) -> None:
    x, values = operand((BATCH, width), panels=panels), numbers((rows, width), float32)
    runs = [Run(AVX512, rows, 512, threads).reduce(x, values, "add", axes) for threads in (1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert_reduced(runs[0], values, "add", axes)


@pytest.mark.parametrize("machine", [AVX512, AVX2], ids=["avx512", "avx2"])
@pytest.mark.parametrize(
    ("shape", "asks", "bounds"),
    [
        ((Size(64, ("batch",)), 32), True, False),
        ((BATCH, 32), False, True),
        ((64, 32), False, False),
    ],
    ids=["whole squares from afar", "any rows", "near"],
)
def test_squares(machine: Machine, shape: Shape, asks: bool, bounds: bool) -> None:
    """The next one is asked for; rows are kept within bounds where the last may stand out."""
    x = operand(shape)
    kernel = Reduction(result_of(x, (1,)), (View(x, x.type),), "add", (1,), False)
    nest, _ = nest_of(kernel, schedule_reduce, machine, 64)
    found = list(statements(nest.body))
    asked = {each.address for each in found if isinstance(each, Prefetch)}
    read = {each.address for each in found if isinstance(each, Load)}
    later = {replace(each, position=each.position + 32 * machine.lanes(float32)) for each in read}
    assert asked == (later if asks else set())
    assert (
        any(isinstance(each, Compute) and each.primitive == "minimum" for each in found) == bounds
    )
