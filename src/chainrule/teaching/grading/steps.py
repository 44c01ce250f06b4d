"""Single chain-rule steps with numbers: what one node hands to each of its operands."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainc.autodiff import pull_back
from chainc.dataclass import dataclass
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node, substitute, with_inputs
from chainc.ir.binding import bind_graph, sizes_of
from chainc.ir.leaves import Input
from chainrule.evaluation.backpropagation import Backpropagation
from chainrule.evaluation.values import Floats

_FROM_ABOVE = "gradient"  # the stand-in for the gradient of the step's own node


@dataclass(frozen=True)
class _Step:
    """The contributions to the operands at `positions`, as a graph over values of the forward pass.

    `reads` names the forward nodes whose values the graph takes.
    """

    graph: Graph
    positions: tuple[int, ...]
    reads: Mapping[str, Node]


class Steps:
    """The steps of one backward pass; each is built once and then run on any gradients."""

    def __init__(self, passed: Backpropagation) -> None:
        self.passed = passed
        self.sizes = sizes_of(
            Graph((passed.loss,)),
            {n.op.key: passed.values[n].shape for n in passed.nodes if isinstance(n.op, Input)},
        )
        self._stand_ins = {
            node: Node(Input(f"value {position}", node.type), (), node.type, node.origin)
            for position, node in enumerate(passed.nodes)
        }
        self._steps: dict[Node, _Step] = {}

    def pull(
        self, node: Node, gradient: Floats, instead: Mapping[Node, Floats] | None = None
    ) -> Mapping[int, Floats]:
        """What the node adds to the gradient of its operands, by operand position.

        Args:
            node: the one whose gradient is given.
            gradient: of the node's shape.
            instead: values that replace those of the forward pass.
        """
        if node not in self._steps:
            self._steps[node] = self._build(node)
        step = self._steps[node]
        if not step.positions:
            return {}
        values = {**self.passed.values, **(instead or {})}
        inputs = {key: values[read] for key, read in step.reads.items()}
        if any(leaf.op.label == _FROM_ABOVE for leaf in step.graph.leaves("input")):
            inputs[_FROM_ABOVE] = gradient
        found = [value.astype(np.float64) for value in evaluate(step.graph, inputs).outputs]
        return dict(zip(step.positions, found, strict=True))

    def value(self, node: Node) -> Floats:
        """Of the forward pass."""
        return self.passed.values[node].astype(np.float64)

    def true(self, node: Node) -> Floats:
        """The right gradient."""
        return self.passed.gradients[node].astype(np.float64)

    def apply(self, node: Node, operand: Floats) -> Floats:
        """The value of a node of one operand, had this operand another value."""
        stand_in = self._stand_ins[node.inputs[0]]
        graph = bind_graph(Graph((with_inputs(node, (stand_in,)),)), self.sizes)
        return evaluate(graph, {stand_in.op.label: operand}).outputs[0].astype(np.float64)

    def _build(self, node: Node) -> _Step:
        operands = [each for each in dict.fromkeys(node.inputs) if each in self.passed.gradients]
        above = Node(Input(_FROM_ABOVE, node.type), (), node.type, node.origin)
        contributions = pull_back([node], operands, [above]).contributions
        cotangents = {
            each.position: each.cotangent
            for operand in operands
            for each in contributions.get(operand, ())
            if each.reader is node
        }
        declared = Graph(tuple(cotangents.values()))
        # values of the forward pass come from outside: before x·w → y, after input y
        graph = bind_graph(substitute(declared, self._stand_ins), self.sizes)
        labels = {leaf.op.label for leaf in graph.leaves("input")}
        named = {self._stand_ins[each].op.label: each for each in self.passed.nodes}
        reads = {label: named[label] for label in labels if label in named}
        return _Step(graph, tuple(cotangents), reads)


def agree(given: Floats, expected: Floats, tolerance: float, scale: float = 0.0) -> bool:
    """Equal in shape, and up to `tolerance` of the largest element or of `scale`."""
    if given.shape != expected.shape:
        return False
    finite = np.isfinite(expected)
    if not np.array_equal(given[~finite], expected[~finite], equal_nan=True):
        return False
    a, b = given[finite], expected[finite]
    allowed = tolerance * max(float(np.max(np.abs(b), initial=0.0)), scale)
    return bool(np.all(np.abs(a - b) <= allowed))
