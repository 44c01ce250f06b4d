"""A routine as one LLVM function: branches, repetitions, threads, calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainc.backends.llvm.printing.nest import LoopPrinter
from chainc.backends.llvm.printing.spelling import spelled
from chainc.loops.language import (
    Acquire,
    Barrier,
    Branch,
    Call,
    Clock,
    Data,
    Entry,
    Leave,
    Missing,
    Nest,
    Pause,
    Release,
    Repeat,
    Routine,
    Statement,
    Table,
    Within,
    statements,
)
from chainc.loops.values import Parameter, Register

CLOCK_DECLARED = "declare i64 @llvm.readcyclecounter()"
INLINED = "alwaysinline nounwind"
CALLED = 'noinline nounwind "no-builtins"'
MOST_INLINED = 16  # barriers in a routine: of more, each is a call, which compiles faster

Functions = Callable[[Nest | Routine], str]
Constants = Callable[[Data], str]


class RoutinePrinter(LoopPrinter):
    """`functions` and `constants` name what is called and read, and put it into the module."""

    def __init__(self, routine: Routine, functions: Functions, constants: Constants) -> None:
        super().__init__(())
        self.routine = routine
        self.functions = functions
        self.constants_of = constants
        self.barriers = sum(isinstance(each, Barrier) for each in statements(routine.body))
        self.tables: list[str] = []  # of the routine's own, which are there from its beginning
        self.at_barriers = " noinline" if self.barriers > MOST_INLINED else ""

    def declaration(self) -> str:
        """Of a function that is in another module."""
        given = ", ".join(map(_kind, self.routine.parameters))
        return f'declare {self._result()} @"{self.routine.name}"({given})'

    def _result(self) -> str:
        result = self.routine.result
        return "void" if result is None else spelled(result.kind)

    def function(self, *, exported: bool = False) -> str:
        """The text of the function; other modules see one that is exported."""
        given = [self._argument(each) for each in self.routine.parameters]
        self._statements(self.routine.body)
        result = self.routine.result
        end = "void" if result is None else self._typed(result)
        linkage = "" if exported else "internal "
        how = INLINED if self.routine.inlined else CALLED
        name = f'{self._result()} @"{self.routine.name}"'
        head = f"define {linkage}{name}({', '.join(given)}) {how} {{"
        return "\n".join([head, "entry:", *self.tables, *self.to.lines, f"  ret {end}", "}", ""])

    def _argument(self, parameter: Parameter | Register) -> str:
        name = f"%{parameter.name}"
        if isinstance(parameter, Parameter):
            self.arguments[parameter] = name
        else:
            self._define(parameter, name)
        return self._given(parameter)

    def _given(self, argument: Parameter | Register) -> str:
        if isinstance(argument, Register):
            return self._typed(argument)
        return f"ptr {self.arguments[argument]}"

    def _statement(self, statement: Statement) -> None:
        match statement:
            case Branch():
                self.branch(statement)
            case Repeat():
                self.repeat(statement)
            case Leave():
                self.leave(statement)
            case Within() | Entry() | Table() | Data():
                self._locate(statement)
            case Missing():
                self.missing(statement)
            case Acquire() | Release() | Clock() | Pause() | Barrier():
                self._among_threads(statement)
            case Call():
                self.call_function(statement)
            case _:
                super()._statement(statement)

    # buffers

    def _locate(self, statement: Within | Entry | Table | Data) -> None:
        out = statement.out
        self.arguments[out] = self._place(statement)
        self.depths[out] = len(self.outer)

    def _place(self, statement: Within | Entry | Table | Data) -> str:
        match statement:
            case Within(base=base, offset=offset):
                amount, pointer = self._affine(offset), self.arguments[base]
                return self.to.let(f"getelementptr inbounds i8, ptr {pointer}, i64 {amount}")
            case Entry(table=table, position=position):
                place, pointer = self._affine(position), self.arguments[table]
                slot = self.to.let(f"getelementptr inbounds ptr, ptr {pointer}, i64 {place}")
                return self.to.let(f"load ptr, ptr {slot}, align 8")
            case Table():
                return self._table(statement)
            case Data():
                return self.constants_of(statement)

    def _table(self, table: Table) -> str:
        name = self.to.fresh()
        self.tables.append(f"  {name} = alloca [{table.size} x ptr], align 8")
        for place, buffer in table.entries:
            slot = self.to.let(f"getelementptr inbounds ptr, ptr {name}, i64 {place}")
            self.to.lines.append(f"  store ptr {self.arguments[buffer]}, ptr {slot}, align 8")
        return name

    def missing(self, statement: Missing) -> None:
        pointer = self.arguments[statement.buffer]
        found = self.to.let(f"icmp eq ptr {pointer}, null")
        if statement.alignment > 1:
            number = self.to.let(f"ptrtoint ptr {pointer} to i64")
            low = self.to.let(f"and i64 {number}, {statement.alignment - 1}")
            uneven = self.to.let(f"icmp ne i64 {low}, 0")
            found = self.to.let(f"or i1 {found}, {uneven}")
        self._define(statement.out, found)

    # threads

    def _among_threads(self, statement: Acquire | Release | Clock | Pause | Barrier) -> None:
        match statement:
            case Acquire():
                self.acquire(statement)
            case Release():
                self.release(statement)
            case Clock():
                self.clock(statement)
            case Pause(length=length):
                self._call_text("void", f"pause.{length}", ())
            case Barrier():
                given = (statement.arena, statement.thread, statement.threads)
                self._call_text("void", "barrier", given, how=self.at_barriers)

    def acquire(self, statement: Acquire) -> None:
        kind, pointer = spelled(statement.out.kind), self._pointer(statement.address)
        size = statement.out.kind.dtype.itemsize
        text = f"load atomic {kind}, ptr {pointer} acquire, align {size}"
        self._define(statement.out, self.to.let(text))

    def release(self, statement: Release) -> None:
        value, pointer = self._typed(statement.value), self._pointer(statement.address)
        size = statement.value.kind.dtype.itemsize
        self.to.lines.append(f"  store atomic {value}, ptr {pointer} release, align {size}")

    def clock(self, statement: Clock) -> None:
        self.to.declared.add(CLOCK_DECLARED)
        self._define(statement.out, self.to.let("call i64 @llvm.readcyclecounter()"))

    # calls

    def call_function(self, statement: Call) -> None:
        name, out = self.functions(statement.function), statement.out
        if out is None:
            self._call_text("void", name, statement.arguments)
            return
        self._call_text(spelled(out.kind), name, statement.arguments, self.to.fresh(), out)

    def _call_text(
        self,
        kind: str,
        name: str,
        arguments: Sequence[Parameter | Register],
        result: str = "",
        out: Register | None = None,
        how: str = "",
    ) -> None:
        given = ", ".join(map(self._given, arguments))
        head = f"{result} = " if result else ""
        self.to.lines.append(f'  {head}call {kind} @"{name}"({given}){how}')
        if out is not None:
            self._define(out, result)

    # blocks

    def leave(self, statement: Leave) -> None:
        away, on = self._label("leave"), self._label("on")
        self.to.lines += [
            f"  br i1 {self.names[statement.condition]}, label %{away}, label %{on}",
            f"{away}:",
            f"  ret {self._typed(statement.value)}",
            f"{on}:",
        ]
        self.block = on

    def branch(self, statement: Branch) -> None:
        before, condition = self.block, self.names[statement.condition]
        then, after = self._label("then"), self._label("after")
        side, otherwise = before, after
        if statement.otherwise:
            side = otherwise = self._label("otherwise")
        body, end = self._inside(then, statement.then, after)
        other: Sequence[str] = ()
        if statement.otherwise:
            other, side = self._inside(otherwise, statement.otherwise, after)
        self.to.lines.append(f"  br i1 {condition}, label %{then}, label %{otherwise}")
        self.to.lines += [*body, *other, f"{after}:"]
        self.block = after
        for merged in statement.merged:
            values = [(self.names[merged.then], end), (self.names[merged.otherwise], side)]
            self._define(merged.result, self._phi(merged.result.kind, values))

    def _inside(
        self, label: str, body: Sequence[Statement], after: str
    ) -> tuple[Sequence[str], str]:
        """The lines of one side of a branch, and the block that they end in."""
        self.outer.append(self.to.lines)
        self.to.lines = []
        self.block = label
        self._statements(body)
        lines = [f"{label}:", *self.to.lines, f"  br label %{after}"]
        self.to.lines = self.outer.pop()
        return lines, self.block

    def repeat(self, statement: Repeat) -> None:
        before, label, after = self.block, self._label("repeat"), self._label("after")
        self.outer.append(self.to.lines)
        self.to.lines = []
        for carried in statement.carried:
            self._define(carried.current, self.to.fresh())
        self.block = label
        self._statements(statement.body)
        phis = [f"  br label %{label}", f"{label}:"]
        for carried in statement.carried:
            name, kind = self.names[carried.current], spelled(carried.current.kind)
            first, then = self.names[carried.initial], self.names[carried.following]
            phis.append(f"  {name} = phi {kind} [ {first}, %{before} ], [ {then}, %{self.block} ]")
        again = self.names[statement.again]
        body = [*self.to.lines, f"  br i1 {again}, label %{label}, label %{after}"]
        self.to.lines = self.outer.pop()
        self.to.lines += [*phis, *body, f"{after}:"]
        self.block = after
        for carried in statement.carried:
            self._define(carried.result, self.names[carried.following])


def _kind(parameter: Parameter | Register) -> str:
    return "ptr" if isinstance(parameter, Parameter) else spelled(parameter.kind)
