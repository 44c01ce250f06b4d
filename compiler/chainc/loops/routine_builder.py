"""Writes routines: integers, branches and repetitions around calls of kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field

from chainc.dataclass import dataclass
from chainc.ir.types import DType, bool_, int64, uint8
from chainc.loops.builder import NestBuilder, another
from chainc.loops.language import (
    Acquire,
    Barrier,
    Branch,
    Call,
    Carried,
    Clock,
    Data,
    Entry,
    Leave,
    Merged,
    Missing,
    Nest,
    Pause,
    Release,
    Repeat,
    Routine,
    Statement,
    Table,
    Within,
)
from chainc.loops.values import Address, Affine, Kind, Parameter, Register, Variable, affine

INTEGER = Kind(int64)
Number = int | Register  # a 64-bit integer


@dataclass(eq=False)
class OpenBranch:
    """A branch that is being written, or whose other side may still be."""

    condition: Register
    kept: tuple[Register, ...]
    results: tuple[Register, ...]  # what is kept, as it is after the branch
    changed: tuple[Register, ...]
    then: Sequence[Statement] = ()

    def change(self, *changed: Register) -> None:
        """What becomes of what is kept."""
        if len(changed) != len(self.kept):
            raise ValueError(f"{len(self.kept)} registers are kept, not {len(changed)}")
        self.changed = changed

    def statement(self, then: tuple[Register, ...], otherwise: Sequence[Statement]) -> Branch:
        """`changed` is what becomes of what is kept on the side that was written last."""
        values = (then, self.changed if otherwise else self.kept)
        merged = map(Merged, self.results, *values)
        return Branch(self.condition, tuple(self.then), tuple(otherwise), tuple(merged))


@dataclass(eq=False)
class OpenRepetition:
    """A repetition whose body is being written."""

    values: tuple[Register, ...]  # the carried registers, as this pass sees them
    results: tuple[Register, ...]  # the same in the end
    following: tuple[Register, ...] = ()
    again: Register | None = None

    def carry(self, *following: Register, again: Register) -> None:
        """What the next pass gets, in the order of `values`, and whether there is one."""
        if len(following) != len(self.values):
            raise ValueError(f"{len(self.values)} registers are carried, not {len(following)}")
        self.following, self.again = following, again


@dataclass
class RoutineBuilder(NestBuilder):
    """Appends statements to the innermost open loop, branch or repetition."""

    parameters: list[Parameter | Register] = field(default_factory=list)

    def routine(
        self, name: str, note: str, *, result: Register | None = None, inlined: bool = False
    ) -> Routine:
        (body,) = self.bodies
        return Routine(name, note, tuple(self.parameters), tuple(body), result, inlined)

    def buffer(self, name: str, dtype: DType, *, padded: bool = False) -> Parameter:
        """A further argument."""
        found = Parameter(name, dtype, padded)
        self.parameters.append(found)
        return found

    def number(self, name: str) -> Register:
        """A further argument, an integer."""
        found = Register(INTEGER, name)
        self.parameters.append(found)
        return found

    # buffers

    def within(
        self,
        base: Parameter,
        offset: int | Variable | Affine,
        name: str,
        dtype: DType,
        *,
        padded: bool = False,
    ) -> Parameter:
        """What lies so many bytes behind the start of another buffer."""
        out = Parameter(name, dtype, padded)
        self._append(Within(out, base, affine(offset)))
        return out

    def entry(
        self, table: Parameter, position: int | Variable, name: str, dtype: DType
    ) -> Parameter:
        """What a table of pointers points to."""
        out = Parameter(name, dtype, padded=False)
        self._append(Entry(out, table, affine(position)))
        return out

    def table(self, name: str, entries: Mapping[int, Parameter], size: int) -> Parameter:
        """Pointers to buffers, each at its place."""
        out = Parameter(name, uint8, padded=False)
        self._append(Table(out, size, tuple(entries.items())))
        return out

    def data(self, name: str, dtype: DType, content: bytes) -> Parameter:
        """Constants of the module."""
        out = Parameter(name, dtype)
        self._append(Data(out, name, content))
        return out

    # integers

    def integer(self, value: Number, name: str = "") -> Register:
        return value if isinstance(value, Register) else self.constant(value, INTEGER, name)

    def plus(self, a: Number, b: Number, name: str = "") -> Register:
        return self._whole("add", a, b, name)

    def minus(self, a: Number, b: Number, name: str = "") -> Register:
        return self._whole("subtract", a, b, name)

    def times(self, a: Number, b: Number, name: str = "") -> Register:
        return self._whole("multiply", a, b, name)

    def quotient(self, a: Number, b: Number, name: str = "") -> Register:
        """Of numbers that are not negative."""
        return self._whole("divide", a, b, name)

    def smaller(self, a: Number, b: Number, name: str = "") -> Register:
        return self._whole("minimum", a, b, name)

    def larger(self, a: Number, b: Number, name: str = "") -> Register:
        return self._whole("maximum", a, b, name)

    def _whole(self, primitive: str, a: Number, b: Number, name: str) -> Register:
        return self.compute(primitive, self.integer(a), self.integer(b), name=name)

    # conditions

    def truth(self, value: bool, name: str = "") -> Register:
        return self.constant(value, Kind(bool_), name)

    def is_less(self, a: Number, b: Number, name: str = "") -> Register:
        return self.compute("less", self.integer(a), self.integer(b), dtype=bool_, name=name)

    def is_at_most(self, a: Number, b: Number, name: str = "") -> Register:
        return self.compute("less_equal", self.integer(a), self.integer(b), dtype=bool_, name=name)

    def is_equal(self, a: Number, b: Number, name: str = "") -> Register:
        return self.compute("equal", self.integer(a), self.integer(b), dtype=bool_, name=name)

    def is_missing(self, buffer: Parameter, alignment: int = 1, name: str = "") -> Register:
        """Is it nowhere, or not at a multiple of so many bytes?"""
        out = self._register(Kind(bool_), name)
        self._append(Missing(out, buffer, alignment))
        return out

    def both(self, a: Register, b: Register, name: str = "") -> Register:
        return self.compute("logical_and", a, b, dtype=bool_, name=name)

    def opposite(self, value: Register, name: str = "") -> Register:
        return self.compute("logical_not", value, dtype=bool_, name=name)

    def either(self, condition: Register, a: Number, b: Number, name: str = "") -> Register:
        """The first of two numbers where the condition is true, or else the second."""
        return self.compute("select", condition, self.integer(a), self.integer(b), name=name)

    # branches and repetitions

    @contextmanager
    def when(self, condition: Register, kept: Sequence[Register] = ()) -> Iterator[OpenBranch]:
        """What is written inside, if the condition is true.

        `change` says what becomes of what is kept; `results` are its values after the branch.
        """
        given = tuple(kept)
        opened = OpenBranch(condition, given, tuple(map(another, given)), given)
        with self._body() as body:
            yield opened
        opened.then = body
        self._append(opened.statement(opened.changed, ()))

    @contextmanager
    def otherwise(self, branch: OpenBranch) -> Iterator[OpenBranch]:
        """The other side of the branch that has just been written."""
        changed = branch.changed
        self.bodies[-1].pop()
        branch.changed = branch.kept
        with self._body() as body:
            yield branch
        self._append(branch.statement(changed, body))

    def leave(self, condition: Register, value: Register) -> None:
        """The routine ends here, if the condition is true."""
        self._append(Leave(condition, value))

    @contextmanager
    def repeat(self, carried: Sequence[Register]) -> Iterator[OpenRepetition]:
        """What is written inside, again and again; `carry` says when it ends."""
        opened = OpenRepetition(tuple(map(another, carried)), tuple(map(another, carried)))
        with self._body() as body:
            yield opened
        if opened.again is None:
            raise ValueError("say whether there is another pass, with carry(...)")
        pairs = zip(opened.values, carried, opened.following, opened.results, strict=True)
        handed = tuple(Carried(*registers) for registers in pairs)
        self._append(Repeat(opened.again, handed, tuple(body)))

    # threads

    def acquire(self, address: Address, name: str = "") -> Register:
        """What another thread has released."""
        parameter = address.parameter
        out = self._register(Kind(parameter.dtype), name or parameter.name)
        self._append(Acquire(out, address))
        return out

    def release(self, value: Register, address: Address) -> None:
        self._append(Release(value, address))

    def clock(self, name: str = "") -> Register:
        """The ticks of the processor's clock."""
        out = self._register(INTEGER, name)
        self._append(Clock(out))
        return out

    def pause(self, length: int = 0) -> None:
        """Another thread may come further; see `Pause`."""
        self._append(Pause(length))

    def barrier(self, arena: Parameter, thread: Register, threads: Register) -> None:
        """No thread goes on before all are here."""
        self._append(Barrier(arena, thread, threads))

    # calls

    def run(self, function: Nest | Routine, *arguments: Parameter | Register) -> None:
        if isinstance(function, Routine) and len(arguments) != len(function.parameters):
            raise ValueError(f"{function.name} takes {len(function.parameters)} arguments")
        self._append(Call(None, function, arguments))

    def result_of(self, function: Routine, *arguments: Parameter | Register) -> Register:
        """What a routine returns."""
        assert function.result is not None
        out = self._register(function.result.kind, function.name)
        self._append(Call(out, function, arguments))
        return out
