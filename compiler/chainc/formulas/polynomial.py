"""Polynomials in the names of operands: derivatives that need no computer algebra to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.formulas import blackboard
from chainc.formulas.blackboard import Written
from chainc.ir import Graph, Node
from chainc.ir.leaves import Constant
from chainc.ops import arithmetic

Monomial = tuple[str, ...]  # the factors in alphabetical order, each as often as it occurs


@dataclass(frozen=True)
class Polynomial:
    """A sum of products of names, each with its coefficient; no coefficient is zero."""

    terms: Mapping[Monomial, float]

    def __add__(self, other: Polynomial) -> Polynomial:
        found = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            found[monomial] = found.get(monomial, 0.0) + coefficient
        return Polynomial({monomial: c for monomial, c in found.items() if c})

    def __mul__(self, other: Polynomial) -> Polynomial:
        found = Polynomial({})
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                found = found + Polynomial({tuple(sorted(left + right)): a * b})
        return found

    def degree(self, name: str) -> int:
        return max((monomial.count(name) for monomial in self.terms), default=0)


def variable(name: str) -> Polynomial:
    return Polynomial({(name,): 1.0})


def number(value: float) -> Polynomial:
    return Polynomial({(): value} if value else {})


def from_node(node: Node, names: Mapping[Node, Polynomial]) -> Polynomial | None:
    """What a graph of additions and products computes; None where it holds another op."""
    known = dict(names)
    for part in Graph((node,)).nodes:
        if part in known:
            continue
        found = _apply(part, [known[i] for i in part.inputs if i in known])
        if found is None:
            return None
        known[part] = found
    return known[node]


def _apply(node: Node, operands: Sequence[Polynomial]) -> Polynomial | None:
    if isinstance(node.op, Constant) and not node.ndim:
        return number(float(node.op.value.array.item()))
    if isinstance(node.op, arithmetic.Add):
        return operands[0] + operands[1]
    if isinstance(node.op, arithmetic.Subtract):
        return operands[0] + number(-1) * operands[1]
    if isinstance(node.op, arithmetic.Multiply):
        return operands[0] * operands[1]
    return number(-1) * operands[0] if isinstance(node.op, arithmetic.Negative) else None


def written(polynomial: Polynomial, names: Mapping[str, Written]) -> Written:
    """With the factors that all terms share in front: `σ·(1 − σ)`."""
    if not polynomial.terms:
        return blackboard.number(0)
    shared = _shared(list(polynomial.terms))
    terms = [(_without(m, shared), c) for m, c in polynomial.terms.items()]
    terms.sort(key=lambda term: (term[1] < 0, len(term[0]), term[0]))
    rest = blackboard.total([_monomial(m, c, names) for m, c in terms])
    if not shared:
        return rest
    if len(terms) == 1:
        (_, coefficient) = terms[0]
        return _monomial(shared, coefficient, names)
    return blackboard.product([_monomial(shared, 1.0, names), rest])


def _shared(monomials: Sequence[Monomial]) -> Monomial:
    first = monomials[0]
    names = sorted(set(first))
    return tuple(n for n in names for _ in range(min(m.count(n) for m in monomials)))


def _without(monomial: Monomial, factors: Monomial) -> Monomial:
    left = list(monomial)
    for factor in factors:
        left.remove(factor)
    return tuple(left)


def _monomial(factors: Monomial, coefficient: float, names: Mapping[str, Written]) -> Written:
    powers = [_power(names[name], factors.count(name)) for name in sorted(set(factors))]
    if not powers or abs(coefficient) != 1:
        powers.insert(0, blackboard.number(abs(coefficient)))
    found = blackboard.product(powers)
    return blackboard.negative(found) if coefficient < 0 else found


def _power(base: Written, exponent: int) -> Written:
    return base if exponent == 1 else blackboard.power(base, blackboard.number(exponent))
