"""Statements of a nest as lines of C."""

from __future__ import annotations

from collections.abc import Sequence, Set

from chainc.backends.c.lanes import function_name
from chainc.backends.c.prelude import INDENT, NOTE_FAILURE, PART, ROUND_UP, Prelude
from chainc.backends.c.primitives import Computed, Primitives
from chainc.backends.c.spelling import Type, literal, type_of
from chainc.backends.c.variables import POSITION, Variables
from chainc.loops.language import (
    Across,
    Fail,
    Immediates,
    Lane,
    Load,
    Positions,
    Prefetch,
    RowCount,
    RuntimeCall,
    Share,
    Shuffle,
    Somewhere,
    Statement,
    Store,
    Transpose,
)
from chainc.loops.repetition import Rendered
from chainc.loops.values import Address, Affine, Bound, Register, Rows, Variable


class StatementPrinter:
    """Prints what is no loop."""

    def __init__(self, variables: Variables, prelude: Prelude, needed: Set[Variable]) -> None:
        self.variables = variables
        self.needed = needed
        self.prelude = prelude
        self.primitives = Primitives(variables, prelude)
        self.lines: list[Rendered] = []
        self.depth = 1
        self.part: int | None = None
        self.runtime: set[str] = set()

    def is_needed(self, variable: Variable) -> bool:
        """Does something follow from it?"""
        return variable in self.needed

    def write(self, line: str) -> None:
        self.lines.append(Rendered(INDENT * self.depth + line, self.part))

    def let(self, out: Variable, computed: Computed) -> None:
        """A line that gives a variable its value."""
        name, new = self.variables.define(out, computed.type)
        type, text = self.variables.types[out], computed.text
        if type.mask and type.lanes > 1 and type.size != computed.type.size:
            text = f"__builtin_convertvector({text}, {self.prelude.type(type)})"
        head = f"{self.prelude.type(type)} {name}" if new else name
        self.write(f"{head} = {text};")

    # positions

    def bound(self, bound: Bound) -> str:
        if isinstance(bound, int):
            return str(bound)
        if not isinstance(bound, Rows):
            return self.variables.short(bound)
        count = "rows" if bound.multiple == 1 else f"{bound.multiple} * rows"
        if bound.rounded == 1:
            return count
        return f"{self.prelude.plain('round_up', ROUND_UP)}({count}, {bound.rounded})"

    def affine(self, position: Affine) -> str:
        """`784*row + k + 3`."""
        text = ""
        for variable, factor in sorted(position.terms, key=lambda term: -abs(term[1])):
            size = self.variables.short(variable)
            term = size if abs(factor) == 1 else f"{abs(factor)}*{size}"
            sign = "-" if factor < 0 else "+"
            text = f"{text} {sign} {term}" if text else f"-{term}" if factor < 0 else term
        if not text:
            return str(position.constant)
        if position.constant == 0:
            return text
        return f"{text} {'-' if position.constant < 0 else '+'} {abs(position.constant)}"

    def place(self, address: Address, wide: bool) -> str:
        """An element, or for a vector where the first one is."""
        name = self.variables.buffer(address.parameter)
        text = f"{name}[{self.affine(address.position)}]"
        return f"&{text}" if wide else text

    # statements

    def statement(self, statement: Statement) -> None:
        match statement:
            case Load() | Store() | Prefetch():
                self._memory(statement)
            case Immediates() | Lane() | Shuffle() | Across() | Somewhere():
                self._lanes(statement)
            case Transpose():
                self._transpose(statement)
            case Positions():
                self._positions(statement)
            case RowCount():
                self._row_count(statement)
            case RuntimeCall():
                self._runtime_call(statement)
            case Fail():
                self._fail(statement)
            case Share():
                self._share(statement)
            case _:
                raise TypeError("only a routine has such a statement")

    def _memory(self, statement: Load | Store | Prefetch) -> None:
        match statement:
            case Load():
                self.let(statement.out, self._load(statement))
            case Store():
                self._store(statement)
            case Prefetch():
                self.write(f"__builtin_prefetch({self.place(statement.address, True)});")

    def _load(self, statement: Load) -> Computed:
        address, type = statement.address, type_of(statement.out.kind)
        self.prelude.type(type)
        if type.lanes == 1:
            text = self.place(address, False)
            return Computed(f"{text} != 0" if type.mask else text, type)
        if address.first:
            return self._load_first(address, type)
        if type.mask:
            return self._load_mask(address, type)
        if address.stride == 0:
            function = self.prelude.function("splat", type)
            return Computed(f"{function}({self.place(address, False)})", type)
        if address.stride == 1:
            function = self.prelude.function("load", type)
            return Computed(f"{function}({self.place(address, True)})", type)
        function = self.prelude.function("gather", type)
        return Computed(f"{function}({self.place(address, True)}, {address.stride})", type)

    def _load_first(self, address: Address, type: Type) -> Computed:
        held = Type("uint8_t", type.lanes) if type.mask else type
        function = self.prelude.function("gather_first", held)
        given = f"{self.place(address, True)}, {address.stride}, {address.first}"
        text = f"{function}({given})"
        if type.mask:
            text = f"__builtin_convertvector({text}, {type}) != 0"
        return Computed(text, type)

    def _load_mask(self, address: Address, type: Type) -> Computed:
        place = self.place(address, True)
        if address.stride == 1:
            return Computed(f"{self.prelude.function('load_mask', type)}({place})", type)
        small = Type("uint8_t", type.lanes)
        given = f"{self.prelude.function('gather', small)}({place}, {address.stride})"
        return Computed(f"__builtin_convertvector({given}, {type}) != 0", type)

    def _store(self, statement: Store) -> None:
        value, address = statement.value, statement.address
        type = self.variables.type_of(value)
        if type.lanes == 1:
            self.write(f"{self.place(address, False)} = {self.variables.short(value)};")
            return
        text, place = self.variables.value(value), self.place(address, True)
        if type.mask and address.stride == 1 and not address.first:
            self.write(f"{self.prelude.function('store_mask', type)}({place}, {text});")
            return
        if type.mask:
            small = Type("uint8_t", type.lanes)
            self.prelude.type(small)
            text, type = f"__builtin_convertvector({text} & 1, {small})", small
        if address.first:
            given = f"{place}, {address.stride}, {address.first}, {text}"
            self.write(f"{self.prelude.function('scatter_first', type)}({given});")
            return
        if address.stride == 1:
            self.write(f"{self.prelude.function('store', type)}({place}, {text});")
            return
        self.write(f"{self.prelude.function('scatter', type)}({place}, {address.stride}, {text});")

    def _lanes(self, statement: Immediates | Lane | Shuffle | Across | Somewhere) -> None:
        match statement:
            case Immediates(values=values):
                type = type_of(statement.out.kind)
                numbers = ", ".join(literal(value, type) for value in values)
                text = f"({self.prelude.type(type)}){{{numbers}}}" if type.lanes > 1 else numbers
                self.let(statement.out, Computed(text, type))
            case Lane(value=value, lane=lane):
                vector = self.variables.type_of(value)
                unequal = " != 0" if vector.mask else ""
                text = f"{self.variables.value(value)}[{lane}]{unequal}"
                self.let(statement.out, Computed(text, vector.of(1)))
            case Shuffle():
                self._shuffle(statement)
            case Across(primitive=primitive, value=value):
                self.let(statement.out, self._across(primitive, value))
            case Somewhere(value=value):
                self.let(statement.out, self._across("logical_or", value))

    def _shuffle(self, statement: Shuffle) -> None:
        first, last = statement.values[0], statement.values[-1]
        vector = self.variables.type_of(first)
        type = vector.of(type_of(statement.out.kind).lanes)
        self.prelude.type(type)
        missing = [-1] * (type.lanes - len(statement.picked))
        places = ", ".join(map(str, [*statement.picked, *missing]))
        two = f"{self.variables.value(first)}, {self.variables.value(last, vector)}"
        self.let(statement.out, Computed(f"__builtin_shufflevector({two}, {places})", type))

    def _across(self, primitive: str, value: Register) -> Computed:
        type = self.variables.type_of(value)
        text = self.variables.value(value)
        if type.lanes == 1:
            return Computed(text, type)

        def fold(a: str, b: str, half: Type) -> str:
            return self.primitives.of_type(primitive, a, b, half)

        return Computed(f"{self.prelude.folded(primitive, type, fold)}({text})", type.of(1))

    def _transpose(self, statement: Transpose) -> None:
        type = self.variables.type_of(statement.values[0])
        rows = self._array(
            "square", [self.variables.value(each) for each in statement.values], type
        )
        self.write(f"{self.prelude.function('transpose', type)}({rows});")
        self._each(statement.outs, rows, type)

    def _array(self, word: str, values: Sequence[str], type: Type, count: int = 0) -> str:
        """A new array."""
        name = self.variables.fresh(word)
        if values:
            self.write(f"{self.prelude.type(type)} {name}[] = {{{', '.join(values)}}};")
        else:
            self.write(f"{self.prelude.type(type)} {name}[{count}];")
        return name

    def _positions(self, statement: Positions) -> None:
        type, start = type_of(statement.out.kind), self.affine(statement.position)
        brackets = start if start.isalnum() else f"({start})"
        if type.element != POSITION.element:
            start = f"({type.element}){brackets}"
        if type.lanes == 1:
            self.let(statement.out, Computed(start, type))
            return
        lanes = ", ".join(str(lane) for lane in range(type.lanes))
        added = "" if brackets == "0" else f" + {start if start[0] == '(' else brackets}"
        text = f"({self.prelude.type(type)}){{{lanes}}}{added}"
        self.let(statement.out, Computed(text, type))

    def _row_count(self, statement: RowCount) -> None:
        factors = [str(statement.multiple)] if statement.multiple != 1 else []
        count = " * ".join([*factors, *["rows"] * statement.power])
        type, text = type_of(statement.out.kind), f"({count})" if " " in count else count
        self.let(statement.out, Computed(f"({type.element}){text}", type))

    def _runtime_call(self, statement: RuntimeCall) -> None:
        """Several results go to an array."""
        self.runtime.add(statement.function)
        function, outs = function_name(statement.function), statement.outs
        given = [self.variables.value(each) for each in statement.operands]
        type = type_of(outs[0].kind)
        if len(outs) == 1:
            self.let(outs[0], Computed(f"{function}({', '.join(given)})", type))
            return
        words = self._array("words", (), type, len(outs))
        self.write(f"{function}({', '.join([*given, words])});")
        self._each(outs, words, type)

    def _each(self, outs: Sequence[Register], array: str, type: Type) -> None:
        for at, out in enumerate(outs):
            if self.is_needed(out):
                self.let(out, Computed(f"{array}[{at}]", type))

    def _fail(self, statement: Fail) -> None:
        condition = self._across("logical_or", statement.condition)
        code = f"code + {statement.number}" if statement.number else "code"
        function = self.prelude.plain("note_failure", NOTE_FAILURE)
        self.write(f"if ({condition.text}) {function}(failure, {code});")

    def _share(self, statement: Share) -> None:
        function = self.prelude.plain("part", PART)
        given = f"{self.bound(statement.stop)}, {statement.grain}"
        for out, thread in ((statement.low, "thread"), (statement.high, "thread + 1")):
            text = f"{function}({given}, {thread}, threads)"
            self.let(out, Computed(text, POSITION))
