"""What a graph computes for real numbers: 400 decimal digits, and exponents without end."""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt

from chainc.interpreters.evaluate import NumpyKernels
from chainc.ir import Graph, Node
from chainc.ir.kernels import interpret
from chainc.ir.leaves import Constant, Input
from chainc.ir.scalar import Scalar
from chainc.ir.types import Array, DType

Numbers = npt.NDArray[np.float64]

# enough to tell 1 + 1e-320 from 1; no operation traps, all give NaN or infinity instead
DIGITS = decimal.Context(prec=400, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[])


def truth(graph: Graph, values: Mapping[str, Array]) -> Array:
    """The graph's only output, as decimals, for the inputs' values by key; sizes are bound."""
    known: dict[Node, Array] = {}
    with decimal.localcontext(DIGITS):
        for node in graph.nodes:
            known[node] = _value(node, [known[operand] for operand in node.inputs], values)
    return known[graph.outputs[0]]


def _value(node: Node, operands: list[Array], values: Mapping[str, Array]) -> Array:
    if isinstance(node.op, Input):
        return decimals(values[node.op.key])
    if isinstance(node.op, Constant):
        return decimals(node.op.value.array)
    scalar = cast("Scalar[npt.ArrayLike]", DecimalScalar())
    return np.asarray(interpret(node, NumpyKernels(node, scalar), operands))


def decimals(array: Array) -> Array:
    """Floating-point numbers without loss; others are exact as they are."""
    if array.dtype.kind != "f":
        return array
    return np.asarray(np.frompyfunc(lambda x: Decimal(float(x)), 1, 1)(array), object)


def largest(true: Array) -> Array:
    """The largest absolute value, at every element; NaN counts as 0."""
    with decimal.localcontext(DIGITS):
        sizes = [abs(x) for x in true.ravel().tolist() if not x.is_nan()]
        return np.full(true.shape, max(sizes, default=Decimal(0)), object)


def units_off(found: Array, true: Array, scale: Array) -> Numbers:
    """The distance from the truth in units of the last place of `scale`; NaN where undefined.

    A value too large for the element type is met by an infinity, and by the largest number.
    """
    largest = Decimal(float(np.finfo(np.dtype(found.dtype.name)).max))

    def distance(value: float, true: Decimal, scale: Decimal) -> float:
        if true.is_nan():
            return math.nan
        nearest = min(max(true, -largest), largest)
        if nearest != true and math.isinf(value) and (value > 0) == (true > 0):
            return 0.0
        if not math.isfinite(value):
            return math.inf
        size = found.dtype.type(float(min(abs(scale), largest / 2)))
        return float(abs(Decimal(value) - nearest) / Decimal(float(np.spacing(size))))

    with decimal.localcontext(DIGITS):
        return np.asarray(
            np.frompyfunc(distance, 3, 1)(found.astype(np.float64), true, scale), np.float64
        )


@lru_cache(maxsize=1 << 14)  # what is special is drawn again and again
def _exp(x: Decimal) -> Decimal:
    """NaN where even these exponents end."""
    y = x.exp()
    return Decimal("nan") if x.is_finite() and (y == 0 or not y.is_finite()) else y


def _each(function: Callable[[Decimal], Decimal]) -> Callable[[Array], Array]:
    apply = np.frompyfunc(function, 1, 1)
    return lambda a: np.asarray(apply(a), object)


def _by_sympy(name: str) -> Callable[[Array], Array]:
    def value(x: Decimal) -> Decimal:
        import sympy

        return Decimal(str(getattr(sympy, name)(sympy.Float(str(x), 400))))

    return _each(value)


def _tanh(x: Decimal) -> Decimal:
    small = _exp(-2 * abs(x))
    return ((1 - small) / (1 + small)).copy_sign(x)


class DecimalScalar:
    """The scalar vocabulary on arrays of decimals."""

    exp = staticmethod(_each(_exp))
    expm1 = staticmethod(_each(lambda x: _exp(x) - 1))
    log = staticmethod(_each(Decimal.ln))
    log1p = staticmethod(_each(lambda x: (1 + x).ln()))
    sqrt = staticmethod(_each(Decimal.sqrt))
    tanh = staticmethod(_each(_tanh))
    floor = staticmethod(_each(lambda x: x.to_integral_value(decimal.ROUND_FLOOR)))
    sin = staticmethod(_by_sympy("sin"))
    cos = staticmethod(_by_sympy("cos"))
    erf = staticmethod(_by_sympy("erf"))

    def const(self, value: float | int | bool) -> Array:
        return decimals(np.asarray(value))

    def add(self, a: Array, b: Array) -> Array:
        return np.asarray(np.add(a, b))

    def subtract(self, a: Array, b: Array) -> Array:
        return np.asarray(np.subtract(a, b))

    def multiply(self, a: Array, b: Array) -> Array:
        return np.asarray(np.multiply(a, b))

    def divide(self, a: Array, b: Array) -> Array:
        return np.asarray(np.divide(a, b))

    def power(self, a: Array, b: Array) -> Array:
        return np.asarray(np.power(a, b))

    def maximum(self, a: Array, b: Array) -> Array:
        return np.asarray(np.maximum(a, b))

    def minimum(self, a: Array, b: Array) -> Array:
        return np.asarray(np.minimum(a, b))

    def floor_divide(self, a: Array, b: Array) -> Array:
        return self.floor(self.divide(a, b))

    def remainder(self, a: Array, b: Array) -> Array:
        return self.subtract(a, self.multiply(b, self.floor_divide(a, b)))

    def negative(self, a: Array) -> Array:
        return np.asarray(np.negative(a))

    def absolute(self, a: Array) -> Array:
        return np.asarray(np.absolute(a))

    def less(self, a: Array, b: Array) -> Array:
        return np.asarray(np.less(a, b), np.bool_)

    def less_equal(self, a: Array, b: Array) -> Array:
        return np.asarray(np.less_equal(a, b), np.bool_)

    def equal(self, a: Array, b: Array) -> Array:
        return np.asarray(np.equal(a, b), np.bool_)

    def logical_and(self, a: Array, b: Array) -> Array:
        return np.asarray(np.logical_and(a, b), np.bool_)

    def logical_or(self, a: Array, b: Array) -> Array:
        return np.asarray(np.logical_or(a, b), np.bool_)

    def logical_not(self, a: Array) -> Array:
        return np.logical_not(a)

    def select(self, condition: Array, a: Array, b: Array) -> Array:
        return np.where(condition, a, b)

    def cast(self, a: Array, dtype: DType) -> Array:
        return a if dtype.is_float else a.astype(dtype.numpy)
