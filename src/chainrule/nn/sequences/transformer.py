"""The Transformer: blocks of attention and of a small network at each position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ir.errors import InputError
from chainc.ops import expand_dims, reshape, squeeze
from chainc.ops.movement import as_flag
from chainrule.declare import init as initializers
from chainrule.declare.arguments import count, is_one_of
from chainrule.declare.init import InitializerLike
from chainrule.nn.activation import GELU
from chainrule.nn.dropout import Dropout
from chainrule.nn.linear import Linear
from chainrule.nn.module import DTypeLike, Module, Remembered
from chainrule.nn.sequences.attention import MultiHeadAttention
from chainrule.nn.sequences.embedding import Embedding
from chainrule.nn.sequences.parts import Parts, normalisation
from chainrule.nn.sequences.positions import LearnedPositions, SinusoidalPositions

__all__ = ["Transformer", "TransformerBlock"]

POSITIONS = ("learned", "sinusoidal", "rotary")


@dataclass(frozen=True, eq=False, init=False)
class TransformerBlock(Module):
    """Attention, then two linear layers, each added to what it is given (Vaswani et al., 2017).

        x = x + attention(norm(x)),   x = x + feed_forward(norm(x))

    With norm_first=False, as it was published, x = norm(x + attention(x)) instead. With cross=True
    a second attention, between the two, reads another sequence: `block(x, context)`. From
    (..., time, width) to the same; `mask=` and `lengths=` are those of `MultiHeadAttention`.

    Attributes:
        attention: of the sequence to itself.
        cross_attention: to another sequence, or None.
        feed_forward: the two linear layers, and the activation between them.
        attention_norm: the normalisation that belongs to it, as for the others.
        norm_first: whether each part is given what is normalised.
        dropout: of what is added, in training.
    """

    attention: MultiHeadAttention
    cross_attention: MultiHeadAttention | None
    feed_forward: Module
    attention_norm: Module
    cross_norm: Module | None
    feed_forward_norm: Module
    norm_first: bool
    dropout: Dropout

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        hidden: int | None = None,
        causal: bool = False,
        cross: bool = False,
        norm_first: bool = True,
        dropout: float = 0.0,
        bias: bool = True,
        rotary: bool = False,
        activation: Callable[[], Module] = GELU,
        norm: Callable[[int], Module] | None = None,
        init: InitializerLike = "xavier_uniform",
        output_init: InitializerLike | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the weights.

        Args:
            width: the size of the last axis.
            heads: of attention, a divisor of it.
            hidden: the width between the two linear layers; by default 4 · width.
            causal: whether a position reads none that come after it.
            cross: whether there is attention to another sequence.
            norm_first: whether each part is given what is normalised, rather than what it gives.
            dropout: the share that is dropped in training: of attention weights, and of what each
                part gives.
            bias: whether products and normalisations have one.
            rotary: whether positions turn queries and keys.
            activation: a class of layers, or a function that gives one.
            norm: a class of layers made for a width, such as nn.RMSNorm; by default nn.LayerNorm,
                with a bias where products have one.
            init: the initialiser of the weights.
            output_init: that of the last product of each part; by default the same.
            name: the layer's own part of its parameters' names.
            dtype: of them, "float32" or "float64"; by default float32.

        Raises:
            InputError: a size is no positive whole number, the heads do not divide the width, or
                the share is not from 0 to below 1.
        """
        kind = "TransformerBlock"
        size = count(kind, "width", width, hint="give a size, such as width=128")
        last = init if output_init is None else output_init
        parts = Parts(kind, size, heads, dropout, bias, norm, init, last)
        crossed = as_flag(kind, "cross", cross)
        self._set(
            name=name,
            dtype=dtype,
            attention=parts.attention(causal=causal, rotary=rotary),
            cross_attention=parts.attention() if crossed else None,
            feed_forward=parts.feed_forward(hidden, activation),
            attention_norm=parts.normalisation(),
            cross_norm=parts.normalisation() if crossed else None,
            feed_forward_norm=parts.normalisation(),
            norm_first=as_flag(kind, "norm_first", norm_first),
            dropout=Dropout(dropout),
        )
        self.__post_init__()

    def forward(
        self,
        x: Node,
        context: Node | None = None,
        mask: Node | None = None,
        lengths: Node | None = None,
    ) -> Node:
        def attend(given: Node) -> Node:
            return self.attention(given, mask=mask, lengths=lengths)

        return self.around(attend, x, context)

    def around(self, attend: Callable[[Node], Node], x: Node, context: Node | None = None) -> Node:
        """The block with another attention of x to itself, such as one to keys that are kept.

        Raises:
            InputError: there is a context and no attention to it, or the other way around.
        """
        if (context is None) != (self.cross_attention is None):
            raise InputError(
                f"{self.label}: "
                + ("there is no context" if context is None else "nothing attends to a context"),
                hint="declare the block with cross=True, and call it with x and a context",
            )
        x = self._added(x, attend, self.attention_norm)
        if context is not None and self.cross_attention is not None and self.cross_norm is not None:
            across, there = self.cross_attention, context
            x = self._added(x, lambda given: across(given, there), self.cross_norm)
        return self._added(x, self.feed_forward, self.feed_forward_norm)

    def start(self, batch: int, length: int | None = None) -> Remembered:
        return self.attention.start(batch, length)

    def step(self, carry: Sequence[Node], x: Node, position: Node) -> tuple[Remembered, Node]:
        return self._keeping(lambda given: self.attention.step(carry, given, position), x)

    def read(self, x: Node, count: Node, length: int) -> tuple[Remembered, Node]:
        return self._keeping(lambda given: self.attention.read(given, count, length), x)

    def _keeping(
        self, attend: Callable[[Node], tuple[Remembered, Node]], x: Node
    ) -> tuple[Remembered, Node]:
        """The block with an attention that also says what is to be remembered."""
        after: list[Node] = []

        def attended(given: Node) -> Node:
            kept, found = attend(given)
            after.extend(kept)
            return found

        with scope(self.label.text):
            y = self.around(attended, x)
        return tuple(after), y

    def _added(self, x: Node, part: Callable[[Node], Node], norm: Module) -> Node:
        if self.norm_first:
            return x + self.dropout(part(norm(x)))
        return norm(x + self.dropout(part(x)))


@dataclass(frozen=True, eq=False, init=False)
class Transformer(Module):
    """A language model: which token comes next, for each of a sequence, as GPT-2 (Radford, 2019).

    From whole numbers (..., time) to logits (..., time, vocabulary). Embeddings of tokens and
    positions are added, go through blocks, each of which may read all positions before its own,
    and end in a normalisation and a linear layer without a bias. With causal=False a position
    reads all others, as in BERT.

    It writes one token after another with keys and values that are kept (`text.sampler`): `embed`
    is what is done before the blocks, `logits` after them.

    Attributes:
        context: how many positions there are at most.
        embedding: of tokens.
        positions: what adds positions, or None where attention turns by them.
        dropout: of embeddings, in training.
        blocks: in their order.
        norm: after the last block, or None where blocks normalise what they give.
        head: from the last block to logits, or None where it is the embedding, transposed.
    """

    context: int
    embedding: Embedding
    positions: Module | None
    dropout: Dropout
    blocks: tuple[TransformerBlock, ...]
    norm: Module | None
    head: Linear | None

    def __init__(
        self,
        vocabulary: int,
        width: int,
        heads: int,
        layers: int,
        context: int,
        *,
        causal: bool = True,
        dropout: float = 0.0,
        tied: bool = False,
        positions: str = "learned",
        hidden: int | None = None,
        norm_first: bool = True,
        bias: bool = True,
        activation: Callable[[], Module] = GELU,
        norm: Callable[[int], Module] | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the weights: normal numbers of deviation 0.02, as in GPT-2.

        The last product of each part of a block has the deviation 0.02 / √(2 · layers), so that the
        sums do not grow with the number of layers.

        Args:
            vocabulary: how many tokens there are.
            width: the size of the vectors between layers.
            heads: of attention, a divisor of it.
            layers: how many blocks.
            context: how many positions there are at most.
            causal: whether a position reads none that come after it.
            dropout: the share that is dropped in training: of embeddings, attention weights, and
                what each part of a block gives.
            tied: whether the logits are products with the embeddings of tokens.
            positions: "learned", "sinusoidal" or "rotary".
            hidden: the width between the linear layers of a block; by default 4 · width.
            norm_first: whether parts of a block are given what is normalised.
            bias: whether products of blocks, and normalisations, have one.
            activation: a class of layers, or a function that gives one.
            norm: a class of layers made for a width, such as nn.RMSNorm; by default nn.LayerNorm,
                with a bias where products have one.
            name: the model's name.
            dtype: of the parameters, "float32" or "float64"; by default float32.

        Raises:
            InputError: a size is no positive whole number, the heads do not divide the width, or
                there is no such form of positions.
        """
        kind = "Transformer"
        hint = "give vocabulary=65, width=128, heads=4, layers=4, context=64, or other sizes"
        height = count(kind, "layers", layers, hint=hint)
        tokens = count(kind, "vocabulary", vocabulary, hint=hint)
        longest = count(kind, "context", context, hint=hint)
        init, last = _normal(), _normal(1 / (2 * height) ** 0.5)
        block = partial(
            TransformerBlock, width, heads, hidden=hidden, causal=causal, norm_first=norm_first,
            dropout=dropout, bias=bias, rotary=positions == "rotary", activation=activation,
            norm=norm, init=init, output_init=last,
        )  # fmt: skip
        shared = as_flag(kind, "tied", tied)
        self._set(
            name=name,
            dtype=dtype,
            context=longest,
            embedding=Embedding(tokens, width, init=init),
            positions=_positions(positions, longest, width, init=init),
            dropout=Dropout(dropout),
            blocks=tuple(block(name=f"block{number}") for number in range(1, height + 1)),
            norm=normalisation(kind, norm, width, bias=bias) if norm_first else None,
            head=None if shared else Linear(width, tokens, bias=False, init=init),
        )
        self.__post_init__()

    def forward(self, tokens: Node, mask: Node | None = None, lengths: Node | None = None) -> Node:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, mask=mask, lengths=lengths)
        return self.logits(x)

    def start(self, batch: int, length: int | None = None) -> Remembered:
        most = min(self.context, length or self.context)
        return tuple(each for block in self.blocks for each in block.start(batch, most))

    def step(self, carry: Sequence[Node], x: Node, position: Node) -> tuple[Remembered, Node]:
        found: list[Node] = []
        with scope(self.label.text):
            x = squeeze(self.embed(expand_dims(x, 1), reshape(position, (1,))), 1)
            for block in self.blocks:
                after, x = block.step(carry[len(found) :][:2], x, position)
                found += after
            return tuple(found), self.logits(x)

    def read(self, x: Node, count: Node, length: int) -> tuple[Remembered, Node]:
        found: list[Node] = []
        with scope(self.label.text):
            x = self.embed(x)
            for block in self.blocks:
                after, x = block.read(x, count, min(self.context, length))
                found += after
            return tuple(found), self.logits(x)

    def longest(self) -> int:
        return self.context

    def embed(self, tokens: Node, positions: Node | None = None) -> Node:
        """What the first block is given, (..., time, width).

        Args:
            tokens: whole numbers (..., time).
            positions: whole numbers (time): where they stand; by default from 0.
        """
        x = self.embedding(tokens)
        placed = x if self.positions is None else self.positions(x, positions=positions)
        return self.dropout(placed)

    def logits(self, x: Node) -> Node:
        """(..., time, vocabulary), of what the last block gives."""
        normal = x if self.norm is None else self.norm(x)
        return self.embedding.scores(normal) if self.head is None else self.head(normal)

    def __repr__(self) -> str:
        table, block = self.embedding, self.blocks[0]
        return (
            f"Transformer(vocabulary={table.count}, width={table.features}, "
            f"heads={block.attention.heads}, layers={len(self.blocks)})"
        )


def _normal(share: float = 1.0) -> InitializerLike:
    return initializers.normal(std=0.02 * share)


def _positions(form: str, context: int, width: int, *, init: InitializerLike) -> Module | None:
    """What adds positions to embeddings; None where attention turns by them."""
    if not is_one_of(form, POSITIONS):
        raise InputError(
            f"Transformer: there are no positions {form!r}",
            hint=f"give one of {', '.join(POSITIONS)}",
        )
    if form == "learned":
        return LearnedPositions(context, width, init=init)
    return SinusoidalPositions(width) if form == "sinusoidal" else None
