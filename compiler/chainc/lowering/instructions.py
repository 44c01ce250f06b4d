"""The scalar vocabulary as instructions: an elementwise op's meaning, written down for a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chainc.ir import Node, Origin
from chainc.ir.types import DType, TensorType, bool_, broadcast, promote
from chainc.lowering.program import Instruction, Literal, Reference, Value


@dataclass
class InstructionBuilder:
    """A `Scalar` builder that appends one instruction a primitive.

    `default` is the element type of a constant that meets no other operand.
    """

    default: DType
    origin: Origin = field(default_factory=Origin)  # of the node whose meaning is written down
    instructions: list[Instruction] = field(default_factory=list)
    node: Node | None = None  # that node, inside a fused body

    def begin(self, node: Node) -> None:
        """The instructions that follow are part of this node's meaning."""
        self.origin, self.node = node.origin, node

    def const(self, value: float | int | bool) -> Value:
        return Literal(value, TensorType((), self.default))

    def add(self, a: Value, b: Value) -> Value:
        return self._append("add", a, b)

    def subtract(self, a: Value, b: Value) -> Value:
        return self._append("subtract", a, b)

    def multiply(self, a: Value, b: Value) -> Value:
        return self._append("multiply", a, b)

    def divide(self, a: Value, b: Value) -> Value:
        return self._append("divide", a, b)

    def floor_divide(self, a: Value, b: Value) -> Value:
        return self._append("floor_divide", a, b)

    def remainder(self, a: Value, b: Value) -> Value:
        return self._append("remainder", a, b)

    def power(self, a: Value, b: Value) -> Value:
        return self._append("power", a, b)

    def maximum(self, a: Value, b: Value) -> Value:
        return self._append("maximum", a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        return self._append("minimum", a, b)

    def negative(self, a: Value) -> Value:
        return self._append("negative", a)

    def absolute(self, a: Value) -> Value:
        return self._append("absolute", a)

    def floor(self, a: Value) -> Value:
        return self._append("floor", a)

    def sqrt(self, a: Value) -> Value:
        return self._append("sqrt", a)

    def exp(self, a: Value) -> Value:
        return self._append("exp", a)

    def expm1(self, a: Value) -> Value:
        return self._append("expm1", a)

    def log(self, a: Value) -> Value:
        return self._append("log", a)

    def log1p(self, a: Value) -> Value:
        return self._append("log1p", a)

    def sin(self, a: Value) -> Value:
        return self._append("sin", a)

    def cos(self, a: Value) -> Value:
        return self._append("cos", a)

    def tanh(self, a: Value) -> Value:
        return self._append("tanh", a)

    def erf(self, a: Value) -> Value:
        return self._append("erf", a)

    def less(self, a: Value, b: Value) -> Value:
        return self._append("less", a, b, dtype=bool_)

    def less_equal(self, a: Value, b: Value) -> Value:
        return self._append("less_equal", a, b, dtype=bool_)

    def equal(self, a: Value, b: Value) -> Value:
        return self._append("equal", a, b, dtype=bool_)

    def logical_and(self, a: Value, b: Value) -> Value:
        return self._append("logical_and", a, b, dtype=bool_)

    def logical_or(self, a: Value, b: Value) -> Value:
        return self._append("logical_or", a, b, dtype=bool_)

    def logical_not(self, a: Value) -> Value:
        return self._append("logical_not", a, dtype=bool_)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        return self._append("select", condition, a, b, dtype=_common_dtype((a, b), self.default))

    def cast(self, a: Value, dtype: DType) -> Value:
        return self._append("cast", a, dtype=dtype)

    def _append(self, primitive: str, *operands: Value, dtype: DType | None = None) -> Value:
        shape = broadcast(*(operand.type.shape for operand in operands))
        if shape is None:
            raise ValueError(f"{primitive}: operands {operands} do not broadcast")
        common = _common_dtype(operands, self.default)
        typed = tuple(_typed(operand, common) for operand in operands)
        type = TensorType(shape, dtype or common)
        self.instructions.append(Instruction(primitive, typed, type, self.origin, self.node))
        return Reference("instruction", len(self.instructions) - 1, type)


def _common_dtype(operands: Sequence[Value], default: DType) -> DType:
    """The operands' promoted element type; a constant follows the others."""
    found: DType | None = None
    for operand in operands:
        if isinstance(operand, Reference) and operand.type.dtype != bool_:
            dtype = operand.type.dtype
            found = dtype if found is None else promote(found, dtype) or found
    return found or default


def _typed(operand: Value, dtype: DType) -> Value:
    if isinstance(operand, Reference):
        return operand
    return replace(operand, type=operand.type.with_dtype(dtype))
