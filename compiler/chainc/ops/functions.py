"""Elementary functions of one variable."""

from __future__ import annotations

import math
from typing import TypeVar

from chainc.ir import Node
from chainc.ir.scalar import Scalar
from chainc.ops.elementwise import Unary

__all__ = ["cos", "erf", "exp", "expm1", "floor", "log", "log1p", "sign", "sin", "sqrt", "tanh"]

T = TypeVar("T")

# primitives computed by a series, of some tens of a processor's instructions
ELEMENTARY = frozenset(("exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "erf", "power"))


class Exp(Unary):
    """y = e^x."""

    name = "exp"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.exp(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g * y,)


class Expm1(Unary):
    """y = e^x - 1, accurate near 0."""

    name = "expm1"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.expm1(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g * exp(x),)


class Log(Unary):
    """y = ln x."""

    name = "log"
    symbol = "ln"
    domain = (0.25, 4.0)

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.log(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g / x,)


class Log1p(Unary):
    """y = ln(1 + x), accurate near 0."""

    name = "log1p"
    domain = (-0.75, 3.0)

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.log1p(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g / (1 + x),)


class Sqrt(Unary):
    """y = √x."""

    name = "sqrt"
    symbol = "√"
    domain = (0.25, 4.0)

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.sqrt(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g / (2 * y),)


class Sin(Unary):
    """y = sin x."""

    name = "sin"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.sin(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g * cos(x),)


class Cos(Unary):
    """y = cos x."""

    name = "cos"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.cos(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (-g * sin(x),)


class Tanh(Unary):
    """y = tanh x."""

    name = "tanh"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.tanh(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g * (1 - y * y),)


class Erf(Unary):
    """y = 2/√π ∫₀ˣ e^(-t²) dt."""

    name = "erf"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.erf(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g * (2 / math.sqrt(math.pi)) * exp(-(x * x)),)


class Floor(Unary):
    """y = ⌊x⌋; its derivative is zero wherever it exists."""

    name = "floor"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return s.floor(x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[None]:
        return (None,)


class Sign(Unary):
    """y = -1, 0 or 1; NaN for NaN. Its derivative is zero wherever it exists."""

    name = "sign"
    symbol = "sign"
    accepts = "fi"

    def scalar(self, s: Scalar[T], x: T) -> T:
        one = s.select(s.less(s.const(0), s.absolute(x)), s.const(1), x)  # 0 and NaN stay
        return s.select(s.less(x, s.const(0)), s.negative(one), one)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[None]:
        return (None,)


exp = Exp()
expm1 = Expm1()
log = Log()
log1p = Log1p()
sqrt = Sqrt()
sin = Sin()
cos = Cos()
tanh = Tanh()
erf = Erf()
floor = Floor()
sign = Sign()
