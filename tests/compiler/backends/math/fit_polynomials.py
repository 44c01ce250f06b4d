"""The minimax fits behind chainc.backends.math.polynomials, made again from the mathematics.

Remez' exchange, in 50 decimal digits: the polynomial whose weighted error from the function,
in relation to the function that is wanted in the end, swings evenly between its bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp

Real = Callable[[mp.mpf], mp.mpf]

DIGITS = 50
GRID = 600  # where the error is looked at: Chebyshev points, at none of which a weight is 0
SERIES = 50  # terms, which give more digits than these on every interval used here


@dataclass(frozen=True)
class Fit:
    """What a polynomial approximates, and how much an error of it weighs in the result."""

    function: Real
    weight: Real
    low: str
    high: str
    degree: int


def minimax(fit: Fit) -> tuple[list[float], float]:
    """The coefficients from the constant upwards, and the largest weighted error."""
    with mp.workdps(DIGITS):
        low, high = mp.mpf(mp.mpmathify(fit.low)), mp.mpf(mp.mpmathify(fit.high))
        middle, radius = (low + high) / 2, (high - low) / 2
        xs = [middle - radius * mp.cos(mp.pi * (i + 0.5) / GRID) for i in range(GRID)]
        wanted = [(fit.function(x), fit.weight(x)) for x in xs]
        count = fit.degree + 2
        nodes = [round(i * (GRID - 1) / (count - 1)) for i in range(count)]
        for _ in range(30):
            coefficients, level = _level(nodes, xs, wanted)
            errors = [
                (mp.polyval(coefficients[::-1], x) - f) * w
                for x, (f, w) in zip(xs, wanted, strict=True)
            ]
            nodes = extremes(errors, count)
            largest = max(abs(error) for error in errors)
            if largest < abs(level) * 1.0001:
                break
        return [float(c) for c in coefficients], float(largest)


def _level(
    nodes: list[int], xs: list[mp.mpf], wanted: list[tuple[mp.mpf, mp.mpf]]
) -> tuple[list[mp.mpf], mp.mpf]:
    """The polynomial whose weighted errors at the nodes are equal and alternate in sign."""
    size = len(nodes)
    matrix, right = mp.matrix(size), mp.matrix(size, 1)
    for row, node in enumerate(nodes):
        value, weight = wanted[node]
        for power in range(size - 1):
            matrix[row, power] = xs[node] ** power
        matrix[row, size - 1] = (-1) ** row / weight
        right[row] = value
    solution = mp.lu_solve(matrix, right)
    return list(solution[: size - 1]), solution[size - 1]


def extremes(errors: list[mp.mpf], count: int) -> list[int]:
    """The largest error of each run of one sign; the smaller outer ones go until `count` stay."""
    peaks: list[int] = []
    for i, error in enumerate(errors):
        if peaks and error * errors[peaks[-1]] > 0:
            if abs(error) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        elif error != 0:
            peaks.append(i)
    while len(peaks) > count:
        peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
    return peaks


def _series(term: Callable[[int], mp.mpf]) -> Real:
    """The power series with the given coefficients, which stays accurate at 0."""
    coefficients: list[mp.mpf] = []

    def value(x: mp.mpf) -> mp.mpf:
        if not coefficients:
            coefficients.extend(term(i) for i in reversed(range(SERIES)))
        return mp.polyval(coefficients, x)

    return value


def _sign(i: int) -> int:
    return -1 if i % 2 else 1


_exp_tail = _series(lambda i: 1 / mp.factorial(i + 2))
_log_tail = _series(lambda i: mp.mpf(2) / (2 * i + 3))
_erf_ratio = _series(lambda i: 2 * _sign(i) / mp.sqrt(mp.pi) / mp.factorial(i) / (2 * i + 1))
_sin_tail = _series(lambda i: -_sign(i) / mp.factorial(2 * i + 3))
_artanh_tail = _series(lambda i: mp.mpf(3) / (2 * i + 5))
_log2 = _series(lambda i: 2 / mp.log(2) / (2 * i + 1))
_exp2_tail = _series(lambda i: mp.log(2) ** (i + 1) / mp.factorial(i + 1))
_cos_tail = _series(lambda i: _sign(i) / mp.factorial(2 * i + 4))


def _erf_near(degree: int) -> Fit:
    return Fit(lambda z: _erf_ratio(z) - 1, lambda z: 1 / _erf_ratio(z), "0", "1", degree)


def _erfc_logarithm(end: str, degree: int) -> Fit:
    return Fit(
        lambda t: -mp.log(mp.erfc(t + 1)),
        lambda t: mp.erfc(t + 1) / mp.erf(t + 1),
        "0",
        end,
        degree,
    )


def _exp(degree: int) -> Fit:
    return Fit(_exp_tail, abs, "-0.3467", "0.3467", degree)


def _log(degree: int) -> Fit:
    return Fit(_log_tail, lambda z: z / 2, "0", "0.02944", degree)


def _sin(degree: int) -> Fit:
    return Fit(_sin_tail, lambda z: z, "0", "0.617", degree)


def _cos(degree: int) -> Fit:
    return Fit(_cos_tail, lambda z: z * z / mp.mpf("0.7"), "0", "0.617", degree)


# as polynomials.py names them, by LLVM's name of the type
FITS: dict[str, dict[str, Fit]] = {
    "EXP_TAIL": {"float": _exp(5), "double": _exp(10)},
    "TANH_TAIL": {"float": _exp(4), "double": _exp(9)},
    "LOG_TAIL": {"float": _log(2), "double": _log(6)},
    "ERF_NEAR": {"double": _erf_near(11)},
    "ERFC_LOGARITHM": {"double": _erfc_logarithm("4.95", 17)},
    "SIN_TAIL": {"float": _sin(2), "double": _sin(5)},
    "COS_TAIL": {"float": _cos(2), "double": _cos(5)},
    "LOG2": {"double": Fit(_log2, lambda z: 1 / _log2(z), "0", "0.02944", 4)},
    "EXP2_TAIL": {"double": Fit(_exp2_tail, abs, "-0.5", "0.5", 6)},
    "ARTANH_TAIL": {"double": Fit(_artanh_tail, lambda z: z * z / 3, "0", "0.02944", 6)},
}
