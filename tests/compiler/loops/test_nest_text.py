"""Nests as text: whole kernels, and the rules by which names are chosen and lines folded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chainc.ir.types import Dim, TensorType, float32, int32, named
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest
from chainc.loops.repetition import Block, Line, Offset, folded, rendered
from chainc.loops.text import print_nest
from chainc.loops.values import Address, Kind, Parameter, Rows, affine
from chainc.lowering.instructions import Argument, Instruction, Result
from chainc.lowering.kernels import Contraction, Kernel, Map, Reduction
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.by_kernel import schedule
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX512, SSE

BATCH = named("batch")
X, Y = Parameter("x", float32), Parameter("y", float32)


def view(name: str, *shape: Dim, panels: Panels | None = None) -> View:
    type = TensorType(shape, float32)
    return View(Buffer(name, type, panels=panels), type)


def tanh(source: View, name: str) -> Map:
    """A map of two instructions: x times its tanh."""
    x = Argument(0, source.type)
    first = Instruction("tanh", (x,), source.type)
    second = Instruction("multiply", (Result(0, source.type), x), source.type)
    return Map(Buffer(name, source.type), (source,), (first, second))


def text_of(kernel: Kernel, rows: int = 8) -> str:
    nest, _ = schedule(kernel, Capacity({"batch": rows}), AVX512)
    return print_nest(nest)


def nest(builder: NestBuilder, *parameters: Parameter) -> Nest:
    return builder.nest("kernel", "a test", parameters)


def test_an_elementwise_kernel(golden: Callable[[str, str], None]) -> None:
    golden("map.loops", text_of(tanh(view("x", BATCH, 8), "y")))


def test_a_small_contraction(golden: Callable[[str, str], None]) -> None:
    panels = Panels(1, 16)
    x, w = view("x", BATCH, 24), view("w", 24, 32, panels=panels)
    out = Buffer("y", TensorType((BATCH, 32), float32), panels=panels)
    golden("contraction.loops", text_of(Contraction(out, (x, w), ("ab", "bc", "ac"))))


def test_a_reduction(golden: Callable[[str, str], None]) -> None:
    x = view("x", BATCH)
    out = Buffer("total", TensorType((), float32))
    golden("reduction.loops", text_of(Reduction(out, (x,), "add", (0,), False)))


def test_what_is_carried_is_one_variable() -> None:
    builder = NestBuilder()
    zero = builder.constant(0.0, Kind(float32, 4))
    with builder.loop("i", 0, Rows(4), 4, carried=[zero]) as loop:
        x = builder.load(Address(X, affine(loop.index)), 4)
        loop.carry(builder.compute("add", loop.values[0], x))
    builder.store(builder.across("add", loop.results[0]), Address(Y, affine(0)))
    assert (
        print_nest(nest(builder, X, Y))
        == """\
# a test
kernel(x: f32) -> y: f32
    for i in 0..4*rows by 4 carrying sum0: f32x4 = 0:
        x: f32x4 = load x[i]
        sum0 = sum0 + x
    sum1: f32 = add across sum0
    store y[0] = sum1
"""
    )


def test_variables_that_change_places_are_told_apart() -> None:
    builder = NestBuilder()
    a = builder.load(Address(X, affine(0)))
    b = builder.load(Address(X, affine(1)))
    with builder.loop("i", 0, 5, carried=[a, b]) as loop:
        first, second = loop.values
        loop.carry(second, builder.compute("add", first, second))
    builder.store(loop.results[0], Address(Y, affine(0)))
    assert (
        print_nest(nest(builder, X, Y))
        == """\
# a test
kernel(x: f32) -> y: f32
    x0: f32 = load x[0]
    x1: f32 = load x[1]
    for i in 0..5 carrying x0, x1:
        sum: f32 = x0 + x1
        next x0, x1 = x1, sum
    store y[0] = x0
"""
    )


def test_a_value_that_is_needed_after_the_loop_keeps_its_own_name() -> None:
    builder = NestBuilder()
    start = builder.load(Address(X, affine(0)))
    with builder.loop("i", 0, 5, carried=[start]) as loop:
        loop.carry(builder.compute("multiply", loop.values[0], loop.values[0]))
    both = builder.compute("add", loop.results[0], start)
    builder.store(both, Address(Y, affine(0)))
    assert (
        print_nest(nest(builder, X, Y))
        == """\
# a test
kernel(x: f32) -> y: f32
    x0: f32 = load x[0]
    for i in 0..5 carrying x1: f32 = x0:
        x1 = x1 * x1
    sum: f32 = x1 + x0
    store y[0] = sum
"""
    )


def test_a_loop_that_goes_on_says_where() -> None:
    builder = NestBuilder()
    low, high = builder.share(Rows(1, 4), 4)
    with builder.loop("i", low, high, 4) as first:
        builder.store(builder.load(Address(X, affine(first.index)), 4),
                      Address(Y, affine(first.index)))  # fmt: skip
    with builder.loop("i", first.index, high) as rest:
        builder.store(builder.load(Address(X, affine(rest.index))),
                      Address(Y, affine(rest.index)))  # fmt: skip
    assert (
        print_nest(nest(builder, X, Y))
        == """\
# a test
kernel(x: f32) -> y: f32
    low..high = this thread's part of 0..ceil(rows, 4) in steps of 4
    for i in low..high by 4:
        x: f32x4 = load x[i]
        store y[i] = x
    for i1 in i..high:
        x: f32 = load x[i1]
        store y[i1] = x
"""
    )


def test_every_other_statement_has_a_line() -> None:
    builder = NestBuilder()
    kind = Kind(float32, 4)
    loaded = [builder.load(Address(X, affine(4 * i)), 4) for i in range(2)]
    spread = builder.load(Address(X, affine(0), stride=7), 4)
    mixed = builder.shuffle(loaded, [0, 4, -1, 7])
    ramp = builder.constants([0.5, 1.5, 2.5, 3.5], float32)
    turned = builder.transpose([mixed, loaded[1], spread, loaded[0]])
    place = builder.positions(affine(3), 4, int32)
    count = builder.row_count(int32, 2, 3)
    builder.fail(builder.compare("less_equal", count, place))
    (bits,) = builder.call("philox", [place], [Kind(int32, 4)])
    total = builder.compute("fma", turned[0], builder.constant(float("nan"), kind), ramp)
    builder.prefetch(Address(X, affine(64)))
    builder.store(builder.lane(total, 2), Address(Y, affine(0)))
    builder.store(builder.compute("cast", bits, dtype=float32), Address(Y, affine(8), stride=2))
    assert (
        print_nest(nest(builder, X, Y))
        == """\
# a test
kernel(x: f32) -> y: f32
    x0: f32x4 = load x[0]
    x1: f32x4 = load x[4]
    x2: f32x4 = load x[0, stride 7]
    x3: f32x4 = lanes 0, 4, any, 7 of x0, x1
    sum0: f32x4 = [0.5, 1.5, 2.5, 3.5]
    x4..x7 = transpose(x3, x1, x2, x0)
    position: i32x4 = positions from 3
    rows: i32 = 2*rows*rows*rows
    less_equal: boolx4 = rows <= position
    fail where less_equal
    philox = philox(position)
    sum0 = fma(x4, nan, sum0)
    prefetch x[64]
    sum1: f32 = lane 2 of sum0
    store y[0] = sum1
    converted: f32x4 = cast(philox)
    store y[8, stride 2] = converted
"""
    )


def test_a_note_stays_a_comment() -> None:
    text = print_nest(NestBuilder().nest("kernel", "a\nstore \x1b[2J", ()))
    assert text.splitlines() == ["# a?store ?[2J", "kernel() -> nothing"]


def line(value: int) -> Line:
    return ("store y[", Offset(value, alone=True), "]")


@pytest.mark.parametrize(
    ("offsets", "wanted"),
    [
        ([0, 4], ["store y[0]", "store y[4]"]),
        ([0, 4, 8], ["unrolled for u in 0..3:", "    store y[4*u]"]),
        ([9, 8, 7], ["unrolled for u in 0..3:", "    store y[-u + 9]"]),
        ([0, 1, 0, 1, 0, 1], ["unrolled for u in 0..3:", "    store y[0]", "    store y[1]"]),
        ([0, 1, 3, 4], ["store y[0]", "store y[1]", "store y[3]", "store y[4]"]),
    ],
)
def test_lines_with_steady_numbers_are_folded(offsets: list[int], wanted: list[str]) -> None:
    assert texts(folded([line(offset) for offset in offsets], "uv")) == wanted


def test_repetitions_inside_repetitions_are_folded_too() -> None:
    lines = [line(100 * i + 2 * j) for i in range(3) for j in range(4)]
    lines += [("done",)]
    assert texts(folded(lines, "uv")) == [
        "unrolled for u in 0..3:",
        "    unrolled for v in 0..4:",
        "        store y[100*u + 2*v]",
        "done",
    ]


def texts(lines: list[Line | Block]) -> list[str]:
    return [line.text for line in rendered(lines)]


def test_folding_loses_nothing() -> None:
    """Every kernel of a tile says as many multiplications as it has."""
    x, w = view("x", BATCH, 8), view("w", 8, 8, panels=Panels(1, 4))
    out = Buffer("y", TensorType((BATCH, 8), float32), panels=Panels(1, 4))
    kernel = Contraction(out, (x, w), ("ab", "bc", "ac"))
    found, _ = schedule(kernel, Capacity({"batch": 8}), SSE)
    assert _weighted(print_nest(found), "fma(") == str(found).count("primitive='fma'")


def _weighted(text: str, word: str) -> int:
    """How often a word stands in the unfolded text."""
    total, weights = 0, [(-1, 1)]
    for row in text.splitlines():
        indent = len(row) - len(row.lstrip())
        weights = [each for each in weights if each[0] < indent]
        head = row.strip()
        if head.startswith("unrolled for"):
            times = int(head.rstrip(":").rpartition("..")[2])
            weights.append((indent, weights[-1][1] * times))
        total += weights[-1][1] * row.count(word)
    return total
