"""Schedules against their formulas in Python, step by step."""

import math
from collections.abc import Callable

import numpy as np
import pytest

import chainrule as cr
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph
from chainc.ir.errors import InputError
from chainrule import plots, schedules
from chainrule.declare.leaves import input
from chainrule.optim.schedules import Schedule, ScheduleLike

HERE = r"\n  where: .*test_schedules\.py:\d+\n  try: "


def rates(schedule: ScheduleLike, steps: int) -> list[float]:
    """The rate at steps 0 … steps-1, all computed at once."""
    graph = Graph((schedule(input("step", ("steps",))) + 0.0 * input("step", ("steps",)),))
    return [float(rate) for rate in evaluate(graph, {"step": np.arange(float(steps))}).outputs[0]]


def cosine(step: float) -> float:
    return 0.01 + 0.09 * 0.5 * (1 + math.cos(math.pi * min(step / 20, 1)))


def restarted(step: float) -> float:
    length, position = 2.0, step
    while position >= length:
        position, length = position - length, length * 3
    return 0.02 + 0.08 * 0.5 * (1 + math.cos(math.pi * position / length))


def cycled(step: float) -> float:
    """Up in steps 0 to 8, then down until step 29."""
    first, last = 0.5 / 25, 0.1
    if step < 8:
        return 0.5 + (first - 0.5) * 0.5 * (1 + math.cos(math.pi * step / 8))
    return last + (0.5 - last) * 0.5 * (1 + math.cos(math.pi * min((step - 8) / 21, 1)))


CASES: list[tuple[ScheduleLike, Callable[[int], float]]] = [
    (schedules.constant(0.3), lambda _: 0.3),
    (schedules.step_decay(0.1, 0.5, every=7), lambda step: 0.1 * 0.5 ** (step // 7)),
    (schedules.exponential(0.1, 0.5, steps=7), lambda step: 0.1 * 0.5 ** (step / 7)),
    (schedules.cosine(0.1, 20, final=0.01), cosine),
    (schedules.inverse_time(0.1, steps=10), lambda step: 0.1 / (1 + step / 10)),
    (schedules.polynomial(0.1, 20), lambda step: 0.1 * (1 - min(step / 20, 1))),
    (
        schedules.polynomial(0.1, 20, power=2.5, final=0.01),
        lambda step: 0.01 + 0.09 * (1 - min(step / 20, 1)) ** 2.5,
    ),
    (
        schedules.piecewise(0.1, {20: 0.001, 7: 0.01}),
        lambda step: 0.1 if step < 7 else 0.01 if step < 20 else 0.001,
    ),
    (schedules.restarts(0.1, 7), lambda step: 0.05 * (1 + math.cos(math.pi * (step % 7) / 7))),
    (schedules.restarts(0.1, 2, growth=3, final=0.02), restarted),
    (schedules.one_cycle(0.5, 30, end=0.1), cycled),
    (schedules.warmup(5, 0.2), lambda step: 0.2 * min((step + 1) / 5, 1)),
    (
        schedules.warmup(5, schedules.cosine(0.1, 20, final=0.01)),
        lambda step: cosine(step - 5) if step >= 5 else 0.1 * (step + 1) / 5,
    ),
    (lambda step: 0.1 / (1.0 + step / 10.0), lambda step: 0.1 / (1 + step / 10)),
]


@pytest.mark.parametrize(("schedule", "formula"), CASES)
def test_rates(schedule: ScheduleLike, formula: Callable[[int], float]) -> None:
    assert rates(schedule, 40) == pytest.approx([formula(step) for step in range(40)], rel=1e-6)


def test_a_cosine_ends_at_its_final_rate_and_stays_there() -> None:
    assert rates(schedules.cosine(0.1, 10), 30)[10:] == pytest.approx([0.0] * 20, abs=1e-15)


def test_a_cycle_ends_far_below_its_start_and_stays_there() -> None:
    found = rates(schedules.one_cycle(0.5, 30), 40)
    assert found[0] == pytest.approx(0.5 / 25)
    assert found[29:] == pytest.approx([0.5 / 25 / 1e4] * 11)


def test_equal_schedules_compare_equal_and_print_their_numbers() -> None:
    assert schedules.cosine(0.1, 10) == schedules.cosine(0.1, 10)
    assert repr(schedules.cosine(0.1, 10)) == "Cosine(initial=0.1, steps=10, final=0.0)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.constant(0.0), "schedules.constant: rate must be a finite number and"),
        (lambda: schedules.step_decay(math.nan), "schedules.step_decay: initial must be"),
        (lambda: schedules.step_decay(0.1, 0.0), "schedules.step_decay: factor must be"),
        (lambda: schedules.step_decay(0.1, every=0), "schedules.step_decay: every must be a whole"),
        (lambda: schedules.exponential(-1.0), "schedules.exponential: initial must be"),
        (lambda: schedules.exponential(1.0, math.inf), "schedules.exponential: factor must be"),
        (lambda: schedules.exponential(1.0, steps=-1), "schedules.exponential: steps must be"),
        (lambda: schedules.cosine(0.1, 0), "schedules.cosine: steps must be a whole number"),
        (lambda: schedules.cosine(0.1, 9, -0.1), "schedules.cosine: final must be .* at least 0"),
        (lambda: schedules.cosine(0.1, 9, 0.2), "schedules.cosine: final=0.2 is above initial=0.1"),
        (lambda: schedules.inverse_time(0.0), "schedules.inverse_time: initial must be"),
        (lambda: schedules.inverse_time(0.1, 0), "schedules.inverse_time: steps must be"),
        (lambda: schedules.polynomial(0.1, 9, power=0), "schedules.polynomial: power must be"),
        (lambda: schedules.polynomial(0.1, 9, final=1), "schedules.polynomial: final=1 is above"),
        (lambda: schedules.piecewise(0.1, {}), "schedules.piecewise: changes is {}, no rates"),
        (lambda: schedules.piecewise(0.1, {0: 0.2}), "schedules.piecewise: a step must be"),
        (lambda: schedules.piecewise(0.1, {9: 0.0}), "schedules.piecewise: a rate must be"),
        (lambda: schedules.restarts(0.1, 9, growth=0), "schedules.restarts: growth must be"),
        (lambda: schedules.restarts(0.1, 9, final=0.2), "schedules.restarts: final=0.2 is above"),
        (lambda: schedules.one_cycle(0.1, 90, 1.0), "schedules.one_cycle: rising must be .* below"),
        (lambda: schedules.one_cycle(0.1, 3), "schedules.one_cycle: the rate would rise for 0.9"),
        (lambda: schedules.one_cycle(0.1, 9, start=1), "schedules.one_cycle: start=1 or end="),
        (lambda: schedules.warmup(0, 0.1), "schedules.warmup: steps must be a whole number"),
        (lambda: schedules.warmup(5, -0.1), "schedules.constant: rate must be"),
    ],
)
def test_refusals(make: Callable[[], Schedule], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}.*{HERE}give "):
        make()


@pytest.mark.parametrize("schedule", [each for each, _ in CASES if isinstance(each, Schedule)])
def test_a_schedule_draws_itself_as_far_as_it_goes(schedule: Schedule) -> None:
    pytest.importorskip("matplotlib")
    (axes,) = schedule.plot().figure.axes
    (line,) = axes.lines
    steps, shown = (np.asarray(values, np.float64) for values in line.get_data())
    assert len(steps) == schedule.span
    assert shown[:40] == pytest.approx(rates(schedule, min(40, len(steps))), rel=1e-5)
    assert len(np.asarray(schedule.plot(steps=5).figure.axes[0].lines[0].get_xdata())) == 5
    with pytest.raises(InputError, match=f"^rates: steps must be a whole number.*{HERE}show"):
        schedule.plot(steps=0)


def test_schedules_stand_in_one_picture() -> None:
    pytest.importorskip("matplotlib")
    plot = plots.rates(
        {"mine": lambda step: 0.1 / (1.0 + step), "line": schedules.polynomial(1, 9)}
    )
    assert [text.get_text() for text in plot.figure.legends[0].get_texts()] == ["mine", "line"]
    with pytest.raises(InputError, match=f"^rates: 0 schedules, not from 1 to 12.*{HERE}compare"):
        plots.rates({})


def test_restarts_begin_at_whole_steps_however_late() -> None:
    """Waves of 7, 14, 28 … steps: the last looked at begins at step 7 · (2^15 - 1)."""
    schedule = schedules.restarts(0.1, 7, growth=2)
    starts = [7 * (2**wave - 1) for wave in range(16)]
    step = input("step", ("steps",))
    around = np.array([start + shift for start in starts for shift in (-1.0, 0.0)])[1:]
    found = evaluate(Graph((schedule(step),)), {"step": around}).outputs[0].astype(np.float64)
    assert found[::2] == pytest.approx(0.1)
    assert (found[1::2] < 0.01).all()


def test_what_schedules_have_in_common_is_none_itself() -> None:
    class Own(schedules.Schedule):
        pass

    kinds: tuple[Callable[[int], object], ...] = (schedules.Schedule, Own)
    for kind in kinds:
        with pytest.raises(cr.InputError, match=r"(Schedule|Own): it does not say what the rate"):
            kind(1)
