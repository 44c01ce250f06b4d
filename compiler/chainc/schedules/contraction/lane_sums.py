"""The lanes of several vectors added up together: half as many vectors after each round.

    a0 a1 a2 a3   b0 b1 b2 b3   →   a0+a2 a1+a3 b0+b2 b1+b3   →   (a0+a2)+(a1+a3) (b0+b2)+(b1+b3) …

Each sum is that of one vector by itself, halves to halves, so bits do not depend on how many there
are; but it takes a few instructions for each where that takes two for every halving.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainc.loops.builder import NestBuilder
from chainc.loops.values import Register


def lane_sums(builder: NestBuilder, vectors: Sequence[Register]) -> list[Register]:
    """One scalar for each vector; all have the same lanes."""
    found: list[Register] = []
    left, lanes = list(vectors), vectors[0].kind.lanes
    while left:
        count = min(lanes, 1 << len(left).bit_length() - 1)
        found += _summed(builder, left[:count], lanes)
        left = left[count:]
    return found


def _summed(builder: NestBuilder, vectors: Sequence[Register], lanes: int) -> Sequence[Register]:
    """Of 1, 2, 4, … vectors: in the end each lane is a sum, in their order."""
    if len(vectors) == 1:
        return [builder.across("add", vectors[0])]
    count, kept, size = len(vectors), list(vectors), lanes
    while size > 1:
        size //= 2
        if len(kept) > 1:
            pairs = zip(kept[::2], kept[1::2], strict=True)
            kept = [_halved(builder, pair, lanes, size) for pair in pairs]
        else:
            kept = [_halved(builder, kept, kept[0].kind.lanes, size)]
    return [builder.lane(kept[0], position) for position in range(count)]


def _halved(builder: NestBuilder, vectors: Sequence[Register], lanes: int, size: int) -> Register:
    """Runs of twice `size` lanes, of one vector or of two, become runs of `size`."""
    groups = range(0, len(vectors) * lanes, 2 * size)
    low = [start + i for start in groups for i in range(size)]
    high = [start + size + i for start in groups for i in range(size)]
    halves = (builder.shuffle(vectors, picked) for picked in (low, high))
    return builder.compute("add", *halves)
