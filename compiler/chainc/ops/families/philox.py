"""Philox4x32-10, a counter-based random generator, and a keyed permutation, in NumPy.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The
64-bit seed is the key, low word first. The four counter words are

    (block, stream, low word of the step, high word of the step)

and element i of a tensor, counted in row-major order, is word i mod 4 of block ⌊i / 4⌋. So an
element depends on nothing but its position, the stream, the seed and the step.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]  # 32-bit words, held in 64 bits so that products keep their carry

ROUNDS = 10
WORDS = 4  # of a block
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # what the key grows by: golden ratio and √3 - 1, as fractions
MASK = 0xFFFFFFFF
MIX_FACTORS = (0x85EBCA6B, 0xC2B2AE35)  # of MurmurHash3's finalizer
BLOCKS_AT_ONCE = 1 << 14  # the words of so many blocks stay in the cache

# the keys of a permutation are taken from the far end, where no tensor's elements reach
KEY_BLOCKS = (MASK, MASK - 1, MASK - 2)


def philox(counter: tuple[Words, Words, Words, Words], key: int) -> list[Words]:
    """The four result words of each counter; counters broadcast against each other."""
    c0, c1, c2, c3 = counter
    low, high = key & MASK, key >> 32 & MASK
    for _ in range(ROUNDS):
        p0, p1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1 = (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(low), p1 & np.uint64(MASK)
        c2, c3 = (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(high), p0 & np.uint64(MASK)
        low, high = (low + WEYL[0]) & MASK, (high + WEYL[1]) & MASK
    return [c0, c1, c2, c3]


def _words(blocks: Words, stream: int, seed: int, step: int) -> npt.NDArray[np.uint32]:
    """The words of the given blocks, four a block, in order."""
    stream_word, low, high = (
        np.array([word & MASK], np.uint64) for word in (stream, step, step >> 32)
    )
    result = np.empty((len(blocks), 4), np.uint32)
    for start in range(0, len(blocks), BLOCKS_AT_ONCE):
        part = slice(start, start + BLOCKS_AT_ONCE)
        for position, word in enumerate(philox((blocks[part], stream_word, low, high), seed)):
            result[part, position] = word
    return result.reshape(-1)


def random_bits(shape: tuple[int, ...], stream: int, seed: int, step: int) -> npt.NDArray[np.int32]:
    """32 independent uniform bits an element, for tensors of up to 2³⁴ elements."""
    count = math.prod(shape)
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    return _words(blocks, stream, seed, step)[:count].view(np.int32).reshape(shape)


def permutation(count: int, stream: int, seed: int, step: int) -> npt.NDArray[np.int64]:
    """A pseudo-random order of 0 … count-1, each entry found without the others.

    A balanced Feistel network permutes 0 … 4^k - 1, the smallest such range that holds `count`,
    with the words of the last three Philox blocks as keys of its 11 rounds. It alone would only
    permute evenly, so the low bit of the twelfth word says whether 0 and 1 then change places.
    A value outside 0 … count-1 goes through all of it again until it falls inside (cycle
    walking: Black, Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
    """
    half = max((count - 1).bit_length() + 1 >> 1, 1)
    keys = _words(np.array(KEY_BLOCKS, np.uint64), stream, seed, step)
    values = np.arange(count, dtype=np.uint64)
    outside = np.arange(count)
    while outside.size:
        values[outside] = _feistel(values[outside], half, keys)
        outside = outside[values[outside] >= count]
    return values.astype(np.int64)


def _feistel(values: Words, half: int, keys: npt.NDArray[np.uint32]) -> Words:
    """(left, right) -> (right, left ^ mixed right), once a key; `half` is the bits of each."""
    low_half = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & low_half
    for key in keys[:-1]:
        mixed = _mix(right.astype(np.uint32) ^ key) & low_half
        left, right = right, left ^ mixed
    permuted = left << np.uint64(half) | right
    exchange = np.uint64(keys[-1] & 1)
    return np.where(permuted < 2, permuted ^ exchange, permuted)


def _mix(words: npt.NDArray[np.uint32]) -> Words:
    """Every bit of the result depends on every bit of the word (MurmurHash3's finalizer)."""
    words = (words ^ words >> np.uint32(16)) * np.uint32(MIX_FACTORS[0])
    words = (words ^ words >> np.uint32(13)) * np.uint32(MIX_FACTORS[1])
    return (words ^ words >> np.uint32(16)).astype(np.uint64)
