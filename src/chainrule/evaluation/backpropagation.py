"""Backpropagation at a point, every number of it kept: what the teaching views show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc.autodiff import pull_back, require_scalar, seed
from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, describe
from chainc.ir.errors import GradientError
from chainc.ir.types import Array
from chainrule.declare.derivatives import nodes_of
from chainrule.evaluation.point import complete, evaluate_at
from chainrule.evaluation.values import Floats, Values


@dataclass(frozen=True)
class Contribution:
    """What one reader of a node adds to the node's gradient.

    Attributes:
        value: of the node's shape.
        reader: who reads; None for the 1 that the loss starts with.
        position: which operand of the reader it is.
    """

    value: Floats
    reader: Node | None
    position: int


@dataclass(frozen=True)
class Backpropagation:
    """One forward and one backward pass in float64.

    Attributes:
        loss: the scalar that is differentiated.
        nodes: all that the loss is computed from, operands before readers, the loss last.
        values: of every node.
        gradients: ∂loss/∂node for every node on a path from `wrt` to the loss, in the order of
            the backward pass: the loss first.
        contributions: what each gradient is the sum of, one for each reader of the node.
    """

    loss: Node
    nodes: tuple[Node, ...]
    values: Mapping[Node, Array]
    gradients: Mapping[Node, Array]
    contributions: Mapping[Node, tuple[Contribution, ...]]


def backpropagate(
    loss: Node, values: Values, wrt: Sequence[Node] | None = None, *, function: str, seeded: int = 0
) -> Backpropagation:
    """Compute the loss at a point and its gradient with respect to every node on the way.

    Args:
        loss: a floating-point scalar.
        values: by node or name; states that are not given have their first values.
        wrt: where the backward pass ends; by default at all inputs and states of floating-point
            type.
        function: whom an error names.
        seeded: the seed of first values.

    Raises:
        GradientError: the loss is no scalar, or does not depend on a node of `wrt`.
        InputError: a value is missing, unknown, or does not fit.
    """
    require_scalar(function, loss)
    graph = Graph((loss,))
    leaves = (*graph.leaves("input"), *graph.leaves("state"))
    targets = list(leaves if wrt is None else nodes_of(function, wrt))
    pulled = pull_back([loss], targets, [seed(loss)], frozenset({"infer"}))
    _require_reached(loss, wrt or (), pulled.totals)
    added = [(node, each) for node, several in pulled.contributions.items() for each in several]
    cotangents = (each.cotangent for _, each in added)
    asked = Graph((*graph.nodes, *pulled.totals.values(), *cotangents))
    found = iter(evaluate_at(asked, complete(function, asked, values, seeded)))
    forward = {node: next(found) for node in graph.nodes}
    gradients = {node: next(found) for node in pulled.totals}
    numbers: dict[Node, list[Contribution]] = {node: [] for node in gradients}
    for node, each in added:
        value = next(found).astype(np.float64)
        numbers[node].append(Contribution(value, each.reader, each.position))
    sums = {node: tuple(several) for node, several in numbers.items()}
    return Backpropagation(loss, graph.nodes, forward, gradients, sums)


def _require_reached(loss: Node, wrt: Sequence[Node], totals: Mapping[Node, Node]) -> None:
    for node in wrt:
        if node not in totals:
            raise GradientError(
                f"{describe(loss)} does not depend on {describe(node)}",
                hint="differentiate with respect to something the loss is computed from",
            )
