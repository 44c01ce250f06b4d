"""Rules to try the driver with."""

from __future__ import annotations

from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Input, constant
from chainc.ir.types import DType, TensorType, float32
from chainc.ops import broadcast_to, negative
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, Rule, RuleSet

rule = RuleSet()


@rule.exact
def minus_minus(x: Node) -> Equation:
    return negative(negative(x)), x


@rule.exact
def times_one(x: Node) -> Equation:
    return x * 1, x


@rule.fast
def factor(a: Node, b: Node, c: Node) -> Equation:
    return a * c + b * c, (a + b) * c


@rule.fast(exact_for="i")
def minus_itself(x: Node) -> Equation:
    return x - x, lambda: broadcast_to(constant(0, x.type.dtype), x.shape)


def an_input(key: str, *shape: int, dtype: DType = float32) -> Node:
    return apply(Input(key, TensorType(shape, dtype)))


def applied(root: Node, *rules: Rule, fast_math: bool = False) -> Node:
    return rewrite(Graph((root,)), rules, fast_math=fast_math).outputs[0]
