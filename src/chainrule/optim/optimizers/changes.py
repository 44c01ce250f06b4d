"""What optimizers give, and the step that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node
from chainc.ir.leaves import number_equal_names
from chainrule.declare.derivatives import node_of
from chainrule.optim.signals.rule import Signals
from chainrule.steps.step import Step, check_names


@dataclass(frozen=True, eq=False)
class Changes:
    """New values of parameters and of what is kept beside them.

    Attributes:
        updates: by state, the step counter among them.
        signals: those that the optimizer has used, by parameter.
        inputs: the hyperparameters, by name.
        averages: states that hold averages, by parameter.
    """

    updates: Mapping[Node, Node]
    signals: Signals
    inputs: Mapping[str, Node]
    averages: Mapping[Node, Node]


def step_of(loss: Node, parts: Sequence[Changes]) -> Step:
    """The step that reports a loss and makes changes.

    Raises:
        GraphError: two states have the same name.
    """
    node_of("step", loss)
    updates: dict[Node, Node] = {}
    signals: dict[Node, Node] = {}
    inputs: dict[str, Node] = {}
    averages: dict[Node, Node] = {}
    for part in parts:
        updates.update(part.updates)
        signals.update(part.signals)
        inputs.update(part.inputs)
        averages.update(part.averages)
    number_equal_names([*Graph((loss,)).leaves("state"), *updates])
    check_names(updates)
    return Step(loss, updates, tuple(signals), tuple(signals.values()), inputs, averages)
