"""Running sums, elements at indices, order and triangles, on both targets, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])
RNG = np.random.default_rng(5)
DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")


def some(shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    """With ties, and among floating-point numbers NaN, infinities and both zeros."""
    values = RNG.integers(0, 2 if dtype == "bool" else 9, shape).astype(dtype)
    if dtype.startswith("float"):
        odd = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0], dtype)
        values = np.where(RNG.random(shape) < 0.4, RNG.choice(odd, shape), values)
    return values


def run(target: str, outputs: Any, *values: npt.NDArray[Any]) -> Any:
    return cr.compile(outputs, target=target)(*values)


@TARGETS
@pytest.mark.parametrize("dtype", DTYPES)
def test_order(target: str, dtype: str) -> None:
    values = some((3, 21), dtype)
    x = cr.input("x", ("batch", 21), dtype=dtype)
    descending = np.argsort(values[:, ::-1], -1, kind="stable")[:, ::-1]
    wanted = [
        np.argsort(values, 1, kind="stable"),
        np.sort(values, 1),
        20 - descending,
        np.argsort(values, 0, kind="stable"),
    ]
    found = run(target, [cr.argsort(x), cr.sort(x), cr.argsort(x, descending=True),
                         cr.argsort(x, axis=0)], values)  # fmt: skip
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@TARGETS
@pytest.mark.parametrize("shape", [(21,), (3, 21), (37, 21), (2, 9, 21), (1, 21), (0, 21)])
@pytest.mark.parametrize("count", [1, 4, 20, 21], ids=["one", "few", "most", "all"])
def test_largest(target: str, shape: tuple[int, ...], count: int) -> None:
    values = RNG.choice([-np.inf, -1, -0.0, 0, 2, 3, np.inf, np.nan], shape).astype(np.float32)
    wanted = (20 - np.argsort(values[..., ::-1], -1, kind="stable")[..., ::-1])[..., :count]
    elements, positions = run(target, cr.top_k(cr.input("x", shape), count), values)
    np.testing.assert_array_equal(positions, wanted)
    np.testing.assert_array_equal(elements, np.take_along_axis(values, wanted, -1))


@TARGETS
@pytest.mark.parametrize("dtype", DTYPES)
def test_largest_along_another_axis(target: str, dtype: str) -> None:
    values = some((21, 5), dtype)
    wanted = (20 - np.argsort(values[::-1], 0, kind="stable")[::-1])[:3]
    x = cr.input("x", values.shape, dtype=dtype)
    elements, positions = run(target, cr.top_k(x, 3, axis=0), values)
    np.testing.assert_array_equal(positions, wanted)
    np.testing.assert_array_equal(elements, np.take_along_axis(values, wanted, 0))


def test_few_of_many_are_not_put_in_order() -> None:
    x = cr.input("x", (2, 1000))
    for count, op in ((40, "top_k"), (41, "argsort")):
        _, positions = cr.top_k(x, count)
        assert positions.shape == (2, count)
        assert op in {node.op.name for node in cr.Graph([positions]).nodes}


@TARGETS
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9, 1000])
def test_order_of_a_named_size(target: str, count: int) -> None:
    values = RNG.integers(0, 50, count).astype(np.float32)
    x = cr.input("x", ("n",))
    np.testing.assert_array_equal(
        run(target, cr.argsort(x), values), np.argsort(values, -1, "stable")
    )


@TARGETS
@pytest.mark.parametrize("dtype", DTYPES[:5])
def test_running_sums(target: str, dtype: str) -> None:
    values = RNG.integers(0, 200, (2, 7, 3)).astype(dtype)
    x = cr.input("x", ("batch", 7, 3), dtype=dtype)
    kind = None if dtype.startswith("float") else np.int64
    for axis in (0, 1, -1):
        found = run(target, cr.cumsum(x, axis), values)
        np.testing.assert_array_equal(found, np.cumsum(values, axis, dtype=kind))


@TARGETS
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_take_along_axis(target: str, axis: int, dtype: str) -> None:
    values = some((4, 4), dtype)
    indices = RNG.integers(0, 4, (4, 4)).astype(np.int32)
    x = cr.input("x", (4, 4), dtype=dtype)
    i = cr.input("i", (4, 4), dtype="int32")
    found = run(target, cr.take_along_axis(x, i, axis), values, indices)
    np.testing.assert_array_equal(found, np.take_along_axis(values, indices, axis))


@TARGETS
def test_take_along_axis_broadcasts(target: str) -> None:
    values, indices = RNG.standard_normal((2, 1, 5)), np.array([[[4, 0], [1, 1], [2, 3]]])
    x, i = cr.input("x", ("batch", 1, 5), dtype="float64"), cr.constant(indices)
    found = run(target, cr.take_along_axis(x, i), values)
    np.testing.assert_array_equal(found, np.take_along_axis(values, indices, -1))


@TARGETS
def test_the_largest(target: str) -> None:
    values = some((3, 12), "float32")
    x = cr.input("x", ("batch", 12))
    largest, places = run(target, list(cr.top_k(x, 4)), values)
    wanted = 11 - np.argsort(values[:, ::-1], -1, kind="stable")[:, ::-1]
    np.testing.assert_array_equal(places, wanted[:, :4])
    np.testing.assert_array_equal(largest, np.take_along_axis(values, wanted[:, :4], -1))


@TARGETS
@pytest.mark.parametrize("k", [-1, 0, 2])
def test_triangles(target: str, k: int) -> None:
    values = some((2, 4, 4), "float32")
    x = cr.input("x", ("batch", 4, 4))
    found = run(target, [cr.tril(x, k), cr.triu(x, k)], values)
    np.testing.assert_array_equal(found[0], np.tril(values, k))
    np.testing.assert_array_equal(found[1], np.triu(values, k))


@TARGETS
def test_gradients_against_differences(target: str) -> None:
    values = RNG.permutation(15).reshape(3, 5) * 0.37
    x = cr.input("x", (3, 5), dtype="float64")
    i = cr.constant(np.array([[0, 4, 4], [1, 1, 1], [2, 0, 3]]))
    weights = cr.constant(RNG.standard_normal((3, 5)))
    terms = (
        cr.cumsum(x) * weights,
        cr.cumsum(cr.square(x), 0) * weights,
        cr.square(cr.take_along_axis(x, i)) * weights[:, :3],
        cr.sort(x * x, 0) * weights,
        cr.top_k(x, 2)[0] ** 3 * weights[:, 3:],
        cr.tril(cr.sin(x), 1) * weights,
    )
    for term in terms:
        loss = cr.sum(term)
        second = cr.sum(cr.square(cr.grad(loss, x) + cr.tanh(x)))
        for of in (loss, second):
            function = cr.compile([of, cr.grad(of, x)], target=target)
            _, slopes = function(values)
            step = RNG.standard_normal((3, 5))
            ends = [function(values + h * step)[0] for h in (1e-5, -1e-5)]
            slope = (ends[0] - ends[1]) / 2e-5
            np.testing.assert_allclose(np.sum(slopes * step), slope, rtol=1e-6, atol=1e-7)


@TARGETS
@pytest.mark.parametrize("wrong", [-1, 5])
def test_an_index_out_of_range(target: str, wrong: int) -> None:
    x, i = cr.input("x", (3, 5)), cr.input("i", (3, 2), dtype="int32")
    values, chosen = np.ones((3, 5), np.float32), np.array([[0, 4], [1, 2], [wrong, 0]], np.int32)
    with pytest.raises(
        cr.InputError, match=rf"input 'i' holds the index {wrong} at .2, 0., out of range"
    ):
        run(target, cr.take_along_axis(x, i), values, chosen)
    with pytest.raises(
        cr.InputError, match=r"index .*out of range[^\n]*\n  where: [^\n]*test_rows"
    ):
        run(target, cr.take_along_axis(x, i * 2 - i), values, chosen)


x = cr.input("x", ("batch", 5))
some_number: Any = 0.5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cr.top_k(x, 6), cr.ShapeError, r"top_k: 6 of the elements along axis -1"),
        (lambda: cr.top_k(x, 1, axis=0), cr.ShapeError, "from 1 to a known size of the axis"),
        (lambda: cr.cumsum(x > 0.0), cr.DTypeError, "cannot add Booleans"),
        (lambda: cr.cumsum(x, 2), cr.ShapeError, "cumsum: axis 2 does not fit"),
        (lambda: cr.sort(cr.input("s")), cr.ShapeError, "sort: axis -1 does not fit"),
        (lambda: cr.tril(cr.input("v", (3,))), cr.ShapeError, r"tril: \[3\] is no matrix"),
        (lambda: cr.triu(x, some_number), cr.ShapeError, "triu: the diagonal is 0.5"),
        (lambda: cr.take_along_axis(x, x), cr.DTypeError, "not an integer type"),
        (lambda: cr.take_along_axis(x, np.zeros(1, int)), cr.ShapeError, "the same number of axes"),
        (lambda: cr.take_along_axis(x, np.zeros((7, 1), int), 1), cr.ShapeError, "do not fit"),
    ],
)
def test_what_does_not_fit(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
