"""What a caller must know of a program before it runs, without the program itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir.types import Array, Dim, bind

if TYPE_CHECKING:
    from chainc.lowering.program import Program, TrainingLoop


@dataclass(frozen=True)
class Indices:
    """The values of an input are used as indices: they lie in 0 … bound - 1."""

    key: str
    bound: Dim

    def fit(self, array: Array, sizes: Mapping[str, int]) -> bool:
        """Do they lie there, as far as the bound is known?"""
        limit = bind(self.bound, sizes)
        if not isinstance(limit, int) or array.size == 0:
            return True
        if array.dtype.kind == "i":  # a negative one is large without a sign, so one look is enough
            array = array.view(f"u{array.itemsize}")
        return bool(array.max() < limit)


@dataclass(frozen=True)
class Signature:
    """Of a program: its inputs in order, its named sizes, and which inputs are indices.

    `whole` are the places of outputs of a training that only all rows at once give.
    """

    inputs: tuple[str, ...]
    size_names: tuple[str, ...]
    indices: tuple[Indices, ...]
    whole: tuple[int, ...] = ()

    @classmethod
    def of(cls, program: Program) -> Signature:
        """That of a function."""
        return cls(tuple(each.key for each in program.inputs), program.size_names,
                   _indices([program]))  # fmt: skip

    @classmethod
    def of_training(cls, loop: TrainingLoop) -> Signature:
        """That of its step, with the indices of both its programs."""
        step = cls.of(loop.step)
        return cls(step.inputs, step.size_names, _indices([loop.step, loop.evaluate]), loop.whole)


def _indices(programs: Iterable[Program]) -> tuple[Indices, ...]:
    bounds = [each for program in programs for each in program.index_bounds]
    return tuple(dict.fromkeys(Indices(each.key, each.bound) for each in bounds))
