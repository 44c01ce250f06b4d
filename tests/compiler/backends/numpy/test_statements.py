"""Generated NumPy against NumPy written by hand, kernel by kernel."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest

from chainc import ops
from chainc.backends.numpy.module import assemble, prepare, print_function
from chainc.ir import Graph, Node, apply, scope
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input, Label, Slot, constant
from chainc.ir.types import Array, TensorType, float32, int32, named
from chainc.lowering.lower import lower
from chainc.lowering.program import Program

Floats = npt.NDArray[np.float32]


def given(name: str, *shape: int | str, dtype: str = "float32") -> Node:
    sizes = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(name, TensorType(sizes, {"float32": float32, "int32": int32}[dtype])))


def slot(name: str, *shape: int) -> Node:
    return apply(Slot(Label(name), TensorType(shape, float32)))


def source_of(graph: Graph) -> tuple[str, Program]:
    program = prepare(lower(graph))
    return assemble([print_function(program, "run")]), program


def execute(
    graph: Graph, inputs: Mapping[str, Array], state: Mapping[str, Array] | None = None
) -> list[Floats]:
    source, program = source_of(graph)
    namespace: dict[str, object] = {}
    exec(source, namespace)
    sizes = [
        next(
            inputs[buffer.key].shape[axis]
            for buffer in program.inputs
            for axis, dim in enumerate(buffer.type.shape)
            if str(dim) == name
        )
        for name in program.size_names
    ]
    bind = namespace["bind_run"]
    assert callable(bind)
    run = bind(state or {}, *sizes)
    return [np.array(value) for value in run(*(inputs[b.key] for b in program.inputs))]


def numbers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


WIDTHS = ((1, 0), (0, 2))

EQUATIONS = [
    "ik,kj->ij",
    "ki,kj->ij",
    "ik,jk->ij",
    "ki,jk->ij",
    "ik,kj->ji",
    "i,j->ij",
    "i,j->ji",
    "k,k->",
    "ik,ik->",
    "ik,k->i",
    "k,kj->j",
    "bik,bkj->bij",
    "bik,kj->bij",
    "ik,bkj->bij",
    "bik,bjk->bij",
    "bqhd,bkhd->bhqk",
    "bhqk,bkhd->bqhd",
    "abc,cd->abd",
    "abc,bcd->ad",
    "abc,abd->cd",
    "b,b->b",
    "bi,b->bi",
    "bi,bj->bij",
    "bk,bk->b",
    "bki,bk->bi",
    "abc,dcb->da",
]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_any_einsum_is_a_matrix_product(equation: str) -> None:
    left, right = equation.split("->", maxsplit=1)[0].split(",")
    sizes = dict(zip("abcdhijkq", [2, 3, 4, 5, 2, 3, 4, 5, 2], strict=True))
    a = numbers(*(sizes[x] for x in left), seed=1)
    b = numbers(*(sizes[x] for x in right), seed=2)
    x, y = given("x", *a.shape), given("y", *b.shape)
    graph = Graph((ops.einsum(equation, x, y),))
    (result,) = execute(graph, {"x": a, "y": b})
    np.testing.assert_allclose(result, np.einsum(equation, a, b), rtol=1e-5, atol=1e-6)
    assert "einsum" not in source_of(graph)[0]


def test_a_batched_product_is_one_matmul_without_loops() -> None:
    x, y = given("x", 2, 3, 4), given("y", 2, 4, 5)
    source, _ = source_of(Graph((x @ y,)))
    assert source.count("np.matmul(") == 1
    assert not re.search(r"^ +for ", source, re.MULTILINE)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x: x[1:, ::2], lambda a: a[1:, ::2]),
        (lambda x: x[::-1, 1], lambda a: a[::-1, 1]),
        (lambda x: ops.permute_dims(x, (1, 0)) * 2.0, lambda a: a.T * 2),
        (lambda x: ops.reshape(ops.permute_dims(x, (1, 0)), (2, 6)), lambda a: a.T.reshape(2, 6)),
        (lambda x: ops.pad(x, WIDTHS, 7.0), lambda a: np.pad(a, WIDTHS, constant_values=7)),
        (lambda x: ops.concat([x, x * 2.0], axis=1), lambda a: np.concatenate([a, a * 2], axis=1)),
        (lambda x: ops.flip(x, 0) + x, lambda a: a[::-1] + a),
        (lambda x: ops.broadcast_to(ops.sum(x, 0), (3, 4)) - x, lambda a: a.sum(0) - a),
        (lambda x: ops.sum(x, (0, 1)), lambda a: a.sum()),
        (lambda x: ops.max(x, 1, keepdims=True), lambda a: a.max(1, keepdims=True)),
        (lambda x: ops.prod(x, 0), lambda a: a.prod(0)),
        (lambda x: ops.var(x, 0), lambda a: a.var(0)),
        (lambda x: ops.astype(ops.argmin(x, 0), "float32"), lambda a: a.argmin(0)),
        (lambda x: ops.where(x > 0.0, x, 0.0), lambda a: np.where(a > 0, a, 0)),
        (lambda x: ops.where(x > 0.0, 0.0, x), lambda a: np.where(a > 0, 0, a)),
        (lambda x: ops.where(x > 0.0, x * 2.0, x * 3.0), lambda a: np.where(a > 0, a * 2, a * 3)),
        (ops.erf, np.vectorize(math.erf)),
        (lambda x: ops.astype(ops.astype(x * 3.0, "int32"), "float32"), lambda a: np.trunc(a * 3)),
        (lambda x: x * constant(np.arange(4, dtype=np.float32)), lambda a: a * np.arange(4)),
    ],
)  # fmt: skip
def test_ops_give_what_numpy_gives(build: object, expected: object) -> None:
    assert callable(build)
    assert callable(expected)
    array = numbers(3, 4)
    (result,) = execute(Graph((build(given("x", 3, 4)),)), {"x": array})
    np.testing.assert_allclose(result, expected(array), rtol=2e-6, atol=1e-6)


def test_a_masked_gradient_is_exact_for_values_that_are_not_finite() -> None:
    x, g = given("x", 4), given("g", 4)
    graph = Graph((ops.where(x > 0.0, g * 1.5, 0.0),))
    source, _ = source_of(graph)
    assert "zero_unless(" in source
    values = np.array([np.nan, np.inf, -3.0, 2.0], np.float32)
    (result,) = execute(graph, {"x": np.array([-1, -1, -1, 1], np.float32), "g": values})
    np.testing.assert_array_equal(
        result.view(np.int32), np.array([0, 0, 0, 3.0], np.float32).view(np.int32)
    )


def test_indices_are_checked_where_they_are_computed() -> None:
    x, index = given("x", 3), given("index", 2, dtype="int32")
    graph = Graph((ops.take(x, index + 1),))
    (result,) = execute(graph, {"x": numbers(3), "index": np.array([0, 1], np.int32)})
    np.testing.assert_array_equal(result, numbers(3)[[1, 2]])
    with pytest.raises(InputError, match=r"index 3 is out of range for an axis of size 3"):
        execute(graph, {"x": numbers(3), "index": np.array([0, 2], np.int32)})


def test_take_and_scatter_along_an_inner_axis() -> None:
    x, index = given("x", 2, 3), given("index", 2, dtype="int32")
    array, indices = numbers(2, 3), np.array([2, 2], np.int32)
    taken = ops.take(x, index, axis=1)
    added = ops.scatter_add(x, index, taken, axis=1)
    first, second = execute(Graph((taken, added)), {"x": array, "index": indices})
    np.testing.assert_array_equal(first, array[:, [2, 2]])
    expected = array.copy()
    expected[:, 2] *= 3
    np.testing.assert_allclose(second, expected, rtol=1e-6)


def test_all_updates_read_the_values_from_before_the_step() -> None:
    a, b = slot("a", 3), slot("b", 3)
    state = {"a": numbers(3, seed=1), "b": numbers(3, seed=2)}
    before = {name: value.copy() for name, value in state.items()}
    execute(Graph((), {a: b + 1.0, b: a * 2.0}), {}, state)
    np.testing.assert_array_equal(state["a"], before["b"] + 1)
    np.testing.assert_array_equal(state["b"], before["a"] * 2)


def test_slots_may_be_exchanged() -> None:
    a, b = slot("a", 3), slot("b", 3)
    state = {"a": numbers(3, seed=1), "b": numbers(3, seed=2)}
    before = {name: value.copy() for name, value in state.items()}
    execute(Graph((), {a: b, b: a}), {}, state)
    np.testing.assert_array_equal(state["a"], before["b"])
    np.testing.assert_array_equal(state["b"], before["a"])


def test_an_output_is_the_value_from_before_the_update() -> None:
    a = slot("a", 2)
    state = {"a": np.array([1, 2], np.float32)}
    (old,) = execute(Graph((a,), {a: a * 10.0}), {}, state)
    np.testing.assert_array_equal(old, [1, 2])
    np.testing.assert_array_equal(state["a"], [10, 20])


def test_a_parameter_is_updated_in_place_after_its_last_reader() -> None:
    x, w = given("x", "batch", 3), slot("w", 3, 3)
    hidden = x @ w
    gradient = ops.matrix_transpose(x) @ hidden
    readers_after = hidden @ w
    graph = Graph((ops.sum(readers_after),), {w: w - gradient * 0.5})
    source, program = source_of(graph)
    assert not program.updates
    assert re.search(r"np\.subtract\(w, \w+, out=w\)", source)
    array, weight = numbers(2, 3), numbers(3, 3, seed=1)
    state = {"w": weight.copy()}
    (total,) = execute(graph, {"x": array}, state)
    np.testing.assert_allclose(total, (array @ weight @ weight).sum(), rtol=1e-5)
    np.testing.assert_allclose(state["w"], weight - 0.5 * array.T @ (array @ weight), rtol=1e-5)


def test_what_depends_on_sizes_alone_is_computed_once() -> None:
    x = given("x", "batch")
    source, _ = source_of(
        Graph((ops.sum(x) * (2.0 / ops.astype(ops.sum(ops.arange(4)), "float32")),))
    )
    before, after = source.split("def run(")
    assert "np.arange" in before
    assert "np.arange" not in after


def test_names_from_outside_cannot_change_the_source() -> None:
    w = slot('w"]; import os #', 2)
    source, _ = source_of(Graph((w * 2.0,)))
    assert 'state["w\\"]; import os #"]' in source
    (result,) = execute(Graph((w * 2.0,)), {}, {'w"]; import os #': np.ones(2, np.float32)})
    np.testing.assert_array_equal(result, [2, 2])


def test_a_scope_name_stays_in_its_comment() -> None:
    x = given("x", 2)
    with scope("model\nimport os"):
        y = x * 2.0
    source, _ = source_of(Graph((y,)))
    assert "# model?import os" in source
