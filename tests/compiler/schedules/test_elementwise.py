"""Maps, copies, fills and transpositions as machine code, against NumPy.

Nothing is written outside the elements of an array that belongs to the caller, and every thread
count gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.native import Kernels, aligned, nest_of, positions, storage

from chainc.ir.movements import Broadcast, Permute
from chainc.ir.types import (
    Array,
    Dim,
    DType,
    Shape,
    TensorType,
    bool_,
    float32,
    float64,
    int32,
    int64,
    multiply,
    named,
    uint8,
)
from chainc.loops.language import Nest
from chainc.lowering.grouping import Group
from chainc.lowering.instructions import Argument, Instruction, Reference, Result
from chainc.lowering.kernels import Copy, Fill, Kernel, Map
from chainc.lowering.views import Buffer, Literal, Operand, Panels, SizeValue, View
from chainc.schedules.elementwise import WORTH_SHARING, schedule_copy, schedule_fill, schedule_map
from chainc.schedules.layout.access import Capacity, storage_size
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine

BATCH = named("batch")
MACHINES = {"avx512": AVX512, "avx2": AVX2, "sse": SSE}
CAPACITY = 8
GUARD = 4096  # bytes on either side of an array of the caller's
GUARDED = 0xAB

Numbers = npt.NDArray[Any]
Schedule = Callable[..., None]


def buffer(
    name: str, *shape: Dim, dtype: DType = float32, role: str = "work", panels: Panels | None = None
) -> Buffer:
    return Buffer(name, TensorType(shape, dtype), role, panels=panels)


def view(of: Buffer) -> View:
    return View(of, of.type)


@dataclass
class Case:
    """A kernel, values for what it reads, and what it should write."""

    name: str
    kernel: Kernel
    schedule: Schedule
    given: dict[Buffer, Numbers]
    wanted: dict[Buffer, Numbers]
    rows: int = CAPACITY
    kept: dict[Buffer, Numbers] = field(default_factory=dict)  # what outs hold before

    def nest(self, machine: Machine) -> tuple[Nest, tuple[Buffer, ...]]:
        return nest_of(self.kernel, self.schedule, machine, CAPACITY)


def placed(of: Buffer, values: Array | None, spaces: list[tuple[Buffer, Array]]) -> Array:
    """Storage for a buffer; of the caller's arrays, between guards."""
    if of.role not in ("input", "output"):
        stored = storage(of, CAPACITY)
    else:
        size = storage_size(of, Capacity({"batch": CAPACITY})) * of.type.dtype.itemsize
        space = np.full(size + 2 * GUARD, GUARDED, np.uint8)
        spaces.append((of, space))
        stored = space[GUARD : GUARD + size].view(of.type.dtype.numpy)
        stored[...] = 1
    if values is not None:
        stored[positions(of, values.shape, CAPACITY)] = values
    return stored


def check(case: Case, kernels: Kernels, index: int, machine: Machine, threads: int) -> list[Array]:
    _, buffers = case.nest(machine)
    spaces: list[tuple[Buffer, Array]] = []
    values = {**case.given, **case.kept}
    arrays = [placed(each, values.get(each), spaces) for each in buffers]
    kernels.call(index, arrays, case.rows, threads)
    for of, space in spaces:
        assert np.all(space[:GUARD] == GUARDED), f"{case.name}: written before {of.name}"
        assert np.all(space[-GUARD:] == GUARDED), f"{case.name}: written behind {of.name}"
    found = []
    for of, wanted in case.wanted.items():
        stored = arrays[buffers.index(of)]
        at = positions(of, wanted.shape, CAPACITY)
        np.testing.assert_array_equal(stored[at], wanted, err_msg=f"{case.name} {of.name}")
        found.append(stored[at])
        if of.role == "output":
            outside = np.ones(len(stored), bool)
            outside[at] = False
            assert np.all(stored[outside] == 1), f"{case.name}: written past the rows"
    return found


# the cases


def numbers(shape: Sequence[int], dtype: DType, seed: int = 0) -> Numbers:
    random = np.random.default_rng(seed)
    if dtype.is_float:
        return random.standard_normal(tuple(shape)).astype(dtype.numpy)
    return random.integers(0, 2 if dtype == bool_ else 100, tuple(shape)).astype(dtype.numpy)


def sized(shape: Shape, rows: int) -> tuple[int, ...]:
    return tuple(d if isinstance(d, int) else d.coefficient * rows for d in shape)


LAYOUTS = (None, Panels(1, 0), Panels(1, 0, gap=1), Panels(0, 0))


def laid_out(layout: Panels | None, machine: Machine, dtype: DType) -> Panels | None:
    """The layout with as many lanes as the machine has."""
    return layout and Panels(layout.axis, machine.lanes(dtype), layout.gap)


def added(out: Buffer, operands: Sequence[Operand]) -> Map:
    """Their sum, from left to right."""
    steps: list[Instruction] = []
    total: Reference = Argument(0, out.type)
    for position in range(1, len(operands)):
        other = Argument(position, out.type)
        steps.append(Instruction("add", (total, other), out.type))
        total = Result(position - 1, out.type)
    return Map(out, tuple(operands), tuple(steps))


def maps(_machine: Machine) -> Iterator[Case]:
    shapes: list[Shape] = [(5, 7), (3, 16), (BATCH, 19), (1, 1), (BATCH, 1)]
    roles = (("input", "output"), ("work", "work"), ("input", "work"))
    for shape, dtype, (source, target) in product(shapes, (float32, float64, int64), roles):
        rows = 5
        x = buffer("x", *shape, dtype=dtype, role=source)
        bias = buffer("bias", shape[1], dtype=dtype)
        y = buffer("y", *shape, dtype=dtype, role=target)
        a = numbers(sized(shape, rows), dtype)
        b = numbers(sized((shape[1],), rows), dtype, 1)
        kernel = added(y, [view(x), view(bias), view(x)])
        name = f"add {shape} {dtype} {source} to {target}"
        yield Case(name, kernel, schedule_map, {x: a, bias: b}, {y: a + b + a}, rows)


def maps_in_panels(machine: Machine) -> Iterator[Case]:
    for layout, dtype, columns in product(LAYOUTS[1:], (float32, float64), (16, 21, 3)):
        shape: Shape = (BATCH, columns) if layout and layout.axis == 1 else (20, columns)
        rows = 5
        panels = laid_out(layout, machine, dtype)
        plain = buffer("plain", *shape, dtype=dtype, role="input")
        x = buffer("x", *shape, dtype=dtype, panels=panels)
        y = buffer("y", *shape, dtype=dtype, panels=panels)
        z = buffer("z", *shape, dtype=dtype, role="output")
        a, b = (numbers(sized(shape, rows), dtype, seed) for seed in range(2))
        name = f"panels {layout} {dtype} {columns}"
        into = added(y, [view(x), view(plain)])
        yield Case(f"{name} into", into, schedule_map, {x: a, plain: b}, {y: a + b}, rows)
        out_of = added(z, [view(x), view(plain)])
        yield Case(f"{name} out of", out_of, schedule_map, {x: a, plain: b}, {z: a + b}, rows)


def grouped(_machine: Machine) -> Iterator[Case]:
    """Two results are kept; the second goes on with the first, in its place."""
    for role in ("work", "output"):
        x, state = buffer("x", BATCH, 6), buffer("state", BATCH, 6, role=role)
        y = buffer("y", BATCH, 6, role=role)
        inner, outer = buffer("inner", BATCH, 6), buffer("outer", BATCH, 6)
        first = added(inner, [view(x), view(state)])
        second = added(outer, [view(inner), view(state)])
        kernel = Group(state, (view(x), view(state)), (first, second), ((inner, y), (outer, state)))
        a, b = numbers((3, 6), float32), numbers((3, 6), float32, 1)
        wanted = {y: a + b, state: a + b + b}
        yield Case(f"group to {role}", kernel, schedule_map, {x: a, state: b}, wanted, 3)


def mixed(_machine: Machine) -> Iterator[Case]:
    """Different element types, scalars, sizes and literals in one map."""
    x = buffer("x", BATCH, 5, dtype=uint8, role="input")
    scale = buffer("scale", dtype=float64, role="scalar")
    y = buffer("y", BATCH, 5, dtype=float64, role="output")
    t = TensorType((BATCH, 5), float64)
    small = Instruction("cast", (Argument(0, t),), t)
    scaled = Instruction("multiply", (Result(0, t), Argument(1, t)), t)
    total = Instruction("add", (Result(1, t), Argument(2, t)), t)
    more = Instruction("add", (Result(2, t), Literal(0.5, t)), t)
    size = SizeValue(multiply(BATCH, 3), TensorType((), float64))
    kernel = Map(y, (view(x), view(scale), size), (small, scaled, total, more))
    a = numbers((6, 5), uint8)
    wanted = {y: a.astype(np.float64) * 2.5 + 18 + 0.5}
    yield Case("mixed", kernel, schedule_map, {x: a, scale: np.array(2.5)}, wanted, 6)
    flags = buffer("flags", 37, dtype=bool_, role="output")
    values = buffer("values", 37, role="input")
    type = TensorType((37,), bool_)
    less = Instruction("less", (Argument(0, values.type), Literal(0.0, values.type)), type)
    b = numbers((37,), float32)
    yield Case("less", Map(flags, (view(values),), (less,)), schedule_map, {values: b},
               {flags: b < 0})  # fmt: skip


def broadcasts(machine: Machine) -> Iterator[Case]:
    column, row = buffer("column", BATCH, 1), buffer("row", 1, 9)
    for panels in (None, Panels(1, machine.lanes(float32))):
        y = buffer("y", BATCH, 9, panels=panels)
        wide = [View(of, y.type, (Broadcast(y.type.shape),)) for of in (column, row)]
        a, b = numbers((4, 1), float32), numbers((1, 9), float32, 1)
        kernel = added(y, wide)
        yield Case(f"outer {panels}", kernel, schedule_map, {column: a, row: b}, {y: a + b}, 4)


def copies(_machine: Machine) -> Iterator[Case]:
    for dtype in (float32, int32, uint8, bool_):
        x = buffer("x", 6, 10, dtype=dtype, role="input")
        a = numbers((6, 10), dtype)
        turned = View(x, TensorType((10, 6), dtype), (Permute((10, 6), axes=(1, 0)),))
        y = buffer("y", 10, 6, dtype=dtype, role="output")
        yield Case(f"turned {dtype}", Copy(y, (turned,)), schedule_copy, {x: a}, {y: a.T})
        z = buffer("z", 13, 31, dtype=dtype, role="output")
        part = Copy(z, (view(x),), starts=(2, 1), steps=(2, 3))
        wanted = np.ones((13, 31), dtype.numpy)
        wanted[2:13:2, 1:31:3] = a
        yield Case(f"part {dtype}", part, schedule_copy, {x: a}, {z: wanted}, kept={
            z: np.ones((13, 31), dtype.numpy)})  # fmt: skip
    rows = buffer("rows", BATCH, 7, role="output")
    source = buffer("source", BATCH, 7)
    a = numbers((6, 7), float32)
    yield Case("rows", Copy(rows, (view(source),)), schedule_copy, {source: a}, {rows: a}, 6)
    one = buffer("one", 5, role="output")
    literal = Literal(2.5, TensorType((5,), float32))
    yield Case("literal", Copy(one, (literal,)), schedule_copy, {}, {one: np.full(5, 2.5, "f")})


def layouts(machine: Machine) -> Iterator[Case]:
    """Copies from every layout to every other, square blocks turned in registers among them."""
    for dtype, (old, new), (n, m) in product(
        (float32, float64), product(LAYOUTS, repeat=2), ((16, 16), (19, 35), (5, 3))
    ):
        x = buffer("x", n, m, dtype=dtype, panels=laid_out(old, machine, dtype))
        y = buffer("y", n, m, dtype=dtype, panels=laid_out(new, machine, dtype))
        a = numbers((n, m), dtype)
        name = f"{n}x{m} {dtype} from {old} to {new}"
        yield Case(name, Copy(y, (view(x),)), schedule_copy, {x: a}, {y: a})
    deep = [buffer(name, 3, 18, 20, panels=Panels(axis, machine.lanes(float32)))
            for name, axis in (("x", 1), ("y", 2))]  # fmt: skip
    a = numbers((3, 18, 20), float32)
    for source, target in (deep, deep[::-1]):
        yield Case("three axes", Copy(target, (view(source),)), schedule_copy, {source: a},
                   {target: a})  # fmt: skip


def fills(machine: Machine) -> Iterator[Case]:
    for dtype, value in ((float32, -0.0), (float64, np.inf), (int64, 7), (bool_, 1)):
        y = buffer("y", BATCH, 5, dtype=dtype, role="output")
        wanted = np.full((3, 5), value).astype(dtype.numpy)
        yield Case(f"fill {dtype}", Fill(y, (), value=value), schedule_fill, {}, {y: wanted}, 3)
    empty = buffer("empty", 0, 5, role="output")
    yield Case("empty", Fill(empty, ()), schedule_fill, {}, {empty: np.zeros((0, 5), "f")})
    inside = buffer("inside", 4, 21, panels=Panels(1, machine.lanes(float32)))
    yield Case("fill panels", Fill(inside, (), value=3.0), schedule_fill, {},
               {inside: np.full((4, 21), 3, np.float32)})  # fmt: skip


FAMILIES = (maps, maps_in_panels, grouped, mixed, broadcasts, copies, layouts, fills)


@cache
def compiled(family: Callable[[Machine], Iterator[Case]], name: str) -> tuple[list[Case], Kernels]:
    machine = MACHINES[name]
    cases = list(family(machine))
    return cases, Kernels([case.nest(machine)[0] for case in cases], machine)


@pytest.mark.parametrize("machine", list(MACHINES))
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: str(family.__name__))
def test_against_numpy(family: Callable[[Machine], Iterator[Case]], machine: str) -> None:
    cases, kernels = compiled(family, machine)
    for index, case in enumerate(cases):
        alone = check(case, kernels, index, MACHINES[machine], threads=1)
        shared = check(case, kernels, index, MACHINES[machine], threads=2)
        for one, two in zip(alone, shared, strict=True):
            assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("panels", [None, Panels(1, 16)], ids=["plain", "panels"])
@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_large_maps_are_shared_among_threads(panels: Panels | None, threads: int) -> None:
    x = buffer("x", 61, 97, panels=panels)
    y = buffer("y", 61, 97, panels=panels)
    assert 61 * 97 > WORTH_SHARING
    a = numbers((61, 97), float32)
    nest, buffers = nest_of(added(y, [view(x), view(x)]), schedule_map, AVX512)
    assert nest.shared
    stored = {x: aligned(storage(x)), y: aligned(storage(y))}
    stored[x][positions(x, a.shape, 1)] = a
    Kernels([nest], AVX512).call(0, [stored[each] for each in buffers], threads=threads)
    np.testing.assert_array_equal(stored[y][positions(y, a.shape, 1)], a + a)


def test_small_maps_are_done_by_one_thread() -> None:
    x, y = buffer("x", 5, 7), buffer("y", 5, 7)
    nest, _ = nest_of(added(y, [view(x), view(x)]), schedule_map, AVX512)
    assert not nest.shared


@pytest.mark.parametrize("rows", range(1, CAPACITY + 1))
def test_every_number_of_rows(rows: int) -> None:
    cases, kernels = every_row()
    case = cases[rows - 1]
    check(case, kernels, rows - 1, AVX512, threads=1)


@cache
def every_row() -> tuple[list[Case], Kernels]:
    cases = []
    for rows in range(1, CAPACITY + 1):
        x, y = buffer("x", BATCH, 3, role="input"), buffer("y", BATCH, 3, role="output")
        a = numbers((rows, 3), float32)
        kernel = added(y, [view(x), view(x)])
        cases.append(Case(f"{rows} rows", kernel, schedule_map, {x: a}, {y: a + a}, rows))
    return cases, Kernels([case.nest(AVX512)[0] for case in cases], AVX512)
