"""The scalar vocabulary: what one element of an elementwise op means.

An op states its meaning once, as calls on a `Scalar` builder. Each backend is another
builder: NumPy arrays, lines of NumPy source, machine vectors, sympy expressions, graph nodes.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from chainc.ir.types import DType

T = TypeVar("T")


class Scalar(Protocol[T]):
    """The primitives, IEEE semantics: NaN and infinities propagate through every one.

    Integers wrap around; a power of one with a negative exponent is cut towards zero, as is a
    floating-point number that is cast, to the nearest integer there is, and NaN to 0.
    A constant has no element type of its own; it takes that of the operand it meets.
    """

    def const(self, value: float | int | bool) -> T: ...
    def add(self, a: T, b: T) -> T: ...
    def subtract(self, a: T, b: T) -> T: ...
    def multiply(self, a: T, b: T) -> T: ...
    def divide(self, a: T, b: T) -> T: ...
    def floor_divide(self, a: T, b: T) -> T: ...
    def remainder(self, a: T, b: T) -> T: ...
    def power(self, a: T, b: T) -> T: ...
    def maximum(self, a: T, b: T) -> T: ...
    def minimum(self, a: T, b: T) -> T: ...
    def negative(self, a: T) -> T: ...
    def absolute(self, a: T) -> T: ...
    def floor(self, a: T) -> T: ...
    def sqrt(self, a: T) -> T: ...
    def exp(self, a: T) -> T: ...
    def expm1(self, a: T) -> T: ...
    def log(self, a: T) -> T: ...
    def log1p(self, a: T) -> T: ...
    def sin(self, a: T) -> T: ...
    def cos(self, a: T) -> T: ...
    def tanh(self, a: T) -> T: ...
    def erf(self, a: T) -> T: ...
    def less(self, a: T, b: T) -> T: ...
    def less_equal(self, a: T, b: T) -> T: ...
    def equal(self, a: T, b: T) -> T: ...
    def logical_and(self, a: T, b: T) -> T: ...
    def logical_or(self, a: T, b: T) -> T: ...
    def logical_not(self, a: T) -> T: ...
    def select(self, condition: T, a: T, b: T) -> T: ...
    def cast(self, a: T, dtype: DType) -> T: ...


class UniformScalar(Generic[T]):
    """A builder for which all primitives are alike but for their names.

    What differs is said by its class: `const` and `cast`, and where they are special `select`
    and the primitives whose result is a condition.
    """

    def call(self, primitive: str, *operands: T) -> T:
        raise NotImplementedError

    def condition(self, primitive: str, *operands: T) -> T:
        """A primitive whose result is a condition."""
        return self.call(primitive, *operands)

    def select(self, condition: T, a: T, b: T) -> T:
        return self.call("select", condition, a, b)

    def add(self, a: T, b: T) -> T:
        return self.call("add", a, b)

    def subtract(self, a: T, b: T) -> T:
        return self.call("subtract", a, b)

    def multiply(self, a: T, b: T) -> T:
        return self.call("multiply", a, b)

    def divide(self, a: T, b: T) -> T:
        return self.call("divide", a, b)

    def floor_divide(self, a: T, b: T) -> T:
        return self.call("floor_divide", a, b)

    def remainder(self, a: T, b: T) -> T:
        return self.call("remainder", a, b)

    def power(self, a: T, b: T) -> T:
        return self.call("power", a, b)

    def maximum(self, a: T, b: T) -> T:
        return self.call("maximum", a, b)

    def minimum(self, a: T, b: T) -> T:
        return self.call("minimum", a, b)

    def negative(self, a: T) -> T:
        return self.call("negative", a)

    def absolute(self, a: T) -> T:
        return self.call("absolute", a)

    def floor(self, a: T) -> T:
        return self.call("floor", a)

    def sqrt(self, a: T) -> T:
        return self.call("sqrt", a)

    def exp(self, a: T) -> T:
        return self.call("exp", a)

    def expm1(self, a: T) -> T:
        return self.call("expm1", a)

    def log(self, a: T) -> T:
        return self.call("log", a)

    def log1p(self, a: T) -> T:
        return self.call("log1p", a)

    def sin(self, a: T) -> T:
        return self.call("sin", a)

    def cos(self, a: T) -> T:
        return self.call("cos", a)

    def tanh(self, a: T) -> T:
        return self.call("tanh", a)

    def erf(self, a: T) -> T:
        return self.call("erf", a)

    def less(self, a: T, b: T) -> T:
        return self.condition("less", a, b)

    def less_equal(self, a: T, b: T) -> T:
        return self.condition("less_equal", a, b)

    def equal(self, a: T, b: T) -> T:
        return self.condition("equal", a, b)

    def logical_and(self, a: T, b: T) -> T:
        return self.condition("logical_and", a, b)

    def logical_or(self, a: T, b: T) -> T:
        return self.condition("logical_or", a, b)

    def logical_not(self, a: T) -> T:
        return self.condition("logical_not", a)
