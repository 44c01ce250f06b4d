"""Registers, addresses and lanes in LLVM text: what a nest's statements between loops become.

Addresses are computed where their innermost variable is known, outside the loops that do not
change it, and constants stay in the last step, where they become displacements.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from chainc.backends.llvm.printing.first_lanes import load_first, store_first
from chainc.backends.llvm.printing.primitives import Emitter, emit
from chainc.backends.llvm.printing.spelling import (
    constant,
    constants,
    element,
    in_memory,
    spelled,
    vector,
)
from chainc.ir.types import DType, int64
from chainc.loops.language import (
    Across,
    Compute,
    Fail,
    Immediate,
    Immediates,
    Lane,
    Load,
    Positions,
    Prefetch,
    RowCount,
    RuntimeCall,
    Shuffle,
    Somewhere,
    Splat,
    Store,
    Transpose,
)
from chainc.loops.values import Address, Affine, Bound, Kind, Parameter, Register, Rows, Variable

CACHE_LINE = 64
OFTEN = 4  # times that a place is used, from which it is frozen

Place = tuple[Parameter, frozenset[tuple[Variable, int]]]


def place_of(address: Address) -> Place:
    """Where it is but for constants."""
    return address.parameter, frozenset(address.position.terms)


class StatementPrinter:
    """Prints what is no loop; lines are collected a loop at a time."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.to = Emitter()
        self.outer: list[list[str]] = []  # the lines of the loops around the one being printed
        self.depths: dict[Variable | Parameter, int] = {}  # 0, if it is an argument
        self.names: dict[Variable, str] = {}
        self.known: set[str] = set()  # names of constants that are no NaN
        self.block = "entry"
        self.labels = 0
        self.pointers: dict[tuple[Parameter, tuple[tuple[Variable, int], ...]], str] = {}
        self.uses: Counter[Place] = Counter()
        self.arguments = {
            parameter: f"%p{position}" for position, parameter in enumerate(parameters)
        }
        self.runtime: set[str] = set()

    def _define(self, variable: Variable, name: str) -> None:
        self.names[variable] = name
        self.depths[variable] = len(self.outer)

    def _typed(self, register: Register) -> str:
        return f"{spelled(register.kind)} {self.names[register]}"

    def _bound(self, bound: Bound) -> str:
        if isinstance(bound, int):
            return str(bound)
        if not isinstance(bound, Rows):
            return self.names[bound]
        count = self._times("%rows", bound.multiple)
        if bound.rounded == 1:
            return count
        more = self.to.let(f"add i64 {count}, {bound.rounded - 1}")
        units = self.to.let(f"udiv i64 {more}, {bound.rounded}")
        return self._times(units, bound.rounded)

    def _times(self, name: str, factor: int) -> str:
        return name if factor == 1 else self.to.let(f"mul nsw i64 {name}, {factor}")

    def _affine(self, position: Affine) -> str:
        """An integer, in the place where it is needed."""
        total = ""
        for variable, factor in position.terms:
            term = self._times(self.names[variable], factor)
            total = self.to.let(f"add nsw i64 {total}, {term}") if total else term
        if not total:
            return str(position.constant)
        return self.to.let(f"add nsw i64 {total}, {position.constant}")

    # addresses

    def _pointer(self, address: Address, lane: int = 0) -> str:
        terms, fixed = [], address.position.constant + lane * address.stride
        for variable, factor in address.position.terms:
            if self.names[variable].startswith("%"):
                terms.append((variable, factor))
            else:
                fixed += int(self.names[variable]) * factor
        terms.sort(key=lambda term: self.depths.get(term[0], 0))
        base = self._moved(
            address.parameter, tuple(terms), often=self.uses[place_of(address)] >= OFTEN
        )
        if fixed == 0:
            return base
        kind = in_memory(Kind(address.parameter.dtype))
        return self.to.let(f"getelementptr inbounds {kind}, ptr {base}, i64 {fixed}")

    def _moved(
        self, parameter: Parameter, terms: tuple[tuple[Variable, int], ...], *, often: bool = False
    ) -> str:
        """The parameter's pointer moved by variable terms, computed as far out as possible.

        Strength reduction weighs every displacement of a pointer against every other one, which
        takes a quarter of LLVM's time; frozen, a pointer that is used `often` is one thing to it.
        """
        if not terms:
            return self.arguments[parameter]
        key = (parameter, terms)
        if key not in self.pointers:
            before = self._moved(parameter, terms[:-1])
            variable, factor = terms[-1]
            depth = max(self.depths.get(variable, 0), self.depths.get(parameter, 0))
            lines, self.to.lines = self.to.lines, [*self.outer, self.to.lines][depth]
            moved = self._after(before, variable, factor, parameter.dtype)
            self.pointers[key] = self.to.let(f"freeze ptr {moved}") if often else moved
            self.to.lines = lines
        return self.pointers[key]

    def _after(self, before: str, variable: Variable, factor: int, dtype: DType) -> str:
        offset = self._times(self.names[variable], factor)
        kind = in_memory(Kind(dtype))
        return self.to.let(f"getelementptr inbounds {kind}, ptr {before}, i64 {offset}")

    def _alignment(self, address: Address) -> int:
        """Bytes that the address is surely a multiple of."""
        size = address.parameter.dtype.itemsize
        if not address.parameter.padded:
            return size
        factors = [factor for _, factor in address.position.terms]
        step = math.gcd(address.position.constant, *factors) * size
        return math.gcd(step, CACHE_LINE) or CACHE_LINE

    # statements

    def load(self, statement: Load) -> None:
        out, address = statement.out, statement.address
        if address.first and out.kind.lanes > 1:
            value = load_first(self.to, partial(self._pointer, address), address, out.kind)
        elif out.kind.lanes == 1 or address.stride == 1:
            value = self._load(self._pointer(address), out.kind, self._alignment(address))
        elif address.stride == 0:
            one = self._load(self._pointer(address), Kind(out.kind.dtype), self._alignment(address))
            value = self._splat(one, out.kind)
        else:
            value = self._gathered(address, out.kind)
        self._define(out, value)

    def _load(self, pointer: str, kind: Kind, alignment: int) -> str:
        loaded = self.to.let(f"load {in_memory(kind)}, ptr {pointer}, align {alignment}")
        if kind.dtype.kind != "b":
            return loaded
        return self.to.let(f"trunc {in_memory(kind)} {loaded} to {spelled(kind)}")

    def _gathered(self, address: Address, kind: Kind) -> str:
        one = Kind(kind.dtype)
        value, size = "poison", kind.dtype.itemsize
        for lane in range(kind.lanes):
            loaded = self._load(self._pointer(address, lane), one, size)
            value = self._insert(value, loaded, lane, kind)
        return value

    def _insert(self, into: str, value: str, lane: int, kind: Kind) -> str:
        of = element(kind.dtype)
        return self.to.let(f"insertelement {spelled(kind)} {into}, {of} {value}, i64 {lane}")

    def store(self, statement: Store) -> None:
        value, address, kind = statement.value, statement.address, statement.value.kind
        name = self.names[value]
        if address.first and kind.lanes > 1:
            store_first(self.to, partial(self._pointer, address), address, kind, name)
            return
        if kind.lanes == 1 or address.stride == 1:
            self._store(name, kind, self._pointer(address), self._alignment(address))
            return
        for lane in range(kind.lanes):
            one = self._lane(name, kind, lane)
            self._store(one, Kind(kind.dtype), self._pointer(address, lane), kind.dtype.itemsize)

    def _store(self, name: str, kind: Kind, pointer: str, alignment: int) -> None:
        if kind.dtype.is_bool:
            name = self.to.let(f"zext {spelled(kind)} {name} to {in_memory(kind)}")
        target = f"ptr {pointer}, align {alignment}"
        self.to.lines.append(f"  store {in_memory(kind)} {name}, {target}")

    def prefetch(self, statement: Prefetch) -> None:
        self.to.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        pointer = self._pointer(statement.address)
        self.to.lines.append(f"  call void @llvm.prefetch.p0(ptr {pointer}, i32 0, i32 3, i32 1)")

    def constant(self, statement: Immediate) -> None:
        name = constant(statement.value, statement.out.kind)
        if not math.isnan(statement.value):
            self.known.add(name)
        self._define(statement.out, name)

    def constants(self, statement: Immediates) -> None:
        name = constants(statement.values, statement.out.kind)
        if not any(math.isnan(value) for value in statement.values):
            self.known.add(name)
        self._define(statement.out, name)

    def compute(self, statement: Compute) -> None:
        operands = [self.names[operand] for operand in statement.operands]
        kind = statement.operands[-1].kind
        out = statement.out.kind
        name = emit(self.to, statement.primitive, out, kind, operands, self.known)
        self._define(statement.out, name)

    def splat(self, statement: Splat) -> None:
        name, kind = self.names[statement.value], statement.out.kind
        if not name.startswith("%"):
            wide = f"splat ({element(kind.dtype)} {name})"
            if name in self.known:
                self.known.add(wide)
            self._define(statement.out, wide)
            return
        self._define(statement.out, self._splat(name, kind))

    def _splat(self, name: str, kind: Kind) -> str:
        if kind.lanes == 1:
            return name
        first = self._insert("poison", name, 0, kind)
        return self._shuffle(first, first, kind, [0] * kind.lanes)

    def _shuffle(self, a: str, b: str, kind: Kind, picked: Sequence[int]) -> str:
        mask = ", ".join(f"i32 {lane}" if lane >= 0 else "i32 poison" for lane in picked)
        two = f"{spelled(kind)} {a}, {spelled(kind)} {b}"
        return self.to.let(f"shufflevector {two}, {vector('i32', len(picked))} <{mask}>")

    def _lane(self, name: str, kind: Kind, lane: int) -> str:
        return self.to.let(f"extractelement {spelled(kind)} {name}, i64 {lane}")

    def shuffle(self, statement: Shuffle) -> None:
        names = [self.names[value] for value in statement.values]
        kind = statement.values[0].kind
        shuffled = self._shuffle(names[0], names[-1], kind, statement.picked)
        self._define(statement.out, shuffled)

    def lane(self, statement: Lane) -> None:
        value = statement.value
        self._define(statement.out, self._lane(self.names[value], value.kind, statement.lane))

    def across(self, statement: Across) -> None:
        name, kind = self.names[statement.value], statement.value.kind
        while kind.lanes > 1:
            half = kind.lanes // 2
            low = self._shuffle(name, name, kind, range(half)) if half > 1 else ""
            high = self._shuffle(name, name, kind, range(half, 2 * half)) if half > 1 else ""
            if half == 1:
                low, high = self._lane(name, kind, 0), self._lane(name, kind, 1)
            kind = Kind(kind.dtype, half)
            name = emit(self.to, statement.primitive, kind, kind, (low, high), self.known)
        self._define(statement.out, name)

    def somewhere(self, statement: Somewhere) -> None:
        kind = statement.value.kind
        bits = f"i{kind.lanes}"
        together = self.to.let(f"bitcast {self._typed(statement.value)} to {bits}")
        self._define(statement.out, self.to.let(f"icmp ne {bits} {together}, 0"))

    def transpose(self, statement: Transpose) -> None:
        """Rounds of interleaving: after log₂ n of them row j holds column j."""
        kind = statement.values[0].kind
        lanes = kind.lanes
        rows = [self.names[value] for value in statement.values]
        distance = lanes // 2
        while distance:
            rows = self._interchanged(rows, distance, kind)
            distance //= 2
        for out, name in zip(statement.outs, rows, strict=True):
            self._define(out, name)

    def _interchanged(self, rows: Sequence[str], distance: int, kind: Kind) -> list[str]:
        """Blocks of `distance` × `distance` elements off the diagonal change places."""
        lanes, result = kind.lanes, list(rows)
        for row in range(lanes):
            if row & distance:
                continue
            a, b = rows[row], rows[row + distance]
            low = [j if not j & distance else lanes + j - distance for j in range(lanes)]
            high = [j + distance if not j & distance else lanes + j for j in range(lanes)]
            result[row] = self._shuffle(a, b, kind, low)
            result[row + distance] = self._shuffle(a, b, kind, high)
        return result

    def positions(self, statement: Positions) -> None:
        kind = statement.out.kind
        start = self._affine(statement.position)
        if kind.dtype != int64:
            start = emit(self.to, "cast", Kind(kind.dtype), Kind(int64), (start,), self.known)
        if kind.lanes == 1:
            self._define(statement.out, start)
            return
        steps = ", ".join(f"{element(kind.dtype)} {lane}" for lane in range(kind.lanes))
        wide = self._splat(start, kind)
        self._define(statement.out, self.to.let(f"add {spelled(kind)} {wide}, <{steps}>"))

    def row_count(self, statement: RowCount) -> None:
        count = self._times("%rows", statement.multiple)
        for _ in range(statement.power - 1):
            count = self.to.let(f"mul i64 {count}, %rows")
        kind = statement.out.kind
        name = emit(self.to, "cast", kind, Kind(int64), (count,), self.known)
        self._define(statement.out, name)

    def call(self, statement: RuntimeCall) -> None:
        """Of a runtime function; several results come as a structure."""
        self.runtime.add(statement.function)
        kinds = [spelled(out.kind) for out in statement.outs]
        result = kinds[0] if len(kinds) == 1 else f"{{ {', '.join(kinds)} }}"
        arguments = ", ".join(self._typed(operand) for operand in statement.operands)
        how = "" if self.to.inlines else " noinline"
        value = self.to.let(f'call {result} @"{statement.function}"({arguments}){how}')
        if len(kinds) == 1:
            self._define(statement.outs[0], value)
            return
        for position, out in enumerate(statement.outs):
            self._define(out, self.to.let(f"extractvalue {result} {value}, {position}"))

    def fail(self, statement: Fail) -> None:
        condition = statement.condition
        name = self.names[condition]
        if condition.kind.lanes > 1:
            reduce = f"@llvm.vector.reduce.or.v{condition.kind.lanes}i1"
            self.to.declared.add(f"declare i1 {reduce}({spelled(condition.kind)})")
            name = self.to.let(f"call i1 {reduce}({self._typed(condition)})")
        failing, passed = self._label("failing"), self._label("passed")
        code = self.to.fresh()
        self.to.lines += [
            f"  br i1 {name}, label %{failing}, label %{passed}",
            f"{failing}:",
            f"  {code} = add i64 %code, {statement.number}",
            f"  {self.to.fresh()} = cmpxchg ptr %failure, i64 0, i64 {code} monotonic monotonic",
            f"  br label %{passed}",
            f"{passed}:",
        ]
        self.block = passed

    def _label(self, name: str) -> str:
        self.labels += 1
        return f"{name}.{self.labels}"
