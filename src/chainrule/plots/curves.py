"""Trainings: losses and metrics over the epochs or over a setting, on seen and on unseen data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainc.ir.errors import InputError
from chainc.ops.movement import as_flag
from chainrule.compiled.history import Result
from chainrule.declare.arguments import is_one_of, text
from chainrule.evaluation.values import Floats
from chainrule.plots.given import at_most
from chainrule.plots.paper.courses import MARKED, course, over_whole_numbers
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import (
    BLUE,
    INK,
    PALE_GREY,
    VERMILLION,
    label,
    legend_below,
    logarithmic,
    look,
    require_matplotlib,
)
from chainrule.plots.recording import Recording
from chainrule.steps.ending import VALIDATION

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Run = Result | Recording | Mapping[str, Sequence[float]]

MOST_METRICS = 6
MOST_RUNS = 12
MOST_SETTINGS = 20


def history(run: Run, *, log: bool = False, unit: str = "epoch") -> Plot:
    """Each loss and metric over the epochs, and beside it its value on the validation data.

    The epoch with the lowest validation loss is marked and what comes after it is shaded: if the
    training loss still falls there, the model overfits. Values that are not finite leave gaps.

    Args:
        run: what a run returned, or its history.
        log: a logarithmic axis for the loss; values that are not positive leave gaps.
        unit: what each number is of: "epoch" or "step".

    Raises:
        InputError: there is nothing to plot, or values that are no numbers.
    """
    require_matplotlib("history")
    text("history", "unit", unit)
    as_flag("history", "log", log)
    values = _numbers("history", run)
    names = list(dict.fromkeys(name.removeprefix(VALIDATION) for name in values))
    at_most("history", "metrics", len(names), MOST_METRICS, "give fewer, as a mapping")
    title = "Training history"
    with paper(
        title, max(5.6 * min(len(names), 3), 8.0), 4.4 * -(-len(names) // 3) + 1.1
    ) as figure:
        grid = figure.subplots(-(-len(names) // 3), min(len(names), 3), squeeze=False).ravel()
        entries: dict[str, Artist] = {}
        best = _best(values)
        for axes, name in zip(grid, names, strict=False):
            entries.update(_panel(axes, name, values, log=log and name == "loss", unit=unit))
            entries.update(
                _mark_best(axes, best, len(values[f"{VALIDATION}loss"]), unit) if best else {}
            )
        for axes in grid[len(names) :]:
            axes.remove()
        legend_below(figure, [(artist, text) for text, artist in entries.items()])
    return Plot(figure, f"{title}: {', '.join(values)}")


def comparison(
    runs: Mapping[str, Run], *, of: str = "loss", log: bool = False, unit: str = "epoch"
) -> Plot:
    """One metric of several runs in one picture, such as those of several learning rates.

    Args:
        runs: what each run returned, or its history, by the name to show.
        of: which loss or metric.
        log: a logarithmic axis; values that are not positive leave gaps.
        unit: what each number is of: "epoch" or "step".

    Raises:
        InputError: there is no run or too many of them, or one does not have the metric.
    """
    require_matplotlib("comparison")
    text("comparison", "unit", unit)
    as_flag("comparison", "log", log)
    text("comparison", "of", of)
    if not isinstance(runs, Mapping):
        raise InputError(
            f"comparison: runs is a {type(runs).__name__}, not a mapping",
            hint='give runs by name, such as {"lr = 0.1": result, "lr = 1": other}',
        )
    at_most("comparison", "runs", len(runs), MOST_RUNS, "compare fewer at a time")
    title = f"{label(of)} of {len(runs)} runs"
    found = {name: _metric("comparison", name, run, of) for name, run in runs.items()}
    with paper(title, 9.0, 5.6) as figure:
        axes = figure.subplots()
        entries: list[tuple[Artist, str]] = []
        for position, (name, values) in enumerate(found.items()):
            colour, dashes = look(position)
            entries.append(
                (course(axes, values, colour, dashes, positive=log), f"{name}{_gaps(values)}")
            )
        _name_axes(axes, of, list(found.values()), log=log, unit=unit)
        legend_below(figure, entries)
    return Plot(figure, f"{title}: {', '.join(runs)}")


def validation_curve(
    runs: Mapping[float, Run] | Mapping[str, Run],
    *,
    of: str = "loss",
    over: str = "setting",
    best: str = "lowest",
    log: bool = False,
) -> Plot:
    """The last values of runs that differ in one setting, on the training and validation data.

    Where both are bad the model underfits; where the one on the training data alone is good it
    overfits. The best setting is marked.

    Args:
        runs: what each run returned, or its history, by its setting, in the order to show: such
            as `{0.0: result, 0.001: other}`.
        of: which loss or metric; the runs need its validation too.
        over: what the setting is called.
        best: which value on the validation data is marked, the "lowest" or the "highest".
        log: a logarithmic axis for the values; those that are not positive leave gaps.

    Raises:
        InputError: there is no run or too many of them, or one does not have the metric.
    """
    require_matplotlib("validation_curve")
    text("validation_curve", "of", of)
    text("validation_curve", "over", over)
    as_flag("validation_curve", "log", log)
    if not isinstance(runs, Mapping):
        raise InputError(
            f"validation_curve: runs is a {type(runs).__name__}, not a mapping",
            hint="give runs by their setting, such as {0.0: result, 0.001: other}",
        )
    if not is_one_of(best, ("lowest", "highest")):
        raise InputError(
            f"validation_curve: best is {best!r}",
            hint='give "lowest", as for a loss, or "highest", as for an accuracy',
        )
    at_most("validation_curve", "runs", len(runs), MOST_SETTINGS, "compare fewer at a time")
    names = [label(str(setting)) for setting in runs]
    pairs = list(zip(names, runs.values(), strict=True))
    seen, unseen = (
        np.array([_metric("validation_curve", name, run, key)[-1] for name, run in pairs])
        for key in (of, f"{VALIDATION}{of}")
    )
    title = f"{label(of)} over {label(over)}"
    with paper(title, 9.0, 5.6) as figure:
        axes = figure.subplots()
        _name_axes(axes, of, [seen, unseen], log=log, unit=over)
        axes.set_xticks(range(1, len(names) + 1), names)
        entries = [
            (course(axes, seen, BLUE, "-", positive=log), f"training data{_gaps(seen)}"),
            (
                course(axes, unseen, VERMILLION, "--", positive=log),
                f"validation data{_gaps(unseen)}",
            ),
        ]
        if np.isfinite(unseen).any():
            place = _place(unseen, best)
            line = axes.axvline(place + 1, color=INK, linestyle=":", linewidth=1.6)
            entries.append((line, f"{best} on validation data: {names[place]}"))
        legend_below(figure, entries)
    return Plot(figure, f"{title}: {', '.join(names)}")


def _place(values: Floats, best: str) -> int:
    """Of the lowest or the highest finite one."""
    finite = np.where(np.isfinite(values), values, np.nan)
    return int(np.nanargmin(finite) if best == "lowest" else np.nanargmax(finite))


def _metric(function: str, name: str, run: Run, of: str) -> Floats:
    values = _numbers(function, run)
    if of not in values:
        raise InputError(
            f"{function}: the run {name!r} has no {of!r}", hint=f"it has {', '.join(values)}"
        )
    return values[of]


def _numbers(function: str, run: Run) -> dict[str, Floats]:
    given: object = run.history if isinstance(run, Result | Recording) else run
    if not isinstance(given, Mapping) or not given:
        raise InputError(
            f"{function}: there is no history in a {type(run).__name__}",
            hint="give result.history of a run of at least one epoch",
        )
    return {str(name): _column(function, str(name), values) for name, values in given.items()}


def _column(function: str, name: str, values: Sequence[float]) -> Floats:
    try:
        column = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        column = np.empty((0, 0))
    if column.ndim != 1 or not column.size:
        raise InputError(
            f"{function}: {name!r} is no sequence of numbers", hint="give one number an epoch"
        )
    return column


def _best(values: Mapping[str, Floats]) -> int | None:
    """The epoch of the lowest finite validation loss."""
    losses = values.get(f"{VALIDATION}loss")
    if losses is None or not np.isfinite(losses).any():
        return None
    return int(np.argmin(np.where(np.isfinite(losses), losses, np.inf))) + 1


def _panel(
    axes: Axes, name: str, values: Mapping[str, Floats], *, log: bool, unit: str
) -> dict[str, Artist]:
    looks = {name: ("training data", BLUE, "-"),
             f"{VALIDATION}{name}": ("validation data", VERMILLION, "--")}  # fmt: skip
    there = {key: values[key] for key in looks if key in values}
    entries: dict[str, Artist] = {}
    for key, column in there.items():
        text, colour, dashes = looks[key]
        entries[text] = course(axes, column, colour, dashes, positive=log)
    axes.set_title(f"{label(name)}{''.join(map(_gaps, there.values()))}")
    _name_axes(axes, name, list(there.values()), log=log, unit=unit)
    return entries


def _gaps(values: Floats) -> str:
    missing = int((~np.isfinite(values)).sum())
    return f" (not finite: {missing} of {len(values)})" if missing else ""


def _name_axes(axes: Axes, name: str, columns: Sequence[Floats], *, log: bool, unit: str) -> None:
    axes.grid(True)
    axes.set_xlabel(label(unit))
    axes.set_ylabel(label(name))
    last = max(map(len, columns))
    over_whole_numbers(axes, 0.5 if last <= MARKED else 1, last + 0.5)
    every = np.concatenate(columns)
    positive = every[np.isfinite(every) & (every > 0)]
    if log and positive.size:
        axes.set_yscale("log")
        logarithmic(axes.yaxis, positive.min(), positive.max())


def _mark_best(axes: Axes, best: int, last: int, unit: str) -> dict[str, Artist]:
    line = axes.axvline(best, color=INK, linestyle=":", linewidth=1.6)
    entries: dict[str, Artist] = {f"lowest validation loss: {unit} {best}": line}
    if best < last:
        entries[f"after that {unit}"] = axes.axvspan(best, last + 0.5, color=PALE_GREY, zorder=0)
    return entries
