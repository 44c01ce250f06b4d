"""Patterns: what matches a hole, a number, an op, and in which order."""

import numpy as np
import pytest
from tests.compiler.rewriting.equations import (
    an_input,
    applied,
    factor,
    minus_itself,
    minus_minus,
    times_one,
)

from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Constant, constant
from chainc.ir.types import int32
from chainc.ops import exp, maximum, negative, sum
from chainc.ops.arithmetic import Add, Multiply
from chainc.ops.elementwise import Binary
from chainc.ops.movement import PermuteDims
from chainc.ops.reduce import Sum
from chainc.rewriting.patterns import Operands, equals, holes, match, orders
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet


def test_a_hole_stands_for_any_node() -> None:
    x = an_input("x", 3)
    y = exp(x)
    assert applied(negative(negative(y)), minus_minus) is y


def test_commutative_ops_match_in_both_orders() -> None:
    x = an_input("x", 3)
    assert applied(x * 1, times_one) is x
    assert applied(1 * x, times_one) is x
    assert len(factor.patterns) == 8
    a, b, c = (an_input(key, 3) for key in "abc")
    for product in (c * b, b * c):
        result = applied(a * c + product, factor, fast_math=True)
        assert result.op == Multiply()
        assert result.inputs[0].op == Add()
        assert result.inputs[0].inputs == (a, b)
        assert result.inputs[1] is c


def test_other_ops_match_in_the_order_written() -> None:
    @RuleSet().exact
    def over_one(x: Node) -> Equation:
        return x / 1, x

    x = an_input("x", 3)
    assert applied(x / 1, over_one) is x
    graph = Graph((1 / x,))
    assert rewrite(graph, [over_one]) is graph


def test_a_hole_that_occurs_twice_stands_for_one_value() -> None:
    x, y = an_input("x", 3, dtype=int32), an_input("y", 3, dtype=int32)
    assert applied(x - x, minus_itself).op.name == "broadcast_to"
    assert applied(x - y, minus_itself).op.name == "subtract"
    # two nodes that compute the same are one value, though nothing has merged them
    assert applied((x + y) - (y + x), minus_itself).op.name == "broadcast_to"
    assert applied(constant(2, int32) - constant(2, int32), minus_itself).op.name == "constant"


@pytest.mark.parametrize(
    ("literal", "value", "fits"),
    [
        (0, 0.0, True),
        (0, -0.0, False),
        (-0.0, 0.0, False),
        (-0.0, -0.0, True),
        (2, 2.0, True),
        (2, 2.5, False),
        (1, True, False),
        (True, True, True),
        (1, [1.0, 1.0], True),
        (1, [1.0, 2.0], False),
        (0, [0.0, -0.0], False),
        (1, [], False),
        (np.inf, np.inf, True),
    ],
)
def test_a_number_matches_a_constant_that_equals_it_everywhere(
    literal: float, value: float, fits: bool
) -> None:
    node = constant(np.asarray(value))
    assert isinstance(node.op, Constant)
    assert equals(node.op, np.asarray(literal)) is fits


def test_attributes_and_ops_have_holes_too() -> None:
    @RuleSet().exact
    def sum_of_permuted(f: Sum, axes: tuple[int, ...], x: Node) -> Equation:
        return apply(f, apply(PermuteDims(axes), x)), lambda: apply(
            Sum(tuple(sorted(axes[axis] for axis in f.axes))), x
        )

    x = an_input("x", 2, 3, 4)
    permuted = apply(PermuteDims((2, 0, 1)), x)
    result = applied(sum(permuted, (0, 1)), sum_of_permuted)
    assert result.op == Sum((0, 2))
    assert result.inputs == (x,)


def test_an_op_hole_stands_for_its_class_only() -> None:
    @RuleSet().exact
    def swap(f: Binary, x: Node, y: Node) -> Equation:
        return apply(f, exp(x), y), lambda: apply(f, y, exp(x)) if f.commutative else None

    x, y = an_input("x", 3), an_input("y", 3)
    assert applied(exp(x) + y, swap).inputs[0] is y
    assert applied(exp(x) - y, swap).inputs[1] is y
    assert applied(maximum(exp(x), y), swap).inputs[0] is y


def test_operands_stand_for_all_that_an_op_reads() -> None:
    @RuleSet().exact(reads=(Constant,))
    def with_numbers(f: Add, operands: Operands) -> Equation:
        return apply(f, *operands), lambda: apply(Multiply(), *operands)

    x = an_input("x", 3)
    assert applied(x + 2, with_numbers).op == Multiply()
    assert applied(x + x, with_numbers).op == Add()


def test_an_attribute_hole_that_occurs_twice_stands_for_one_value() -> None:
    @RuleSet().exact
    def same_sums(f: Sum, x: Node, y: Node) -> Equation:
        return apply(f, x) + apply(f, y), apply(f, x + y)

    x, y = an_input("x", 3, 3), an_input("y", 3, 3)
    assert applied(sum(x, 0) + sum(y, 0), same_sums).op == Sum((0,))
    assert applied(sum(x, 0) + sum(y, 1), same_sums).op == Add()


def test_patterns_are_made_when_they_are_needed() -> None:
    made: list[str] = []

    @RuleSet().exact
    def late(x: Node) -> Equation:
        made.append("pattern")
        return exp(x), x

    assert not made
    assert len(late.patterns) == len(late.patterns) == len(made) == 1


def test_matching_does_not_depend_on_the_driver() -> None:
    x = an_input("x", 3)
    (pattern,) = minus_minus.patterns
    found = match(pattern, negative(negative(x)), lambda a, b: a is b)
    assert found == {"x": x}
    assert match(pattern, negative(x), lambda a, b: a is b) is None
    assert set(holes(factor.statement)) == {"a", "b", "c"}
    assert len(list(orders(pattern))) == 1
