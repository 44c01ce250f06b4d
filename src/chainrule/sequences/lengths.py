"""Sequences of several lengths side by side, each with padding behind it."""

from __future__ import annotations

import numpy as np

from chainc.ir import Node
from chainc.ir.leaves import constant
from chainc.ir.types import Dim
from chainc.ops import arange, expand_dims, take


def counted(lengths: Node, steps: Dim) -> Node:
    """(…, steps): is a step one of the first `lengths`?

    Where the number of steps is known, a length beyond it is refused before a call begins: lengths
    are looked up in a table.
    """
    if isinstance(steps, int):
        lengths = take(constant(np.arange(steps + 1, dtype=lengths.dtype.numpy)), lengths)
    return arange(steps, lengths.dtype) < expand_dims(lengths, -1)
