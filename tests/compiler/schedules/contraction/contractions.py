"""Contractions of random numbers as machine code, for the tests of their schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from tests.native import call, nest_of, packed, storage, unpacked

from chainc.ir.types import Array, Dim, DType, TensorType, float32, named, promote
from chainc.loops.language import Nest
from chainc.lowering.kernels import Contraction
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.contraction.schedule import schedule_contract
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX512, Machine

BATCH = named("batch")
EPSILON = {4: 2.0**-23, 8: 2.0**-52}  # by the bytes of a floating-point number
ROWS = 7  # the capacity, where nothing else is said

FORWARD = "nk,kc->nc"
WEIGHTS = "nk,nc->kc"  # the gradient of the weights
INPUTS = "nk,ck->nc"  # the gradient of the inputs

LAYERS: Mapping[str, tuple[str, Mapping[str, Dim]]] = {
    "forward": (FORWARD, {"n": BATCH, "k": 37, "c": 29}),
    "weights": (WEIGHTS, {"n": BATCH, "k": 37, "c": 29}),
    "inputs": (INPUTS, {"n": BATCH, "k": 29, "c": 37}),
}
PANELS = {"forward": "kcc", "weights": "kcc", "inputs": "kcc"}


@dataclass
class Case:
    """A contraction; `panels` names the axis of each operand that lies in panels, "." for none."""

    equation: str
    sizes: Mapping[str, Dim]
    panels: str = "..."
    dtype: DType = float32
    machine: Machine = AVX512
    capacity: int = ROWS
    gap: int = 0
    role: str = "work"
    other: DType | None = None  # of the second operand

    @cached_property
    def letters(self) -> tuple[str, str, str]:
        a, b, result = self.equation.replace("->", ",").split(",")
        return a, b, result

    @cached_property
    def buffers(self) -> tuple[Buffer, Buffer, Buffer]:
        second = self.other or self.dtype
        result = promote(self.dtype, second)
        assert result is not None
        a, b = (
            self.buffer(position, dtype, self.role)
            for position, dtype in enumerate((self.dtype, second))
        )
        return a, b, self.buffer(2, result, "work")

    def buffer(self, position: int, dtype: DType, role: str, name: str = "") -> Buffer:
        letters, axis = self.letters[position], self.panels[position]
        shape = tuple(self.sizes[letter] for letter in letters)
        lanes = self.machine.lanes(self.dtype)
        panels = None if axis == "." else Panels(letters.index(axis), lanes, self.gap)
        return Buffer(name or "abc"[position], TensorType(shape, dtype), role, panels=panels)

    @cached_property
    def kernel(self) -> Contraction:
        a, b, out = self.buffers
        return Contraction(out, (View(a, a.type), View(b, b.type)), self.letters)

    @cached_property
    def scheduled(self) -> tuple[Nest, tuple[Buffer, ...]]:
        return nest_of(self.kernel, schedule_contract, self.machine, self.capacity)

    def shape(self, letters: str, rows: int) -> tuple[int, ...]:
        bound = Capacity({"batch": rows})
        return tuple(bound.dim(self.sizes[letter]) for letter in letters)

    def operands(self, rows: int) -> tuple[Array, Array]:
        """Of the capacity's rows, and with other numbers for other positions."""
        generator = np.random.default_rng(rows)
        a, b = (
            random(generator, self.shape(letters, rows), buffer.type.dtype)
            for letters, buffer in zip(self.letters, self.buffers[:2], strict=False)
        )
        return a, b

    def __call__(self, a: Array, b: Array, rows: int, threads: int = 1) -> Array:
        nest, parameters = self.scheduled
        arrays = {
            buffer: packed(buffer, value, self.capacity)
            for buffer, value in zip(self.buffers[:2], (a, b), strict=True)
        }
        out = self.buffers[2]
        arrays[out] = storage(out, self.capacity)
        call(nest, [arrays[each] for each in parameters], self.machine, rows, threads)
        shape = self.shape(self.letters[2], rows)
        if not shape:
            return np.asarray(arrays[out][0])
        return unpacked(out, arrays[out], shape, self.capacity)

    def check(self, *rows: int) -> None:
        """Against einsum in double precision, on one thread and on two."""
        for count in rows or (1, 2, ROWS):
            a, b = self.operands(count)
            found = self(a, b, count)
            np.testing.assert_array_equal(self(a, b, count, threads=2), found)
            if found.dtype.kind == "f":
                self._check_sums(a, b, found)
            else:
                np.testing.assert_array_equal(found, wrapped_einsum(self.equation, a, b))

    def _check_sums(self, a: Array, b: Array, found: Array) -> None:
        """Each within the bound for sums of so many products in any order."""
        magnitude = einsum(self.equation, np.abs(_double(a)), np.abs(_double(b)))
        extents = dict(zip(self.equation.replace(",", ""), (*a.shape, *b.shape), strict=False))
        summed = extents.keys() - set(self.letters[2])
        products = math.prod(extents[letter] for letter in summed) + 1
        bound = products * EPSILON[found.dtype.itemsize] * magnitude
        error = np.abs(_double(found) - einsum(self.equation, a, b))
        assert np.all(error <= bound)


def random(generator: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    values = generator.standard_normal(shape)
    if not dtype.is_float:
        values = np.abs(np.round(3 * values))
    return np.asarray(values, dtype.numpy)


def einsum(equation: str, a: Array, b: Array) -> npt.NDArray[np.float64]:
    """In double precision."""
    return np.asarray(np.einsum(equation, _double(a), _double(b)), np.float64)


def wrapped_einsum(equation: str, a: Array, b: Array) -> Array:
    """In integers that wrap around."""
    wide = np.einsum(equation, a.astype(np.int64), b.astype(np.int64))
    return np.asarray(wide).astype(np.result_type(a, b))


def assert_close(found: Array, wanted: npt.NDArray[np.float64]) -> None:
    np.testing.assert_allclose(_double(found), wanted, rtol=1e-4, atol=1e-4)


def _double(array: Array) -> npt.NDArray[np.float64]:
    return array.astype(np.float64)
