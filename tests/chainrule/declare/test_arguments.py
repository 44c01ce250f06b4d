"""Checks of arguments: what passes unchanged, and what is refused with which message."""

import math
from fractions import Fraction

import numpy as np
import pytest

from chainc.ir.errors import DTypeError, InputError
from chainrule.declare.arguments import array, count, number, part_name

HERE = r"\n  where: .*test_arguments\.py:\d+\n  try: "


@pytest.mark.parametrize("value", [0.5, 1, np.float32(0.5), np.int64(1), Fraction(1, 2)])
def test_number_accepts_real_numbers_of_every_kind(value: object) -> None:
    given = number("f", "x", value, above=0, hint="h")
    assert type(given) is float
    assert given == value


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "1", None, 1j, 10**400, [1.0]])
def test_number_refuses_what_is_no_finite_number(value: object) -> None:
    with pytest.raises(InputError, match=rf"^f: x must be a finite number, got .*{HERE}h$"):
        number("f", "x", value, hint="h")


def test_a_value_that_fills_lines_is_told_by_its_class() -> None:
    for value in (np.zeros((50, 50)), "no " * 50):
        with pytest.raises(InputError, match=rf"got a {type(value).__name__}{HERE}h$"):
            number("f", "x", value, hint="h")


def test_number_names_its_range() -> None:
    with pytest.raises(InputError, match=r"^f: x must be a finite number and above 0, got 0"):
        number("f", "x", 0, above=0, hint="h")
    with pytest.raises(InputError, match=r"finite number and at least 0 and below 1, got 1"):
        number("f", "x", 1, at_least=0, below=1, hint="h")
    assert number("f", "x", 0, at_least=0, below=1, hint="h") == 0.0


def test_count_accepts_integers_only() -> None:
    assert count("f", "n", np.int32(3), hint="h") == 3
    assert count("f", "n", 0, at_least=0, hint="h") == 0
    for value in (0, -1, True, 2.0, "2", None):
        with pytest.raises(InputError, match=rf"^f: n must be a whole number, at least 1.*{HERE}h"):
            count("f", "n", value, hint="h")


def test_part_name_refuses_what_would_break_a_path() -> None:
    assert part_name("f", "größe 1") == "größe 1"
    for value in ("", "a/b", "a\nb", 3, None, "\ud800"):
        with pytest.raises(InputError, match=rf"is no name{HERE}give a word such as \"weight\""):
            part_name("f", value)


def test_array_is_a_read_only_contiguous_copy() -> None:
    given = np.arange(6, dtype=np.float32).reshape(2, 3).T
    taken = array("f", "x", given)
    given[0, 0] = 9
    assert taken.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert taken.flags.c_contiguous
    assert not taken.flags.writeable


def test_array_reads_big_endian_values_as_they_are_meant() -> None:
    taken = array("f", "x", np.array([1.5, -2.0], dtype=">f4"))
    assert taken.dtype.isnative
    assert taken.tolist() == [1.5, -2.0]


def test_array_keeps_scalars_and_empty_shapes() -> None:
    assert array("f", "x", np.int64(3)).shape == ()
    assert array("f", "x", np.zeros((0, 3))).shape == (0, 3)


def test_array_refuses_what_it_would_misread() -> None:
    with pytest.raises(InputError, match=rf"^f: x is a masked array.*{HERE}fill it first"):
        array("f", "x", np.ma.masked_array([1.0, 2.0], mask=[True, False]))
    with pytest.raises(InputError, match=rf"^f: x is no array: .*{HERE}give rows of equal length"):
        array("f", "x", [[1.0], [1.0, 2.0]])
    for value in (np.array([None]), np.float16(1), np.array(["a"]), 1j):
        with pytest.raises(DTypeError, match=rf"^f: x has element type .*{HERE}convert it"):
            array("f", "x", value)
