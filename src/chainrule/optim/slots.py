"""What an optimizer keeps beside a parameter from step to step."""

from __future__ import annotations

from chainc.ir import Node, apply
from chainc.ir.leaves import Initializer, Label, Slot
from chainrule.declare import init

__all__ = ["slot"]


class SlotLabel(Label):
    """The name of what an optimizer keeps beside a parameter: `sgd/velocity/model/bias`."""

    def __init__(self, text: str, parameter: Label) -> None:
        super().__init__(text)
        self.parameter = parameter

    def root(self) -> Label:
        return self.parameter.root()

    def __str__(self) -> str:
        return f"{super().__str__()}/{self.parameter}"


def slot(prefix: str, parameter: Node, initial: Initializer | None = None) -> Node:
    """A state of the parameter's type, by default first 0, kept beside it under `prefix`."""
    assert isinstance(parameter.op, Slot)
    label = SlotLabel(prefix, parameter.op.key)
    return apply(Slot(label, parameter.type, initial or init.zeros()))
