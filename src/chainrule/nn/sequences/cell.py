"""The weights of a recurrent layer."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainrule.declare.init import uniform
from chainrule.declare.leaves import parameter
from chainrule.nn.module import Module


@dataclass(frozen=True, eq=False, init=False)
class Cell(Module):
    """The weights of one layer in one direction; the gates lie side by side.

    Attributes:
        input_weight: (features, gates · hidden).
        hidden_weight: (hidden, gates · hidden).
        input_bias: (gates · hidden).
        hidden_bias: the same: two of them, as in PyTorch.
    """

    input_weight: Node
    hidden_weight: Node
    input_bias: Node
    hidden_bias: Node

    def __init__(self, features: int, hidden: int, gates: int) -> None:
        start = uniform(-(hidden**-0.5), hidden**-0.5)
        self._set(
            name=None,
            input_weight=parameter("input_weight", (features, gates * hidden), start),
            hidden_weight=parameter("hidden_weight", (hidden, gates * hidden), start),
            input_bias=parameter("input_bias", (gates * hidden,), start),
            hidden_bias=parameter("hidden_bias", (gates * hidden,), start),
        )
        self.__post_init__()
