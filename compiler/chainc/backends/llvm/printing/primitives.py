"""The scalar vocabulary in LLVM instructions, for scalars and vectors alike.

What LLVM has no instruction for is a function of `vector_math`. No flag allows a result that
IEEE arithmetic would not give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field

from chainc.backends.llvm.printing.spelling import constant, spelled, suffix, vector
from chainc.backends.math.functions import function_name
from chainc.dataclass import dataclass
from chainc.ir.types import DType
from chainc.loops.values import Kind


@dataclass
class Emitter:
    """Lines of one function: every result gets a fresh name."""

    lines: list[str] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)
    called: set[tuple[str, DType, int]] = field(default_factory=set)  # of vector_math
    count: int = 0
    inlines: bool = True  # functions of vector_math; false where a kernel calls very many
    rounds: bool = True  # is there an instruction that rounds down?

    def fresh(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def let(self, text: str) -> str:
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def intrinsic(self, name: str, kind: Kind, *operands: str, extra: str = "") -> str:
        """A call of `llvm.NAME` on operands of one kind."""
        full, kinds = f"@llvm.{name}.{suffix(kind)}", [spelled(kind)] * len(operands)
        more = ["i1"] if extra else []
        self.declared.add(f"declare {spelled(kind)} {full}({', '.join(kinds + more)})")
        given = [f"{spelled(kind)} {operand}" for operand in operands] + ([extra] if extra else [])
        return self.let(f"call {spelled(kind)} {full}({', '.join(given)})")


Print = Callable[[Emitter, Kind, Sequence[str]], str]


def emit(
    to: Emitter, primitive: str, out: Kind, kind: Kind, operands: Sequence[str], known: set[str]
) -> str:
    """One primitive, with a result of the kind `out`.

    `kind` is that of the last operand (a select's condition has another), and `known` are the
    operands that are constants and no NaN.
    """
    if primitive == "cast":
        return _cast(to, out, kind, operands[0])
    if primitive in ("maximum", "minimum"):
        return _extreme(to, primitive, kind, operands, known)
    if primitive == "floor" and kind.dtype.is_float and not to.rounds:
        return _call(to, primitive, kind, operands)
    if primitive in _PRINTERS:
        return _PRINTERS[primitive](to, kind, operands)
    return _call(to, primitive, kind, operands)


def _call(to: Emitter, primitive: str, kind: Kind, operands: Sequence[str]) -> str:
    to.called.add((primitive, kind.dtype, kind.lanes))
    arguments = ", ".join(f"{spelled(kind)} {operand}" for operand in operands)
    name = function_name(primitive, kind.dtype, kind.lanes)
    how = "" if to.inlines else " noinline"
    return to.let(f'call {spelled(kind)} @"{name}"({arguments}){how}')


def is_call(primitive: str) -> bool:
    """Is the primitive a function of vector_math?"""
    return primitive not in _PRINTERS and primitive not in ("cast", "maximum", "minimum")


def _binary(for_floats: str, for_integers: str) -> Print:
    def printed(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
        instruction = for_floats if kind.dtype.is_float else for_integers
        return to.let(f"{instruction} {spelled(kind)} {operands[0]}, {operands[1]}")

    return printed


def _compare(for_floats: str, signed: str, unsigned: str) -> Print:
    def printed(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
        condition = for_floats
        if not kind.dtype.is_float:
            condition = signed if kind.dtype.signed else unsigned
        compare = "fcmp" if kind.dtype.is_float else "icmp"
        return to.let(f"{compare} {condition} {spelled(kind)} {operands[0]}, {operands[1]}")

    return printed


def _extreme(
    to: Emitter, primitive: str, kind: Kind, operands: Sequence[str], known: set[str]
) -> str:
    """The larger or smaller, NaN if one of them is.

    select(b > a, b, a) is one machine instruction and gives a where a is NaN; a NaN in b takes
    one more comparison unless b is known to be none.
    """
    a, b = operands
    if a in known and b not in known:
        a, b = b, a
    relation = _compare("ogt", "sgt", "ugt") if primitive == "maximum" else _LESS
    better = relation(to, kind, (b, a))
    chosen = _select_text(to, kind, better, b, a)
    if not kind.dtype.is_float or b in known:
        return chosen
    unordered = to.let(f"fcmp uno {spelled(kind)} {b}, {b}")
    return _select_text(to, kind, unordered, b, chosen)


def _select_text(to: Emitter, kind: Kind, condition: str, a: str, b: str) -> str:
    bits = vector("i1", kind.lanes)
    return to.let(f"select {bits} {condition}, {spelled(kind)} {a}, {spelled(kind)} {b}")


def _select(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
    return _select_text(to, kind, *operands)


def _negative(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
    if kind.dtype.is_float:
        return to.let(f"fneg {spelled(kind)} {operands[0]}")
    return to.let(f"sub {spelled(kind)} {constant(0, kind)}, {operands[0]}")


def _absolute(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
    if kind.dtype.is_float:
        return to.intrinsic("fabs", kind, *operands)
    if not kind.dtype.signed:
        return operands[0]
    return to.intrinsic("abs", kind, *operands, extra="i1 false")


def _floor(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
    return to.intrinsic("floor", kind, *operands) if kind.dtype.is_float else operands[0]


def _sqrt(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
    return to.intrinsic("sqrt", kind, *operands)


def _fma(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
    if kind.dtype.is_float:
        return to.intrinsic("fmuladd", kind, *operands)
    product = _PRINTERS["multiply"](to, kind, operands[:2])
    return _PRINTERS["add"](to, kind, (product, operands[2]))


def _not(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
    return to.let(f"xor {spelled(kind)} {operands[0]}, {constant(True, kind)}")


def _cast(to: Emitter, out: Kind, kind: Kind, operand: str) -> str:
    old, new = kind.dtype, out.dtype
    if old == new:
        return operand
    if new.is_bool:
        compare = "fcmp une" if old.is_float else "icmp ne"
        return to.let(f"{compare} {spelled(kind)} {operand}, {constant(0, kind)}")
    if old.is_float and not new.is_float:
        return _to_integer(to, out, kind, operand)
    if old.is_bool and new.is_float:  # one instruction; converting takes three
        return _select_text(to, out, operand, constant(1, out), constant(0, out))
    return to.let(f"{_conversion(old, new)} {spelled(kind)} {operand} to {spelled(out)}")


def _conversion(old: DType, new: DType) -> str:
    if old.is_float:
        return "fpext" if old.itemsize < new.itemsize else "fptrunc"
    if new.is_float:
        return "sitofp" if old.signed else "uitofp"
    if new.itemsize < old.itemsize:
        return "trunc"
    if new.itemsize == old.itemsize and not old.is_bool:
        return "bitcast"
    return "sext" if old.signed else "zext"


def _to_integer(to: Emitter, out: Kind, kind: Kind, operand: str) -> str:
    """Towards zero; what does not fit gives the nearest integer that does, NaN gives 0."""
    name = "fptosi" if out.dtype.signed else "fptoui"
    full = f"@llvm.{name}.sat.{suffix(out)}.{suffix(kind)}"
    to.declared.add(f"declare {spelled(out)} {full}({spelled(kind)})")
    return to.let(f"call {spelled(out)} {full}({spelled(kind)} {operand})")


def _leading_zeros(to: Emitter, kind: Kind, operands: Sequence[str]) -> str:
    return to.intrinsic("ctlz", kind, *operands, extra="i1 false")


_LESS = _compare("olt", "slt", "ult")
_PRINTERS: dict[str, Print] = {
    "add": _binary("fadd", "add"),
    "subtract": _binary("fsub", "sub"),
    "multiply": _binary("fmul", "mul"),
    "divide": _binary("fdiv", "sdiv"),
    "less": _LESS,
    "less_equal": _compare("ole", "sle", "ule"),
    "equal": _compare("oeq", "eq", "eq"),
    "logical_and": _binary("and", "and"),
    "logical_or": _binary("or", "or"),
    "logical_not": _not,
    "negative": _negative,
    "absolute": _absolute,
    "floor": _floor,
    "sqrt": _sqrt,
    "select": _select,
    "fma": _fma,
    "bit_and": _binary("and", "and"),
    "bit_or": _binary("or", "or"),
    "bit_xor": _binary("xor", "xor"),
    "shift_left": _binary("shl", "shl"),
    "shift_right": _binary("lshr", "lshr"),
    "leading_zeros": _leading_zeros,
    "unsigned_less": _compare("ult", "ult", "ult"),
}
