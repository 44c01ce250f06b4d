"""The efficiency map: what share of a core's peak steps reach whose shapes nobody has named."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.chart import LINES, OTHERS, OWN, STYLE
from tests.benchmarks.results import Results
from tests.benchmarks.scaling import MEANING, Scaling, scaling
from tests.benchmarks.tables import table
from tests.benchmarks.timing import Series, ratios, spread
from tests.benchmarks.workloads import named

LONG = 200e-6  # seconds of a step that two threads are to share
TEXT = """\
{count} training steps are drawn with a fixed seed: networks of 2 to 4 layers of 16 to 2048
features, batches of 16 to 512, orders of magnitude evenly, every other width a multiple of 16.
{summary}

![Share of the peak by size of the step](efficiency.svg)
"""


@dataclass(frozen=True)
class Point:
    """A drawn step: medians over its blocks, each beside the peak of its moment.

    Attributes:
        name: sizes and batch.
        flops: useful operations a step.
        seconds: of a step on one thread.
        share: of the core's peak, on one thread.
        threads: how many times as fast two threads are, and two copies; None on one core.
        jax: how many times longer JAX takes; None where it was left out.
    """

    name: str
    flops: int
    seconds: float
    share: float
    threads: Scaling | None
    jax: float | None


def points(results: Results) -> list[Point]:
    return [_point(name, results) for name in results.drawn]


def _point(name: str, results: Results) -> Point:
    group, flops = results.drawn[name], named(name).flops
    own = group[results.own]
    return Point(
        name,
        flops,
        spread([sample.seconds for sample in own.samples]).median,
        spread([flops / sample.seconds / sample.widest for sample in own.samples]).median,
        scaling(group, results.own),
        _ratio(group.get("jax"), own),
    )


def _ratio(series: Series | None, own: Series) -> float | None:
    return ratios(series, own).median if series is not None and series.samples else None


def map_of(results: Results) -> str:
    """The table, and what it comes to."""
    found = points(results)
    if not found:
        return "Not measured."
    head = ("network x batch", "MFLOP", "µs a step", "of peak", "JAX takes", "two threads",
            "two copies", "of that")  # fmt: skip
    rows = [
        (p.name, f"{p.flops / 1e6:,.1f}", f"{p.seconds * 1e6:,.1f}", f"{p.share:.0%}",
         _times(p.jax), *(("–",) * 3 if p.threads is None else p.threads.cells))
        for p in sorted(found, key=lambda p: p.flops)
    ]  # fmt: skip
    return TEXT.format(count=len(found), summary=summary(found)) + "\n" + table(head, rows)


def summary(found: Sequence[Point]) -> str:
    """Medians, the tenth percentile, and the worst."""
    lines = [
        f"Of the peak they reach {statistics.median(p.share for p in found):.0%} in the median and "
        f"{_tenth(p.share for p in found):.0%} in the tenth percentile."
    ]
    jax = [p.jax for p in found if p.jax is not None]
    if jax:
        lines.append(
            f"JAX takes {statistics.median(jax):.2f} × as long in the median, and "
            f"{min(jax):.2f} × at least."
        )
    threads = [p.threads for p in found if p.threads is not None and p.seconds > LONG]
    if threads:
        ratios_found, reached = [t.ratio for t in threads], [t.quotient for t in threads]
        lines.append(
            f"Above {LONG * 1e6:.0f} µs a step, two threads are "
            f"{statistics.median(ratios_found):.2f} × as fast in the median, and "
            f"{min(ratios_found):.2f} × at least.\n{MEANING} Above {LONG * 1e6:.0f} µs that is "
            f"{statistics.median(reached):.0%} in the median, and {min(reached):.0%} at least."
        )
    return "\n".join(lines)


def _tenth(numbers: Iterable[float]) -> float:
    found = sorted(numbers)
    return found[0] if len(found) == 1 else statistics.quantiles(found, n=10, method="inclusive")[0]


def _times(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f} ×"


def draw_map(results: Results, file: Path) -> None:
    """Shares of the peak over the size of the step, as `.svg` or `.png`."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from chainrule.plots import Plot

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 4.2), layout="constrained")
        _dots(figure.subplots(), points(results))
        Plot(figure, "Share of the peak by size of the step").save(file)


def _dots(axes: Any, found: Sequence[Point]) -> None:
    own = [(p.flops, p.share) for p in found]
    jax = [(p.flops, p.share / p.jax) for p in found if p.jax is not None]
    for dots, colour, label in ((jax, OTHERS, "JAX"), (own, OWN, "Chainrule")):
        if dots:
            axes.plot(*zip(*dots, strict=True), "o", color=colour, markersize=5, label=label)
    middle = statistics.median(p.share for p in found)
    axes.axhline(middle, color=OWN, linewidth=1, linestyle="--")
    axes.set_xscale("log")
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.xaxis.set_major_formatter(lambda flops, _: f"{flops / 1e6:,g}")
    axes.set_xlabel("useful MFLOP a step, logarithmic")
    axes.set_ylabel("of the core's peak")
    axes.grid(color=LINES, alpha=0.25)
    axes.legend(loc="lower right", frameon=False)
