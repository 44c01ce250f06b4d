"""Activation layers: elementwise functions, some with parameters, and the softmax."""

from __future__ import annotations

from chainc import ops
from chainc.dataclass import dataclass
from chainc.ir import Node
from chainrule.declare import functional
from chainrule.declare.arguments import count
from chainrule.declare.init import InitializerLike
from chainrule.declare.leaves import parameter
from chainrule.nn.fitting import misfit
from chainrule.nn.linear import Linear
from chainrule.nn.module import DTypeLike, Module

__all__ = [
    "ELU",
    "GELU",
    "LeakyReLU",
    "LogSoftmax",
    "Maxout",
    "PReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


@dataclass(frozen=True, eq=False)
class Sigmoid(Module):
    """1 / (1 + e^(-x)), between 0 and 1."""

    def forward(self, x: Node) -> Node:
        return ops.sigmoid(x)


@dataclass(frozen=True, eq=False)
class Tanh(Module):
    """The hyperbolic tangent, between -1 and 1, zero-centred."""

    def forward(self, x: Node) -> Node:
        return ops.tanh(x)


@dataclass(frozen=True, eq=False)
class ReLU(Module):
    """max(0, x)."""

    def forward(self, x: Node) -> Node:
        return ops.relu(x)


@dataclass(frozen=True, eq=False)
class Softplus(Module):
    """ln(1 + e^x), a smooth ReLU."""

    def forward(self, x: Node) -> Node:
        return ops.softplus(x)


@dataclass(frozen=True, eq=False)
class LeakyReLU(Module):
    """x where x is positive, else slope x."""

    slope: float = 0.01

    def forward(self, x: Node) -> Node:
        return functional.leaky_relu(x, self.slope)


@dataclass(frozen=True, eq=False)
class ELU(Module):
    """x where x is positive, else scale (e^x - 1)."""

    scale: float = 1.0

    def forward(self, x: Node) -> Node:
        return functional.elu(x, self.scale)


@dataclass(frozen=True, eq=False)
class Softmax(Module):
    """e^x over its sum along `axis`: positive numbers that sum to 1."""

    axis: int = -1

    def forward(self, x: Node) -> Node:
        return functional.softmax(x, self.axis)


@dataclass(frozen=True, eq=False)
class LogSoftmax(Module):
    """ln softmax(x) along `axis`, as x - ln Σ e^x: finite where the softmax rounds to 0."""

    axis: int = -1

    def forward(self, x: Node) -> Node:
        return functional.log_softmax(x, self.axis)


@dataclass(frozen=True, eq=False)
class GELU(Module):
    """x · Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016).

    With approximate="tanh", as in GPT-2, Φ(x) ≈ (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
    """

    approximate: str = "none"

    def forward(self, x: Node) -> Node:
        return functional.gelu(x, self.approximate)


@dataclass(frozen=True, eq=False)
class SiLU(Module):
    """x · σ(x), also called swish (Elfwing, Uchibe, Doya 2017)."""

    def forward(self, x: Node) -> Node:
        return functional.silu(x)


@dataclass(frozen=True, eq=False, init=False)
class PReLU(Module):
    """x where x is positive, else slope · x, with a slope that is learned (He et al. 2015).

    Attributes:
        features: 1 for one slope, or the size of axis 1 for one each.
        weight: the slopes, at first 0.25 as in PyTorch.
    """

    features: int
    weight: Node

    def __init__(
        self,
        features: int = 1,
        init: InitializerLike = 0.25,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the slopes.

        Raises:
            InputError: `features` is no positive whole number, or the initialiser cannot be used.
        """
        hint = "give 1, or the size of axis 1 of the input"
        width = count("PReLU", "features", features, hint=hint)
        weight = parameter("weight", (width,), init)
        self._set(name=name, dtype=dtype, features=width, weight=weight)
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        if self.features > 1 and (x.ndim < 2 or x.shape[1] != self.features):
            wanted = f"axis 1 must have size {self.features}"
            raise misfit(self.label, x, wanted, "change the input, or the features of the layer")
        along = (self.features, *(1,) * (x.ndim - 2)) if self.features > 1 else (1,) * x.ndim
        return ops.where(0 < x, x, ops.reshape(self.weight, along) * x)

    def __repr__(self) -> str:
        return f"PReLU({self.features})"


@dataclass(frozen=True, eq=False, init=False)
class Maxout(Module):
    """The largest of several linear functions of x, for each output (Goodfellow et al. 2013).

    y[j] = maxₖ (x W + b)[j, k]: from (..., in) to (..., out). It is convex and has no parts where
    its derivative is 0.

    Attributes:
        out_features: the size of the output's last axis.
        pieces: how many linear functions each output chooses from.
        linear: the layer with all of them.
    """

    out_features: int
    pieces: int
    linear: Linear

    def __init__(
        self,
        in_features: int,
        out_features: int,
        pieces: int = 2,
        init: InitializerLike = "he_normal",
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the linear functions.

        Raises:
            InputError: a size is no positive whole number, or the initialiser cannot be used.
        """
        hint = "give the sizes and the number of pieces, such as nn.Maxout(64, 32, pieces=2)"
        columns = count("Maxout", "out_features", out_features, hint=hint)
        each = count("Maxout", "pieces", pieces, hint=hint)
        linear = Linear(in_features, columns * each, init=init, name="linear")
        self._set(name=name, dtype=dtype, out_features=columns, pieces=each, linear=linear)
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        found = self.linear(x)
        parts = ops.reshape(found, (*found.shape[:-1], self.out_features, self.pieces))
        return ops.max(parts, axis=-1)

    def input_shape(self) -> tuple[str | int, ...]:
        return self.linear.input_shape()

    def __repr__(self) -> str:
        return f"Maxout({self.linear.in_features}, {self.out_features}, pieces={self.pieces})"
