"""Numbers, names and comments of C: what is written means what was meant, whatever it was."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainc.backends.c.spelling import Type, comment, identifier, literal, type_of
from chainc.ir.types import bool_, float32, int32, uint8
from chainc.loops.values import Kind

FLOAT, DOUBLE = Type("float"), Type("double")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_read_back_as_it_was(value: float) -> None:
    text = literal(value, FLOAT)
    assert text.endswith("f")
    assert struct.pack("<f", float(text[:-1])) == struct.pack("<f", value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_read_back_as_it_was(value: float) -> None:
    assert struct.pack("<d", float(literal(value, DOUBLE))) == struct.pack("<d", value)


def test_numbers_look_as_one_writes_them() -> None:
    assert [literal(value, FLOAT) for value in (0, 1, -2.5, 0.1, 1e-8)] == [
        "0.0f",
        "1.0f",
        "-2.5f",
        "0.1f",
        "1e-08f",
    ]
    assert [literal(value, DOUBLE) for value in (math.inf, -math.inf)] == ["INFINITY", "-INFINITY"]
    assert literal(math.nan, FLOAT) == "NAN"
    assert literal(1e300, FLOAT) == "INFINITY"


def test_integers_stay_in_their_type() -> None:
    """What C would read as a wider number is written as it is in the type."""
    assert literal(0x85EBCA6B, Type("int32_t")) == "-2048144789"
    assert literal(-(1 << 31), Type("int32_t")) == "INT32_MIN"
    assert literal(1 << 63, Type("int64_t")) == "INT64_MIN"
    assert literal(-1, Type("uint8_t")) == "255"
    mask = type_of(Kind(bool_, 8))
    assert [literal(True, mask), literal(False, mask)] == ["-1", "0"]
    assert [literal(True, mask.of(1)), literal(False, mask.of(1))] == ["true", "false"]


def test_types_are_named_by_their_lanes() -> None:
    assert str(type_of(Kind(float32, 8))) == "f32x8"
    assert str(type_of(Kind(int32))) == "int32_t"
    assert str(type_of(Kind(int32, 12))) == "i32x16"
    assert str(type_of(Kind(uint8, 4)).with_mask()) == "i8x4"
    assert str(type_of(Kind(bool_))) == "bool"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("linear1/weight", "linear1_weight"),
        ("double", "double_"),
        ("größe", "gr_e"),
        ("3d", "v3d"),
        ("", "value"),
        ("f32x8", "f32x8_"),
        ("load_f32x8", "load_f32x8_"),
        ("exp", "exp"),
        ("NAN", "NAN_"),
    ],
)
def test_names_are_those_that_c_allows(name: str, found: str) -> None:
    assert identifier(name) == found


def test_a_function_has_no_name_of_the_library() -> None:
    assert identifier("exp", function=True) == "exp_"
    assert identifier("relu1", function=True) == "relu1"


def test_no_comment_ends_or_goes_on() -> None:
    assert comment("a\nint x; \\") == "// a?int x; /"
    assert "??/" not in comment("trigraph ??/")
