"""Windows: every part of a tensor that a kernel slides over, and their sum back in place.

    window(x[.., n, ..])[.., o, .., t]     =  x[.., o·stride + t·dilation, ..]
    overlap_add(y)[.., p, ..]              =  Σ y[.., o, .., t]  over o·stride + t·dilation = p

Each is the other's derivative. A convolution is a contraction over a window, pooling a reduction
over one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Node, Op, Operand, Sample, apply, movements
from chainc.ir.errors import InputError, MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import as_nodes
from chainc.ir.types import Dim, Shape, TensorType, float32, format_shape, static
from chainc.ops.movement import require_axes, whole

__all__ = ["overlap_add", "window"]

T = TypeVar("T")

Numbers = int | Sequence[int]  # the same for each axis, or one an axis


@dataclass(frozen=True)
class Sliding:
    """How a window slides along one axis: taps, steps between positions, and between taps."""

    taps: int
    stride: int = 1
    dilation: int = 1

    @property
    def span(self) -> int:
        """Elements from the first tap to the last, both included."""
        return (self.taps - 1) * self.dilation + 1

    def positions(self, length: int) -> int:
        """How many windows lie within so many elements; none where one is larger than they."""
        return max((length - self.span) // self.stride + 1, 0)

    def covered(self, positions: int) -> int:
        """Elements from the first that a window reads to the last."""
        return (positions - 1) * self.stride + self.span


@dataclass(frozen=True)
class Window(Op):
    """Windows along `axes`: their positions in the place of each axis, their taps as last axes."""

    name = "window"
    backward_rules = ("{G} added where windows overlap",)
    axes: tuple[int, ...]
    slides: tuple[Sliding, ...]

    def infer(self, x: TensorType) -> TensorType:
        require_axes(self.axes, x)
        dims = list(x.shape)
        for axis, slide in zip(self.axes, self.slides, strict=True):
            dims[axis] = _positions(x.shape[axis], slide)
        return x.with_shape((*dims, *(slide.taps for slide in self.slides)))

    def kernel(self, k: Kernels[T], result: TensorType, x: T) -> T:
        steps = tuple((s.stride, s.dilation) for s in self.slides)
        return k.move(movements.Window(result.shape, self.axes, steps), x)

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        lengths = static(tuple(x.shape[axis] for axis in self.axes))
        return (apply(OverlapAdd(self.axes, self.slides, lengths), g),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [
            Sample(cls((1,), (Sliding(2),)), (TensorType((2, 3), float32),)),
            Sample(cls((0,), (Sliding(2, 2, 2),)), (TensorType((6,), float32),)),
            Sample(cls((1, 2), (Sliding(2), Sliding(1, 2))), (TensorType((2, 3, 4), float32),)),
        ]


@dataclass(frozen=True)
class OverlapAdd(Op):
    """Windows along `axes`, whose taps are the last axes, added where they were read.

    `lengths` are those of the axes in the result.
    """

    name = "overlap_add"
    backward_rules = ("the windows of {G}",)
    axes: tuple[int, ...]
    slides: tuple[Sliding, ...]
    lengths: tuple[int, ...]

    def infer(self, y: TensorType) -> TensorType:
        dims = list(y.shape[: y.ndim - len(self.axes)])
        for axis, length in zip(self.axes, self.lengths, strict=True):
            dims[axis] = length
        windows = Window(self.axes, self.slides).infer(y.with_shape(dims))
        if windows.shape != y.shape:
            raise MisfitError(
                ShapeError,
                f"{format_shape(y.shape)} are no windows of {format_shape(dims)}, "
                f"which are {format_shape(windows.shape)}",
                "give what cr.window makes of a tensor of these lengths",
            )
        return windows.with_shape(dims)

    def kernel(self, k: Kernels[T], result: TensorType, y: T) -> T:
        """Taps that lie apart from 0 to 0, so that each position sums a diagonal.

        padded[.., p + t·dilation, .., t] over t: what tap K - 1 - t adds to position p
        """
        padded = self._padded(result)
        rank, count = result.ndim, len(self.axes)
        low = [0] * (rank + count)
        interior = [0] * (rank + count)
        for axis, slide in zip(self.axes, self.slides, strict=True):
            low[axis], interior[axis] = slide.span - 1, slide.stride - 1
        spread = k.pad(padded, tuple(low), tuple(interior), 0.0, y)
        taps = tuple(slide.taps for slide in self.slides)
        steps = tuple((1, slide.dilation) for slide in self.slides)
        shape: Shape = (*result.shape, *taps, *taps)
        windows = k.move(movements.Window(shape, self.axes, steps), spread)
        turned = k.move(movements.Flip(shape, tuple(range(rank, rank + count))), windows)
        for left in range(count, 0, -1):
            shape = shape[:-1]
            movement = movements.Diagonal(shape, rank + left - 1, rank + count + left - 1)
            turned = k.move(movement, turned)
        axes = tuple(range(rank, rank + count))
        return k.reduce(result, "add", axes, False, turned)

    def _padded(self, result: TensorType) -> TensorType:
        dims: list[Dim] = list(result.shape)
        for axis, slide, length in zip(self.axes, self.slides, self.lengths, strict=True):
            dims[axis] = length + slide.span - 1
        return result.with_shape((*dims, *(slide.taps for slide in self.slides)))

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (apply(Window(self.axes, self.slides), g),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [
            Sample(cls((1,), (Sliding(2),), (3,)), (TensorType((2, 2, 2), float32),)),
            Sample(cls((0,), (Sliding(2, 2, 2),), (6,)), (TensorType((2, 2), float32),)),
            Sample(
                cls((0, 1), (Sliding(2), Sliding(1, 2)), (3, 4)),
                (TensorType((2, 2, 2, 1), float32),),
            ),
        ]


def _positions(dim: Dim, slide: Sliding) -> Dim:
    if (slide.taps, slide.stride) == (1, 1):
        return dim
    if not isinstance(dim, int):
        raise MisfitError(
            ShapeError,
            f"no window slides along the named size {dim}",
            "slide along axes of a known size",
        )
    if dim < slide.span:
        raise MisfitError(
            ShapeError,
            f"a window over {slide.span} elements is larger than an axis of {dim}",
            "choose a smaller window or dilation, or pad the tensor first with cr.pad",
        )
    return slide.positions(dim)


def window(
    x: Operand, size: Numbers, axes: Numbers, stride: Numbers = 1, dilation: Numbers = 1
) -> Node:
    """Every part of `x` of `size` elements along `axes`, `stride` apart; nothing is copied.

    The axes that slide become the positions of windows, and the elements of a window, `dilation`
    apart, are further last axes: [b, 8, 8] in windows of 3 × 3 is [b, 6, 6, 3, 3].

    Args:
        x: the tensor.
        size: elements of a window, for each of `axes` or for all.
        axes: along which windows slide.
        stride: elements from one window to the next.
        dilation: elements from one tap of a window to the next.

    Raises:
        ShapeError: a window is larger than its axis, or the axis has a named size.
    """
    (node,) = as_nodes(x)
    positions, slides = _slides("window", node.ndim, size, axes, stride, dilation)
    return apply(Window(positions, slides), node)


def overlap_add(
    y: Operand,
    lengths: Numbers,
    axes: Numbers,
    stride: Numbers = 1,
    dilation: Numbers = 1,
) -> Node:
    """Windows, as `window` gives them, each added in its place: the adjoint of `window`.

    Args:
        y: windows; their elements are the last axes, one for each of `axes`.
        lengths: of `axes` in the result.
        axes: along which windows slide.
        stride: elements from one window to the next.
        dilation: elements from one tap of a window to the next.

    Raises:
        ShapeError: these are no windows of a tensor of these lengths.
    """
    (node,) = as_nodes(y)
    count = len(axes) if isinstance(axes, Sequence) else 1
    if node.ndim < 2 * count:
        raise ShapeError(
            f"overlap_add: {format_shape(node.shape)} holds no windows along {count} axes",
            hint="give what cr.window makes of a tensor",
        )
    taps = static(node.shape[node.ndim - count :])
    rank = node.ndim - count
    positions, slides = _slides("overlap_add", rank, taps, axes, stride, dilation)
    wanted = _numbers("overlap_add", "lengths", lengths, count)
    return apply(OverlapAdd(positions, slides, wanted), node)


def _slides(
    function: str, ndim: int, size: Numbers, axes: Numbers, stride: Numbers, dilation: Numbers
) -> tuple[tuple[int, ...], tuple[Sliding, ...]]:
    count = len(axes) if isinstance(axes, Sequence) else 1
    positions = _axes(function, axes, ndim)
    sizes = _numbers(function, "size", size, count)
    strides = _numbers(function, "stride", stride, count)
    dilations = _numbers(function, "dilation", dilation, count)
    rows = zip(sizes, strides, dilations, strict=True)
    return positions, tuple(Sliding(*row) for row in rows)


def _axes(function: str, axes: Numbers, ndim: int) -> tuple[int, ...]:
    listed = tuple(axes) if isinstance(axes, Iterable) else (axes,)
    numbers = [number for number in map(whole, listed) if number is not None]
    found = tuple(number + ndim if number < 0 else number for number in numbers)
    fits = len(found) == len(listed) == len(set(found)) and found
    if not fits or any(not 0 <= axis < ndim for axis in found):
        raise ShapeError(
            f"{function}: axes {axes!r} do not fit a tensor of {ndim} axes",
            hint=f"name different axes from {-ndim} to {ndim - 1}" if ndim else "give a tensor",
        )
    return found


def _numbers(function: str, name: str, given: Numbers, count: int) -> tuple[int, ...]:
    """One positive number an axis."""
    listed = tuple(given) if isinstance(given, Iterable) else (given,) * count
    numbers = tuple(number for number in map(whole, listed) if number is not None)
    if len(numbers) != count or len(listed) != count or any(number < 1 for number in numbers):
        raise InputError(
            f"{function}: {name} is {given!r}, not a positive number for each of {count} axes",
            hint=f"give {name}={2 if count == 1 else (2,) * count}, or one number for all",
        )
    return numbers
