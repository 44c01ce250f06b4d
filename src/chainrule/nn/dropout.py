"""Dropout: noise in training that is gone afterwards."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ops import bernoulli, by_mode, where
from chainrule.declare.arguments import number
from chainrule.nn.fitting import require_float
from chainrule.nn.module import Module

__all__ = ["Dropout"]


@dataclass(frozen=True, eq=False)
class Dropout(Module):
    """In training x / (1 - rate) with probability 1 - rate, else 0; elsewhere x.

    So the mean stays what it was, and nothing has to be undone for predictions (Srivastava et al.,
    JMLR 2014, in the inverted form of PyTorch). Each use in each step draws a new mask, from the
    run's seed and step; the backward pass reads the same one. In the cell of a loop each step of
    the loop does; one mask for all of them is drawn outside. The shape is any, and stays.

    Attributes:
        rate: the share that is dropped.

    Raises:
        InputError: the rate is not from 0 to below 1.
    """

    rate: float = 0.5

    def __post_init__(self) -> None:
        kind = type(self).__name__
        hint = f"give the share that is dropped, such as nn.{kind}(0.3)"
        number(kind, "rate", self.rate, at_least=0, below=1, hint=hint)
        super().__post_init__()

    def forward(self, x: Node) -> Node:
        return self._dropped(x, axes=x.ndim)

    def _dropped(self, x: Node, *, axes: int) -> Node:
        """With one draw for all that lies beyond the first axes."""
        require_float(self.label, x)
        if self.rate == 0:
            return x
        kept = 1 - self.rate
        mask = bernoulli((*x.shape[:axes], *(1,) * (x.ndim - axes)), kept)
        return by_mode(train=where(mask, x * (1 / kept), 0), infer=x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.rate:g})"
