"""Philox and the keyed permutation on lanes: the known answers, and the numbers of NumPy."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiler.backends.math.compiled_lanes import Library, host, optimized, whole
from tests.random123 import KNOWN

from chainc.backends.llvm.printing.lanes import LlvmLanes
from chainc.backends.math import random_lanes
from chainc.ir.types import Array
from chainc.ops.families import philox

LANES = (1, 4, 8, 16)
SCALARS = ("stream", "step_low", "step_high", "key_low", "key_high")
U32, I64 = ctypes.c_uint32, ctypes.c_int64


def _vector(element: str, lanes: int) -> str:
    return element if lanes == 1 else f"<{lanes} x {element}>"


def _philox_entry(lanes: int) -> str:
    kind = _vector("i32", lanes)
    words = f"{{ {', '.join([kind] * 4)} }}"
    scalars = ", ".join(f"i32 %{name}" for name in SCALARS)
    stores = "".join(
        f"  %w{k} = extractvalue {words} %r, {k}\n"
        f"  %q{k} = getelementptr i32, ptr %out, i64 {k * lanes}\n"
        f"  store {kind} %w{k}, ptr %q{k}, align 4\n"
        for k in range(4)
    )
    return (
        f"define void @words.{lanes}(ptr %blocks, ptr %out, {scalars}) {{\n"
        f"  %b = load {kind}, ptr %blocks, align 4\n"
        f"  %r = call {words} @philox.v{lanes}({kind} %b, {scalars})\n{stores}  ret void\n}}"
    )


def _permutation_entry(lanes: int) -> str:
    kind = _vector("i64", lanes)
    return (
        f"define void @order.{lanes}(ptr %index, ptr %out, i64 %count, i64 %seed, i32 %stream,"
        " i64 %step) {\n"
        f"  %i = load {kind}, ptr %index, align 8\n"
        "  %keys = call <12 x i32> @permutation.keys(i64 %seed, i32 %stream, i64 %step)\n"
        f"  %r = call {kind} @permuted.v{lanes}({kind} %i, i64 %count, <12 x i32> %keys)\n"
        f"  store {kind} %r, ptr %out, align 8\n  ret void\n}}"
    )


def _text() -> str:
    entries = [entry(n) for n in LANES for entry in (_philox_entry, _permutation_entry)]
    names = [
        "permutation.keys",
        *(f"{name}.v{n}" for n in LANES for name in ("philox", "permuted")),
    ]
    return whole(*random_lanes.parts(names, LlvmLanes), *entries)


def test_only_what_is_asked_for_is_there() -> None:
    functions, _ = random_lanes.parts(["philox.v4", "philox.v4"], LlvmLanes)
    assert [" @philox.v4(" in text for text in functions] == [True]
    assert random_lanes.parts([], LlvmLanes) == ([], set())


@cache
def library() -> Library:
    names = [f"{entry}.{n}" for n in LANES for entry in ("words", "order")]
    return Library(_text(), names, host())


def words(lanes: int, blocks: Array, *scalars: int) -> npt.NDArray[np.uint32]:
    """The four words of each of `lanes` blocks."""
    kinds = [ctypes.c_void_p] * 2 + [U32] * 5
    function = ctypes.CFUNCTYPE(None, *kinds)(library().address(f"words.{lanes}"))
    out = np.empty((4, lanes), np.uint32)
    function(blocks.ctypes.data, out.ctypes.data, *scalars)
    return out.T


def order(lanes: int, index: Array, count: int, stream: int, seed: int, step: int) -> list[int]:
    kinds = [ctypes.c_void_p] * 2 + [I64, I64, U32, I64]
    function = ctypes.CFUNCTYPE(None, *kinds)(library().address(f"order.{lanes}"))
    found: list[int] = []
    padded = np.concatenate([index, np.zeros(-index.size % lanes, np.int64)])
    for start in range(0, padded.size, lanes):
        part, out = padded[start : start + lanes].copy(), np.empty(lanes, np.int64)
        function(part.ctypes.data, out.ctypes.data, count, seed, stream, step)
        found += out.tolist()
    return found[: index.size]


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers_of_random123(counter: str, key: str, expected: str, lanes: int) -> None:
    block, *others = (int(word, 16) for word in f"{counter} {key}".split())
    found = words(lanes, np.full(lanes, block, np.uint32), *others)
    assert [" ".join(f"{word:08x}" for word in row) for row in found] == [expected] * lanes


@pytest.mark.parametrize("lanes", LANES)
@given(
    first=st.integers(0, 2**32 - 16),
    stream=st.integers(0, 2**32 - 1),
    seed=st.integers(0, 2**64 - 1),
    step=st.integers(0, 2**64 - 1),
)
def test_words_are_those_of_numpy(
    lanes: int, first: int, stream: int, seed: int, step: int
) -> None:
    blocks = np.arange(first, first + lanes, dtype=np.uint64)
    mask = np.uint64(philox.MASK)
    scalars = [np.array([w & philox.MASK], np.uint64) for w in (stream, step, step >> 32)]
    expected = philox.philox((blocks, scalars[0], scalars[1], scalars[2]), seed)
    halves = (stream, step & philox.MASK, step >> 32, seed & philox.MASK, seed >> 32)
    found = words(lanes, blocks.astype(np.uint32), *halves)
    np.testing.assert_array_equal(found.T, [word & mask for word in expected])


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 17, 100, 255, 257, 1000])
def test_the_order_is_that_of_numpy(lanes: int, count: int) -> None:
    for stream, seed, step in ((0, 0, 0), (0xFFFFFFFF, -1, -1), (7, 123456789012345, 3)):
        expected = philox.permutation(count, stream, seed, step)
        found = order(lanes, np.arange(count), count, stream, seed, step)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("count", [2**20 + 1, 2**31 - 1, 2**31 + 5, 2**32 - 1, 2**32])
def test_places_in_an_order_too_long_for_numpy(lanes: int, count: int) -> None:
    index = np.array([0, 1, 2, 12345, count // 2, count - 2, count - 1])
    found = order(lanes, index, count, 5, 6, 7)
    assert found == [_walked(int(i), count, 5, 6, 7) for i in index]


def _walked(index: int, count: int, stream: int, seed: int, step: int) -> int:
    """One place, by the network of chainc.ops.families.philox."""
    blocks = np.array(philox.KEY_BLOCKS, np.uint64)
    keys = philox._words(blocks, stream, seed, step)
    half = max(((count - 1).bit_length() + 1) // 2, 1)
    value = np.array([index], np.uint64)
    while True:
        value = philox._feistel(value, half, keys)
        if value[0] < count:
            return int(value[0])


@pytest.mark.parametrize("lanes", LANES)
def test_an_index_past_the_end_gives_what_the_first_gives(lanes: int) -> None:
    index = np.array([0, 5, 6, 7, 2**40, -1])
    found = order(lanes, index, 5, 1, 2, 3)
    assert found == [int(philox.permutation(5, 1, 2, 3)[0])] * 6


def test_nothing_is_called() -> None:
    module, machine = optimized(_text(), host())
    assembly = machine.emit_assembly(module)
    assert "\tcall" not in assembly
    assert "\tbl\t" not in assembly
