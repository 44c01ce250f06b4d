"""A nest as one LLVM function.

void @name(ptr, ptr, …, i64 rows, i64 thread, i64 threads [, ptr failure, i64 code])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from chainc.backends.llvm.printing.lines_of_parts import (
    PartOfLines,
    common_part,
    for_part,
    parts_of,
)
from chainc.backends.llvm.printing.primitives import is_call
from chainc.backends.llvm.printing.spelling import spelled
from chainc.backends.llvm.printing.statements import Place, StatementPrinter, place_of
from chainc.dataclass import dataclass
from chainc.ir.types import DType
from chainc.loops.language import (
    Across,
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
    statements,
)
from chainc.loops.uses import part_of
from chainc.loops.values import Kind

SHARED = "hidden"  # a function that the modules of one library see, and nobody else


@dataclass(frozen=True)
class Function:
    """The text of one kernel's function, and what it needs beside it."""

    arguments: str
    body: str
    declared: frozenset[str]
    called: frozenset[tuple[str, DType, int]]
    runtime: frozenset[str]
    fails: bool

    def text(self, name: str, note: str, linkage: str = "internal") -> str:
        head = f'define {linkage} void @"{name}"({self.arguments}) #0 {{'
        return f"; {note}\n{head}\n{self.body}}}\n"

    def declaration(self, name: str) -> str:
        """For other modules of a library."""
        return f'declare {SHARED} void @"{name}"({self.arguments}) #0\n'


def print_function(nest: Nest, *, inlines: bool = True, rounds: bool = True) -> Function:
    """The text of a nest; `inlines` says whether elementary functions are put into it.

    Where no instruction `rounds`, what rounds down is one of them.
    """
    printer = _NestPrinter(nest, inlines=inlines)
    printer.to.rounds = rounds
    return printer.function()


def parts_of_lines(nest: Nest, *, inlines: bool = True) -> PartOfLines:
    """For each line of the body of `print_function` the part of the kernel."""
    return _PrinterOfParts(nest, inlines=inlines).parts()


def inlined_calls(nest: Nest) -> int:
    """How many copies of elementary and runtime functions inlining would make."""
    return sum(
        is_call(each.primitive) if isinstance(each, Compute) else isinstance(each, RuntimeCall)
        for each in statements(nest.body)
    )


class LoopPrinter(StatementPrinter):
    """Loops: the text of a body is put together before that of the loop around it."""

    def _statements(self, body: Sequence[Statement]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, statement: Statement) -> None:
        match statement:
            case Load():
                self.load(statement)
            case Store():
                self.store(statement)
            case Prefetch():
                self.prefetch(statement)
            case Immediate():
                self.constant(statement)
            case Compute():
                self.compute(statement)
            case Loop():
                self.loop(statement)
            case Share():
                self.share(statement)
            case Immediates() | Splat() | Lane() | Shuffle() | Across() | Somewhere() | Transpose():
                self._lanes(statement)
            case Positions() | RowCount() | RuntimeCall() | Fail():
                self._call(statement)
            case _:
                raise TypeError("only a routine has such a statement")

    def _lanes(
        self, statement: Immediates | Splat | Lane | Shuffle | Across | Somewhere | Transpose
    ) -> None:
        match statement:
            case Immediates():
                self.constants(statement)
            case Shuffle():
                self.shuffle(statement)
            case Splat():
                self.splat(statement)
            case Lane():
                self.lane(statement)
            case Across():
                self.across(statement)
            case Somewhere():
                self.somewhere(statement)
            case Transpose():
                self.transpose(statement)

    def _call(self, statement: Positions | RowCount | RuntimeCall | Fail) -> None:
        match statement:
            case Positions():
                self.positions(statement)
            case RowCount():
                self.row_count(statement)
            case RuntimeCall():
                self.call(statement)
            case Fail():
                self.fail(statement)

    def share(self, statement: Share) -> None:
        stop, grain = self._bound(statement.stop), statement.grain
        one, part, shared = self._label("alone"), self._label("part"), self._label("shared")
        alone = self.to.let("icmp eq i64 %threads, 1")
        self.to.lines += [f"  br i1 {alone}, label %{one}, label %{part}", f"{one}:"]
        self.to.lines += [f"  br label %{shared}", f"{part}:"]
        more = self.to.let(f"add i64 {stop}, {grain - 1}")
        units = self.to.let(f"udiv i64 {more}, {grain}")
        low = self._part(units, "%thread", grain)
        following = self.to.let("add i64 %thread, 1")
        end = self._part(units, following, grain)
        inside = self.to.let(f"icmp slt i64 {end}, {stop}")
        high = self.to.let(f"select i1 {inside}, i64 {end}, i64 {stop}")
        self.to.lines += [f"  br label %{shared}", f"{shared}:"]
        self.block = shared
        first = self.to.let(f"phi i64 [ 0, %{one} ], [ {low}, %{part} ]")
        last = self.to.let(f"phi i64 [ {stop}, %{one} ], [ {high}, %{part} ]")
        self._define(statement.low, first)
        self._define(statement.high, last)

    def _part(self, units: str, thread: str, grain: int) -> str:
        scaled = self.to.let(f"mul i64 {units}, {thread}")
        return self._times(self.to.let(f"udiv i64 {scaled}, %threads"), grain)

    def loop(self, loop: Loop) -> None:
        self._passes(loop)
        inside = [key for key in self.pointers if any(v is loop.index for v, _ in key[1])]
        for key in inside:
            del self.pointers[key]  # the index has another value from here on

    def _passes(self, loop: Loop) -> None:
        start, stop = self._bound(loop.start), self._bound(loop.stop)
        if start.startswith("%") or stop.startswith("%"):
            self._guarded(loop, start, stop)
            return
        passes = max((int(stop) - int(start)) // loop.step, 0)
        last = int(start) + passes * loop.step
        if passes <= 1:
            self._straight(loop, start, passes)
        else:
            self._repeated(loop, start, str(last))
        self._define(loop.index, str(last))

    def _straight(self, loop: Loop, start: str, passes: int) -> None:
        """No pass, or one."""
        if passes == 0:
            for carried in loop.carried:
                self._define(carried.result, self.names[carried.initial])
            return
        self._define(loop.index, start)
        for carried in loop.carried:
            self._define(carried.current, self.names[carried.initial])
        self._statements(loop.body)
        for carried in loop.carried:
            self._define(carried.result, self.names[carried.following])

    def _repeated(self, loop: Loop, start: str, stop: str) -> None:
        """At least two passes; the loop is left where a pass ends."""
        label, after = self._label(loop.index.name), self._label("after")
        self._body(loop, label, f"br label %{label}", start, stop, after)
        self.to.lines.append(f"{after}:")
        self.block = after
        for carried in loop.carried:
            self._define(carried.result, self.names[carried.following])

    def _guarded(self, loop: Loop, start: str, stop: str) -> None:
        """Any number of passes, known at run time."""
        before, label, after = self.block, self._label(loop.index.name), self._label("after")
        first = self.to.let(f"add nsw i64 {start}, {loop.step}")
        enters = self.to.let(f"icmp sle i64 {first}, {stop}")
        entry = f"br i1 {enters}, label %{label}, label %{after}"
        latch, following = self._body(loop, label, entry, start, stop, after)
        self.to.lines.append(f"{after}:")
        self.block = after
        end = self.to.let(f"phi i64 [ {start}, %{before} ], [ {following}, %{latch} ]")
        self._define(loop.index, end)
        for carried in loop.carried:
            sources = [(self.names[carried.initial], before)]
            sources.append((self.names[carried.following], latch))
            self._define(carried.result, self._phi(carried.result.kind, sources))

    def _phi(self, kind: Kind, sources: Sequence[tuple[str, str]]) -> str:
        pairs = ", ".join(f"[ {value}, %{block} ]" for value, block in sources)
        return self.to.let(f"phi {spelled(kind)} {pairs}")

    def _body(
        self, loop: Loop, label: str, entry: str, start: str, stop: str, after: str
    ) -> tuple[str, str]:
        """The loop's blocks; its last one, and the index that the next pass would have.

        The branch into the loop comes after what its body has moved out of it.
        """
        before = self.block
        self.outer.append(self.to.lines)
        self.to.lines = []
        index, following = self.to.fresh(), self.to.fresh()
        self._define(loop.index, index)
        for carried in loop.carried:
            self._define(carried.current, self.to.fresh())
        self.block = label
        self._statements(loop.body)
        latch = self.block
        phis = [
            f"{label}:",
            f"  {index} = phi i64 [ {start}, %{before} ], [ {following}, %{latch} ]",
        ]
        for carried in loop.carried:
            name, kind = self.names[carried.current], spelled(carried.current.kind)
            first, then = self.names[carried.initial], self.names[carried.following]
            phis.append(f"  {name} = phi {kind} [ {first}, %{before} ], [ {then}, %{latch} ]")
        self.to.lines.append(f"  {following} = add nuw nsw i64 {index}, {loop.step}")
        again = self._again(following, stop, loop)
        self.to.lines.append(f"  br i1 {again}, label %{label}, label %{after}")
        body, self.to.lines = self.to.lines, self.outer.pop()
        self.to.lines += [f"  {entry}", *phis, *body]
        return latch, following

    def _again(self, following: str, stop: str, loop: Loop) -> str:
        if not stop.startswith("%"):
            return self.to.let(f"icmp slt i64 {following}, {stop}")
        then = self.to.let(f"add nsw i64 {following}, {loop.step}")
        return self.to.let(f"icmp sle i64 {then}, {stop}")


def _places_of_innermost_loops(nest: Nest) -> Iterator[Place]:
    """Once for each access."""
    for loop in statements(nest.body):
        if not isinstance(loop, Loop) or any(isinstance(each, Loop) for each in loop.body):
            continue
        for each in statements(loop.body):
            if isinstance(each, Load | Store | Prefetch):
                yield place_of(each.address)


class _NestPrinter(LoopPrinter):
    """A whole nest."""

    def __init__(self, nest: Nest, *, inlines: bool) -> None:
        super().__init__(nest.parameters)
        self.nest = nest
        self.to.inlines = inlines
        self.uses = Counter(_places_of_innermost_loops(nest))

    def function(self) -> Function:
        arguments = [f"ptr noalias captures(none) {name}" for name in self.arguments.values()]
        arguments += ["i64 %rows", "i64 %thread", "i64 %threads"]
        if self.nest.fails:
            arguments += ["ptr %failure", "i64 %code"]
        self._statements(self.nest.body)
        body = "\n".join(["entry:", *self.to.lines, "  ret void", ""])
        return Function(
            ", ".join(arguments),
            body,
            frozenset(self.to.declared),
            frozenset(self.to.called),
            frozenset(self.runtime),
            self.nest.fails,
        )


class _PrinterOfParts(_NestPrinter):
    """Notes for each line the part of the kernel for which it is."""

    def parts(self) -> PartOfLines:
        self._statements(self.nest.body)
        return parts_of(["entry:", *self.to.lines, "  ret void"])

    def _statement(self, statement: Statement) -> None:
        before = len(self.to.lines)
        super()._statement(statement)
        written = self.to.lines[before:]
        part = common_part(written) if isinstance(statement, Loop) else part_of(statement)
        self.to.lines[before:] = for_part(written, part)
