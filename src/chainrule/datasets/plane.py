"""Sets of points in the plane, drawn from a seed.

`xor`, `ring`, `moons`, `spirals` and `gaussians_on_ring` take the same arguments:

    n: the number of points in all, at least two of each class. They take turns between the
        classes, and every fifth point of each class, from the first on, is kept for testing.
    noise: standard deviation of the normal noise added to both coordinates, at least 0.
    seed: names the draw, a whole number from 0; the same seed gives the same points.

Any other argument raises an `InputError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray

from chainc.ir.errors import InputError
from chainrule.datasets.dataset import Dataset, Split, stratified_split
from chainrule.declare.arguments import count, number

Labels = NDArray[np.int32]
Points = NDArray[np.float64]
Shape = Callable[[Labels, "np.random.Generator"], Points]  # NumPy loads its generators when asked


MOST = 1_000_000_000  # points of a set


def xor(n: int | None = None, noise: float | None = None, seed: int = 0) -> Dataset:
    """Exclusive or: class 1 where the two coordinates, each about 0 or 1, differ.

    Without `n` and `noise`: the four corners of the unit square, (0, 0), (0, 1), (1, 0), (1, 1),
    to train on and, as there are no others, to test on as well. With either of them: a cloud of
    `n` points (400 when not given) around the corners, with `noise` (0.1 when not given).
    """
    classes = ("equal", "different")
    description = "Corners of the unit square; class 1 where the two coordinates differ."
    if n is not None or noise is not None:
        n = 400 if n is None else n
        noise = 0.1 if noise is None else noise
        return _draw("xor", _corners, n, noise, seed, classes=classes, description=description)
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
    split = Split(corners, np.array([0, 1, 1, 0], dtype=np.int32))
    return Dataset(split, split, "xor", classes, description)


def ring(n: int = 400, noise: float = 0.1, seed: int = 0) -> Dataset:
    """A disc of radius 0.5 (class 0) inside a circle of radius 1 (class 1).

    No line separates the classes; the distance from the origin does.
    """
    classes = ("disc", "ring")
    description = "A disc of radius 0.5 and a circle of radius 1 around it."
    return _draw("ring", _disc_and_circle, n, noise, seed, classes=classes, description=description)


def moons(n: int = 400, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Two half circles of radius 1 that reach into each other.

    Class 0 is the upper half circle around (0, 0), class 1 the lower one around (1, 0.5).
    """
    classes = ("upper", "lower")
    description = "An upper half circle around (0, 0) and a lower one around (1, 0.5)."
    return _draw("moons", _half_circles, n, noise, seed, classes=classes, description=description)


def spirals(n: int = 400, noise: float = 0.02, seed: int = 0) -> Dataset:
    """Two arms of a spiral, each the other turned by half a turn about the origin.

    Each arm makes one turn and a half while its radius grows from 0.1 to 1.
    """
    classes = ("first arm", "second arm")
    description = "Two arms of a spiral around the origin, opposite to each other."
    return _draw("spirals", _arms, n, noise, seed, classes=classes, description=description)


def gaussians_on_ring(
    n: int = 4096, noise: float = 0.02, seed: int = 0, *, modes: int = 8, radius: float = 2.0
) -> Dataset:
    """Normal distributions around places on a circle: what generators are tried on.

    Class k is around the angle 2πk / modes, and `noise` is its standard deviation. Between the
    modes there is nothing: a generator that covers only some of them has collapsed.

    Args:
        n: the number of points in all, at least 16 of 8 modes.
        noise: the standard deviation of each mode, at least 0.
        seed: names the draw.
        modes: how many there are, at least 1.
        radius: of the circle, above 0.
    """
    name = "gaussians_on_ring"
    places = count(f"datasets.{name}", "modes", modes, hint="give a number of places, such as 8")
    size = number(f"datasets.{name}", "radius", radius, above=0, hint="give a length, such as 2")
    _check_arguments(name, n, noise, seed, least=2 * places)

    def shape(labels: Labels, _: np.random.Generator) -> Points:
        angle = 2 * math.pi * labels / places
        return _columns(size * np.cos(angle), size * np.sin(angle))

    classes = tuple(f"mode {k}" for k in range(places))
    description = f"{places} normal distributions on a circle of radius {size:g}."
    return _draw(name, shape, n, noise, seed, classes=classes, description=description)


def _corners(labels: Labels, _: np.random.Generator) -> Points:
    first = np.arange(len(labels)) // 2 % 2
    return _columns(first, first ^ labels)


def _disc_and_circle(labels: Labels, generator: np.random.Generator) -> Points:
    # The root of a uniform number as radius fills the disc evenly.
    radius = np.where(labels == 1, 1.0, 0.5 * np.sqrt(generator.random(len(labels))))
    angle = 2 * math.pi * generator.random(len(labels))
    return _columns(radius * np.cos(angle), radius * np.sin(angle))


def _half_circles(labels: Labels, generator: np.random.Generator) -> Points:
    angle = math.pi * (generator.random(len(labels)) + labels)
    return _columns(np.cos(angle) + labels, np.sin(angle) + 0.5 * labels)


def _arms(labels: Labels, generator: np.random.Generator) -> Points:
    radius = generator.uniform(0.1, 1, len(labels))
    angle = math.pi * (3 * radius + labels)
    return _columns(radius * np.cos(angle), radius * np.sin(angle))


def _columns(first: NDArray[np.generic], second: NDArray[np.generic]) -> Points:
    return np.stack([first, second], axis=1).astype(np.float64)


def _draw(
    name: str,
    shape: Shape,
    n: int,
    noise: float,
    seed: int,
    *,
    classes: tuple[str, ...],
    description: str,
) -> Dataset:
    _check_arguments(name, n, noise, seed, least=2 * len(classes))
    generator = np.random.Generator(np.random.PCG64(seed))
    labels = (np.arange(n) % len(classes)).astype(np.int32)
    points = shape(labels, generator) + float(noise) * generator.standard_normal((n, 2))
    train, test = stratified_split(points.astype(np.float32), labels)
    return Dataset(train, test, name, classes, description)


def _check_arguments(name: str, n: object, noise: object, seed: object, least: int) -> None:
    if not isinstance(n, Integral) or not least <= int(n) <= MOST:
        raise InputError(
            f"datasets.{name}(n={n!r}): n must be a whole number, at least {least}, "
            f"and at most {MOST:,}",
            hint=f"n={least} is the smallest set with a point of each class to train and to test "
            "on",
        )
    if not isinstance(noise, Real) or not math.isfinite(noise) or noise < 0:
        raise InputError(
            f"datasets.{name}(noise={noise!r}): noise must be a finite number, at least 0",
            hint="noise is a standard deviation: 0 for exact points, 0.1 for a little scatter",
        )
    if not isinstance(seed, Integral) or seed < 0:
        raise InputError(
            f"datasets.{name}(seed={seed!r}): seed must be a whole number, at least 0",
            hint="give any whole number, such as seed=0; the same seed gives the same points",
        )
