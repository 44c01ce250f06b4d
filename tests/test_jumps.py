"""The finder of jumps tells ties of rounding from ties of choice."""

import numpy as np
from tests.jumps import at_a_jump

from chainc import ops
from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Input
from chainc.ir.types import TensorType, float64

X = apply(Input("x", TensorType((3,), float64)))
VALUES = np.array([0.0, 0.5, 1.0])


def jumps(node: Node, values: object = VALUES) -> bool:
    return at_a_jump(Graph((node,)), {"x": np.asarray(values)}, {}, 1e-9)


def test_values_that_lie_apart_are_compared() -> None:
    assert not jumps(ops.tanh(X) < 0.2)
    assert not jumps(ops.floor(X * 0.3 + 0.1))


def test_ties_of_what_is_given_are_compared() -> None:
    assert not jumps(ops.relu(X) < 0.5)
    e = ops.exp(X)
    assert not jumps(ops.equal(e, ops.max(e)))


def test_ties_of_two_computations_are_left_out() -> None:
    assert jumps(ops.exp(X) / ops.sum(ops.exp(X)) < ops.exp(X - 1) / ops.sum(ops.exp(X - 1)))
    assert jumps(ops.floor(X * 2 + 1e-12))
    assert jumps(ops.argmax(ops.tanh(X * 1e3)))
    assert jumps(ops.sign(ops.sin(X)))
