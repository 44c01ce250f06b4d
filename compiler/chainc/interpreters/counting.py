"""How many scalar operations a node takes: both vocabularies, by builders that compute nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op
from chainc.ir.kernels import Family, Meaning, interpret
from chainc.ir.movements import Movement
from chainc.ir.scalar import UniformScalar
from chainc.ir.types import Axes, Dim, DType, TensorType, bind, static
from chainc.ops.formula import interpret_body
from chainc.ops.runs.scan import Scan


@dataclass(frozen=True)
class Work:
    """A tensor, and the scalar operations that made it; None if it only views other elements."""

    type: TensorType
    operations: int | None = 0


def work_of(node: Node, sizes: Mapping[str, int]) -> Work:
    """The work of one node that has operands or computes; `sizes` gives every named size."""
    operands = [Work(operand.type.bind(sizes)) for operand in node.inputs]
    return interpret(node, KernelCounter(sizes), operands)


def elements(type: TensorType) -> int:
    return math.prod(static(type.shape))


class ScalarCounter(UniformScalar[None]):
    """The scalar vocabulary that counts its own calls."""

    def __init__(self) -> None:
        self.operations = 0
        self.primitives: set[str] = set()

    def call(self, primitive: str, *operands: None) -> None:
        self.operations += 1
        self.primitives.add(primitive)

    def const(self, value: float | int | bool) -> None:
        """A constant costs nothing."""

    def cast(self, a: None, dtype: DType) -> None:
        """A conversion is no arithmetic."""


@dataclass(frozen=True)
class KernelCounter:
    """The kernel vocabulary that counts scalar operations, for given values of named sizes."""

    sizes: Mapping[str, int]

    def _work(self, result: TensorType, operations: int | None = 0) -> Work:
        return Work(result.bind(self.sizes), operations)

    def map(self, result: TensorType, meaning: Meaning, operands: Sequence[Work]) -> Work:
        counter, bound = ScalarCounter(), result.bind(self.sizes)
        meaning.interpret(counter, [None] * len(operands))
        return Work(bound, counter.operations * elements(bound))

    def contract(self, result: TensorType, letters: tuple[str, str, str], a: Work, b: Work) -> Work:
        extents = dict(zip(letters[0] + letters[1], a.type.shape + b.type.shape, strict=True))
        return self._work(result, 2 * math.prod(static(tuple(extents.values()))))

    def fused_contract(
        self,
        result: TensorType,
        letters: tuple[str, str, str],
        body: Graph,
        operands: Sequence[Work],
    ) -> Work:
        a, b, *others = operands
        counter, bound = ScalarCounter(), result.bind(self.sizes)
        interpret_body(body, counter, [None] * (1 + len(others)))
        sums = self.contract(result, letters, a, b)
        return Work(bound, (sums.operations or 0) + counter.operations * elements(bound))

    def reduce(
        self, result: TensorType, primitive: str, axes: tuple[int, ...], keepdims: bool, x: Work
    ) -> Work:
        return self._work(result, elements(x.type))

    def move(self, movement: Movement, x: Work) -> Work:
        return self._work(x.type.with_shape(movement.shape), None)

    def pad(
        self,
        result: TensorType,
        low: tuple[int, ...],
        interior: tuple[int, ...],
        value: float,
        x: Work,
    ) -> Work:
        return self._work(result)

    def concat(self, result: TensorType, axis: int, parts: Sequence[Work]) -> Work:
        return self._work(result)

    def interleave(
        self, result: TensorType, starts: Sequence[Axes], steps: Axes, parts: Sequence[Work]
    ) -> Work:
        return self._work(result)

    def apply(self, family: Family, result: TensorType, *operands: Work) -> Work:
        bound = result.bind(self.sizes)
        shapes = [operand.type.shape for operand in operands]
        return Work(bound, family.operations(bound.shape, shapes))

    def size(self, result: TensorType, dim: Dim) -> Work:
        return self._work(result, None)

    def scan(self, result: TensorType, loop: Op, operands: Sequence[Work]) -> Work:
        """Of all steps that there may be."""
        assert isinstance(loop, Scan)
        steps = static((bind(loop.length, self.sizes),))[0]
        work = (work_of(node, self.sizes) for node in loop.body.nodes if node.inputs)
        return self._work(result, steps * sum(each.operations or 0 for each in work))
