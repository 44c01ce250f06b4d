"""A routine as text for people.

# all epochs
train.loop(arena: u8, table: u8, job: i64, thread: i64, threads: i64) -> nothing
repeat carrying step, seen: i64 = 0:
relu1(x at arena + 4096, relu1 at arena + 8192, rows, thread, threads)
barrier
...
again if more
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chainc.loops.language import (
    Acquire,
    Barrier,
    Branch,
    Call,
    Clock,
    Data,
    Entry,
    Leave,
    Load,
    Missing,
    Nest,
    Pause,
    Prefetch,
    Release,
    Repeat,
    Routine,
    Statement,
    Store,
    Table,
    Within,
    statements,
)
from chainc.loops.repetition import Block, Line, Piece, Rendered
from chainc.loops.text import LoopText, noted_lines, together
from chainc.loops.values import Parameter, Register


def print_routine(routine: Routine, called: Mapping[Nest, str]) -> str:
    """The routine's note, its parameters, and its statements.

    `called` are the names of nests that are not called as they are named.
    """
    return together(routine_lines(routine, called))


def routine_lines(routine: Routine, called: Mapping[Nest, str]) -> list[Rendered]:
    """The text of a routine line by line."""
    printer = RoutineText(routine, called)
    body = printer.body(routine.body)
    if routine.result is not None:
        body.append(("return ", *printer.value(routine.result)))
    return noted_lines(routine.note, printer.signature(routine), body)


class RoutineText(LoopText):
    """The text of a routine.

    A buffer that nothing but calls needs has no line: where it is stands where it is given.
    """

    def __init__(self, routine: Routine, called: Mapping[Nest, str]) -> None:
        everything = list(statements(routine.body))
        self.called = called
        self.places = {
            each.out: each for each in everything if isinstance(each, Within | Entry | Data | Table)
        }
        used = {buffer for each in everything for buffer in _buffers(each)}
        buffers = [each for each in routine.parameters if isinstance(each, Parameter)]
        buffers += [each for each in self.places if each in used]
        numbers = [each for each in routine.parameters if isinstance(each, Register)]
        super().__init__(routine.body, buffers, numbers)

    def signature(self, routine: Routine) -> str:
        result = "nothing" if routine.result is None else str(routine.result.kind)
        return f"{routine.name}({self.typed(routine.parameters)}) -> {result}"

    def blocks(self, statement: Statement) -> Iterator[Block]:
        match statement:
            case Repeat():
                yield self._repeat(statement)
            case Branch():
                yield from self._branch(statement)
            case _:
                yield from super().blocks(statement)

    def _repeat(self, repeat: Repeat) -> Block:
        body = [*self.body(repeat.body), *self.following(repeat.carried)]
        body.append(("again if ", *self.value(repeat.again)))
        return Block(("repeat", *self.carrying(repeat.carried), ":"), tuple(body))

    def _branch(self, branch: Branch) -> Iterator[Block]:
        thens = self._side(branch.then, [(each.result, each.then) for each in branch.merged])
        others = [(each.result, each.otherwise) for each in branch.merged]
        yield Block(("if ", *self.value(branch.condition), ":"), thens)
        if otherwise := self._side(branch.otherwise, others):
            yield Block(("else:",), otherwise)

    def _side(
        self, body: Sequence[Statement], merged: Sequence[tuple[Register, Register]]
    ) -> Sequence[Line | Block]:
        """One side of a branch, and what its registers are called after it."""
        other = [(result, value) for result, value in merged if not self.alike(value, result)]
        lines = self.body(body)
        if other:
            results, values = zip(*other, strict=True)
            lines.append((*self.listed(results), " = ", *self.listed(values)))
        return lines

    def lines(self, statement: Statement) -> Iterator[Line]:
        match statement:
            case Acquire() | Release() | Clock() | Pause() | Barrier():
                yield self._among_threads(statement)
            case Call():
                yield self._call(statement)
            case Leave(condition=condition, value=value):
                yield ("leave with ", *self.value(value), " if ", *self.value(condition))
            case Missing(out=out, buffer=buffer, alignment=alignment):
                away = f" or not at a multiple of {alignment} bytes" if alignment > 1 else ""
                yield (*self.head(out), *self._argument(buffer), f" is missing{away}")
            case Within() | Entry() | Data() | Table():
                if statement.out in self.parameters:
                    name, dtype = self.parameters[statement.out], statement.out.dtype
                    yield (f"{name}: {dtype} at ", *self._at(statement))
            case _:
                yield from super().lines(statement)

    def _among_threads(self, statement: Acquire | Release | Clock | Pause | Barrier) -> Line:
        match statement:
            case Acquire(out=out, address=address):
                return (*self.head(out), "acquire ", *self.place(address, 1))
            case Release(value=value, address=address):
                return ("release ", *self.place(address, 1), " = ", *self.value(value))
            case Clock(out=out):
                return (*self.head(out), "clock")
            case Pause(length=length):
                return (("pause", "pause, and give the core away", "sleep")[length],)
            case Barrier():
                return ("barrier",)

    def _at(self, statement: Within | Entry | Data | Table) -> Iterator[Piece]:
        match statement:
            case Within(base=base, offset=offset):
                yield f"{self.parameters[base]} + "
                yield from self.affine(offset)
            case Entry(table=table, position=position):
                yield f"{self.parameters[table]}["
                yield from self.affine(position)
                yield "]"
            case Data(name=name):
                yield name
            case Table(entries=entries):
                for i, (place, buffer) in enumerate(entries):
                    yield f"{', ' if i else '['}{place}: "
                    yield from self._argument(buffer)
                yield "]"

    def _call(self, call: Call) -> Line:
        function = call.function
        name = self.called.get(function) if isinstance(function, Nest) else None
        out = () if call.out is None else self.head(call.out)
        pieces: list[Piece] = [*out, f"{name or function.name}("]
        for position, argument in enumerate(call.arguments):
            pieces += [", "] if position else []
            pieces += self._argument(argument)
        return (*pieces, ")")

    def _argument(self, argument: Parameter | Register) -> Iterator[Piece]:
        """A buffer that nothing else needs is found where it is given."""
        if isinstance(argument, Register):
            yield from self.value(argument)
        elif argument in self.parameters:
            yield self.parameters[argument]
        else:
            place = self.places[argument]
            yield "" if isinstance(place, Data) else f"{argument.name} at "
            yield from self._at(place)


def _buffers(statement: Statement) -> Sequence[Parameter]:
    """Whose elements a statement reads or writes, in which it finds another, or which it is."""
    match statement:
        case Load() | Store() | Prefetch() | Acquire() | Release():
            return (statement.address.parameter,)
        case Within():
            return (statement.base,)
        case Entry():
            return (statement.table,)
        case Table():
            return (statement.out,)
    return ()
