"""What compiled nodes are for given inputs; an input that no node reads may be given too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

import chainrule as cr

Floats = npt.NDArray[np.float64]
Passes = tuple[()] | None  # the default ones, or none


def values(
    nodes: Sequence[cr.Node], target: str, passes: Passes = None, **given: npt.ArrayLike
) -> list[Floats]:
    function = cr.compile(nodes, target=target, passes=passes)
    known = {leaf.op.label for leaf in function.declared.leaves("input")}
    found = function({key: value for key, value in given.items() if key in known})
    return [cast(Floats, array) for array in found]
