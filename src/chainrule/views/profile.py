"""Where a program's time goes: each kernel with its lines, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from chainc.backends.listing import Line
from chainc.backends.timing import BATCH, Floats, Timing
from chainc.dataclass import dataclass
from chainc.drawing.node_roles import NodeRoles
from chainc.ir import Graph
from chainc.ir.errors import Location
from chainc.ir.types import Dim, bind_shape, static
from chainrule.declare.calls import answers_calls
from chainrule.views.profile_drawing import Bar, draw_bars
from chainrule.views.profile_work import Work, work_of
from chainrule.views.provenance import Computed, Provenance
from chainrule.views.svg_drawing import SvgDrawing
from chainrule.writing.html_table import html_table
from chainrule.writing.phrases import counted

WIDEST = 60  # letters of what a kernel computes, in the table
HEADER = ("kernel", "computes", "time", "share", "rate", "line")
NUMBERS = (2, 3, 4)  # columns that are set to the right
UNLISTED = {"batch": "rows of the data become a batch", "watch": "looks for NaN and infinity"}


@dataclass(frozen=True)
class KernelTime:
    """What one kernel takes.

    Attributes:
        name: of its function in `program.loops`, or of its result in NumPy source; "batch" is
            what makes a batch of rows of the data.
        role: "batch", "forward", "backward", "update", or "watch" for what looks for NaN.
        computes: the ops that it computes, with their origins.
        calls: how often it is called in a step, or in a call of a function.
        seconds: that they take together, the mean of the middle half of all runs: a median that
            a clock of coarse ticks does not round.
        share: of the time of all kernels.
        work: what it does, counted; None where that depends on values, as for lookups.
    """

    name: str
    role: str
    computes: tuple[Computed, ...]
    calls: int
    seconds: float
    share: float
    work: Work | None

    @property
    def locations(self) -> tuple[Location, ...]:
        """The user's lines, that of its first op first."""
        found = (each.origin.location for each in self.computes)
        return tuple(dict.fromkeys(location for location in found if location is not None))

    @property
    def line(self) -> str:
        """`digits.py:12`, or `digits.py:12 and 1 more`; empty for the batch."""
        first, more = self.locations[:1], len(self.locations) - 1
        return "".join(each.short for each in first) + (f" and {more} more" if more > 0 else "")

    @property
    def what(self) -> str:
        """`backward of model/linear1: contract; sgd: multiply, add`."""
        if not self.computes:
            return UNLISTED.get(self.role, "")
        places = groupby(self.computes, key=_place)
        return "; ".join(
            f"{place}: {_ops(some)}" if place else _ops(some) for place, some in places
        )

    @property
    def rate(self) -> str:
        """`41 GFLOP/s` of a contraction, `12 GB/s` of another kernel."""
        return "" if self.work is None or not self.seconds else self.work.rate(self.seconds)


@answers_calls
@dataclass(frozen=True)
class Profile:
    """Where the time of a step, or of a function's call, goes; prints as a table.

    Attributes:
        of: what was timed, a "step" or a "call".
        target: that the program was compiled for.
        kernels: in the order in which they run.
        runs: how often each was timed.
        seconds: the times of all kernels together.
        whole: seconds of a step, or a call, of the program itself, in which no clock is read; it
            has beside the kernels what the loop or Python does around them.
    """

    of: str
    target: str
    kernels: tuple[KernelTime, ...]
    runs: int
    seconds: float
    whole: float

    @property
    def slowest(self) -> tuple[KernelTime, ...]:
        """The kernels, that with the largest share first."""
        return tuple(sorted(self.kernels, key=lambda kernel: -kernel.share))

    def __repr__(self) -> str:
        first = "".join(
            f"; {k.share:.0%} in {k.name}{k.line and f' ({k.line})'}" for k in self.slowest[:1]
        )
        kernels = counted(len(self.kernels), "kernel")
        took = f"{_time(self.seconds)} a {self.of}"
        return f"<Profile of {kernels}, {took}{first}; target {self.target!r}>"

    def __str__(self) -> str:
        table = [HEADER, *map(_cells, self.slowest)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [_line(cells, widths) for cells in table]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, lines[1], self._summary()])

    def _repr_html_(self) -> str:
        rows = [_cells(kernel) for kernel in self.slowest]
        return html_table(HEADER, rows, caption=self._summary(), numbers=NUMBERS)

    def _summary(self) -> str:
        calls = min((kernel.calls for kernel in self.kernels), default=1)
        often = f", each called {calls} times" if calls > 1 else ""
        return (
            f"all kernels: {_time(self.seconds)}{often}, in the middle half of {self.runs:,} runs; "
            f"the whole {self.of}, without clocks: {_time(self.whole)}"
        )

    def draw(self) -> SvgDrawing:
        """A bar for each kernel in the order in which they run, as long as its time."""
        bars = [
            Bar(each.name, each.what, each.line, each.role, each.share, _time(each.seconds))
            for each in self.kernels
        ]
        return draw_bars(bars, self._summary())


def profile_of(
    of: str, target: str, timing: Timing, graphs: Sequence[Graph], sizes: Mapping[str, int]
) -> Profile:
    """What was measured, with what each kernel computes; `graphs` are those after each pass."""
    times = _middle(timing.seconds)
    total = float(times.sum())
    roles = NodeRoles(graphs[-1])
    known = Provenance("kernels", timing.kernels, graphs).lines
    steps = [_count(each, sizes) for each in timing.steps or [1] * len(times)]
    kernels = tuple(
        KernelTime(
            line.text,
            _role(line, computed.computes, roles),
            computed.computes,
            timing.calls * often,
            float(seconds),
            float(seconds) / total if total else 1 / len(times),
            work.times(often) if (work := work_of(line.parts, sizes)) is not None else None,
        )
        for line, computed, seconds, often in zip(
            timing.kernels.lines, known, times, steps, strict=True
        )
    )
    return Profile(of, target, kernels, len(timing.seconds), total, float(_middle(timing.whole)))


def _count(dim: Dim, sizes: Mapping[str, int]) -> int:
    (known,) = static(bind_shape((dim,), sizes))
    return known


def _middle(values: Floats) -> Floats:
    """The mean along the first axis of what is neither in the lowest nor the highest quarter."""
    rest = len(values) // 4
    return np.asarray(np.sort(values, axis=0)[rest : len(values) - rest].mean(axis=0))


def _role(line: Line, computes: Sequence[Computed], roles: NodeRoles) -> str:
    """That of the first op: an update may be done on the gradient that it needs."""
    if not line.parts:
        return "batch" if line is BATCH else "watch"
    if not computes:
        return "forward"
    first = computes[0]
    if first.origin.derivative is not None:
        return "backward"
    return "update" if first.node in roles.for_updates else "forward"


def _place(computed: Computed) -> str:
    scope = computed.origin.scope
    if computed.origin.derivative is None:
        return scope
    return f"backward of {scope}" if scope else "backward"


def _ops(some: Iterator[Computed]) -> str:
    return ", ".join(dict.fromkeys(computed.op for computed in some))


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def _cells(kernel: KernelTime) -> tuple[str, ...]:
    what = kernel.what
    cut = what if len(what) <= WIDEST else what[: WIDEST - 1] + "…"
    share = f"{kernel.share:.1%}"
    return kernel.name, cut, _time(kernel.seconds), share, kernel.rate, kernel.line


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column in NUMBERS else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
