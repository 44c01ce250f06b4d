"""A routine as one C function: branches, repetitions, threads, calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import pairwise

from chainc.backends.c.nest import Argument, Function, LoopPrinter
from chainc.backends.c.prelude import GIVE_CORE, TICKS, Prelude
from chainc.backends.c.primitives import Computed
from chainc.backends.c.spelling import element, type_of
from chainc.backends.c.variables import Variables
from chainc.dataclass import dataclass
from chainc.loops.language import (
    Acquire,
    Barrier,
    Branch,
    Call,
    Clock,
    Compute,
    Data,
    Entry,
    Immediate,
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
    bodies_of,
    statements,
)
from chainc.loops.uses import read
from chainc.loops.values import Parameter, Register, Variable
from chainc.schedules.training.waiting import BARRIER


@dataclass(frozen=True)
class Callee:
    """A function that is there: its name, and which of the arguments of a call it takes."""

    name: str
    kept: tuple[bool, ...]


Functions = Callable[[Nest | Routine], Callee]
Constants = Callable[[Data], str]
TABLE = "table"  # of pointers to the caller's arrays
ARENA = "arena"  # memory of the program's own


class RoutinePrinter(LoopPrinter):
    """`functions` and `constants` name what is called and read, and put it into the file."""

    def __init__(
        self, routine: Routine, prelude: Prelude, functions: Functions, constants: Constants
    ) -> None:
        numbers = [each for each in routine.parameters if isinstance(each, Register)]
        results = () if routine.result is None else (routine.result,)
        everything = list(statements(routine.body))
        calls = [each.function for each in everything if isinstance(each, Call)]
        calls += [BARRIER for each in everything if isinstance(each, Barrier)]
        self.functions = {each: functions(each) for each in calls}
        known = [routine, *(each for each in calls if isinstance(each, Routine))]
        self.given = {parameter for each in known for parameter in each.parameters}
        data = {each.out: constants(each) for each in everything if isinstance(each, Data)}
        taken = [*(each.name for each in self.functions.values()), *data.values()]
        variables = Variables(routine.body, numbers, taken, prelude)
        self.found = self._found(everything)
        super().__init__(routine.body, variables, prelude, results, self._read)
        self.routine = routine
        self.variables.buffers.update(data)
        self.constants = data.keys()
        self.places = {each.out: each for each in everything if isinstance(each, Within | Entry)}
        for parameter in routine.parameters:
            if isinstance(parameter, Parameter):
                self.variables.buffer(parameter)
        self.touched = {buffer for each in everything if (buffer := _touched(each)) is not None}
        self.asked = set(_asked(routine.body, self.readings))
        self.touched |= {place.out for place in self.places.values() if _moves(place)}

    def printed(self) -> Function:
        """All of it."""
        parameters = [self._parameter(each) for each in self.routine.parameters]
        self.body(self.routine.body)
        if self.routine.result is not None:
            self.write(f"return {self.variables.value(self.routine.result)};")
        return self.function(parameters)

    def _parameter(self, parameter: Parameter | Register) -> Argument:
        if isinstance(parameter, Parameter):
            return Argument(self._type(parameter), self.variables.buffer(parameter))
        name, _ = self.variables.define(parameter, type_of(parameter.kind))
        return Argument(f"{type_of(parameter.kind)} ", name)

    def statement(self, statement: Statement) -> None:
        match statement:
            case Branch():
                self.branch(statement)
            case Repeat():
                self.repeat(statement)
            case Within() | Entry() | Table() | Data():
                self._locate(statement)
            case Missing(out=out, buffer=buffer, alignment=alignment):
                name = self._argument(buffer)
                away = f" || (uintptr_t){name} % {alignment} != 0" if alignment > 1 else ""
                self.let(out, Computed(f"{name} == NULL{away}", type_of(out.kind)))
            case Leave(condition=condition, value=value):
                returned = self.variables.value(value)
                self.write(f"if ({self.variables.value(condition)}) return {returned};")
            case Acquire() | Release() | Clock() | Pause() | Barrier():
                self._among_threads(statement)
            case Call():
                self.call(statement)
            case _:
                super().statement(statement)

    def _among_threads(self, statement: Acquire | Release | Clock | Pause | Barrier) -> None:
        match statement:
            case Acquire(out=out, address=address):
                text = f"__atomic_load_n({self.place(address, True)}, __ATOMIC_ACQUIRE)"
                self.let(out, Computed(text, type_of(out.kind)))
            case Release(value=value, address=address):
                given = f"{self.place(address, True)}, {self.variables.value(value)}"
                self.write(f"__atomic_store_n({given}, __ATOMIC_RELEASE);")
            case Clock(out=out):
                self.let(
                    out,
                    Computed(f"{self.prelude.plain('clock_ticks', TICKS)}()", type_of(out.kind)),
                )
            case Barrier(arena=arena, thread=thread, threads=threads):
                self.call(Call(None, BARRIER, (arena, thread, threads)))
            case Pause(length=length):
                if length > 0:  # the standard knows of no sleep
                    self.write(f"{self.prelude.plain('give_core', GIVE_CORE)}();")

    def let(self, out: Variable, computed: Computed) -> None:
        """A condition that is asked at once, and never again, stands in the question."""
        if out in self.asked:
            self.variables.found[out] = computed.text
        else:
            super().let(out, computed)

    # buffers

    def _locate(self, statement: Within | Entry | Table | Data) -> None:
        """A buffer that nothing but calls needs is found where it is given, if it can be.

        One of no use is not, and constants have a name already.
        """
        out = statement.out
        if out not in self.found:
            return
        if isinstance(statement, Table):
            self._table(statement)
        elif isinstance(statement, Within | Entry) and out in self.touched:
            name = self.variables.buffer(out)
            self.write(f"{self._type(out)}{name} = {self._place(statement, out)};")

    def _table(self, table: Table) -> None:
        name = self.variables.buffer(table.out)
        entries = (f"[{place}] = {self._pointer(buffer)}" for place, buffer in table.entries)
        self.write(f"void *{name}[{table.size}] = {{{', '.join(entries) or 'NULL'}}};")

    def _pointer(self, buffer: Parameter) -> str:
        """As an entry of a table, in which constants are no other than what may be written."""
        return f"{'(void *)' * (buffer in self.constants)}{self._argument(buffer)}"

    def _place(self, statement: Within | Entry, like: Parameter) -> str:
        """Where a buffer is, as one like another."""
        match statement:
            case Within(base=base, offset=offset):
                start = self._argument(base)
                if not self._is_given(base, ARENA):
                    start = f"(unsigned char *){start}"
                moved = self.affine(offset)
                text = f"({start} + {moved})" if moved != "0" else start
                return f"({self._type(like)}){text}"
            case Entry(table=table, position=position):
                return f"{self._argument(table)}[{self.affine(position)}]"

    def _is_given(self, parameter: Parameter, name: str) -> bool:
        """Is it a routine's own of that name, and not a buffer that a user calls so?"""
        return parameter in self.given and parameter.name == name

    def _type(self, parameter: Parameter) -> str:
        if self._is_given(parameter, TABLE):
            return "void **"
        is_arena = self._is_given(parameter, ARENA)
        return "unsigned char *" if is_arena else f"{element(parameter.dtype)} *"

    # calls

    def _read(self, statement: Statement) -> Iterable[Variable]:
        """Of the arguments of a call those that are taken, and no place that nothing finds."""
        if isinstance(statement, Within | Entry) and statement.out not in self.found:
            return ()
        if not isinstance(statement, Call):
            return read(statement)
        return [each for each, _ in self._given(statement) if isinstance(each, Register)]

    def _found(self, everything: Sequence[Statement]) -> Set[Parameter]:
        """The buffers that something is done with, and those in which they are found."""
        found: set[Parameter] = set()
        for statement in reversed(everything):
            match statement:
                case Call():
                    given = (each for each, _ in self._given(statement))
                    found.update(each for each in given if isinstance(each, Parameter))
                case Missing():
                    found.add(statement.buffer)
                case Within() | Entry() | Table() if statement.out not in found:
                    continue
                case Table():
                    found.update(each for _, each in statement.entries)
            touched = _touched(statement)
            if touched is not None:
                found.add(touched)
        return found

    def _given(self, call: Call) -> Sequence[tuple[Parameter | Register, Parameter | None]]:
        """The arguments that are taken, and the buffers that they become."""
        function = call.function
        wanted = [each if isinstance(each, Parameter) else None for each in function.parameters]
        wanted += [None] * (len(call.arguments) - len(wanted))
        triples = zip(call.arguments, wanted, self.functions[function].kept, strict=True)
        return [(argument, like) for argument, like, keeps in triples if keeps]

    def call(self, statement: Call) -> None:
        given = ", ".join(self._argument(*each) for each in self._given(statement))
        text, out = f"{self.functions[statement.function].name}({given})", statement.out
        if out is None or not self.is_needed(out):
            self.write(f"{text};")
        else:
            self.let(out, Computed(text, type_of(out.kind)))

    def _argument(self, argument: Parameter | Register, wanted: Parameter | None = None) -> str:
        """As a parameter wants it."""
        if isinstance(argument, Register):
            return self.variables.value(argument)
        like = wanted or argument
        if argument in self.places and argument not in self.touched:
            return self._place(self.places[argument], like)
        name = self.variables.buffer(argument)
        return name if like.dtype == argument.dtype else f"({self._type(like)}){name}"

    # blocks

    def branch(self, statement: Branch) -> None:
        thens = [(each.result, each.then) for each in statement.merged]
        others = [(each.result, each.otherwise) for each in statement.merged]
        self._declare(statement)
        self._side(f"if ({self.variables.value(statement.condition)}) {{", statement.then, thens)
        if self._changes(statement.otherwise, others):
            self.depth -= 1
            self._side("} else {", statement.otherwise, others)
        self.close()

    def _declare(self, statement: Branch) -> None:
        """What a branch leaves is there before it."""
        for merged in statement.merged:
            if self.is_needed(merged.result):
                type = type_of(merged.result.kind)
                name, new = self.variables.define(merged.result, type)
                if new:
                    self.write(f"{self.prelude.type(type)} {name};")

    def _side(
        self, head: str, body: Sequence[Statement], merged: Sequence[tuple[Register, Register]]
    ) -> None:
        self.open(head)
        self.variables.scopes.append({})
        self.body(body)
        self.hand_over(merged)
        self.variables.scopes.pop()

    def _changes(
        self, body: Sequence[Statement], merged: Sequence[tuple[Register, Register]]
    ) -> bool:
        """Is there anything to do?"""
        if body:
            return True
        wanted = [pair for pair in merged if self.is_needed(pair[0])]
        return any(self.variables.value(a) != self.variables.value(b) for a, b in wanted)

    def repeat(self, statement: Repeat) -> None:
        self.hand_over([(each.current, each.initial) for each in statement.carried])
        again = statement.again
        if again not in self.variables.literals:
            name, new = self.variables.define(again, type_of(again.kind))
            if new:
                self.write(f"bool {name};")
        self.open("do {")
        self.variables.scopes.append({})
        self.body(statement.body)
        self.hand_over([(each.current, each.following) for each in statement.carried])
        self.variables.scopes.pop()
        self.close(f"}} while ({self.variables.value(again)});")
        for each in statement.carried:
            self.keep(each.result, each.current)


def _asked(body: Sequence[Statement], readings: Counter[Variable]) -> Iterator[Register]:
    """What the next statement asks, if it has no name of its own and nothing else reads it."""
    lines = [each for each in body if not isinstance(each, Immediate)]
    for one, other in pairwise(lines):
        if isinstance(one, Compute | Missing) and readings[one.out] == 1:
            leaves = isinstance(other, Leave) and other.condition is one.out
            branches = isinstance(other, Branch) and other.condition is one.out
            if leaves or (branches and isinstance(one, Compute) and one.out.name == one.primitive):
                yield one.out
    for statement in body:
        for inside in bodies_of(statement):
            yield from _asked(inside, readings)


def _moves(statement: Within | Entry) -> bool:
    """Is it found by a number that may have another value where the buffer is given?"""
    position = statement.offset if isinstance(statement, Within) else statement.position
    return any(isinstance(variable, Register) for variable, _ in position.terms)


def _touched(statement: Statement) -> Parameter | None:
    """Whose elements a statement reads or writes, or in which it finds another."""
    match statement:
        case Load() | Store() | Prefetch() | Acquire() | Release():
            return statement.address.parameter
        case Within():
            return statement.base
        case Entry():
            return statement.table
    return None
