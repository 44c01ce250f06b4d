"""What is a view, and what has to be copied before it is one."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc import ops
from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Input
from chainc.ir.types import TensorType, float32
from chainc.lowering.kernels import Contraction, Copy, Kernel
from chainc.lowering.lower import lower
from chainc.passes import PIPELINE


def input(name: str, *shape: int) -> Node:
    return apply(Input(name, TensorType(shape, float32)))


def kernels(node: Node) -> list[type[Kernel]]:
    graph = Graph((node,))
    for step in PIPELINE:
        graph = step.run(graph)
    return [type(kernel) for kernel in lower(graph).body]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_convolution_copies_no_windows(channels: int) -> None:
    x, w = input("x", 2, channels, 6, 6), input("w", 4, channels, 3, 3)
    windows = ops.window(x, 3, (2, 3))
    assert kernels(ops.einsum("bchwij,ocij->bohw", windows, w)) == [Contraction]


def test_elements_that_lie_apart_are_copied_before_their_axes_are_joined() -> None:
    x = ops.window(input("x", 6), 3, 0)
    assert kernels(ops.einsum("i,i->", ops.reshape(x, (12,)), input("w", 12))) == [
        Copy,
        Contraction,
    ]
    assert kernels(ops.reshape(x, (1, 4, 1, 3)) + 0.0)[:1] != [Copy]


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_a_view_with_more_axes_of_size_one_has_the_same_elements(target: str) -> None:
    x = cr.input("x", (6,))
    wide = cr.reshape(cr.window(x, 3, 0), (4, 1, 3))
    found = cr.compile(cr.exp(wide), target=target)(x=np.arange(6, dtype=np.float32))
    expected = np.exp([[i, i + 1, i + 2] for i in range(4)])
    np.testing.assert_allclose(np.asarray(found)[:, 0], expected, rtol=1e-6)
