"""Tensors whose elements are in registers, while straight-line code is written.

Lanes follow the elements in row-major order, but the rows of the batch come last, filled up to a
power of two: neighbouring lanes then need the same parameters, and sums over the batch are sums of
neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir.types import DType, Shape, Size
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Address, Affine, Parameter, Register
from chainc.lowering.kernels import Kernel
from chainc.lowering.views import Buffer, Literal, Operand, View
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import Machine
from chainc.schedules.unrolled.elements import ANY, Elements, Numbers, power_of_two

Body = Callable[..., Register]  # from a register for each tensor


@dataclass(frozen=True)
class Packing:
    """The order in which a tensor's elements go into lanes."""

    shape: tuple[int, ...]
    rows: int | None  # the axis of the batch
    padded: int  # its extent, filled up

    @classmethod
    def of(cls, shape: Shape, capacity: Capacity, lanes: int) -> Packing:
        extents = capacity.shape(shape)
        named = [axis for axis, dim in enumerate(shape) if isinstance(dim, Size)]
        if not named:
            return cls(extents, None, 1)
        return cls(extents, named[-1], filled(extents[named[-1]], lanes))

    @property
    def count(self) -> int:
        """Lanes, those that fill up included."""
        if self.rows is None:
            return math.prod(self.shape)
        return math.prod(self.shape[: self.rows] + self.shape[self.rows + 1 :]) * self.padded

    def flat(self, numbers: Numbers) -> Numbers:
        """In the order of lanes, from a tensor that broadcasts to the shape."""
        full = np.broadcast_to(numbers, self.shape)
        if self.rows is None:
            return full.reshape(-1)
        return with_rows(np.moveaxis(full, self.rows, -1), self.padded, ANY).reshape(-1)

    def restored(self, flat: Numbers) -> Numbers:
        """The tensor whose elements are in that order; more may follow."""
        if self.rows is None:
            return flat[: self.count].reshape(self.shape)
        others = self.shape[: self.rows] + self.shape[self.rows + 1 :]
        padded = flat[: self.count].reshape(*others, self.padded)
        return np.moveaxis(padded[..., : self.shape[self.rows]], -1, self.rows)


@dataclass(frozen=True)
class Stored:
    """A tensor that is written to a buffer, and the part of the program that computes it."""

    buffer: Buffer
    numbers: Numbers
    part: int | None


def filled(rows: int, lanes: int) -> int:
    """A power of two up to one vector, whole vectors beyond."""
    return power_of_two(rows) if rows <= lanes else -(-rows // lanes) * lanes


def with_rows(numbers: Numbers, rows: int, filling: int) -> Numbers:
    """The last axis made longer."""
    widths = [(0, 0)] * (numbers.ndim - 1) + [(0, rows - numbers.shape[-1])]
    return np.pad(numbers, widths, constant_values=filling)


def chunks(count: int, lanes: int, *, exact: bool = False) -> Iterator[slice]:
    """Whole vectors, then a smaller power of two; it may reach past the end unless `exact`."""
    start = 0
    while start < count:
        width = min(lanes, power_of_two(count - start))
        if exact and start + width > count:
            width //= 2
        yield slice(start, start + width)
        start += width


def part(flat: Numbers, where: slice) -> list[int]:
    """The elements of one vector."""
    found = flat[where].tolist()
    return [*found, *[ANY] * (where.stop - where.start - len(found))]


class StraightLine:
    """The code so far, and the elements of every buffer."""

    def __init__(self, capacity: Capacity, machine: Machine) -> None:
        self.capacity = capacity
        self.machine = machine
        self.builder = NestBuilder()
        self.elements = Elements(self.builder, machine)
        self.values: dict[Buffer, Numbers] = {}
        self.parameters: dict[Buffer, Parameter] = {}
        self.checked: list[Kernel] = []  # failure number n is kernel n

    def parameter(self, buffer: Buffer) -> Parameter:
        """A buffer as an argument; arrays of the caller have no padding."""
        if buffer not in self.parameters:
            padded = buffer.role not in ("input", "output")
            self.parameters[buffer] = Parameter(buffer.name or "value", buffer.type.dtype, padded)
        return self.parameters[buffer]

    def tensor(self, buffer: Buffer) -> Numbers:
        """What a buffer holds; what no kernel has written comes from memory."""
        if buffer not in self.values:
            shape = self.capacity.shape(buffer.type.shape)
            found = self.elements.of_parameter(self.parameter(buffer), math.prod(shape))
            self.values[buffer] = found.reshape(shape)
        return self.values[buffer]

    def operand(self, operand: Operand) -> Numbers:
        if isinstance(operand, View):
            found = self.tensor(operand.buffer)
            for movement in operand.movements:
                found = movement.bind(self.capacity.sizes).of(found)
            return found
        value = operand.value if isinstance(operand, Literal) else self.capacity.dim(operand.dim)
        return self.number(value, operand.type.dtype)

    def number(self, value: float | int | bool, dtype: DType) -> Numbers:
        """A constant as a tensor without axes."""
        return np.asarray(self.elements.number(value, dtype))

    def lanes(self, dtypes: Iterable[DType]) -> int:
        """As many as the widest elements allow."""
        return min(self.machine.lanes(dtype) for dtype in dtypes)

    def lanewise(self, shape: Shape, lanes: int, tensors: Sequence[Numbers], body: Body) -> Numbers:
        """A tensor of that shape, vector by vector, from tensors that broadcast to it."""
        packing = Packing.of(shape, self.capacity, lanes)
        flats = [packing.flat(numbers) for numbers in tensors]
        results = [np.empty(0, np.int64)]
        for where in chunks(packing.count, lanes):
            vectors = [self.elements.vector(part(flat, where)) for flat in flats]
            result = self.builder.splat(body(*vectors), where.stop - where.start)
            results.append(self.elements.of_register(result))
        return packing.restored(np.concatenate(results))

    def converted(self, numbers: Numbers, old: DType, new: DType) -> Numbers:
        """The same elements in another type."""
        if old == new:
            return numbers
        lanes = self.lanes((old, new))
        return self.lanewise(numbers.shape, lanes, [numbers], lambda x: self.builder.cast(x, new))

    def store(self, results: Iterable[Stored]) -> None:
        """Write to memory, after all that is still wanted from there has been read."""
        stores: list[tuple[Register, Address]] = []
        for result in results:
            flat, parameter = result.numbers.reshape(-1), self.parameter(result.buffer)
            lanes = self.machine.lanes(parameter.dtype)
            for where in chunks(flat.size, lanes, exact=not parameter.padded):
                with self.builder.writing(result.part):
                    vector = self.elements.vector(part(flat, where))
                stores.append((vector, Address(parameter, Affine(where.start))))
        for vector, address in stores:
            self.builder.store(vector, address)
