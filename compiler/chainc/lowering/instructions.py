"""What is done at each element: scalar primitives in order, and what writes them down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Node, Origin
from chainc.ir.scalar import UniformScalar
from chainc.ir.types import DType, TensorType, bool_, broadcast, promote
from chainc.lowering.views import Literal

T = TypeVar("T")


@dataclass(frozen=True)
class Reference:
    """A value that an instruction reads; which one, its class says."""

    index: int
    type: TensorType

    def among(self, arguments: Sequence[T], results: Sequence[T]) -> T:
        """The value, among the kernel's arguments and the results of the instructions so far."""
        raise NotImplementedError


@dataclass(frozen=True)
class Argument(Reference):
    """An operand of the kernel at this element."""

    def among(self, arguments: Sequence[T], results: Sequence[T]) -> T:
        return arguments[self.index]


@dataclass(frozen=True)
class Result(Reference):
    """What an earlier instruction gave."""

    def among(self, arguments: Sequence[T], results: Sequence[T]) -> T:
        return results[self.index]


Value = Reference | Literal


@dataclass(frozen=True)
class Instruction:
    """One scalar primitive; the type says over which positions it differs.

    `node` is the part of a fused body whose meaning it belongs to, None outside of one.
    """

    primitive: str
    operands: tuple[Value, ...]
    type: TensorType
    origin: Origin = field(default_factory=Origin)
    node: Node | None = field(default=None, compare=False, repr=False)

    @property
    def arguments(self) -> Iterable[Argument]:
        """The operands of the kernel that it reads."""
        return (value for value in self.operands if isinstance(value, Argument))


@dataclass
class InstructionBuilder(UniformScalar[Value]):
    """Writes one instruction a primitive.

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

    def call(self, primitive: str, *operands: Value) -> Value:
        common = _common_dtype(operands, self.default)
        return self._append(primitive, operands, common, common)

    def condition(self, primitive: str, *operands: Value) -> Value:
        return self._append(primitive, operands, _common_dtype(operands, self.default), bool_)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        common = _common_dtype((a, b), self.default)
        chosen = (_typed(a, common), _typed(b, common))
        return self._write("select", (_typed(condition, bool_), *chosen), common)

    def cast(self, a: Value, dtype: DType) -> Value:
        return self._append("cast", (a,), _common_dtype((a,), self.default), dtype)

    def _append(
        self, primitive: str, operands: Sequence[Value], common: DType, dtype: DType
    ) -> Value:
        return self._write(primitive, [_typed(operand, common) for operand in operands], dtype)

    def _write(self, primitive: str, typed: Sequence[Value], dtype: DType) -> Value:
        shape = broadcast(*(operand.type.shape for operand in typed))
        if shape is None:
            raise ValueError(f"{primitive}: operands {typed} do not broadcast")
        type = TensorType(shape, dtype)
        self.instructions.append(Instruction(primitive, tuple(typed), type, self.origin, self.node))
        return Result(len(self.instructions) - 1, type)


def _common_dtype(operands: Sequence[Value], default: DType) -> DType:
    """The operands' promoted element type; a constant follows the others."""
    found: DType | None = None
    for operand in operands:
        if isinstance(operand, Reference):
            dtype = operand.type.dtype
            found = dtype if found is None else promote(found, dtype) or found
    return found or default


def _typed(operand: Value, dtype: DType) -> Value:
    if isinstance(operand, Reference):
        return operand
    return replace(operand, type=operand.type.with_dtype(dtype))
