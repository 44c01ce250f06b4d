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

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, apply
from chainc.ir.types import Axes, TensorType, coefficient_of, float32, named
from chainc.ops import flip
from chainc.ops.contract import Contract
from chainc.ops.parts.interleave import Interleave
from chainc.ops.parts.slicing import Pad, Slice
from chainc.ops.parts.window import OverlapAdd, Sliding, Window
from chainc.passes.canonicalize import canonical
from chainc.passes.rules import parts, pooling, windows
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()

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
        apart = {n: slide.stride for n, slide in enumerate(self.slides) if _leaves_out(slide)}
        low, high, interior = (self._widths(g, part) for part in zip(*self._room(g), strict=True))
        padded = apply(Pad(low, high, interior), g)
        if not apart:
            return self._contracted(self._windows(padded), w)
        axes, lengths = ([each[n] for n in apart] for each in (self.axes, self.lengths))
        whole = Interleave(tuple(axes), tuple(apart.values()), tuple(lengths))
        parts = [
            self._turn(dict(zip(apart, turn, strict=True)), g, padded, w) for turn in whole.turns()
        ]
        return apply(whole, *parts)

    def _contracted(self, g: Node, w: Node) -> Node:
        w = flip(w, [self.kernel.index(tap) for tap in self.taps])
        result = self.f.result[: len(self.f.result) - len(self.axes)]
        if self.first:
            return apply(Contract(self.positions + self.taps, self.kernel, result), g, w)
        return apply(Contract(self.kernel, self.positions + self.taps, result), w, g)

    def _turn(self, turn: Mapping[int, int], g: Node, padded: Node, w: Node) -> Node:
        """The elements that come first, second, … of each stride along some axes."""
        slides, lengths = list(self.slides), list(self.lengths)
        starts, steps = [0] * w.ndim, [1] * w.ndim
        for number, first in turn.items():
            slide, axis = self.slides[number], self.kernel.index(self.taps[number])
            starts[axis], steps[axis] = first, slide.stride
            slides[number] = Sliding(len(range(first, slide.taps, slide.stride)))
            lengths[number] = len(range(first, self.lengths[number], slide.stride))
        met = apply(Slice(tuple(starts), w.shape, tuple(steps)), w)
        one = replace(self, slides=tuple(slides), lengths=tuple(lengths))
        return one._contracted(one._windows(self._near(one, g, padded)), met)

    def _near(self, one: _Gradient, g: Node, padded: Node) -> Node:
        """The part of the padded cotangent that one of several contractions reads."""
        starts, stops = [0] * g.ndim, list(padded.shape)
        rooms = zip(self._places, self._room(g), one._room(g), strict=True)
        for axis, (low, high, _), (needed, further, _) in rooms:
            starts[axis] = low - needed
            stops[axis] = coefficient_of(padded.shape[axis]) - (high - further)
        return apply(Slice(tuple(starts), tuple(stops), (1,) * g.ndim), padded)

    @property
    def _places(self) -> Sequence[int]:
        """The axes of the cotangent along which windows have their positions."""
        return [self.positions.index(self.f.result[axis]) for axis in self.axes]

    def _room(self, g: Node) -> Sequence[tuple[int, int, int]]:
        """The zeros before, after and between its elements along these axes."""
        found = []
        for axis, slide, length in zip(self._places, self.slides, self.lengths, strict=True):
            count = coefficient_of(g.shape[axis])
            if _leaves_out(slide):  # as much as the first elements in turn need, which are most
                taps, elements = (-(-each // slide.stride) for each in (slide.taps, length))
                found.append((taps - 1, elements - count, 0))
            else:
                last = (count - 1) * slide.stride
                found.append((slide.span - 1, length - 1 - last, slide.stride - 1))
        return found

    def _widths(self, g: Node, along: Sequence[int]) -> Axes:
        by_axis = dict(zip(self._places, along, strict=True))
        return tuple(by_axis.get(axis, 0) for axis in range(g.ndim))

    def _windows(self, padded: Node) -> Node:
        """For each element of the result, the positions whose windows hold it: a window of them."""
        steps = tuple(replace(slide, stride=1) for slide in self.slides)
        return apply(Window(tuple(self._places), steps), padded)


def _leaves_out(slide: Sliding) -> bool:
    """Does an element meet only every so many of a window's taps?"""
    return 1 < slide.stride <= slide.taps and slide.dilation == 1
