"""Activations that are ops of their own, each stable over the whole range of floats."""

from __future__ import annotations

from typing import TypeVar

from chainc.ir import Node
from chainc.ir.scalar import Scalar
from chainc.ops.elementwise import Unary
from chainc.ops.logic import where

__all__ = ["relu", "sigmoid", "softplus"]

T = TypeVar("T")


class Sigmoid(Unary):
    """y = 1 / (1 + e^(-x)), between 0 and 1; at -∞ the exponential is infinite and y is 0."""

    name = "sigmoid"
    symbol = "σ"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.divide(s.const(1), s.add(s.const(1), s.exp(s.negative(x))))

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g * ((1 - y) * y),)


class ReLU(Unary):
    """y = max(0, x), NaN for NaN; the derivative at 0 is taken as 0."""

    name = "relu"
    symbol = "ReLU"
    accepts = "fi"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.maximum(x, s.const(0))

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (where(0 < y, g, 0),)


class Softplus(Unary):
    """y = ln(1 + e^x), as max(x, 0) + ln(1 + e^(-|x|)), which never overflows."""

    name = "softplus"
    symbol = "softplus"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.add(s.maximum(x, s.const(0)), s.log1p(s.exp(s.negative(s.absolute(x)))))

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g * sigmoid(x),)


sigmoid = Sigmoid()
relu = ReLU()
softplus = Softplus()
