"""The order of the rows, interpreted: entries of `philox.permutation`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from tests.interpreter import interpret_routine

from chainc.ops.families.philox import permutation
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine
from chainc.schedules.training.layout import KEYS_BYTES, LANES, order_room
from chainc.schedules.training.order import given_order, order_keys, order_of_rows, slot_of, walking

STREAM = 0xDEADBEEF


def ordered(
    count: int, start: int, rows: int, seed: int, epoch: int, lanes: int = 32
) -> tuple[int, npt.NDArray[np.int64]]:
    """The slot of an epoch, and what is made of the order from a row on."""
    slot = interpret_routine(slot_of(), [count])
    assert slot is not None
    keys = np.zeros((KEYS_BYTES + order_room(rows)) // 4, np.int32)
    order = np.full(rows + LANES, -1, np.int64)
    interpret_routine(order_keys(STREAM), [keys, seed, epoch, slot])
    interpret_routine(order_of_rows(rows, lanes), [order, keys, start, count, slot])
    return slot, order


@pytest.mark.parametrize(("count", "slot"), [(1, 4), (4, 4), (5, 8), (33, 64), (64, 64), (999, 64)])
def test_a_slot_holds_an_epoch_or_is_all_lanes(count: int, slot: int) -> None:
    assert interpret_routine(slot_of(), [count]) == slot


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 17, 40, 64])
def test_few_rows_of_several_epochs_are_ordered_together(count: int) -> None:
    slot, order = ordered(count, 0, LANES, seed=2**40 + 5, epoch=2**32 - 1)
    for position in range(LANES // slot):
        found = order[position * slot : position * slot + count]
        expected = permutation(count, STREAM, 2**40 + 5, 2**32 - 1 + position)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("count", "start", "rows", "lanes"),
    [(65, 0, 64, 32), (1000, 128, 192, 32), (1000, 960, 64, 16), (1100, 262, 262, 32)],
)
def test_many_rows_are_ordered_in_parts(count: int, start: int, rows: int, lanes: int) -> None:
    _, order = ordered(count, start, rows, seed=-3, epoch=7, lanes=lanes)
    expected = permutation(count, STREAM, -3, 7)[start : start + rows]
    np.testing.assert_array_equal(order[: len(expected)], expected)


@pytest.mark.parametrize(("machine", "lanes"), [(AVX512, 32), (AVX2, 32), (SSE, 16)])
def test_fewer_lanes_walk_together_where_vectors_are_short(machine: Machine, lanes: int) -> None:
    assert walking(machine) == lanes


@pytest.mark.parametrize(("start", "count"), [(0, 100), (64, 100), (96, 100), (0, 3)])
def test_a_given_order_counts(start: int, count: int) -> None:
    order = np.full(72, -1, np.int64)
    interpret_routine(given_order(64), [order, start, count])
    expected = np.arange(start, min(start + 64, count))
    np.testing.assert_array_equal(order[: len(expected)], expected)
