"""Functions on lanes: the same operations on one number or on a vector of them.

Arithmetic on values appends instructions to the function that is being built, so a function body
in Python reads like its formula. A Python number takes the type of the value it meets. Nothing is
contracted unless `fma` says that it may be. Types and instructions have LLVM's names; LLVM text
and C are the languages in which they are written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from chainc.dataclass import dataclass

Number = float | int

BITS = {"float": "i32", "double": "i64"}
FLOATS = {"i32": "float", "i64": "double"}


@dataclass(frozen=True, eq=False)
class Value:
    """An operand: the type of one lane, its text in the language, and how many lanes."""

    function: LaneFunction
    element: str
    text: str
    lanes: int

    @property
    def is_float(self) -> bool:
        return self.element in BITS

    def __add__(self, other: Value | Number) -> Value:
        return self._binary("fadd" if self.is_float else "add", other)

    def __sub__(self, other: Value | Number) -> Value:
        return self._binary("fsub" if self.is_float else "sub", other)

    def __mul__(self, other: Value | Number) -> Value:
        return self._binary("fmul" if self.is_float else "mul", other)

    def __truediv__(self, other: Value | Number) -> Value:
        return self._binary("fdiv", other)

    def __rsub__(self, other: Number) -> Value:
        return self.constant(other) - self

    def __neg__(self) -> Value:
        if not self.is_float:
            return 0 - self
        return self.function.negative(self)

    def __and__(self, other: Value | Number) -> Value:
        return self._binary("and", other)

    def __or__(self, other: Value | Number) -> Value:
        return self._binary("or", other)

    def __xor__(self, other: Value | Number) -> Value:
        return self._binary("xor", other)

    def __invert__(self) -> Value:
        return self ^ -1

    def __lshift__(self, other: Value | Number) -> Value:
        return self._binary("shl", other)

    def __rshift__(self, other: Value | Number) -> Value:
        """Shift right, zeros coming in."""
        return self._binary("lshr", other)

    def arithmetic_shift(self, other: Value | Number) -> Value:
        """Shift right, copies of the sign coming in."""
        return self._binary("ashr", other)

    def quotient(self, other: Value | Number, signed: bool = True) -> Value:
        """Of integers, towards zero."""
        return self._binary("sdiv" if signed else "udiv", other)

    def __lt__(self, other: Value | Number) -> Value:
        return self._compare("olt", "slt", other)

    def __le__(self, other: Value | Number) -> Value:
        return self._compare("ole", "sle", other)

    def __gt__(self, other: Value | Number) -> Value:
        return self._compare("ogt", "sgt", other)

    def __ge__(self, other: Value | Number) -> Value:
        return self._compare("oge", "sge", other)

    def equals(self, other: Value | Number) -> Value:
        return self._compare("oeq", "eq", other)

    def differs(self, other: Value | Number) -> Value:
        return self._compare("une", "ne", other)

    def unsigned_less(self, other: Value | Number) -> Value:
        return self._compare("", "ult", other)

    def is_nan(self) -> Value:
        return self._compare("uno", "", self)

    def constant(self, number: Number) -> Value:
        """The number in every lane, in this value's type."""
        return self.function.constant(self.element, number, self.lanes)

    def bits(self) -> Value:
        """The bit pattern of a floating-point number as an integer."""
        return self.convert("bitcast", BITS[self.element])

    def as_float(self) -> Value:
        """The floating-point number of an integer's bit pattern."""
        return self.convert("bitcast", FLOATS[self.element])

    def convert(self, instruction: str, element: str) -> Value:
        return self.function.converted(instruction, self, element)

    def absolute(self) -> Value:
        return self.function.intrinsic("fabs", self)

    def with_sign_of(self, other: Value) -> Value:
        return self.function.intrinsic("copysign", self, other)

    def at_most(self, limit: Number) -> Value:
        """The smaller one; NaN stays NaN."""
        bound = self.constant(limit)
        return self.function.select(bound < self, bound, self)

    def at_least(self, limit: Number) -> Value:
        """The larger one; NaN stays NaN."""
        bound = self.constant(limit)
        return self.function.select(bound > self, bound, self)

    def _binary(self, instruction: str, other: Value | Number) -> Value:
        return self.function.binary(instruction, self, self.function.operand(other, self))

    def _compare(self, ordered: str, signed: str, other: Value | Number) -> Value:
        relation = ordered if self.is_float else signed
        return self.function.compared(relation, self, self.function.operand(other, self))


class LaneFunction(ABC):
    """A function while it is being written in some language."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.declares: set[str] = set()  # what it needs beside it

    # operands

    @abstractmethod
    def parameter(self, element: str, name: str, lanes: int | None = None) -> Value:
        """An argument, of as many lanes as the function if no number is given."""

    @abstractmethod
    def constant(self, element: str, number: Number, lanes: int | None = None) -> Value:
        """The number in every lane."""

    @abstractmethod
    def constants(self, element: str, numbers: Sequence[int]) -> Value:
        """An integer of its own in each lane."""

    def operand(self, value: Value | Number, like: Value) -> Value:
        return value if isinstance(value, Value) else like.constant(value)

    # instructions

    @abstractmethod
    def binary(self, instruction: str, a: Value, b: Value) -> Value:
        """An instruction on two values of one type."""

    @abstractmethod
    def compared(self, relation: str, a: Value, b: Value) -> Value:
        """Lane by lane whether the relation holds."""

    @abstractmethod
    def negative(self, x: Value) -> Value:
        """Of a floating-point number: its sign changed."""

    @abstractmethod
    def converted(self, instruction: str, x: Value, element: str) -> Value:
        """The value in another type."""

    @abstractmethod
    def intrinsic(self, name: str, *operands: Value) -> Value:
        """`fabs`, `copysign`, `fmuladd`, or of an integer `ctlz`."""

    @abstractmethod
    def splat(self, scalar: Value) -> Value:
        """A single number in every lane; a vector stays what it is."""

    @abstractmethod
    def lane(self, vector: Value, place: int) -> Value:
        """One lane of a vector."""

    @abstractmethod
    def shuffled(self, a: Value, b: Value, order: Sequence[int]) -> Value:
        """Lanes of two vectors, one behind the other."""

    @abstractmethod
    def any(self, mask: Value) -> Value:
        """Whether the mask holds in some lane."""

    @abstractmethod
    def chosen(self, condition: Value, a: Value, b: Value) -> Value:
        """See `select`."""

    def select(self, condition: Value, a: Value | Number, b: Value | Number) -> Value:
        """Lane by lane a where the condition holds, b elsewhere; one of them is a value."""
        like = a if isinstance(a, Value) else b
        assert isinstance(like, Value)
        return self.chosen(condition, self.operand(a, like), self.operand(b, like))

    def fma(self, a: Value, b: Value | Number, c: Value | Number) -> Value:
        """The sum of a b and c, rounded once where the machine can, else twice."""
        return self.intrinsic("fmuladd", a, self.operand(b, a), self.operand(c, a))

    def scaled(self, _x: Value, _n: Value) -> Value | None:
        """The product x 2ⁿ, rounded once, where one instruction gives it.

        n is an integer in floating point.
        """
        return None

    # blocks

    @abstractmethod
    def repeat(
        self,
        start: Sequence[Value],
        step: Callable[[Sequence[Value]], tuple[Sequence[Value], Value]],
    ) -> Sequence[Value]:
        """Do `step`, which gives the next values and whether some lane goes on; at least once."""

    @abstractmethod
    def where_any(
        self, mask: Value, otherwise: Sequence[Value], body: Callable[[], Sequence[Value]]
    ) -> list[Value]:
        """`body` where the mask holds, computed only if it holds somewhere; else `otherwise`."""

    # the whole

    @abstractmethod
    def text(self, name: str, parameters: Sequence[Value], results: Sequence[Value]) -> str:
        """The whole function, which returns one result, or several together."""


Write = Callable[[int], LaneFunction]  # a function of so many lanes, in a language


def polynomial(f: LaneFunction, x: Value, coefficients: Sequence[float]) -> Value:
    """c₀ + x (c₁ + x (c₂ + …)), Horner's rule."""
    value = x.constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = f.fma(value, x, coefficient)
    return value
