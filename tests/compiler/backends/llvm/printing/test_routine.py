"""The LLVM text of routines against their meaning: branches, repetitions, buffers, calls."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
import pytest
from tests.interpreter import Table, interpret_routine
from tests.native import aligned

from chainc.backends.llvm.machine_code.jit import Library, compile_object
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.printing.routine import MOST_INLINED
from chainc.backends.llvm.processors.native import host
from chainc.ir.types import Array, bool_, float64, int32, int64, uint8
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest, Routine, statements
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Kind, Parameter, Register, affine

WORDS = 64
ARGUMENTS = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
PRIMITIVES = ("add", "subtract", "multiply", "minimum", "maximum", "bit_and", "bit_or", "bit_xor")


def counting_nest() -> Nest:
    """Adds the number of rows to an element; fails where it was negative."""
    to, place = NestBuilder(), Parameter("place", int64, padded=False)
    value = to.load(Address(place, affine(0)))
    to.fail(to.compare("less", value, to.constant(0, Kind(int64))))
    to.store(to.compute("add", value, to.row_count(int64)), Address(place, affine(0)))
    return to.nest("counting", "a test", (place,))


def inner_routine(name: str, *, inlined: bool) -> Routine:
    """Stores a number, and says whether it is odd."""
    to = RoutineBuilder()
    arena, number = to.buffer("arena", uint8), to.number("number")
    place = to.within(arena, 8 * 11, "place", int64)
    to.release(number, Address(place, affine(0)))
    odd = to.is_equal(to.compute("bit_and", number, to.integer(1)), 1)
    return to.routine(name, "a test", result=odd, inlined=inlined)


class Author:
    """Writes a random routine: it ends, whatever is in memory."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.to = RoutineBuilder()
        self.arena, self.table = self.to.buffer("arena", uint8), self.to.buffer("table", uint8)
        self.number = self.to.number("number")
        self.words = self.to.within(self.arena, 0, "words", int64)
        self.inner = [inner_routine(f"inner.{i}", inlined=bool(i)) for i in range(2)]
        self.nest = counting_nest()

    def routine(self) -> Routine:
        known = [self.number, self.to.integer(3)]
        for _ in range(6):
            known.append(self.some(known, 0))
        return self.to.routine("tested", "random", result=known[-1])

    def chosen(self, known: Sequence[Register]) -> Register:
        return known[int(self.random.integers(len(known)))]

    def address(self) -> Address:
        return Address(self.words, affine(int(self.random.integers(WORDS))))

    def some(self, known: Sequence[Register], depth: int) -> Register:
        """Writes something, and gives a number that is known after it."""
        plain = [self.computed, self.loaded, self.stored, self.called, self.shifted]
        around = [self.branched, self.repeated, self.looped]
        if depth < 3 and self.random.integers(2):
            return around[int(self.random.integers(len(around)))](known, depth)
        return plain[int(self.random.integers(len(plain)))](known)

    def inside(self, known: Sequence[Register], depth: int) -> Register:
        found = list(known)
        for _ in range(int(self.random.integers(1, 4))):
            found.append(self.some(found, depth + 1))
        return found[-1]

    def computed(self, known: Sequence[Register]) -> Register:
        primitive = str(self.random.choice(PRIMITIVES))
        return self.to.compute(primitive, self.chosen(known), self.chosen(known))

    def shifted(self, known: Sequence[Register]) -> Register:
        to = self.to
        low = to.compute("bit_and", self.chosen(known), to.integer(15))
        if self.random.integers(2):
            return to.compute("leading_zeros", low)
        primitive = str(self.random.choice(["shift_left", "shift_right"]))
        return to.compute(primitive, self.chosen(known), low)

    def loaded(self, known: Sequence[Register]) -> Register:
        if self.random.integers(2):
            return self.to.acquire(self.address())
        which: int | Register = int(self.random.integers(2))
        if self.random.integers(2):
            which = self.to.compute("bit_and", self.chosen(known), self.to.integer(1))
        place = self.to.entry(self.table, which, "entry", int64)
        low = self.to.compute("bit_and", self.chosen(known), self.to.integer(7))
        return self.to.load(Address(place, affine(low)))

    def stored(self, known: Sequence[Register]) -> Register:
        self.to.store(self.chosen(known), self.address())
        return self.to.load(self.address())

    def called(self, known: Sequence[Register]) -> Register:
        to = self.to
        if self.random.integers(2):
            zero, one = to.integer(0), to.integer(1)
            place, failure = (to.within(self.arena, 8 * n, "word", int64) for n in (12, 13))
            rows = to.compute("bit_and", self.chosen(known), to.integer(255))
            to.run(self.nest, place, rows, zero, one, failure, self.chosen(known))
            return rows
        number = self.chosen(known)
        odd = to.result_of(self.inner[int(self.random.integers(2))], self.arena, number)
        return to.either(odd, number, 17)

    def branched(self, known: Sequence[Register], depth: int) -> Register:
        to, kept = self.to, [self.chosen(known), self.chosen(known)]
        condition = to.is_less(self.chosen(known), self.chosen(known))
        if self.random.integers(2):
            condition = to.compute(
                "unsigned_less", self.chosen(known), self.chosen(known), dtype=bool_
            )
        with to.when(condition, kept) as branch:
            branch.change(self.inside(known, depth), kept[0])
        if self.random.integers(2):
            with to.otherwise(branch):
                branch.change(kept[1], self.inside(known, depth))
        first, second = branch.results
        return to.plus(first, second)

    def repeated(self, known: Sequence[Register], depth: int) -> Register:
        to, most = self.to, int(self.random.integers(1, 5))
        with to.repeat([to.integer(0), self.chosen(known)]) as loop:
            count, value = loop.values
            following = self.inside([*known, count, value], depth)
            more = to.plus(count, 1)
            loop.carry(more, following, again=to.is_less(more, most))
        times, last = loop.results
        return to.plus(times, last)

    def looped(self, known: Sequence[Register], depth: int) -> Register:
        to = self.to
        stop = to.compute("bit_and", self.chosen(known), to.integer(3))
        with to.loop("i", 0, stop, 1, [self.chosen(known)]) as loop:
            here = to.positions(loop.index, 1)
            loop.carry(self.inside([*known, here, loop.values[0]], depth))
        return loop.results[0]


ENTRY = """\
define i64 @entry(ptr %arena, ptr %table, i64 %number) {
  %result = call i64 @tested(ptr %arena, ptr %table, i64 %number)
  ret i64 %result
}
"""


def compiled(routine: Routine, entry: str = ENTRY) -> Library:
    module = Module(host().machine)
    module.routine(routine)
    module.add(entry)
    return Library(compile_object(module.text(), host()), ["entry"])


def arrays(seed: int) -> tuple[Array, Table]:
    random = np.random.default_rng(seed)
    words = [random.integers(-9, 99, WORDS) for _ in range(3)]
    return aligned(words[0].view(np.uint8)), Table(aligned(each) for each in words[1:])


@pytest.mark.parametrize("seed", range(40))
def test_machine_code_does_what_the_language_means(seed: int) -> None:
    routine = Author(seed).routine()
    library = compiled(routine)
    function = library.function("entry", ctypes.c_int64, ARGUMENTS)
    for number in (-5, 0, 1, 1234567):
        (mine, table), (other, _) = arrays(seed), arrays(seed)
        expected = interpret_routine(routine, [other, table, number])
        pointers = np.array([each.ctypes.data for each in table], np.uint64)
        assert function(mine.ctypes.data, pointers.ctypes.data, number) == expected
        np.testing.assert_array_equal(mine, other)


def test_the_random_routines_use_the_whole_language() -> None:
    used = {type(s).__name__ for seed in range(40) for s in statements(Author(seed).routine().body)}
    assert used >= {
        "Acquire", "Branch", "Call", "Entry", "Loop", "Repeat", "Store", "Within"
    }  # fmt: skip


def test_lanes_are_looked_through_and_constants_have_room_behind() -> None:
    to = RoutineBuilder()
    arena, _, number = to.buffer("arena", uint8), to.buffer("table", uint8), to.number("number")
    numbers = to.data("numbers", int32, np.arange(5, dtype=np.int32).tobytes())
    lanes = to.load(Address(numbers, affine(1)), 4)
    found = to.compute("equal", lanes, to.cast(number, int32), dtype=bool_)
    out = to.within(arena, 0, "out", float64)
    to.store(to.cast(to.somewhere(found), float64), Address(out, affine(0)))
    routine = to.routine("tested", "a test", result=to.integer(5))
    library = compiled(routine)
    function = library.function("entry", ctypes.c_int64, ARGUMENTS)
    for given, expected in ((0, 0.0), (3, 1.0), (5, 0.0)):
        mine, other = (aligned(np.zeros(64, np.uint8)) for _ in range(2))
        assert function(mine.ctypes.data, 0, given) == 5
        assert interpret_routine(routine, [other, Table(), given]) == 5
        assert mine.view(np.float64)[0] == other.view(np.float64)[0] == expected


def test_what_is_called_is_printed_once_and_before() -> None:
    nest, inner = counting_nest(), inner_routine("inner", inlined=True)
    to = RoutineBuilder()
    arena, number = to.buffer("arena", uint8), to.number("number")
    for _ in range(2):
        place = to.within(arena, 96, "place", int64)
        to.run(nest, place, number, number, number, place, number)
        to.result_of(inner, arena, number)
    module = Module(host().machine)
    module.routine(to.routine("outer", "a test\nof lines"))
    text = module.text()
    order = [text.index(f'@"{name}"(') for name in ("counting", "inner", "outer")]
    assert order == sorted(order)
    assert text.count("define internal") == 3
    assert 'define internal i1 @"inner"(ptr %arena, i64 %number) alwaysinline' in text
    assert "; a test?of lines\n" in text


@pytest.mark.parametrize(("count", "calls"), [(MOST_INLINED, 0), (MOST_INLINED + 1, 1)])
def test_barriers_of_long_routines_are_calls(count: int, calls: int) -> None:
    to = RoutineBuilder()
    arena = to.buffer("arena", uint8)
    thread, threads = to.number("thread"), to.number("threads")
    for _ in range(count):
        to.barrier(arena, thread, threads)
    module = Module(host().machine)
    module.routine(to.routine("long", "a test"))
    (line,) = {line.strip() for line in module.text().splitlines() if '@"barrier"' in line}
    assert line.endswith("noinline") == bool(calls)
