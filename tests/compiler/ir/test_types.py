import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainc.ir.types import (
    BY_NAME,
    DTYPES,
    DType,
    Shape,
    TensorType,
    bind,
    bind_shape,
    bool_,
    broadcast,
    divide,
    float32,
    float64,
    format_shape,
    int32,
    int64,
    multiply,
    named,
    product,
    promote,
    static,
    uint8,
)

batch, time = named("batch"), named("time")


@pytest.mark.parametrize(("a", "b"), list(itertools.product(DTYPES, DTYPES)))
def test_promotion_is_numpys_within_a_kind_and_none_between_kinds(a: DType, b: DType) -> None:
    expected = BY_NAME[np.promote_types(a.numpy, b.numpy).name] if a.kind == b.kind else None
    assert promote(a, b) == expected


def test_element_types_are_known_by_both_their_names() -> None:
    for dtype in DTYPES:
        assert BY_NAME[dtype.name] is BY_NAME[dtype.short] is dtype
        assert dtype.numpy.itemsize == dtype.itemsize
        assert dtype.is_float == np.issubdtype(dtype.numpy, np.floating)
    assert [str(d) for d in DTYPES] == ["f32", "f64", "i32", "i64", "u8", "bool"]


def test_signs_and_bounds_are_numpys() -> None:
    for dtype in (int32, int64, uint8):
        bounds = np.iinfo(dtype.name)
        assert (dtype.lowest, dtype.highest) == (bounds.min, bounds.max)
        assert dtype.signed == (bounds.min < 0)
    for dtype in (float32, float64):
        assert (dtype.lowest, dtype.highest, dtype.signed) == (-math.inf, math.inf, True)
    assert (bool_.lowest, bool_.highest, bool_.signed) == (False, True, False)


def test_sums_are_of_the_elements_type_unless_it_says_otherwise() -> None:
    assert all(dtype.accumulator is dtype for dtype in DTYPES)
    assert replace(float32, sums=float64).accumulator is float64


def test_named_sizes_multiply_in_any_order_and_print_as_products() -> None:
    assert str(multiply(time, multiply(2, batch))) == "2*batch*time"
    assert multiply(time, batch) == multiply(batch, time)
    assert multiply(batch, 1) == batch
    assert multiply(batch, 0) == 0
    assert product([]) == 1
    assert product([2, batch, 3]) == multiply(6, batch)


def test_division_is_exact_for_every_value_of_the_names_or_none() -> None:
    assert divide(multiply(6, batch), 3) == multiply(2, batch)
    assert divide(multiply(6, batch), multiply(2, batch)) == 3
    assert divide(multiply(batch, batch), batch) == batch
    assert divide(6, 4) is None
    assert divide(batch, 2) is None
    assert divide(6, batch) is None
    assert divide(batch, time) is None
    assert divide(6, 0) is None


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_binding_commutes_with_products_and_quotients(b: int, t: int, m: int, n: int) -> None:
    sizes = {"batch": b, "time": t}
    left, right = multiply(m, multiply(batch, time)), multiply(n, time)
    assert bind(multiply(left, right), sizes) == m * b * t * n * t
    quotient = divide(multiply(left, right), right)
    assert quotient is not None
    assert bind(quotient, sizes) == m * b * t


def test_binding_keeps_the_names_it_does_not_know() -> None:
    assert bind(multiply(2, multiply(batch, time)), {"batch": 3}) == multiply(6, time)
    assert bind(multiply(batch, time), {"batch": 0}) == 0
    assert bind_shape((batch, 4, time), {"time": 5}) == (batch, 4, 5)


def test_static_shapes_have_no_names_left() -> None:
    assert static((2, 3)) == (2, 3)
    with pytest.raises(ValueError, match=r"sizes \['batch', '2\*time'\] are not bound"):
        static((batch, 3, multiply(2, time)))


shapes = st.lists(st.sampled_from([0, 1, 2, 3]), max_size=4).map(tuple)


@given(shapes, shapes, shapes)
def test_broadcasting_is_numpys(a: Shape, b: Shape, c: Shape) -> None:
    try:
        expected = np.broadcast_shapes(static(a), static(b), static(c))
    except ValueError:
        assert broadcast(a, b, c) is None
    else:
        assert broadcast(a, b, c) == expected


def test_a_named_size_broadcasts_with_itself_and_one() -> None:
    assert broadcast((batch, 1), (3,)) == (batch, 3)
    assert broadcast((batch,), (batch,)) == (batch,)
    assert broadcast((batch,), (1,)) == (batch,)
    assert broadcast((batch,), (2,)) is None
    assert broadcast((batch,), (time,)) is None


def test_tensor_types() -> None:
    images = TensorType((batch, 8, 8), float32)
    assert str(images) == "f32[batch,8,8]"
    assert str(TensorType((), bool_)) == "bool[]"
    assert images.ndim == 3
    assert images.size == multiply(64, batch)
    assert images.nbytes == multiply(256, batch)
    assert images.with_dtype(float64) == TensorType((batch, 8, 8), float64)
    assert images.with_shape([2]) == TensorType((2,), float32)
    assert images.bind({"batch": 2}).size == math.prod((2, 8, 8))
    assert format_shape((batch, 2)) == "[batch,2]"


def test_promotion_of_the_kinds_that_mix() -> None:
    assert promote(uint8, int32) is int32
    assert promote(int64, int32) is int64
    assert promote(float32, float64) is float64
    assert promote(float32, int32) is None
