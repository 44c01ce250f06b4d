"""sympy expressions written as on a blackboard: roots, fractions, cases, tanh²(x)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.formulas import blackboard
from chainc.formulas.blackboard import Blackboard, Written

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class SympyWriter:
    """Writes an expression; `names` says how its symbols are written."""

    names: Mapping[sympy.Basic, Written]

    def write(self, part: sympy.Basic) -> Written:
        if part in self.names:
            return self.names[part]
        if part.is_Add:
            return self._sum(part)
        if part.is_Mul or (part.is_Pow and part.exp.is_negative):
            return self._product(part)
        if part.is_Pow:
            return self._power(part)
        return self._number(part) if part.is_number else self._function(part)

    def _sum(self, part: sympy.Basic) -> Written:
        terms = [self.write(term) for term in part.as_ordered_terms()]
        terms.sort(key=lambda term: term.is_negative)
        return blackboard.total(terms)

    def _product(self, part: sympy.Basic) -> Written:
        import sympy

        above, below = sympy.fraction(part, exact=True)
        if below != 1:
            return blackboard.quotient(self.write(above), self.write(below))
        coefficient, rest = part.as_coeff_Mul()
        if coefficient.is_negative:
            return blackboard.negative(self.write(-part))
        factors = [] if coefficient == 1 else [coefficient]
        factors += sorted(rest.as_ordered_factors(), key=_place)
        return blackboard.product([self.write(factor) for factor in factors])

    def _power(self, part: sympy.Basic) -> Written:
        import sympy

        base, exponent = part.as_base_exp()
        if base is sympy.E:
            return blackboard.exponential(self.write(exponent))
        if exponent == sympy.Rational(1, 2):
            return blackboard.root(self.write(base))
        if base.is_Function and exponent.is_Integer and type(base).__name__ in _CALLS:
            arguments = [self.write(argument) for argument in base.args]
            name = _CALLS[type(base).__name__]
            return blackboard.call(name, *arguments, raised=int(exponent))
        return blackboard.power(self.write(base), self.write(exponent))

    def _number(self, part: sympy.Basic) -> Written:
        import sympy

        known = {sympy.pi: Written("π", r"\pi"), sympy.E: Written("e", "e")}
        if part in known:
            return known[part]
        if part.is_Rational and not part.is_Integer:
            above, below = blackboard.number(int(part.p)), blackboard.number(int(part.q))
            return blackboard.quotient(above, below)
        if part.is_Integer or part.is_Float or not part.args:
            return blackboard.number(float(part))
        return self._function(part)

    def _function(self, part: sympy.Basic) -> Written:
        name = type(part).__name__
        if name == "Piecewise":
            return self._piecewise(part)
        operands = [self.write(argument) for argument in part.args]
        if name == "exp":
            return blackboard.exponential(operands[0])
        if name == "Heaviside":
            return self._step(part)
        if name in _SIGNS:
            return _SIGNS[name](*operands)
        return blackboard.call(_CALLS.get(name, name), *operands)

    def _step(self, part: sympy.Basic) -> Written:
        """1 where the argument is positive, a difference as a comparison."""
        argument, zero = part.args[0], blackboard.number(0)
        kept, taken = zero, zero
        positive: list[sympy.Basic] = []
        negative: list[sympy.Basic] = []
        for term in argument.as_ordered_terms():
            (negative if term.could_extract_minus_sign() else positive).append(term)
        if positive:
            kept = blackboard.total([self.write(term) for term in positive])
        if negative:
            taken = blackboard.total([self.write(-term) for term in negative])
        condition = blackboard.infix(">", ">", kept, taken)
        if not positive:
            condition = blackboard.infix("<", "<", taken, kept)
        return blackboard.cases(blackboard.number(1), condition, zero)

    def _piecewise(self, part: sympy.Basic) -> Written:
        import sympy

        *branches, (last, condition) = part.args
        result = self.write(last)
        if condition is not sympy.true:
            result = blackboard.cases(
                result, self.write(condition), blackboard.number(float("nan"))
            )
        for value, condition in reversed(branches):
            result = blackboard.cases(self.write(value), self.write(condition), result)
        return result


def _place(factor: sympy.Basic) -> int:
    """Numbers and names first, then powers, functions, and sums."""
    if factor.is_number or factor.is_Symbol:
        return 0
    if factor.is_Add:
        return 3
    return 1 if factor.is_Pow and not factor.base.is_Function else 2


_CALLS = {"log": "ln", "sin": "sin", "cos": "cos", "tanh": "tanh", "erf": "erf",
          "Max": "max", "Min": "min"}  # fmt: skip

_BOARD = Blackboard()
_SIGNS: Mapping[str, Callable[..., Written]] = {
    "Abs": _BOARD.absolute,
    "floor": _BOARD.floor,
    "StrictLessThan": _BOARD.less,
    "LessThan": _BOARD.less_equal,
    "StrictGreaterThan": lambda a, b: blackboard.infix(">", ">", a, b),
    "GreaterThan": lambda a, b: blackboard.infix("≥", r"\ge", a, b),
    "Equality": _BOARD.equal,
    "Unequality": lambda a, b: blackboard.infix("≠", r"\ne", a, b),
    "And": _BOARD.logical_and,
    "Or": _BOARD.logical_or,
    "Not": _BOARD.logical_not,
}
