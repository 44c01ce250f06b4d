"""Series of numbers, computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.declare.arguments import count, number

STEPS = 10  # of the integration in a unit of time
UNITS_BEFORE = 300  # until the start is forgotten


def mackey_glass(n: int = 2000, delay: int = 17, start: float = 1.2) -> NDArray[np.float32]:
    """dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)¹⁰) - 0.1 x, once in a unit of time.

    Blood cells that are made by how many there were (Mackey and Glass, Science 1977): chaotic from
    a delay of 17 on. Before time 0 all is `start`; the first 300 units are left out. Integrated by
    the method of Runge and Kutta of order 4, ten steps a unit.

    Args:
        n: how many numbers.
        delay: a whole number of units of time.
        start: a positive number; two that differ a little soon give two series.

    Raises:
        InputError: a number is out of range.
    """
    length = count("datasets.mackey_glass", "n", n, hint="give how many numbers, such as n=2000")
    late = count("datasets.mackey_glass", "delay", delay, hint="give delay=17, or 30 for wilder")
    first = number("datasets.mackey_glass", "start", start, above=0, hint="give start=1.2")
    x = [first] * (late * STEPS + 1)
    size = 1 / STEPS
    for _ in range((UNITS_BEFORE + length - 1) * STEPS):
        then, later = x[-1 - late * STEPS], x[-late * STEPS]
        now, halfway = x[-1], (then + later) / 2
        a = _slope(now, then)
        b = _slope(now + size / 2 * a, halfway)
        c = _slope(now + size / 2 * b, halfway)
        d = _slope(now + size * c, later)
        x.append(now + size / 6 * (a + 2 * b + 2 * c + d))
    return np.array(x[(late + UNITS_BEFORE) * STEPS :: STEPS], np.float32)


def _slope(x: float, before: float) -> float:
    return 0.2 * before / (1 + before**10) - 0.1 * x
