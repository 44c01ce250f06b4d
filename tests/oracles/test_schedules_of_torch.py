"""Learning-rate schedules that PyTorch has as well, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph
from chainrule import optim, schedules
from chainrule.declare.leaves import input
from chainrule.optim.schedules import Schedule

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

STEPS = 200


def rates_of_torch(build: Callable[[Any], Any]) -> list[float]:
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    schedule, rates = build(optimizer), []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize(
    ("ours", "name", "arguments"),
    [
        (schedules.step_decay(0.1, 0.5, every=30), "StepLR", {"step_size": 30, "gamma": 0.5}),
        (schedules.exponential(0.1, 0.97, steps=1), "ExponentialLR", {"gamma": 0.97}),
        (
            schedules.cosine(0.1, STEPS, final=0.01),
            "CosineAnnealingLR",
            {"T_max": STEPS, "eta_min": 0.01},
        ),
        (
            schedules.polynomial(0.1, 90, power=2),
            "PolynomialLR",
            {"total_iters": 90, "power": 2},
        ),
        (
            schedules.piecewise(0.1, {50: 0.01, 120: 0.001}),
            "MultiStepLR",
            {"milestones": [50, 120], "gamma": 0.1},
        ),
        (
            schedules.restarts(0.1, 13, growth=2, final=0.01),
            "CosineAnnealingWarmRestarts",
            {"T_0": 13, "T_mult": 2, "eta_min": 0.01},
        ),
        (schedules.restarts(0.1, 13), "CosineAnnealingWarmRestarts", {"T_0": 13}),
        (
            schedules.one_cycle(0.1, STEPS + 1),
            "OneCycleLR",
            {"max_lr": 0.1, "total_steps": STEPS + 1},
        ),
    ],
)
def test_rates_agree(ours: Schedule, name: str, arguments: dict[str, Any]) -> None:
    step = input("step", ("steps",), "float64")
    (found,) = evaluate(Graph((ours(step),)), {"step": np.arange(float(STEPS))}).outputs
    built = getattr(torch.optim.lr_scheduler, name)
    expected = rates_of_torch(lambda optimizer: built(optimizer, **arguments))
    np.testing.assert_allclose(found.astype(np.float64), expected, rtol=1e-10, atol=1e-12)


def test_a_plateau_reduces_when_pytorch_does() -> None:
    """One look a step, at a metric that goes up and down and falls slowly."""
    values = [math.sin(number / 3) + 3 / (1 + number) for number in range(STEPS)]
    w, metric = cr.parameter("w", (), 0.0, dtype="float64"), cr.input("metric", dtype="float64")
    plan = schedules.plateau(0.1, metric, 1, factor=0.7, patience=6, final=0.005)
    run = cr.compile(optim.SGD(plan).minimize(w), target="numpy")
    run = run.bind(run.initial_state())
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.7, patience=6, min_lr=0.005, eps=0.0
    )
    for value in values:
        run(metric=value)
        theirs.step(value)
        assert run.state["plateau/rate"] == pytest.approx(
            optimizer.param_groups[0]["lr"], rel=1e-12
        )
    assert run.state["plateau/rate"] == 0.005
