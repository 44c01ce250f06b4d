"""Rules of `canonicalize` about movement: it goes outwards, meets there, and mostly vanishes."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import replace

from chainc.ir import Node, Op, apply
from chainc.ir.leaves import size
from chainc.ir.types import Axes, Dim, Shape, TensorType, float32, named, product
from chainc.ops import astype, broadcast_to, reshape
from chainc.ops.arithmetic import Add
from chainc.ops.contract import Contract
from chainc.ops.elementwise import Elementwise
from chainc.ops.functions import Exp
from chainc.ops.movement import BroadcastTo, Flip, PermuteDims, Reshape
from chainc.ops.parts.slicing import Concat, Pad, Slice
from chainc.ops.reduce import Extremum, Max, Min, Reduce, Sum
from chainc.rewriting.patterns import Operands
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()


BATCH = named("batch")


def _f32(*shape: Dim) -> TensorType:
    """An operand to test a rule with."""
    return TensorType(shape, float32)


# ----- movements that move nothing


@rule.exact(at=[(_f32(2, 3), (2, 3)), (_f32(BATCH), (BATCH,))])
def no_reshape(x: Node, shape: Shape) -> Equation:
    return apply(Reshape(shape), x), x


@rule.exact(at=[(_f32(2, 3), (2, 3)), (_f32(), ())])
def no_broadcast(x: Node, shape: Shape) -> Equation:
    return apply(BroadcastTo(shape), x), x


@rule.exact(at=[(_f32(2, 2), (0, 1)), (_f32(3), (0,))])
def no_permutation(x: Node, axes: Axes) -> Equation:
    return apply(PermuteDims(axes), x), lambda: x if axes == tuple(range(x.ndim)) else None


@rule.exact(at=[(_f32(2, 3), ())])
def no_flip(x: Node, axes: Axes) -> Equation:
    return apply(Flip(axes), x), lambda: None if axes else x


@rule.exact(at=[(_f32(2, 3), (0, 0), (2, 3), (1, 1)), (_f32(BATCH), (0,), (BATCH,), (1,))])
def no_slice(x: Node, starts: Axes, stops: Shape, steps: Axes) -> Equation:
    y = apply(Slice(starts, stops, steps), x)
    return y, lambda: x if set(starts) <= {0} and set(steps) <= {1} else None


@rule.exact(at=[(_f32(2, 3), (0, 0), (0, 0), (0, 0), 1.0)])
def no_padding(x: Node, low: Axes, high: Axes, interior: Axes, value: float) -> Equation:
    y = apply(Pad(low, high, interior, value), x)
    return y, lambda: x if {*low, *high, *interior} <= {0} else None


@rule.exact(at=[(0, _f32(2, 3))])
def concat_of_one(axis: int, x: Node) -> Equation:
    return apply(Concat(axis), x), x


@rule.exact(at=[(Sum(()), _f32(2, 3)), (Max((), True), _f32(2))])
def no_reduction(r: Reduce, x: Node) -> Equation:
    return apply(r, x), lambda: None if r.axes else x


# ----- two movements that are one


@rule.exact(at=[(_f32(2, 6), (3, 4), (12,)), (_f32(BATCH, 1), (BATCH,), (1, BATCH))])
def reshape_twice(x: Node, inner: Shape, outer: Shape) -> Equation:
    return apply(Reshape(outer), apply(Reshape(inner), x)), apply(Reshape(outer), x)


@rule.exact(at=[(_f32(3), (2, 3), (4, 2, 3)), (_f32(1, 1), (2, 1), (2, 3))])
def broadcast_twice(x: Node, inner: Shape, outer: Shape) -> Equation:
    return apply(BroadcastTo(outer), apply(BroadcastTo(inner), x)), apply(BroadcastTo(outer), x)


@rule.exact(at=[(_f32(2, 3, 4), (1, 2, 0), (0, 2, 1)), (_f32(2, 3), (1, 0), (1, 0))])
def permute_twice(x: Node, inner: Axes, outer: Axes) -> Equation:
    return apply(PermuteDims(outer), apply(PermuteDims(inner), x)), lambda: apply(
        PermuteDims(tuple(inner[axis] for axis in outer)), x
    )


@rule.exact(at=[(_f32(2, 3), (0,), (0, 1)), (_f32(2, 3), (1,), (1,))])
def flip_twice(x: Node, inner: Axes, outer: Axes) -> Equation:
    return apply(Flip(outer), apply(Flip(inner), x)), lambda: apply(
        Flip(tuple(sorted(set(inner) ^ set(outer)))), x
    )


@rule.exact(
    at=[
        (_f32(9, 3), (1, 0), (9, 3), (2, 1), (1, 1), (3, 3), (2, 1)),
        (_f32(BATCH, 5), (0, 1), (BATCH, 5), (1, 1), (0, 2), (BATCH, 2), (1, 1)),
    ]
)
def slice_twice(
    x: Node, starts: Axes, stops: Shape, steps: Axes, starts2: Axes, stops2: Shape, steps2: Axes
) -> Equation:
    y = apply(Slice(starts2, stops2, steps2), apply(Slice(starts, stops, steps), x))

    def joined() -> Node:
        first = tuple(a + b * step for a, b, step in zip(starts, starts2, steps, strict=True))
        strides = tuple(a * b for a, b in zip(steps, steps2, strict=True))
        ends = tuple(
            start + max(count - 1, 0) * stride + min(count, 1) if isinstance(count, int) else count
            for start, count, stride in zip(first, y.shape, strides, strict=True)
        )
        return apply(Slice(first, ends, strides), x)

    return y, joined


# ----- movements that another spells better


@rule.exact(at=[(_f32(BATCH, 1), (1, 0)), (_f32(1, 2, 1, 3), (1, 0, 3, 2))])
def permute_unit_axes(x: Node, axes: Axes) -> Equation:
    """Only axes of size 1 change their place."""
    y = apply(PermuteDims(axes), x)

    def reshaped() -> Node | None:
        moved = [axis for axis in axes if x.shape[axis] != 1]
        return reshape(x, y.shape) if moved == sorted(moved) else None

    return y, reshaped


@rule.exact(at=[(_f32(3), (1, 3)), (_f32(), (1, 1))])
def broadcast_unit_axes(x: Node, shape: Shape) -> Equation:
    """Only axes of size 1 are new."""
    y = apply(BroadcastTo(shape), x)
    return y, lambda: reshape(x, shape) if x.type.size == product(shape) else None


@rule.exact(at=[(_f32(), (1,), (BATCH,)), (_f32(3), (1, 3), (2, 3)), (_f32(1, 3), (3,), (2, 3))])
def broadcast_of_reshape(x: Node, inner: Shape, outer: Shape) -> Equation:
    """A broadcast adds leading axes by itself."""

    def at_once() -> Node | None:
        fits = x.ndim <= len(outer) and _without_leading(x.shape) == _without_leading(inner)
        return broadcast_to(x, outer) if fits else None

    return apply(BroadcastTo(outer), apply(Reshape(inner), x)), at_once


def _without_leading(shape: Shape) -> Shape:
    """The shape without its first axes of size 1."""
    kept = next((axis for axis, dim in enumerate(shape) if dim != 1), len(shape))
    return shape[kept:]


@rule.exact(at=[(_f32(), (BATCH,), (BATCH, 1)), (_f32(3), (2, 3), (2, 1, 3))])
def reshape_of_broadcast(x: Node, inner: Shape, outer: Shape) -> Equation:
    """The reshape only inserts or removes axes of size 1."""

    def moved() -> Node | None:
        padded = (1,) * (len(inner) - x.ndim) + x.shape
        facing = [p for p, dim in zip(padded, inner, strict=True) if dim != 1]
        if [dim for dim in inner if dim != 1] != [dim for dim in outer if dim != 1]:
            return None
        source = iter(facing)
        shape = tuple(1 if dim == 1 else next(source) for dim in outer)
        return broadcast_to(reshape(x, shape), outer)

    return apply(Reshape(outer), apply(BroadcastTo(inner), x)), moved


# ----- elementwise ops


@rule.exact(
    reads=(BroadcastTo, Reshape),
    at=[
        (Exp(), ((_f32(3), BroadcastTo((2, 3))),)),
        (Add(), ((_f32(), BroadcastTo((2, 3))), _f32(2, 3))),
        (Add(), ((_f32(), BroadcastTo((2, 3))), (_f32(3), BroadcastTo((2, 3))))),
        (Add(), ((_f32(3), Reshape((1, 3))), _f32(2, 3))),
    ],
)
def broadcast_last(f: Elementwise, operands: Operands) -> Equation:
    """An elementwise op broadcasts by itself, and has less to do before."""
    y = apply(f, *operands)

    def repeated() -> Node | None:
        bare = [_source(x, BroadcastTo) for x in operands]
        implied = [_implied(x) for x in bare]
        if any(a is not b for a, b in zip(implied, operands, strict=True)):
            early = apply(f, *implied)
            if early.shape == y.shape:
                return early
        if all(a is b for a, b in zip(bare, operands, strict=True)):
            return None
        return broadcast_to(apply(f, *bare), y.shape)

    return y, repeated


def _source(x: Node, movement: type[Op]) -> Node:
    """What x moves, where it is that movement; else x."""
    return x.inputs[0] if isinstance(x.op, movement) else x


def _implied(x: Node) -> Node:
    """The operand without a reshape that adds leading axes of size 1: broadcasting does."""
    source = _source(x, Reshape)
    adds = len(source.shape) < x.ndim and x.shape[x.ndim - source.ndim :] == source.shape
    return source if adds else x


@rule.exact(
    reads=(Reshape, PermuteDims, Flip),
    at=[
        (Exp(), ((_f32(2, 3), Reshape((6,))),)),
        (Add(), ((_f32(2, 3), PermuteDims((1, 0))), (_f32(2, 3), PermuteDims((1, 0))))),
        (Add(), ((_f32(2, 3), Flip((1,))), _f32())),
    ],
)
def movement_last(f: Elementwise, operands: Operands) -> Equation:
    """All operands are moved alike."""
    y = apply(f, *operands)

    def moved() -> Node | None:
        large = [x for x in operands if x.ndim]
        moves = {x.op for x in large}
        if len(moves) != 1 or not isinstance(large[0].op, Reshape | PermuteDims | Flip):
            return None
        if len({x.inputs[0].shape for x in large}) != 1:
            return None
        return apply(large[0].op, apply(f, *(x.inputs[0] if x.ndim else x for x in operands)))

    return y, moved


# ----- reductions


@rule.exact(at=[(Sum((1,)), _f32(2, 1)), (Max((0, 2), True), _f32(1, 2, 1))])
def reduce_unit_axes(r: Reduce, x: Node) -> Equation:
    """There is one element to fold."""
    y = apply(r, x)
    return y, lambda: reshape(x, y.shape) if all(x.shape[axis] == 1 for axis in r.axes) else None


@rule.exact(
    alone=True,
    at=[(Sum((1,)), _f32(BATCH, 3), (BATCH, 1)), (Max((0,), True), _f32(2, 3), (3,))],
)
def reshape_of_reduction(r: Reduce, x: Node, shape: Shape) -> Equation:
    """A reduction keeps or drops its axes by itself."""
    return apply(Reshape(shape), apply(r, x)), lambda: apply(replace(r, keepdims=not r.keepdims), x)


@rule.exact(at=[((0,), True, _f32(3), (4, 3)), ((0, 1), False, _f32(), (BATCH, 3))])
def sum_of_broadcast(axes: Axes, keepdims: bool, x: Node, shape: Shape) -> Equation:
    """Equal terms are one term times their number, rounded once."""
    y = apply(Sum(axes, keepdims), apply(BroadcastTo(shape), x))

    def product_with_count() -> Node | None:
        term = _common_element(x, shape, axes, keepdims)
        count = product(shape[axis] for axis in axes)
        if term is None or count == 0:
            return None
        return broadcast_to(term * astype(size(count), x.type.dtype), y.shape)

    return y, product_with_count


@rule.exact(at=[(Max((0,)), _f32(3), (4, 3)), (Min((1,), True), _f32(2, 1), (2, 3))])
def extremum_of_broadcast(r: Extremum, x: Node, shape: Shape) -> Equation:
    """All elements are equal."""
    y = apply(r, apply(BroadcastTo(shape), x))

    def element() -> Node | None:
        found = _common_element(x, shape, r.axes, r.keepdims)
        return None if found is None else broadcast_to(found, y.shape)

    return y, element


def _common_element(x: Node, shape: Shape, axes: Axes, keepdims: bool) -> Node | None:
    """The operand without the reduced axes, where broadcasting repeats it along all of them."""
    padded = (1,) * (len(shape) - x.ndim) + x.shape
    if any(padded[axis] != 1 for axis in axes):
        return None
    return reshape(x, Sum(axes, keepdims).infer(x.type.with_shape(padded)).shape)


# ----- contractions


@rule.exact(at=[(Contract("ba", "dc", "dcba"), _f32(2, 3), _f32(4, 5)),
                (Contract("ik", "kj", "ij"), _f32(BATCH, 3), _f32(3, 4))])  # fmt: skip
def letters_in_order(f: Contract, x: Node, y: Node) -> Equation:
    """The first axis is a, the next new one b, and so on."""

    def renamed() -> Node | None:
        names = dict(zip(dict.fromkeys(f.a + f.b), string.ascii_letters, strict=False))
        a, b, result = ("".join(names[c] for c in part) for part in (f.a, f.b, f.result))
        return apply(Contract(a, b, result), x, y)

    return apply(f, x, y), lambda: None if _in_order(f) else renamed()


def _in_order(f: Contract) -> bool:
    found = "".join(dict.fromkeys(f.a + f.b))
    return string.ascii_letters.startswith(found)


@rule.exact(at=[(Contract("ab", "bc", "ac"), (1, 0), _f32(3, BATCH), _f32(3, 4))])
def contract_permuted_left(f: Contract, axes: Axes, x: Node, y: Node) -> Equation:
    return apply(f, apply(PermuteDims(axes), x), y), lambda: apply(
        replace(f, a=_before(f.a, axes)), x, y
    )


@rule.exact(at=[(Contract("abc", "dbc", "ad"), (2, 0, 1), _f32(2, 3, 4), _f32(3, 4, 5))])
def contract_permuted_right(f: Contract, axes: Axes, x: Node, y: Node) -> Equation:
    return apply(f, x, apply(PermuteDims(axes), y)), lambda: apply(
        replace(f, b=_before(f.b, axes)), x, y
    )


@rule.exact(alone=True, at=[(Contract("ab", "bc", "ac"), (1, 0), _f32(BATCH, 3), _f32(3, 4))])
def permuted_contract(f: Contract, axes: Axes, x: Node, y: Node) -> Equation:
    return apply(PermuteDims(axes), apply(f, x, y)), lambda: apply(
        replace(f, result="".join(f.result[axis] for axis in axes)), x, y
    )


def _before(letters: str, axes: Sequence[int]) -> str:
    """The letters of a tensor's axes from those of its permutation."""
    return "".join(letters[axes.index(axis)] for axis in range(len(axes)))
