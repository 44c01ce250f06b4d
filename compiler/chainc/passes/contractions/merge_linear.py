"""Linear layers without an activation between them: one layer.

    (x @ V + a) @ W + b   →   x @ (V @ W) + (a @ W + b)

A second layer adds nothing to what the first can say. The pass is not among the default ones, since
it makes other parameters of those that are trained: it has to be told which ones are not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from chainc.ir import Graph, Node, apply
from chainc.ir.leaves import Constant
from chainc.ops.contract import Contract
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.rules import Equation, RuleSet

MATRIX = Contract("ab", "bc", "ac")
VECTOR = Contract("a", "ab", "b")


def merge_linear(frozen: Collection[Node] = ()) -> Callable[[Graph], Graph]:
    """The pass that makes one layer of several whose weights are constants, or among `frozen`.

    Needs: the canonical form. Leaves: the canonical form; the weights of the layer are computed
    from the old ones.
    """
    rules = _rules(frozenset(frozen))

    def merge(graph: Graph) -> Graph:
        return rewrite(graph, rules, fast_math=True)

    return merge


def _rules(frozen: frozenset[Node]) -> RuleSet:
    rule = RuleSet()

    def known(*nodes: Node) -> bool:
        return all(_is_computed_from(frozen, node) for node in nodes)

    @rule.fast
    def layer_of_product(f: Contract, g: Contract, x: Node, v: Node, w: Node) -> Equation:
        return (
            apply(g, apply(f, x, v), w),
            lambda: apply(f, x, apply(MATRIX, v, w)) if _are_layers(f, g) and known(v, w) else None,
        )

    @rule.fast
    def layer_of_layer(f: Contract, g: Contract, x: Node, v: Node, a: Node, w: Node) -> Equation:
        return (
            apply(g, apply(f, x, v) + a, w),
            lambda: (
                apply(f, x, apply(MATRIX, v, w)) + apply(VECTOR, a, w)
                if _are_layers(f, g) and known(v, a, w) and a.ndim == 1
                else None
            ),
        )

    @rule.fast
    def sum_of_biases(x: Node, a: Node, b: Node) -> Equation:
        return x + a + b, lambda: x + (a + b) if known(a, b) and not known(x) else None

    return rule


def _is_computed_from(frozen: frozenset[Node], node: Node) -> bool:
    """From nothing but these and constants?"""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if part in frozen or isinstance(part.op, Constant):
            continue
        if not part.inputs:
            return False
        waiting.extend(part.inputs)
    return True


def _are_layers(*products: Contract) -> bool:
    """Rows times a matrix of (in, out): the last axis of the left, the first of the right."""
    return all(
        len(f.b) == 2 and f.a[-1] == f.b[0] and f.result == f.a[:-1] + f.b[1] for f in products
    )
