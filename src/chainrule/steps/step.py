"""A training step as a value: the loss, and the new value of every state.

All updates read the values from before the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from chainc import ir
from chainc.dataclass import dataclass
from chainc.ir import Node, describe, substitute
from chainc.ir.errors import GraphError
from chainc.ir.leaves import Slot
from chainc.ops import equal, where
from chainc.ops.runs.modes import resolve
from chainrule.declare.arguments import count
from chainrule.declare.derivatives import node_of
from chainrule.declare.graphs import graph_of
from chainrule.declare.leaves import step_counter
from chainrule.writing.phrases import counted, listed

if TYPE_CHECKING:
    from chainrule.drawing.graph import Graph

__all__ = ["Step"]


@dataclass(frozen=True, eq=False)
class Step:
    """One training step as a value.

    Attributes:
        loss: the scalar that the step reduces.
        updates: each state and its new value: parameters, what the optimizer keeps beside them,
            and the step counter.
        parameters: the parameters that it changes.
        gradients: the signal of each of them, in the same order: the derivative of the loss where
            the learning rule is backpropagation.
        hyperparameters: the scalar inputs with defaults, such as "lr", by name.
        averages: the state that holds its average, by parameter, where the optimizer keeps any.
    """

    loss: Node
    updates: Mapping[Node, Node]
    parameters: tuple[Node, ...]
    gradients: tuple[Node, ...]
    hyperparameters: Mapping[str, Node] = field(default_factory=dict)
    averages: Mapping[Node, Node] = field(default_factory=dict)

    def __repr__(self) -> str:
        changed = [parameter.op.label for parameter in self.parameters]
        return f"<Step of {listed(changed)}; {counted(len(self.updates), 'update')}>"

    @property
    def outputs(self) -> tuple[Node, ...]:
        """The loss."""
        return (self.loss,)

    @property
    def names(self) -> tuple[str, ...]:
        """What the outputs are called."""
        return ("loss",)

    def every(self, steps: int) -> Step:
        """The step done on the first of so many minibatches; on the others all slots stay.

        What it computes is computed each time. The step counter counts each minibatch.

        Raises:
            InputError: the number is not positive.
        """
        count("every", "steps", steps, hint="give 1 or more")
        due = equal(step_counter() % steps, 0)
        updates = {
            slot: new if slot is step_counter() else where(due, new, slot)
            for slot, new in self.updates.items()
        }
        return replace(self, updates=updates)

    @property
    def graph(self) -> Graph:
        """The loss and all updates, pure."""
        from chainrule.drawing.graph import Graph  # who only trains does not wait for pictures

        return Graph.of(graph_of(self, "train"))

    def averaged(self, node: Node) -> Node:
        """A node in its form for inference, with the averages in place of the parameters.

        Raises:
            GraphError: the optimizer keeps no averages.
        """
        node_of("averaged", node, "what is given")
        if not self.averages:
            raise GraphError(
                "averaged: this step keeps no averages",
                hint="give the optimizer one: optim.SGD(0.1, average=optim.averages.ema(0.999))",
            )
        return substitute(resolve(ir.Graph((node,)), "infer"), self.averages).outputs[0]


def check_names(updates: Mapping[Node, Node]) -> None:
    """Two slots of one name could not both be kept in a state.

    Raises:
        GraphError: there are such.
    """
    named: dict[str, Node] = {}
    for node in updates:
        assert isinstance(node.op, Slot)
        other = named.setdefault(str(node.op.key), node)
        if other is not node:
            raise GraphError(
                f"two states are named {node.op.key}: {describe(other)} and {describe(node)}",
                hint="give the layers different names with name=, or assign them to variables",
            )
