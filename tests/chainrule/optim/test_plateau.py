"""A rate that waits for a metric: against the rule in Python, in steps and in a compiled loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim, schedules

HERE = r"\n  where: .*test_plateau\.py:\d+\n  try: "
FACTOR, PATIENCE, FINAL = 0.5, 2, 0.02


def rates_by_rule(values: list[float], every: int, threshold: float = 1e-4) -> list[float]:
    """The rate before each step: ReduceLROnPlateau, told the mean of every so many values."""
    rate, best, waited, rates = 0.1, math.inf, 0, []
    for number, _ in enumerate(values, start=1):
        rates.append(rate)
        if number % every:
            continue
        mean = sum(values[number - every : number]) / every
        better = mean < best - threshold * abs(best) if best < math.inf else True
        best, waited = (mean, 0) if better else (best, waited + 1)
        if waited > PATIENCE:
            rate, waited = max(rate * FACTOR, FINAL), 0
    return rates


def moved(values: list[float], every: int, target: str) -> list[float]:
    """How far each step has gone: w falls by the rate, whatever the metric is."""
    w, metric = cr.parameter("w", (), 0.0, dtype="float64"), cr.input("metric", dtype="float64")
    plan = schedules.plateau(0.1, metric, every, factor=FACTOR, patience=PATIENCE, final=FINAL)
    run = cr.compile(optim.SGD(plan).minimize(w), target=target)
    run = run.bind(run.initial_state())
    found = []
    for value in values:
        before = float(run.state["w"])
        run(metric=value)
        found.append(before - float(run.state["w"]))
    assert {name for name in run.state if "plateau" in name} == {
        "plateau/best", "plateau/waited", "plateau/rate", "plateau/sum"
    }  # fmt: skip
    return found


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize(
    "value",
    [
        lambda n: math.sin(n / 3) + 2 / (1 + n),
        lambda n: 1.0 + 0.0 * n,
        lambda n: 1.0 / (1 + n),
        lambda n: 1.0 - 1e-6 * n,
        lambda n: -5.0 - 0.01 * (n % 7),
        lambda n: math.nan if n == 5 else 1.0,
    ],
)
def test_the_rate_follows_the_rule(value: Callable[[int], float], every: int, target: str) -> None:
    values = [value(number) for number in range(60)]
    expected = rates_by_rule(values, every)
    assert moved(values, every, target) == pytest.approx(expected, rel=1e-9)


def test_both_sides_of_the_rule_are_seen() -> None:
    assert set(rates_by_rule([1.0] * 60, 1)) == {0.1, 0.05, 0.025, FINAL}
    assert set(rates_by_rule([1.0 / (1 + n) for n in range(60)], 1)) == {0.1}


def test_a_plot_is_that_of_a_metric_that_never_gets_better() -> None:
    pytest.importorskip("matplotlib")
    plan = schedules.plateau(0.1, cr.input("m"), 4, factor=FACTOR, patience=PATIENCE, final=FINAL)
    line = schedules.warmup(1, plan).plot(steps=61).figure.axes[0].lines[0]
    shown = np.asarray(line.get_ydata(), np.float64)
    assert shown[1:] == pytest.approx(rates_by_rule([1.0] * 60, 4), rel=1e-6)
    assert len(np.asarray(plan.plot().figure.axes[0].lines[0].get_xdata())) == plan.span


def test_a_loop_keeps_looking_over_its_epochs() -> None:
    """The loss rises with w, so it never gets better: every epoch is a look."""
    w, x = cr.parameter("w", (), 0.0), cr.input("x", ("batch",))
    loss = cr.mean(x) + 0.0 * w
    plan = schedules.warmup(3, schedules.plateau(0.1, loss, every=4, factor=0.5, patience=1))
    step = optim.SGD(plan).minimize(loss)
    program = cr.compile(cr.training(step, epochs=7, batch_size=8, watch=True))
    state = program.run({x: np.ones(32, np.float32)}, progress=False).state
    assert state["plateau/rate"] == pytest.approx(0.1 * 0.5**3)  # after looks 3, 5 and 7
    assert state["plateau/waited"] == 0
    assert state["plateau/best"] == 1.0


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda m: schedules.plateau(0.0, m, 1), "initial must be", "give a positive"),
        (lambda m: schedules.plateau(0.1, m, 0), "every must be", "give a number of steps"),
        (lambda m: schedules.plateau(0.1, m, 1, factor=1), "factor must be .* below 1", "give a"),
        (lambda m: schedules.plateau(0.1, m, 1, patience=-1), "patience must be", "give a number"),
        (lambda m: schedules.plateau(0.1, m, 1, threshold=-1), "threshold must be", "give a small"),
        (lambda m: schedules.plateau(0.1, m, 1, final=-1), "final must be", "give a small"),
    ],
)
def test_numbers_out_of_range_are_refused(
    make: Callable[[cr.Node], object], message: str, hint: str
) -> None:
    with pytest.raises(cr.InputError, match=rf"^schedules.plateau: {message}.*{HERE}{hint}"):
        make(cr.input("m"))


def test_what_is_no_metric_is_refused() -> None:
    for given, shown in (
        (cr.input("rows", (3,)), r"rows f32\[3\] .*"),
        (cast("cr.Node", 1), "a int"),
    ):
        with pytest.raises(cr.GraphError, match=rf"plateau: {shown} is no metric{HERE}give a flo"):
            schedules.plateau(0.1, given, 1)
