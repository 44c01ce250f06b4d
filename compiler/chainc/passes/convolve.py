"""The gradient of a convolution is one: windows that overlap are contracted, not added.

    overlap_add(contract(g, w))   →   contract(window(pad(g)), flip(w))

Each element of the result reads the windows that hold it, so nothing is added in place. Steps
between windows are zeros between the cotangents. The sums are the same, in another order.

Needs: permutations in the letters of contractions, as `canonicalize` puts them. Leaves: other sums
of windows as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainc.ir import Graph, Node, apply
from chainc.ir.types import TensorType, float32, named
from chainc.ops import flip
from chainc.ops.contract import Contract
from chainc.ops.parts.slicing import Pad
from chainc.ops.parts.window import OverlapAdd, Sliding, Window
from chainc.passes.canonicalize import canonical
from chainc.passes.rules import windows
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()

Axes = tuple[int, ...]
Slides = tuple[Sliding, ...]

IMAGES = TensorType((named("batch"), 5, 3), float32)  # operands to test rules with
KERNEL = TensorType((5, 2, 2), float32)
MATRIX = TensorType((4, 2), float32)


def convolve(graph: Graph) -> Graph:
    """Contractions over windows in the place of sums of windows that overlap."""
    return rewrite(graph, (*windows.rule, *rule, *canonical()), fast_math=True)


@rule.fast(
    exact_for="i",
    at=[
        ((2,), (Sliding(2),), (4,), Contract("boh", "oci", "bchi"), IMAGES, KERNEL),
        ((0,), (Sliding(2, 2, 2),), (6,), Contract("ki", "kh", "hi"), MATRIX, MATRIX),
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
        positions, kernel = (f.a, f.b) if set(places) <= set(f.a) else (f.b, f.a)
        if not _apart(places, taps, positions, kernel):
            return None
        g, w = (x, y) if positions == f.a else (y, x)
        g = _windows_of_all(g, [positions.index(place) for place in places], slides, lengths)
        w = flip(w, [kernel.index(tap) for tap in taps])
        result = f.result[: len(f.result) - count]
        if positions == f.a:
            return apply(Contract(positions + taps, kernel, result), g, w)
        return apply(Contract(kernel, positions + taps, result), w, g)

    return total, turned


def _apart(places: Sequence[str], taps: str, positions: str, kernel: str) -> bool:
    """Are positions of windows the one operand's, and their taps the other's?"""
    one = set(places) <= set(positions) and not set(taps) & set(positions)
    return one and set(taps) <= set(kernel) and not set(places) & set(kernel)


def _windows_of_all(g: Node, axes: Sequence[int], slides: Slides, lengths: Axes) -> Node:
    """For each element of the result, the positions whose windows hold it: a window of them."""
    low, high, interior = [0] * g.ndim, [0] * g.ndim, [0] * g.ndim
    for axis, slide, length in zip(axes, slides, lengths, strict=True):
        positions = slide.positions(length)
        low[axis], interior[axis] = slide.span - 1, slide.stride - 1
        high[axis] = length - 1 - (positions - 1) * slide.stride
    spread = apply(Pad(tuple(low), tuple(high), tuple(interior)), g)
    steps = tuple(replace(slide, stride=1) for slide in slides)
    return apply(Window(tuple(axes), steps), spread)
