"""The kernel vocabulary: what a structural op computes on whole tensors.

It is to contractions, reductions, movements and indexing what `scalar.py` is to elementwise
ops: an op states its meaning once, as a call on a `Kernels` builder. The reference backend is
one builder, lowering is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, cast

from chainc.ir import Op
from chainc.ir.types import Dim, Shape, TensorType

T = TypeVar("T")


class Kernels(Protocol[T]):
    """Every primitive gets the type of its result; sizes may be named until they are bound."""

    def contract(self, result: TensorType, letters: tuple[str, str, str], a: T, b: T) -> T:
        """A two-operand einsum; `letters` name the axes of a, b and the result."""
        ...

    def reduce(
        self, result: TensorType, primitive: str, axes: tuple[int, ...], keepdims: bool, x: T
    ) -> T:
        """Fold along `axes` with the scalar primitive add, multiply, maximum or minimum."""
        ...

    def index_of(self, result: TensorType, primitive: str, axis: int, x: T) -> T:
        """The first position along `axis` of the maximum or minimum; a NaN counts as either."""
        ...

    def reshape(self, result: TensorType, x: T) -> T: ...

    def permute(self, result: TensorType, axes: tuple[int, ...], x: T) -> T: ...

    def broadcast(self, result: TensorType, x: T) -> T: ...

    def slice(
        self,
        result: TensorType,
        starts: tuple[int, ...],
        stops: Shape,
        steps: tuple[int, ...],
        x: T,
    ) -> T:
        """Every `step`-th element from `start` up to `stop`, steps positive."""
        ...

    def flip(self, result: TensorType, axes: tuple[int, ...], x: T) -> T: ...

    def pad(
        self,
        result: TensorType,
        low: tuple[int, ...],
        interior: tuple[int, ...],
        value: float,
        x: T,
    ) -> T:
        """`x` written into a tensor of `value`, from `low` on, `interior` elements apart."""
        ...

    def concat(self, result: TensorType, axis: int, parts: Sequence[T]) -> T: ...

    def take(self, result: TensorType, axis: int, x: T, indices: T) -> T:
        """Slices of `x` along `axis`; an index out of range is an error."""
        ...

    def scatter_add(self, result: TensorType, axis: int, x: T, indices: T, updates: T) -> T:
        """`x` with `updates` added at `indices` along `axis`, in order of position."""
        ...

    def one_hot(self, result: TensorType, indices: T) -> T:
        """1 at each index of the last axis, else 0; an index out of range is an error."""
        ...

    def arange(self, result: TensorType) -> T: ...

    def random_bits(self, result: TensorType, stream: int, seed: T, step: T) -> T:
        """Independent uniform bits of Philox4x32-10, counted by element, stream and step."""
        ...

    def permutation(self, result: TensorType, stream: int, seed: T, step: T) -> T:
        """A pseudo-random order of 0 … n-1."""
        ...

    def size(self, result: TensorType, dim: Dim) -> T: ...


def interpret(op: Op, k: Kernels[T], result: TensorType, operands: Sequence[T]) -> T:
    """A structural op's meaning in the vocabulary of `k`."""
    return cast(T, op.kernel(k, result, *operands))
