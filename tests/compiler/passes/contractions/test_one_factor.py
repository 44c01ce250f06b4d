"""What is linear in a product becomes the product times one factor, which does not wait for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ir.types import static
from chainc.ops.arithmetic import Multiply
from chainc.ops.contract import Contract, FusedContract
from chainc.ops.formula import Region
from chainc.passes import pipeline
from chainc.passes.contractions.one_factor import one_factor
from chainc.passes.fuse import fuse
from chainc.rewriting.trace import tracing

WIDTH = 4
Activation = Callable[[Node], Node]


def declare(key: str, *shape: int | str) -> Node:
    return cr.input(key, shape, dtype="float64")


X, D, W = declare("x", "batch", WIDTH), declare("d", "batch", 3), declare("w", 3, WIDTH)


def values_of(graph: Graph) -> list[npt.NDArray[np.float64]]:
    random = np.random.default_rng(5)
    sizes = {"batch": 2}
    leaves = graph.leaves("input")
    given = {
        leaf.op.label: random.normal(size=static(leaf.type.bind(sizes).shape)) for leaf in leaves
    }
    return [value.astype(np.float64) for value in reference.evaluate(graph, given).outputs]


def only_reader(graph: Graph) -> Node:
    (product,) = (node for node in graph.nodes if isinstance(node.op, Contract))
    (reader,) = graph.users[product]
    return reader


LINEAR: dict[str, Callable[[Node], Node]] = {
    "sum": lambda p: p * cr.exp(X) + p * X,
    "difference": lambda p: p * cr.exp(X) - X * p * 2.0,
    "negative": lambda p: -(p * X) + p,
    "sum and its half": lambda p: p * X + (p + p * cr.sin(X)) * 0.5,
}


@pytest.mark.parametrize("name", LINEAR)
def test_one_multiplication_is_left(name: str) -> None:
    graph = Graph((cr.exp(LINEAR[name](D @ W)),))
    with tracing() as fired:
        after = one_factor(graph)
    assert [step.rule for step in fired] == ["one_factor"]
    assert isinstance(only_reader(after).op, Multiply)
    (found,), (expected,) = values_of(after), values_of(graph)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


OTHERWISE: dict[str, Callable[[Node], tuple[Node, ...]]] = {
    "a square": lambda p: (p * p + p * X,),
    "not linear": lambda p: (cr.exp(p) + p * X,),
    "a result of its own": lambda p: (p, p * X + p * cr.exp(X)),
    "a part that is read elsewhere": lambda p: ((q := p * X) + p * cr.exp(X), q),
    "something added": lambda p: (p * X + (p + X),),
    "two ends": lambda p: (p * X, p * cr.exp(X)),
    "another shape": lambda p: (cr.sum(p, axis=0) * cr.sum(X, axis=0) + cr.sum(p * X, axis=0),),
    "a broadcast": lambda p: (cr.expand_dims(p, 0) + cr.expand_dims(p * X, 0),),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_the_rest_stays_as_it_is(name: str) -> None:
    graph = Graph(OTHERWISE[name](D @ W))
    assert one_factor(graph) is graph


def primitives(node: Node) -> set[str]:
    assert isinstance(node.op, FusedContract | Region)
    return {inner.op.name for inner in node.op.body.nodes}


@pytest.mark.parametrize("activation", [cr.gelu, cr.silu], ids=["gelu", "silu"])
def test_the_derivative_of_an_activation_is_computed_beside_it(activation: Activation) -> None:
    """Behind the product that goes back through it there is no exponential."""
    y = activation(X) @ cr.input("v", (WIDTH, 3), dtype="float64")
    graph = Graph((y, cr.grad(cr.sum(y * D), X)))
    before = values_of(graph)
    for each in pipeline(False):
        graph = each.apply(graph)
    behind = primitives(graph.outputs[1])
    assert behind == {"input", "multiply"} if activation is cr.gelu else "exp" not in behind
    for found, expected in zip(values_of(graph), before, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_elementary_function_of_the_product_stays_in_its_tile() -> None:
    (y,) = fuse(Graph((cr.exp(D @ W) * X,))).outputs
    assert primitives(y) == {"input", "exp", "multiply"}


def test_an_elementary_function_beside_the_product_has_a_loop_of_its_own() -> None:
    (y,) = fuse(Graph((D @ W * (cr.exp(X) + 1.0),))).outputs
    assert primitives(y) == {"input", "multiply"}
    (y,) = fuse(Graph((D @ W * (X * X + 1.0),))).outputs
    assert primitives(y) == {"input", "constant", "add", "multiply"}
