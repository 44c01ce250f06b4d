"""The tile table and the cover, against a search through all covers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from chainc.schedules.contraction.tiles import (
    TiledArea,
    cover,
    covered,
    cycles,
    fits,
    mixed,
    steps_of_pass,
    tiles,
    tiling,
)
from chainc.schedules.layout.machine import AVX2, AVX512, NEON, SSE, Machine

ALL = [AVX512, AVX2, NEON, SSE]


@pytest.mark.parametrize(
    ("machine", "rows", "vectors"),
    [
        (AVX512, 12, 2),
        (AVX512, 8, 3),
        (AVX512, 6, 4),
        (AVX2, 6, 2),
        (AVX2, 4, 3),
        (AVX2, 8, 1),
        (SSE, 4, 2),
    ],
)
def test_the_largest_tiles(machine: Machine, rows: int, vectors: int) -> None:
    assert fits(machine, rows, vectors)
    assert not fits(machine, rows + 1, vectors)


@pytest.mark.parametrize("machine", ALL)
def test_sums_vectors_and_a_scalar_share_the_registers(machine: Machine) -> None:
    for rows, vectors, width in itertools.product(range(2, 30), range(1, 12), (1, 2)):
        if fits(machine, rows, vectors, width):
            assert (rows * vectors + vectors) * width + 1 <= machine.registers
        if fits(machine, rows, vectors, width, far=True) and rows == 2:
            assert (rows * vectors + 1) * width + 2 <= machine.registers


def _step(rows: int, vectors: int, depth: int, *, scattered: bool = False) -> float:
    """Cycles of one, of a tile that covers 32 vectors with others."""
    area = TiledArea([(rows, 1)], 32, depth, scattered=scattered)
    return cycles(AVX512, area, rows, vectors)


def test_a_step_costs_what_its_scarcest_resource_does() -> None:
    assert _step(8, 2, 64) == pytest.approx(8 + 0.1 * 5)  # 16 multiply-adds, 2 a cycle
    assert _step(1, 1, 64) == pytest.approx(4.7 + 0.1 * 1)  # the latency of one
    assert _step(8, 1, 64) / 8 > 1.1 * _step(8, 2, 64) / 16  # eight sums still wait for it
    assert _step(20, 1, 64) == pytest.approx(10.5 + 0.1 * 10.5)  # 21 loads
    assert _step(4, 4, 64) < _step(4, 4, 784)  # vectors from further away


def test_vectors_that_lie_apart_are_best_read_many_at_a_time() -> None:
    """A row of weights that one row of elements is multiplied with: a kilobyte of each."""
    each = [_step(1, vectors, 128, scattered=True) / vectors for vectors in (1, 2, 4, 8, 16)]
    assert all(more > 1.1 * fewer for more, fewer in pairwise(each))
    for machine, vectors, widths in ((AVX512, 32, (16,)), (AVX512, 8, (8,)), (AVX2, 64, (12, 4))):
        found = tiling(machine, TiledArea([(1, 1)], vectors, 128, scattered=True))
        assert found.widths == widths


def test_a_pass_of_a_very_wide_tile_is_of_fewer_steps() -> None:
    steps = {vectors: steps_of_pass(AVX512, vectors) for vectors in (1, 2, 8, 12, 16, 24)}
    assert steps == {1: 4, 2: 8, 8: 4, 12: 2, 16: 2, 24: 1}


def _sizes(extent: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Every descending chain of sizes, each used as often as it fits."""
    if extent == 0:
        yield ()
    for size in range(1, min(extent, largest) + 1):
        yield from ((size, *rest) for rest in _sizes(extent % size, size))


@pytest.mark.parametrize("extent", [0, 1, 5, 16, 50, 64, 77, 1000])
def test_the_cheapest_cover(extent: int) -> None:
    def cost(size: int) -> float:
        return 5000 + 700 * max(size, 4.5) + 300 * (size % 3)

    def total(sizes: tuple[int, ...]) -> float:
        left, sum = extent, 0.0
        for size in sizes:
            sum += left // size * cost(size) + 1000 * size
            left %= size
        return sum

    found = cover(extent, 7, cost, lambda size: 1000 * size)
    assert total(found) == pytest.approx(min(total(sizes) for sizes in _sizes(extent, 7)))
    assert covered(extent, found, cost) == pytest.approx(total(found) - 1000 * sum(found))


@pytest.mark.parametrize("extent", [0, 1, 5, 16, 32, 50, 64, 77])
def test_two_sizes_share_an_extent_in_the_cheapest_way(extent: int) -> None:
    """Sizes as `tiles` counts them are no dearer than those that are used as often as they fit."""

    def cost(size: int) -> float:
        return 100 * max(size, 4.7) + 10

    def total(sizes: tuple[int, ...]) -> float:
        return sum(n * cost(size) for size, n in zip(sizes, tiles(extent, sizes), strict=True))

    found = mixed(extent, 6, cost, lambda _: 0.0)
    assert _used(extent, found) == extent
    pairs = [(a, b) for a in range(1, 7) for b in range(1, a)]
    others = [cover(extent, 6, cost, lambda _: 0.0)]
    others += [pair for pair in pairs if _used(extent, pair) == extent]
    assert total(found) == pytest.approx(min(map(total, others)))


def _used(extent: int, sizes: tuple[int, ...]) -> int:
    """Of an extent by as many tiles of each size as there are."""
    return sum(n * size for size, n in zip(sizes, tiles(extent, sizes), strict=True))


def test_as_many_of_the_first_size_as_leave_what_the_others_use_up() -> None:
    assert tiles(32, (6, 5)) == (2, 4)
    assert tiles(64, (6, 4)) == (10, 1)
    assert tiles(33, (4, 1)) == (8, 1)
    assert tiles(7, (4,)) == (1,)  # which leave three
    found = tiling(AVX2, TiledArea([(32, 1)], 8, 144))
    assert (found.widths, found.whole[2][32], found.heights[2][32]) == ((2,), (6, 5), (5, 2))


def test_vectors_of_a_piece_stay_near_in_wide_tiles_too() -> None:
    short, long = TiledArea([(16, 1)], 6, 256), TiledArea([(16, 1)], 6, 2048, piece=256)
    assert cycles(AVX2, short, 4, 3) == cycles(AVX2, long, 4, 3)
    assert cycles(AVX2, replace(long, piece=0), 4, 3) > cycles(AVX2, long, 4, 3)
    assert tiling(AVX2, long).widths == (3,)


@pytest.mark.parametrize("machine", ALL)
def test_a_tiling_covers_every_extent(machine: Machine) -> None:
    for rows, vectors, depth in itertools.product(
        (1, 10, 16, 50, 64), (1, 7, 16, 38), (1, 50, 784)
    ):
        found = tiling(machine, TiledArea([(rows, 3), (5, 1)], vectors, depth))
        assert _rest(vectors, found.widths) == 0
        for width in found.widths:
            for extent in (rows, 5):
                heights = found.heights[width][extent]
                assert _rest(extent, heights) == 0
                assert all(fits(machine, height, width) for height in heights)
                whole = found.whole[width][extent]
                assert _used(extent, whole) == extent
                assert all(fits(machine, height, width) for height in whole)


def _rest(extent: int, sizes: tuple[int, ...]) -> int:
    for size in sizes:
        extent %= size
    return extent


def test_the_tiles_of_a_layer() -> None:
    """64 rows and 16 vectors: full tiles of one shape, and groups that two threads share evenly."""
    found = tiling(AVX512, TiledArea([(64, 1)], 16, 784))
    assert found.widths == (2,)
    assert found.heights[2][64] == (8,)
