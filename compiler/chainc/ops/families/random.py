"""Families of kernels for random numbers; operands are seed and step."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.ir.kernels import Family
from chainc.ir.types import Array, Shape, TensorType, has_named_size, static
from chainc.ops.families import philox


@dataclass(frozen=True)
class Draw(Family):
    """Numbers of one stream, counted from the beginning of the tensor."""

    stream: int

    reads_numbers = True

    def operations(self, result: Shape, operands: Sequence[Shape]) -> int:
        return 0

    def keeps_rows_apart(self, result: Shape, operands: Sequence[Shape]) -> bool:
        return not has_named_size(result)


class RandomWords(Draw):
    """Independent uniform bits of Philox4x32-10, counted by element, stream and step."""

    def leads(self, result: Shape) -> bool:
        """Where rows are of whole blocks, which may be done in any order."""
        return len(result) == 2 and isinstance(result[1], int) and result[1] % philox.WORDS == 0

    def evaluate(self, result: TensorType, seed: Array, step: Array) -> Array:
        return philox.random_bits(static(result.shape), self.stream, int(seed), int(step))


class Permutation(Draw):
    """A pseudo-random order of 0 … n-1."""

    def evaluate(self, result: TensorType, seed: Array, step: Array) -> Array:
        return philox.permutation(static(result.shape)[0], self.stream, int(seed), int(step))
