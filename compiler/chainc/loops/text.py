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
    bodies_of,
    statements,
)
from chainc.loops.names import Name, literals, names
from chainc.loops.repetition import Block, Line, Offset, PartMark, Piece, Rendered, folded, rendered
from chainc.loops.uses import part_of
from chainc.loops.values import Address, Affine, Bound, Parameter, Register, Rows, Variable

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
    "bit_and": "&",
    "bit_or": "|",
    "bit_xor": "^",
    "shift_left": "<<",
    "shift_right": ">>",
}


def print_nest(nest: Nest) -> str:
    """The nest's note, the parameters it reads and those it writes, and its loops."""
    return together(nest_lines(nest))


def together(lines: Sequence[Rendered]) -> str:
    """Lines as one text."""
    return "".join(f"{line.text}\n" for line in lines)


def nest_lines(nest: Nest) -> list[Rendered]:
    """The text of a nest line by line."""
    printer = LoopText(nest.body, nest.parameters)
    return noted_lines(nest.note, printer.nest_signature(nest), printer.body(nest.body))


def noted_lines(note: str, signature: str, body: Sequence[Line | Block]) -> list[Rendered]:
    """A note, and a signature with what is under it."""
    printable = "".join(character if character.isprintable() else "?" for character in note)
    return [Rendered(f"# {printable}", None), *rendered([Block((signature,), body)])]


class LoopText:
    """The text of statements that nests have, with names for what they use."""

    def __init__(
        self,
        body: Sequence[Statement],
        parameters: Sequence[Parameter],
        given: Sequence[Register] = (),
    ) -> None:
        self.everything = list(statements(body))
        self.names = names(body, given)
        self.literals = literals(body)
        self.parameters = _parameter_names(parameters)
        taken = {str(name) for name in self.names.values()}
        self.counters = [letter for letter in "uvwxyz" if letter not in taken]

    def nest_signature(self, nest: Nest) -> str:
        read = {each.address.parameter for each in self.everything if isinstance(each, Load)}
        written = {each.address.parameter for each in self.everything if isinstance(each, Store)}
        given = self.typed([each for each in nest.parameters if each in read])
        left = self.typed([each for each in nest.parameters if each in written])
        return f"{nest.name}({given}) -> {left or 'nothing'}"

    def typed(self, wanted: Sequence[Parameter | Register]) -> str:
        return ", ".join(
            f"{self.parameters[each]}: {each.dtype}"
            if isinstance(each, Parameter)
            else f"{self.names[each]}: {each.kind}"
            for each in wanted
        )

    def body(self, body: Sequence[Statement]) -> list[Line | Block]:
        """One line a statement; runs of lines are folded."""
        lines: list[Line | Block] = []
        for straight, run in groupby(body, lambda each: not bodies_of(each)):
            if straight:
                marked = [
                    (*line, PartMark(part_of(each))) for each in run for line in self.lines(each)
                ]
                lines += folded(marked, self.counters)
            else:
                lines += [block for each in run for block in self.blocks(each)]
        return lines

    # loops and branches

    def blocks(self, statement: Statement) -> Iterator[Block]:
        if isinstance(statement, Loop):
            yield self._loop(statement)

    def _loop(self, loop: Loop) -> Block:
        bounds = (*self._bound(loop.start), "..", *self._bound(loop.stop))
        step = f" by {loop.step}" if loop.step != 1 else ""
        head = ("for ", self.names[loop.index], " in ", *bounds, step)
        carrying = tuple(self.carrying(loop.carried))
        body = [*self.body(loop.body), *self.following(loop.carried)]
        return Block((*head, *carrying, ":"), tuple(body))

    def following(self, carried: Sequence[Carried]) -> Iterator[Line]:
        """`next a, b = b, a`."""
        following = [c for c in carried if not self.alike(c.following, c.current)]
        if following:
            targets = self.listed([c.current for c in following])
            yield ("next ", *targets, " = ", *self.listed([c.following for c in following]))

    def alike(self, a: Register, b: Register) -> bool:
        return a in self.names and self.names[a] == self.names[b]

    def carrying(self, carried: Sequence[Carried]) -> Iterator[Piece]:
        """` carrying sum0..sum23: f32x16 = 0, count`."""
        for position, (start, part) in enumerate(groupby(carried, self._start)):
            yield ", " if position else " carrying "
            group = list(part)
            yield from self.listed([each.current for each in group])
            if start is not None:
                yield f": {group[0].current.kind} = {start}"

    def _start(self, carried: Carried) -> str | None:
        """The value that it begins with, unless it has the same name."""
        if self.alike(carried.initial, carried.current):
            return None
        return str(_Text(self.value(carried.initial)))

    def _bound(self, bound: Bound) -> Sequence[Piece]:
        return (str(bound),) if isinstance(bound, int | Rows) else self.value(bound)

    # values

    def value(self, variable: Variable) -> Sequence[Piece]:
        if isinstance(variable, Register) and variable in self.literals:
            return (_number(self.literals[variable]),)
        return (self.names[variable],)

    def listed(self, registers: Sequence[Register]) -> Sequence[Piece]:
        """`a0..a15`, `a, b`."""
        known = [self.names[each] for each in registers if each not in self.literals]
        if len(known) == len(registers) > 2 and _consecutive(known):
            return (f"{known[0]}..{known[-1]}",)
        return self._separated(registers)

    def _separated(self, registers: Sequence[Register]) -> Sequence[Piece]:
        pieces: list[Piece] = []
        for register in registers:
            pieces += [", "] if pieces else []
            pieces += self.value(register)
        return pieces

    def affine(self, position: Affine) -> Iterator[Piece]:
        """`784*row + k + 3`."""
        terms = sorted(position.terms, key=lambda term: -abs(term[1]))
        for count, (variable, factor) in enumerate(terms):
            if count:
                yield " + " if factor > 0 else " - "
            elif factor < 0:
                yield "-"
            yield f"{abs(factor)}*" if abs(factor) != 1 else ""
            yield from self.value(variable)
        yield Offset(position.constant, alone=not position.terms)

    def place(self, address: Address, lanes: int) -> Iterator[Piece]:
        yield f"{self.parameters[address.parameter]}["
        yield from self.affine(address.position)
        if lanes > 1 and address.stride != 1:
            yield f", stride {address.stride}"
        yield f", first {address.first}]" if 0 < address.first < lanes else "]"

    # statements

    def lines(self, statement: Statement) -> Iterator[Line]:
        match statement:
            case Store():
                lanes = statement.value.kind.lanes
                place = self.place(statement.address, lanes)
                yield ("store ", *place, " = ", *self.value(statement.value))
            case Prefetch():
                yield ("prefetch ", *self.place(statement.address, 1))
            case Fail():
                yield ("fail where ", *self.value(statement.condition))
            case Share():
                yield self._share(statement)
            case Transpose() | RuntimeCall():
                yield (*self.listed(statement.outs), " = ", *self._several(statement))
            case Splat():
                return
            case Immediates() | Lane() | Shuffle() | Across() | Somewhere():
                yield (*self.head(statement.out), *self._lanes(statement))
            case Load() | Immediate() | Compute() | Positions() | RowCount():
                if statement.out not in self.literals:
                    yield self._definition(statement)
            case _:
                raise TypeError("only a routine has such a statement, or it is no line")

    def _share(self, share: Share) -> Line:
        bounds = (self.names[share.low], "..", self.names[share.high])
        grain = f" in steps of {share.grain}" if share.grain != 1 else ""
        return (*bounds, " = this thread's part of 0..", *self._bound(share.stop), grain)

    def _several(self, statement: Transpose | RuntimeCall) -> Sequence[Piece]:
        if isinstance(statement, Transpose):
            return ("transpose(", *self.listed(statement.values), ")")
        return (f"{statement.function}(", *self.listed(statement.operands), ")")

    def head(self, out: Register) -> Line:
        """`sum: f32x8 = `."""
        return (self.names[out], f": {out.kind} = ")

    def _lanes(self, statement: Immediates | Lane | Shuffle | Across | Somewhere) -> Line:
        match statement:
            case Immediates(values=values):
                return (f"[{', '.join(map(_number, values))}]",)
            case Lane(value=vector, lane=lane):
                return ("lane ", Offset(lane, alone=True), " of ", *self.value(vector))
            case Shuffle(values=sources, picked=picked):
                lanes = ", ".join("any" if lane < 0 else str(lane) for lane in picked)
                return ("lanes ", lanes, " of ", *self._separated(sources))
            case Across(primitive=primitive, value=folded_value):
                return (f"{primitive} across ", *self.value(folded_value))
            case Somewhere(value=condition):
                return ("any of ", *self.value(condition))

    def _definition(self, statement: Load | Immediate | Compute | Positions | RowCount) -> Line:
        out = statement.out
        going_on = isinstance(statement, Compute) and self._goes_on(statement)
        head = (self.names[out], " = ") if going_on else self.head(out)
        match statement:
            case Load(address=address):
                return (*head, "load ", *self.place(address, out.kind.lanes))
            case Immediate(value=value):
                return (*head, _number(value))
            case Compute():
                return (*head, *self._compute(statement))
            case Positions(position=position):
                return (*head, "positions from ", *self.affine(position))
            case RowCount(multiple=multiple, power=power):
                factors = [str(multiple)] if multiple != 1 else []
                return (*head, "*".join([*factors, *["rows"] * power]))

    def _goes_on(self, compute: Compute) -> bool:
        """Is it a sum that has its name from before?"""
        return any(self.alike(operand, compute.out) for operand in compute.operands)

    def _compute(self, statement: Compute) -> Sequence[Piece]:
        operands = statement.operands
        if statement.primitive in _INFIX and len(operands) == 2:
            first, second = (self.value(operand) for operand in operands)
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
