"""Numbers of any kind become the declared type where they mean the same; others are refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ir.types import BY_NAME
from chainrule.declare.arrays import UnfitError, columns_of, convert, is_array, read

ANYTHING = npt.NDArray[Any]


class Tensor:
    """What a library's array offers: `__array__`, which may refuse."""

    def __init__(self, array: ANYTHING, error: Exception | None = None) -> None:
        self.array = array
        self.error = error

    def __array__(self, dtype: object = None, copy: object = None) -> ANYTHING:
        if self.error:
            raise self.error
        return self.array


class Table(Tensor):
    """What a table offers beside that."""

    columns = ("age", "income")


class Capsule:
    """DLPack and nothing else."""

    def __init__(self, array: ANYTHING) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> object:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


class InAGraph(Tensor):
    """A tensor of PyTorch's that requires a gradient, and has a type that NumPy has not."""

    dtype = "torch.bfloat16"

    def __init__(self, array: ANYTHING) -> None:
        super().__init__(array, RuntimeError("it requires a gradient"))

    def detach(self) -> InAGraph:
        self.error = TypeError("no bfloat16")
        return self

    def float(self) -> Tensor:
        return Tensor(self.array.astype(np.float32))


class Column(Tensor):
    """A column of pandas, polars or Arrow: a missing value becomes NaN in NumPy."""

    dtype = "Int64"

    def is_null(self) -> npt.NDArray[np.bool_]:
        return np.isnan(self.array)


class Columns(Table):
    def __getitem__(self, name: str) -> Column:
        return Column(self.array[:, self.columns.index(name)])


NULL = np.array([[1.0, 2.0], [3.0, np.nan]])


def taken(value: object, dtype: str) -> ANYTHING:
    return convert(read(value), BY_NAME[dtype], columns_of(value))


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (np.array([0.1, 1e-60, np.inf]), "float32", np.array([0.1, 0, np.inf], "f4")),
        (np.array([np.nan]), "float32", np.array([np.nan], "f4")),
        (np.array([1, -7]), "float32", np.array([1, -7], "f4")),
        (np.array([2**63], np.uint64), "float64", np.array([2.0**63])),
        (np.array([True, False]), "float32", np.array([1, 0], "f4")),
        (np.array([1.5], np.longdouble), "float32", np.array([1.5], "f4")),
        (np.array([1.5], ">f4"), "float32", np.array([1.5], "f4")),
        (np.array([2**31 - 1, -(2**31)]), "int32", np.array([2**31 - 1, -(2**31)], "i4")),
        (np.array([255, 0]), "uint8", np.array([255, 0], "u1")),
        (np.array([True, False]), "int32", np.array([1, 0], "i4")),
        (np.array([1, 0], np.uint8), "bool", np.array([True, False])),
        (np.array([3], np.uint64), "int64", np.array([3])),
        (np.zeros((0, 2)), "int32", None),
        (np.zeros((0, 2), np.int64), "int32", np.zeros((0, 2), "i4")),
        ([[1, 2.5], [True, Fraction(1, 2)]], "float32", np.array([[1, 2.5], [1, 0.5]], "f4")),
        (np.array([1, np.int64(2), True], object), "int32", np.array([1, 2, 1], "i4")),
        (np.array([1, 2.5], object), "int32", None),
        (Tensor(np.array([0.5])), "float32", np.array([0.5], "f4")),
        (Table(np.array([[1, 2]])), "float32", np.array([[1, 2]], "f4")),
        (Capsule(np.array([0.5])), "float32", np.array([0.5], "f4")),
        (range(3), "int32", np.arange(3, dtype="i4")),
        (InAGraph(np.array([0.5])), "float32", np.array([0.5], "f4")),
        (Table(NULL), "float64", NULL),
        (Columns(np.ones((2, 2))), "float32", np.ones((2, 2), "f4")),
    ],
)  # fmt: skip
def test_what_means_the_same_is_taken(value: object, dtype: str, expected: ANYTHING | None) -> None:
    if expected is None:
        with pytest.raises(UnfitError, match=r"element type float64"):
            taken(value, dtype)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = taken(value, dtype)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)


def test_nothing_is_copied_that_has_the_type() -> None:
    given = np.ones(3, np.float32)
    assert taken(given, "float32") is given
    assert np.shares_memory(taken(Tensor(given), "float32"), given)
    assert np.shares_memory(taken(Capsule(given), "float32"), given)


MISSING = np.array([[1, 2], [3, None]], object)


@pytest.mark.parametrize(
    ("value", "dtype", "what"),
    [
        (np.array([[1.0, 2.0], [3.0, 1e39]]), "float32", r"1e\+39 in row 1, column 1, of .*64"),
        (Table(np.array([[1.0, -1e39], [3, 4]])), "float32", r"-1e\+39 in row 0, column 'income'"),
        (Table(MISSING), "float32", r"None in row 1, column 'income', of element type object"),
        (np.array([1, 2**31]), "int32", r"2147483648 in row 1, of element type int64"),
        (np.array([[[0, -1]]]), "uint8", r"-1 at \[0, 0, 1\], of element type int64"),
        (np.array(2), "bool", r"2, of element type int64"),
        (np.array([2**63], np.uint64), "int64", r"9223372036854775808 in row 0"),
        (np.array([1.0]), "int32", r"element type float64"),
        (np.array([1.0]), "bool", r"element type float64"),
        (np.array(["1", "b"]), "float32", r"'1' in row 0, of element type <U1"),
        (np.array(["2024-01-01"], "M8[D]"), "float64", r"element type datetime64"),
        (np.array([1j]), "float64", r"element type complex128"),
        ([[1.0], [1.0, 2.0]], "float32", r"no array: "),
        ({1, 2}, "float32", r"a set, which is no array"),
        (None, "float32", r"a NoneType, which is no array"),
        (np.ma.masked_array([1.0], [True]), "float32", r"a masked array"),
        (Columns(NULL), "float32", r"a missing value in row 1, column 'income'"),
        (Column(NULL[1]), "int32", r"a missing value in row 1"),
        ([InAGraph(np.ones(1))], "float32", r"a list, which cannot be read: it requires"),
        (Tensor(np.ones(1), TypeError("it is on a GPU")), "float32", r"a Tensor, which .*on a GPU"),
    ],
)  # fmt: skip
def test_what_does_not_is_refused_with_its_place(value: object, dtype: str, what: str) -> None:
    with pytest.raises(UnfitError, match=what) as caught:
        taken(value, dtype)
    assert caught.value.hint


def test_what_is_an_array_and_what_a_number() -> None:
    arrays = [[1.0], (1, 2), np.ones(2), Tensor(np.ones(2)), Capsule(np.ones(2))]
    assert all(map(is_array, arrays))
    assert not any(map(is_array, [1, 0.5, True, np.float32(1), "zeros", None, len]))


GIVEN = [
    ("function", lambda v: cr.compile(cr.input("x", (2, 2)) * 1.0)(x=v)),
    ("constant", lambda v: cr.compile(cr.constant(v, "float32") * 1.0)()),
    ("initialiser", lambda v: _first(cr.parameter("w", (2, 2), v))),
    ("state", lambda v: _bound(cr.parameter("w", (2, 2), 0.0), v)),
    ("split", lambda v: cr.datasets.dataset.Split(v, np.zeros(2, np.int32)).x),
]


def _first(w: cr.Node) -> ANYTHING:
    return cr.compile(w + w).initial_state()["w"]


def _bound(w: cr.Node, values: object) -> ANYTHING:
    state = cr.State({"w": cast("npt.ArrayLike", values)})
    return cr.compile(w * 1.0).bind(state)()


def _as(dtype: npt.DTypeLike) -> Callable[[ANYTHING], object]:
    return lambda numbers: numbers.astype(dtype)


@pytest.mark.parametrize(
    "convert",
    [
        *map(_as, ("f8", "i8", "u1", "?")),
        lambda numbers: numbers.tolist(),
        lambda numbers: numbers.astype(int).astype(object),
        Table,
        Columns,
        Capsule,
        InAGraph,
    ],
)
@pytest.mark.parametrize("take", [take for _, take in GIVEN], ids=[name for name, _ in GIVEN])
def test_every_door_takes_them(
    take: Callable[[object], ANYTHING], convert: Callable[[ANYTHING], object]
) -> None:
    numbers = np.array([[1.0, 0.0], [0.0, 1.0]])
    result = take(convert(numbers))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, numbers)


def test_text_is_refused_with_what_to_do_about_categories() -> None:
    with pytest.raises(cr.InputError, match=r"'b' in row 0(.|\n)*try: .*cat.codes"):
        cr.compile(cr.input("x", (2,)) * 1.0)(x=np.array(["b", "a"], object))


def test_an_operand_that_numpy_cannot_read_is_refused() -> None:
    with pytest.raises(cr.DTypeError, match=r"a InAGraph, which(.|\n)*requires(.|\n)*try: "):
        cr.input("x", (2,)) + cast(float, InAGraph(np.ones(2)))


@pytest.mark.parametrize("take", [take for _, take in GIVEN], ids=[name for name, _ in GIVEN])
def test_every_door_refuses_a_number_that_does_not_fit(take: Callable[[object], object]) -> None:
    with pytest.raises(
        cr.ChainruleError, match=r"1e\+300 in row 1, column 0(.|\n)*where: .*test_arrays.py"
    ):
        take(np.array([[1.0, 2.0], [1e300, 3.0]]))


def test_whole_numbers_stay_whole() -> None:
    with pytest.raises(cr.DTypeError, match=r"element type float64(.|\n)*astype\(numpy.int32\)"):
        cr.constant([0.5], "int32")
    with pytest.raises(cr.DTypeError, match=r"0.5 does not fit a parameter of int32(.|\n)*whole"):
        cr.parameter("w", (), 0.5, dtype="int32")
    w = cr.parameter("w", (2,), np.array([1, 2**40]), dtype="int64")
    np.testing.assert_array_equal(_first(w), [1, 2**40])
    with pytest.raises(cr.DTypeError, match=r"1099511627776 in row 1(.|\n)*try: "):
        cr.parameter("w", (2,), np.array([1, 2**40]), dtype="int32")


def test_int64_labels_train_as_int32_ones_do() -> None:
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch",), dtype="int32")
    loss = cr.losses.cross_entropy(cr.nn.Linear(2, 3, name="a")(x), y)
    program = cr.compile(cr.training(cr.optim.SGD(lr=0.1).minimize(loss), epochs=1, batch_size=2))
    rows, labels = np.ones((4, 2), np.float32), np.array([0, 1, 2, 0], np.int32)
    expected = program.run({x: rows, y: labels}).state
    for other in (labels.astype(np.int64), labels.tolist(), Tensor(labels.astype(np.uint8))):
        assert program.run({x: rows.astype(np.float64), y: other}).state == expected
