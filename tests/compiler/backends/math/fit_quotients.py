"""A minimax quotient of two polynomials, found from the mathematics by Remez' exchange.

The errors at the nodes are to be equal and to alternate in sign. That is not linear in the
coefficients of the denominator, so each exchange is some of Newton's steps. They begin at least
squares, whose weights are the denominator of the step before (Sanathanan and Koerner 1963).
"""

from __future__ import annotations

from dataclasses import dataclass

import mpmath as mp
from tests.compiler.backends.math.fit_polynomials import DIGITS, extremes

GRID = 400
END = mp.mpf("3.95")  # where float32's erf is 1, and the quotient 0


@dataclass(frozen=True)
class Quotient:
    """Polynomials in z, constant first; the denominator's constant is 1."""

    above: list[mp.mpf]
    below: list[mp.mpf]

    def at(self, z: mp.mpf) -> mp.mpf:
        return mp.polyval(self.above[::-1], z) / self.denominator(z)

    def denominator(self, z: mp.mpf) -> mp.mpf:
        return mp.polyval([*self.below[::-1], 1], z)


def erf_quotient(degree: int) -> tuple[list[float], list[float], float]:
    """For erf x / x - 1 / END of z = x²: both polynomials, and the largest error of erf."""
    with mp.workdps(DIGITS):
        xs = [END / 2 * (1 - mp.cos(mp.pi * (i + 0.5) / GRID)) for i in range(GRID)]
        ratios = [mp.erf(x) / x for x in xs]
        points = [(x * x, ratio - 1 / END, ratio) for x, ratio in zip(xs, ratios, strict=True)]
        fit, error = _exchanged(points, degree, _least_squares(points[::6], degree))
        return [float(c) for c in fit.above], [float(c) for c in fit.below], float(error)


Point = tuple[mp.mpf, mp.mpf, mp.mpf]  # z, what is approximated, and what an error is divided by


def _least_squares(points: list[Point], degree: int) -> Quotient:
    fit = Quotient([], [])
    for _ in range(8):
        matrix, right = mp.matrix(len(points), 2 * degree + 1), mp.matrix(len(points), 1)
        for row, (z, wanted, size) in enumerate(points):
            weight = 1 / (size * fit.denominator(z))
            _coefficients(matrix, row, degree, z, wanted, weight)
            right[row] = weight * wanted
        fit = _quotient(mp.lu_solve(matrix, right), degree)
    return fit


def _exchanged(points: list[Point], degree: int, fit: Quotient) -> tuple[Quotient, mp.mpf]:
    count = 2 * degree + 2
    for _ in range(12):
        errors = [(fit.at(z) - wanted) / size for z, wanted, size in points]
        nodes = extremes(errors, count)
        largest = max(map(abs, errors))
        if largest < 1.0001 * min(abs(errors[node]) for node in nodes):
            break
        level = mp.sign(errors[nodes[0]]) * largest
        for _ in range(6):
            matrix, right = mp.matrix(count), mp.matrix(count, 1)
            for row, node in enumerate(nodes):
                z, wanted, size = points[node]
                off = (-1) ** row * size
                _coefficients(matrix, row, degree, z, wanted + off * level, 1)
                matrix[row, count - 1] = -off * fit.denominator(z)
                right[row] = wanted + off * level * (1 - fit.denominator(z))
            solution = mp.lu_solve(matrix, right)
            fit, level = _quotient(solution, degree), solution[count - 1]
    return fit, largest


def _coefficients(
    matrix: mp.matrix, row: int, degree: int, z: mp.mpf, value: mp.mpf, weight: mp.mpf
) -> None:
    """Of the equation that the numerator is the value times the denominator."""
    for power in range(degree + 1):
        matrix[row, power] = weight * z**power
        if power:
            matrix[row, degree + power] = -weight * value * z**power


def _quotient(solution: mp.matrix, degree: int) -> Quotient:
    numbers = list(solution)
    return Quotient(numbers[: degree + 1], numbers[degree + 1 : 2 * degree + 1])
