"""What an optimizer keeps beside a parameter from step to step."""

from __future__ import annotations

from chainc.ir import Node, apply, describe
from chainc.ir.errors import GraphError
from chainc.ir.leaves import Label, Slot
from chainc.ir.types import Shape
from chainrule.declare import init
from chainrule.declare.arguments import part_name, text

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


def slot(prefix: str, parameter: Node, initial: init.InitializerLike = 0.0) -> Node:
    """A state of the parameter's type, by default first 0, kept beside it under `prefix`.

    Its first value is given as for `cr.parameter`.
    """
    given: object = parameter
    if not isinstance(given, Node) or not isinstance(given.op, Slot):
        told = describe(given) if isinstance(given, Node) else f"a {type(given).__name__}"
        raise GraphError(
            f"slot: {told} is no parameter", hint="give what cr.parameter or a layer has made"
        )
    for part in text("slot", "the prefix", prefix).split("/"):
        part_name("slot", part)
    return beside(prefix, parameter, parameter.shape, initial)


def beside(
    prefix: str,
    parameter: Node,
    shape: Shape,
    initial: init.InitializerLike,
    *,
    trainable: bool = False,
) -> Node:
    """A state of the parameter's element type and a shape of its own, kept under `prefix`."""
    assert isinstance(parameter.op, Slot)
    label, kind = SlotLabel(prefix, parameter.op.key), parameter.type.with_shape(shape)
    return apply(Slot(label, kind, init.as_initializer(initial), trainable))
