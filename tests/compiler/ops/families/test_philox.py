import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.random123 import KNOWN

from chainc.ops.families.philox import permutation, philox, random_bits


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter: str, key: str, expected: str) -> None:
    c0, c1, c2, c3 = (np.array([int(word, 16)], np.uint64) for word in counter.split())
    low, high = (int(word, 16) for word in key.split())
    found = philox((c0, c1, c2, c3), low | high << 32)
    assert [f"{int(word[0]):08x}" for word in found] == expected.split()


def test_elements_are_the_words_of_the_documented_counters() -> None:
    stream, seed, step = 0xCAFEBABE, 0x0123456789ABCDEF, 0x1122334455667788
    bits = random_bits((3, 3), stream, seed, step)
    assert bits.dtype == np.int32
    for index, element in enumerate(bits.reshape(-1)):
        words = (index // 4, stream, 0x55667788, 0x11223344)
        c0, c1, c2, c3 = (np.array([word], np.uint64) for word in words)
        expected = philox((c0, c1, c2, c3), seed)[index % 4][0]
        assert int(element) % 2**32 == expected


@given(
    st.lists(st.integers(0, 5), max_size=3),
    st.integers(0, 2**32 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**63 - 1),
)
def test_an_element_depends_on_its_position_only(
    shape: list[int], stream: int, seed: int, step: int
) -> None:
    bits = random_bits(tuple(shape), stream, seed, step)
    longer = random_bits((200,), stream, seed, step)
    assert bits.shape == tuple(shape)
    np.testing.assert_array_equal(bits.reshape(-1), longer[: math.prod(shape)])


def test_a_draw_larger_than_what_is_computed_at_once_continues_the_same_stream() -> None:
    bits = random_bits((70_001,), 1, 2, 3)
    np.testing.assert_array_equal(bits[:9], random_bits((9,), 1, 2, 3))
    block = np.array([70_000 // 4], np.uint64)
    one, two, zero = (np.array([word], np.uint64) for word in (1, 3, 0))
    assert int(bits[70_000]) % 2**32 == philox((block, one, two, zero), 2)[0][0]


def test_seed_stream_and_step_each_change_the_bits() -> None:
    draws = [
        random_bits((64,), stream, seed, step).tobytes()
        for stream in (0, 1)
        for seed in (0, 1, 2**32, -1)
        for step in (0, 1, 2**32)
    ]
    assert len(set(draws)) == len(draws)


def test_bits_are_evenly_distributed() -> None:
    bits = random_bits((100_000,), 3, 4, 5).view(np.uint32)
    for position in range(32):
        ones = int((bits >> np.uint32(position) & np.uint32(1)).sum())
        assert abs(ones - 50_000) < 5 * math.sqrt(25_000)  # five standard deviations


@pytest.mark.parametrize("count", [*range(20), 63, 64, 65, 255, 256, 257, 1000, 4097])
def test_a_permutation_holds_every_value_once(count: int) -> None:
    for seed in range(4):
        order = permutation(count, 11, seed, 2)
        assert order.dtype == np.int64
        np.testing.assert_array_equal(np.sort(order), np.arange(count))


def test_permutations_differ_by_seed_stream_and_step() -> None:
    orders = [
        permutation(50, stream, seed, step).tobytes()
        for stream in (0, 1)
        for seed in (0, 1)
        for step in (0, 1)
    ]
    assert len(set(orders)) == len(orders)


def test_all_orders_of_four_are_equally_frequent() -> None:
    draws = 4800
    found = Counter(tuple(permutation(4, 1, seed, 0).tolist()) for seed in range(draws))
    expected = draws / 24
    chi_square = sum((count - expected) ** 2 / expected for count in found.values())
    assert len(found) == 24
    assert chi_square < 52  # 23 degrees of freedom: passed by chance 999 times in 1,000


def test_odd_orders_are_as_frequent_as_even_ones_where_the_range_is_filled() -> None:
    """A Feistel network alone permutes evenly."""
    odd = 0
    for seed in range(400):
        order = permutation(16, 1, seed, 0)
        odd += bool(np.linalg.det(np.eye(16)[order]) < 0)
    assert abs(odd - 200) < 50  # five standard deviations


def test_a_large_permutation_looks_random() -> None:
    order = permutation(10_000, 5, 6, 7)
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05
    fixed = int((order == np.arange(10_000)).sum())
    assert fixed < 10  # one is expected


def test_warnings_and_the_floating_point_environment() -> None:
    with np.errstate(all="raise"):
        random_bits((9,), 2**32 - 1, 2**64 - 1, 2**64 - 1)
        permutation(9, 2**32 - 1, 2**64 - 1, 2**64 - 1)
