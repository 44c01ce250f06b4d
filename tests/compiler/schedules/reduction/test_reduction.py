"""Reductions and positions of extremes as machine code, against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from tests.compiler.schedules.traced import Call, touches
from tests.native import call, nest_of, packed, storage, unpacked

from chainc.ir.types import (
    Array,
    DType,
    Shape,
    TensorType,
    float32,
    float64,
    int32,
    int64,
    named,
    uint8,
)
from chainc.lowering.program import (
    Buffer,
    Group,
    IndexOf,
    Instruction,
    Kernel,
    Map,
    Movement,
    Panels,
    Reduction,
    Reference,
    View,
)
from chainc.schedules.frame import Frame
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine
from chainc.schedules.reduction.schedule import schedule_index_of, schedule_reduce

BATCH = named("batch")
PRIMITIVES = ("add", "multiply", "maximum", "minimum")
MACHINES = pytest.mark.parametrize("machine", [AVX512, AVX2, SSE], ids=["avx512", "avx2", "sse"])

Schedule = Callable[[Frame], None]


@dataclass
class Run:
    """A reduction of one operand on a machine, on `rows` of at most `capacity` rows."""

    machine: Machine
    rows: int = 1
    capacity: int = 1
    threads: int = 1

    def __call__(
        self, kernel: Kernel, schedule: Schedule, given: dict[Buffer, Array], out: Buffer
    ) -> Array:
        nest, buffers = nest_of(kernel, schedule, self.machine, self.capacity)
        arrays = {buffer: self._stored(buffer, values) for buffer, values in given.items()}
        arrays.setdefault(out, storage(out, self.capacity))
        call(nest, [arrays[buffer] for buffer in buffers], self.machine, self.rows, self.threads)
        sizes = [d if isinstance(d, int) else d.coefficient * self.rows for d in out.type.shape]
        return unpacked(out, arrays[out], tuple(sizes), self.capacity) if sizes else arrays[out][0]

    def _stored(self, buffer: Buffer, values: Array) -> Array:
        if values.ndim:
            return packed(buffer, values, self.capacity)
        stored = storage(buffer)
        stored[0] = values
        return stored

    def reduce(
        self,
        x: Buffer,
        values: Array,
        primitive: str,
        axes: tuple[int, ...],
        keepdims: bool = False,
    ) -> Array:
        out = result_of(x, axes, keepdims)
        kernel = Reduction(out, (View(x, x.type),), primitive, axes, keepdims)
        return self(kernel, schedule_reduce, {x: values}, out)

    def index_of(self, x: Buffer, values: Array, primitive: str, axis: int) -> Array:
        out = result_of(x, (axis,), False, int64)
        kernel = IndexOf(out, (View(x, x.type),), primitive, axis)
        return self(kernel, schedule_index_of, {x: values}, out)


def result_of(
    x: Buffer, axes: tuple[int, ...], keepdims: bool = False, dtype: DType | None = None
) -> Buffer:
    kept = [1 if i in axes else dim for i, dim in enumerate(x.type.shape)]
    shape = kept if keepdims else [dim for i, dim in enumerate(kept) if i not in axes]
    return Buffer("y", TensorType(tuple(shape), dtype or x.type.dtype))


def operand(
    shape: Shape, dtype: DType = float32, panels: Panels | None = None, role: str = "work"
) -> Buffer:
    return Buffer("x", TensorType(shape, dtype), role, panels=panels)


def numbers(shape: Sequence[int], dtype: DType, seed: int = 0) -> Array:
    """Of size about 1, so that sums and products of some hundred stay within range."""
    rng = np.random.default_rng(seed)
    if dtype.is_float:
        signs = rng.choice([-1, 1], tuple(shape))
        return np.asarray(rng.uniform(0.8, 1.25, tuple(shape)) * signs, dtype.numpy)
    return rng.integers(0, 100, tuple(shape)).astype(dtype.numpy)


Wide = npt.NDArray[np.longdouble]


def expected(values: Array, primitive: str, axes: tuple[int, ...], keepdims: bool = False) -> Wide:
    """In a wider type; integers wrap around first."""
    fold: np.ufunc = getattr(np, primitive)
    wide = np.longdouble if values.dtype.kind == "f" else values.dtype
    folded = fold.reduce(values.astype(wide), axis=axes, keepdims=keepdims, dtype=wide)
    return np.asarray(folded, np.longdouble)


def assert_reduced(found: Array, values: Array, primitive: str, axes: tuple[int, ...]) -> None:
    wanted = expected(values, primitive, axes).reshape(found.shape)
    if values.dtype.kind != "f" or primitive in ("maximum", "minimum"):
        np.testing.assert_array_equal(found, wanted)
        return
    # n - 1 roundings, each by at most half a unit of the last place of a partial result
    bound = expected(np.abs(values.astype(np.longdouble)), primitive, axes).reshape(found.shape)
    count, unit = values.size / max(found.size, 1), 2.0 ** (-23 if found.itemsize == 4 else -52)
    assert (np.abs(found.astype(np.longdouble) - wanted) <= count * unit * bound).all()


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
        .moved(Movement("permute", (60, 20), axes=(1, 0)))
        .moved(Movement("slice", (30, 20), starts=(0, 0), stops=(60, 20), steps=(2, 1)))
        .moved(Movement("flip", (30, 20), axes=(0,)))
    )
    moved = values.T[::2][::-1]
    out = Buffer("y", TensorType(expected(moved, primitive, axes).shape, float32))
    kernel = Reduction(out, (view,), primitive, axes, False)
    found = Run(AVX512)(kernel, schedule_reduce, {x: values}, out)
    assert_reduced(found, moved, primitive, axes)


@pytest.mark.parametrize("axes", [(0,), (1,)], ids=str)
def test_broadcast_operand(axes: tuple[int, ...]) -> None:
    x, values = operand((40,)), numbers((40,), float32)
    view = View(x, x.type).moved(Movement("broadcast", (24, 40)))
    wide = np.broadcast_to(values, (24, 40))
    out = Buffer("y", TensorType(expected(wide, "add", axes).shape, float32))
    found = Run(AVX512)(
        Reduction(out, (view,), "add", axes, False), schedule_reduce, {x: values}, out
    )
    assert_reduced(found, wide, "add", axes)


def update_of_a_bias(batch: int, width: int, panelled: bool) -> tuple[Group, Buffer, Buffer]:
    """A step: bias - 0.5 Σ gradient, written over the bias."""
    panels = Panels(1, 16) if panelled else None
    gradient = operand((batch, width), panels=panels)
    total = Buffer("total", TensorType((width,), float32))
    new, bias = Buffer("new", total.type), Buffer("bias", total.type, "state")
    a, b = (Reference("argument", i, total.type) for i in range(2))
    half = Buffer("half", TensorType((), float32), "state")
    product = Instruction("multiply", (b, Reference("argument", 2, half.type)), total.type)
    step = Instruction("subtract", (a, Reference("instruction", 0, total.type)), total.type)
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


@MACHINES
@pytest.mark.parametrize("primitive", ["maximum", "minimum"])
@pytest.mark.parametrize("dtype", [float32, float64, int64, uint8], ids=str)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((37, 10), 1), ((20, 45), 1), ((45, 20), 0), ((50,), 0), ((4, 1), 1)],
    ids=str,
)
def test_index_of(
    machine: Machine, primitive: str, dtype: DType, shape: tuple[int, ...], axis: int
) -> None:
    values = np.random.default_rng(2).integers(0, 9, shape).astype(dtype.numpy)  # many are equal
    found = Run(machine).index_of(operand(shape, dtype), values, primitive, axis)
    assert found.dtype == np.int64
    find = {"maximum": np.argmax, "minimum": np.argmin}[primitive]
    np.testing.assert_array_equal(found, find(values, axis=axis))


@pytest.mark.parametrize("rows", [1, 16, 50])
@pytest.mark.parametrize("primitive", ["maximum", "minimum"])
@pytest.mark.parametrize(("width", "axis"), [(10, 1), (40, 1), (40, 0)])
def test_index_of_special_values_in_panels(
    rows: int, primitive: str, width: int, axis: int
) -> None:
    rng = np.random.default_rng(3)
    pool = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
    values = rng.choice(pool, (rows, width), p=[0.04, 0.02, 0.3, 0.32, 0.32])
    x = operand((BATCH, width), panels=Panels(1, 16))
    found = Run(AVX512, rows, 64).index_of(x, values, primitive, axis)
    find = {"maximum": np.argmax, "minimum": np.argmin}[primitive]
    np.testing.assert_array_equal(found, find(values, axis=axis))


@pytest.mark.parametrize("primitive", ["maximum", "minimum"])
def test_index_of_nothing_but_the_worst(primitive: str) -> None:
    worst = -np.inf if primitive == "maximum" else np.inf
    found = Run(AVX512).index_of(
        operand((20, 5)), np.full((20, 5), worst, np.float32), primitive, 1
    )
    np.testing.assert_array_equal(found, np.zeros(20))
