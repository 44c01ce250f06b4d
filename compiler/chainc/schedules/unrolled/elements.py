"""Elements of tensors by number: each is a lane of a register, a place in memory, or a constant.

A tensor is an array of such numbers, so a view of it is a view of that array. Nothing moves until
a register that holds certain elements is asked for; it is then put together from where they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chainc.dataclass import dataclass
from chainc.ir.types import DType
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Address, Affine, Kind, Parameter, Register
from chainc.lowering.memory import ALIGNMENT
from chainc.schedules.layout.machine import Machine

Numbers = npt.NDArray[np.int64]  # elements of a tensor
ANY = -1  # no element: the lane may hold anything


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float | int | bool
    dtype: DType


@dataclass(frozen=True)
class Source:
    """What holds the elements `first`, `first` + 1, …, `count` of them, side by side."""

    holder: Register | Parameter | Number
    first: int
    count: int


@dataclass(frozen=True)
class Piece:
    """A register, and for each lane of the one that is wanted which of its lanes goes there."""

    register: Register
    picked: tuple[int, ...]  # -1: none


class Elements:
    """Where every element is, and the registers that have been put together."""

    def __init__(self, builder: NestBuilder, machine: Machine) -> None:
        self._builder = builder
        self._machine = machine
        self._sources: list[Source] = []
        self._firsts: list[int] = []
        self._next = 0
        self._numbers: dict[tuple[DType, str], int] = {}
        self._vectors: dict[tuple[int, ...], Register] = {}

    def of_register(self, register: Register) -> Numbers:
        """The elements in the lanes of a new register."""
        return self._added(register, register.kind.lanes)

    def of_parameter(self, parameter: Parameter, count: int) -> Numbers:
        """The elements of a buffer in memory."""
        return self._added(parameter, count)

    def number(self, value: float | int | bool, dtype: DType) -> int:
        """A constant as an element."""
        key = (dtype, repr(value))
        if key not in self._numbers:
            self._numbers[key] = int(self._added(Number(value, dtype), 1)[0])
        return self._numbers[key]

    def _added(self, holder: Register | Parameter | Number, count: int) -> Numbers:
        first = self._next
        self._sources.append(Source(holder, first, count))
        self._firsts.append(first)
        self._next += max(count, 1)
        return np.arange(first, first + count)

    def vector(self, elements: Sequence[int]) -> Register:
        """A register with these elements in its lanes, a power of two of them."""
        key = tuple(elements)
        if key not in self._vectors:
            self._vectors[key] = self._assembled(key)
        return self._vectors[key]

    def _assembled(self, elements: tuple[int, ...]) -> Register:
        wanted = {element for element in elements if element != ANY}
        if len(wanted) == 1:
            return self._splat(wanted.pop(), len(elements))
        lane, element = next((i, e) for i, e in enumerate(elements) if e != ANY)
        start, source = element - lane, self._source(element)
        if all(e in (ANY, start + i) for i, e in enumerate(elements)) and (
            max(wanted) < source.first + source.count
        ):
            found = self._run(source, start - source.first, len(elements))
            if found is not None:
                return found
        return self._merged(self._pieces(elements), len(elements))

    def _source(self, element: int) -> Source:
        return self._sources[bisect_right(self._firsts, element) - 1]

    def _splat(self, element: int, lanes: int) -> Register:
        source = self._source(element)
        holder, offset = source.holder, element - source.first
        if isinstance(holder, Number):
            return self._builder.constant(holder.value, Kind(holder.dtype, lanes))
        if isinstance(holder, Parameter):
            stride = 1 if lanes == 1 else 0
            return self._builder.load(Address(holder, Affine(offset), stride), lanes)
        if holder.kind.lanes == 1:
            return self._builder.splat(holder, lanes)
        if lanes == 1:
            return self._builder.lane(holder, offset)
        return self._builder.shuffle([holder], [offset] * lanes)

    def _run(self, source: Source, offset: int, lanes: int) -> Register | None:
        """Neighbours in one source; None where memory cannot be read so far."""
        holder = source.holder
        if isinstance(holder, Register):
            if offset == 0 and holder.kind.lanes == lanes:
                return holder
            picked = [offset + lane for lane in range(lanes)]
            inside = [place if 0 <= place < source.count else -1 for place in picked]
            return self._builder.shuffle([holder], inside)
        if isinstance(holder, Number) or offset < 0:
            return None
        if offset + lanes > _readable(holder, source.count):
            return None
        return self._builder.load(Address(holder, Affine(offset)), lanes)

    # several sources

    def _pieces(self, elements: tuple[int, ...]) -> list[Piece]:
        lanes = len(elements)
        picked: dict[Register, list[int]] = {}
        constants: dict[int, Number] = {}
        for lane, element in enumerate(elements):
            if element == ANY:
                continue
            source = self._source(element)
            if isinstance(source.holder, Number):
                constants[lane] = source.holder
                continue
            register, place = self._place(source, element - source.first)
            picked.setdefault(register, [-1] * lanes)[lane] = place
        pieces = [Piece(register, tuple(places)) for register, places in picked.items()]
        return [*pieces, self._constants(constants, lanes)] if constants else pieces

    def _constants(self, numbers: dict[int, Number], lanes: int) -> Piece:
        dtype = next(iter(numbers.values())).dtype
        values = [numbers[lane].value if lane in numbers else 0 for lane in range(lanes)]
        picked = tuple(lane if lane in numbers else -1 for lane in range(lanes))
        return Piece(self._builder.constants(values, dtype), picked)

    def _place(self, source: Source, offset: int) -> tuple[Register, int]:
        """The register an element is in, loaded with its neighbours if need be, and its lane."""
        holder = source.holder
        if isinstance(holder, Register):
            return holder, offset
        assert isinstance(holder, Parameter)
        start, width = self._window(holder, source.count, offset)
        inside = [position < source.count for position in range(start, start + width)]
        window = [source.first + start + i if known else ANY for i, known in enumerate(inside)]
        return self.vector(window), offset - start

    def _window(self, parameter: Parameter, count: int, offset: int) -> tuple[int, int]:
        """The vector around a place in memory that may be read: its start and its lanes."""
        lanes = self._machine.lanes(parameter.dtype)
        start = offset // lanes * lanes
        width = min(lanes, power_of_two(count - start))
        while start + width > _readable(parameter, count):
            width //= 2
            if offset >= start + width:
                start += width
        return start, width

    def _merged(self, pieces: list[Piece], lanes: int) -> Register:
        """The pieces put together two by two."""
        while len(pieces) > 1:
            pairs = zip(pieces[::2], pieces[1::2], strict=False)
            left = [pieces[-1]] if len(pieces) % 2 else []
            pieces = [self._pair(a, b, lanes) for a, b in pairs] + left
        (piece,) = pieces
        if piece.picked == _straight(piece):
            return piece.register
        return self._builder.shuffle([piece.register], piece.picked)

    def _pair(self, a: Piece, b: Piece, lanes: int) -> Piece:
        if a.register.kind != b.register.kind or a.register.kind.lanes == 1:
            a, b = self._spread(a, lanes), self._spread(b, lanes)
        behind = a.register.kind.lanes
        both = zip(a.picked, b.picked, strict=True)
        picked = [i if i >= 0 else behind + j if j >= 0 else -1 for i, j in both]
        merged = self._builder.shuffle([a.register, b.register], picked)
        return Piece(merged, tuple(i if place >= 0 else -1 for i, place in enumerate(picked)))

    def _spread(self, piece: Piece, lanes: int) -> Piece:
        """The piece in a register of the wanted size."""
        if piece.register.kind.lanes == lanes:
            return piece
        if piece.register.kind.lanes == 1:
            wide = self._builder.splat(piece.register, lanes)
        else:
            wide = self._builder.shuffle([piece.register], piece.picked)
        places = [lane if place >= 0 else -1 for lane, place in enumerate(piece.picked)]
        return Piece(wide, tuple(places))


def _readable(parameter: Parameter, count: int) -> int:
    """Elements that may be read: storage with padding consists of whole cache lines."""
    line = ALIGNMENT // parameter.dtype.itemsize
    return -(-count // line) * line if parameter.padded else count


def _straight(piece: Piece) -> tuple[int, ...]:
    """What is picked if the register is already the one that is wanted."""
    if piece.register.kind.lanes != len(piece.picked):
        return ()
    return tuple(lane if place >= 0 else -1 for lane, place in enumerate(piece.picked))


def power_of_two(count: int) -> int:
    """The smallest one that is not below `count`."""
    return 1 << max(count - 1, 0).bit_length()
