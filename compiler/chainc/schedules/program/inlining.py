"""Maps are computed where their elements are read, instead of being stored, where that is cheap.

    q = (x - m) * (x - m);  s = Σ q      →   s = Σ (x - m) * (x - m)
    d = x - m;  … d …;  … d …            →   … (x - m) …;  … (x - m) …
    d = x - m;  out = d.T                →   out = x.T - m

What only reductions read becomes part of them: they read what it is computed from. What is a few
operations on the elements of a single array, but for masks, is computed again by every reader, for
each reads that array in the place of the result. So less is written and hardly more is read; no
value is kept for longer than the one that is not stored any more, and no bit changes. A result that
goes to the caller turned or flipped is computed where it goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

from chainc.ir.movements import Broadcast, Flip, Permute, Slice
from chainc.ir.types import TensorType, coefficient_of
from chainc.lowering.instructions import Argument, Instruction, Result, Value
from chainc.lowering.kernels import Copy, Kernel, Map, Reduction
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, Operand, View
from chainc.ops.functions import ELEMENTARY

FEW = 4  # operations that every reader may do again
MANY = 24  # operations for each element that is folded, so that a loop keeps to registers
WHOLE = 64  # elements, of which any processor's vectors make two or more
ANEW = 1  # arrays that are stored because a reduction reads them, and were in registers before

SLOW = ELEMENTARY | {"divide", "floor_divide", "remainder", "sqrt"}


def inlined(program: Program) -> Program:
    """The program without the maps that their readers compute."""
    inlining = _Inlining(program)
    body = [
        kernel
        for position, each in enumerate(program.body)
        for kernel in inlining.left_of(each, position)
    ]
    return replace(program, body=tuple(body))


class _Inlining:
    def __init__(self, program: Program) -> None:
        self.maps: dict[Buffer, Map] = {}  # that their readers compute
        self.readers: dict[Buffer, list[Kernel]] = {}
        for kernel in program.body:
            for buffer in dict.fromkeys(view.buffer for view in kernel.reads):
                self.readers.setdefault(buffer, []).append(kernel)
        counts = Counter(kernel.out for kernel in program.body)
        results = (*program.outputs, *(value for _, value in program.updates))
        kept = {each.buffer for each in results if isinstance(each, View)}
        self.private = {b for b, n in counts.items() if n == 1 and b.role == "work"} - kept
        self.roots: dict[Buffer, int] = {}  # the last kernel whose elements it goes on with

    def left_of(self, kernel: Kernel, position: int) -> Sequence[Kernel]:
        """The kernel, with what it computes itself now; none if its own readers do."""
        if kernel.leads:
            self.roots[kernel.out] = self._root(kernel, position)
        if isinstance(kernel, Reduction):
            return (self._folding(kernel),)
        if isinstance(kernel, Copy):
            return (self._moving(kernel),)
        if not isinstance(kernel, Map):
            return (kernel,)
        found = self._expanded(kernel)
        if self._vanishes(found):
            self.maps[kernel.out] = found
            return ()
        return (found,)

    def _root(self, kernel: Kernel, position: int) -> int:
        if not isinstance(kernel, Map):
            return position
        found = (self.roots.get(view.buffer) for view in _whole_operands(kernel))
        return max((root for root in found if root is not None), default=position)

    def _folding(self, kernel: Reduction) -> Reduction:
        source = self._source(kernel.operands[0])
        if source is None:
            return kernel
        return replace(kernel, operands=source.operands, terms=_attributed(source))

    def _moving(self, kernel: Copy) -> Copy | Map:
        (operand,) = kernel.operands
        source = self._source(operand)
        if source is None or not isinstance(operand, View):
            return kernel
        moved = tuple(_moved(each, operand) for each in source.operands)
        return replace(source, out=kernel.out, operands=moved)

    def _source(self, operand: Operand) -> Map | None:
        return self.maps.get(operand.buffer) if isinstance(operand, View) else None

    def _expanded(self, kernel: Map) -> Map:
        """The map with the instructions of those it reads before its own."""
        if not any(self._source(operand) for operand in kernel.operands):
            return kernel
        operands: dict[Operand, int] = {}
        instructions: list[Instruction] = []

        def argument(operand: Operand) -> Argument:
            return Argument(operands.setdefault(operand, len(operands)), operand.type)

        values: list[Value] = []
        for operand in kernel.operands:
            source = self._source(operand)
            if source is None:
                values.append(argument(operand))
                continue
            given = [argument(each) for each in source.operands]
            instructions += _renumbered(_attributed(source), given, len(instructions))
            values.append(Result(len(instructions) - 1, operand.type))
        instructions += _renumbered(kernel.instructions, values, len(instructions))
        return replace(kernel, operands=tuple(operands), instructions=tuple(instructions))

    def _vanishes(self, kernel: Map) -> bool:
        """Do its readers compute it?"""
        readers = self.readers.get(kernel.out, ())
        if kernel.out not in self.private or not readers:
            return False
        if len(readers) == 1 and isinstance(readers[0], Copy):
            return _moves_well(kernel, readers[0])
        if not all(_reads_elements(reader, kernel.out) for reader in readers):
            return False
        if not all(_sums_stay(kernel, r) for r in readers if isinstance(r, Reduction)):
            return False
        if all(isinstance(reader, Reduction) for reader in readers):
            return self._is_folded_well(kernel)
        return _is_light(kernel)

    def _is_folded_well(self, kernel: Map) -> bool:
        """Accumulators keep their registers, and few arrays are stored that were in registers."""
        primitives = {instruction.primitive for instruction in kernel.instructions}
        if len(kernel.instructions) > MANY or primitives & ELEMENTARY or not _lie_in_order(kernel):
            return False
        read = {view.buffer for view in _whole_operands(kernel)}
        return sum(self._is_handed_on(buffer, kernel) for buffer in read) <= ANEW

    def _is_handed_on(self, buffer: Buffer, reader: Map) -> bool:
        """Do only maps of its elements read it, right where they are computed?"""
        if self.roots.get(buffer) != self.roots[reader.out] or buffer not in self.private:
            return False
        return all(
            isinstance(reader, Map) and _reads_elements(reader, buffer)
            for reader in self.readers[buffer]
        )


def _moves_well(kernel: Map, copy: Copy) -> bool:
    """Can it go where the copy does, element by element, and in registers where it is turned?"""
    (view,) = copy.reads
    if copy.out.role != "output" or copy.starts or not _can_move(kernel, view):
        return False
    orders = [movement.axes for movement in view.movements if isinstance(movement, Permute)]
    if all(axes[-1] == len(axes) - 1 for axes in orders):
        return len(kernel.instructions) <= MANY
    quick = ELEMENTARY.isdisjoint(each.primitive for each in kernel.instructions)
    return quick and len(kernel.instructions) <= FEW and len(_whole_operands(kernel)) == 1


def _can_move(kernel: Map, view: View) -> bool:
    """Are all movements of the result, which take each element once at most, ones of operands?"""
    if not all(isinstance(movement, Permute | Flip | Slice) for movement in view.movements):
        return False
    return kernel.out.role == "work" and view.buffer is kernel.out


def _moved(operand: Operand, view: View) -> Operand:
    """An operand of what is seen through a view, seen through it itself."""
    if not isinstance(operand, View) or not operand.type.shape:
        return operand
    shape = view.buffer.type.shape
    moved = operand if operand.type.shape == shape else operand.moved(Broadcast(shape))
    for movement in view.movements:
        moved = moved.moved(movement)
    return moved


def _reads_elements(reader: Kernel, buffer: Buffer) -> TypeGuard[Map | Reduction]:
    """Does it read each element for one of its own?"""
    if not isinstance(reader, Map | Reduction):
        return False
    shape = reader.folded.shape if isinstance(reader, Reduction) else reader.out.type.shape
    alike = buffer.type.shape == shape
    return alike and all(view.whole for view in reader.reads if view.buffer is buffer)


def _sums_stay(kernel: Map, reader: Reduction) -> bool:
    """Would the elements be added in the same order? Then nothing depends on what is stored.

    Axes are folded by one loop where all that is read allows it, and vectors end at the last
    element of an array of the caller's, where not all of them are whole.
    """
    rank, inside = kernel.out.type.ndim, 1
    for axis in range(rank - 1, -1, -1):
        if axis not in reader.axes:
            break
        inside *= coefficient_of(kernel.out.type.shape[axis])
    given = any(view.buffer.role == "input" for view in kernel.reads)
    if given and rank - 1 in reader.axes and inside % WHOLE:
        return False
    long = [axis for axis in reader.axes if kernel.out.type.shape[axis] != 1]
    for view in kernel.reads:
        shape = (1,) * (rank - view.type.ndim) + view.type.shape
        if len({shape[axis] == 1 for axis in long}) > 1:
            return False
    return True


def _is_light(kernel: Map) -> bool:
    """May every reader compute it again? Each reads one array instead of another, and masks."""
    instructions = kernel.instructions
    if len(instructions) > FEW or any(each.primitive in SLOW for each in instructions):
        return False
    views = _whole_operands(kernel)
    if not all(view.whole and view.buffer.role != "state" for view in views):
        return False
    *masks, largest = sorted({view.buffer: _nbytes(view.type) for view in views}.values()) or [0]
    nbytes = _nbytes(kernel.out.type)
    return 0 < largest <= nbytes and sum(masks) <= nbytes // 2


def _nbytes(type: TensorType) -> int:
    return coefficient_of(type.nbytes)


def _whole_operands(kernel: Map) -> Sequence[View]:
    """Those with an element for each of the result."""
    return [view for view in kernel.reads if view.type.shape == kernel.out.type.shape]


def _lie_in_order(kernel: Map) -> bool:
    return all(view.contiguous for view in _whole_operands(kernel))


def _attributed(kernel: Map) -> tuple[Instruction, ...]:
    """Its instructions, each for the node that it is done for."""
    return tuple(
        replace(each, node=kernel.node) if each.node is None else each
        for each in kernel.instructions
    )


def _renumbered(
    instructions: Sequence[Instruction], arguments: Sequence[Value], first: int
) -> list[Instruction]:
    """With other arguments, behind so many other instructions."""

    def value(old: Value) -> Value:
        if isinstance(old, Argument):
            return arguments[old.index]
        if isinstance(old, Result):
            return replace(old, index=old.index + first)
        return old

    return [
        replace(each, operands=tuple(value(operand) for operand in each.operands))
        for each in instructions
    ]
