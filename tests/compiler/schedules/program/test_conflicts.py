"""Barriers between calls: as many as looking at all pairs of calls would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from chainc.schedules.program.conflicts import Conflicts, Extent, Extents


@dataclass(frozen=True)
class Touching:
    """A call."""

    touched: Sequence[Extent]
    written: Sequence[Extent]
    shared: bool


def overlap(a: Extent, b: Extent) -> bool:
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


def conflict(earlier: Touching, later: Touching) -> bool:
    pairs = [(a, b) for a in earlier.touched for b in later.touched]
    return any(overlap(a, b) for a, b in pairs if a in earlier.written or b in later.written)


def waits(calls: Sequence[Touching]) -> Sequence[bool]:
    """By comparing each call with every one since the last barrier."""
    since: list[Touching] = []
    found = []
    for call in calls:
        others = since if call.shared else [each for each in since if each.shared]
        found.append(any(conflict(each, call) for each in others))
        since = [call] if found[-1] else [*since, call]
    return found


def random_extent(random: np.random.Generator) -> Extent:
    start = int(random.integers(0, 20))
    return str(random.choice(["arena", "table 1"])), start, start + int(random.integers(0, 6))


@pytest.mark.parametrize("seed", range(40))
def test_as_if_all_pairs_were_compared(seed: int) -> None:
    random = np.random.default_rng(seed)
    calls = []
    for _ in range(30):
        touched = [random_extent(random) for _ in range(int(random.integers(1, 4)))]
        written = touched[: int(random.integers(0, 2))]
        calls.append(Touching(touched, written, bool(random.integers(2))))
    conflicts = Conflicts()
    found = [conflicts.waits(c.touched, c.written, shared=c.shared) for c in calls]
    assert found == waits(calls)
    assert 0 < sum(found) < len(calls)


@pytest.mark.parametrize("seed", range(20))
def test_a_union_of_intervals(seed: int) -> None:
    random, extents = np.random.default_rng(seed), Extents()
    added: list[Extent] = []
    for _ in range(25):
        asked = random_extent(random)
        assert extents.overlaps(asked) == any(overlap(asked, each) for each in added)
        added.append(random_extent(random))
        extents.add(added[-1])
