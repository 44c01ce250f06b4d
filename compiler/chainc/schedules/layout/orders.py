"""In which order the axes of a kernel's weights lie in a panel: that of the loops over them.

    window(x)[b,c,h,w,i,j] · w[o,c,i,j]   for each tap i, j all channels c: w lies as [o/8,i,j,c,8]

Else neighbours along c would be i·j vectors apart, and a tile would read a line for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chainc.ir.movements import Reshape
from chainc.lowering.kernels import Contraction
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View
from chainc.schedules.layout.lanes import neighbours

Order = tuple[int, ...]


def tap_orders(program: Program, axes: Mapping[Buffer, int]) -> Mapping[Buffer, Order]:
    """Of what windows are contracted with, and of all that is computed from it or for it.

    `axes` are those that lie in panels.
    """
    fixed = {view.buffer for kernel in program.body for view in kernel.reads if _regroups(view)}
    found = {b: order for b, order in _read_with_windows(program, axes) if b not in fixed}
    beside, fresh = neighbours(program) if found else {}, list(found)
    while fresh:
        buffer = fresh.pop()
        for other, axis in beside.get((buffer, axes[buffer]), ()):
            alike = other.type.shape == buffer.type.shape and axis == axes[buffer]
            if alike and axes.get(other) == axis and other not in found and other not in fixed:
                found[other] = found[buffer]
                fresh.append(other)
    return found


def _regroups(view: View) -> bool:
    """Are axes read as one that must follow each other?"""
    return any(isinstance(movement, Reshape) for movement in view.movements)


def _read_with_windows(
    program: Program, axes: Mapping[Buffer, int]
) -> Iterator[tuple[Buffer, Order]]:
    for kernel in program.body:
        root = kernel.root
        if isinstance(root, Contraction):
            pairs = list(zip(root.letters[:2], root.reads[:2], strict=True))
            for (letters, view), (windows, slid) in (pairs, pairs[::-1]):
                order = _order(letters, view, windows[len(windows) - slid.taps :])
                axis = axes.get(view.buffer)
                if axis is not None and order:
                    yield view.buffer, tuple(other for other in order if other != axis)


def _order(letters: str, view: View, taps: str) -> Order:
    """Taps first; empty where there are none."""
    sources = [view.source(position) for position in range(len(letters))]
    if not taps or not set(taps) <= set(letters) or None in sources:
        return ()
    inner = sorted(range(len(letters)), key=lambda position: letters[position] not in taps)
    return tuple(axis for position in inner if (axis := sources[position]) is not None)
