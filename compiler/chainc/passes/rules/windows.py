"""Rules about windows: a window of one tap is none, and a gradient is again a contraction over one.

overlap_add(contract(g, w))   →   contract(window(pad(g)), flip(w))     fast: other order of sums
slice(contract(x, w))         →   contract(slice(x), w)                 exact: less is computed
reshape(contract(x, w))       →   contract(reshape(x), reshape(w))      exact: an axis of 1 less
overlap_add(picked(g)) where  →   overlap_add(picked(g where largest))  exact: a ReLU's derivative
"""

from __future__ import annotations

from collections.abc import Mapping

from chainc.ir import Node, apply
from chainc.ir.types import Axes, Dim, Shape, TensorType, coefficient_of, float32, named
from chainc.ops import less, reshape, where
from chainc.ops.contract import Contract
from chainc.ops.index import ArgMax, OneHot, Pick
from chainc.ops.movement import Reshape
from chainc.ops.parts.interleave import Interleave
from chainc.ops.parts.slicing import Pad, Slice
from chainc.ops.parts.window import OverlapAdd, Sliding, Window
from chainc.rewriting.patterns import Operands
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()

Slides = tuple[Sliding, ...]

BATCH = named("batch")
IN_TURN = Interleave((1,), (2,), (5,))
PAIR, LONE, EVERY_OTHER = Sliding(2), Sliding(1), Sliding(1, 2)


def _f32(*shape: Dim) -> TensorType:
    """An operand to test a rule with."""
    return TensorType(shape, float32)


@rule.exact(
    at=[
        ((1,), (LONE,), _f32(BATCH, 3)),
        ((2, 1), (PAIR, EVERY_OTHER), _f32(2, 5, 3)),
        ((0,), (LONE,), _f32(BATCH)),
    ]
)
def window_of_one(axes: Axes, slides: Slides, x: Node) -> Equation:
    """Its elements are those of the tensor, or every so many of them."""
    y = apply(Window(axes, slides), x)

    def without() -> Node | None:
        kept = tuple(i for i, slide in enumerate(slides) if slide.taps > 1)
        if len(kept) == len(slides):
            return None
        steps = [1] * x.ndim
        for axis, slide in zip(axes, slides, strict=True):
            if slide.taps == 1:
                steps[axis] = slide.stride
        starts = (0,) * x.ndim
        less = apply(Slice(starts, x.shape, tuple(steps)), x) if set(steps) != {1} else x
        remaining = Window(tuple(axes[i] for i in kept), tuple(slides[i] for i in kept))
        return reshape(apply(remaining, less) if kept else less, y.shape)

    return y, without


@rule.exact(
    at=[
        ((1,), (LONE,), (3,), _f32(BATCH, 3, 1)),
        ((2, 1), (PAIR, EVERY_OTHER), (3, 6), _f32(2, 3, 2, 2, 1)),
    ]
)
def overlap_add_of_one(axes: Axes, slides: Slides, lengths: Axes, y: Node) -> Equation:
    """Nothing overlaps along an axis of one tap."""
    total = apply(OverlapAdd(axes, slides, lengths), y)

    def without() -> Node | None:
        kept = tuple(i for i, slide in enumerate(slides) if slide.taps > 1)
        if len(kept) == len(slides):
            return None
        rank = total.ndim
        shape = (*y.shape[:rank], *(slides[i].taps for i in kept))
        summed = reshape(y, shape)
        if kept:
            rest = OverlapAdd(
                tuple(axes[i] for i in kept),
                tuple(slides[i] for i in kept),
                tuple(lengths[i] for i in kept),
            )
            summed = apply(rest, summed)
        return _spread(summed, axes, slides, total.shape)

    return total, without


def _spread(y: Node, axes: Axes, slides: Slides, shape: Shape) -> Node:
    """Zeros between positions along the axes of one tap."""
    high, interior = [0] * len(shape), [0] * len(shape)
    for axis, slide in zip(axes, slides, strict=True):
        if slide.taps == 1 and slide.stride > 1:
            interior[axis] = slide.stride - 1
            positions = slide.positions(coefficient_of(shape[axis]))
            high[axis] = coefficient_of(shape[axis]) - slide.covered(positions)
    return apply(Pad((0,) * len(shape), tuple(high), tuple(interior)), y)


# ----- pooling


@rule.exact(
    at=[
        (
            OverlapAdd((1, 2), (PAIR, PAIR), (3, 3)), Reshape((BATCH, 2, 2, 2, 2)), OneHot(4),
            ArgMax(3), Reshape((BATCH, 2, 2, 4)), Window((1, 2), (PAIR, PAIR)), _f32(BATCH, 3, 3),
            _f32(BATCH, 2, 2, 1),
        )
    ]
)  # fmt: skip
def positive_largest(
    f: OverlapAdd,
    windows: Reshape,
    coded: OneHot,
    found: ArgMax,
    rows: Reshape,
    window: Window,
    x: Node,
    g: Node,
) -> Equation:
    """Where a window's largest element is picked, that is positive: one is looked at, not all."""
    elements = apply(rows, apply(window, x))
    picked = apply(found, elements)
    here = less(0, apply(coded, picked))

    def put_back(cotangent: Node) -> Node:
        return apply(f, apply(windows, where(here, cotangent, 0)))

    def early() -> Node | None:
        if (f.axes, f.slides) != (window.axes, window.slides) or found.axis != elements.ndim - 1:
            return None
        if g.shape != (*picked.shape, 1) or windows.shape[: picked.ndim] != picked.shape:
            return None
        largest = reshape(apply(Pick(), elements, picked), g.shape)
        return put_back(where(less(0, largest), g, 0))

    return where(less(0, x), put_back(g), 0), early


# ----- less is computed where only a part is read


@rule.exact(
    alone=True,
    at=[
        ((0, 1), (BATCH, 3), (1, 2), Contract("ab", "bc", "ac"), _f32(BATCH, 2), _f32(2, 4)),
        ((1, 0), (3, 2), (1, 1), Contract("ab", "acb", "ca"), _f32(2, 3), _f32(2, 3, 3)),
    ],
)
def slice_of_contraction(
    starts: Axes, stops: Shape, steps: Axes, f: Contract, x: Node, y: Node
) -> Equation:
    whole = apply(f, x, y)

    def parts() -> Node:
        cuts = dict(zip(f.result, zip(starts, stops, steps, strict=True), strict=True))

        def part(z: Node, letters: str) -> Node:
            bounds = [
                cuts.get(letter, (0, dim, 1)) for letter, dim in zip(letters, z.shape, strict=True)
            ]
            return apply(
                Slice(
                    tuple(start for start, _, _ in bounds),
                    tuple(stop for _, stop, _ in bounds),
                    tuple(step for _, _, step in bounds),
                ),
                z,
            )

        return apply(f, part(x, f.a), part(y, f.b))

    return apply(Slice(starts, stops, steps), whole), parts


@rule.exact(
    at=[
        ((0, 1, 0), (BATCH, 3, 2), (1, 1, 1), (1,), (PAIR,), _f32(BATCH, 6)),
        ((1, 0), (2, 2), (1, 1), (0,), (Sliding(2, 2, 2),), _f32(8)),
    ]
)
def slice_of_window(
    starts: Axes, stops: Shape, steps: Axes, axes: Axes, slides: Slides, x: Node
) -> Equation:
    """Fewer windows read less of the tensor."""
    y = apply(Slice(starts, stops, steps), apply(Window(axes, slides), x))

    def narrower() -> Node | None:
        taps = zip(starts[x.ndim :], stops[x.ndim :], slides, strict=True)
        if set(steps) != {1} or any((a, b) != (0, slide.taps) for a, b, slide in taps):
            return None
        first, last = list(starts[: x.ndim]), list(stops[: x.ndim])
        for axis, slide in zip(axes, slides, strict=True):
            if (first[axis], last[axis]) == (0, slide.positions(coefficient_of(x.shape[axis]))):
                last[axis] = x.shape[axis]
                continue
            if y.shape[axis] == 0:
                return None
            first[axis] = starts[axis] * slide.stride
            last[axis] = first[axis] + slide.covered(coefficient_of(y.shape[axis]))
        if (tuple(first), tuple(last)) == ((0,) * x.ndim, x.shape):
            return None
        less = apply(Slice(tuple(first), tuple(last), (1,) * x.ndim), x)
        return apply(Window(axes, slides), less)

    return y, narrower


@rule.exact(
    alone=True,
    at=[
        ((0, 1), (BATCH, 4), (1, 1), (0, 2), (0, 1), (0, 0), 1.0, _f32(BATCH, 3)),
        ((1,), (5,), (1,), (2,), (1,), (1,), 0.0, _f32(3)),
    ],
)
def slice_of_padding(
    starts: Axes,
    stops: Shape,
    steps: Axes,
    low: Axes,
    high: Axes,
    interior: Axes,
    value: float,
    x: Node,
) -> Equation:
    y = apply(Slice(starts, stops, steps), apply(Pad(low, high, interior, value), x))

    def less() -> Node | None:
        if set(steps) != {1}:
            return None
        rows = [
            _left_of_padding(dim, int(start), coefficient_of(count), before, gap + 1)
            if isinstance(dim, int)
            else (0, dim, 0, 0)
            for dim, start, count, before, gap in zip(
                x.shape, starts, y.shape, low, interior, strict=True
            )
        ]
        found = [row for row in rows if row is not None]
        if len(found) < len(rows):
            return None
        firsts, lasts, before, after = zip(*found, strict=True)
        part = apply(Slice(firsts, lasts, (1,) * x.ndim), x)
        return apply(Pad(before, after, interior, value), part)

    return y, less


def _left_of_padding(
    dim: int, start: int, count: int, low: int, apart: int
) -> tuple[int, int, int, int] | None:
    """The elements within a part of a padded axis, first and last, and the padding around them."""
    first = max(-((low - start) // apart), 0)
    last = min((start + count - 1 - low) // apart + 1, dim)
    if first >= last:
        return None
    before = low + first * apart - start
    return first, last, before, count - before - (last - 1 - first) * apart - 1


@rule.exact(
    alone=True,
    at=[
        ((0, 1), (BATCH, 5), (1, 1), IN_TURN, (_f32(BATCH, 3), _f32(BATCH, 2))),
        ((1, 0), (3, 2), (1, 1), Interleave((0, 1), (2, 1), (3, 2)), (_f32(2, 2), _f32(1, 2))),
    ],
)
def slice_of_interleaved(
    starts: Axes, stops: Shape, steps: Axes, f: Interleave, parts: Operands
) -> Equation:
    """Fewer elements in turn: of each part those that are among them."""
    y = apply(Slice(starts, stops, steps), apply(f, *parts))

    def fewer() -> Node | None:
        if set(steps) != {1}:
            return None
        lengths = tuple(coefficient_of(y.shape[axis]) for axis in f.axes)
        whole = Interleave(f.axes, f.apart, lengths)
        by_turn = dict(zip(f.turns(), parts, strict=True))
        return apply(whole, *(taken(by_turn, whole, turn) for turn in whole.turns()))

    def taken(by_turn: Mapping[Axes, Node], whole: Interleave, turn: Axes) -> Node:
        """Element k is element k + start of what is sliced, so it comes from another part."""
        moved = {
            axis: divmod(first + starts[axis], apart)
            for axis, first, apart in zip(f.axes, turn, f.apart, strict=True)
        }
        part = by_turn[tuple(first for _, first in moved.values())]
        low, high = list(starts), list(stops)
        for number, (axis, (index, _)) in enumerate(moved.items()):
            low[axis] = index
            high[axis] = index + len(range(turn[number], whole.lengths[number], f.apart[number]))
        return apply(Slice(tuple(low), tuple(high), steps), part)

    return y, fewer


@rule.exact(at=[(Contract("abi", "cbi", "ac"), _f32(BATCH, 3, 1), _f32(4, 3, 1))])
def contract_along_one(f: Contract, x: Node, y: Node) -> Equation:
    """A sum of one product needs no axis."""

    def without() -> Node | None:
        gone = {
            letter
            for letter, dim in zip(f.a, x.shape, strict=True)
            if dim == 1 and letter not in f.result
        }
        if not gone:
            return None
        a, b = ("".join(c for c in part if c not in gone) for part in (f.a, f.b))
        return apply(Contract(a, b, f.result), _squeezed(x, f.a, gone), _squeezed(y, f.b, gone))

    return apply(f, x, y), without


@rule.exact(
    alone=True,
    at=[
        (Contract("abc", "dbc", "bad"), (3, BATCH), _f32(BATCH, 3, 4), _f32(1, 3, 4)),
        (Contract("ab", "bc", "ac"), (2,), _f32(1, 3), _f32(3, 2)),
    ],
)
def contract_to_fewer_axes(f: Contract, shape: Shape, x: Node, y: Node) -> Equation:
    """Sums need no axis of size 1 that is dropped, such as that of groups of one channel."""
    sums = apply(f, x, y)

    def without() -> Node | None:
        gone = _dropped(f.result, sums.shape, shape)
        if not gone:
            return None
        a, b, result = ("".join(c for c in part if c not in gone) for part in (f.a, f.b, f.result))
        return apply(Contract(a, b, result), _squeezed(x, f.a, gone), _squeezed(y, f.b, gone))

    return apply(Reshape(shape), sums), without


def _dropped(letters: str, before: Shape, after: Shape) -> set[str]:
    """The axes of size 1 without which a shape is another; none where it is not so."""
    kept, gone = list(after), set[str]()
    for letter, dim in zip(letters, before, strict=True):
        if kept and kept[0] == dim:
            kept.pop(0)
        elif dim == 1:
            gone.add(letter)
        else:
            return set()
    return set() if kept else gone


def _squeezed(x: Node, letters: str, gone: set[str]) -> Node:
    kept = [dim for dim, letter in zip(x.shape, letters, strict=True) if letter not in gone]
    return reshape(x, kept)
