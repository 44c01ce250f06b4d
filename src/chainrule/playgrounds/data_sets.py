"""The page's data sets as one graph: points in the square from -6 to 6, and their targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from chainc import ops
from chainc.ir import Node
from chainrule.declare.leaves import constant, input

POINTS = 512  # of each set; the classes take turns
EDGE = 6.0


def data_sets() -> Mapping[str, Node]:
    """`NAME` and `NAME_target` of every set, for a seed and an amount of noise from 0 to 1."""
    seed, noise = input("seed", (), dtype="int64"), input("noise")
    found: dict[str, Node] = {}
    for name, shape in _SHAPES.items():
        draw = _Draws(name, seed)
        points, target = shape(draw)
        found[name] = points + draw.normal(2) * (noise * 1.5)
        found[f"{name}_target"] = target
    return found


class _Draws:
    """Random numbers of one data set."""

    def __init__(self, name: str, seed: Node) -> None:
        self.name, self.seed = name, seed

    def uniform(self, low: float, high: float, of: str) -> Node:
        stream = f"{self.name} {of}"
        return ops.uniform((POINTS,), self.seed, low=low, high=high, stream=stream)

    def normal(self, columns: int, of: str = "noise") -> Node:
        return ops.normal((POINTS, columns), self.seed, stream=f"{self.name} {of}")


Shape = Callable[[_Draws], tuple[Node, Node]]


def _turns(period: int = 2) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """-1, 1, -1, 1 … for classes, or 0 … period - 1 again and again."""
    turn = np.arange(POINTS) % period
    return (2 * turn - 1 if period == 2 else turn).astype(np.float32)


CLASSES = _turns()


def _polar(radius: Node, angle: Node) -> Node:
    return ops.stack([radius * ops.cos(angle), radius * ops.sin(angle)], axis=1)


def _circle(draw: _Draws) -> tuple[Node, Node]:
    share = ops.sqrt(draw.uniform(0, 1, "radius"))
    inside = constant(CLASSES > 0)
    radius = ops.where(inside, 2.5 * share, 3.5 + 1.5 * share)
    return _polar(radius, draw.uniform(0, 2 * math.pi, "angle")), constant(CLASSES)


def _xor(draw: _Draws) -> tuple[Node, Node]:
    x, y = draw.uniform(0.3, 5, "x"), draw.uniform(0.3, 5, "y")
    left = constant((_turns(4) < 2) * np.float32(2) - 1)
    return ops.stack([x * left, y * left * constant(CLASSES)], axis=1), constant(CLASSES)


def _gauss(draw: _Draws) -> tuple[Node, Node]:
    middle = constant(np.stack([CLASSES, CLASSES], axis=1) * np.float32(2))
    return middle + 0.7 * draw.normal(2, "cloud"), constant(CLASSES)


def _spiral(draw: _Draws) -> tuple[Node, Node]:
    share = draw.uniform(0.03, 1, "share")
    turned = constant((CLASSES < 0) * np.float32(math.pi))
    return _polar(5.0 * share, 3.5 * math.pi * share + turned), constant(CLASSES)


def _moons(draw: _Draws) -> tuple[Node, Node]:
    angle, side = draw.uniform(0, math.pi, "angle"), constant(CLASSES)
    x = 3.2 * ops.cos(angle) * side - 1.6 * side
    return ops.stack([x, (3.2 * ops.sin(angle) - 0.8) * side], axis=1), side


def _ring(draw: _Draws) -> tuple[Node, Node]:
    angle = constant(_turns(8) * np.float32(math.pi / 4))
    middle = _polar(constant(np.full(POINTS, 4, np.float32)), angle)
    return middle + 0.35 * draw.normal(2, "cloud"), constant(CLASSES)


def _square(draw: _Draws) -> tuple[Node, Node, Node]:
    x, y = draw.uniform(-EDGE, EDGE, "x"), draw.uniform(-EDGE, EDGE, "y")
    return x, y, ops.stack([x, y], axis=1)


def _plane(draw: _Draws) -> tuple[Node, Node]:
    x, y, points = _square(draw)
    return points, (x + y) / 12.0


def _wave(draw: _Draws) -> tuple[Node, Node]:
    x, _, points = _square(draw)
    return points, ops.sin(x)


def _bumps(draw: _Draws) -> tuple[Node, Node]:
    x, y, points = _square(draw)
    hills = [
        sign * ops.exp(-((x - a) ** 2 + (y - b) ** 2) / 4.0)
        for a, b, sign in ((-3, 3, 1), (3, -3, 1), (3, 3, -1), (-3, -3, -1))
    ]
    return points, hills[0] + hills[1] + hills[2] + hills[3]


_SHAPES: Mapping[str, Shape] = {
    "circle": _circle,
    "xor": _xor,
    "gauss": _gauss,
    "spiral": _spiral,
    "moons": _moons,
    "ring": _ring,
    "plane": _plane,
    "wave": _wave,
    "bumps": _bumps,
}
