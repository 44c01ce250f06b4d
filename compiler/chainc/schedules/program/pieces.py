"""Long sums of products, a piece at a time: what is read for a piece stays in the nearest caches.

    w[c, d] = Σ over 2048 k of x[k, c] · g[k, d]

    →   w = 0;   for 256 of k at a time:   for all tiles:   w[c, d] += Σ over these of x · g

    w[o, c, i, j] = Σ over b, h, w of window(x)[b, c, h, w, i, j] · g[b, o, h, w]    as well

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
FEWEST_PRODUCTS = 32  # in a piece
FEWEST_BESIDE_TAPS = 8  # the same where every tap reads all positions of an image


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
        piece = _products(kernel)
        yield replace(kernel, out=sums, operands=factors, epilogue=(), product=None, piece=piece)
        if kernel.epilogue:
            operands = (View(sums, sums.type), *kernel.operands[2:])
            yield Map(kernel.out, operands, kernel.epilogue, origin=kernel.origin, node=kernel.node)

    return replace(program, body=tuple(each for some in program.body for each in kernels(some)))


def _products(kernel: Contraction) -> int:
    """In a piece; fewer where windows lie apart, as what is between them is read with them."""
    lasts = [view.movements[-1] for view in kernel.reads[:2] if view.taps]
    apart = math.prod(step for last in lasts if isinstance(last, Window) for step, _ in last.steps)
    return max(2 * PIECE // (1 + apart), FEWEST_PRODUCTS)


def _gains(kernel: Contraction, capacity: Capacity) -> bool:
    if kernel.accumulator != kernel.out.type.dtype or not kernel.accumulator.is_float:
        return False
    a, b, result = kernel.letters
    taps = [x[len(x) - view.taps :] for x, view in zip((a, b), kernel.reads[:2], strict=True)]
    if any(letter not in result for letters in taps for letter in letters):
        return False  # a convolution: its sums go on in registers
    most = {letter: capacity.dim(dim) for letter, dim in kernel.extents.items()}
    rows = math.prod(most[letter] for letter in result if letter not in b)
    columns = math.prod(most[letter] for letter in result if letter not in a)
    depth = math.prod(most[letter] for letter in most if letter not in result)
    fewest = FEWEST_BESIDE_TAPS if any(taps) else FEWEST
    return depth >= LONG and min(rows, columns) >= fewest
