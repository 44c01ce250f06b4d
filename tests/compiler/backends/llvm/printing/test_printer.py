"""The LLVM text of nests against their meaning, on statements of all kinds put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import pytest
from tests.interpreter import interpret
from tests.native import Kernels, aligned

from chainc.backends.llvm.printing.nest import print_function
from chainc.ir.types import Array, DType, bool_, float32, float64, int32, int64, uint8
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest, statements
from chainc.loops.values import Address, Affine, Kind, Parameter, Register, Rows, affine
from chainc.schedules.layout.machine import AVX512

T = TypeVar("T")
SIZE = 512
DTYPES = (float32, float64, int32, int64, uint8, bool_)


def parameters() -> tuple[Parameter, ...]:
    """One to read and one to write of each type."""
    sources = [Parameter(f"from_{dtype}", dtype) for dtype in DTYPES]
    return (*sources, *(Parameter(f"to_{dtype}", dtype) for dtype in DTYPES))


def arrays(seed: int) -> list[Array]:
    """Sources are small numbers, with which floating-point arithmetic is exact; targets 1."""
    random = np.random.default_rng(seed)
    sources = [random.integers(0, 9, SIZE).astype(dtype.numpy) for dtype in DTYPES]
    return [aligned(each) for each in (*sources, *(np.ones(SIZE, d.numpy) for d in DTYPES))]


class Author:
    """Writes a random nest: straight-line code, loops that carry values, parts of threads."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.builder = NestBuilder()
        self.parameters = parameters()
        self.written = 0
        self.indices: list[Affine] = []

    def nest(self) -> Nest:
        for _ in range(self.random.integers(1, 4)):
            self.block(depth=0)
        return self.builder.nest("kernel", "random", self.parameters)

    def choice(self, options: Sequence[Callable[[], None]]) -> None:
        options[int(self.random.integers(len(options)))]()

    def block(self, depth: int) -> None:
        options = [self.plain, self.counted, self.goes_on, self.by_rows]
        if depth == 0 and not self.builder.shared:
            options.append(self.shared)
        if depth == 2:
            options = [self.plain]
        self.depth = depth
        self.choice(options)

    def inside(self, index: Affine, depth: int) -> None:
        self.indices.append(index)
        self.block(depth + 1)
        self.indices.pop()

    # loops

    def counted(self) -> None:
        """With bounds that are known: none, one or several passes."""
        depth, start = self.depth, int(self.random.integers(0, 3))
        stop, step = start + int(self.random.integers(0, 9)), int(self.random.integers(1, 5))
        carried = [self.value(float32, 4), self.value(int64, 1)]
        with self.builder.loop("i", start, stop, step, carried) as loop:
            self.inside(affine(loop.index), depth)
            total, count = loop.values
            more = self.builder.compute("maximum", total, self.load(float32, 4))
            other = self.builder.positions(affine(loop.index), 1)
            if self.random.integers(2):
                loop.carry(more, self.builder.compute("add", count, other))
            else:
                loop.carry(total, other)
        self.keep(loop.results[0])
        self.keep(loop.results[1])
        self.keep(self.builder.positions(loop.index, 4, int32))

    def goes_on(self) -> None:
        """In smaller steps where another loop has ended."""
        depth, carried = self.depth, [self.value(int32, 8)]
        with self.builder.loop("i", 0, Rows(3), 4, carried) as loop:
            self.inside(affine(loop.index), depth)
            loop.carry(self.builder.compute("add", loop.values[0], self.load(int32, 8)))
        with self.builder.loop("i", loop.index, Rows(3), 1, loop.results) as rest:
            loaded = self.load_at(float64, 1, affine(rest.index) * 2)
            as_integer = self.builder.cast(loaded, int32)
            rest.carry(self.builder.compute("add", rest.values[0], as_integer))
        self.keep(rest.results[0])

    def by_rows(self) -> None:
        depth = self.depth
        with self.builder.loop("row", 0, Rows(1, 4), 4) as loop:
            self.inside(affine(loop.index), depth)
        self.keep(self.builder.row_count(int32, 5, 2))

    def shared(self) -> None:
        depth, grain = self.depth, int(self.random.integers(1, 5))
        low, high = self.builder.share(Rows(7), grain)
        with self.builder.loop("i", low, high) as loop:
            target = self.parameters[len(DTYPES)]
            value = self.load_at(float32, 1, affine(loop.index))
            self.builder.store(value, Address(target, affine(loop.index) + 300))
        assert depth == 0

    # straight-line code

    def plain(self) -> None:
        steps = [
            self.arithmetic, self.comparison, self.mixed, self.turned, self.folded,
            self.lanes, self.conversion, self.spread, self.numbers, self.strided,
            self.hint, self.by_value,
        ]  # fmt: skip
        for _ in range(self.random.integers(1, 6)):
            self.choice(steps)

    def arithmetic(self) -> None:
        dtype, lanes = self.some(float32, float64, int32, int64, uint8), self.some(1, 4, 16)
        a, b = self.load(dtype, lanes), self.value(dtype, self.some(1, lanes))
        primitive = self.some("add", "subtract", "multiply", "maximum", "minimum")
        self.keep(self.builder.compute(primitive, a, b))
        if dtype.is_float:
            self.keep(self.builder.fma(a, a, self.value(dtype, lanes)))

    def comparison(self) -> None:
        dtype, lanes = self.some(*DTYPES[:5]), self.some(1, 4, 16)
        a, b = self.load(dtype, lanes), self.load(dtype, lanes)
        found = self.builder.compare(self.some("less", "less_equal", "equal"), a, b)
        self.keep(self.builder.compute("select", found, a, b))
        other = self.load(bool_, lanes)
        self.keep(self.builder.compute(self.some("logical_and", "logical_or"), found, other))
        self.keep(self.builder.compute("logical_not", found))

    def mixed(self) -> None:
        a, b = self.load(float32, 8), self.load(float32, 8)
        picked = [int(self.random.integers(16)) for _ in range(self.some(1, 4, 16))]
        self.keep(self.builder.shuffle([a, b], picked))
        self.keep(self.builder.shuffle([a], [lane % 8 for lane in picked]))

    def turned(self) -> None:
        dtype, lanes = self.some(float32, float64, int32), self.some(2, 4, 8)
        for out in self.builder.transpose([self.load(dtype, lanes) for _ in range(lanes)]):
            self.keep(out)

    def folded(self) -> None:
        dtype = self.some(float32, int32)
        value = self.load(dtype, self.some(1, 2, 16))
        self.keep(self.builder.across(self.some("add", "maximum", "minimum"), value))

    def lanes(self) -> None:
        value = self.load(self.some(*DTYPES), 4)
        self.keep(self.builder.lane(value, self.some(0, 3)))
        self.keep(self.builder.splat(self.builder.lane(value, 1), 8))

    def conversion(self) -> None:
        value = self.load(self.some(*DTYPES), self.some(1, 4, 16))
        self.keep(self.builder.cast(value, self.some(*DTYPES)))

    def spread(self) -> None:
        """One element in all lanes, or one a lane from here and there."""
        source = self.parameters[self.some(*range(len(DTYPES)))]
        place = self.place() + int(self.random.integers(0, 5))
        self.keep(self.builder.load(Address(source, place, self.some(0, 3)), 4))

    def numbers(self) -> None:
        self.keep(self.builder.constants([0.5, -1.0, float("inf"), -0.0], float32))
        self.keep(self.builder.constants([True, False], bool_))
        self.keep(self.builder.constant(-3, Kind(int64, 4)))
        self.keep(self.builder.positions(self.place(), 16, self.some(int32, int64)))

    def hint(self) -> None:
        source = self.parameters[self.some(*range(len(DTYPES)))]
        self.builder.prefetch(Address(source, self.place() + 10**6))

    def strided(self) -> None:
        dtype = self.some(*DTYPES)
        target = self.parameters[len(DTYPES) + DTYPES.index(dtype)]
        place = Affine(self.place().constant + 400)
        self.builder.store(self.load(dtype, 4), Address(target, place, 2))

    def by_value(self) -> None:
        """An address that is computed, as a gather's is."""
        index = self.load(int64, 1)
        source = self.parameters[0]
        moved = self.place() + affine(index) * 3
        self.keep(self.builder.load(Address(source, moved), 4))
        nine = self.builder.constant(9, Kind(int64))
        self.builder.fail(self.builder.compare("less", nine, index))

    # values and places

    def some(self, *options: T) -> T:
        return options[int(self.random.integers(len(options)))]

    def place(self) -> Affine:
        total = Affine(int(self.random.integers(0, 40)))
        for index in self.indices:
            total = total + index * int(self.random.integers(0, 4))
        return total

    def load(self, dtype: DType, lanes: int) -> Register:
        return self.load_at(dtype, lanes, self.place())

    def load_at(self, dtype: DType, lanes: int, place: Affine) -> Register:
        return self.builder.load(Address(self.parameters[DTYPES.index(dtype)], place), lanes)

    def value(self, dtype: DType, lanes: int) -> Register:
        if self.random.integers(2):
            return self.builder.constant(int(self.random.integers(0, 7)), Kind(dtype, lanes))
        return self.load(dtype, lanes)

    def keep(self, value: Register) -> None:
        """Written behind what has been written before, elsewhere for each pass."""
        dtype = value.kind.dtype
        target = self.parameters[len(DTYPES) + DTYPES.index(dtype)]
        self.written = (self.written + 16) % 256
        place = Affine(self.written)
        for index in self.indices:
            place = place + index
        self.builder.store(value, Address(target, place))


COUNT = 120


@pytest.fixture(scope="module")
def nests() -> list[Nest]:
    return [Author(seed).nest() for seed in range(COUNT)]


@pytest.fixture(scope="module")
def kernels(nests: list[Nest]) -> Kernels:
    return Kernels(nests, AVX512)


@pytest.mark.parametrize(("rows", "threads"), [(1, 1), (6, 1), (9, 3)])
def test_random_nests_mean_what_they_say(
    nests: list[Nest], kernels: Kernels, rows: int, threads: int
) -> None:
    for index, nest in enumerate(nests):
        found, wanted = arrays(index), arrays(index)
        failed = kernels.call(index, found, rows, threads)
        used = threads if nest.shared else 1
        expected = [interpret(nest, wanted, rows, thread, used) for thread in range(used)]
        assert (failed == 7) is any(expected)
        for parameter, a, b in zip(nest.parameters, found, wanted, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"nest {index}: {parameter.name}")


def test_the_random_nests_use_the_whole_language(nests: list[Nest]) -> None:
    kinds = {type(each).__name__ for nest in nests for each in statements(nest.body)}
    assert kinds == {
        "Load", "Store", "Immediate", "Immediates", "Compute", "Splat", "Lane", "Shuffle",
        "Across", "Transpose", "Positions", "Prefetch", "RowCount", "Fail", "Share", "Loop",
    }  # fmt: skip


def test_threads_do_together_what_one_does_alone() -> None:
    builder = NestBuilder()
    x, y = Parameter("x", float32), Parameter("y", float32)
    low, high = builder.share(Rows(3), 4)
    with builder.loop("i", low, high) as loop:
        place = affine(loop.index)
        doubled = builder.compute("add", *[builder.load(Address(x, place))] * 2)
        builder.store(doubled, Address(y, place))
    compiled = Kernels([builder.nest("kernel", "", (x, y))], AVX512)
    given = aligned(np.arange(64, dtype=np.float32))
    for threads in (1, 2, 3, 7, 64):
        out = aligned(np.full(64, -1, np.float32))
        compiled.call(0, [given, out], 9, threads)
        np.testing.assert_array_equal(out[:27], given[:27] * 2)
        np.testing.assert_array_equal(out[27:], -1)


def small(padded: bool, constant: int = 0) -> Nest:
    builder = NestBuilder()
    x, y = Parameter("x", float32, padded), Parameter("y", float32, padded)
    with builder.loop("panel", 0, 4) as loop:
        place = affine(loop.index) * 16
        builder.store(builder.load(Address(x, place + constant), 16), Address(y, place))
    return builder.nest("kernel", "", (x, y))


@pytest.mark.parametrize(
    ("padded", "constant", "alignment"), [(True, 0, 64), (True, 4, 16), (False, 0, 4)]
)
def test_only_what_is_surely_aligned_is_said_to_be(
    padded: bool, constant: int, alignment: int
) -> None:
    text = print_function(small(padded, constant)).body
    assert re.findall(r"load <16 x float>.*align (\d+)", text) == [str(alignment)]


def test_addresses_are_computed_where_their_variables_are_known() -> None:
    """What the inner loop does not change stands outside it; what is fixed is a displacement."""
    builder = NestBuilder()
    x, y = Parameter("x", float32), Parameter("y", float32)
    with builder.loop("i", 0, 8) as outer, builder.loop("j", 0, 8) as inner:
        place = affine(outer.index) * 100 + affine(inner.index) * 3
        builder.store(builder.load(Address(x, place + 7)), Address(y, place))
    body = print_function(builder.nest("kernel", "", (x, y))).body
    before, _, inside = body.partition("j.")
    assert body.count("mul nsw i64") == 4
    assert len(re.findall(r"mul nsw i64 %\w+, 100", before)) == 2
    assert not re.search(r", 100$", inside, re.M)
    assert len(re.findall(r"i64 7$", inside, re.M)) == 1


def test_a_function_says_that_its_arrays_do_not_overlap() -> None:
    assert print_function(small(True)).arguments.count("noalias") == 2


def test_notes_cannot_leave_their_comment() -> None:
    nest = small(True)
    evil = Nest("kernel", "x\ndefine void @evil()", nest.parameters, nest.body)
    text = Kernels([evil], AVX512).text
    assert "x?define void @evil()" in text
    assert not re.search(r"^define void @evil", text, re.M)
