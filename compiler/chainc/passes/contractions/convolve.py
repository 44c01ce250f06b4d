"""The gradient of a convolution is one: windows that overlap are contracted, not added.

    overlap_add(contract(g, w))   →   contract(window(pad(g)), flip(w))

Each element of the result reads the windows that hold it, so nothing is added in place. Where
windows lie some elements apart, the elements in between are computed in turn, each kind with the
taps that it meets. The sums are the same, in another order. The largest element of each window is
folded out of it rather than looked for and then picked.

Needs: permutations in the letters of contractions, as `canonicalize` puts them. Leaves: other sums
of windows as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, apply
from chainc.ir.types import TensorType, coefficient_of, float32, named
from chainc.ops import flip, reshape, stack
from chainc.ops.contract import Contract
from chainc.ops.parts.slicing import Pad, Slice
from chainc.ops.parts.window import OverlapAdd, Sliding, Window
from chainc.passes.canonicalize import canonical
from chainc.passes.rules import parts, pooling, windows
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()

Axes = tuple[int, ...]
Slides = tuple[Sliding, ...]

IMAGES = TensorType((named("batch"), 5, 3), float32)  # operands to test rules with
KERNEL = TensorType((5, 2, 2), float32)
WIDER = TensorType((5, 2, 3), float32)
MATRIX = TensorType((4, 2), float32)


def convolve(graph: Graph) -> Graph:
    """Contractions over windows in the place of sums of windows, concatenation in that of parts."""
    contracted = rewrite(graph, (*windows.rule, *rule, *parts.rule, *canonical()), fast_math=True)
    if not any(isinstance(node.op, Window | OverlapAdd) for node in contracted.nodes):
        return contracted  # so there is nothing to pool
    return rewrite(contracted, (*pooling.rule, *canonical()), fast_math=True)


@rule.fast(
    exact_for="i",
    at=[
        ((2,), (Sliding(2),), (4,), Contract("boh", "oci", "bchi"), IMAGES, KERNEL),
        ((0,), (Sliding(2, 2, 2),), (6,), Contract("ki", "kh", "hi"), MATRIX, MATRIX),
        ((2,), (Sliding(3, 2),), (8,), Contract("boh", "oci", "bchi"), IMAGES, WIDER),
        ((2,), (Sliding(2, 2),), (6,), Contract("oci", "boh", "bchi"), KERNEL, IMAGES),
    ],
)
def overlap_add_of_contraction(
    axes: Axes, slides: Slides, lengths: Axes, f: Contract, x: Node, y: Node
) -> Equation:
    """The gradient of a convolution is one: of padded cotangents, with the kernel turned around."""
    total = apply(OverlapAdd(axes, slides, lengths), apply(f, x, y))

    def turned() -> Node | None:
        count = len(axes)
        places, taps = [f.result[axis] for axis in axes], f.result[len(f.result) - count :]
        first = set(places) <= set(f.a)
        positions, kernel = (f.a, f.b) if first else (f.b, f.a)
        if not _apart(places, taps, positions, kernel):
            return None
        g, w = (x, y) if first else (y, x)
        return _Gradient(f, first, axes, slides, lengths).of(g, w)

    return total, turned


def _apart(places: Sequence[str], taps: str, positions: str, kernel: str) -> bool:
    """Are positions of windows the one operand's, and their taps the other's?"""
    one = set(places) <= set(positions) and not set(taps) & set(positions)
    return one and set(taps) <= set(kernel) and not set(places) & set(kernel)


@dataclass(frozen=True)
class _Gradient:
    """A sum of windows whose elements `f` contracts; its first operand has their positions."""

    f: Contract
    first: bool  # or the second one
    axes: Axes
    slides: Slides
    lengths: Axes

    @property
    def positions(self) -> str:
        return self.f.a if self.first else self.f.b

    @property
    def kernel(self) -> str:
        return self.f.b if self.first else self.f.a

    @property
    def taps(self) -> str:
        return self.f.result[len(self.f.result) - len(self.axes) :]

    def of(self, g: Node, w: Node) -> Node:
        """The contraction; where windows lie apart, one for every so many elements in turn.

        An element meets a window with every so many of its taps only, so no zeros are multiplied.
        """
        for number, slide in enumerate(self.slides):
            if 1 < slide.stride <= slide.taps and slide.dilation == 1:
                parts = [
                    self._narrowed(number, turn).of(g, self._every(w, number, turn))
                    for turn in range(slide.stride)
                ]
                return _in_turn(parts, self.axes[number], self.lengths[number])
        g = self._windows(g)
        w = flip(w, [self.kernel.index(tap) for tap in self.taps])
        result = self.f.result[: len(self.f.result) - len(self.axes)]
        if self.first:
            return apply(Contract(self.positions + self.taps, self.kernel, result), g, w)
        return apply(Contract(self.kernel, self.positions + self.taps, result), w, g)

    def _narrowed(self, number: int, turn: int) -> _Gradient:
        """That of the elements that come first, second, … of each stride along an axis."""
        slide = self.slides[number]
        slides, lengths = list(self.slides), list(self.lengths)
        slides[number] = Sliding(-(-(slide.taps - turn) // slide.stride))
        lengths[number] = -(-lengths[number] // slide.stride)
        return replace(self, slides=tuple(slides), lengths=tuple(lengths))

    def _every(self, w: Node, number: int, turn: int) -> Node:
        """The taps that these meet."""
        axis = self.kernel.index(self.taps[number])
        starts, steps = [0] * w.ndim, [1] * w.ndim
        starts[axis], steps[axis] = turn, self.slides[number].stride
        return apply(Slice(tuple(starts), w.shape, tuple(steps)), w)

    def _windows(self, g: Node) -> Node:
        """For each element of the result, the positions whose windows hold it: a window of them."""
        axes = [self.positions.index(self.f.result[axis]) for axis in self.axes]
        low, high, interior = [0] * g.ndim, [0] * g.ndim, [0] * g.ndim
        for axis, slide, length in zip(axes, self.slides, self.lengths, strict=True):
            low[axis], interior[axis] = slide.span - 1, slide.stride - 1
            last = coefficient_of(g.shape[axis]) - 1
            high[axis] = length - 1 - last * slide.stride
        spread = apply(Pad(tuple(low), tuple(high), tuple(interior)), g)
        steps = tuple(replace(slide, stride=1) for slide in self.slides)
        return apply(Window(tuple(axes), steps), spread)


def _in_turn(parts: Sequence[Node], axis: int, length: int) -> Node:
    """An element of each, again and again, up to a length."""
    first = parts[0]
    together = stack(parts, axis + 1)
    shape = list(first.shape)
    shape[axis] = coefficient_of(first.shape[axis]) * len(parts)
    joined = reshape(together, tuple(shape))
    if shape[axis] == length:
        return joined
    shape[axis] = length
    return apply(Slice((0,) * len(shape), tuple(shape), (1,) * len(shape)), joined)
