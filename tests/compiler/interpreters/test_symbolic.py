"""Formulas of ops in sympy, and sympy's derivatives as nodes."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pytest
import sympy

from chainc import ops
from chainc.autodiff import grad
from chainc.interpreters.reference import evaluate
from chainc.interpreters.symbolic import SympyBuilder, derivative, formula, symbolic_vjp, to_node
from chainc.ir import Graph, Node, apply
from chainc.ir.errors import GradientError
from chainc.ir.leaves import Input
from chainc.ir.scalar import Scalar
from chainc.ir.types import TensorType, float32, float64
from chainc.ops.elementwise import Unary
from chainc.ops.formula import Formula, scalar_input

T = TypeVar("T")

x, y = sympy.symbols("x y", real=True)


def declare(key: str) -> Node:
    return apply(Input(key, TensorType((), float64)))


def compute(node: Node, **values: float) -> float:
    graph = Graph((node,))
    used = {leaf.op.label for leaf in graph.leaves("input")}
    return float(evaluate(graph, {k: v for k, v in values.items() if k in used}).outputs[0])


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (ops.tanh, sympy.tanh(x)),
        (ops.sigmoid, 1 / (1 + sympy.exp(-x))),
        (ops.softplus, sympy.Max(x, 0) + sympy.log(1 + sympy.exp(-sympy.Abs(x)))),
        (ops.expm1, sympy.exp(x) - 1),
        (ops.erf, sympy.erf(x)),
        (ops.floor, sympy.floor(x)),
    ],
)
def test_the_meaning_of_an_op_is_a_formula(op: Unary, expected: sympy.Expr) -> None:
    assert formula(op, [x]) == expected


def test_constants_in_formulas_are_exact_where_they_can_be() -> None:
    builder = SympyBuilder()
    assert builder.const(3.0) == sympy.Integer(3)
    assert builder.const(True) == sympy.Integer(1)
    assert float(builder.const(0.1)) == 0.1
    assert builder.const(math.inf) == sympy.oo
    assert builder.const(math.nan) is sympy.nan


@pytest.mark.parametrize(
    "expression",
    [
        x**2 * y - 3 * x / y,
        sympy.sqrt(x + 2) + x**-2 + x ** sympy.Rational(3, 2) + (x + 1) ** y,
        sympy.exp(-x) * sympy.log(x) + sympy.sin(x) * sympy.cos(y) + sympy.tanh(x * y),
        sympy.erf(x) + sympy.Abs(x - y) + sympy.sign(x - 1) + sympy.floor(3 * x),
        sympy.Max(x, y, 1) + sympy.Min(x, 2 * y) + sympy.Heaviside(x - y),
        sympy.Piecewise((x, x < y), (y**2, sympy.And(x > 1, y >= 0)), (sympy.pi, True)),
        sympy.Piecewise((1, sympy.Or(x <= 0, sympy.Ne(y, 2))), (2, sympy.Eq(x, x)), (3, True)),
        sympy.E**x + sympy.Float(0.25),
    ],
)
@pytest.mark.parametrize(("a", "b"), [(0.6, 1.7), (1.7, 0.6), (1.2, 2.5)])
def test_expressions_become_nodes_of_the_same_value(
    expression: sympy.Expr, a: float, b: float
) -> None:
    node = to_node(expression, {x: declare("x"), y: declare("y")})
    expected = float(expression.subs({x: a, y: b}))
    assert compute(node, x=a, y=b) == pytest.approx(expected, rel=1e-14)


def test_equal_subexpressions_become_one_node() -> None:
    node = to_node(
        sympy.exp(x * y) + sympy.sin(sympy.exp(x * y)), {x: declare("x"), y: declare("y")}
    )
    assert sum(n.op.name == "exp" for n in Graph((node,)).nodes) == 1


def test_a_piecewise_expression_without_an_else_is_not_a_number_there() -> None:
    node = to_node(sympy.Piecewise((x, x > 0)), {x: declare("x")})
    assert compute(node, x=2.0) == 2.0
    assert math.isnan(compute(node, x=-2.0))


def test_a_function_without_counterpart_is_an_error() -> None:
    with pytest.raises(GradientError, match="sympy's gamma has no counterpart among") as caught:
        to_node(sympy.gamma(x), {x: declare("x")})
    assert "write the formula with powers, exp, log" in caught.value.hint


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (sympy.floor(x), 0),
        (x * sympy.floor(x * y), sympy.floor(x * y)),
        (x - y * sympy.floor(x / y), 1),
        (sympy.sign(x) * x, sympy.sign(x)),
        (sympy.Heaviside(x) + x**2, 2 * x),
        (sympy.Abs(x), sympy.sign(x)),
    ],
)
def test_steps_have_the_derivative_zero(expression: sympy.Expr, expected: sympy.Expr) -> None:
    assert sympy.simplify(derivative(expression, x) - expected) == 0


def test_the_cotangents_of_an_op_with_two_operands() -> None:
    g, a, b = declare("g"), declare("a"), declare("b")
    da, db = symbolic_vjp(type(ops.divide)(), g, [a, b])
    values = {"g": 3.0, "a": 5.0, "b": 2.0}
    assert compute(da, **values) == 1.5
    assert compute(db, **values) == -3.75


def test_an_op_that_declares_no_derivative_gets_sympys() -> None:
    @dataclass(frozen=True)
    class Swish(Unary):
        """x / (1 + e^(-x))."""

        def scalar(self, s: Scalar[T], x: T) -> T:
            return s.divide(x, s.add(s.const(1), s.exp(s.negative(x))))

    node = declare("x")
    s = 1 / (1 + math.exp(-0.8))
    assert compute(grad(Swish()(node), node), x=0.8) == pytest.approx(s + 0.8 * s * (1 - s))


def test_a_formula_is_differentiated_by_its_own_derivatives_to_any_order() -> None:
    u = scalar_input(0)
    cube = Formula("cube", Graph((u * u * u,)), (Graph((3 * u * u,)),))
    node = declare("x")
    first = grad(cube(node), node)
    assert cube(node).op.label == "cube"
    assert compute(first, x=2.0) == 12.0
    assert compute(grad(first, node), x=2.0) == 12.0
    small = apply(Input("x", TensorType((), float32)))
    assert grad(cube(small), small).type.dtype is float32


def test_a_formula_of_other_than_elementwise_ops_is_an_error() -> None:
    u = scalar_input(0)
    bad = Formula("bad", Graph((u * ops.reshape(u, (1,)),)), (Graph((u,)),))
    message = "reshape is not elementwise, so it cannot be part of a formula"
    with pytest.raises(GradientError, match=message):
        formula(bad, [x])
    with pytest.raises(GradientError, match=message):
        compute(bad(declare("x")), x=1.0)


def test_sympy_is_imported_only_when_asked_for() -> None:
    code = (
        "import sys\n"
        "from chainc import autodiff, ops\n"
        "from chainc.interpreters import reference, symbolic\n"
        "from chainc.ir import text, verify\n"
        "sys.exit('sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_numbers_keep_their_precision_through_sympy() -> None:
    node = to_node(x * sympy.Float(0.1) + sympy.pi, {x: declare("x")})
    assert compute(node, x=1.0) == np.float64(0.1) + math.pi
