"""Long sums of products, a piece at a time: what is read for a piece stays in the nearest caches.

    w[c, d] = Σ over 2048 k of x[k, c] · g[k, d]

    →   w = 0;   for 256 of k at a time:   for all tiles:   w[c, d] += Σ over these of x · g

All g of a tile's columns are read again for each tile of rows: from near if they are few. Sums
are laid down between pieces and go on as they were, so that no bit depends on where one ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from chainc.ir.movements import Window
from chainc.lowering.kernels import Contraction, Fill, Kernel, Map
from chainc.lowering.program import Program
from chainc.lowering.views import View
from chainc.schedules.layout.access import Capacity

PIECE = 256  # products of each sum at a time: measured, as good from 128 to 384
LONG = 512  # products of a sum from which on pieces gain
FEWEST = 24  # rows and columns: with fewer, little is read again


def in_pieces(program: Program, capacity: Capacity) -> Program:
    """The program with long sums in pieces; what goes on with them is done by maps, after them."""

    def kernels(kernel: Kernel) -> Iterator[Kernel]:
        if not isinstance(kernel, Contraction) or not _gains(kernel, capacity):
            yield kernel
            return
        sums = kernel.product if kernel.epilogue else kernel.out
        assert sums is not None, "an epilogue has something to go on with"
        factors = kernel.operands[:2]
        yield Fill(sums, (), origin=kernel.origin, node=kernel.node)
        yield replace(kernel, out=sums, operands=factors, epilogue=(), product=None, piece=PIECE)
        if kernel.epilogue:
            operands = (View(sums, sums.type), *kernel.operands[2:])
            yield Map(kernel.out, operands, kernel.epilogue, origin=kernel.origin, node=kernel.node)

    return replace(program, body=tuple(each for some in program.body for each in kernels(some)))


def _gains(kernel: Contraction, capacity: Capacity) -> bool:
    if kernel.accumulator != kernel.out.type.dtype or not kernel.accumulator.is_float:
        return False
    if any(isinstance(move, Window) for view in kernel.reads[:2] for move in view.movements):
        return False
    a, b, result = kernel.letters
    most = {letter: capacity.dim(dim) for letter, dim in kernel.extents.items()}
    rows = math.prod(most[letter] for letter in result if letter not in b)
    columns = math.prod(most[letter] for letter in result if letter not in a)
    depth = math.prod(most[letter] for letter in most if letter not in result)
    return depth >= LONG and min(rows, columns) >= FEWEST
