"""Schedules against their formulas in Python, step by step."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from chainc.interpreters.reference import evaluate
from chainc.ir import Graph
from chainc.ir.errors import InputError
from chainrule import schedules
from chainrule.declare.leaves import input
from chainrule.optim.schedules import Schedule

HERE = r"\n  where: .*test_schedules\.py:\d+\n  try: "


def rates(schedule: Schedule, steps: int) -> list[float]:
    """The rate at steps 0 … steps-1, all computed at once."""
    graph = Graph((schedule(input("step", ("steps",))) + 0.0 * input("step", ("steps",)),))
    return [float(rate) for rate in evaluate(graph, {"step": np.arange(float(steps))}).outputs[0]]


def cosine(step: float) -> float:
    return 0.01 + 0.09 * 0.5 * (1 + math.cos(math.pi * min(step / 20, 1)))


CASES: list[tuple[Schedule, Callable[[int], float]]] = [
    (schedules.constant(0.3), lambda _: 0.3),
    (schedules.step_decay(0.1, 0.5, every=7), lambda step: 0.1 * 0.5 ** (step // 7)),
    (schedules.exponential(0.1, 0.5, steps=7), lambda step: 0.1 * 0.5 ** (step / 7)),
    (schedules.cosine(0.1, 20, final=0.01), cosine),
    (schedules.warmup(5, 0.2), lambda step: 0.2 * min((step + 1) / 5, 1)),
    (
        schedules.warmup(5, schedules.cosine(0.1, 20, final=0.01)),
        lambda step: cosine(step - 5) if step >= 5 else 0.1 * (step + 1) / 5,
    ),
    (lambda step: 0.1 / (1.0 + step / 10.0), lambda step: 0.1 / (1 + step / 10)),
]


@pytest.mark.parametrize(("schedule", "formula"), CASES)
def test_rates(schedule: Schedule, formula: Callable[[int], float]) -> None:
    assert rates(schedule, 40) == pytest.approx([formula(step) for step in range(40)], rel=1e-6)


def test_a_cosine_ends_at_its_final_rate_and_stays_there() -> None:
    assert rates(schedules.cosine(0.1, 10), 30)[10:] == pytest.approx([0.0] * 20, abs=1e-15)


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
        (lambda: schedules.warmup(0, 0.1), "schedules.warmup: steps must be a whole number"),
        (lambda: schedules.warmup(5, -0.1), "schedules.constant: rate must be"),
    ],
)
def test_refusals(make: Callable[[], Schedule], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}.*{HERE}give "):
        make()
