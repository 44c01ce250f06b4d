"""Nests as C: what loops hand on, what nobody reads, and what vectors of truth values become."""

from __future__ import annotations

import ctypes
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from string import Template

import numpy as np
import pytest
from tests.interpreter import interpret_routine
from tests.routines import ARGUMENTS, Author, arrays

from chainc.backends.c.file import CALL, CFile, Entry
from chainc.backends.llvm.c_programs.compiler import SharedObject, shared_object
from chainc.backends.llvm.host.function import SIGNATURE
from chainc.ir.types import Array, float32, int64, uint8
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest
from chainc.loops.routine_builder import RoutineBuilder
from chainc.loops.values import Address, Parameter, Rows, affine

X = Parameter("x", float32)
GIVEN = ("arena", "table", "number")
ENTRY = Template("""\
int64_t entry_$seed(unsigned char *arena, void **table, int64_t number) {
    (void)arena, (void)table, (void)number;
    return $name($given);
}
""")


def file_of(nest: Nest) -> str:
    """A file whose `run` has the nest do what it does to the first array."""
    to = RoutineBuilder()
    to.buffer("arena", uint8)
    table, rows = to.buffer("table", uint8), to.number("rows")
    thread, threads = to.number("thread"), to.number("threads")
    to.run(nest, to.entry(table, 0, "x", float32), rows, thread, threads)
    return CFile([Entry("run", CALL, (to.routine("main.one", "a test"),))]).text()


def ran(nest: Nest, values: list[float], rows: int) -> Array:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    text = file_of(nest)
    array = np.array(values, np.float32)
    table = (ctypes.c_void_p * 1)(array.ctypes.data)
    library = SharedObject(lambda: shared_object(text))
    library.function("run", None, SIGNATURE)(None, table, rows, 0, 1)
    return array


def nest_of(write: Callable[[NestBuilder], None]) -> Nest:
    builder = NestBuilder()
    write(builder)
    return builder.nest("kernel", "a test", (X,))


def turned(to: NestBuilder) -> None:
    """Three numbers change places once a row."""
    first = [to.load(Address(X, affine(i))) for i in range(3)]
    with to.loop("row", 0, Rows(), carried=first) as loop:
        a, b, c = loop.values
        loop.carry(b, c, a)
    for i, value in enumerate(loop.results):
        to.store(value, Address(X, affine(i)))


def test_what_a_loop_hands_on_changes_all_at_once() -> None:
    nest = nest_of(turned)
    assert re.search(r"float (\w+_next) = (\w+);\n(.*\n){2} +\w+ = \1;", file_of(nest))
    for rows in range(4):
        found = ran(nest, [1.0, 2.0, 3.0], rows)
        assert found.tolist() == np.roll([1.0, 2.0, 3.0], -rows).tolist()


def halved(to: NestBuilder) -> None:
    """What is above 1 is halved; a sum that is not stored is left out."""
    value = to.load(Address(X, affine(0)), 4)
    total = to.compute("add", value, value, name="total")
    to.compute("multiply", total, total, name="square")
    one, half = (to.constant(number, value.kind) for number in (1.0, 0.5))
    above = to.compare("less", one, value)
    either = to.compute("logical_or", above, to.compare("equal", value, one))
    with_half = to.compute("select", either, to.compute("multiply", value, half), value)
    to.store(with_half, Address(X, affine(0)))


def test_what_nobody_reads_is_left_out() -> None:
    text = file_of(nest_of(halved))
    assert "total" not in text
    assert "square" not in text
    assert ran(nest_of(halved), [4.0, 1.0, -2.0, 0.5], 1).tolist() == [2.0, 0.5, -2.0, 0.5]


def skipped(to: NestBuilder) -> None:
    """A loop without a pass, whose index is where the next one starts."""
    total = to.load(Address(X, affine(0)))
    with to.loop("k", 0, 3, 4, carried=[total]) as wide:
        wide.carry(to.compute("multiply", wide.values[0], wide.values[0]))
    with to.loop("rest", wide.index, 3, carried=wide.results) as narrow:
        narrow.carry(to.compute("add", narrow.values[0], narrow.values[0]))
    to.store(narrow.results[0], Address(X, affine(0)))


def test_a_loop_without_a_pass_is_not_there() -> None:
    text = file_of(nest_of(skipped))
    assert len(re.findall(r"\bfor \(", text)) == 1
    assert "for (int64_t rest = 0; rest < 3; rest++) {" in text
    assert ran(nest_of(skipped), [1.5], 1).tolist() == [12.0]


def test_positions_are_of_their_own_type() -> None:
    def write(to: NestBuilder) -> None:
        with to.loop("k", 0, 8, 4) as loop:
            place = to.positions(affine(loop.index) + 1, 4, int64)
            to.store(to.cast(place, float32), Address(X, affine(loop.index)))

    assert ran(nest_of(write), [0.0] * 8, 1).tolist() == [float(i) for i in range(1, 9)]


def test_c_does_what_the_language_means() -> None:
    """Random routines in one file."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    routines = [replace(Author(seed).routine(), name=f"tested.{seed}") for seed in range(40)]
    file, entries = CFile(()), []
    for seed, routine in enumerate(routines):
        callee = file.routine(routine)
        given = [name for name, keeps in zip(GIVEN, callee.kept, strict=True) if keeps]
        entries.append(ENTRY.substitute(seed=seed, name=callee.name, given=", ".join(given)))
    text = "\n".join([file.text(), *entries])
    library = SharedObject(lambda: shared_object(text))
    for seed, routine in enumerate(routines):
        function = library.function(f"entry_{seed}", ctypes.c_int64, ARGUMENTS)
        for number in (-5, 0, 1, 1234567):
            (mine, table), (other, _) = arrays(seed), arrays(seed)
            expected = interpret_routine(routine, [other, table, number])
            pointers = np.array([each.ctypes.data for each in table], np.uint64)
            assert function(mine.ctypes.data, pointers.ctypes.data, number) == expected, seed
            np.testing.assert_array_equal(mine, other)
