"""A nest as text for people.

    tanh   # model.py:7
    tanh(x: f32) -> tanh: f32
        for i0 in 0..ceil(8*rows, 16) by 16:
            x: f32x16 = load x[i0]
            tanh: f32x16 = tanh(x)
            store tanh[i0] = tanh

Numbers stand where they are used, and lines that differ in nothing but steady numbers, as those
of a register tile do, are printed once:

        unrolled for u in 0..12:
            sum{u} = fma(x{u}, weight, sum{u})
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from chainc.loops.language import (
    Across,
    Address,
    Affine,
    Bound,
    Carried,
    Compute,
    Fail,
    Immediate,
    Immediates,
    Index,
    Lane,
    Load,
    Loop,
    Nest,
    Parameter,
    Positions,
    Prefetch,
    Register,
    RowCount,
    RuntimeCall,
    Share,
    Shuffle,
    Splat,
    Statement,
    Store,
    Transpose,
    Variable,
    part_of,
    statements,
)
from chainc.loops.names import Name, literals, names
from chainc.loops.repetition import Block, Line, Offset, PartMark, Piece, Rendered, folded, rendered

_INFIX: Mapping[str, str] = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "floor_divide": "//",
    "remainder": "%",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "logical_and": "and",
    "logical_or": "or",
}


def print_nest(nest: Nest) -> str:
    """The nest's note, the parameters it reads and those it writes, and its loops."""
    return "".join(f"{line.text}\n" for line in nest_lines(nest))


def nest_lines(nest: Nest) -> list[Rendered]:
    """The text of a nest line by line."""
    printer = _Printer(nest)
    note = "".join(character if character.isprintable() else "?" for character in nest.note)
    body = Block((printer.signature(),), tuple(printer.body(nest.body)))
    return [Rendered(f"# {note}", None), *rendered([body])]


class _Printer:
    def __init__(self, nest: Nest) -> None:
        self.nest = nest
        self.names = names(nest)
        self.literals = literals(nest.body)
        self.parameters = _parameter_names(nest.parameters)
        taken = {str(name) for name in self.names.values()}
        self.counters = [letter for letter in "uvwxyz" if letter not in taken]

    def signature(self) -> str:
        everything = list(statements(self.nest.body))
        read = {each.address.parameter for each in everything if isinstance(each, Load)}
        written = {each.address.parameter for each in everything if isinstance(each, Store)}
        return f"{self.nest.name}({self._typed(read)}) -> {self._typed(written) or 'nothing'}"

    def _typed(self, wanted: set[Parameter]) -> str:
        typed = {p: f"{self.parameters[p]}: {p.dtype}" for p in self.nest.parameters}
        return ", ".join(text for p, text in typed.items() if p in wanted)

    def body(self, body: Sequence[Statement]) -> list[Line | Block]:
        """One line a statement; runs of lines are folded."""
        lines: list[Line | Block] = []
        for straight, run in groupby(body, lambda each: not isinstance(each, Loop)):
            if straight:
                marked = [
                    (*line, PartMark(part_of(each))) for each in run for line in self._lines(each)
                ]
                lines += folded(marked, self.counters)
            else:
                lines += [self._loop(each) for each in run if isinstance(each, Loop)]
        return lines

    # loops

    def _loop(self, loop: Loop) -> Block:
        bounds = (*self._bound(loop.start), "..", *self._bound(loop.stop))
        step = f" by {loop.step}" if loop.step != 1 else ""
        head = ("for ", self.names[loop.index], " in ", *bounds, step)
        carrying = tuple(self._carrying(loop.carried))
        body = self.body(loop.body)
        following = [c for c in loop.carried if not self._alike(c.following, c.current)]
        if following:
            targets = self._list([c.current for c in following])
            body.append(("next ", *targets, " = ", *self._list([c.following for c in following])))
        return Block((*head, *carrying, ":"), tuple(body))

    def _alike(self, a: Register, b: Register) -> bool:
        return a in self.names and self.names[a] == self.names[b]

    def _carrying(self, carried: Sequence[Carried]) -> Iterator[Piece]:
        """` carrying sum0..sum23: f32x16 = 0, count`."""
        for position, (start, part) in enumerate(groupby(carried, self._start)):
            yield ", " if position else " carrying "
            group = list(part)
            yield from self._list([each.current for each in group])
            if start is not None:
                yield f": {group[0].current.kind} = {start}"

    def _start(self, carried: Carried) -> str | None:
        """The value that it begins with, unless it has the same name."""
        if self._alike(carried.initial, carried.current):
            return None
        return str(_Text(self._value(carried.initial)))

    def _bound(self, bound: Bound) -> Sequence[Piece]:
        return (self.names[bound],) if isinstance(bound, Index) else (str(bound),)

    # values

    def _value(self, variable: Variable) -> Sequence[Piece]:
        if isinstance(variable, Register) and variable in self.literals:
            return (_number(self.literals[variable]),)
        return (self.names[variable],)

    def _list(self, registers: Sequence[Register]) -> Sequence[Piece]:
        """`a0..a15`, `a, b`."""
        known = [self.names[each] for each in registers if each not in self.literals]
        if len(known) == len(registers) > 2 and _consecutive(known):
            return (f"{known[0]}..{known[-1]}",)
        return self._separated(registers)

    def _separated(self, registers: Sequence[Register]) -> Sequence[Piece]:
        pieces: list[Piece] = []
        for register in registers:
            pieces += [", "] if pieces else []
            pieces += self._value(register)
        return pieces

    def _affine(self, position: Affine) -> Iterator[Piece]:
        """`784*row + k + 3`."""
        terms = sorted(position.terms, key=lambda term: -abs(term[1]))
        for count, (variable, factor) in enumerate(terms):
            if count:
                yield " + " if factor > 0 else " - "
            elif factor < 0:
                yield "-"
            yield f"{abs(factor)}*" if abs(factor) != 1 else ""
            yield from self._value(variable)
        yield Offset(position.constant, alone=not position.terms)

    def _place(self, address: Address, lanes: int) -> Iterator[Piece]:
        yield f"{self.parameters[address.parameter]}["
        yield from self._affine(address.position)
        yield "]" if lanes == 1 or address.stride == 1 else f", stride {address.stride}]"

    # statements

    def _lines(self, statement: Statement) -> Iterator[Line]:
        match statement:
            case Store():
                lanes = statement.value.kind.lanes
                place = self._place(statement.address, lanes)
                yield ("store ", *place, " = ", *self._value(statement.value))
            case Prefetch():
                yield ("prefetch ", *self._place(statement.address, 1))
            case Fail():
                yield ("fail where ", *self._value(statement.condition))
            case Share():
                yield self._share(statement)
            case Transpose() | RuntimeCall():
                yield (*self._list(statement.outs), " = ", *self._several(statement))
            case Loop():
                raise TypeError("a loop is no line")
            case Splat():
                return
            case _:
                if statement.out not in self.literals:
                    yield self._definition(statement)

    def _share(self, share: Share) -> Line:
        bounds = (self.names[share.low], "..", self.names[share.high])
        grain = f" in steps of {share.grain}" if share.grain != 1 else ""
        return (*bounds, " = this thread's part of 0..", *self._bound(share.stop), grain)

    def _several(self, statement: Transpose | RuntimeCall) -> Sequence[Piece]:
        if isinstance(statement, Transpose):
            return ("transpose(", *self._list(statement.values), ")")
        return (f"{statement.function}(", *self._list(statement.operands), ")")

    def _definition(
        self,
        statement: Load
        | Immediate
        | Immediates
        | Compute
        | Lane
        | Shuffle
        | Across
        | Positions
        | RowCount,
    ) -> Line:
        out = statement.out
        going_on = isinstance(statement, Compute) and self._goes_on(statement)
        head = (self.names[out], " = " if going_on else f": {out.kind} = ")
        match statement:
            case Load(address=address):
                return (*head, "load ", *self._place(address, out.kind.lanes))
            case Immediate(value=value):
                return (*head, _number(value))
            case Immediates(values=values):
                return (*head, f"[{', '.join(map(_number, values))}]")
            case Compute():
                return (*head, *self._compute(statement))
            case Lane(value=vector, lane=lane):
                return (*head, "lane ", Offset(lane, alone=True), " of ", *self._value(vector))
            case Shuffle(values=sources, picked=picked):
                lanes = ", ".join("any" if lane < 0 else str(lane) for lane in picked)
                return (*head, "lanes ", lanes, " of ", *self._separated(sources))
            case Across(primitive=primitive, value=folded_value):
                return (*head, f"{primitive} across ", *self._value(folded_value))
            case Positions(position=position):
                return (*head, "positions from ", *self._affine(position))
            case RowCount(multiple=multiple):
                return (*head, "rows" if multiple == 1 else f"{multiple}*rows")

    def _goes_on(self, compute: Compute) -> bool:
        """Is it a sum that has its name from before?"""
        return any(self._alike(operand, compute.out) for operand in compute.operands)

    def _compute(self, statement: Compute) -> Sequence[Piece]:
        operands = statement.operands
        if statement.primitive in _INFIX and len(operands) == 2:
            first, second = (self._value(operand) for operand in operands)
            return (*first, f" {_INFIX[statement.primitive]} ", *second)
        return (f"{statement.primitive}(", *self._separated(operands), ")")


class _Text(tuple[Piece, ...]):
    """Pieces put together."""

    __slots__ = ()

    def __str__(self) -> str:
        return "".join(map(str, self))


def _number(value: float | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _consecutive(known: Sequence[Name]) -> bool:
    first = known[0].number
    if first is None:
        return False
    wanted = (Name(known[0].base, first + position) for position in range(len(known)))
    return all(a == b for a, b in zip(known, wanted, strict=True))


def _parameter_names(parameters: Sequence[Parameter]) -> Mapping[Parameter, str]:
    """Their own names, numbered where two are the same."""
    found: dict[Parameter, str] = {}
    for parameter in parameters:
        name, number = parameter.name, 1
        while name in found.values():
            number += 1
            name = f"{parameter.name}.{number}"
        found[parameter] = name
    return found
