"""What the code of a contraction does to memory, registers and threads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from tests.compiler.schedules.contraction.contractions import (
    BATCH,
    FORWARD,
    INPUTS,
    LAYERS,
    WEIGHTS,
    Case,
)
from tests.compiler.schedules.traced import Call, Touch, loops_of, touches
from tests.native import nest_of, unpacked

import chainrule as cr
from chainc.backends.llvm.machine_code.jit import assembly
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.processors.native import host
from chainc.ir.types import Dim, DType, float32, float64
from chainc.loops.language import Across, Load, Loop, Nest, Prefetch, Statement, Store, statements
from chainc.loops.text import print_nest
from chainc.lowering.instructions import Argument, Instruction
from chainc.lowering.views import View
from chainc.schedules.contraction.schedule import schedule_contract
from chainc.schedules.layout.access import Capacity, storage_size
from chainc.schedules.layout.lanes import letter_across
from chainc.schedules.layout.machine import AVX2, AVX512, Machine

FLOATS = pytest.mark.parametrize("dtype", [float32, float64], ids=str)


def test_a_row_does_not_depend_on_the_number_of_rows() -> None:
    case = Case(FORWARD, {"n": BATCH, "k": 45, "c": 29}, "kcc", capacity=40)
    a, b = case.operands(40)
    whole = case(a, b, 40)
    for rows in (1, 7, 12, 39):
        np.testing.assert_array_equal(case(a[:rows], b, rows), whole[:rows])


@pytest.mark.parametrize(
    ("case", "sums"),
    [
        (Case(WEIGHTS, {"n": BATCH, "k": 3, "c": 8}, "..c", machine=AVX2, capacity=40), 12),
        (Case(FORWARD, {"n": BATCH, "k": 40, "c": 8}, ".cc", machine=AVX2, capacity=3), 3),
        (Case("tnk,kc->ntc", {"t": 3, "n": BATCH, "k": 40, "c": 8}, ".cc", capacity=3), 3),
        (Case("ntk,nkc->ntc", {"t": 3, "n": BATCH, "k": 40, "c": 8}, "...", capacity=3), 12),
    ],
    ids=["weights", "rows of a batch", "rows around", "a product for each row"],
)
def test_small_tiles_have_several_sums_for_each_cell(case: Case, sums: int) -> None:
    """Not where a tile's size is a matter of the rows of a call."""
    heads = " ".join(loops_of(case.scheduled[0].body))
    assert max(map(int, re.findall(r"carrying (\d+)", heads))) == sums
    case.check(1, case.capacity)


@pytest.mark.parametrize(
    ("rows", "k", "steps"),
    [(1, 64, 6), (2, 64, 6), (8, 64, 0), (1, 8, 0)],
    ids=["a row", "two", "eight", "near"],
)
def test_weights_that_are_read_once_are_asked_for_before(rows: int, k: int, steps: int) -> None:
    """Where they come from afar, each vector so many steps before it is read."""
    case = Case(FORWARD, {"n": rows, "k": k, "c": 384}, machine=AVX512)
    nest, _ = case.scheduled
    asked = {each.address for each in statements(nest.body) if isinstance(each, Prefetch)}
    loads = [each for each in statements(nest.body) if isinstance(each, Load)]
    read = {each.address for each in loads if each.out.kind.lanes > 1}
    ahead = {replace(each, position=each.position + steps * 384) for each in read}
    assert asked == (ahead if steps else set())
    case.check(rows)


@pytest.mark.parametrize("machine", [AVX512, AVX2], ids=["avx512", "avx2"])
@pytest.mark.parametrize(
    ("equation", "sizes", "on"),
    [
        ("nk,nc->kc", {"n": 256, "k": 512, "c": 32}, "panel"),
        ("nk,nc->kc", {"n": 256, "k": 64, "c": 32}, "nothing"),
        ("hnk,hnc->hkc", {"h": 64, "n": 32, "k": 64, "c": 32}, "head"),
    ],
    ids=["from afar", "near", "heads"],
)
def test_what_the_next_tiles_read_is_asked_for(
    machine: Machine, equation: str, sizes: Mapping[str, Dim], on: str
) -> None:
    """A line a step: of the next panel of rows, or of both operands of the next product."""
    case = Case(equation, sizes, "kcc", machine=machine)
    nest, _ = case.scheduled
    lanes = machine.lanes(float32)
    panel = 256 * lanes if on == "panel" else 64 * 32 * lanes
    steps = {"a": panel if on == "panel" else 32 * lanes, "b": 32 * lanes}
    asked = {each.address for each in statements(nest.body) if isinstance(each, Prefetch)}
    read = {each.address for each in statements(nest.body) if isinstance(each, Load)}
    later = {
        replace(each, position=each.position + steps[each.parameter.name])
        for each in read
        if each.parameter.name in steps
    }
    assert asked <= later
    assert {each.parameter.name for each in asked} == {
        "panel": {"a"}, "nothing": set(), "head": {"a", "b"}
    }[on]  # fmt: skip
    case.check(1)


@pytest.mark.parametrize(("rows", "asked"), [(512, True), (64, False)], ids=["afar", "near"])
def test_what_an_epilogue_reads_from_afar_is_asked_for(rows: int, asked: bool) -> None:
    """Also where the result takes its place."""
    case = Case(FORWARD, {"n": rows, "k": 64, "c": 256})
    out, views = case.buffers[2], case.kernel.operands
    product = Instruction("multiply", tuple(Argument(i, out.type) for i in range(2)), out.type)
    kernel = replace(case.kernel, operands=(*views, View(out, out.type)), epilogue=(product,))
    nest, _ = nest_of(kernel, schedule_contract, AVX512)
    there = {each.address for each in statements(nest.body) if isinstance(each, Prefetch)}
    stored = {each.address for each in statements(nest.body) if isinstance(each, Store)}
    assert there == (stored if asked else set())


@pytest.mark.parametrize("machine", [AVX512, AVX2], ids=["avx512", "avx2"])
def test_few_columns_of_long_sums_have_their_lanes_along_the_sum(machine: Machine) -> None:
    """Where they would leave many lanes idle; a tile's rows stay near while columns come and go."""

    def case(k: int, c: int, panels: str = "kkc") -> Case:
        return Case(INPUTS, {"n": BATCH, "k": k, "c": c}, panels, machine=machine, capacity=40)

    narrow = case(1168, 18)
    assert letter_across(narrow.kernel, 1, machine) == "k"
    text = print_nest(narrow.scheduled[0])
    assert "add across" in text
    assert "for n_block" in text
    narrow.check(1, 39, 40)
    for k, c in ((1168, 32), (1168, 16), (48, 18), (20_000, 18)):  # of the last no rows stay near
        assert letter_across(case(k, c).kernel, 1, machine) == ""
    assert "add across" not in print_nest(case(1168, 18, "kcc").scheduled[0])


def test_one_query_is_compared_with_keys_across_their_elements() -> None:
    """Neither operand has rows or columns side by side: an axis of one element is no vector."""
    case = Case("adc,aed->ace", {"a": 4, "c": 1, "e": 64, "d": 32}, "..e")
    assert any(isinstance(each, Across) for each in statements(case.scheduled[0].body))
    case.check(1)


CUTS = [
    Case(FORWARD, {"n": BATCH, "k": 37, "c": 61}, "kcc", capacity=13),
    Case(FORWARD, {"n": BATCH, "k": 37, "c": 61}, role="input", capacity=13),
    Case(FORWARD, {"n": 70, "k": 37, "c": 40}, role="input"),
    Case(FORWARD, {"n": BATCH, "k": 300, "c": 10}, "kc.", role="input", capacity=64),
    Case(FORWARD, {"n": BATCH, "k": 37, "c": 29}, "k.c", role="input", capacity=64),
    Case(WEIGHTS, {"n": BATCH, "k": 37, "c": 61}, "kcc", capacity=40),
    Case(WEIGHTS, {"n": BATCH, "k": 73, "c": 10}, "kcc", capacity=40),
    Case(INPUTS, {"n": BATCH, "k": 37, "c": 61}, "kcc", capacity=40),
    Case(INPUTS, {"n": BATCH, "k": 37, "c": 61}, role="input", capacity=40),
    Case(INPUTS, {"n": 33, "k": 37, "c": 61}, "kk.", role="input", capacity=40),
    Case(INPUTS, {"n": BATCH, "k": 270, "c": 18}, "kkc", capacity=24),
    Case("abc,cd->abd", {"a": BATCH, "b": 9, "c": 17, "d": 35}, "..d", role="input"),
]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("case", CUTS, ids=lambda case: f"{case.equation} {case.panels}")
def test_every_element_is_stored_once(case: Case, threads: int) -> None:
    capacity, out = Capacity({"batch": case.capacity}), case.buffers[2]
    for rows in {1, case.capacity - 1, case.capacity}:
        stored = Counter(
            p for each in _touches(case, rows, threads) if each.stored for p in each.positions
        )
        marks = np.arange(storage_size(out, capacity))
        wanted = unpacked(out, marks, case.shape(case.letters[2], rows), case.capacity)
        assert set(wanted.ravel().tolist()) <= set(stored)
        assert max(stored.values()) == 1
        if out.panels is None:
            assert len(stored) == wanted.size


@pytest.mark.parametrize("case", CUTS, ids=lambda case: f"{case.equation} {case.panels}")
def test_nothing_is_touched_outside(case: Case) -> None:
    """Storage of the program goes on by a vector, which may be read; arrays of the caller end."""
    nest, parameters = case.scheduled
    capacity = Capacity({"batch": case.capacity})
    for touch in _touches(case, case.capacity, 1):
        buffer = parameters[nest.parameters.index(touch.parameter)]
        readable = touch.parameter.padded and not touch.stored
        padding = case.machine.lanes(case.dtype) if readable else 0
        limit = storage_size(buffer, capacity) + padding
        assert all(0 <= position < limit for position in touch.positions)


def _touches(case: Case, rows: int, threads: int) -> Iterator[Touch]:
    """Of all threads."""
    nest, _ = case.scheduled
    threads = threads if nest.shared else 1
    for thread in range(threads):
        yield from touches(nest, Call(rows, thread, threads))


@pytest.mark.parametrize(
    ("equation", "batch", "k", "c", "most"),
    [
        (FORWARD, 64, 784, 256, 0.5),
        (WEIGHTS, 64, 784, 256, 0.5),
        (INPUTS, 64, 128, 256, 0.5),
        (FORWARD, 64, 128, 10, 0.5),
        (FORWARD, 50, 617, 300, 0.6),
        (WEIGHTS, 50, 617, 300, 0.6),
        (FORWARD, 90, 200, 160, 0.5),  # ten panels: two by two would be six and four
        (WEIGHTS, 90, 144, 160, 0.5),
        (FORWARD, 96, 384, 48, 0.5),  # three: rows are dealt out
        (WEIGHTS, 227, 542, 112, 272 / 542),  # 33 panels of rows, and a last one that is not whole
    ],
)
def test_two_threads_do_about_the_same(
    equation: str, batch: int, k: int, c: int, most: float
) -> None:
    case = Case(equation, {"n": BATCH, "k": k, "c": c}, "kcc", capacity=batch)
    nest, _ = case.scheduled
    work = [_stores(nest, Call(batch, thread, 2)) for thread in range(2)]
    assert max(work) <= most * sum(work)


TAPS = "nefh,ng->ehgf"  # as of a convolution's weights: n are positions of images


@pytest.mark.parametrize("machine", [AVX512, AVX2], ids=["avx512", "avx2"])
@pytest.mark.parametrize(
    ("sizes", "most"),
    [
        ({"e": 3, "h": 3, "f": 8, "g": 16}, 5 / 9),  # a loop over three would be two and one
        ({"e": 5, "h": 5, "f": 6, "g": 16}, 13 / 25),
        ({"e": 3, "h": 1, "f": 3, "g": 32}, 1 / 2),  # vectors that are otherwise computed together
        ({"e": 3, "h": 2, "f": 2, "g": 48}, 1 / 2),
    ],
)
def test_loops_are_dealt_out_as_one_where_each_is_uneven(
    sizes: dict[str, int], most: float, machine: Machine
) -> None:
    """Sums of few rows are several in turn, in the same order wherever a group comes apart."""
    case = Case(TAPS, {"n": 2048, **sizes}, "..g", capacity=1, machine=machine)
    nest, _ = case.scheduled
    work = [_stores(nest, Call(1, thread, 2)) for thread in range(2)]
    assert max(work) <= most * sum(work)
    stored = Counter(p for each in _touches(case, 1, 3) if each.stored for p in each.positions)
    assert max(stored.values()) == 1
    case.check(1)


def test_rows_stay_together_where_columns_are_nearly_even() -> None:
    """Seven panels, two by two: rows would be more even, but weights would change cores."""
    case = Case(FORWARD, {"n": BATCH, "k": 384, "c": 106}, "kcc", capacity=47)
    loops = "\n".join(loops_of(case.scheduled[0].body))
    assert "for c_panel in low..high by 2\n" in loops


def test_rows_that_a_block_leaves_over_are_smaller_tiles() -> None:
    """Where columns are left over too, which have taller tiles than the others."""
    case = Case(FORWARD, {"n": 235, "k": 1063, "c": 102}, "kcc")
    nest, _ = case.scheduled
    loops = [each for each in loops_of(nest.body) if each.lstrip().startswith("for n in")]
    heights = re.findall(r"by (\d+)$", "\n".join(loops), re.MULTILINE)
    assert heights[-3:] == ["21", "7", "4"]


def test_columns_that_are_taken_apart_have_the_same_sums() -> None:
    case = Case(FORWARD, {"n": BATCH, "k": 256, "c": 160}, "kcc", capacity=90)
    assert "for c_panel in c_panel..high\n" in "\n".join(loops_of(case.scheduled[0].body))
    case.check(90, 31)


def _stores(nest: Nest, call: Call) -> int:
    results = replace(nest, body=_without_sums(nest.body))
    return sum(touch.stored for touch in touches(results, call))


def _without_sums(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """Loops that carry registers read operands only."""
    return tuple(
        replace(each, body=_without_sums(each.body)) if isinstance(each, Loop) else each
        for each in body
        if not (isinstance(each, Loop) and each.carried)
    )


def test_the_loops_of_a_layer() -> None:
    case = Case(FORWARD, {"n": BATCH, "k": 784, "c": 256}, "kcc", capacity=64)
    nest, _ = case.scheduled
    assert "\n".join(loops_of(nest.body)) == (
        "for c_panel in low..high by 2\n"
        "  for n in 0..rows by 8\n"
        "    for k_panel in 0..49 carrying 16\n"
        "      for k_lane in 0..16 by 8 carrying 16\n"
        "  for n in n..rows\n"
        "    for k_panel in 0..49 carrying 2\n"
        "      for k_lane in 0..16 by 8 carrying 2"
    )


@FLOATS
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("extents", [(64, 784, 256), (50, 617, 300)])
def test_vectors_stay_in_registers(layer: str, dtype: DType, extents: tuple[int, int, int]) -> None:
    """No vector is moved to the stack or back."""
    batch, k, c = extents
    processor, (equation, _) = host(), LAYERS[layer]
    if processor.machine not in (AVX512, AVX2):
        pytest.skip("looks for the registers of x86 processors")
    sizes: Mapping[str, Dim] = {"n": BATCH, "k": k, "c": c}
    case = Case(equation, sizes, "kcc", dtype, processor.machine, batch)
    module = Module(processor.machine)
    module.add(_entry(module.kernel(case.scheduled[0]).name))
    text = assembly(module.text(), processor)
    assert "vfmadd" in text
    assert not re.search(r"%[xyz]mm\d+.*%rsp|%rsp.*%[xyz]mm\d+", text)


def _entry(name: str) -> str:
    arguments = "ptr %a, ptr %b, ptr %c, i64 %rows, i64 %thread, i64 %threads"
    return f'define void @run({arguments}) {{\n  call void @"{name}"({arguments})\n  ret void\n}}\n'


def test_rows_of_a_batch_cannot_lie_in_panels() -> None:
    with pytest.raises(ValueError, match="rows of a batch cannot lie in panels"):
        nest_of(
            Case(FORWARD, {"n": BATCH, "k": 3, "c": 4}, "n..").kernel, schedule_contract, AVX512
        )


def test_a_sum_of_nothing_over_many_columns_is_zero() -> None:
    x, w = cr.input("x", ("batch", 0)), cr.parameter("w", (0, 50), 0.1)
    product = cr.compile(x @ w)
    found = product.bind(product.initial_state())(x=np.zeros((3, 0), np.float32))
    np.testing.assert_array_equal(found, np.zeros((3, 50)))
