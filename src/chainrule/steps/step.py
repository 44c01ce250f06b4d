"""A training step as a value: the loss, and the new value of every state.

All updates read the values from before the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chainc.ir import Graph, Node, describe
from chainc.ir.errors import GraphError
from chainc.ir.leaves import Slot
from chainrule.declare.graphs import graph_of
from chainrule.writing.phrases import counted, listed

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
    """

    loss: Node
    updates: Mapping[Node, Node]
    parameters: tuple[Node, ...]
    gradients: tuple[Node, ...]
    hyperparameters: Mapping[str, Node] = field(default_factory=dict)

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

    @property
    def graph(self) -> Graph:
        """The loss and all updates, pure."""
        return graph_of(self, "train")


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
