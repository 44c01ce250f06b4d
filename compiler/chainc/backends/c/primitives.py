"""The scalar vocabulary as C expressions, of numbers and vectors alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from chainc.backends.c.lanes import function_name
from chainc.backends.c.prelude import Prelude
from chainc.backends.c.spelling import Type, is_literal, type_of
from chainc.backends.c.variables import Variables
from chainc.backends.math import functions as elementary
from chainc.dataclass import dataclass
from chainc.ir.types import DType
from chainc.loops.language import Compute
from chainc.loops.values import Kind, Register

_INFIX: Mapping[str, str] = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "bit_and": "&",
    "bit_or": "|",
    "bit_xor": "^",
}
_RELATIONS: Mapping[str, str] = {
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "unsigned_less": "<",
}
_LOGICAL: Mapping[str, tuple[str, str]] = {"logical_and": ("&&", "&"), "logical_or": ("||", "|")}
_CALLED: Mapping[str, str] = {"sqrt": "sqrt", "leading_zeros": "leading_zeros"}


@dataclass(frozen=True)
class Computed:
    """An expression and its type."""

    text: str
    type: Type


class Primitives:
    """Writes expressions over the variables of a function."""

    def __init__(self, variables: Variables, prelude: Prelude) -> None:
        self.variables = variables
        self.prelude = prelude
        self.called: set[tuple[str, DType, int]] = set()  # elementary functions

    def computed(self, statement: Compute) -> Computed:
        """A primitive of the operands of a statement."""
        name, operands, out = statement.primitive, statement.operands, statement.out
        if name == "cast":
            return self._cast(operands[0], out.kind)
        if name == "select":
            return self._select(*operands)
        if name in _RELATIONS:
            return self._compared(name, *operands)
        if name in _LOGICAL or name == "logical_not":
            return self._logical(name, operands)
        if name in ("shift_left", "shift_right"):
            return self._shifted("<<" if name == "shift_left" else ">>", *operands)
        type = self.prelude_type(out.kind)
        if name in _INFIX and not type.mask:
            return Computed(self._infix(_INFIX[name], *operands), type)
        if name in _INFIX:
            return self._logical("logical_and" if name == "bit_and" else "logical_or", operands)
        return self._function(name, type, operands, out.kind)

    def prelude_type(self, kind: Kind) -> Type:
        type = type_of(kind)
        self.prelude.type(type)
        return type

    def of_type(self, primitive: str, a: str, b: str, type: Type) -> str:
        """A primitive of two texts, as a fold needs it."""
        if type.mask:
            scalar, vector = _LOGICAL.get(primitive, ("&", "&"))
            return f"{a} {scalar if type.lanes == 1 else vector} {b}"
        if primitive in _INFIX:
            return f"{a} {_INFIX[primitive]} {b}"
        return f"{self.prelude.function(primitive, type)}({a}, {b})"

    def _infix(self, sign: str, a: Register, b: Register) -> str:
        """One of two vectors may be a number: C splats it."""
        if self.variables.is_short(a) and self.variables.is_short(b):
            return f"{self.variables.value(a)} {sign} {self.variables.short(b)}"
        return f"{self.variables.short(a)} {sign} {self.variables.short(b)}"

    def _shifted(self, sign: str, a: Register, b: Register) -> Computed:
        """Of the bits: zeros come in."""
        type = self.prelude_type(a.kind)
        unsigned = type.unsigned
        self.prelude.type(unsigned)
        by = self.variables.short(b)
        if type.lanes > 1 and not self.variables.is_short(b):
            by = f"({unsigned}){by}"
        text = f"({type})(({unsigned}){self.variables.value(a)} {sign} {by})"
        return Computed(text, type)

    def _compared(self, name: str, a: Register, b: Register) -> Computed:
        type = self.variables.type_of(a)
        if type.mask:
            return Computed(
                f"{self.variables.value(a)} {_RELATIONS[name]} {self.variables.value(b, type)}",
                type,
            )
        result = type.with_mask()
        self.prelude.type(result)
        if name == "unsigned_less":
            unsigned = type.unsigned
            self.prelude.type(unsigned)
            left, right = (f"({unsigned}){self.variables.value(each)}" for each in (a, b))
            return Computed(f"{left} < {right}", result)
        left = self.variables.value(a)
        right = self.variables.short(b)
        return Computed(f"{left} {_RELATIONS[name]} {right}", result)

    def _logical(self, name: str, operands: Sequence[Register]) -> Computed:
        type = next(
            (self.variables.type_of(each) for each in operands if not self._short(each)),
            self.variables.type_of(operands[0]),
        )
        given = [self.variables.value(each, type) for each in operands]
        if name == "logical_not":
            return Computed(f"{'!' if type.lanes == 1 else '~'}{given[0]}", type)
        scalar, vector = _LOGICAL[name]
        return Computed(f" {scalar if type.lanes == 1 else vector} ".join(given), type)

    def _short(self, register: Register) -> bool:
        return self.variables.is_short(register)

    def _select(self, condition: Register, a: Register, b: Register) -> Computed:
        type = self.variables.type_of(b if self._short(a) else a)
        self.prelude.type(type)
        if type.lanes == 1:
            short = self.variables.short
            return Computed(f"{short(condition)} ? {short(a)} : {short(b)}", type)
        mask = type.with_mask()
        where = self.variables.value(condition, mask)
        given = f"{where}, {self.variables.value(a, type)}, {self.variables.value(b, type)}"
        return Computed(f"{self.prelude.function('select', type)}({given})", type)

    def _function(
        self, name: str, type: Type, operands: Sequence[Register], kind: Kind
    ) -> Computed:
        if name == "negative":
            return Computed(f"-{self.variables.value(operands[0])}", type)
        if name == "absolute" and type.is_float:
            name = "fabs"
        if (name in ("floor", "absolute")) and type.element.startswith("u"):
            return Computed(self.variables.value(operands[0]), type)
        if name == "floor" and not type.is_float:
            return Computed(self.variables.value(operands[0]), type)
        if name == "fma" and not type.is_float:
            return self._integer_fma(operands, type)
        if name in ("maximum", "minimum"):
            operands = self._known_last(operands)
        given = ", ".join(self.variables.value(each) for each in operands)
        if name in ("fma", "maximum", "minimum", "fabs", "absolute", "floor", *_CALLED):
            return Computed(f"{self.prelude.function(name, type)}({given})", type)
        self.called.add((name, kind.dtype, kind.lanes))
        function = function_name(elementary.function_name(name, kind.dtype, kind.lanes))
        return Computed(f"{function}({given})", type)

    def _integer_fma(self, operands: Sequence[Register], type: Type) -> Computed:
        a, b, c = operands
        product = self._infix("*", a, b)
        return Computed(f"{product} + {self.variables.short(c)}", type)

    def _known_last(self, operands: Sequence[Register]) -> Sequence[Register]:
        """Of equal ones the first is taken: a number that is no NaN is the second."""
        a, b = operands
        return (b, a) if self._known(a) and not self._known(b) else (a, b)

    def _known(self, register: Register) -> bool:
        value = self.variables.literals.get(self.variables.source(register))
        return value is not None and not math.isnan(value)

    def _cast(self, value: Register, kind: Kind) -> Computed:
        old, new = self.variables.type_of(value), self.prelude_type(kind)
        given = self.variables.value(value)
        if new.mask:
            result = old.with_mask()
            return Computed(f"{given} != 0", result if old.lanes > 1 else new)
        if old.is_float and not new.is_float:
            function = self.prelude.function(f"{new.element.removesuffix('_t')}_of", old)
            return Computed(f"{function}({given})", new)
        if old.lanes == 1:
            brackets = f"({given})" if is_literal(given) and given.startswith("-") else given
            return Computed(f"({new.element}){brackets}", new)
        if old.mask:
            given = f"{given} & 1"
        return Computed(f"__builtin_convertvector({given}, {new})", new)
