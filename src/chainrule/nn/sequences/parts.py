"""What the blocks of a Transformer are made of."""

from __future__ import annotations

from collections.abc import Callable

from chainc.dataclass import dataclass
from chainrule.declare.arguments import count
from chainrule.declare.init import InitializerLike
from chainrule.nn.linear import Linear
from chainrule.nn.module import Module
from chainrule.nn.normalization import LayerNorm
from chainrule.nn.sequences.attention import MultiHeadAttention
from chainrule.nn.sequential import Sequential, made_by


@dataclass(frozen=True)
class Parts:
    """What a block is made of, and what all its parts have in common.

    `last` are the weights of the last product of a part, `weights` all others.
    """

    owner: str
    width: int
    heads: int
    dropout: float
    bias: bool
    norm: Callable[[int], Module] | None
    weights: InitializerLike
    last: InitializerLike

    def attention(self, *, causal: bool = False, rotary: bool = False) -> MultiHeadAttention:
        return MultiHeadAttention(
            self.width, self.heads, causal=causal, dropout=self.dropout, bias=self.bias,
            rotary=rotary, init=self.weights, output_init=self.last,
        )  # fmt: skip

    def feed_forward(self, hidden: int | None, activation: Callable[[], Module]) -> Module:
        """Two linear layers, with an activation between them."""
        hint = "give a size, such as hidden=512"
        wide = 4 * self.width if hidden is None else count(self.owner, "hidden", hidden, hint=hint)
        return Sequential(
            Linear(self.width, wide, bias=self.bias, init=self.weights),
            made_by(self.owner, "activation", activation),
            Linear(wide, self.width, bias=self.bias, init=self.last),
        )

    def normalisation(self) -> Module:
        return normalisation(self.owner, self.norm, self.width, bias=self.bias)


def normalisation(
    owner: str, given: Callable[[int], Module] | None, width: int, *, bias: bool
) -> Module:
    """As given for a width; by default that of layers."""
    if given is None:
        return LayerNorm(width, bias=bias)
    return made_by(owner, "norm", given, width)
