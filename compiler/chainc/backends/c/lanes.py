"""Elementary and random functions as C: a line a value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from chainc.backends.c.prelude import INDENT, Prelude
from chainc.backends.c.spelling import Type, literal
from chainc.backends.math.lanes import LaneFunction, Number, Value
from chainc.dataclass import dataclass

_ELEMENTS = {
    "float": "float",
    "double": "double",
    "i8": "uint8_t",
    "i32": "int32_t",
    "i64": "int64_t",
    "i1": "int32_t",
}
_INFIX = {
    "fadd": "+",
    "add": "+",
    "fsub": "-",
    "sub": "-",
    "fmul": "*",
    "mul": "*",
    "fdiv": "/",
    "sdiv": "/",
    "and": "&",
    "or": "|",
    "xor": "^",
    "shl": "<<",
    "ashr": ">>",
}
_RELATIONS = {
    "olt": "<",
    "slt": "<",
    "ult": "<",
    "ole": "<=",
    "sle": "<=",
    "ogt": ">",
    "sgt": ">",
    "oge": ">=",
    "sge": ">=",
    "oeq": "==",
    "eq": "==",
    "une": "!=",
    "ne": "!=",
    "uno": "!=",
}


_VALUE = re.compile(r"\bv\d+\b")
_DECLARED = re.compile(r" *\w+ (?P<name>v\d+) = ")


@dataclass(frozen=True, eq=False)
class Constant(Value):
    """A number for every lane; the text is that of one."""


class CLanes(LaneFunction):
    """A C function while it is being built."""

    def __init__(self, lanes: int, prelude: Prelude) -> None:
        super().__init__(lanes)
        self.prelude = prelude
        self.lines: list[str] = []
        self.depth = 1
        self.masks: dict[str, Type] = {}  # of the values that are masks
        self._names = 0

    # operands

    def parameter(self, element: str, name: str, lanes: int | None = None) -> Value:
        return Value(self, element, name, self.lanes if lanes is None else lanes)

    def constant(self, element: str, number: Number, lanes: int | None = None) -> Value:
        lanes = self.lanes if lanes is None else lanes
        kind = Type(_ELEMENTS[element], lanes, mask=element == "i1")
        return Constant(self, element, literal(number, kind), lanes)

    def constants(self, element: str, numbers: Sequence[int]) -> Value:
        kind = Type(_ELEMENTS[element], len(numbers))
        each = ", ".join(literal(number, kind) for number in numbers)
        return self._let(element, f"({self.prelude.type(kind)}){{{each}}}", kind)

    def type(self, value: Value) -> Type:
        """Lanes are rounded up to a power of two."""
        lanes = 1 << (value.lanes - 1).bit_length()
        mask = value.element == "i1"
        return self.masks.get(value.text) or Type(_ELEMENTS[value.element], lanes, mask)

    def _let(self, element: str, expression: str, kind: Type, lanes: int | None = None) -> Value:
        name = self._fresh()
        self._write(f"{self.prelude.type(kind)} {name} = {expression};")
        if kind.mask:
            self.masks[name] = kind
        return Value(self, element, name, kind.lanes if lanes is None else lanes)

    def _vector(self, value: Value) -> str:
        """Where C wants a vector: a constant in every lane."""
        kind = self.type(value)
        if not isinstance(value, Constant) or kind.lanes == 1:
            return value.text
        return f"{self.prelude.function('splat', kind)}({value.text})"

    def _unsigned(self, value: Value) -> str:
        return f"({self.prelude.type(self.type(value).unsigned)}){self._vector(value)}"

    def _masked(self, value: Value, wanted: Type) -> str:
        """A mask with lanes of the wanted size."""
        have = self.type(value)
        if isinstance(value, Constant) and wanted.lanes > 1:
            return f"{self.prelude.function('splat', wanted)}({value.text})"
        if wanted.lanes == 1 or have.size == wanted.size:
            return value.text
        return f"__builtin_convertvector({value.text}, {self.prelude.type(wanted)})"

    # instructions

    def binary(self, instruction: str, a: Value, b: Value) -> Value:
        kind = self.type(b if isinstance(a, Constant) else a)
        if instruction in ("lshr", "udiv"):
            sign = ">>" if instruction == "lshr" else "/"
            right = b.text if isinstance(b, Constant) else self._unsigned(b)
            return self._let(a.element, f"({kind})({self._unsigned(a)} {sign} {right})", kind)
        if kind.mask:
            given = f"{self._masked(a, kind)} {_INFIX[instruction]} {self._masked(b, kind)}"
            return self._let(a.element, given, kind)
        left = self._vector(a) if instruction == "shl" else a.text
        if isinstance(a, Constant) and isinstance(b, Constant):
            left = self._vector(a)
        return self._let(a.element, f"{left} {_INFIX[instruction]} {b.text}", kind, a.lanes)

    def compared(self, relation: str, a: Value, b: Value) -> Value:
        kind = self.type(b if isinstance(a, Constant) else a)
        left, right = self._vector(a), b.text
        if relation == "ult":
            left, right = self._unsigned(a), self._unsigned(b)
        return self._let("i1", f"{left} {_RELATIONS[relation]} {right}", kind.with_mask())

    def negative(self, x: Value) -> Value:
        return self._let(x.element, f"-{self._vector(x)}", self.type(x))

    def converted(self, instruction: str, x: Value, element: str) -> Value:
        old = self.type(x)
        new = Type(_ELEMENTS[element], old.lanes)
        self.prelude.type(new)
        given = self._vector(x)
        if instruction in ("zext", "uitofp") and old.element != "uint8_t":
            given = self._unsigned(x)
        if instruction == "bitcast":
            bits = f"({new}){given}" if old.lanes > 1 else self._same_bits(given, old)
            return self._let(element, bits, new)
        if old.lanes == 1:
            return self._let(element, f"({new}){given}", new)
        if (old, new) == (Type("int32_t", 16), Type("double", 16)):
            # gcc 12 ends with an internal error on it where it does not optimise (-O0)
            wide = Type("int64_t", 16)
            self.prelude.type(wide)
            given = f"__builtin_convertvector({given}, {wide})"
        return self._let(element, f"__builtin_convertvector({given}, {new})", new)

    def _same_bits(self, given: str, old: Type) -> str:
        return f"{self.prelude.function('bits', old)}({given})"

    def intrinsic(self, name: str, *operands: Value) -> Value:
        kind = self.type(operands[0])
        ours = {"fmuladd": "fma", "ctlz": "leading_zeros"}.get(name, name)
        given = ", ".join(map(self._vector, operands))
        return self._let(operands[0].element, f"{self.prelude.function(ours, kind)}({given})", kind)

    def splat(self, scalar: Value) -> Value:
        if scalar.lanes == self.lanes:
            return scalar
        kind = self.type(scalar).of(self.lanes)
        given = f"{self.prelude.function('splat', kind)}({scalar.text})"
        return self._let(scalar.element, given, kind)

    def lane(self, vector: Value, place: int) -> Value:
        return self._let(vector.element, f"{vector.text}[{place}]", self.type(vector).of(1))

    def shuffled(self, a: Value, b: Value, order: Sequence[int]) -> Value:
        kind = self.type(a).of(1 << (len(order) - 1).bit_length())
        places = [*order, *[-1] * (kind.lanes - len(order))]
        given = f"{a.text}, {b.text}, {', '.join(map(str, places))}"
        return self._let(a.element, f"__builtin_shufflevector({given})", kind, len(order))

    def chosen(self, condition: Value, a: Value, b: Value) -> Value:
        kind = self.type(a)
        if kind.mask and kind.lanes > 1:
            kind = self.type(b if isinstance(a, Constant) else a)
        if kind.lanes == 1:
            return self._let(a.element, f"{condition.text} ? {a.text} : {b.text}", kind)
        where = self._masked(condition, kind.with_mask())
        given = f"{where}, {self._vector(a)}, {self._vector(b)}"
        return self._let(a.element, f"{self.prelude.function('select', kind)}({given})", kind)

    def any(self, mask: Value) -> Value:
        kind = self.type(mask)
        if kind.lanes == 1:
            return mask
        function = self.prelude.folded("or", kind, _either)
        return self._let("i1", f"{function}({mask.text})", kind.of(1))

    # blocks

    def repeat(
        self,
        start: Sequence[Value],
        step: Callable[[Sequence[Value]], tuple[Sequence[Value], Value]],
    ) -> Sequence[Value]:
        carried = self._variables(start)
        self._write("for (;;) {")
        self.depth += 1
        following, unfinished = step(carried)
        again = self.any(unfinished)
        self._assign(carried, following)
        self._write(f"if (!{again.text}) break;")
        self.depth -= 1
        self._write("}")
        return carried

    def where_any(
        self, mask: Value, otherwise: Sequence[Value], body: Callable[[], Sequence[Value]]
    ) -> list[Value]:
        results = self._variables(otherwise)
        self._write(f"if ({self.any(mask).text}) {{")
        self.depth += 1
        found = [self.select(mask, a, b) for a, b in zip(body(), otherwise, strict=True)]
        self._assign(results, found)
        self.depth -= 1
        self._write("}")
        return results

    def _variables(self, values: Sequence[Value]) -> list[Value]:
        return [self._let(value.element, self._vector(value), self.type(value)) for value in values]

    def _assign(self, variables: Sequence[Value], values: Sequence[Value]) -> None:
        """What is assigned is none of the variables."""
        for variable, value in zip(variables, values, strict=True):
            given = self._vector(value)
            if value.element == "i1":
                given = self._masked(value, self.type(variable))
            self._write(f"{variable.text} = {given};")

    # the whole

    def text(self, name: str, parameters: Sequence[Value], results: Sequence[Value]) -> str:
        """Several results go to an array that is given last."""
        given = [f"{self.prelude.type(self.type(each))} {each.text}" for each in parameters]
        kind, end = str(self.type(results[0])), f"return {self._vector(results[0])};"
        if len(results) > 1:
            given.append(f"{kind} words[{len(results)}]")
            kind = "void"
            end = " ".join(f"words[{at}] = {each.text};" for at, each in enumerate(results))
        self._write(end)
        self._drop_unused()
        head = f"static inline {kind} {function_name(name)}({', '.join(given)}) {{"
        return "\n".join([head, *self.lines, "}", ""])

    def _drop_unused(self) -> None:
        """C compilers complain of values that nobody reads."""
        before = -1
        while before != len(self.lines):
            before = len(self.lines)
            read = Counter(word for line in self.lines for word in _VALUE.findall(line))
            self.lines = [line for line in self.lines if not _is_unused(line, read)]

    def _write(self, line: str) -> None:
        self.lines.append(INDENT * self.depth + line)

    def _fresh(self) -> str:
        self._names += 1
        return f"v{self._names}"


def _is_unused(line: str, read: Counter[str]) -> bool:
    """Does it declare a value that has no other line?"""
    declared = _DECLARED.match(line)
    return declared is not None and read[declared["name"]] == 1


def _either(a: str, b: str, half: Type) -> str:
    return f"{a} {'||' if half.lanes == 1 else '|'} {b}"


def function_name(name: str) -> str:
    """`exp.v8f32` is `exp_f32x8`, `exp.f32` is `exp_f32`, `philox.v8` is `philox_x8`."""
    return re.sub(r"\.v(\d+)(\w*)", r"_\2x\1", name).replace(".", "_")
