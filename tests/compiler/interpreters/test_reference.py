import math
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from tests.graphs import Case, cases

from chainc import ops
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node, apply
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input, Label, Slot, constant, size
from chainc.ir.types import (
    DType,
    Shape,
    TensorType,
    bool_,
    float32,
    float64,
    int32,
    int64,
    named,
    uint8,
)


def declare(key: str, *shape: int | str, dtype: DType = float32) -> Node:
    dims: Shape = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(key, TensorType(dims, dtype)))


def compute(node: Node, **inputs: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return cast("npt.NDArray[np.float64]", evaluate(Graph((node,)), inputs).outputs[0])


def test_floating_point_is_double_whatever_was_declared() -> None:
    x = declare("x", 3)
    values = np.array([0.1, 0.2, 0.3], np.float32)
    result = compute(ops.exp(x) + constant(0.5), x=values)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, np.exp(values.astype(np.float64)) + 0.5)
    assert compute(ops.astype(declare("n", dtype=int32), "float32"), n=3).dtype == np.float64


@pytest.mark.parametrize("dtype", [int32, int64, uint8, bool_])
def test_other_element_types_stay(dtype: DType) -> None:
    x = declare("x", 2, dtype=dtype)
    assert compute(ops.flip(x), x=np.ones(2, dtype.numpy)).dtype == dtype.numpy


def test_integers_wrap_in_their_own_width() -> None:
    x = declare("x", 2, dtype=uint8)
    assert compute(x + 1, x=np.array([255, 1], np.uint8)).tolist() == [0, 2]
    assert compute(ops.sum(x), x=np.array([255, 3], np.uint8)) == 258  # in the default integer
    y = declare("y", dtype=int32)
    assert compute(y * y, y=np.int32(2**31 - 1)) == 1
    assert compute(ops.astype(declare("z", dtype=int64), "int32"), z=2**32 + 5) == 5


def test_division_of_integers_rounds_down() -> None:
    x = declare("x", 4, dtype=int32)
    values = np.array([7, -7, 6, -1], np.int32)
    assert compute(x // 4, x=values).tolist() == [1, -2, 1, -1]
    assert compute(x % 4, x=values).tolist() == [3, 1, 2, 3]


def test_ieee_values_pass_through() -> None:
    x = declare("x", 4)
    values = np.array([np.nan, np.inf, -np.inf, -0.0])
    np.testing.assert_array_equal(compute(ops.maximum(x, 0.0), x=values)[:3], [np.nan, np.inf, 0])
    np.testing.assert_array_equal(compute(1 / x, x=values), [np.nan, 0.0, -0.0, -np.inf])
    assert np.signbit(compute(x * 1.0, x=values)[3])
    assert np.isnan(compute(ops.max(x), x=values))
    assert compute(ops.argmax(x), x=values) == 0
    assert compute(ops.logsumexp(declare("y", 2)), y=[-np.inf, 3.0]) == 3.0


def test_the_callers_floating_point_environment_is_kept() -> None:
    with np.errstate(all="raise"):
        before = np.geterr()
        assert compute(ops.log(declare("x")), x=0.0) == -np.inf
        assert np.geterr() == before


def test_erf() -> None:
    values = np.array([-2.0, -0.5, 0.0, 0.3])
    expected = [math.erf(value) for value in values]
    np.testing.assert_array_equal(compute(ops.erf(declare("x", 4)), x=values), expected)
    assert compute(ops.erf(declare("x", 0)), x=[]).shape == (0,)


def test_named_sizes_are_those_of_the_inputs() -> None:
    x = declare("x", "batch", 2)
    graph = Graph((ops.mean(x, 0), size("batch"), ops.arange("batch")))
    mean, count, positions = evaluate(graph, {"x": [[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]]}).outputs
    assert mean.tolist() == [3.0, 5.0]
    assert count == 3
    assert positions.tolist() == [0, 1, 2]


def test_updates_read_the_values_from_before_the_step() -> None:
    a, b = (apply(Slot(Label(name), TensorType((), float64))) for name in "ab")
    graph = Graph((a + b,), {a: b, b: a})
    result = evaluate(graph, {}, {"a": 1.0, "b": 2.0})
    assert result.outputs[0] == 3.0
    assert result.updates == {"a": 2.0, "b": 1.0}


def test_a_network_against_hand_written_numpy() -> None:
    x, y = declare("x", "batch", 4), declare("y", "batch", dtype=int32)
    w, b = declare("w", 4, 3), declare("b", 3)
    logits = ops.relu(x) @ w + b
    chosen = ops.sum(logits * ops.one_hot(y, 3), 1)
    loss = ops.mean(ops.logsumexp(logits, 1) - chosen)
    random = np.random.default_rng(0)
    rows, weight, bias = random.normal(size=(5, 4)), random.normal(size=(4, 3)), np.arange(3.0)
    labels = np.array([0, 2, 1, 2, 2], np.int32)
    scores = np.maximum(rows, 0) @ weight + bias
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = -np.log(softmax[np.arange(5), labels]).mean()
    found = compute(loss, x=rows, y=labels, w=weight, b=bias)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_an_input_with_a_default_may_be_left_out() -> None:
    rate = apply(Input("rate", TensorType((), float32), 0.1))
    assert compute(rate * 2) == 0.2
    assert compute(rate * 2, rate=3.0) == 6.0


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_out_of_range_is_an_error(index: int) -> None:
    x, i = declare("x", 3), declare("i", 2, dtype=int32)
    indices = np.array([0, index], np.int32)
    for node in (ops.take(x, i), ops.scatter_add(x, i, ops.take(x, np.array([0, 1])))):
        message = f"{node.op.name}: index {index} is out of range for 3 positions"
        with pytest.raises(InputError, match=message) as caught:
            compute(node, x=np.zeros(3), i=indices)
        assert "test_reference.py" in caught.value.where
        assert caught.value.hint == "use indices from 0 to 2"
    with pytest.raises(InputError, match=f"one_hot: index {index} is out of range"):
        compute(ops.one_hot(i, 3), i=indices)


def test_inputs_that_do_not_fit_are_errors() -> None:
    x, n = declare("x", 2), declare("n", dtype=int32)
    graph = Graph((x * ops.astype(n, "float32"),))
    with pytest.raises(InputError, match="no value for input 'n'"):
        evaluate(graph, {"x": [1.0, 2.0]})
    with pytest.raises(InputError, match="the graph has no input 'z'") as caught:
        evaluate(graph, {"x": [1.0, 2.0], "n": 1, "z": 0})
    assert caught.value.hint == "its inputs are n, x"
    with pytest.raises(InputError, match=r"input 'n' is declared i32\[\] and got float64 \[\]"):
        evaluate(graph, {"x": [1.0, 2.0], "n": 0.5})
    with pytest.raises(InputError, match=r"input 'x' is declared f32\[2\] and got 3 on"):
        evaluate(graph, {"x": [1.0, 2.0, 3.0], "n": 1})
    slot = apply(Slot(Label("w"), TensorType((2,), float32)))
    with pytest.raises(InputError, match="no value for state 'w'"):
        evaluate(Graph((slot,)), {})
    with pytest.raises(InputError, match=r"state 'w' is declared f32\[2\] and got float64 \[3\]"):
        evaluate(Graph((slot,)), {}, {"w": np.zeros(3)})


def test_a_size_that_no_input_has_is_an_error() -> None:
    with pytest.raises(InputError, match=r"the size 'batch' of arange i64\[batch\] is not known"):
        evaluate(Graph((ops.arange("batch"),)), {})


@given(cases(jumps=True))
def test_results_have_the_declared_shapes_and_are_repeatable(case: Case) -> None:
    first = evaluate(case.graph, case.inputs, case.states)
    second = evaluate(case.graph, case.inputs, case.states)
    for node, one, other in zip(case.graph.outputs, first.outputs, second.outputs, strict=True):
        assert one.ndim == node.ndim
        assert one.dtype == (np.float64 if node.type.dtype.is_float else node.type.dtype.numpy)
        np.testing.assert_array_equal(one, other)
    assert first.updates.keys() == case.states.keys()
