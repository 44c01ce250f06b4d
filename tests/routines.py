"""Random routines, for the printers of the loop language to agree on."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from tests.interpreter import Pointers
from tests.native import aligned

from chainc.ir.types import Array, bool_, int64, uint8
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest, Routine
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
        plain = [self.computed, self.loaded, self.stored, self.called, self.shifted, self.left]
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

    def left(self, known: Sequence[Register]) -> Register:
        """A routine may end here, and finds where a buffer is."""
        to = self.to
        if self.random.integers(2):
            low = to.compute("bit_and", self.chosen(known), to.integer(15))
            to.leave(to.is_equal(low, 3), self.chosen(known))
            return low
        place = to.within(self.arena, 8 * int(self.random.integers(8)), "place", int64)
        missing = to.is_missing(place, int(2 ** self.random.integers(7)))
        return to.either(missing, self.chosen(known), 5)

    def loaded(self, known: Sequence[Register]) -> Register:
        if self.random.integers(2):
            return self.to.acquire(self.address())
        which: int | Register = int(self.random.integers(2))
        if self.random.integers(2):
            which = self.to.compute("bit_and", self.chosen(known), self.to.integer(1))
        table = self.table
        if self.random.integers(2):
            table = self.to.table("own", {1: self.words, 0: self.words}, 3)
        place = self.to.entry(table, which, "entry", int64)
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


def arrays(seed: int) -> tuple[Array, Pointers]:
    random = np.random.default_rng(seed)
    words = [random.integers(-9, 99, WORDS) for _ in range(3)]
    return aligned(words[0].view(np.uint8)), Pointers(aligned(each) for each in words[1:])
