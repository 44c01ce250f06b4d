"""Loops, and a nest as one C function."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chainc.backends.c.liveness import Reads, is_idle, needed, readings
from chainc.backends.c.prelude import Prelude
from chainc.backends.c.primitives import Computed
from chainc.backends.c.statements import StatementPrinter
from chainc.backends.c.variables import POSITION, Variables, pointer
from chainc.dataclass import dataclass
from chainc.ir.types import DType
from chainc.loops.language import (
    Compute,
    Immediate,
    Loop,
    Nest,
    Splat,
    Statement,
    Store,
    statements,
)
from chainc.loops.repetition import Rendered
from chainc.loops.uses import part_of, read
from chainc.loops.values import Register, Rows

GIVEN = ("rows", "thread", "threads", "failure", "code")  # behind the buffers of a kernel


@dataclass(frozen=True)
class Argument:
    """A parameter of a function, its type with all that stands before the name."""

    type: str
    name: str


@dataclass(frozen=True)
class Function:
    """The lines of one function but for its name, and what it needs beside it.

    `kept` says which of the arguments of a call it takes.
    """

    parameters: str
    lines: tuple[Rendered, ...]
    kept: tuple[bool, ...]
    called: frozenset[tuple[str, DType, int]]
    runtime: frozenset[str]

    @property
    def key(self) -> tuple[str, ...]:
        """Functions with the same one differ in nothing but names of no account."""
        return (self.parameters, *(line.text for line in self.lines))


class LoopPrinter(StatementPrinter):
    """Loops and what is in them."""

    def __init__(
        self,
        body: Sequence[Statement],
        variables: Variables,
        prelude: Prelude,
        results: Sequence[Register] = (),
        reads: Reads = read,
    ) -> None:
        super().__init__(variables, prelude, needed(body, results, reads))
        self.readings = readings(body)

    def body(self, body: Sequence[Statement]) -> None:
        for statement in body:
            if not is_idle(statement, self.needed):
                self.part = part_of(statement)
                self.statement(statement)

    def statement(self, statement: Statement) -> None:
        match statement:
            case Immediate() | Splat():
                return  # stands where it is used
            case Compute():
                self.let(statement.out, self.primitives.computed(statement))
            case Loop():
                self.loop(statement)
            case _:
                super().statement(statement)

    def loop(self, loop: Loop) -> None:
        start, stop = loop.start, loop.stop
        if isinstance(start, int) and isinstance(stop, int) and start + loop.step > stop:
            self._skipped(loop)
            return
        self.hand_over([(each.current, each.initial) for each in loop.carried])
        first = self.bound(start)
        outlives = self.readings[loop.index] > readings(loop.body)[loop.index]
        if outlives:
            self.let(loop.index, Computed(first, POSITION))
        self.variables.scopes.append({})
        if not outlives:
            self.variables.define(loop.index, POSITION)
        index = self.variables.short(loop.index)
        self._open("" if outlives else f"int64_t {index} = {first}", index, loop)
        self.body(loop.body)
        self.hand_over([(each.current, each.following) for each in loop.carried])
        self.close()
        self.variables.scopes.pop()
        for each in loop.carried:
            self.keep(each.result, each.current)

    def _skipped(self, loop: Loop) -> None:
        """A loop without a pass."""
        self.variables.found[loop.index] = self.bound(loop.start)
        for each in loop.carried:
            self.keep(each.result, each.initial)

    def _open(self, begin: str, index: str, loop: Loop) -> None:
        """The line of a loop, which goes on while a whole step fits."""
        start, stop, step = loop.start, loop.stop, loop.step
        exact = step == 1
        if isinstance(start, int) and isinstance(stop, int):
            exact = (stop - start) % step == 0
        if isinstance(start, int) and isinstance(stop, Rows):
            exact = exact or (start % step == 0 and stop.rounded % step == 0)
        goes_on = f"{index} < " if exact else f"{index} + {step} <= "
        grows = f"{index}++" if step == 1 else f"{index} += {step}"
        self.open(f"for ({begin}; {goes_on}{self.bound(stop)}; {grows}) {{")

    def open(self, line: str) -> None:
        self.part = None
        self.write(line)
        self.depth += 1

    def close(self, line: str = "}") -> None:
        self.part = None
        self.depth -= 1
        self.write(line)

    # values that are handed on

    def keep(self, result: Register, value: Register) -> None:
        """A register that another one has become."""
        if self.is_needed(result):
            self.hand_over([(result, value)])

    def hand_over(self, pairs: Sequence[tuple[Register, Register]]) -> None:
        """The first of each pair gets the value of the second, all at the same time."""
        pairs = [pair for pair in pairs if self.is_needed(pair[0])]
        given = []
        overwritten: set[str] = set()
        for target, value in pairs:
            if target not in self.variables.found:
                name, new = self.variables.define(target, self.variables.type_of(value))
            else:
                name, new = self.variables.found[target], False
            type = self.variables.types[target]
            text = self.variables.value(value, type)
            if text == name:
                continue
            if self._base(value) in overwritten:
                text = self._aside(name, text, target)
            given.append((f"{self.prelude.type(type)} " * new + name, text))
            overwritten.add(name)
        for head, text in given:
            self.write(f"{head} = {text};")

    def function(self, parameters: Sequence[Argument]) -> Function:
        """What is printed, as a function of those parameters that it uses."""
        kept = used(parameters, self.lines)
        taken = [
            f"{each.type}{each.name}" for each, keeps in zip(parameters, kept, strict=True) if keeps
        ]
        return Function(
            ", ".join(taken) or "void",
            tuple(self.lines),
            tuple(kept),
            frozenset(self.primitives.called),
            frozenset(self.runtime),
        )

    def _base(self, value: Register) -> str:
        """The variable in which it is."""
        return self.variables.found.get(self.variables.source(value), "")

    def _aside(self, name: str, text: str, target: Register) -> str:
        """A copy of what is overwritten too early."""
        copy = self.variables.fresh(f"{name}_next")
        self.write(f"{self.prelude.type(self.variables.types[target])} {copy} = {text};")
        return copy


def print_function(nest: Nest, prelude: Prelude) -> Function:
    """A nest as a function of those of its buffers, and of what else a call gives it, it uses."""
    everything = list(statements(nest.body))
    variables = Variables(nest.body, (), GIVEN, prelude)
    names = [variables.buffer(each) for each in nest.parameters]
    written = {each.address.parameter for each in everything if isinstance(each, Store)}
    printer = LoopPrinter(nest.body, variables, prelude)
    printer.body(nest.body)
    parameters = [
        Argument(pointer(each, constant=each not in written, restrict=True), name)
        for each, name in zip(nest.parameters, names, strict=True)
    ]
    count = len(GIVEN) if nest.fails else 3
    parameters += [Argument(f"int64_t {'*' * (each == 'failure')}", each) for each in GIVEN[:count]]
    return printer.function(parameters)


def used(parameters: Sequence[Argument], lines: Sequence[Rendered]) -> Sequence[bool]:
    """Which of them occur in the lines."""
    words = {word for line in lines for word in re.findall(r"\w+", line.text)}
    return [parameter.name in words for parameter in parameters]
