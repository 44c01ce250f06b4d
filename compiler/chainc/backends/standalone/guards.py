"""Writes routines that C calls: what each is given is checked before anything changes."""

from __future__ import annotations

from chainc.backends.standalone.interface import BAD_ARENA, BAD_ARGUMENT, BAD_INDEX, OK, RowArray
from chainc.ir.types import bool_, int32, int64, uint8
from chainc.loops.language import Routine
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Kind, Parameter, Register, affine
from chainc.schedules.program import control_block
from chainc.schedules.program.control_block import CACHE_LINE

RESULT = Kind(int32)  # what C calls int


class CheckedWriter(RoutineBuilder):
    """A routine over an arena, which ends where a check fails, and says why."""

    def __init__(self) -> None:
        super().__init__()
        self.arena = self.buffer("arena", uint8)

    def checked(
        self, name: str, note: str, result: Register | None = None, *, inlined: bool = True
    ) -> Routine:
        """All of it; what has passed every check is fine unless it says otherwise."""
        end = self.said(OK) if result is None else result
        return self.routine(name, note, result=end, inlined=inlined)

    def said(self, result: int) -> Register:
        return self.constant(result, RESULT)

    # checks

    def refuse(self, condition: Register, result: int = BAD_ARGUMENT) -> None:
        self.leave(condition, self.said(result))

    def passes(self, check: Routine, *given: Parameter | Register) -> None:
        """What another routine refuses, this one does too."""
        result = self.result_of(check, *given)
        self.leave(self.compute("less", self.said(OK), result, dtype=bool_, name="wrong"), result)

    def given(self, *buffers: Parameter) -> None:
        for buffer in buffers:
            self.refuse(self.is_missing(buffer, name="missing"))

    def in_range(self, value: Register, least: int, most: int | Register) -> None:
        self.refuse(self.is_less(value, least, "too_few"))
        self.refuse(self.is_less(most, value, "too_many"))

    def no_other_bits(self, value: Register, allowed: int) -> None:
        others = self.compute("bit_and", value, self.integer(~allowed), name="others")
        self.refuse(self.opposite(self.is_equal(others, 0, "none"), "unknown"))

    def indices(self, array: RowArray, buffer: Parameter, rows: Register) -> None:
        """The values of so many rows lie within the array's bound, if it has one."""
        if array.bound is None:
            return
        count = self.times(rows, array.row_elements, "count")
        with self.loop("i", 0, count) as loop:
            index = self.load(Address(buffer, affine(loop.index)), name="index")
            given = (self.cast(index, int64), self.integer(array.bound))
            fine = self.compute("unsigned_less", *given, dtype=bool_, name="fine")
            self.refuse(self.opposite(fine, "outside"), BAD_INDEX)

    # the arena

    def word(self, offset: int, name: str) -> Address:
        return Address(self.within(self.arena, offset, name, int64), affine(0))

    def cleared(self, nbytes: int) -> None:
        """The arena is zero."""
        words = self.within(self.arena, 0, "words", int64, padded=True)
        lanes = CACHE_LINE // 8
        zero = self.constant(0, Kind(int64, lanes))
        with self.loop("i", 0, self.integer(nbytes // 8), lanes) as loop:
            self.store(zero, Address(words, affine(loop.index)))

    def outcome(self) -> Register:
        """Has a kernel found an index that is out of range?"""
        failure = self.acquire(self.word(control_block.FAILURE, "failure"))
        chosen = (self.is_equal(failure, 0, "whole"), self.said(OK), self.said(BAD_INDEX))
        return self.compute("select", *chosen, name="outcome")


def arena_check(mark_at: int, mark: int) -> Routine:
    """May the arena be used, and has this version of the program prepared it?"""
    to = CheckedWriter()
    to.refuse(to.is_missing(to.arena, CACHE_LINE, "unusable"))
    found = to.load(to.word(mark_at, "mark"), name="mark")
    prepared = to.is_equal(found, mark, "prepared")
    to.refuse(to.opposite(prepared, "strange"), BAD_ARENA)
    note = "what is refused: 1, an argument; 2, an index; 3, an arena of another version"
    return to.checked("arena.check", note, inlined=False)
