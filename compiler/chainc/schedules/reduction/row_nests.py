"""Kernels that fold rows, and those that go on with them, are done row by row in one nest.

    m = max over j of z[i, j]                        for each row i:
    z[i, j] = exp(z[i, j] - m[i])                        m[i] = max over j of z[i, j]
    s = Σ over j of z[i, j]                     →        z[i, j] = exp(z[i, j] - m[i])
    z[i, j] = z[i, j] / s[i] - (j == y[i])               s[i] = Σ over j of z[i, j]
                                                         z[i, j] = z[i, j] / s[i] - (j == y[i])

So the many scores of a row, of a softmax or of a cross-entropy with its gradient, are in the
nearest cache for all but the first of them, and for that one as well where they have been asked
for. A row is where its results are to lie, so no memory is taken for it. Each kernel has the loops
that it has alone, and the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.types import Dim, Shape, product
from chainc.loops.values import Affine, Bound, affine
from chainc.lowering.kernels import Kernel, Map, Names, Reduction, renamed_all
from chainc.lowering.parts import parts_of
from chainc.lowering.program import Loop, Program
from chainc.lowering.views import Buffer, View
from chainc.ops.functions import ELEMENTARY
from chainc.schedules.elementwise import WORTH_SHARING
from chainc.schedules.frame import Frame
from chainc.schedules.indexing.slices import goes_row_by_row
from chainc.schedules.layout.access import Capacity, bound_of
from chainc.schedules.layout.lanes import NEAR
from chainc.schedules.layout.machine import Machine

LONG = 2 << 10  # bytes of a row, beside which what is done once for it takes little: measured
LONG_ENOUGH = 96  # vectors of a row that is folded where it is computed: its loop is a longer one
FEWEST_ROWS = 4  # at once: the next one is begun before lanes of the last one are added up
MOST_ROWS = 16  # of these
MOST_AHEAD = 16  # kernels among which those of a nest are looked for


@dataclass(frozen=True)
class RowNest(Kernel):
    """Stages that are done one after another for each position along the first axes, the `rows`.

    What one of them writes, the others read at the same position only.
    """

    stages: tuple[Kernel, ...]
    rows: Shape
    at_once: int  # along the last of the axes

    @property
    def root(self) -> Kernel:
        return self

    @property
    def single(self) -> tuple[Kernel, ...]:
        return tuple(member for stage in self.stages for member in stage.single)

    @property
    def stored(self) -> tuple[tuple[Buffer, Buffer], ...]:
        return tuple(pair for stage in self.stages for pair in stage.stored)

    @property
    def index(self) -> tuple[View, Dim] | None:
        """Of the stages that refuse indices, which all have the same."""
        return next((x.index for x in self.stages if x.root.checks_indices), None)

    @property
    def keeps_rows_apart(self) -> bool:
        return all(stage.keeps_rows_apart for stage in self.stages)

    def over(self, names: Names) -> Kernel:
        stages = tuple(stage.over(names) for stage in self.stages)
        operands, out = renamed_all(self.operands, names), names.get(self.out, self.out)
        return replace(self, out=out, operands=operands, stages=stages)


def nest_of(stages: Sequence[Kernel], rows: Shape, at_once: int) -> RowNest:
    operands = dict.fromkeys(operand for stage in stages for operand in stage.operands)
    checking = [stage.root for stage in stages if stage.root.checks_indices]
    origin = checking[0].origin if checking else stages[0].root.origin
    return RowNest(stages[-1].out, tuple(operands), tuple(stages), rows, at_once, origin=origin)


def row_nests(program: Program, machine: Machine, capacity: Capacity) -> Program:
    """The program with nests wherever rows are folded that the nearest cache cannot hold at once.

    Of buffers that have their storage: what shares it lies alike, and so row by row as well.
    """
    body: list[Kernel] = []
    left = list(program.body)
    while left:
        first = left[0]
        if isinstance(first, Loop):
            left[0] = first.with_program(row_nests(first.program, machine, capacity))
        at_once = _rows_at_once(first, machine, capacity)
        if at_once:
            left[: MOST_AHEAD + 1] = _joined(left[: MOST_AHEAD + 1], at_once)
        body.append(left.pop(0))
    return replace(program, body=tuple(body))


def stage_frames(nest: RowNest, frame: Frame) -> Iterator[Frame]:
    """A frame for each stage, to be written into loops over rows, some at a time.

    While exponentials are computed, what the nest reads first of the next rows is asked for.
    """
    builder, part = frame.builder, frame.first_part
    asked = tuple((view, nest.at_once) for view in nest.stages[0].reads if _is_wide(view, nest))
    before: Frame | None = None
    with _blocks(nest, frame) as (around, low, high):
        for stage, following in zip(nest.stages, (*nest.stages[1:], None), strict=True):
            own = replace(frame, kernel=stage, first_part=part, before=before)
            part += len(parts_of(stage))
            if frame.machine.asks and asked and _takes_long(stage):
                own.asked, asked = asked, ()
            if following is not None and _is_folded(stage, following, frame):
                before = own
                continue
            with builder.loop(f"i{len(around)}", low, high) as row:
                for each in (own, before):
                    if each is not None:
                        each.around = (*around, affine(row.index))
                yield own
            before = None


@contextmanager
def _blocks(nest: RowNest, frame: Frame) -> Iterator[tuple[Sequence[Affine], Bound, Bound]]:
    """Where loops over the first axes stand, and some rows of the last; the outermost is shared."""
    builder, most = frame.builder, nest.at_once
    *outer, last = (bound_of(dim) for dim in nest.rows)
    elements = max(frame.capacity.dim(product(_elements(stage))) for stage in nest.stages)

    def ends(stop: Bound, grain: int = 1) -> tuple[Bound, Bound]:
        shared = elements >= WORTH_SHARING and not around
        return builder.share(stop, grain) if shared else (0, stop)

    around: list[Affine] = []
    with ExitStack() as loops:
        for axis, stop in enumerate(outer):
            loop = loops.enter_context(builder.loop(f"i{axis}", *ends(stop)))
            around.append(affine(loop.index))
        low, high = ends(last, most)
        end, beyond = builder.bound(high), builder.bound(high, most - 1)
        block = loops.enter_context(builder.loop("block", low, beyond, most))
        stop = builder.positions(affine(block.index) + most, 1)
        yield around, block.index, builder.compute("minimum", stop, end)


def _is_wide(view: View, nest: RowNest) -> bool:
    return len(view.type.shape) > len(nest.rows) and view.type.shape[-1] != 1


def _takes_long(stage: Kernel) -> bool:
    """Has it an elementary function for each element?"""
    wide = isinstance(stage, Map) and stage.out.type.shape[-1] != 1
    return wide and any(each.primitive in ELEMENTARY for each in stage.scalars)


def _is_folded(stage: Kernel, following: Kernel, frame: Frame) -> bool:
    """Can a stage's elements be written where the next one folds them, by whole vectors?"""
    if not isinstance(stage, Map) or not isinstance(following.root, Reduction):
        return False
    columns = stage.out.type.shape[-1]
    lanes = frame.machine.lanes(stage.out.type.dtype)
    if frame.capacity.dim(columns) < LONG_ENOUGH * lanes:
        return False
    even = isinstance(columns, int) and columns % lanes == 0
    wide = [stage.out, *(view.buffer for view in stage.reads if view.type.shape[-1:] == (columns,))]
    heads = [each for each in following.single if isinstance(each, Reduction)]
    whole = (View(stage.out, stage.out.type),)
    vectors = all(buffer.panels is not None or even for buffer in wide)
    return vectors and all(head.operands == whole for head in heads)


def _elements(kernel: Kernel) -> Shape:
    """The shape that a kernel goes through."""
    root = kernel.root
    return root.folded.shape if isinstance(root, Reduction) else root.out.type.shape


def _rows_at_once(kernel: Kernel, machine: Machine, capacity: Capacity) -> int:
    """So many that the nearest cache holds them, and enough for some to be under way at once.

    0: the kernel begins no nest, for its rows are short, or all that there are stay near, or not
    even one does.
    """
    shape, dtype = _elements(kernel), kernel.root.out.type.dtype
    if not isinstance(kernel.root, Map | Reduction) or len(shape) < 2 or not dtype.is_float:
        return 0
    columns, rows = capacity.dim(shape[-1]), capacity.dim(product(shape[:-1]))
    nbytes = columns * dtype.itemsize
    if nbytes < LONG or rows * nbytes <= NEAR or 1 in shape[:-1]:
        return 0
    return min(max(NEAR // nbytes, FEWEST_ROWS), MOST_ROWS, machine.second_level // 2 // nbytes)


def _joined(kernels: Sequence[Kernel], at_once: int) -> Sequence[Kernel]:
    """With the first of them, and those of the same rows that can be done with it, as a nest.

    What does not wait for the nest comes before it, what lies between and does, after it.
    """
    stages: list[Kernel] = [kernels[0]]
    before: list[Kernel] = []
    after: list[Kernel] = []
    best, rows = kernels, _elements(kernels[0])[:-1]
    if not _have_rows(stages, rows):
        return best
    for position, kernel in enumerate(kernels[1:], 2):
        waits = _conflict(kernel, after)
        if not waits and _share(kernel, stages) and _have_rows([*stages, kernel], rows):
            stages.append(kernel)
            if len(_elements(kernel)) > len(rows) and _is_worth(stages):
                best = [*before, nest_of(stages, rows, at_once), *after, *kernels[position:]]
        elif waits or _conflict(kernel, stages):
            after.append(kernel)
        else:
            before.append(kernel)
    return best


def _is_worth(stages: Sequence[Kernel]) -> bool:
    """Are rows folded, and is there so much to do that what is done once for each counts little?

    Means and variances are folded as quickly where all rows of a step stay near.
    """
    return any(isinstance(x.root, Reduction) for x in stages) and any(map(_takes_long, stages))


def _share(kernel: Kernel, others: Sequence[Kernel]) -> bool:
    """Does it touch what one of the others does?"""
    return any(_touched(kernel) & _touched(other) for other in others)


def _conflict(kernel: Kernel, others: Sequence[Kernel]) -> bool:
    """Must it stay behind the others?"""
    own, written = _touched(kernel), {*kernel.outs}
    return any(own & {*other.outs} or written & _touched(other) for other in others)


def _touched(kernel: Kernel) -> set[Buffer]:
    return {*kernel.outs, *(view.buffer for view in kernel.reads)}


def _have_rows(stages: Sequence[Kernel], rows: Shape) -> bool:
    """Can all be done row by row, with at most one index that may be refused?"""
    written = {out for stage in stages for out in stage.outs}
    indices = {stage.root.index for stage in stages if stage.root.checks_indices}
    return len(indices) <= 1 and all(_has_rows(stage, rows, written) for stage in stages)


def _has_rows(stage: Kernel, rows: Shape, written: set[Buffer]) -> bool:
    shape, root, count = _elements(stage), stage.root, len(rows)
    if isinstance(root, Reduction):
        fits = all(x.axes == (count,) for x in stage.single if isinstance(x, Reduction))
    else:
        fits = isinstance(root, Map) or goes_row_by_row(root.subject)
    if not fits or shape[:count] != rows or len(shape) > count + 1 or any(stage.written):
        return False
    if not all(_lies_by_row(View(out, out.type), 0, rows) for out in stage.outs):
        return False
    return all(
        _lies_by_row(view, lag, rows) and (view.buffer not in written or _is_own(view, lag, rows))
        for member in stage.single
        for view, lag in _reads(member)
    )


def _reads(member: Kernel) -> Iterator[tuple[View, int]]:
    """What it reads, and how many axes in front of these it has itself."""
    rank = len(_elements(member))
    for view in member.reads:
        yield view, rank - view.type.ndim if isinstance(member, Map | Reduction) else 0


def _lies_by_row(view: View, lag: int, rows: Shape) -> bool:
    """Are neighbours in a row neighbours in storage, and rows in no panels?"""
    buffer, count, shape = view.buffer, len(rows), view.type.shape
    if buffer.panels is not None:
        axis = view.carried(buffer.panels.axis)
        if axis is None or axis + lag < count:
            return False
    last = len(shape) - 1
    if not shape or last + lag < count or shape[last] == 1:
        return True
    unit = len(buffer.type.shape) - 1 if buffer.panels is None else buffer.panels.axis
    return view.source(last) == unit


def _is_own(view: View, lag: int, rows: Shape) -> bool:
    """Is what is read at a row that row of the buffer?"""
    axes = range(len(rows))
    alike = view.type.shape[: len(rows)] == view.buffer.type.shape[: len(rows)] == rows
    return lag == 0 and alike and all(view.source(axis) == axis for axis in axes)
