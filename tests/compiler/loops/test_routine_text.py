"""Routines as text, and what their builder refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chainc.ir.types import float32, int64, uint8
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.routine_text import print_routine
from chainc.loops.values import Address, Parameter, affine


def double() -> Nest:
    to, x = NestBuilder(), Parameter("x", float32)
    value = to.load(Address(x, affine(0)))
    to.store(to.compute("add", value, value), Address(x, affine(0)))
    return to.nest("double", "2 x", (x,))


def test_a_routine(golden: Callable[[str, str], None]) -> None:
    """Every statement that nests have not."""
    to, nest = RoutineBuilder(), double()
    arena, table = to.buffer("arena", uint8), to.buffer("table", uint8)
    thread, threads = to.number("thread"), to.number("threads")
    control = Address(to.within(arena, 0, "stop", int64), affine(0))
    stopped = to.is_equal(to.acquire(control), 1, "stopped")
    own = to.table("own", {0: arena, 2: to.within(arena, 8, "words", int64)}, 3)
    found = to.load(Address(to.entry(own, 2, "found", int64), affine(0)))
    to.leave(to.is_missing(arena, 64, "unusable"), to.is_equal(found, 7, "seven"))
    with to.when(to.opposite(stopped, "goes"), [stopped]) as branch:
        with to.repeat([to.integer(0, "count")]) as loop:
            (count,) = loop.values
            x = to.within(arena, affine(count) * 64 + 4096, "x", float32)
            to.run(nest, x, count, thread, threads)
            to.run(nest, to.entry(table, 3, "y", float32), count, thread, threads)
            to.run(nest, to.data("constant.0", float32, bytes(4)), count, thread, threads)
            to.barrier(arena, thread, threads)
            more = to.plus(count, 1)
            loop.carry(more, again=to.is_less(more, 9, "more"))
        branch.change(to.is_equal(loop.results[0], 9, "complete"))
    with to.otherwise(branch):
        to.release(to.integer(0), control)
        branch.change(to.truth(False))
    (result,) = branch.results
    routine = to.routine("whole", "a test", result=result)
    golden("routine.loops", print_routine(routine, {nest: "double.2"}))


def test_what_a_branch_keeps_has_one_name() -> None:
    to = RoutineBuilder()
    number = to.number("number")
    size = to.times(number, 2, "size")
    with to.when(to.is_less(number, 7, "small"), [size]) as branch:
        branch.change(to.plus(size, 1))
    routine = to.routine("sized", "a test", result=branch.results[0])
    assert print_routine(routine, {}) == (
        "# a test\n"
        "sized(number: i64) -> i64\n"
        "    size: i64 = number * 2\n"
        "    small: bool = number < 7\n"
        "    if small:\n"
        "        size = size + 1\n"
        "    return size\n"
    )


def test_what_is_still_needed_keeps_its_name() -> None:
    to = RoutineBuilder()
    number = to.number("number")
    size = to.times(number, 2, "size")
    with to.when(to.is_less(number, 7, "small"), [size]) as branch:
        branch.change(to.plus(size, 1, "size"))
    result = to.plus(size, branch.results[0], "both")
    routine = to.routine("sized", "a test", result=result)
    assert print_routine(routine, {}).splitlines()[4:] == [
        "    if small:",
        "        size1: i64 = size0 + 1",
        "    else:",
        "        size1 = size0",
        "    both: i64 = size0 + size1",
        "    return both",
    ]


def test_a_branch_changes_all_that_it_keeps() -> None:
    to = RoutineBuilder()
    with (
        pytest.raises(ValueError, match="1 registers are kept, not 2"),
        to.when(to.truth(True), [to.integer(1)]) as branch,
    ):
        branch.change(to.integer(1), to.integer(2))


def test_a_repetition_says_what_it_carries_and_when_it_ends() -> None:
    to = RoutineBuilder()
    with (
        pytest.raises(ValueError, match="1 registers are carried, not 0"),
        to.repeat([to.integer(1)]) as loop,
    ):
        loop.carry(again=to.truth(False))
    with pytest.raises(ValueError, match="say whether there is another pass"), to.repeat([]):
        pass


def test_a_routine_is_given_all_its_arguments() -> None:
    inner, outer = RoutineBuilder(), RoutineBuilder()
    inner.number("rows"), inner.number("step")
    with pytest.raises(ValueError, match="part takes 2 arguments"):
        outer.run(inner.routine("part", "of a loop"), outer.number("rows"))
