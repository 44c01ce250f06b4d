"""Signals that are too large are cut, or made shorter."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.ir import Node, describe, scope
from chainc.ir.errors import GraphError
from chainc.ir.types import float32, float64
from chainc.ops import astype, maximum, minimum, sqrt, square, sum
from chainrule.declare.arguments import number
from chainrule.optim.signals.rule import Signals

__all__ = ["by_global_norm", "by_norm", "by_value"]


def __dir__() -> list[str]:
    return list(__all__)


Limit = float | Node

SMALLEST = 1e-6  # added to a norm before it divides, as in PyTorch


@dataclass(frozen=True)
class ByValue:
    """Each element from -limit to limit."""

    limit: Limit

    def __call__(self, signals: Signals) -> Signals:
        return {parameter: self._cut(signal) for parameter, signal in signals.items()}

    def _cut(self, signal: Node) -> Node:
        with scope("clip"):
            limit = _like(self.limit, signal)
            return minimum(maximum(signal, -limit), limit)


@dataclass(frozen=True)
class ByNorm:
    """Each parameter's signal not longer than limit."""

    limit: Limit

    def __call__(self, signals: Signals) -> Signals:
        return {parameter: self._shortened(signal) for parameter, signal in signals.items()}

    def _shortened(self, signal: Node) -> Node:
        with scope("clip"):
            return signal * _factor(self.limit, [signal])


@dataclass(frozen=True)
class ByGlobalNorm:
    """All signals together not longer than limit."""

    limit: Limit

    def __call__(self, signals: Signals) -> Signals:
        with scope("clip"):
            factor = _factor(self.limit, list(signals.values()))
            return {each: signal * _like(factor, signal) for each, signal in signals.items()}


def by_value(limit: Limit) -> ByValue:
    """Every element of a signal that is larger than `limit` becomes `limit`, below -`limit` that.

    Args:
        limit: a positive number, or a scalar node, such as an input with a default.

    Raises:
        InputError: it is not positive.
        GraphError: it is a node that is no scalar.
    """
    return ByValue(_limit("by_value", limit))


def by_norm(limit: Limit) -> ByNorm:
    """Each parameter's signal g times min(1, limit / (‖g‖ + 1e-6)): its direction stays.

    Args:
        limit: as of `by_value`.

    Raises:
        InputError: it is not positive.
        GraphError: it is a node that is no scalar.
    """
    return ByNorm(_limit("by_norm", limit))


def by_global_norm(limit: Limit) -> ByGlobalNorm:
    """All signals times min(1, limit / (‖g‖ + 1e-6)), where g is all of them in one vector.

    As in PyTorch 1e-6 is added to the norm, in Keras nothing. The norm is known when every signal
    is, so the updates can no longer be part of the kernels that compute the signals.

    Args:
        limit: as of `by_value`.

    Raises:
        InputError: it is not positive.
        GraphError: it is a node that is no scalar.
    """
    return ByGlobalNorm(_limit("by_global_norm", limit))


def _limit(function: str, limit: Limit) -> Limit:
    if not isinstance(limit, Node):
        hint = f"give a positive number, such as clip.{function}(1.0)"
        return number(f"clip.{function}", "limit", limit, above=0, hint=hint)
    if limit.shape != () or not limit.type.dtype.is_float:
        raise GraphError(
            f"clip.{function}: {describe(limit)} is no limit",
            hint="give a number or a floating-point scalar",
        )
    return limit


def _like(scalar: Limit, signal: Node) -> Node | float:
    """A scalar in the type of a signal."""
    return astype(scalar, signal.type.dtype) if isinstance(scalar, Node) else scalar


def _factor(limit: Limit, signals: Sequence[Node]) -> Node:
    wide = any(signal.type.dtype == float64 for signal in signals)
    squares = [astype(sum(square(each)), float64 if wide else float32) for each in signals]
    total = squares[0]
    for each in squares[1:]:
        total = total + each
    return minimum(_like(limit, total) / (sqrt(total) + SMALLEST), 1.0)
