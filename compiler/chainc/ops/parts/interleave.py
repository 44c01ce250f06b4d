"""Parts whose elements come in turn along some axes; not public.

    interleave([a b c], [x y])  =  [a x b y c]

The image's gradient of a convolution with strides is made of such parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Node, Op, Sample, apply
from chainc.ir.errors import MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.types import Axes, Dim, TensorType, float32, format_shape
from chainc.ops.movement import require_axes
from chainc.ops.parts.slicing import Slice

__all__: list[str] = []

T = TypeVar("T")


@dataclass(frozen=True)
class Interleave(Op):
    """Of `apart` parts along each of `axes`, an element of each in turn, up to `lengths`.

    The last of the axes changes first from part to part.
    """

    name = "interleave"
    backward_rules = ("the elements of {G} that are this operand's",)
    axes: Axes
    apart: Axes
    lengths: Axes

    def infer(self, *parts: TensorType) -> TensorType:
        require_axes(self.axes, parts[0])
        shape = list(parts[0].shape)
        for axis, length in zip(self.axes, self.lengths, strict=True):
            shape[axis] = length
        result = parts[0].with_shape(shape)
        expected = [result.with_shape(self._part(shape, turn)) for turn in self.turns()]
        if list(parts) != expected:
            raise MisfitError(
                ShapeError,
                f"{', '.join(format_shape(part.shape) for part in parts)} are no parts of "
                f"{format_shape(shape)}, which are "
                + ", ".join(format_shape(part.shape) for part in expected),
                "give every so many elements of a tensor of these lengths",
            )
        return result

    def turns(self) -> Sequence[Axes]:
        """For each part, the position of its first element along the axes."""
        return list(product(*map(range, self.apart)))

    def _part(self, shape: Sequence[Dim], turn: Axes) -> tuple[Dim, ...]:
        dims = list(shape)
        rows = zip(self.axes, self.lengths, self.apart, turn, strict=True)
        for axis, length, apart, first in rows:
            dims[axis] = len(range(first, length, apart))
        return tuple(dims)

    def spread(self, ndim: int, values: Axes, other: int) -> Axes:
        """Values along the axes, and another along all others."""
        by_axis = dict(zip(self.axes, values, strict=True))
        return tuple(by_axis.get(axis, other) for axis in range(ndim))

    def kernel(self, k: Kernels[T], result: TensorType, *parts: T) -> T:
        starts = [self.spread(result.ndim, turn, 0) for turn in self.turns()]
        return k.interleave(result, starts, self.spread(result.ndim, self.apart, 1), parts)

    def vjp(self, g: Node, y: Node, *parts: Node) -> tuple[Node, ...]:
        steps = self.spread(g.ndim, self.apart, 1)
        starts = (self.spread(g.ndim, turn, 0) for turn in self.turns())
        return tuple(apply(Slice(start, g.shape, steps), g) for start in starts)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def of(op: Interleave, *shapes: Axes) -> Sample:
            return Sample(op, tuple(TensorType(shape, float32) for shape in shapes))

        return [
            of(cls((1,), (2,), (5,)), (2, 3), (2, 2)),
            of(cls((2, 0), (1, 3), (2, 4)), (2, 3, 2), (1, 3, 2), (1, 3, 2)),
            of(cls((0, 1), (2, 2), (3, 4)), (2, 2), (2, 2), (1, 2), (1, 2)),
        ]
