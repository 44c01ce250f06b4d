"""Writes nests: each method appends a statement and returns what it computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, DType, Size, bool_, int64, promote
from chainc.loops.language import (
    Across,
    Carried,
    Compute,
    Fail,
    Immediate,
    Immediates,
    Lane,
    Load,
    Loop,
    Nest,
    Positions,
    Prefetch,
    RowCount,
    RuntimeCall,
    Share,
    Shuffle,
    Somewhere,
    Splat,
    Statement,
    Store,
    Transpose,
)
from chainc.loops.powers import KNOWN, power
from chainc.loops.values import (
    Address,
    Affine,
    Bound,
    Index,
    Kind,
    Parameter,
    Register,
    Rows,
    affine,
)


@dataclass(eq=False)
class OpenLoop:
    """A loop whose body is being written."""

    index: Index
    values: tuple[Register, ...]  # the carried registers, as this pass sees them
    results: tuple[Register, ...]  # the same after the loop
    following: tuple[Register, ...] = ()

    def carry(self, *following: Register) -> None:
        """What the next pass gets, in the order of `values`."""
        if len(following) != len(self.values):
            raise ValueError(f"{len(self.values)} registers are carried, not {len(following)}")
        self.following = following


@dataclass
class NestBuilder:
    """Appends statements to the innermost open loop.

    `part` is the number of the part of the kernel that is being written.
    """

    bodies: list[list[Statement]] = field(default_factory=lambda: [[]])
    shared: bool = False
    part: int | None = None
    _numbers: dict[Register, float] = field(default_factory=dict)  # the constants among registers

    def nest(self, name: str, note: str, parameters: Sequence[Parameter]) -> Nest:
        (body,) = self.bodies
        return Nest(name, note, tuple(parameters), tuple(body), self.shared)

    @contextmanager
    def loop(
        self,
        name: str,
        start: Bound,
        stop: Bound,
        step: int = 1,
        carried: Sequence[Register] = (),
    ) -> Iterator[OpenLoop]:
        """A loop around what is written inside; `carry` says what the next pass gets."""
        values = tuple(map(another, carried))
        results = tuple(map(another, carried))
        opened = OpenLoop(Index(name), values, results)
        with self._body() as body:
            yield opened
        if len(opened.following) != len(values):
            raise ValueError(f"loop {name}: say what the next pass gets, with carry(...)")
        pairs = zip(values, carried, opened.following, results, strict=True)
        handed = tuple(Carried(*registers) for registers in pairs)
        self._append(Loop(opened.index, start, stop, step, handed, tuple(body)))

    @contextmanager
    def _body(self) -> Iterator[list[Statement]]:
        """Statements that are inside of another."""
        body: list[Statement] = []
        self.bodies.append(body)
        yield body
        self.bodies.pop()

    @contextmanager
    def writing(self, part: int | None) -> Iterator[None]:
        """What is written inside is for this part of the kernel."""
        before, self.part = self.part, part
        yield
        self.part = before

    def share(self, stop: Bound, grain: int = 1) -> tuple[Index, Index]:
        """This thread's part of 0..stop."""
        low, high = Index("low"), Index("high")
        self._append(Share(low, high, stop, grain))
        self.shared = True
        return low, high

    def load(self, address: Address, lanes: int = 1, name: str = "") -> Register:
        parameter = address.parameter
        out = self._register(Kind(parameter.dtype, lanes), name or parameter.name)
        self._append(Load(out, address))
        return out

    def store(self, value: Register, address: Address) -> None:
        if value.kind.dtype != address.parameter.dtype:
            value = self.cast(value, address.parameter.dtype)
        self._append(Store(value, address))

    def prefetch(self, address: Address) -> None:
        """Soon the cache line at this address will be read."""
        self._append(Prefetch(address))

    def constant(self, value: float | int | bool, kind: Kind, name: str = "") -> Register:
        out = self._register(kind, name)
        self._append(Immediate(out, value))
        self._numbers[out] = value
        return out

    def constants(self, values: Sequence[float | int | bool], dtype: DType) -> Register:
        """A number for each lane."""
        out = self._register(Kind(dtype, len(values)))
        self._append(Immediates(out, tuple(values)))
        return out

    def compute(
        self, primitive: str, *operands: Register, dtype: DType | None = None, name: str = ""
    ) -> Register:
        """A primitive in every lane; scalars are splat where another operand is a vector.

        Numbers of different precision are converted to the higher one.
        """
        exponent = self._numbers.get(operands[-1]) if primitive == "power" else None
        if exponent in KNOWN and operands[0].kind.dtype.is_float:
            return power(self, self.cast(operands[0], dtype or operands[0].kind.dtype), exponent)
        lanes = max(operand.kind.lanes for operand in operands)
        wide = tuple(self.splat(each, lanes) for each in self._promoted(operands))
        out = self._register(Kind(dtype or wide[-1].kind.dtype, lanes), name or primitive)
        self._append(Compute(out, primitive, wide))
        return out

    def _promoted(self, operands: Sequence[Register]) -> Sequence[Register]:
        """A select's condition stays as it is."""
        dtypes = [each.kind.dtype for each in operands if each.kind.dtype != bool_]
        common = dtypes[0] if dtypes else bool_
        for dtype in dtypes[1:]:
            common = promote(common, dtype) or common
        return [each if each.kind.dtype == bool_ else self.cast(each, common) for each in operands]

    def compare(self, primitive: str, a: Register, b: Register) -> Register:
        return self.compute(primitive, a, b, dtype=bool_)

    def cast(self, value: Register, dtype: DType) -> Register:
        return value if value.kind.dtype == dtype else self.compute("cast", value, dtype=dtype)

    def fma(self, a: Register, b: Register, c: Register) -> Register:
        return self.compute("fma", a, b, c)

    def splat(self, value: Register, lanes: int) -> Register:
        if value.kind.lanes == lanes:
            return value
        out = self._register(Kind(value.kind.dtype, lanes), value.name)
        self._append(Splat(out, value))
        if value in self._numbers:
            self._numbers[out] = self._numbers[value]
        return out

    def lane(self, value: Register, lane: int) -> Register:
        out = self._register(Kind(value.kind.dtype), value.name)
        self._append(Lane(out, value, lane))
        return out

    def shuffle(self, values: Sequence[Register], picked: Sequence[int]) -> Register:
        """Lanes of one vector, or of two of the same kind; -1 where any will do."""
        if len(picked) == 1:
            value, lane = divmod(max(picked[0], 0), values[0].kind.lanes)
            return self.lane(values[value], lane)
        out = self._register(Kind(values[0].kind.dtype, len(picked)), values[0].name)
        self._append(Shuffle(out, tuple(values), tuple(picked)))
        return out

    def across(self, primitive: str, value: Register) -> Register:
        if value.kind.lanes == 1:
            return value
        out = self._register(Kind(value.kind.dtype), primitive)
        self._append(Across(out, primitive, value))
        return out

    def somewhere(self, value: Register) -> Register:
        """Is it true in any lane?"""
        if value.kind.lanes == 1:
            return value
        out = self._register(Kind(bool_), "any")
        self._append(Somewhere(out, value))
        return out

    def transpose(self, values: Sequence[Register]) -> tuple[Register, ...]:
        outs = tuple(self._register(value.kind, value.name) for value in values)
        self._append(Transpose(outs, tuple(values)))
        return outs

    def positions(self, position: Affine | Index, lanes: int, dtype: DType = int64) -> Register:
        """`position` + 0, 1, …: where each lane stands."""
        out = self._register(Kind(dtype, lanes), "position")
        self._append(Positions(out, affine(position)))
        return out

    def size(self, dim: Dim, dtype: DType) -> Register:
        """A size as a number; a name in it is that of the rows, as often as it stands there."""
        if not isinstance(dim, Size):
            return self.constant(dim, Kind(dtype))
        return self.row_count(dtype, dim.coefficient, len(dim.names))

    def bound(self, bound: Bound, more: int = 0) -> Register:
        """Where a loop over all rows ends, as a number; so many more."""
        if isinstance(bound, Rows):
            assert bound.rounded == 1, "rows that are not there have no number"
            bound = self.row_count(int64, bound.multiple)
        return self.positions(affine(bound) + more, 1)

    def row_count(self, dtype: DType, multiple: int = 1, power: int = 1) -> Register:
        out = self._register(Kind(dtype), "rows")
        self._append(RowCount(out, multiple, power))
        return out

    def call(
        self, function: str, operands: Sequence[Register], kinds: Sequence[Kind]
    ) -> tuple[Register, ...]:
        outs = tuple(self._register(kind, function) for kind in kinds)
        self._append(RuntimeCall(outs, function, tuple(operands)))
        return outs

    def fail(self, condition: Register, number: int = 0) -> None:
        """Where some lane is true, the call reports an index out of range."""
        self._append(Fail(condition, number))

    def _register(self, kind: Kind, name: str = "") -> Register:
        return Register(kind, name, self.part)

    def _append(self, statement: Statement) -> None:
        self.bodies[-1].append(statement)


def another(register: Register) -> Register:
    """Of the same kind and name."""
    return Register(register.kind, register.name, register.part)
