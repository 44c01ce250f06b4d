"""Rules of `simplify` about Boolean logic and selection."""

from __future__ import annotations

from chainc.ir import Node
from chainc.ir.leaves import constant
from chainc.ops import broadcast_to, logical_and, logical_not, logical_or, where
from chainc.rewriting.rules import Equation, RuleSet

rule = RuleSet()


@rule.exact
def not_not(x: Node) -> Equation:
    return ~~x, x


@rule.exact
def and_of_same(x: Node) -> Equation:
    return logical_and(x, x), x


@rule.exact
def or_of_same(x: Node) -> Equation:
    return logical_or(x, x), x


@rule.exact
def and_true(x: Node) -> Equation:
    return logical_and(x, constant(True)), x


@rule.exact
def and_false(x: Node) -> Equation:
    return logical_and(x, constant(False)), lambda: broadcast_to(constant(False), x.shape)


@rule.exact
def or_false(x: Node) -> Equation:
    return logical_or(x, constant(False)), x


@rule.exact
def or_true(x: Node) -> Equation:
    return logical_or(x, constant(True)), lambda: broadcast_to(constant(True), x.shape)


@rule.exact
def where_of_same(c: Node, a: Node) -> Equation:
    return where(c, a, a), a


@rule.exact
def where_of_not(c: Node, a: Node, b: Node) -> Equation:
    return where(logical_not(c), a, b), where(c, b, a)


@rule.exact
def where_true(a: Node, b: Node) -> Equation:
    return where(constant(True), a, b), a


@rule.exact
def where_false(a: Node, b: Node) -> Equation:
    return where(constant(False), a, b), b


@rule.exact
def where_again_taken(c: Node, a: Node, b: Node, d: Node) -> Equation:
    return where(c, where(c, a, b), d), where(c, a, d)


@rule.exact
def where_again_not_taken(c: Node, a: Node, b: Node, d: Node) -> Equation:
    return where(c, a, where(c, b, d)), where(c, a, d)
