"""Attention: every element of a sequence reads all others, and decides which ones count."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from chainc.dataclass import dataclass
from chainc.ir import Node, describe, scope
from chainc.ir.errors import DTypeError, GraphError, InputError, ShapeError
from chainc.ir.types import format_shape, int32
from chainc.ops import (
    arange,
    broadcast_to,
    expand_dims,
    logical_and,
    matmul,
    pad,
    permute_dims,
    scatter_add,
    squeeze,
    where,
)
from chainc.ops.movement import as_flag, reshape
from chainrule.declare.arguments import count
from chainrule.declare.init import InitializerLike
from chainrule.declare.leaves import constant
from chainrule.nn.dropout import Dropout
from chainrule.nn.fitting import misfit, require_float
from chainrule.nn.linear import Linear
from chainrule.nn.module import DTypeLike, Module, Remembered
from chainrule.nn.sequences.positions import RotaryPositions
from chainrule.sequences.attention import attention, in_order, is_long, weights_of
from chainrule.sequences.lengths import counted

__all__ = ["MultiHeadAttention"]


@dataclass(frozen=True, eq=False, init=False)
class MultiHeadAttention(Module):
    """softmax(q kᵀ / √n) v in several heads of n features (Vaswani et al., 2017).

    From (..., time, width) to the same. Queries, keys and values are linear in x, in one product;
    with `attention(x, context)` keys and values are those of another sequence, (..., keys, width).
    What may be attended to is told by `causal`; by `mask=`, truth values of (..., time, keys), the
    same for all heads, or of (..., heads, time, keys), which has an axis more than x; and by
    `lengths=`, whole numbers (...): how many keys of each sequence there are. All must agree. A
    query that finds no key gets the bias of the output alone. Where `causal` tells all, and nothing
    is dropped, long sequences are attended to in blocks; see `cr.attention`.

    The parts of a call are methods of their own, for those that keep keys and values: `project`
    gives queries, keys and values, `weights` and `attend` what is done with them, `merge` the
    result of all heads.

    Attributes:
        width: the size of the last axis.
        heads: into so many equal parts queries, keys and values are divided.
        causal: whether a position reads none that come after it.
        dropout: of attention weights, in training.
        positions: what turns queries and keys by their position, or None.
        query_key_value: the product with x, (width, 3 · width), as in PyTorch's `in_proj_weight`.
        output: the product with the results of all heads, `out_proj` in PyTorch.
    """

    width: int
    heads: int
    causal: bool
    dropout: Dropout
    positions: RotaryPositions | None
    query_key_value: Linear
    output: Linear

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        causal: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
        rotary: bool = False,
        init: InitializerLike = "xavier_uniform",
        output_init: InitializerLike | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the weights.

        Args:
            width: the size of the last axis.
            heads: a divisor of it.
            causal: whether a position reads none that come after it.
            dropout: the share of attention weights that is dropped in training.
            bias: whether the products have one, at first 0.
            rotary: whether positions turn queries and keys, as `RotaryPositions` do.
            init: the initialiser of the weights.
            output_init: that of the output's; by default the same.
            name: the layer's own part of its parameters' names.
            dtype: of them, "float32" or "float64"; by default float32.

        Raises:
            InputError: a size is no positive whole number, the heads do not divide the width, or
                the share is not from 0 to below 1.
        """
        hint = "give a width and heads that divide it, such as nn.MultiHeadAttention(128, 4)"
        size = count("MultiHeadAttention", "width", width, hint=hint)
        parts = count("MultiHeadAttention", "heads", heads, hint=hint)
        if size % parts:
            raise InputError(
                f"MultiHeadAttention: {parts} heads do not divide the width {size}", hint=hint
            )
        shifted = as_flag("MultiHeadAttention", "bias", bias)
        turned = as_flag("MultiHeadAttention", "rotary", rotary)
        last = init if output_init is None else output_init
        self._set(
            name=name,
            dtype=dtype,
            width=size,
            heads=parts,
            causal=as_flag("MultiHeadAttention", "causal", causal),
            dropout=Dropout(dropout),
            positions=RotaryPositions(size // parts) if turned else None,
            query_key_value=Linear(size, 3 * size, bias=shifted, init=init),
            output=Linear(size, size, bias=shifted, init=last),
        )
        self.__post_init__()

    def forward(
        self,
        x: Node,
        context: Node | None = None,
        mask: Node | None = None,
        lengths: Node | None = None,
    ) -> Node:
        queries, keys, values = self.project(x, context)
        plain = mask is None and lengths is None and self.dropout.rate == 0
        if plain and is_long(queries, keys):
            return self.merge(attention(queries, keys, values, causal=self.causal))
        seen = self.visible(queries, keys, mask, lengths)
        return self.merge(self.attend(queries, keys, values, seen))

    def start(self, batch: int, length: int | None = None) -> Remembered:
        """Room for the keys and values of all elements, (batch, heads, length, width / heads)."""
        if length is None or not self.causal:
            raise GraphError(
                f"{self.label}: attention keeps the keys of every element"
                + (": how many are there?" if self.causal else ", also of those that come later"),
                hint="declare it with causal=True, in a model of so many positions, such as "
                "nn.Transformer or one with nn.LearnedPositions",
            )
        shape = (batch, self.heads, length, self.width // self.heads)
        room = broadcast_to(constant(0.0, self.query_key_value.weight.dtype), shape)
        return room, room

    def step(self, carry: Sequence[Node], x: Node, position: Node) -> tuple[Remembered, Node]:
        """The keys and values of the element join the others, in place: there was 0 before."""
        with scope(self.label.text):
            place = reshape(position, (1,))
            queries, *new = self.project(expand_dims(x, 1), positions=place)
            keys, values = (
                scatter_add(old, place, each, axis=2) for old, each in zip(carry, new, strict=True)
            )
            seen = arange(keys.shape[2], position.dtype) <= position
            found = self.merge(self.attend(queries, keys, values, seen))
        return (keys, values), squeeze(found, 1)

    def read(self, x: Node, count: Node, length: int) -> tuple[Remembered, Node]:
        """Keys and values of what counts, and 0 behind them."""
        with scope(self.label.text):
            queries, keys, values = self.project(x)
            time = keys.shape[2]
            assert isinstance(time, int)
            room = [(0, 0), (0, 0), (0, length - time), (0, 0)]
            counts = expand_dims(arange(time, count.dtype) < count, 1)
            kept = tuple(pad(where(counts, each, 0), room) for each in (keys, values))
            found = self.attend(queries, keys, values, self.visible(queries, keys))
            return kept, self.merge(found)

    def project(
        self, x: Node, context: Node | None = None, positions: Node | None = None
    ) -> tuple[Node, Node, Node]:
        """Queries, keys and values, each (..., heads, time, width / heads).

        Args:
            x: (..., time, width), of which the queries are made.
            context: (..., keys, width), of which keys and values are made; by default x.
            positions: whole numbers (time), where x stands with `rotary`; by default from 0.

        Raises:
            ShapeError: one has another shape.
        """
        self._check(x)
        if context is None:
            joint = self.query_key_value(x)
            parts = [joint[..., i * self.width : (i + 1) * self.width] for i in range(3)]
        else:
            self._check(context)
            parts = [self._part(x, 0), self._part(context, 1), self._part(context, 2)]
        queries, keys, values = map(self.split, parts)
        if self.positions is None:
            return queries, keys, values
        turned = [self.positions(each, positions=positions) for each in (queries, keys)]
        return turned[0], turned[1], values

    def split(self, x: Node) -> Node:
        """(..., time, width) as (..., heads, time, width / heads)."""
        parts = reshape(x, (*x.shape[:-1], self.heads, self.width // self.heads))
        return _heads_and_time_exchanged(parts)

    def merge(self, x: Node) -> Node:
        """The product of the output with all heads: `split` undone, (..., time, width)."""
        together = _heads_and_time_exchanged(x)
        return self.output(reshape(together, (*together.shape[:-2], self.width)))

    def weights(self, queries: Node, keys: Node, seen: Node | None = None) -> Node:
        """How much each query attends to each key, (..., heads, time, keys); they add up to 1.

        Args:
            queries: (..., heads, time, width / heads).
            keys: (..., heads, keys, width / heads).
            seen: truth values that broadcast to the result: which keys count, by default all.
        """
        return weights_of(queries, keys, seen)

    def attend(self, queries: Node, keys: Node, values: Node, seen: Node | None = None) -> Node:
        """The values that queries find at keys; arguments as for `weights`."""
        return matmul(self.dropout(self.weights(queries, keys, seen)), values)

    def visible(
        self, queries: Node, keys: Node, mask: Node | None = None, lengths: Node | None = None
    ) -> Node | None:
        """Which keys count for which query, with an axis of heads; None for all.

        Args:
            queries: (..., heads, time, width / heads), as `project` gives them.
            keys: the same for keys.
            mask: truth values, with or without an axis of heads.
            lengths: whole numbers (...): how many keys of each sequence there are.

        Raises:
            DTypeError: the mask is none of truth values, or the lengths are no whole numbers.
            ShapeError: the lengths are not one a sequence.
        """
        time, count, found = queries.shape[-2], keys.shape[-2], []
        if self.causal:
            found.append(in_order(arange(time, int32), count))
        if mask is not None:
            self._require("mask", mask, "b", "truth values: compare, such as mask=0 < given")
            found.append(expand_dims(mask, -3) if 1 < mask.ndim < queries.ndim else mask)
        if lengths is not None:
            self._require("lengths", lengths, "i", 'whole numbers, dtype="int32"')
            if lengths.shape != keys.shape[:-3]:
                wanted = format_shape(keys.shape[:-3])
                raise ShapeError(
                    f"{self.label}: lengths={describe(lengths)} is not one a sequence",
                    hint=f"give whole numbers of shape {wanted}",
                )
            found.append(expand_dims(expand_dims(counted(lengths, count), -2), -2))
        return reduce(logical_and, found) if found else None

    def _part(self, x: Node, place: int) -> Node:
        """The queries, keys or values of x alone."""
        chosen = slice(place * self.width, (place + 1) * self.width)
        weight, bias = self.query_key_value.weight[:, chosen], self.query_key_value.bias
        product = matmul(x, weight)
        return product if bias is None else product + bias[chosen]

    def _check(self, x: Node) -> None:
        require_float(self.label, x)
        if x.ndim < 2 or x.shape[-1] != self.width:
            wanted = f"it must be [...,time,{self.width}]"
            raise misfit(self.label, x, wanted, "change the input, or the width of the layer")

    def _require(self, name: str, given: Node, kind: str, hint: str) -> None:
        if given.dtype.kind != kind:
            raise DTypeError(
                f"{self.label}: {name}={describe(given)} is of another kind", hint=f"give {hint}"
            )

    def __repr__(self) -> str:
        return f"MultiHeadAttention({self.width}, {self.heads})"


def _heads_and_time_exchanged(x: Node) -> Node:
    """The second and third axis from the end exchanged."""
    before = x.ndim - 3
    return permute_dims(x, (*range(before), before + 1, before, before + 2))
