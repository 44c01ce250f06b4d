"""Echo state networks: a recurrent layer that is drawn once and never trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainc.dataclass import dataclass
from chainc.ir import Node, describe
from chainc.ir.errors import InputError, ShapeError
from chainc.ops import tanh
from chainrule.declare.arguments import count, number
from chainrule.declare.leaves import parameter
from chainrule.nn.fitting import require_float
from chainrule.nn.module import DTypeLike, Module
from chainrule.nn.sequences.carried import no_memory
from chainrule.sequences.scan import scan

__all__ = ["Reservoir"]


@dataclass(frozen=True, eq=False, init=False)
class Reservoir(Module):
    """h' = (1 - a) h + a tanh(x·W + h·U + b), with weights that stay as drawn (Jaeger, 2001).

    From (batch, time, features) to (batch, time, hidden). What is trained is a linear layer behind
    it, which least squares solve at once.

    Attributes:
        features: of each element of the sequence.
        hidden: how many numbers are remembered.
        leak: a, the share of a state that is new in each step.
        input_weight: W, uniform within the input scale, and b like it.
        hidden_weight: U; its largest eigenvalue has the spectral radius as absolute value.
        bias: b.
    """

    features: int
    hidden: int
    leak: float
    input_weight: Node
    hidden_weight: Node
    bias: Node

    def __init__(
        self,
        features: int,
        hidden: int,
        *,
        spectral_radius: float = 0.9,
        leak: float = 1.0,
        input_scale: float = 1.0,
        seed: int = 0,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Draw the weights, the same for each state that a program begins with.

        Args:
            features: of each element of the sequence.
            hidden: how many numbers are remembered.
            spectral_radius: below 1, what came long before is forgotten.
            leak: the share of a state that is new in each step, from above 0 to 1.
            input_scale: the largest weight of an input.
            seed: names the draw.
            name: the layer's own part of its parameters' names.
            dtype: of them, "float32" or "float64"; by default float32.

        Raises:
            InputError: a number is out of range.
        """
        hint = "give both sizes, such as nn.Reservoir(1, 200)"
        inputs = count("Reservoir", "features", features, hint=hint)
        size = count("Reservoir", "hidden", hidden, hint=hint)
        hint = "give a positive number, such as"
        radius = number(
            "Reservoir", "spectral_radius", spectral_radius, above=0, hint=f"{hint} 0.9"
        )
        scale = number("Reservoir", "input_scale", input_scale, above=0, hint=f"{hint} 1.0")
        share = number("Reservoir", "leak", leak, above=0, hint=f"{hint} 0.3")
        if share > 1:
            raise InputError(f"Reservoir: leak must be at most 1, got {leak!r}", hint=f"{hint} 0.3")
        count("Reservoir", "seed", seed, at_least=0, hint="give any whole number from 0")
        drawn = np.random.Generator(np.random.PCG64(seed))
        w, b = drawn.uniform(-scale, scale, (inputs, size)), drawn.uniform(-scale, scale, size)
        u = _of_radius(drawn.normal(size=(size, size)), radius)
        self._set(
            name=name,
            dtype=dtype,
            features=inputs,
            hidden=size,
            leak=share,
            input_weight=_fixed("input_weight", w),
            hidden_weight=_fixed("hidden_weight", u),
            bias=_fixed("bias", b),
        )
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        require_float(self.label, x)
        if x.ndim != 3 or x.shape[2] != self.features:
            raise ShapeError(
                f"{self.label}: expected (batch, time, {self.features}), got {describe(x)}",
                hint="give sequences of vectors; one of numbers has the last axis 1",
            )

        def step(h: Node, x_t: Node) -> tuple[Node, Node]:
            new = tanh(x_t @ self.input_weight + h @ self.hidden_weight + self.bias)
            h = (1 - self.leak) * h + self.leak * new
            return h, h

        start = no_memory(x, self.hidden_weight, self.hidden)
        _, every = scan(step, start, x, axis=1, names=["h", "x"])
        assert isinstance(every, Node)
        return every

    def __repr__(self) -> str:
        return f"Reservoir({self.features}, {self.hidden}, leak={self.leak:g})"


def _of_radius(weights: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """The weights times what gives the largest eigenvalue that absolute value."""
    scaled: NDArray[np.float64] = weights * radius / np.abs(np.linalg.eigvals(weights)).max()
    return scaled


def _fixed(name: str, values: NDArray[np.float64]) -> Node:
    return parameter(name, values.shape, values, trainable=False)
