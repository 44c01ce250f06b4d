"""One spelling of each idea, so that the rules of later passes have to look for one only.

    x ** 2, x + x, max(x, 0)     →   x * x, x * 2, relu(x)
    2 * x, x + -2, x - -2        →   x * 2, x - 2, x + 2
    (-a) * b, a + -b             →   -(a * b), a - b
    f(broadcast(x), y)           →   f(x, y)
    f(reshape(x))                →   reshape(f(x))
    contract(transpose(x), w)    →   contract(x, w) over other letters

The rules about movement stand in `movement.py`.
"""

from __future__ import annotations

import math

import numpy as np

from chainc.interpreters.evaluate import evaluate_node
from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Constant, ConstantArray
from chainc.ir.types import DType, TensorType, float32, float64, int32, promote
from chainc.ops import maximum, negative, relu, stop_gradient
from chainc.ops.arithmetic import Add, Multiply, Negative
from chainc.ops.elementwise import Binary, Unary
from chainc.ops.formula import CustomGradient
from chainc.ops.functions import Exp
from chainc.ops.logic import Cast, Equal, Less
from chainc.passes.rules import movement
from chainc.rewriting.patterns import Operands
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, Rule, RuleSet

rule = RuleSet()

F32 = TensorType((2, 3), float32)  # operands to test rules with
I32 = TensorType((2, 3), int32)


def canonicalize(graph: Graph) -> Graph:
    """Bring every node into its canonical spelling.

    Needs: any graph. Leaves: numbers on the right, signs and movements as far out as they go,
    no gradient stop (differentiation is over), no movement that an elementwise op or a
    contraction can do without, contraction letters in order of appearance.
    """
    return rewrite(graph, canonical())


def canonical() -> tuple[Rule, ...]:
    """The rules of this pass; those that rewrite later apply them too, and so keep the form."""
    return (*rule, *movement.rule)


# ----- numbers


@rule.exact(at=[(Exp(), 1.5), (Negative(), 2.0)])
def function_of_number(f: Unary, c: Constant) -> Equation:
    """In the element type of the result, as NumPy computes it."""
    y = apply(f, apply(c))
    return y, lambda: _number(y, c)


@rule.exact(at=[(Multiply(), 2.5, 3.0), (Less(), 1.0, 2.0)])
def arithmetic_of_numbers(f: Binary, c: Constant, d: Constant) -> Equation:
    y = apply(f, apply(c), apply(d))
    return y, lambda: _number(y, c, d)


def _number(y: Node, *operands: Constant) -> Node | None:
    if y.ndim:
        return None
    return apply(Constant(ConstantArray(evaluate_node(y, [c.value.array for c in operands]))))


@rule.exact(at=[(Add(), 2.0, F32), (Multiply(), 2.0, F32), (Equal(), 2.0, F32)])
def number_on_the_right(f: Binary, c: Constant, x: Node) -> Equation:
    def swapped() -> Node | None:
        return None if isinstance(x.op, Constant) or not f.commutative else apply(f, x, apply(c))

    return apply(f, apply(c), x), swapped


@rule.exact
def times_one(x: Node) -> Equation:
    return x * 1, x


@rule.exact(at=[(F32, -2.0), (F32, -0.0), (F32, -math.inf)])
def add_negative_number(x: Node, c: Constant) -> Equation:
    return x + apply(c), lambda: x - _opposite(c) if _is_negative(c) else None


@rule.exact(at=[(F32, -2.0), (F32, -0.0), (F32, -math.inf)])
def subtract_negative_number(x: Node, c: Constant) -> Equation:
    return x - apply(c), lambda: x + _opposite(c) if _is_negative(c) else None


def _is_negative(c: Constant) -> bool:
    """Are all elements negative, minus zero included, and their opposites not?"""
    array = c.value.array
    if array.size == 0 or array.dtype.kind not in "fi" or not np.signbit(array.flat[0]):
        return False
    if np.any(np.isnan(array)):
        return False
    return bool(np.all(np.signbit(array)) and not np.any(np.signbit(np.negative(array))))


def _opposite(c: Constant) -> Node:
    return apply(Constant(ConstantArray(np.negative(c.value.array))))


# ----- one op for one idea


@rule.exact
def square(x: Node) -> Equation:
    """One product is rounded once; a power may be off by more."""
    return x**2, x * x


@rule.exact
def double(x: Node) -> Equation:
    return x + x, x * 2


@rule.exact
def relu_of_maximum(x: Node) -> Equation:
    return maximum(x, 0), relu(x)


@rule.exact
def gradient_stop(x: Node) -> Equation:
    """To a value it does nothing, and the derivatives are taken."""
    return stop_gradient(x), x


@rule.exact(at=[(CustomGradient("f", lambda g: g), (F32, F32))])
def own_gradient(f: CustomGradient, operands: Operands) -> Equation:
    """As `gradient_stop`; the arguments of the user's function may then be dead."""
    return apply(f, *operands), lambda: operands[0]


@rule.exact(at=[(F32, float32), (I32, int32)])
def no_cast(x: Node, dtype: DType) -> Equation:
    return apply(Cast(dtype), x), x


@rule.exact(at=[(F32, float64, float32), (F32, float64, int32), (I32, float64, float32)])
def cast_twice(x: Node, inner: DType, outer: DType) -> Equation:
    """The first conversion loses nothing."""
    y = apply(Cast(outer), apply(Cast(inner), x))
    return y, lambda: apply(Cast(outer), x) if _holds(inner, x.type.dtype) else None


def _holds(wide: DType, narrow: DType) -> bool:
    """Is every value of one element type a value of the other?"""
    exact = narrow.kind == "i" and narrow.itemsize <= 4
    return promote(wide, narrow) == wide or (wide == float64 and exact)


# ----- signs move outwards


@rule.exact
def minus_minus(x: Node) -> Equation:
    return negative(negative(x)), x


@rule.exact(at=[(F32, -2.0), (F32, -math.inf)])
def times_negative_number(x: Node, c: Constant) -> Equation:
    return x * apply(c), lambda: -(x * _opposite(c)) if _is_negative(c) else None


@rule.exact(at=[(F32, -2.0), (F32, -math.inf)])
def over_negative_number(x: Node, c: Constant) -> Equation:
    return x / apply(c), lambda: -(x / _opposite(c)) if _is_negative(c) else None


@rule.exact(at=[(-2.0, F32), (-math.inf, F32)])
def negative_number_over(c: Constant, x: Node) -> Equation:
    return apply(c) / x, lambda: -(_opposite(c) / x) if _is_negative(c) else None


@rule.exact
def minus_in_product(a: Node, b: Node) -> Equation:
    return -a * b, -(a * b)


@rule.exact
def minus_in_numerator(a: Node, b: Node) -> Equation:
    return -a / b, -(a / b)


@rule.exact
def minus_in_denominator(a: Node, b: Node) -> Equation:
    return a / -b, -(a / b)


@rule.exact
def plus_minus(a: Node, b: Node) -> Equation:
    return a + -b, a - b


@rule.exact
def minus_minus_operand(a: Node, b: Node) -> Equation:
    return a - -b, a + b
