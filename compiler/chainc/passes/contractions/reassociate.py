"""The order of a chain of contractions: the cheapest one.

    (A @ B) @ v   →   A @ (B @ v)

Rows that are looked up are products with one-hot codes: their rules stand in `rules/rows.py`, and
what adds them up in `row_sums.py`.

Costs are polynomials in the named sizes. An order is taken only if it is cheaper for every value
of every size from 1 on: with 1 + k in place of each size, no coefficient of what it saves is
negative. A sum of products rounds differently in another order; which one is taken is the
compiler's to choose, as it is within one contraction.
"""

from __future__ import annotations

import itertools
import math
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, apply, originating, rebuild, with_inputs
from chainc.ir.types import Dim, coefficient_of, names_of, product
from chainc.ops.contract import Contract
from chainc.passes.contractions.look_ups import look_up_in_steps
from chainc.passes.contractions.row_sums import sums_of_sums
from chainc.passes.contractions.steps_before import sums_over_steps_after
from chainc.passes.rules import rows
from chainc.rewriting.rewrite import rewrite
from chainc.rewriting.trace import note, replacing

MAX_FACTORS = 6  # of one chain; a longer one is cut
TRIED_SIZES = (1, 64, 4096)  # of every named size, for which the cheapest orders are found

Order = int | tuple["Order", "Order"]  # a factor, or a contraction of two
Axis = int  # of a chain: factors share the axes that are contracted
Polynomial = Counter[tuple[str, ...]]  # coefficients by sorted names


def reassociate(graph: Graph) -> Graph:
    """Contract every chain in its cheapest order, through products that nothing else reads.

    Needs: permutations in the letters of contractions, as `canonicalize` puts them. Leaves: the
    same, in orders that are never more expensive.
    """
    graph = sums_of_sums(rewrite(graph, rows.rule, fast_math=True))
    inner, long = _chains(graph)

    def reordered(node: Node, inputs: tuple[Node, ...]) -> Node:
        new = with_inputs(node, inputs)
        if node not in long:
            return new
        chain, order = _chain(new, node, inner)
        best = chain.improved(order)
        if best == order:
            return new
        with originating(replacing(new, "cheapest_order")):
            result, _ = chain.build(best)
        note("cheapest_order", new, result, "fast")
        return result

    return look_up_in_steps(sums_over_steps_after(rebuild(graph, reordered)))


def _chains(graph: Graph) -> tuple[set[Node], set[Node]]:
    """The contractions that only their chain reads, and the last ones of three factors or more."""
    roots = set(graph.roots)
    factors: dict[Node, int] = {}
    inner: set[Node] = set()
    for node in graph.nodes:
        if not isinstance(node.op, Contract):
            continue
        joined = sorted(
            (
                x
                for x in node.inputs
                if x in factors and x not in roots and len(graph.users[x]) == 1
            ),
            key=factors.__getitem__,
        )
        while sum(factors[x] for x in joined) + 2 - len(joined) > MAX_FACTORS:
            joined.pop()
        factors[node] = sum(factors[x] for x in joined) + 2 - len(joined)
        inner.update(joined)
    return inner, {node for node, count in factors.items() if count > 2 and node not in inner}


def _chain(node: Node, declared: Node, inner: Set[Node]) -> tuple[_Chain, Order]:
    """The factors of a rebuilt contraction; `declared` is the same one in the graph of `inner`."""
    factors: list[Node] = []
    axes: list[tuple[Axis, ...]] = []
    numbers = itertools.count()

    def collect(node: Node, declared: Node, result: Sequence[Axis]) -> Order:
        assert isinstance(node.op, Contract)
        known = dict(zip(node.op.result, result, strict=True))
        parts: list[Order] = []
        for letters, operand, before in zip(
            (node.op.a, node.op.b), node.inputs, declared.inputs, strict=True
        ):
            found = tuple(known.setdefault(letter, next(numbers)) for letter in letters)
            if before in inner:
                parts.append(collect(operand, before, found))
                continue
            parts.append(len(factors))
            factors.append(operand)
            axes.append(found)
        return parts[0], parts[1]

    result = tuple(next(numbers) for _ in node.shape)
    order = collect(node, declared, result)
    return _Chain(tuple(factors), tuple(axes), result), order


@dataclass(frozen=True)
class _Chain:
    """A contraction of many factors; an order says which two to contract first."""

    factors: tuple[Node, ...]
    axes: tuple[tuple[Axis, ...], ...]  # of each factor
    result: tuple[Axis, ...]

    def improved(self, order: Order) -> Order:
        """An order that is cheaper for all sizes, or the given one."""
        sizes = {
            axis: dim
            for factor, axes in zip(self.factors, self.axes, strict=True)
            for axis, dim in zip(axes, factor.shape, strict=True)
        }
        for value in TRIED_SIZES:
            bound = {axis: _bound(dim, value) for axis, dim in sizes.items()}
            other = self._cheapest(bound)
            if _is_cheaper(self._cost(other, sizes), self._cost(order, sizes)):
                order = other
        return order

    def build(self, order: Order) -> tuple[Node, tuple[Axis, ...]]:
        """The contractions in that order, and the axes of the last one."""
        if isinstance(order, int):
            return self.factors[order], self.axes[order]
        (left, a), (right, b) = self.build(order[0]), self.build(order[1])
        everything = len(list(_factors(order))) == len(self.factors)
        result = self.result if everything else self._kept(frozenset(_factors(order)))
        letter = dict(zip(dict.fromkeys(a + b), string.ascii_letters, strict=False))
        names = ("".join(letter[axis] for axis in axes) for axes in (a, b, result))
        return apply(Contract(*names), left, right), result

    def _kept(self, chosen: frozenset[int]) -> tuple[Axis, ...]:
        """The axes of a product of factors that the others, or the result, need."""
        others = (axes for index, axes in enumerate(self.axes) if index not in chosen)
        needed = {*self.result, *itertools.chain.from_iterable(others)}
        own = itertools.chain.from_iterable(self.axes[index] for index in sorted(chosen))
        return tuple(dict.fromkeys(axis for axis in own if axis in needed))

    def _cost(self, order: Order, sizes: Mapping[Axis, Dim]) -> Polynomial:
        """The number of scalar products."""
        total: Polynomial = Counter()
        for left, right in _contractions(order):
            parts = (self._kept(frozenset(_factors(part))) for part in (left, right))
            dim = product(sizes[axis] for axis in {axis for axes in parts for axis in axes})
            total[names_of(dim)] += coefficient_of(dim)
        return total

    def _cheapest(self, sizes: Mapping[Axis, int]) -> Order:
        """Dynamic programming over the sets of factors."""
        count = len(self.factors)
        best: dict[frozenset[int], tuple[int, Order]] = {}
        kept: dict[frozenset[int], set[Axis]] = {}
        for chosen in _subsets(frozenset(range(count))):
            kept[chosen] = set(self._kept(chosen))
            if len(chosen) == 1:
                best[chosen] = 0, next(iter(chosen))
                continue
            costs = {
                (best[a][1], best[b][1]): best[a][0]
                + best[b][0]
                + math.prod(sizes[axis] for axis in kept[a] | kept[b])
                for a, b in _halves(chosen)
            }
            order = min(costs, key=costs.__getitem__)
            best[chosen] = costs[order], order
        return best[frozenset(range(count))][1]


def _bound(dim: Dim, value: int) -> int:
    """The size where every name stands for `value`."""
    return coefficient_of(dim) * math.prod(value for _ in names_of(dim))


def _factors(order: Order) -> Iterator[int]:
    if isinstance(order, int):
        yield order
    else:
        yield from _factors(order[0])
        yield from _factors(order[1])


def _contractions(order: Order) -> Iterator[tuple[Order, Order]]:
    if not isinstance(order, int):
        yield order
        yield from _contractions(order[0])
        yield from _contractions(order[1])


def _subsets(chosen: frozenset[int]) -> Iterator[frozenset[int]]:
    """All of them but the empty one, smaller ones first."""
    for size in range(1, len(chosen) + 1):
        yield from map(frozenset, itertools.combinations(sorted(chosen), size))


def _halves(chosen: frozenset[int]) -> Iterator[tuple[frozenset[int], frozenset[int]]]:
    """All ways to part a set in two; the first half has the first element."""
    first = min(chosen)
    for part in _subsets(chosen - {first}):
        yield chosen - part, part


def _is_cheaper(a: Polynomial, b: Polynomial) -> bool:
    """Is a less than b, or nowhere more and somewhere less, for all sizes from 1 on?"""
    saved = _from_one(b)
    saved.subtract(_from_one(a))
    return min(saved.values()) >= 0 and max(saved.values()) > 0


def _from_one(polynomial: Polynomial) -> Polynomial:
    """The polynomial in k, with 1 + k in place of each size."""
    result: Polynomial = Counter()
    for names, coefficient in polynomial.items():
        for size in range(len(names) + 1):
            for chosen in itertools.combinations(names, size):
                result[chosen] += coefficient
    return result
