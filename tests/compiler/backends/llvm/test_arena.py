"""Memory from a multiple of 64 bytes on."""

from __future__ import annotations

import numpy as np

from chainc.backends.llvm.arena import LINE, address_of, aligned, aligned_bytes, aligned_empty


def test_memory_begins_at_a_line() -> None:
    for count in (1, 63, 1000):
        space = aligned_bytes(count)
        assert space.ctypes.data % LINE == 0
        assert space.shape == (count,)
        assert not space.any()
    array = aligned_empty((3, 5), np.dtype(np.float64))
    assert array.shape == (3, 5)
    assert array.dtype == np.float64
    assert array.ctypes.data % LINE == 0


def test_only_what_begins_elsewhere_is_copied() -> None:
    numbers = aligned_empty((40,), np.dtype(np.float32))
    numbers[:] = np.arange(40)
    assert aligned(numbers) is numbers
    moved = aligned(numbers[1:])
    assert moved.ctypes.data % LINE == 0
    assert np.array_equal(moved, numbers[1:])


def test_where_an_array_lies_does_not_depend_on_who_may_write() -> None:
    for shape in ((), (3,), (2, 0), (2, 5)):
        array = np.ones(shape, np.float32)
        start = array.ctypes.data
        assert address_of(array) == start
        array.flags.writeable = False
        assert address_of(array) == start
