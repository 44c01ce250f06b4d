"""LLVM functions on lanes: the same operations on one number or on a vector of them.

A `Value` is an operand of LLVM; arithmetic on values appends instructions to the function that
is being built, so a function body in Python reads like its formula. A Python number takes the
type of the value it meets. Nothing is contracted unless `fma` says that it may be.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import field

from chainc.dataclass import dataclass

Number = float | int

BITS = {"float": "i32", "double": "i64"}
FLOATS = {"i32": "float", "i64": "double"}
SHORT = {"float": "f32", "double": "f64"}


@dataclass(frozen=True, eq=False)
class Value:
    """An operand: the type of one lane in LLVM's words, how many lanes, and its text."""

    function: LaneFunction
    element: str
    text: str
    lanes: int

    @property
    def type(self) -> str:
        return vector_type(self.element, self.lanes)

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
        return self.function.append(self.element, f"fneg {self.type} {self.text}", self.lanes)

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
        kind = vector_type(element, self.lanes)
        line = f"{instruction} {self.type} {self.text} to {kind}"
        return self.function.append(element, line, self.lanes)

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
        right = self.function.operand(other, self)
        line = f"{instruction} {self.type} {self.text}, {right.text}"
        return self.function.append(self.element, line, self.lanes)

    def _compare(self, ordered: str, signed: str, other: Value | Number) -> Value:
        right = self.function.operand(other, self)
        relation = f"fcmp {ordered}" if self.is_float else f"icmp {signed}"
        line = f"{relation} {self.type} {self.text}, {right.text}"
        return self.function.append("i1", line, self.lanes)


@dataclass
class LaneFunction:
    """An LLVM function while it is being built."""

    lanes: int
    lines: list[str] = field(default_factory=lambda: ["entry:"])
    declares: set[str] = field(default_factory=set)
    block: str = "entry"
    _names: int = 0

    def append(self, element: str, instruction: str, lanes: int) -> Value:
        name = f"%{self._fresh()}"
        self.lines.append(f"  {name} = {instruction}")
        return Value(self, element, name, lanes)

    def parameter(self, element: str, name: str, lanes: int | None = None) -> Value:
        return Value(self, element, f"%{name}", self.lanes if lanes is None else lanes)

    def constant(self, element: str, number: Number, lanes: int | None = None) -> Value:
        lanes = self.lanes if lanes is None else lanes
        one = literal(element, number)
        return Value(self, element, one if lanes == 1 else f"splat ({element} {one})", lanes)

    def operand(self, value: Value | Number, like: Value) -> Value:
        return value if isinstance(value, Value) else like.constant(value)

    def splat(self, scalar: Value) -> Value:
        """A single number in every lane; a vector stays what it is."""
        if scalar.lanes == self.lanes:
            return scalar
        kind = vector_type(scalar.element, self.lanes)
        first = f"insertelement {kind} poison, {scalar.type} {scalar.text}, i32 0"
        one = self.append(scalar.element, first, self.lanes)
        line = (
            f"shufflevector {kind} {one.text}, {kind} poison, <{self.lanes} x i32> zeroinitializer"
        )
        return self.append(scalar.element, line, self.lanes)

    def select(self, condition: Value, a: Value | Number, b: Value | Number) -> Value:
        """Lane by lane a where the condition holds, b elsewhere; one of them is a value."""
        like = a if isinstance(a, Value) else b
        assert isinstance(like, Value)
        a, b = self.operand(a, like), self.operand(b, like)
        chosen = f"{a.type} {a.text}, {b.type} {b.text}"
        line = f"select {condition.type} {condition.text}, {chosen}"
        return self.append(like.element, line, like.lanes)

    def fma(self, a: Value, b: Value | Number, c: Value | Number) -> Value:
        """The sum of a b and c, rounded once where the machine can, else twice."""
        return self.intrinsic("fmuladd", a, self.operand(b, a), self.operand(c, a))

    def intrinsic(self, name: str, *operands: Value) -> Value:
        first = operands[0]
        suffix = ("" if first.lanes == 1 else f"v{first.lanes}") + SHORT[first.element]
        kinds = ", ".join(first.type for _ in operands)
        self.declares.add(f"declare {first.type} @llvm.{name}.{suffix}({kinds})")
        arguments = ", ".join(f"{operand.type} {operand.text}" for operand in operands)
        line = f"call {first.type} @llvm.{name}.{suffix}({arguments})"
        return self.append(first.element, line, first.lanes)

    def any(self, mask: Value) -> Value:
        """Whether the mask holds in some lane."""
        if mask.lanes == 1:
            return mask
        word = f"i{mask.lanes}"
        bits = self.append(word, f"bitcast {mask.type} {mask.text} to {word}", 1)
        return bits.differs(0)

    def repeat(
        self,
        start: Sequence[Value],
        step: Callable[[Sequence[Value]], tuple[Sequence[Value], Value]],
    ) -> Sequence[Value]:
        """Do `step`, which gives the next values and whether some lane goes on; at least once."""
        before, head, after = self.block, self._fresh("loop"), self._fresh("done")
        self._jump(f"br label %{head}", head)
        place = len(self.lines)
        carried = [Value(self, v.element, f"%{self._fresh()}", v.lanes) for v in start]
        following, unfinished = step(carried)
        again, tail = self.any(unfinished), self.block
        self.lines[place:place] = [
            f"  {now.text} = phi {now.type} [ {first.text}, %{before} ], [ {last.text}, %{tail} ]"
            for now, first, last in zip(carried, start, following, strict=True)
        ]
        self._jump(f"br i1 {again.text}, label %{head}, label %{after}", after)
        return following

    def where_any(
        self, mask: Value, otherwise: Sequence[Value], body: Callable[[], Sequence[Value]]
    ) -> list[Value]:
        """`body` where the mask holds, computed only if it holds somewhere; else `otherwise`."""
        before, rare, after = self.block, self._fresh("rare"), self._fresh("joined")
        self._jump(f"br i1 {self.any(mask).text}, label %{rare}, label %{after}", rare)
        found = [self.select(mask, a, b) for a, b in zip(body(), otherwise, strict=True)]
        tail = self.block
        self._jump(f"br label %{after}", after)
        return [
            self.append(
                a.element,
                f"phi {a.type} [ {b.text}, %{before} ], [ {a.text}, %{tail} ]",
                a.lanes,
            )
            for a, b in zip(found, otherwise, strict=True)
        ]

    def text(self, name: str, parameters: Sequence[Value], result: Value) -> str:
        """The whole function, which returns `result`."""
        return self.returning(name, parameters, result.type, result.text)

    def returning(self, name: str, parameters: Sequence[Value], kind: str, result: str) -> str:
        head = ", ".join(f"{p.type} {p.text}" for p in parameters)
        return "\n".join([
            f"define internal {kind} @{name}({head}) alwaysinline nounwind memory(none) {{",
            *self.lines,
            f"  ret {kind} {result}",
            "}",
        ])  # fmt: skip

    def _fresh(self, word: str = "v") -> str:
        self._names += 1
        return f"{word}{self._names}"

    def _jump(self, branch: str, label: str) -> None:
        self.lines += [f"  {branch}", f"{label}:"]
        self.block = label


def vector_type(element: str, lanes: int) -> str:
    return element if lanes == 1 else f"<{lanes} x {element}>"


def literal(element: str, number: Number) -> str:
    """A number as LLVM writes it: bits in hexadecimal for floating point, always of a double."""
    if element not in BITS:
        return str(number)
    rounded = struct.unpack("<f", struct.pack("<f", number))[0] if element == "float" else number
    return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"


def polynomial(f: LaneFunction, x: Value, coefficients: Sequence[float]) -> Value:
    """c₀ + x (c₁ + x (c₂ + …)), Horner's rule."""
    value = x.constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = f.fma(value, x, coefficient)
    return value
