"""Activation layers: elementwise functions, and the softmax."""

from __future__ import annotations

from dataclasses import dataclass

from chainc import ops
from chainc.ir import Node
from chainrule.declare import functional
from chainrule.nn.module import Module

__all__ = ["ELU", "LeakyReLU", "ReLU", "Sigmoid", "Softmax", "Softplus", "Tanh"]


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
