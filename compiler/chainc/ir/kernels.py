"""The kernel vocabulary: what an op computes on whole tensors.

It is to contractions, reductions, movements and indexing what `scalar.py` is to elementwise
ops: an op states its meaning once, as calls on a `Kernels` builder. The reference backend is
one builder, lowering is another, and a third counts operations.

The words are few; what has another loop nest is a `Family`, and one word, `apply`, is for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol, TypeVar, cast

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op
from chainc.ir.movements import Movement
from chainc.ir.scalar import Scalar
from chainc.ir.types import Array, Axes, Dim, Shape, TensorType

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """A tensor that a kernel reads beside its operands, made by another family from sizes alone."""

    name: str
    family: Family
    type: TensorType


@dataclass(frozen=True)
class Family:
    """A family of kernels, with its attributes: what it computes, and what is asked about it.

    Every fact stands here, and is refused unless a family states it. Operands are those of `apply`.
    """

    updates: ClassVar[bool] = False  # the result starts as a copy of operand 0, and is changed
    reads_numbers: ClassVar[bool] = False  # are the operands single numbers, which need no storage?
    takes_panels: ClassVar[bool] = False  # may what it reads and writes lie in panels?
    one_by_one: ClassVar[bool] = False  # does it read and write single elements, no vectors?

    # (the result's type, *arrays) -> array: the family's meaning, in NumPy
    evaluate: ClassVar[Callable[..., Array]]

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        """Scalar operations; moving an element is none. All sizes are bound."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it costs")

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        """Is row i of the result computed from row i of the operands alone?"""
        return False

    def leads(self, result: Shape) -> bool:
        """May maps that go on with its elements be done with it?"""
        return False

    def index(self, result: Shape, operands: Sequence[Shape]) -> tuple[int, Dim] | None:
        """Which operand holds indices, and the bound that they must stay below."""
        return None

    def tables(self, result: TensorType, operands: Sequence[TensorType]) -> Sequence[Table]:
        """What a kernel reads after its operands."""
        return ()


class Meaning(Protocol):
    """What is done at each element, in any scalar vocabulary."""

    def interpret(self, s: Scalar[T], operands: Sequence[T]) -> T: ...

    @property
    def fused_body(self) -> Graph | None:
        """The ops that it is made of, if it is made of several."""
        ...


class Kernels(Protocol[T]):
    """Every word gets the type of its result; sizes may be named until they are bound."""

    def map(self, result: TensorType, meaning: Meaning, operands: Sequence[T]) -> T:
        """A scalar meaning at each element; the operands broadcast."""
        ...

    def contract(self, result: TensorType, letters: tuple[str, str, str], a: T, b: T) -> T:
        """A two-operand einsum; `letters` name the axes of a, b and the result."""
        ...

    def fused_contract(
        self,
        result: TensorType,
        letters: tuple[str, str, str],
        body: Graph,
        operands: Sequence[T],
    ) -> T:
        """A contraction of the first two operands, and what `body` makes of each sum.

        The body's input "0" is the sum; its other inputs are the other operands.
        """
        ...

    def reduce(
        self, result: TensorType, primitive: str, axes: tuple[int, ...], keepdims: bool, x: T
    ) -> T:
        """Fold along `axes` with the scalar primitive add, multiply, maximum or minimum."""
        ...

    def move(self, movement: Movement, x: T) -> T:
        """A view of `x`."""
        ...

    def pad(self, result: TensorType, low: Axes, interior: Axes, value: float, x: T) -> T:
        """`x` written into a tensor of `value`, from `low` on, `interior` elements apart."""
        ...

    def concat(self, result: TensorType, axis: int, parts: Sequence[T]) -> T: ...
    def interleave(
        self, result: TensorType, starts: Sequence[Axes], steps: Axes, parts: Sequence[T]
    ) -> T:
        """The elements of each part from its start on, `steps` apart."""
        ...

    def apply(self, family: Family, result: TensorType, *operands: T) -> T:
        """What a family of kernels makes of the operands."""
        ...

    def size(self, result: TensorType, dim: Dim) -> T: ...
    def scan(self, result: TensorType, loop: Op, operands: Sequence[T]) -> T: ...


def interpret(node: Node, k: Kernels[T], operands: Sequence[T]) -> T:
    """What a node computes, in the vocabulary of `k`; the scalar one is said within `map`."""
    return cast(T, node.op.kernel(k, node.type, *operands))
