"""The plot: the time of a step, one panel a workload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmarks.results import Results
from tests.benchmarks.timing import Series, ratios, spread
from tests.benchmarks.workloads import MEANINGS, WORKLOADS

OWN, OTHERS, LINES = "#c2570c", "#3b6ea8", "#9aa3ad"
COLUMNS = 2
ROW = 0.26  # inches a contender
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


def draw(results: Results, file: Path) -> None:
    """Median times on a logarithmic axis, as `.svg` or `.png`."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from chainrule.plots import Plot

    panels = list(results.speeds)
    lines = -(-len(panels) // COLUMNS)
    tallest = max((len(group) for group in results.speeds.values()), default=1)
    height = lines * (0.9 + ROW * tallest)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, height), layout="constrained")
        grid = list(figure.subplots(lines, COLUMNS, squeeze=False).flat)
        for axes, workload in zip(grid, panels, strict=False):
            _panel(axes, workload, results)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        Plot(figure, "Time of a training step by workload and contender").save(file)


def _panel(axes: Any, workload: str, results: Results) -> None:
    group = {name: series for name, series in results.speeds[workload].items() if series.samples}
    own = group[results.own]
    for row, series in enumerate(group.values()):
        times = spread([sample.seconds * 1e6 for sample in series.samples])
        colour = OWN if series is own else OTHERS
        axes.plot([times.low, times.high], [row, row], color=colour, linewidth=3, alpha=0.4)
        axes.plot(times.median, row, "o", color=colour, markersize=5)
        told = f"{times.median:,.3g}" if times.median < 1000 else f"{times.median:,.0f}"
        times_longer = ratios(series, own).median
        spelled = f"{times_longer:.3g}" if times_longer < 1000 else f"{times_longer:,.0f}"
        beside = "" if series is own else f"  ({spelled}×)"
        axes.annotate(
            f"{told} µs{beside}", (times.high, row), xytext=(7, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    _peak_line(axes, WORKLOADS[workload].flops, own)
    axes.set_yticks(range(len(group)), list(group))
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.08, y=0.08)
    axes.set_title(f"{workload}: {MEANINGS[workload]}", loc="left", fontsize=9)
    _time_axis(axes)


def _time_axis(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * (high / low) ** 0.4)  # room for the numbers beside the last dot
    few = high / low > 100
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if few else (1, 2, 3, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_xlabel("µs a step, logarithmic", fontsize=8)
    axes.grid(axis="x", color=LINES, alpha=0.25)


def _median(series: Series) -> float:
    return spread([sample.seconds * 1e6 for sample in series.samples]).median


def _peak_line(axes: Any, flops: int, own: Series) -> None:
    """The time of a step at the core's peak, where that is near enough to matter."""
    at_peak = flops / spread([sample.widest for sample in own.samples]).median * 1e6
    if at_peak < _median(own) / 10:
        return
    axes.axvline(at_peak, color=LINES, linestyle="--", linewidth=1)
    axes.annotate(
        "peak", (at_peak, 0), xycoords=("data", "axes fraction"), xytext=(3, 3),
        textcoords="offset points", ha="left", va="bottom", fontsize=8, color="#59626b",
    )  # fmt: skip
