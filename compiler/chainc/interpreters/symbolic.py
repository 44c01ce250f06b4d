"""The scalar vocabulary in sympy, and back: formulas, and derivatives of ops that declare none.

sympy is imported when one of these is asked for, and never reads text from outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir import Node, describe, topological
from chainc.ir.errors import GradientError, GraphError
from chainc.ir.leaves import Constant, Input, Slot, as_nodes
from chainc.ir.types import DType
from chainc.ops import arithmetic, functions, logic
from chainc.ops.elementwise import Elementwise

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class SympyBuilder:
    """Interprets an op's scalar meaning as a sympy expression over real symbols."""

    def const(self, value: float | int | bool) -> sympy.Basic:
        import sympy

        exact = math.isfinite(value) and value == int(value)
        return sympy.Integer(int(value)) if exact else sympy.Float(value)

    def add(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return a + b

    def subtract(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return a - b

    def multiply(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return a * b

    def divide(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return a / b

    def floor_divide(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return self.floor(a / b)

    def remainder(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return a - b * self.floor(a / b)

    def power(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return a**b

    def maximum(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return self._call("Max", a, b)

    def minimum(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return self._call("Min", a, b)

    def negative(self, a: sympy.Basic) -> sympy.Basic:
        return -a

    def absolute(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("Abs", a)

    def floor(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("floor", a)

    def sqrt(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("sqrt", a)

    def exp(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("exp", a)

    def expm1(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("exp", a) - 1

    def log(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("log", a)

    def log1p(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("log", 1 + a)

    def sin(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("sin", a)

    def cos(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("cos", a)

    def tanh(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("tanh", a)

    def erf(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("erf", a)

    def less(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return self._call("StrictLessThan", a, b)

    def less_equal(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return self._call("LessThan", a, b)

    def equal(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return self._call("Equality", a, b)

    def logical_and(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return self._call("And", a, b)

    def logical_or(self, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return self._call("Or", a, b)

    def logical_not(self, a: sympy.Basic) -> sympy.Basic:
        return self._call("Not", a)

    def select(self, condition: sympy.Basic, a: sympy.Basic, b: sympy.Basic) -> sympy.Basic:
        return self._call("Piecewise", (a, condition), (b, True))

    def cast(self, a: sympy.Basic, dtype: DType) -> sympy.Basic:
        return a if dtype.is_float else self.floor(a)

    def _call(self, function: str, *operands: object) -> sympy.Basic:
        import sympy

        return getattr(sympy, function)(*operands)


def formula(op: Elementwise, symbols: Sequence[sympy.Basic]) -> sympy.Basic:
    """The op's scalar meaning as a sympy expression."""
    return op.interpret(SympyBuilder(), symbols)


def expression(node: Node) -> sympy.Basic:
    """The node as one sympy expression of its inputs and states, per element.

    It grows with the number of paths, not of nodes: meant for small graphs that are read.

    Raises:
        GraphError: an op on the way is not elementwise.
    """
    import sympy

    builder = SympyBuilder()
    values: dict[Node, sympy.Basic] = {}
    for part in topological([node]):
        if isinstance(part.op, Constant) and part.shape == ():
            values[part] = builder.const(part.op.value.array.item())
        elif isinstance(part.op, (Input, Slot)):
            values[part] = sympy.Symbol(part.op.label, real=True)
        elif isinstance(part.op, Elementwise):
            values[part] = part.op.interpret(builder, [values[i] for i in part.inputs])
        else:
            raise GraphError(
                f"{describe(part)} is not elementwise, so it has no formula of one element",
                hint="ask for the formula of a graph of scalars, such as a circuit of gates",
            )
    return values[node]


def symbolic_vjp(op: Elementwise, g: Node, operands: Sequence[Node]) -> list[Node]:
    """The cotangents of an op that declares none: the derivatives of its meaning, as nodes."""
    import sympy

    symbols = [sympy.Symbol(f"x{i}", real=True) for i in range(len(operands))]
    meaning = formula(op, symbols)
    environment = dict(zip(symbols, operands, strict=True))
    return [g * to_node(derivative(meaning, symbol), environment) for symbol in symbols]


def derivative(expression: sympy.Basic, symbol: sympy.Basic) -> sympy.Basic:
    """`sympy.diff`, with 0 for the derivative of a step, which is 0 wherever it exists."""
    import sympy

    found = sympy.diff(expression, symbol)
    formal = found.atoms(sympy.Derivative, sympy.Subs, sympy.DiracDelta)
    steps = [part for part in formal if part.has(sympy.floor, sympy.DiracDelta)]
    return found.xreplace(dict.fromkeys(steps, sympy.Integer(0)))


def to_node(expression: sympy.Basic, symbols: Mapping[sympy.Basic, Node]) -> Node:
    """A sympy expression as nodes; equal subexpressions become one node."""
    import sympy
    from sympy.logic.boolalg import BooleanAtom

    known: dict[sympy.Basic, Node] = dict(symbols)
    like = next(iter(symbols.values()))
    for part in sympy.postorder_traversal(expression):
        if part not in known and not isinstance(part, (sympy.Tuple, BooleanAtom)):
            known[part] = _translate(part, known, like)
    return known[expression]


def _translate(part: sympy.Basic, known: Mapping[sympy.Basic, Node], like: Node) -> Node:
    if part.is_number:
        return as_nodes(float(part), like)[0]
    if part.is_Pow:
        return _power(part, known)
    if part.is_Piecewise:
        return _piecewise(part, known)
    name = type(part).__name__
    if name in _FOLDS:
        return reduce(_FOLDS[name], [known[operand] for operand in part.args])
    if name in _FUNCTIONS:
        return _FUNCTIONS[name](*(known[operand] for operand in part.args))
    raise GradientError(
        f"sympy's {name} has no counterpart among the elementwise ops",
        hint="write the formula with powers, exp, log, sin, cos, tanh, erf, Abs, Max, Min "
        "or Piecewise",
    )


def _power(part: sympy.Basic, known: Mapping[sympy.Basic, Node]) -> Node:
    base, exponent = part.args
    if exponent.is_number:
        return _numeric_power(known[base], float(exponent))
    return arithmetic.pow(known[base], known[exponent])


def _numeric_power(base: Node, exponent: float) -> Node:
    if exponent < 0:
        return arithmetic.reciprocal(_numeric_power(base, -exponent))
    if exponent == 1:
        return base
    if exponent == 2:
        return arithmetic.square(base)
    return functions.sqrt(base) if exponent == 0.5 else arithmetic.pow(base, exponent)


def _piecewise(part: sympy.Basic, known: Mapping[sympy.Basic, Node]) -> Node:
    """The branches from last to first; NaN where no condition holds."""
    *branches, (last, condition) = part.args
    result = known[last]
    if condition in known:  # else it is plain truth
        result = logic.where(known[condition], result, math.nan)
    for value, condition in reversed(branches):
        result = logic.where(known[condition], known[value], result)
    return result


_FOLDS: Mapping[str, Callable[[Node, Node], Node]] = {
    "Add": arithmetic.add,
    "Mul": arithmetic.multiply,
    "Max": arithmetic.maximum,
    "Min": arithmetic.minimum,
    "And": logic.logical_and,
    "Or": logic.logical_or,
}

_FUNCTIONS: Mapping[str, Callable[..., Node]] = {
    "exp": functions.exp,
    "log": functions.log,
    "sin": functions.sin,
    "cos": functions.cos,
    "tanh": functions.tanh,
    "erf": functions.erf,
    "floor": functions.floor,
    "sign": functions.sign,
    "Abs": arithmetic.abs,
    "Heaviside": lambda x, _: logic.where(0 < x, 1.0, 0.0),
    "Not": logic.logical_not,
    "StrictLessThan": logic.less,
    "LessThan": logic.less_equal,
    "StrictGreaterThan": logic.greater,
    "GreaterThan": logic.greater_equal,
    "Equality": logic.equal,
    "Unequality": logic.not_equal,
}
