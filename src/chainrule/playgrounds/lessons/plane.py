"""The part of the plane that a page shows, and the points at which something is asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainc import ops
from chainc.ir import Node
from chainc.ir.types import float32, uint8
from chainrule.declare.leaves import constant, input
from chainrule.playgrounds.modules import GRID


def reach_of(points: NDArray[np.float32]) -> list[float]:
    """The least and the most of both coordinates, with a margin."""
    least, most = points.min(axis=0), points.max(axis=0)
    margin = 0.1 * float((most - least).max()) or 1.0
    return [
        float(each) for pair in zip(least - margin, most + margin, strict=True) for each in pair
    ]


def grid_of(reach: list[float]) -> NDArray[np.float32]:
    """(places, 2): row by row from above, as a picture is drawn."""
    left, right, low, high = reach
    share = (np.arange(GRID) + 0.5) / GRID
    x, y = np.meshgrid(left + (right - left) * share, high - (high - low) * share)
    return np.column_stack([x.ravel(), y.ravel()]).astype(np.float32)


PLACES = GRID * GRID
INK = 0.6  # of the classes' colours, on the colour of the page


def painted(shares: Node, classes: int) -> Node:
    """Red, green, blue and cover of each place, as bytes: the colours of classes by their shares.

    Of two classes there may be the share of the second alone.
    """
    given = ops.reshape(shares, (PLACES, -1))
    if given.shape[1] == 1:
        given = ops.concat([1.0 - given, given], axis=1)
    mixed = given @ input("palette", (classes, 3))
    colours = ops.floor(INK * mixed + (1 - INK) * input("page") + 0.5)
    cover = constant(np.full((PLACES, 1), 255, np.float32))
    return ops.astype(ops.concat([colours, cover], axis=1), uint8)


def painted_of_shares(width: int, classes: int) -> Node:
    """The same of what the program predicts."""
    return painted(input("shares", (PLACES, width), float32), classes)
