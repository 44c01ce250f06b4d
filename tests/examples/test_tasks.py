"""Examples of several tasks: what they reach, and the gradient through a step of the gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.examples.running import Run, load

import chainrule as cr


@pytest.mark.nightly
def test_weights_of_losses_are_found(first_run: Callable[[str], Run]) -> None:
    results = first_run("several_tasks").results
    assert results.summed[0] + 0.01 < results.weighed[0]
    assert results.weighed[0] > 0.95
    assert results.weighed[1] < 2.0  # percent of the image


@pytest.mark.nightly
def test_two_digits_in_one_image_are_named(first_run: Callable[[str], Run]) -> None:
    results = first_run("several_tasks").results
    assert results.f1 > 0.8
    assert 0.45 < results.both < results.f1


@pytest.mark.nightly
def test_a_chain_reads_what_is_unreadable_alone(first_run: Callable[[str], Run]) -> None:
    results = first_run("several_tasks").results
    assert results.alone + 0.1 < results.chained
    assert results.chained > 0.83


@pytest.mark.nightly
def test_what_has_learned_to_learn_learns_from_ten_points(
    first_run: Callable[[str], Run],
) -> None:
    results = first_run("sine_tasks").results
    assert min(results.together) > 2
    assert results.learned[1] < 0.25 * results.learned[0]
    assert list(results.learned) == sorted(results.learned, reverse=True)


def test_a_step_for_each_task_is_a_step_for_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    example = load("sine_tasks")
    monkeypatch.setattr(example, "HIDDEN", 3)
    w, waves = example.weights(), example.Waves(2)
    points = waves.points(4)
    own = example.adapted(example.of_each(w, 2), *points)
    run = cr.compile([*points, *own], target="numpy")
    state = run.initial_state(seed=1)
    x, y, *found = run.bind(state)()
    for task in range(2):
        given = [part[task : task + 1] for part in (x, y)]
        alone = example.adapted(example.of_each(w, 1), *map(cr.constant, given))
        for many, one in zip(found, cr.compile(alone, target="numpy").bind(state)(), strict=True):
            np.testing.assert_allclose(many[task : task + 1], one, rtol=1e-5, atol=1e-6)


def test_the_gradient_goes_through_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    example = load("sine_tasks")
    monkeypatch.setattr(example, "HIDDEN", 3)
    monkeypatch.setattr(example, "RATE", 0.2)
    w = example.weights()
    shown, asked = ([cr.input(f"{name}{axis}", (2, 4, 1)) for axis in "xy"] for name in ("a", "b"))
    loss = cr.mean(example.error(example.adapted(example.of_each(w, 2), *shown), *asked))
    random = np.random.default_rng(0)
    values = {node.op.label: random.normal(size=(2, 4, 1)) for node in (*shown, *asked)}
    cr.check_grad(loss, w, values)
