"""Long sums of products, a piece at a time: what is read for a piece stays in the nearest caches.

    w[c, d] = Σ over 2048 k of x[k, c] · g[k, d]

    →   w = 0;   for 256 of k at a time:   for all tiles:   w[c, d] += Σ over these of x · g

    w[o, c, i, j] = Σ over b, h, w of window(x)[b, c, h, w, i, j] · g[b, o, h, w]    as well

All g of a tile's columns are read again for each tile of rows: from near if they are few. Sums
are laid down between pieces and go on as they were, so that no bit depends on where one ends.

Sums of whole images by channel are those of each image first, as few channels are one vector, and
threads could not share it:

    s[c] = Σ over b, h, w of g[b, c, h, w]    →   r[b, c] = Σ over h, w of g;  s[c] = Σ over b of r
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from chainc.ir.movements import Window
from chainc.lowering.kernels import Contraction, Fill, Kernel, Map, Reduction
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.lanes import letter_across
from chainc.schedules.layout.machine import Machine

PIECE = 256  # products of each sum at a time: measured, as good from 128 to 384
LONG = 512  # products of a sum from which on pieces gain
FEWEST = 16  # rows and columns: with fewer, little is read again
FEWEST_PRODUCTS = 32  # in a piece
MOST_CHANNELS = 32  # of images that are summed one by one
WORTH_SUMMING_APART = 1 << 15  # elements of them
FEWEST_BESIDE_TAPS = 8  # the same where every tap reads all positions of an image


def in_pieces(program: Program, machine: Machine, capacity: Capacity) -> Program:
    """The program with long sums in pieces; what goes on with them is done by maps, after them."""

    def kernels(kernel: Kernel) -> Iterator[Kernel]:
        if isinstance(kernel, Reduction) and _is_of_images(kernel, capacity):
            yield from _image_by_image(kernel)
            return
        if not isinstance(kernel, Contraction) or not _gains(kernel, machine, capacity):
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


def _gains(kernel: Contraction, machine: Machine, capacity: Capacity) -> bool:
    if kernel.accumulator != kernel.out.type.dtype or not kernel.accumulator.is_float:
        return False
    a, b, result = kernel.letters
    taps = [x[len(x) - view.taps :] for x, view in zip((a, b), kernel.reads[:2], strict=True)]
    if any(letter not in result for letters in taps for letter in letters):
        return False  # a convolution: its sums go on in registers
    if letter_across(kernel, len(result) - 1, machine):
        return False  # their lanes are added up once
    most = {letter: capacity.dim(dim) for letter, dim in kernel.extents.items()}
    rows = math.prod(most[letter] for letter in result if letter not in b)
    columns = math.prod(most[letter] for letter in result if letter not in a)
    depth = math.prod(most[letter] for letter in most if letter not in result)
    fewest = FEWEST_BESIDE_TAPS if any(taps) else FEWEST
    return depth >= LONG and min(rows, columns) >= fewest


def _is_of_images(kernel: Reduction, capacity: Capacity) -> bool:
    """Does it add up many elements of many rows, for few channels?"""
    dtype, extents = kernel.out.type.dtype, capacity.shape(kernel.folded.shape)
    within = [extents[axis] for axis in kernel.axes if axis != 0]
    kept = math.prod(n for axis, n in enumerate(extents) if axis not in kernel.axes)
    if kernel.primitive != "add" or kernel.accumulator != dtype or not dtype.is_float:
        return False
    many = 0 in kernel.axes and len(within) >= 2 and extents[0] > 1
    return many and 1 < kept <= MOST_CHANNELS and math.prod(extents) >= WORTH_SUMMING_APART


def _image_by_image(kernel: Reduction) -> Iterator[Kernel]:
    out, rows = kernel.out, kernel.folded.shape[0]
    type = out.type.with_shape((rows, *out.type.shape[kernel.keepdims :]))
    sums = Buffer(f"{out.name}_by_row", type, cotangent=out.cotangent)
    yield replace(kernel, out=sums, axes=tuple(axis for axis in kernel.axes if axis != 0))
    view = View(sums, sums.type)
    yield replace(kernel, operands=(view,), axes=(0,), terms=())
