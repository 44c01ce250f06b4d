"""Results are written to where they will be: the inside of a border, or every other element.

    y = relu(x)                              group(y = relu(x), padded[1:-1] = y)
    padded = 0; padded[1:-1] = y      →      where nothing else reads y, it has no storage

So a padded image, and the parts of a tensor that come in turn, are no copies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chainc.lowering.grouping import Group
from chainc.lowering.kernels import Contraction, Copy, Fill, Kernel, Map
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View

SOON = 3  # kernels later at most, what is written twice is copied: both forms take memory


def placed(program: Program) -> Program:
    """The program with copies to parts of buffers done by the kernels that compute the elements."""
    placing = _Placing(program)
    for position, kernel in enumerate(program.body):
        if isinstance(kernel, Copy) and kernel.starts:
            placing.join(position, kernel)
    return replace(program, body=tuple(placing.ordered()))


class _Placing:
    def __init__(self, program: Program) -> None:
        self.body = program.body
        self.writers: dict[Buffer, list[int]] = {}
        for position, kernel in enumerate(self.body):
            for out in kernel.outs:
                self.writers.setdefault(out, []).append(position)
        results = (*program.outputs, *(value for _, value in program.updates))
        wanted = [view.buffer for view in results if isinstance(view, View)]
        self.times_read = Counter(view.buffer for kernel in self.body for view in kernel.reads)
        self.times_read.update(wanted)
        self.copies: dict[int, list[Copy]] = {}  # by the kernel that does them
        self.first: dict[int, int] = {}  # fills, and the kernel before which they come
        self.gone: set[int] = set()

    def join(self, position: int, copy: Copy) -> None:
        """Let the kernel that computes what is copied write it to its place."""
        (source,) = copy.operands
        if not isinstance(source, View) or not source.whole or not _fits(copy, source.buffer):
            return
        writers = self.writers.get(source.buffer, ())
        if len(writers) != 1 or not _can_place(self.body[writers[0]], source.buffer):
            return
        if self.times_read[source.buffer] > 1 and position - writers[0] > SOON:
            return
        fills = self._fills_between(copy.out, writers[0], position)
        if fills is None:
            return
        for fill in fills:
            self.first[fill] = min(writers[0], self.first.get(fill, writers[0]))
        self.copies.setdefault(writers[0], []).append(copy)
        self.gone.add(position)

    def _fills_between(self, out: Buffer, start: int, stop: int) -> Sequence[int] | None:
        """What fills a buffer then; None if another kernel needs it as it is."""
        found = []
        for position in self.writers[out]:
            kernel = self.body[position]
            if start < position < stop and isinstance(kernel, Fill):
                found.append(position)
            elif not isinstance(kernel, Copy | Fill):
                return None
        return found

    def ordered(self) -> Iterator[Kernel]:
        before: dict[int, list[int]] = {}
        for fill, position in self.first.items():
            before.setdefault(position, []).append(fill)
        for position, kernel in enumerate(self.body):
            yield from (self._filled(fill) for fill in before.get(position, ()))
            if position in self.gone or position in self.first:
                continue
            copies = self.copies.get(position)
            yield kernel if copies is None else self._writing(kernel, copies)

    def _filled(self, position: int) -> Kernel:
        """Of a buffer with a single part, what is around it."""
        fill = self.body[position]
        assert isinstance(fill, Fill)
        copies = [self.body[other] for other in self.writers[fill.out] if other != position]
        if len(copies) > 1 or not isinstance(copies[0], Copy) or {*copies[0].steps} != {1}:
            return fill
        shape = copies[0].operands[0].type.shape
        return replace(fill, starts=copies[0].starts, inside=shape)

    def _writing(self, kernel: Kernel, copies: Sequence[Copy]) -> Kernel:
        """The kernel as a group that also writes parts of other buffers."""
        own = replace(kernel.out)
        grouped = kernel if isinstance(kernel, Group) else None
        members = grouped.members if grouped else (kernel.over({kernel.out: own}),)
        kept = grouped.kept if grouped else ((own, kernel.out),)
        results = {target: result for result, target in kept}
        sources = [copy.reads[0].buffer for copy in copies]
        gone = {source for source in sources if self.times_read[source] == 1}
        pairs = [(*pair, part) for pair, part in zip(kept, kernel.written, strict=True)]
        pairs = [each for each in pairs if each[1] not in gone]
        pairs += [(results[source], copy.out, (copy.starts, copy.steps))
                  for source, copy in zip(sources, copies, strict=True)]  # fmt: skip
        stored = tuple((result, target) for result, target, _ in pairs)
        parts = tuple(part for _, _, part in pairs)
        out = stored[-1][1]
        return Group(out, kernel.operands, members, stored, parts, origin=kernel.origin)


def _can_place(kernel: Kernel, source: Buffer) -> bool:
    """Is the source all of what the kernel computes, element by element?"""
    stored = zip(kernel.stored, kernel.written, strict=True)
    whole = [target for (_, target), part in stored if not part]
    return source in whole and kernel.root.leads and isinstance(kernel.root, Map | Contraction)


def _fits(copy: Copy, source: Buffer) -> bool:
    """Has the place vectors along the same axis, none of them cut?"""
    shape, panels = source.type.shape, copy.out.panels
    if shape == copy.out.type.shape or source.type.dtype != copy.out.type.dtype:
        return False
    if (panels is None) != (source.panels is None) or source.role != "work":
        return False
    if panels is None or source.panels is None:
        return False
    alike = (panels.axis, panels.lanes) == (source.panels.axis, source.panels.lanes)
    return alike and shape[panels.axis] == copy.out.type.shape[panels.axis]
