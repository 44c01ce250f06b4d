"""The scalars that an optimizer reads: inputs with defaults, or what a schedule gives."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir import Node, apply, describe
from chainc.ir.errors import GraphError
from chainc.ir.leaves import Input, Label, Slot
from chainc.ir.types import DType, TensorType
from chainc.ops import astype
from chainrule.declare import init
from chainrule.declare.calls import answering
from chainrule.declare.leaves import step_counter

if TYPE_CHECKING:
    from chainrule.optim.schedules.schedule import ScheduleLike


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    """The scalars of one step, as nodes: inputs with defaults, or what a schedule gives.

    Attributes:
        dtype: of all of them.
        inputs: those that can be given for a run, by name.
        kept: states that all parameters share, and their new values.
        batches: how many steps make one update.
        suffix: the end of the names of inputs, where there are several optimizers.
    """

    dtype: DType
    batches: int = 1
    suffix: str = ""
    inputs: dict[str, Node] = field(default_factory=dict)
    kept: dict[Node, Node] = field(default_factory=dict)

    @property
    def updates_done(self) -> Node:
        """The number of updates before this one."""
        return step_counter() if self.batches == 1 else step_counter() // self.batches

    def input(self, name: str, default: float) -> Node:
        """A scalar input, changed between runs without compiling again."""
        full = f"{name}{self.suffix}"
        node = apply(Input(full, TensorType((), self.dtype), default))
        self.inputs[full] = node
        return node

    def state(self, name: str, first: float) -> Node:
        """A scalar that is kept from step to step; its new value goes into `kept`."""
        label = Label(name, given=False)
        return apply(Slot(label, TensorType((), self.dtype), init.constant(first)))

    def rate(self, lr: float | ScheduleLike) -> Node:
        """The learning rate: the input "lr", or the schedule at the number of updates done."""
        if not callable(lr):
            return self.input("lr", lr)
        rate: object = answering(lr, "the learning-rate schedule")(
            astype(self.updates_done, self.dtype)
        )
        if isinstance(rate, Node) and rate.shape == () and rate.type.dtype.is_float:
            return rate
        given = describe(rate) if isinstance(rate, Node) else f"a {type(rate).__name__}"
        raise GraphError(
            f"the learning-rate schedule gave {given}, not a floating-point scalar",
            hint="return a node computed from the step, such as 0.1 / (1 + step / 100)",
        )
