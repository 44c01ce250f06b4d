"""Booleans as values, constants and branches, and numbers of NumPy's as operands."""

from collections.abc import Callable

import numpy as np
import pytest

import chainrule as cr

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])
A, B, X = np.array([1, 0, 1], bool), np.array([1, 1, 0], bool), np.array([1, 2, 3], np.float32)
a, b, x = cr.input("a", (3,), "bool"), cr.input("b", (3,), "bool"), cr.input("x", (3,))

CASES: dict[str, tuple[Callable[[], cr.Node], object]] = {
    "where": (lambda: cr.where(a, b, ~a), [1, 1, 0]),
    "where, converted": (lambda: cr.astype(cr.where(a, b, ~a), "float32"), [1, 1, 0]),
    "where of constants": (lambda: cr.where(a, True, False), A),
    "where of a constant": (lambda: cr.where(cr.constant(True), a, b), A),
    "equal": (lambda: cr.equal(a, b), A == B),
    "equal to a constant": (lambda: cr.astype(cr.equal(a, True), "float32"), [1, 0, 1]),
    "and a constant": (lambda: cr.where(a & True, x, 0.0), [1, 0, 3]),
    "or a constant": (lambda: cr.where(a | False, x, 0.0), [1, 0, 3]),
    "or true": (lambda: a | True, [1, 1, 1]),
    "and false": (lambda: a & False, [0, 0, 0]),
    "to bool": (lambda: cr.astype(x - 1, "bool"), [0, 1, 1]),
    "to bytes": (lambda: cr.astype(a, "uint8"), A),
    "moved": (lambda: cr.flip(cr.concat([a, b])), np.concatenate([A, B])[::-1]),
    "taken": (lambda: cr.take(a, np.array([2, 1])), A[[2, 1]]),
}


@TARGETS
@pytest.mark.parametrize("passes", [None, ()], ids=["passes", "no passes"])
@pytest.mark.parametrize("case", CASES)
def test_booleans_are_values(target: str, passes: tuple[()] | None, case: str) -> None:
    make, right = CASES[case]
    function = cr.compile(make(), target=target, passes=passes)
    known = {leaf.op.label for leaf in function.declared.leaves("input")}
    found = function({k: v for k, v in {"a": A, "b": B, "x": X}.items() if k in known})
    np.testing.assert_array_equal(found, np.asarray(right))


def test_booleans_are_not_added() -> None:
    with pytest.raises(cr.DTypeError, match="updates of element type bool cannot be added to bool"):
        cr.scatter_add(a, np.array([0, 1, 1]), b)
    with pytest.raises(cr.DTypeError, match="f64 cannot be added to f32"):
        cr.scatter_add(x, np.array([0]), np.zeros(1))


@TARGETS
@pytest.mark.parametrize("number", [np.float64(0.1), np.sqrt(2.0), np.float32(0.1), np.int64(3)])
def test_a_number_of_numpys_takes_the_type_beside_it(
    target: str, number: np.floating | np.integer
) -> None:
    single, double = cr.input("single"), cr.input("double", (), "float64")
    for node in (double * number, number * double, cr.maximum(number, double * 0.0)):
        assert node.type.dtype.name == "float64"
        assert cr.compile(node, target=target)(double=1.0) == float(number)
    for node in (single * number, number * single):
        assert node.type.dtype.name == "float32"
        assert cr.compile(node, target=target)(single=1.0) == np.float32(number)


def test_numpys_own_double_stays_one_alone() -> None:
    assert cr.constant(np.float64(0.1)).type.dtype.name == "float64"
    assert cr.constant(0.1).type.dtype.name == "float32"


@pytest.mark.parametrize("number", [256, -1, np.int64(300), 0.5, np.float64(0.5)])
def test_a_number_that_does_not_fit_is_refused(number: float) -> None:
    with pytest.raises(cr.DTypeError, match="does not fit an operand of element type u8"):
        cr.input("u", (2,), "uint8") + number


@pytest.mark.parametrize("reduce", [cr.sum, cr.prod, cr.max, cr.min, cr.mean])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_truth_values_are_not_reduced(
    reduce: Callable[[cr.Node], cr.Node], shape: tuple[int, ...]
) -> None:
    with pytest.raises(cr.DTypeError, match="cannot reduce Booleans"):
        reduce(cr.input("x", shape, "bool"))


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda x: cr.logsumexp(cr.astype(x, "int32")), r"logsumexp: needs floating.*got i32"),
        (lambda x: cr.logsumexp(x, 2), r"logsumexp: axis 2 does not fit a tensor of 1 axes"),
        (lambda x: cr.softmax(x, 2), r"softmax: axis 2 does not fit"),
        (lambda x: cr.log_softmax(x, 2), r"log_softmax: axis 2 does not fit"),
    ],
)
def test_a_composed_function_refuses_under_its_own_name(
    call: Callable[[cr.Node], cr.Node], what: str
) -> None:
    with pytest.raises(cr.ChainruleError, match=what):
        call(cr.input("x", (2,)))
