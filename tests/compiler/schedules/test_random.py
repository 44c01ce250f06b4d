"""Random bits and orders as machine code: the very numbers of the NumPy implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from tests.native import call, nest_of, storage, unpacked

from chainc.ir.types import Array, Shape, TensorType, bool_, float32, int32, int64, named
from chainc.lowering.grouping import Group
from chainc.lowering.instructions import Argument, Instruction, Result
from chainc.lowering.kernels import Applied, Map
from chainc.lowering.views import Buffer, Literal, Operand, Panels, View
from chainc.ops.families import philox
from chainc.ops.families.random import Permutation, RandomWords
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine
from chainc.schedules.random import schedule_permutation, schedule_random_bits, with_stream

BATCH = named("batch")
SCALAR = TensorType((), int64)
MACHINES = pytest.mark.parametrize("machine", [AVX512, AVX2, SSE], ids=["avx512", "avx2", "sse"])
NUMBERS = [(0, 0), (1234, 5), (-1, -7), ((1 << 63) - 1, 1 << 40), (-(1 << 63), -(1 << 35) + 1)]


def given(buffers: Sequence[Buffer], arrays: Mapping[Buffer, Array]) -> list[Array]:
    """The arrays of a nest's parameters; a constant brings its own data."""
    return [
        np.frombuffer(each.data, each.type.dtype.numpy) if each.data else arrays[each]
        for each in buffers
    ]


def bits(
    shape: Shape,
    *,
    stream: int = 7,
    seed: int = 1234,
    step: int = 5,
    panels: Panels | None = None,
    machine: Machine = AVX512,
    rows: int = 1,
    capacity: int = 1,
    threads: int = 1,
) -> Array:
    out = Buffer("y", TensorType(shape, int32), panels=panels)
    seeds = (Literal(seed, SCALAR), Literal(step, SCALAR))
    kernel = with_stream(Applied(out, seeds, RandomWords(stream)))
    nest, buffers = nest_of(kernel, schedule_random_bits, machine, capacity)
    result = storage(out, capacity)
    call(nest, given(buffers, {out: result}), machine, rows, threads)
    sizes = tuple(d if isinstance(d, int) else d.coefficient * rows for d in shape)
    return unpacked(out, result, sizes, capacity) if sizes else result[0]


@MACHINES
@pytest.mark.parametrize(
    "shape", [(), (1,), (3,), (16,), (37,), (256,), (1000,), (7, 9), (2, 3, 50), (0, 4)], ids=str
)
def test_plain(machine: Machine, shape: tuple[int, ...]) -> None:
    found = bits(shape, machine=machine)
    np.testing.assert_array_equal(found, philox.random_bits(shape, 7, 1234, 5))


@pytest.mark.parametrize(("seed", "step"), NUMBERS)
@pytest.mark.parametrize("stream", [0, 7, 0x80000000, 0xFFFFFFFF])
def test_seeds_steps_and_streams(seed: int, step: int, stream: int) -> None:
    found = bits((300,), seed=seed, step=step, stream=stream)
    np.testing.assert_array_equal(found, philox.random_bits((300,), stream, seed, step))


def test_known_numbers() -> None:
    """Of counter 0 and key 0, from the authors' known-answer tests (Random123, kat_vectors)."""
    words = bits((4,), stream=0, seed=0, step=0).view(np.uint32)
    assert [hex(word) for word in words] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]


@pytest.mark.parametrize("rows", [1, 5, 50, 64])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("width", [1, 10, 32, 100])
def test_rows_that_are_known_when_running(rows: int, threads: int, width: int) -> None:
    found = bits((BATCH, width), rows=rows, capacity=64, threads=threads)
    np.testing.assert_array_equal(found, philox.random_bits((rows, width), 7, 1234, 5))


@pytest.mark.parametrize("rows", [1, 16, 50])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("width", [3, 10, 16, 20, 128])
@pytest.mark.parametrize("gap", [0, 1])
def test_panels_along_the_last_axis(rows: int, threads: int, width: int, gap: int) -> None:
    panels = Panels(1, 16, gap)
    found = bits((BATCH, width), panels=panels, rows=rows, capacity=50, threads=threads)
    np.testing.assert_array_equal(found, philox.random_bits((rows, width), 7, 1234, 5))


@MACHINES
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_panels_along_any_axis(machine: Machine, axis: int) -> None:
    lanes = machine.lanes(int32)
    found = bits((18, 20, 24), panels=Panels(axis, lanes), machine=machine)
    np.testing.assert_array_equal(found, philox.random_bits((18, 20, 24), 7, 1234, 5))


def test_rows_that_are_not_the_first_axis() -> None:
    """Elements are counted in the shape of the call, not in that of the storage."""
    found = bits((6, BATCH, 5), rows=7, capacity=9)
    np.testing.assert_array_equal(found, philox.random_bits((6, 7, 5), 7, 1234, 5))


@pytest.mark.parametrize("machine", [AVX512, AVX2], ids=["rest", "whole vectors"])
@pytest.mark.parametrize("panelled", [False, True])
@pytest.mark.parametrize("rows", [3, 50])
@pytest.mark.parametrize("spread", [False, True])
def test_followers(machine: Machine, panelled: bool, rows: int, spread: bool) -> None:
    """A mask: bits below a limit, the same for all or one for each column."""
    panels = Panels(1, machine.lanes(float32)) if panelled else None
    shape: Shape = (BATCH, 40)
    words = Buffer("words", TensorType(shape, int32))
    limit = Buffer("limit", TensorType((40,) if spread else (), int32))
    mask = Buffer("mask", TensorType(shape, float32), panels=panels)
    operands = (View(words, words.type), View(limit, limit.type))
    a, b = (Argument(i, view.type) for i, view in enumerate(operands))
    below = Instruction("less", (a, b), TensorType(shape, bool_))
    cast = Instruction("cast", (Result(0, below.type),), mask.type)
    seeds: tuple[Operand, ...] = (Literal(3, SCALAR), Literal(4, SCALAR))
    drawn = with_stream(Applied(words, seeds, RandomWords(9)))
    members = (drawn, Map(mask, operands, (below, cast)))
    kernel = Group(mask, (*seeds, operands[1]), members, ((mask, mask),))
    nest, buffers = nest_of(kernel, schedule_random_bits, machine, 50)
    limits = np.linspace(-(2**31), 2**31 - 1, 40).astype(np.int32) if spread else np.int32(12345)
    stored = storage(limit)
    stored[: limit.type.ndim * 40 or 1] = limits
    arrays = {limit: stored, mask: storage(mask, 50)}
    call(nest, given(buffers, arrays), machine, rows)
    wanted = philox.random_bits((rows, 40), 9, 3, 4) < limits
    np.testing.assert_array_equal(unpacked(mask, arrays[mask], (rows, 40), 50), wanted)


def test_seed_and_step_in_memory() -> None:
    out, seed, step = (
        Buffer(name, TensorType(shape, dtype))
        for name, shape, dtype in (("y", (100,), int32), ("seed", (), int64), ("step", (), int32))
    )
    seeds = (View(seed, seed.type), View(step, step.type))
    kernel = with_stream(Applied(out, seeds, RandomWords(7)))
    nest, buffers = nest_of(kernel, schedule_random_bits, AVX512)
    arrays = {each: storage(each) for each in (out, seed, step)}
    arrays[seed][0], arrays[step][0] = -5, -6
    call(nest, given(buffers, arrays), AVX512)
    np.testing.assert_array_equal(arrays[out][:100], philox.random_bits((100,), 7, -5, -6))


@MACHINES
@pytest.mark.parametrize("count", [1, 2, 16, 37, 1000])
@pytest.mark.parametrize(("seed", "step"), NUMBERS)
def test_permutation(machine: Machine, count: int, seed: int, step: int) -> None:
    out = Buffer("y", TensorType((count,), int64))
    seeds = (Literal(seed, SCALAR), Literal(step, SCALAR))
    kernel = with_stream(Applied(out, seeds, Permutation(0xDEADBEEF)))
    nest, buffers = nest_of(kernel, schedule_permutation, machine)
    result = storage(out)
    call(nest, given(buffers, {out: result}), machine)
    wanted = philox.permutation(count, 0xDEADBEEF, seed, step)
    np.testing.assert_array_equal(result[:count], wanted)
    np.testing.assert_array_equal(np.sort(wanted), np.arange(count))


@pytest.mark.parametrize("rows", [1, 700, 5000])
@pytest.mark.parametrize("threads", [1, 2])
def test_permutation_of_rows(rows: int, threads: int) -> None:
    out = Buffer("y", TensorType((BATCH,), int64))
    kernel = with_stream(Applied(out, (Literal(1, SCALAR), Literal(2, SCALAR)), Permutation(3)))
    nest, buffers = nest_of(kernel, schedule_permutation, AVX512, 5000)
    result = storage(out, 5000)
    call(nest, given(buffers, {out: result}), AVX512, rows, threads)
    np.testing.assert_array_equal(result[:rows], philox.permutation(rows, 3, 1, 2))
