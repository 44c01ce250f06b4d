"""What a training reports as a row of numbers: which of them belong to which output."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.types import Array, static

Value = float | Array


@dataclass(frozen=True)
class Columns:
    """Outputs one after the other, those that are no scalars in row-major order."""

    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, names: Sequence[str], outputs: Sequence[Node]) -> Columns:
        return cls({name: static(node.shape) for name, node in zip(names, outputs, strict=True)})

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each number: `f1`, `confusion(0, 1)`."""
        return tuple(
            name + (f"({', '.join(map(str, place))})" if shape else "")
            for name, shape in self.shapes.items()
            for place in np.ndindex(shape)
        )

    @cached_property
    def scalars(self) -> Mapping[str, int]:
        """Where the outputs are that are scalars."""
        return {name: start for name, start in self._starts.items() if not self.shapes[name]}

    def values(self, row: Array) -> dict[str, Value]:
        """The outputs by name."""
        found: dict[str, Value] = {}
        for name, start in self._starts.items():
            shape = self.shapes[name]
            part = row[start : start + math.prod(shape)]
            found[name] = np.array(part.reshape(shape)) if shape else float(part[0])
        return found

    @cached_property
    def _starts(self) -> Mapping[str, int]:
        starts = accumulate(map(math.prod, self.shapes.values()), initial=0)
        return dict(zip(self.shapes, starts, strict=False))
