"""Contractions and reductions of tensors in registers.

Products are summed where they are: over lanes only at the end, in a tree, so that most of the
work is done by whole vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir.types import Shape, Size
from chainc.loops.values import Register
from chainc.lowering.kernels import Contraction, Reduction
from chainc.schedules.reduction.schedule import identity
from chainc.schedules.unrolled.elements import ANY, Numbers, power_of_two
from chainc.schedules.unrolled.straight_line import (
    Packing,
    StraightLine,
    chunks,
    filled,
    part,
    with_rows,
)

CHAINS = 4  # additions under way at the same time: as many as one of them takes cycles

Term = Callable[[Register | None, Sequence[Register]], Register]


@dataclass(frozen=True)
class Fold:
    """A sum, or another fold, over the axes of `summed` of terms with the axes (kept, summed)."""

    code: StraightLine
    kept: Shape
    summed: Shape
    primitive: str
    term: Term  # the accumulator, if there is one yet, and one more term
    lanes: int

    def of(self, tensors: Sequence[Numbers], fillings: Sequence[int]) -> Numbers:
        """`fillings` are elements whose term changes nothing."""
        if any(isinstance(dim, Size) for dim in self.summed):
            return self._over_rows(tensors, fillings)
        return self._over_others(tensors, fillings)

    def _over_rows(self, tensors: Sequence[Numbers], fillings: Sequence[int]) -> Numbers:
        """Rows are neighbours in the lanes; their sums take the place of all of them."""
        kept = self.code.capacity.shape(self.kept)
        rows = next(axis for axis, dim in enumerate(self.summed) if isinstance(dim, Size))
        terms: list[Numbers] = []
        run = 1
        for numbers, filling in zip(tensors, fillings, strict=True):
            last = np.moveaxis(numbers, len(kept) + rows, -1)
            run = min(filled(last.shape[-1], self.lanes), self.lanes)
            full = with_rows(last, filled(last.shape[-1], self.lanes), filling)
            split = full.reshape(math.prod(kept), -1, run)
            terms.append(split.transpose(1, 0, 2).reshape(split.shape[1], -1))
        registers = self._accumulated(terms)
        while run > 1:
            registers, run = self._neighbours(registers), run // 2
        flat = np.concatenate([self.code.elements.of_register(each) for each in registers])
        return flat[: math.prod(kept)].reshape(kept)

    def _over_others(self, tensors: Sequence[Numbers], fillings: Sequence[int]) -> Numbers:
        """Where the result fills no vector, some of the terms lie side by side."""
        packing = Packing.of(self.kept, self.code.capacity, self.lanes)
        count = math.prod(self.code.capacity.shape(self.summed))
        width = power_of_two(packing.count)
        beside = min(max(self.lanes // width, 1), power_of_two(count))
        terms: list[Numbers] = []
        for numbers, filling in zip(tensors, fillings, strict=True):
            apart = numbers.reshape(*packing.shape, count)
            rows = [packing.flat(apart[..., index]) for index in range(count)]
            rows += [np.full(packing.count, filling)] * (-count % beside)
            if beside > 1:
                rows = [with_rows(row, width, ANY) for row in rows]
            terms.append(np.stack(rows).reshape(len(rows) // beside, -1))
        registers = self._accumulated(terms)
        if beside > 1:
            registers = [self._halved(registers[0], width)]
        flat = np.concatenate([self.code.elements.of_register(each) for each in registers])
        return packing.restored(flat)

    def _accumulated(self, terms: Sequence[Numbers]) -> list[Register]:
        """Vector by vector the fold of all rows."""
        count, length = terms[0].shape
        places = list(chunks(length, self.lanes))
        chains = max(1, min(CHAINS, count // 2) // len(places))
        return [self._column(terms, count, where, chains) for where in places]

    def _column(self, terms: Sequence[Numbers], count: int, where: slice, chains: int) -> Register:
        sums: list[Register | None] = [None] * chains
        for row in range(count):
            vectors = [self.code.elements.vector(part(each[row], where)) for each in terms]
            sums[row % chains] = self.term(sums[row % chains], vectors)
        found = [each for each in sums if each is not None]
        while len(found) > 1:
            found = [self._both(*found[i : i + 2]) for i in range(0, len(found), 2)]
        return found[0]

    def _both(self, a: Register, b: Register | None = None) -> Register:
        return a if b is None else self.code.builder.compute(self.primitive, a, b)

    def _halved(self, register: Register, width: int) -> Register:
        """Halves folded with each other until `width` lanes are left."""
        while register.kind.lanes > width:
            half = register.kind.lanes // 2
            low = self.code.builder.shuffle([register], range(half))
            high = self.code.builder.shuffle([register], range(half, 2 * half))
            register = self._both(low, high)
        return register

    def _neighbours(self, registers: Sequence[Register]) -> list[Register]:
        """Lanes 0 and 1, 2 and 3, … folded, those of two registers together."""
        result: list[Register] = []
        waiting = list(registers)
        while waiting:
            taken = waiting[:2]
            if len(taken) == 2 and taken[0].kind != taken[1].kind:
                taken = waiting[:1]
            del waiting[: len(taken)]
            lanes = sum(register.kind.lanes for register in taken)
            even = self.code.builder.shuffle(taken, range(0, lanes, 2))
            odd = self.code.builder.shuffle(taken, range(1, lanes, 2))
            result.append(self._both(even, odd))
        return result


def product(code: StraightLine, kernel: Contraction) -> Numbers:
    """A contraction's sums of products."""
    a, b = kernel.reads[:2]
    left, right, letters = kernel.letters
    sizes = kernel.extents
    summed = [letter for letter in sizes if letter not in letters]
    dtype = kernel.accumulator

    def term(total: Register | None, vectors: Sequence[Register]) -> Register:
        x, y = (code.builder.cast(vector, dtype) for vector in vectors)
        if total is None:
            return code.builder.compute("multiply", x, y)
        return code.builder.fma(x, y, total)

    order = [*letters, *summed]
    extents = code.capacity.shape(tuple(sizes[letter] for letter in order))
    tensors = [
        np.broadcast_to(_ordered(code.operand(view), named, order), extents)
        for view, named in ((a, left), (b, right))
    ]
    zeros = [code.elements.number(0, view.type.dtype) for view in (a, b)]
    kept = tuple(sizes[letter] for letter in letters)
    apart = tuple(sizes[letter] for letter in summed)
    lanes = code.lanes((a.type.dtype, b.type.dtype))
    sums = Fold(code, kept, apart, "add", term, lanes).of(tensors, zeros)
    return code.converted(sums, dtype, kernel.factor_type)


def _ordered(numbers: Numbers, letters: str, order: Sequence[str]) -> Numbers:
    """Axes in the given order; those that are missing have the extent 1."""
    moved = numbers.transpose([letters.index(letter) for letter in order if letter in letters])
    return moved.reshape(
        [numbers.shape[letters.index(letter)] if letter in letters else 1 for letter in order]
    )


def reduction(code: StraightLine, kernel: Reduction, _subject: Reduction) -> Numbers:
    (x,) = kernel.reads
    axes = [axis % x.type.ndim for axis in kernel.axes]
    others = [axis for axis in range(x.type.ndim) if axis not in axes]
    given, dtype = x.type.dtype, kernel.accumulator

    def term(total: Register | None, vectors: Sequence[Register]) -> Register:
        (vector,) = (code.builder.cast(each, dtype) for each in vectors)
        if total is None:
            return vector
        return code.builder.compute(kernel.primitive, total, vector)

    kept, apart = (tuple(x.type.shape[axis] for axis in group) for group in (others, axes))
    fold = Fold(code, kept, apart, kernel.primitive, term, code.lanes([dtype]))
    filling = code.elements.number(identity(kernel.primitive, given), given)
    found = fold.of([code.operand(x).transpose(others + axes)], [filling])
    shaped = found.reshape(code.capacity.shape(kernel.out.type.shape))
    return code.converted(shaped, dtype, given)
