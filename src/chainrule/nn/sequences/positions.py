"""Where in a sequence something stands: told by waves, by a table, or by rotations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node, describe
from chainc.ir.errors import InputError, ShapeError
from chainc.ir.types import int32
from chainc.ops import arange, astype, concat, cos, expand_dims, reshape, sin, squeeze, stack, take
from chainrule.declare import init as initializers
from chainrule.declare.arguments import count, number
from chainrule.declare.init import InitializerLike
from chainrule.declare.leaves import constant, parameter
from chainrule.nn.fitting import misfit, require_float
from chainrule.nn.module import DTypeLike, Module, Remembered

__all__ = ["LearnedPositions", "RotaryPositions", "SinusoidalPositions"]

BASE = 10_000.0  # the slowest wave is so many times as long as the fastest


class Placed(Module):
    """What layers share that are told where an element stands."""

    def step(self, carry: Sequence[Node], x: Node, position: Node) -> tuple[Remembered, Node]:
        return (), squeeze(self(expand_dims(x, 1), reshape(position, (1,))), 1)


@dataclass(frozen=True, eq=False, init=False)
class Waves(Placed):
    """What layers share that tell positions by waves of several lengths, base^(2 i / width) · 2π.

    Attributes:
        width: the size of the last axis.
        base: how many times the slowest wave is as long as the fastest, nearly.
    """

    width: int
    base: float

    def __init__(self, width: int, base: float = BASE, name: str | None = None) -> None:
        """Declare the layer.

        Raises:
            InputError: the width is no positive, even number, or the base is not above 1.
        """
        kind = type(self).__name__
        hint = f"give an even size, such as nn.{kind}(64)"
        size = count(kind, "width", width, hint=hint)
        if size % 2:
            raise InputError(f"{kind}: the width {size} is odd: waves come in pairs", hint=hint)
        slowest = number(kind, "base", base, above=1, hint="give base=10000")
        self._set(name=name, width=size, base=slowest)
        self.__post_init__()

    def _angles(self, x: Node, positions: Node | None) -> Node:
        """The angle of each wave: (..., time, width / 2), by default for positions from 0."""
        require_float(self.label, x)
        if x.ndim < 2 or x.shape[-1] != self.width:
            wanted = f"it must be [...,time,{self.width}]"
            raise misfit(self.label, x, wanted, "change the input, or the width of the layer")
        places = _places(x, positions)
        rates = np.exp(-math.log(self.base) / self.width * np.arange(0.0, self.width, 2))
        return expand_dims(astype(places, x.dtype), -1) * constant(rates, x.dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.width})"


class SinusoidalPositions(Waves):
    """Adds sines and cosines of several lengths to x, in turn (Vaswani et al., 2017).

        y[t, 2i] = x[t, 2i] + sin(t / base^(2i / width)),   y[t, 2i + 1] with the cosine

    From (..., time, width) to the same; whole numbers (time) may be given as positions.
    """

    def forward(self, x: Node, positions: Node | None = None) -> Node:
        angles = self._angles(x, positions)
        pairs = stack([sin(angles), cos(angles)], axis=-1)
        return x + reshape(pairs, (*angles.shape[:-1], self.width))


class RotaryPositions(Waves):
    """Turns pairs of x by angles that grow with the position (Su et al., 2021).

        y[t, i] = x[t, i] cos a - x[t, i + width/2] sin a,   a = t / base^(2i / width)
        y[t, i + width/2] = x[t, i + width/2] cos a + x[t, i] sin a

    So a product of two depends on how far they are apart. Pairs lie half a width apart, as in
    LLaMA. From (..., time, width) to the same; whole numbers (time) may be given as positions.
    """

    def forward(self, x: Node, positions: Node | None = None) -> Node:
        angles = self._angles(x, positions)
        sine, cosine, half = sin(angles), cos(angles), self.width // 2
        first, second = x[..., :half], x[..., half:]
        return concat([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


@dataclass(frozen=True, eq=False, init=False)
class LearnedPositions(Placed):
    """Y[..., t, :] = x[..., t, :] + weight[t]: a vector for each position that may occur.

    From (..., time, width) to the same; whole numbers (time) may be given as positions.

    Attributes:
        context: how many positions there are.
        width: the size of the last axis.
        weight: the vectors, by default normal numbers of deviation 0.02, as in GPT-2.
    """

    context: int
    width: int
    weight: Node

    def __init__(
        self,
        context: int,
        width: int,
        init: InitializerLike | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the table.

        Raises:
            InputError: a size is no positive whole number, or the initialiser cannot be used.
        """
        hint = "give both sizes, such as nn.LearnedPositions(64, 128)"
        rows = count("LearnedPositions", "context", context, hint=hint)
        columns = count("LearnedPositions", "width", width, hint=hint)
        start = initializers.normal(std=0.02) if init is None else init
        self._set(
            name=name,
            dtype=dtype,
            context=rows,
            width=columns,
            weight=parameter("weight", (rows, columns), start),
        )
        self.__post_init__()

    def forward(self, x: Node, positions: Node | None = None) -> Node:
        if x.ndim < 2 or x.shape[-1] != self.width:
            wanted = f"it must be [...,time,{self.width}]"
            raise misfit(self.label, x, wanted, "change the input, or the width of the layer")
        time = x.shape[-2]
        if positions is not None or not isinstance(time, int):
            return x + take(self.weight, _places(x, positions))
        if time > self.context:
            raise ShapeError(
                f"{self.label}: {describe(x)} has {time} positions, the table {self.context}",
                hint=f"give shorter sequences, or declare the layer with context={time}",
            )
        return x + self.weight[:time]

    def longest(self) -> int:
        return self.context

    def __repr__(self) -> str:
        return f"LearnedPositions({self.context}, {self.width})"


def _places(x: Node, positions: Node | None) -> Node:
    return arange(x.shape[-2], int32) if positions is None else positions
