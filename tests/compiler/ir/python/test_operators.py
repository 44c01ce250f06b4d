"""Python's operators and indexing on nodes, against NumPy."""

from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chainc import ops
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node, apply
from chainc.ir.errors import ChainruleError, GraphError, ShapeError
from chainc.ir.leaves import Input
from chainc.ir.types import DType, Shape, TensorType, bool_, float32, int32, named

Numbers = npt.NDArray[np.float64]


def declare(key: str, *shape: int | str, dtype: DType = float32) -> Node:
    dims: Shape = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(key, TensorType(dims, dtype)))


def compute(node: Node, **values: npt.ArrayLike) -> Numbers:
    return cast("Numbers", evaluate(Graph((node,)), values).outputs[0])


A = np.array([3.0, -7.5, 2.0])
B = np.array([2.0, 2.0, -4.0])


@pytest.mark.parametrize(
    "use",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a // b,
        lambda a, b: a % b,
        lambda a, b: abs(a) ** b,
        lambda a, b: a @ b,
        lambda a, _: -a,
        lambda a, _: abs(a),
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
        lambda a, _: 2 + a,
        lambda a, _: 2 - a,
        lambda a, _: 2 * a,
        lambda a, _: 2 / a,
        lambda a, _: 2 // a,
        lambda a, _: 2 % a,
        lambda a, _: 2**a,
        lambda a, _: a**2 + 1.5,
        lambda a, b: (a < 0) & (b < 0),
        lambda a, _: np.array([True, False, True]) & (a < 0),
        lambda a, _: np.array([True, False, True]) | (a < 0),
        lambda a, b: (a < 0) | (b < 0),
        lambda a, _: ~(a < 0),
    ],
)
def test_an_operator_means_what_it_does_on_arrays(use: Callable[..., Node]) -> None:
    found = compute(use(declare("a", 3), declare("b", 3)), **_used(use))
    np.testing.assert_allclose(found, cast("Numbers", use(A, B)), rtol=1e-14)


def _used(use: Callable[..., Node]) -> dict[str, Numbers]:
    graph = Graph((use(declare("a", 3), declare("b", 3)),))
    return {leaf.op.label: {"a": A, "b": B}[leaf.op.label] for leaf in graph.leaves("input")}


def test_an_array_on_the_left_defers_to_the_node() -> None:
    total = A.astype(np.float32) - declare("a", 3)
    assert isinstance(total, Node)
    assert compute(total, a=B).tolist() == (A - B).tolist()
    product = np.eye(3, dtype=np.float32) @ declare("a", 3)
    assert compute(product, a=B).tolist() == B.tolist()


def test_the_transpose_exchanges_the_last_two_axes() -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(compute(declare("x", 2, 3, 4).T, x=values), values.swapaxes(1, 2))
    with pytest.raises(ShapeError, match=r"matrix_transpose: \[3\] has fewer than two axes"):
        ops.matrix_transpose(declare("x", 3))


@st.composite
def shapes_and_keys(draw: st.DrawFn) -> tuple[tuple[int, ...], object]:
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    key = draw(arrays.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    return shape, key


@given(shapes_and_keys())
def test_indexing_is_numpys(case: tuple[tuple[int, ...], object]) -> None:
    shape, key = case
    values = np.arange(float(np.prod(shape))).reshape(shape)
    x = declare("x", *shape)
    found = x[key]
    expected = values[cast("tuple[int, ...]", key)]
    assert found.shape == np.shape(expected)
    np.testing.assert_array_equal(compute(found, x=values), expected)


def test_whole_axes_of_named_sizes_can_be_kept_and_turned() -> None:
    values = np.arange(12.0).reshape(4, 3)
    x = declare("x", "batch", 3)
    np.testing.assert_array_equal(compute(x[:, 1], x=values), values[:, 1])
    np.testing.assert_array_equal(compute(x[::-1, None, 1:], x=values), values[::-1, None, 1:])
    assert x[...] is x
    assert x[:] is x


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        (3, r"index 3 is out of range for axis 0 of f32\[3,4\]", "use an index from -3 to 2"),
        ((0, -5), r"index -5 is out of range for axis 1", "use an index from -4 to 3"),
        ((0, 0, 0), r"3 indices for a tensor of 2 axes", "give at most 2"),
        ("a", "cannot index with str", "index with integers and slices"),
        (True, "cannot index with bool", "index with integers and slices"),
        ([0, 1], "cannot index with list", "pick elements by a tensor with cr.take"),
        (np.array([0]), "cannot index with ndarray", "with cr.take"),
        ((..., ...), r"more than one \.\.\. in an index of f32\[3,4\]", "keep one of them"),
        (slice(None, None, 0), "slice step cannot be zero", "a step that is not 0"),
        (slice(0.5, 2), "slice indices must be integers", "use integers"),
    ],
)
def test_an_index_that_does_not_fit(key: object, message: str, hint: str) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        declare("x", 3, 4)[key]
    assert hint in caught.value.hint
    assert "test_operators.py:" in caught.value.where


@pytest.mark.parametrize("key", [0, slice(1, None), slice(0, 2), slice(None, None, 2)])
def test_an_axis_of_a_named_size_cannot_be_cut(key: object) -> None:
    message = r"cannot cut axis 0 of f32\[batch,3\]: the named size batch is not known yet"
    with pytest.raises(ShapeError, match=message):
        declare("x", "batch", 3)[key]


def test_questions_that_only_values_answer() -> None:
    x = declare("x", 2)
    with pytest.raises(GraphError, match="a node has no truth value") as caught:
        assert x < 1
    assert caught.value.hint.startswith("choose inside the graph with cr.where(condition, a, b)")
    with pytest.raises(GraphError, match="a node cannot be unpacked or looped over"):
        _, _ = x


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: declare("x", 2) + declare("y", 3),
            r"add: shapes \[2\] and \[3\] do not broadcast",
        ),
        (lambda: declare("x", 2, 3) @ declare("y", 2, 3), "transpose the right operand: a @ b.T"),
        (lambda: declare("x") @ declare("y", 3), "matmul: a scalar operand has no axis to sum"),
        (lambda: declare("x", 2) & declare("y", 2), "logical_and: needs boolean operands, got f32"),
        (lambda: declare("x", 2, dtype=bool_) + 1, "add: element types bool and i64 do not mix"),
        (lambda: ops.exp(declare("n", 2, dtype=int32)), "exp: needs floating-point operands, got"),
        (lambda: ops.reshape(declare("x", 6), (4, -1)), r"reshape: \[6\] cannot fill \[4,-1\]"),
        (lambda: ops.reshape(declare("x", 6), (4,)), r"\[6\] has 6 elements, \[4\] has 4"),
        (lambda: ops.sum(declare("x", 2), 1), "sum: axis 1 does not fit a tensor of 1 axes"),
        (lambda: ops.squeeze(declare("x", 2), 0), r"squeeze: axis 0 of \[2\] has not size 1"),
        (lambda: ops.concat([]), "concat: no tensors given"),
        (lambda: ops.concat([declare("x", 2, 3), declare("y", 2)]), "differ beside axis 0"),
        (lambda: ops.broadcast_to(declare("x", 2), (3,)), r"\[2\] does not broadcast to \[3\]"),
        (lambda: ops.pad(declare("x", 2), [(1, -1)]), r"pad: widths \[\(1, -1\)\] do not fit"),
        (lambda: ops.pad(declare("x", "batch"), [(1, 0)]), "cannot pad the named size batch"),
        (lambda: ops.take(declare("x", 2), declare("i", 2)), "the indices have element type f32"),
        (lambda: ops.einsum("ij,jk", declare("x"), declare("y")), "is no equation of two operands"),
        (lambda: ops.einsum("ii,i->i", declare("x"), declare("y")), "is no equation of two"),
        (lambda: ops.max(declare("x", 0), 0), "are empty, so there is no max"),
        (lambda: ops.argmax(declare("x", 0)), "is empty"),
        (lambda: ops.mean(declare("x", 0)), r"mean: f32\[0\] has no elements along the axis"),
        (lambda: ops.astype(declare("x"), "float16"), "'float16' is no element type"),
        (lambda: ops.where(declare("x"), 1.0, 2.0), "the condition has element type f32, not bool"),
        (lambda: ops.uniform((2,), 0, low=1.0, high=1.0), r"uniform: the range \[1.0, 1.0\) is"),
    ],
)
def test_misuse_is_named_with_the_users_line(build: Callable[[], Node], message: str) -> None:
    with pytest.raises(ChainruleError, match=message) as caught:
        build()
    assert "test_operators.py:" in str(caught.value)
    assert "\n  try: " in str(caught.value)
