"""The part of the plane that a page shows, and the points at which something is asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
