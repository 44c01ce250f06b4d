"""Contractions as machine code against NumPy's einsum, in every layout that can occur."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from tests.compiler.schedules.contraction.contractions import (
    BATCH,
    FORWARD,
    INPUTS,
    LAYERS,
    PANELS,
    ROWS,
    WEIGHTS,
    Case,
    assert_close,
    einsum,
    random,
)
from tests.native import call, nest_of, packed, storage, unpacked

from chainc.ir.movements import Broadcast, Flip, Permute, Slice
from chainc.ir.types import Dim, DType, Size, TensorType, float32, float64, int32, int64, uint8
from chainc.loops.text import print_nest
from chainc.lowering.grouping import Group
from chainc.lowering.instructions import Argument, Instruction, Reference, Result
from chainc.lowering.kernels import Contraction, Map
from chainc.lowering.views import Buffer, Literal, View
from chainc.schedules.contraction.schedule import schedule_contract
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine

MACHINES = pytest.mark.parametrize("machine", [AVX512, AVX2, SSE], ids=["avx512", "avx2", "sse"])
FLOATS = pytest.mark.parametrize("dtype", [float32, float64], ids=str)


@MACHINES
@FLOATS
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_in_panels(layer: str, machine: Machine, dtype: DType) -> None:
    Case(*LAYERS[layer], PANELS[layer], dtype, machine).check(*range(1, ROWS + 1))


@MACHINES
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_in_rows(layer: str, machine: Machine) -> None:
    Case(*LAYERS[layer], machine=machine, role="input").check()


@pytest.mark.parametrize(
    "extents", [(1, 1), (16, 16), (17, 1), (1, 17), (3, 2), (160, 48), (9, 100)]
)
@pytest.mark.parametrize("layer", LAYERS)
def test_extents_around_a_panel(layer: str, extents: tuple[int, int]) -> None:
    equation, _ = LAYERS[layer]
    k, c = extents
    Case(equation, {"n": BATCH, "k": k, "c": c}, PANELS[layer], gap=1).check()


@pytest.mark.parametrize("rows", [1, 5, 13, 50, 64])
def test_any_number_of_rows_up_to_many(rows: int) -> None:
    sizes: Mapping[str, Dim] = {"n": BATCH, "k": 20, "c": 40}
    for equation in (FORWARD, WEIGHTS):
        Case(equation, sizes, "kcc", capacity=64).check(rows)


@MACHINES
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("known", [True, False], ids=["known", "batch"])
@pytest.mark.parametrize("columns", [59, 96])
@pytest.mark.parametrize("rows", [43, 61])
def test_rows_are_done_in_blocks_where_the_cache_is_small(
    rows: int, columns: int, known: bool, layer: str, machine: Machine
) -> None:
    """Also where the tiles at the edge are of another height than those that make the blocks."""
    small = replace(machine, second_level=8 << 10)
    equation, _ = LAYERS[layer]
    sizes: dict[str, Dim] = {"n": rows if known else BATCH, "k": 37, "c": columns}
    for panels in (PANELS[layer], "..."):
        case = Case(equation, sizes, panels, machine=small, capacity=rows)
        case.check(rows)
    if layer == "forward" and columns == 96:
        assert "_block" in print_nest(case.scheduled[0])


def test_a_batch_stands_anywhere() -> None:
    for letter in "nkc":
        sizes: dict[str, Dim] = {"n": 5, "k": 18, "c": 21, letter: BATCH}
        Case(FORWARD, sizes).check()
        Case(INPUTS, sizes).check()
    Case(FORWARD, {"n": Size(2, ("batch",)), "k": 18, "c": 21}, "kcc").check()


@pytest.mark.parametrize("equation", [FORWARD, WEIGHTS, INPUTS])
@pytest.mark.parametrize("letter", "nkc")
def test_no_elements(equation: str, letter: str) -> None:
    Case(equation, {"n": 4, "k": 3, "c": 5, letter: 0}).check(1)


SHAPES: list[tuple[str, Mapping[str, Dim]]] = [
    ("a,a->", {"a": BATCH}),
    ("a,a->", {"a": 77}),
    ("ab,ab->", {"a": BATCH, "b": 19}),
    ("a,a->a", {"a": BATCH}),
    ("ab,ab->ab", {"a": BATCH, "b": 45}),
    ("a,b->ab", {"a": BATCH, "b": 40}),
    ("a,b->ba", {"a": 19, "b": BATCH}),
    ("a,ab->b", {"a": 21, "b": 70}),
    ("ab,b->a", {"a": BATCH, "b": 37}),
    ("ab,b->a", {"a": 21, "b": BATCH}),
    ("ab,cb->ca", {"a": 40, "b": BATCH, "c": 18}),
    ("ab,cb->ac", {"a": 13, "b": 45, "c": 18}),
    ("abc,acd->abd", {"a": BATCH, "b": 3, "c": 18, "d": 20}),
    ("abc,acd->abd", {"a": 3, "b": BATCH, "c": 18, "d": 20}),
    ("abc,dcb->da", {"a": BATCH, "b": 5, "c": 18, "d": 20}),
    ("abcd,acbe->bade", {"a": 3, "b": 5, "c": 18, "d": 20, "e": 17}),
    ("abc,cd->abd", {"a": BATCH, "b": 3, "c": 17, "d": 35}),
    ("abcd,abed->abce", {"a": BATCH, "b": 2, "c": 9, "d": 35, "e": 11}),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]} {shape[1]}")
def test_any_axes_in_any_layout(shape: tuple[str, Mapping[str, Dim]]) -> None:
    equation, sizes = shape
    generator = np.random.default_rng(7)
    parts = equation.replace("->", ",").split(",")
    fit = [[letter for letter in part if isinstance(sizes[letter], int)] for part in parts]
    layouts = {"..."}
    layouts |= {"".join(generator.choice([".", *letters]) for letters in fit) for _ in range(3)}
    for panels in sorted(layouts):
        machine = (AVX512, AVX2, SSE)[generator.integers(3)]
        Case(equation, sizes, panels, machine=machine, gap=int(generator.integers(2))).check()


@pytest.mark.parametrize("dtype", [int32, int64, uint8], ids=str)
def test_integers_wrap_around(dtype: DType) -> None:
    for layer, (equation, sizes) in LAYERS.items():
        Case(equation, sizes, PANELS[layer], dtype).check(ROWS)
    Case(*LAYERS["forward"], "kcc", dtype, AVX2).check(ROWS)


def test_operands_of_two_types() -> None:
    Case(*LAYERS["forward"], dtype=float32, other=float64).check()
    Case(*LAYERS["forward"], dtype=int32, other=int64).check()


def test_views() -> None:
    """Operands that are turned around, flipped, cut and spread need no copies."""
    x = Buffer("x", TensorType((30, 9), float32))
    w = Buffer("w", TensorType((40,), float32))
    out = Buffer("out", TensorType((9, 20), float32))
    turned = View(x, x.type).moved(Permute((9, 30), (1, 0)))
    flipped = turned.moved(Flip((9, 30), (1,)))
    cut = flipped.moved(Slice((9, 10), starts=(0, 2), stops=(9, 32), steps=(1, 3)))
    every = View(w, w.type).moved(Slice((20,), starts=(1,), stops=(40,), steps=(2,)))
    spread = every.moved(Broadcast((10, 20)))
    kernel = Contraction(out, (cut, spread), ("ab", "bc", "ac"))
    nest, parameters = nest_of(kernel, schedule_contract, AVX512)
    generator = np.random.default_rng(1)
    values = {x: random(generator, (30, 9), float32), w: random(generator, (40,), float32)}
    arrays = {buffer: packed(buffer, value) for buffer, value in values.items()}
    arrays[out] = storage(out)
    call(nest, [arrays[each] for each in parameters], AVX512)
    left = values[x].T[:, ::-1][:, 2::3]
    wanted = einsum("ab,bc->ac", left, np.broadcast_to(values[w][1::2], (10, 20)))
    assert_close(unpacked(out, arrays[out], (9, 20)), wanted)


# what follows a sum


def _argument(position: int, type: TensorType) -> Reference:
    return Argument(position, type)


@FLOATS
@pytest.mark.parametrize("panels", ["kcc", "..."])
def test_an_epilogue(panels: str, dtype: DType) -> None:
    case = Case(FORWARD, {"n": BATCH, "k": 37, "c": 29}, panels, dtype)
    a, b, out = case.buffers
    bias = Buffer("bias", TensorType((29,), dtype))
    zero = Literal(0.0, TensorType((), dtype))
    added = Instruction("add", (_argument(0, out.type), _argument(1, bias.type)), out.type)
    result = Result(0, out.type)
    epilogue = (added, Instruction("maximum", (result, zero), out.type))
    views = tuple(View(buffer, buffer.type) for buffer in (a, b, bias))
    kernel = Contraction(out, views, case.letters, epilogue)
    nest, parameters = nest_of(kernel, schedule_contract, AVX512, ROWS)
    x, w = case.operands(5)
    offset = np.linspace(-1, 1, 29).astype(dtype.numpy)
    arrays = {a: packed(a, x, ROWS), b: packed(b, w, ROWS), bias: packed(bias, offset)}
    arrays[out] = storage(out, ROWS)
    call(nest, [arrays[each] for each in parameters], AVX512, 5)
    wanted = np.maximum(einsum(FORWARD, x, w) + offset, 0)
    found = unpacked(out, arrays[out], (5, 29), ROWS)
    assert_close(found, wanted)


@pytest.mark.parametrize("panels", ["kcc", "..."])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_update_in_place(panels: str, threads: int) -> None:
    """New w = w - rate · (xᵀ dz), done on the tile: each element exactly once."""
    case = Case(WEIGHTS, {"n": BATCH, "k": 37, "c": 61}, panels, capacity=16)
    a, b, _ = case.buffers
    w = case.buffer(2, float32, "state", "w")
    gradient, updated = (case.buffer(2, float32, "work", name) for name in ("dw", "new_w"))
    contract = Contraction(gradient, (View(a, a.type), View(b, b.type)), case.letters)
    rate = Literal(0.5, TensorType((), float32))
    scaled = Instruction("multiply", (_argument(1, w.type), rate), w.type)
    step = Result(0, w.type)
    less = Instruction("subtract", (_argument(0, w.type), step), w.type)
    update = Map(updated, (View(w, w.type), View(gradient, w.type)), (scaled, less))
    operands = tuple(View(buffer, buffer.type) for buffer in (a, b, w))
    group = Group(w, operands, (contract, update), ((updated, w),))
    nest, parameters = nest_of(group, schedule_contract, AVX512, 16)
    assert gradient not in parameters
    x, dz = case.operands(11)
    before = random(np.random.default_rng(3), (37, 61), float32)
    arrays = {a: packed(a, x, 16), b: packed(b, dz, 16), w: packed(w, before)}
    call(nest, [arrays[each] for each in parameters], AVX512, 11, threads)
    wanted = before.astype(np.float64) - 0.5 * einsum(WEIGHTS, x, dz)
    found = unpacked(w, arrays[w], (37, 61))
    assert_close(found, wanted)
