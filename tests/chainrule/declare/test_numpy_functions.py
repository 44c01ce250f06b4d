"""NumPy's functions on nodes give nodes of the same meaning, or an error that says what to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ir.python.foreign import NUMPY_FUNCTIONS

A = np.array([[0.5, 2.0, 1.0], [3.0, 0.25, 1.5]], np.float32)
B = np.array([[1.0, 0.5, 2.0], [1.0, 4.0, 1.5]], np.float32)
M = A > 1
HERE = r"(.|\n)*where: .*test_numpy_functions\.py:\d+(.|\n)*try: "

# arguments beside the first for functions that need others; True stands for a second array
CASES: dict[str, list[dict[str, Any]]] = {
    "sum": [{}, {"axis": 0}, {"axis": (0, 1)}, {"axis": -1, "keepdims": True}],
    "var": [{}, {"axis": 1, "ddof": 1}],
    "std": [{}, {"axis": 1, "ddof": 1}],
    "argmax": [{}, {"axis": 0}],
    "argmin": [{}, {"axis": 1}],
    "reshape": [{"shape": (3, 2)}, {"shape": -1}],
    "transpose": [{}, {"axes": (1, 0)}],
    "broadcast_to": [{"shape": (4, 2, 3)}],
    "expand_dims": [{"axis": 1}],
    "flip": [{}, {"axis": 1}],
    "clip": [{"a_min": 0.6, "a_max": 2.0}, {"a_min": None, "a_max": 1.0}],
    "take": [{"indices": [1, 0], "axis": 1}, {"indices": [5]}],
}
SPECIAL: dict[str, Callable[..., Any]] = {
    "concatenate": lambda f, a, b: f([a, b], axis=1),
    "stack": lambda f, a, b: f([a, b]),
    "where": lambda f, a, b: f(M, a, b),
    "dot": lambda f, a, b: f(a, b.T),
    "matmul": lambda f, a, b: f(a, b.T),
    "einsum": lambda f, a, b: f("ij,kj->ik", a, b),
    "outer": lambda f, a, b: f(a[0], b[1]),
    "squeeze": lambda f, a, _: f(a[:, :1]),
    "bitwise_and": lambda f, a, b: f(a > 1, b > 1),
    "bitwise_or": lambda f, a, b: f(a > 1, b > 1),
    "invert": lambda f, a, _: f(a > 1),
    "logical_and": lambda f, a, b: f(a > 1, b > 1),
    "logical_or": lambda f, a, b: f(a > 1, b > 1),
    "logical_not": lambda f, a, _: f(a > 1),
}


def calls(function: Any) -> list[Callable[[Any, Any], Any]]:
    name = function.__name__
    if name in SPECIAL:
        return [lambda a, b: SPECIAL[name](function, a, b)]
    if isinstance(function, np.ufunc) and function.nin == 2:
        return [
            function,
            lambda a, _: function(a, B),
            lambda _, b: function(A, b),
        ]
    return [partial(_called, function, options) for options in CASES.get(name, [{}])]


def _called(function: Any, options: dict[str, Any], a: Any, _b: Any) -> Any:
    return function(a, **options)


@pytest.mark.parametrize("function", NUMPY_FUNCTIONS, ids=lambda f: f.__name__)
def test_every_function_means_what_it_means_to_numpy(function: Any) -> None:
    a, b = cr.input("a", (2, 3)), cr.input("b", (2, 3))
    for call in calls(function):
        node, expected = call(a, b), call(A, B)
        if not isinstance(node, cr.Node):
            assert node == expected
            continue
        assert node.origin.location is not None
        assert node.origin.location.file == __file__
        graph = cr.Graph([node, a, b])
        result = cr.compile(graph)(a=A, b=B)[0]
        assert result.shape == np.shape(expected)
        np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_arrays_and_scalars_on_the_left() -> None:
    a: Any = cr.input("a", (2, 3))
    for node, expected in (
        (B + a, B + A), (B * a, B * A), (B - a, B - A), (B / a, B / A), (B**a, B**A),
        (B @ a.T, B @ A.T), (B < a, B < A), (B >= a, B >= A), (np.float32(2) * a, 2 * A),
        (np.float32(2) - a, 2 - A), (+a, A),
    ):  # fmt: skip
        np.testing.assert_allclose(cr.compile([node, a])(a=A)[0], expected, rtol=1e-6)


X: Any = cr.input("x", ("batch", 3))  # type checkers refuse most of what follows
ARRAY: npt.NDArray[Any] = np.ones((2, 3), np.float32)


NAMES = ("mean", "numpy")


def add_in_place() -> None:
    array = ARRAY.copy()
    np.add(array, X, out=array)


def assign() -> None:
    X[0] = 1.0


@pytest.mark.parametrize(
    ("call", "what", "hint"),
    [
        (lambda: np.arctan(X), r"numpy\.arctan: no op on nodes", "cr.elementwise"),
        (lambda: np.linalg.norm(X), r"numpy\.norm: no op on nodes", "compose it"),
        (lambda: np.add.reduce(X), r"numpy\.add\.reduce: no op", "compose it"),
        (lambda: np.sum(X, dtype=float), r"numpy\.sum of nodes: .*'dtype'", r"\(a, axis, keep"),
        (lambda: np.exp(X, where=ARRAY > 0), r"numpy\.exp of nodes: .*'where'", r"its arguments"),
        (add_in_place, r"numpy\.add: a node cannot be written into an array", "y = array \\+ node"),
        (lambda: np.dot(np.ones((2, 2, 3)), X), r"numpy\.dot on nodes of 3 and 2 axes", "einsum"),
        (lambda: np.asarray(X), r"x f32\[batch,3\] .* is not an array", "cr.compile"),
        (lambda: np.ma.masked_array(ARRAY) * X, r"is not an array", "cr.compile"),
        (lambda: np.array([X, X]), r"is not an array", "cr.compile"),
        (lambda: math.sin(np.sum(X)), r"is not a float", "cr.compile"),
        (lambda: int(np.sum(X)), r"is not an int", "cr.compile"),
        (lambda: f"{cr.sum(X):.3f}", r"is not a number written as '\.3f'", "cr.compile"),
        (lambda: len(X), r"has no length", r"shape\[0\]"),
        (assign, r"cannot be changed in place", "cr.where"),
        (lambda: getattr(X, NAMES[0]), r"has no attribute 'mean'", r"numpy\.mean\(node\)"),
        (lambda: getattr(X, NAMES[1]), r"has no attribute 'numpy'", "shape, ndim, dtype"),
    ],
)  # fmt: skip
def test_what_has_no_numbers_or_no_op_says_so(
    call: Callable[[], object], what: str, hint: str
) -> None:
    with pytest.raises(cr.GraphError, match=rf"{what}{HERE}.*{hint}"):
        call()


def test_what_a_node_does_have() -> None:
    assert X.dtype == cr.float32
    assert f"{X}" == str(X)
    assert not hasattr(X, "mean")
    assert not hasattr(X, "__dlpack__")
