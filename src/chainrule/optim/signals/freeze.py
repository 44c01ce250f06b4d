"""Parameters that stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.ir import Node, describe
from chainc.ir.errors import GraphError
from chainrule.declare.arguments import several
from chainrule.optim.signals.rule import Signals
from chainrule.optim.signals.rules import require_parameter

__all__ = ["freeze"]


@dataclass(frozen=True, eq=False)
class Freeze:
    """These parameters have no signal any more."""

    parameters: tuple[Node, ...]

    def __call__(self, signals: Signals) -> Signals:
        for parameter in self.parameters:
            if parameter not in signals:
                raise GraphError(
                    f"freeze: {describe(parameter)} is not among the parameters of the step",
                    hint="freeze parameters that the loss reads, or leave this one out",
                )
        frozen = set(self.parameters)
        return {each: signal for each, signal in signals.items() if each not in frozen}


def freeze(parameters: Sequence[Node]) -> Freeze:
    """Leave parameters as they are, such as those of the first layers of a model.

    Nothing is computed for them, and the optimizer keeps nothing beside them.

    Raises:
        InputError: it is no list.
        GraphError: one of them is no parameter.
    """
    hint = "give parameters, such as optim.freeze(model[0].parameters())"
    listed = several("freeze", "parameters", parameters, hint=hint)
    return Freeze(tuple(require_parameter("freeze", node) for node in listed))
