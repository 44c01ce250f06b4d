"""Contractions in the steps of loops that have an operand in common: one of them for all.

    h @ u_i,  h @ u_f                 →   slices of h @ concat(u_i, u_f)
    d_i @ u_i.T + d_f @ u_f.T         →   concat(d_i, d_f) @ concat(u_i, u_f).T
    h.T @ d_i,  h.T @ d_f             →   slices of h.T @ concat(d_i, d_f)

Weights of gates lie in one matrix then, once before the loop, and a step does one product forwards
and one backwards, whether gates were declared side by side or each by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import accumulate

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, apply, originating, substitute, topological
from chainc.ir.leaves import Input
from chainc.ops.arithmetic import Add, add
from chainc.ops.contract import Contract
from chainc.ops.parts.slicing import Concat, Slice
from chainc.ops.reduce import Sum
from chainc.rewriting.trace import note, replacing

Replaced = dict[Node, Node]


def join_siblings(body: Graph, carries: int, first: int) -> Graph:
    """What a step does, with its sibling contractions joined.

    Needs: the body of a loop with so many carries, whose inputs from `first` on are the same in all
    steps, as weights are. Leaves: such a body; sums of products add up in another order.
    """
    weights = {leaf for leaf in body.leaves("input") if int(leaf.op.label) >= first}
    while found := _sums(body, weights) or _of_one_operand(body, carries, weights) or _totals(body):
        body = substitute(body, found)
    return body


# ----- sums of products


def _sums(body: Graph, weights: Set[Node]) -> Replaced:
    """A sum with products by weights, as one product of all."""
    for node in body.nodes:
        if not isinstance(node.op, Add) or _goes_on(body, node):
            continue
        terms = list(_terms(body, node))
        for first in terms:
            alike = [term for term in terms if _adds_to(first, term, weights)]
            if len(alike) > 1:
                return _sum_of(node, alike, [term for term in terms if term not in set(alike)])
    return {}


def _goes_on(body: Graph, node: Node) -> bool:
    """Is it but a part of a longer sum?"""
    users = body.users[node]
    return len(users) == 1 and isinstance(users[0].op, Add) and node not in set(body.roots)


def _terms(body: Graph, node: Node) -> Iterator[Node]:
    for operand in node.inputs:
        if isinstance(operand.op, Add) and _goes_on(body, operand):
            yield from _terms(body, operand)
        else:
            yield operand


def _adds_to(first: Node, other: Node, weights: Set[Node]) -> bool:
    """Two products of what a step computes by weights, over the same axes."""
    pair = (first, other)
    if first.op != other.op or not isinstance(first.op, Contract) or first.type != other.type:
        return False
    if any(isinstance(each.inputs[0].op, Input) for each in pair):
        return False
    letter = _summed(first.op)
    return bool(letter) and all(
        each.inputs[1] in weights
        and _alike(each.inputs[0], first.inputs[0], first.op.a.index(letter))
        and _alike(each.inputs[1], first.inputs[1], first.op.b.index(letter))
        for each in pair
    )


def _summed(f: Contract) -> str:
    """The letter that is summed over, if there is one alone."""
    letters = [letter for letter in f.a if letter in f.b and letter not in f.result]
    return letters[0] if len(letters) == 1 else ""


def _sum_of(node: Node, alike: Sequence[Node], others: Sequence[Node]) -> Replaced:
    f = alike[0].op
    assert isinstance(f, Contract)
    letter = _summed(f)
    with originating(replacing(node, "join_siblings")):
        a = apply(Concat(f.a.index(letter)), *(term.inputs[0] for term in alike))
        b = apply(Concat(f.b.index(letter)), *(term.inputs[1] for term in alike))
        total = apply(f, a, b)
        for other in others:
            total = add(total, other)
    note("join_siblings", node, total, "fast")
    return {node: total}


# ----- products with one operand


@dataclass(frozen=True)
class _Siblings:
    """Contractions that differ in one operand, at `place`, and there along one axis."""

    nodes: Sequence[Node]
    place: int
    axis: int

    @property
    def operands(self) -> Sequence[Node]:
        return [node.inputs[self.place] for node in self.nodes]


def _of_one_operand(body: Graph, carries: int, weights: Set[Node]) -> Replaced:
    together = [node for node in body.nodes if isinstance(node.op, Concat)]
    for siblings in _families(body, carries):
        operands = siblings.operands
        if weights >= set(operands):
            return _slices(siblings, apply(Concat(siblings.axis), *operands))
        for concat in together:
            same = set(concat.inputs) == set(operands) and len(concat.inputs) == len(operands)
            if same and concat.op == Concat(siblings.axis):
                by_operand = dict(zip(operands, siblings.nodes, strict=True))
                order = [by_operand[each] for each in concat.inputs]
                return _slices(_Siblings(order, siblings.place, siblings.axis), concat)
    return {}


def _families(body: Graph, carries: int) -> Iterator[_Siblings]:
    """What the next step needs stays apart from what does not, which may leave the loop."""
    needed = set(topological(body.outputs[:carries]))
    found: dict[tuple[Contract, int, Node, bool], list[Node]] = {}
    for node in body.nodes:
        if isinstance(node.op, Contract):
            for place in (0, 1):
                key = (node.op, place, node.inputs[1 - place], node in needed)
                found.setdefault(key, []).append(node)
    for (f, place, _, _), nodes in found.items():
        own, other = (f.a, f.b) if place == 0 else (f.b, f.a)
        free = [letter for letter in own if letter in f.result and letter not in other]
        if len(nodes) < 2 or len(free) != 1:
            continue
        axis = own.index(free[0])
        first = nodes[0].inputs[place]
        if all(_alike(node.inputs[place], first, axis) for node in nodes):
            yield _Siblings(nodes, place, axis)


def _slices(siblings: _Siblings, together: Node) -> Replaced:
    """The siblings as parts of one contraction."""
    first = siblings.nodes[0]
    f = first.op
    assert isinstance(f, Contract)
    letter = (f.a, f.b)[siblings.place][siblings.axis]
    axis = f.result.index(letter)
    operands = list(first.inputs)
    operands[siblings.place] = together
    with originating(replacing(first, "join_siblings")):
        product = apply(f, *operands)
    stops = list(accumulate(_length(node, axis) for node in siblings.nodes))
    found: Replaced = {}
    for node, stop in zip(siblings.nodes, stops, strict=True):
        with originating(replacing(node, "join_siblings")):
            found[node] = _slice(product, axis, stop - _length(node, axis), stop)
        note("join_siblings", node, found[node])
    return found


# ----- sums over what lies together now


def _totals(body: Graph) -> Replaced:
    """Sums of parts are sums of slices, so that the parts need not be kept beside the whole."""
    for concat in body.nodes:
        if not isinstance(concat.op, Concat):
            continue
        stop = 0
        for part in concat.inputs:
            stop += _length(part, concat.op.axis)
            start = stop - _length(part, concat.op.axis)
            for user in body.users[part]:
                if isinstance(user.op, Sum) and concat.op.axis not in user.op.axes:
                    with originating(replacing(user, "join_siblings")):
                        part_of_all = _slice(concat, concat.op.axis, start, stop)
                        return {user: apply(user.op, part_of_all)}
    return {}


def _slice(x: Node, axis: int, start: int, stop: int) -> Node:
    starts = tuple(start if each == axis else 0 for each in range(x.ndim))
    stops = tuple(stop if each == axis else dim for each, dim in enumerate(x.shape))
    return apply(Slice(starts, stops, (1,) * x.ndim), x)


def _length(x: Node, axis: int) -> int:
    length = x.shape[axis]
    assert isinstance(length, int)
    return length


def _alike(one: Node, other: Node, axis: int) -> bool:
    """Of one type but for the length of an axis, which is known?"""
    if one.dtype != other.dtype or one.ndim != other.ndim or not isinstance(one.shape[axis], int):
        return False
    pairs = enumerate(zip(one.shape, other.shape, strict=True))
    return all(at == axis or a == b for at, (a, b) in pairs)
