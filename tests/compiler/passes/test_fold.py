"""Constant folding: the bits, and the budgets."""

import numpy as np
import pytest
from tests.two_sided import check, check_numbers, check_unchanged, declare

from chainc.ir import Graph, Node, Rewrite, apply
from chainc.ir.leaves import Constant, SizeOf, constant
from chainc.ir.types import DType, float32, float64, int32, named
from chainc.ops import (
    arange,
    astype,
    broadcast_to,
    concat,
    exp,
    normal,
    one_hot,
    sum,
    take,
    tanh,
)
from chainc.ops.contract import Contract
from chainc.passes.fold import Budget, fold
from chainc.rewriting.trace import tracing

x = declare("x", 2, 3)
row = np.array([0.1, 0.2, 0.3], np.float32)


def folded(node: Node) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    (result,) = fold(Graph((node,))).outputs
    assert isinstance(result.op, Constant)
    assert result.type == node.type
    return result.op.value.array


@pytest.mark.parametrize("dtype", [float32, float64])
def test_results_have_the_bits_that_numpy_gives_in_the_same_element_type(dtype: DType) -> None:
    values = np.linspace(-2, 2, 7).astype(dtype.numpy)
    node = constant(values)
    expected = {
        tanh(node): np.tanh(values),
        exp(node) * 3: np.exp(values) * 3,
        sum(node): np.sum(values),
        node / 7: values / 7,
        astype(node, "int32"): values.astype(np.int32),
        concat([node, node]): np.concatenate([values, values]),
    }
    for root, value in expected.items():
        found = folded(root)
        assert found.dtype == value.dtype
        assert found.tobytes() == value.tobytes()


def test_integers_and_indices() -> None:
    assert folded(constant(7, int32) // constant(2, int32)) == 3
    assert folded(arange(4)).tolist() == [0, 1, 2, 3]
    assert folded(take(constant(row), np.array([2, 0]))).tolist() == row[[2, 0]].tolist()
    assert folded(one_hot(np.array([1, 0]), 2)).tolist() == [[0, 1], [1, 0]]


def test_a_size_that_is_known_is_a_number() -> None:
    assert folded(apply(SizeOf(12))) == 12
    check_unchanged(fold, apply(SizeOf(named("batch"))) * declare("k", dtype=int32))


def test_random_numbers_of_a_known_seed_are_constants() -> None:
    draws = normal((3,), seed=7, stream="noise")
    assert folded(draws).shape == (3,)
    check_numbers(fold, Graph((draws * declare("v", 3),)))


def test_what_depends_on_an_input_stays() -> None:
    check(fold, x * (constant(2.0) * constant(3.0)), x * 6)
    check_unchanged(fold, exp(x) + 1)


def test_signs_go_into_numbers() -> None:
    check(fold, -(x * 2), x * -2)
    check(fold, -(2 / x), -2 / x)
    shared = x * 2
    graph = Graph((-shared, shared))
    assert fold(graph).outputs[0].op.name == "negative"


def test_an_index_out_of_range_is_left_for_when_the_program_runs() -> None:
    check_unchanged(fold, take(constant(row), np.array([3])))


def test_the_trace_and_the_origin_tell() -> None:
    root = constant(2.0) + constant(3.0)
    with tracing() as fired:
        (result,) = fold(Graph((root,))).outputs
    assert [(step.rule, step.replaced) for step in fired] == [("fold", root)]
    assert result.origin.rewrite == Rewrite("fold", root)
    assert result.origin.location == root.origin.location


# ----- budgets


def test_a_small_result_may_be_larger_than_its_operands() -> None:
    assert folded(arange(1024, "int32")).shape == (1024,)
    check_unchanged(fold, arange(1025, "int32"))


def test_a_large_result_may_not() -> None:
    column, wide = constant(np.ones((40, 1), np.float32)), constant(np.ones((1, 40), np.float32))
    check_unchanged(fold, column + wide)  # 6,400 bytes from 320
    large = constant(np.ones((40, 40), np.float32))
    assert folded(large + wide).shape == (40, 40)


def test_a_very_large_result_stays_out_of_the_program() -> None:
    large = constant(np.zeros((1 << 18) + 1, np.float32))
    check_unchanged(fold, exp(large))
    assert folded(sum(large)) == 0


def test_the_number_of_results_is_limited() -> None:
    roots = tuple(exp(constant(float(i))) for i in range(5))
    result = fold(Graph(roots), Budget(nodes=3))
    assert [node.op.name for node in result.outputs] == ["constant"] * 3 + ["exp"] * 2


def test_the_number_of_operations_is_limited() -> None:
    square = constant(np.ones((20, 20), np.float32))
    product = apply(Contract("ab", "bc", "ac"), square, square)
    graph = Graph((product,))
    assert fold(graph, Budget(operations=7999)).outputs[0].op.name == "contract"
    assert fold(graph, Budget(operations=8000)).outputs[0].op.name == "constant"


def test_to_repeat_is_not_to_compute() -> None:
    check_unchanged(fold, broadcast_to(constant(row), (2, 3)))
