"""Costs counted by hand, and the same for every op that is made of others."""

from collections.abc import Sequence

import pytest

from chainc import ops
from chainc.autodiff import grad
from chainc.ir import REGISTRY, Graph, Node, apply
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input
from chainc.ir.types import float32
from chainc.ops.contract import Contract, FusedContract
from chainc.ops.formula import Region, scalar_input
from chainrule.declare.leaves import input, parameter
from chainrule.evaluation.cost import Cost, cost

HERE = r"\n  where: .*test_cost\.py:\d+\n  try: "
X = input("x", (3, 4))
Z = input("z", (2, 3, 4))


@pytest.mark.parametrize(
    ("node", "flops", "read", "written"),
    [
        (X + X, 12, 96, 48),
        (ops.exp(X), 12, 48, 48),
        (ops.relu(X), 12, 48, 48),
        (ops.sigmoid(X), 4 * 12, 48, 48),  # negative, exp, add, divide
        (ops.where(X < 0.0, X, X), 12 + 12, 48 + 4 + 12 + 96, 12 + 48),
        (ops.astype(X, "float64"), 0, 48, 96),
        (ops.sum(X), 12, 48, 4),
        (ops.max(Z, axis=1), 24, 96, 32),
        (ops.argmax(X), 12, 48, 24),
        (ops.matmul(X, input("w", (4, 5))), 2 * 3 * 4 * 5, 48 + 80, 60),
        (ops.einsum("bij,bjk->bik", Z, input("w", (2, 4, 7))), 2 * 2 * 3 * 4 * 7, 96 + 224, 168),
        (ops.reshape(X, (12,)), 0, 0, 0),
        (X.T, 0, 0, 0),
        (X[1:], 0, 0, 0),
        (ops.flip(X), 0, 0, 0),
        (ops.broadcast_to(X, (2, 3, 4)), 0, 0, 0),
        (ops.concat([X, X]), 0, 96, 96),
        (ops.pad(X, [(1, 0), (0, 0)]), 0, 48, 64),
        (ops.one_hot(input("i", (3,), "int32"), 5), 0, 12, 60),
        (ops.take(X, input("i", (2,), "int32")), 0, 48 + 8, 32),
        (ops.scatter_add(X, input("i", (2,), "int32"), X[1:]), 8, 48 + 8 + 32, 48),
    ],
)
def test_ops(node: Node, flops: int, read: int, written: int) -> None:
    found = cost(Graph((node,)))
    assert (found.flops, found.bytes_read, found.bytes_written) == (flops, read, written)
    assert found.bytes == read + written


def test_parameters_are_counted_once_with_their_memory() -> None:
    w = parameter("w", (3, 4), 1.0, dtype="float64")
    frozen = parameter("f", (7,), 1.0, trainable=False)
    found = cost(Graph((w * 2.0, w + 1.0, frozen + 1.0)))
    assert (found.parameters, found.parameter_bytes) == (12, 96)


def test_named_sizes_take_the_given_values() -> None:
    x = input("x", ("batch", 64))
    graph = Graph((ops.matmul(x, input("w", (64, 32))),))
    assert cost(graph, batch=32).flops == 2 * 32 * 64 * 32
    assert cost(graph, batch=0) == Cost(0, 64 * 32 * 4, 0)


def test_backward_costs_about_twice_the_forward_pass() -> None:
    x, w = input("x", ("batch", 64)), parameter("w", (64, 32), "he_normal")
    loss = ops.sum(ops.square(ops.matmul(x, w)))
    product = 2 * 32 * 64 * 32
    assert cost(Graph((loss,)), batch=32).flops == product + 2 * 32 * 32
    both = cost(Graph((loss, *grad(loss, [x, w]))), batch=32)
    assert both.flops == pytest.approx(3 * product, rel=0.05)


def stand_ins(types: Sequence[Node]) -> list[Node]:
    return [apply(Input(str(i), node.type)) for i, node in enumerate(types)]


def test_a_fused_region_costs_the_arithmetic_of_its_parts_and_less_traffic() -> None:
    y = input("y", (3, 4))
    a, b = stand_ins([X, y])
    fused = apply(Region(Graph((ops.exp(a * b) + a,))), X, y)
    assert cost(Graph((fused,))) == Cost(3 * 12, 96, 48)
    assert cost(Graph((ops.exp(X * y) + X,))).flops == 3 * 12


def test_a_fused_contraction_costs_its_product_and_its_epilogue() -> None:
    w, bias = input("w", (4, 5)), input("b", (5,))
    body = Graph((ops.tanh(scalar_input(0, float32) + scalar_input(1, float32)),))
    fused = apply(FusedContract(Contract("ab", "bc", "ac"), body), X, w, bias)
    found = cost(Graph((fused,)))
    assert found == Cost(2 * 3 * 4 * 5 + 2 * 15, 48 + 80 + 20, 60)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_op_has_a_cost(name: str) -> None:
    for sample in REGISTRY[name].samples():
        operands = [apply(Input(f"x{i}", type)) for i, type in enumerate(sample.operands)]
        found = cost(Graph((apply(sample.op, *operands),)))
        assert min(found.flops, found.bytes_read, found.bytes_written) >= 0


def test_unbound_and_wrong_sizes_are_refused() -> None:
    graph = Graph((ops.exp(input("x", ("batch", 64))),))
    with pytest.raises(
        InputError, match=rf"the size 'batch' of .* has no value{HERE}give it, such"
    ):
        cost(graph)
    with pytest.raises(
        InputError, match=rf"^cost: the size batch must be a whole.*{HERE}give a num"
    ):
        cost(graph, batch=-1)
