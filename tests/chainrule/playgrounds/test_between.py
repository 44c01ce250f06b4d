"""Batch normalisation, dropout and schedules of the playground, against formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiled.function import Numbers
from chainrule.playgrounds import between, kernels, updates
from chainrule.playgrounds.choices import SCHEDULES
from chainrule.playgrounds.kernels import Kernel

ROWS = 6
VALUES = np.random.default_rng(1).normal(2, 3, (ROWS, 8)).astype(np.float32)
ABOVE = np.random.default_rng(2).normal(0, 1, (ROWS, 8)).astype(np.float32)


def run(kernel: Kernel, **given: object) -> dict[str, Numbers]:
    return dict(
        zip(kernel, cr.compile(list(kernel.values()), target="numpy")(**given), strict=True)
    )


def normal(values: Numbers) -> Numbers:
    found: Numbers = (values - values.mean(axis=0)) / np.sqrt(values.var(axis=0) + 1e-5)
    return found


def test_a_batch_is_normalised_and_remembered() -> None:
    mean, variance = np.full(8, 0.5, np.float32), np.full(8, 2, np.float32)
    found = run(between.normalised("train"), values=VALUES, mean=mean, variance=variance)
    np.testing.assert_allclose(found["normal"], normal(VALUES.astype(float)), atol=1e-5)
    np.testing.assert_allclose(found["mean"], 0.9 * mean + 0.1 * VALUES.mean(axis=0), rtol=1e-5)
    unbiased = VALUES.var(axis=0, ddof=1)
    np.testing.assert_allclose(found["variance"], 0.9 * variance + 0.1 * unbiased, rtol=1e-5)
    after = run(between.normalised("infer"), values=VALUES, mean=mean, variance=variance)
    np.testing.assert_allclose(after["normal"], (VALUES - mean) / np.sqrt(2 + 1e-5), rtol=1e-5)


def test_the_way_back_is_the_slope_of_the_way_forward() -> None:
    values, step = VALUES.astype(float), 1e-5
    expected = np.zeros_like(values)
    for place in np.ndindex(values.shape):
        moved = np.zeros_like(values)
        moved[place] = step
        change = normal(values + moved) - normal(values - moved)
        expected[place] = (change * ABOVE).sum() / (2 * step)
    found = run(between.normalised_backward("train"), values=VALUES, above=ABOVE)
    np.testing.assert_allclose(found["above"], expected, atol=2e-5)
    variance = np.full(8, 2, np.float32)
    after = run(between.normalised_backward("infer"), above=ABOVE, variance=variance)
    np.testing.assert_allclose(after["above"], ABOVE / np.sqrt(2 + 1e-5), rtol=1e-5)


def test_dropout_keeps_the_mean_and_sends_back_what_it_kept() -> None:
    ones = np.ones((4000, 8), np.float32)
    found = run(between.dropped(), values=ones, rate=np.float32(0.2), draw=7)
    assert set(np.unique(found["dropped"])) == {np.float32(0), np.float32(1.25)}
    assert found["dropped"].mean() == pytest.approx(1, abs=0.01)
    assert found["draw"] == 8
    again = run(between.dropped(), values=ones, rate=np.float32(0.2), draw=8)
    assert not np.array_equal(found["kept"], again["kept"])
    back = run(between.dropped_backward(), above=3 * ones, kept=found["kept"])
    np.testing.assert_array_equal(back["above"], 3 * found["dropped"])


def test_a_rule_has_other_numbers_where_the_chain_rule_has_weights() -> None:
    weights, back = ABOVE[0], ABOVE[1]
    target = np.sign(ABOVE[:, 0])
    given = {"x": VALUES, "weights": weights, "bias": np.float32(0.5), "target": target}
    found = run(kernels.head(squashed=True, logistic=False), **given, back=back)
    output = np.tanh(VALUES.astype(float) @ weights + 0.5)
    error = (output - target) / ROWS
    np.testing.assert_allclose(found["error"], error, atol=1e-5)
    of_z = error * (1 - output**2)
    np.testing.assert_allclose(found["weights"], of_z @ VALUES, atol=1e-5)
    np.testing.assert_allclose(found["x"], np.outer(of_z, back), atol=1e-5)
    sent = run(kernels.direct(), error=found["error"], back=back)
    np.testing.assert_allclose(sent["x"], np.outer(error, back), atol=1e-5)


def test_directions_have_the_length_1_and_end_with_a_layer() -> None:
    sizes = np.array([2, 3, 8, 1, 1, 1, 1, 1], np.float32)
    found = run(kernels.feedback(), seed=3, sizes=sizes)
    directions = found["directions"].reshape(7, 8)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-5)
    assert np.count_nonzero(directions, axis=1).tolist() == [3, 8, 1, 1, 1, 1, 1]
    matrices = found["matrices"].reshape(7, 72)[:, :64]
    assert matrices[0].std() == pytest.approx(1, rel=0.4)  # √(2 / 2)
    assert matrices[2].std() == pytest.approx(0.5, rel=0.4)  # √(2 / 8)


def test_rows_of_anything_are_stretched_into_the_square() -> None:
    points = np.array([[100, 3], [300, 3], [200, 3]], np.float32)
    found = run(kernels.fitted(), points=points, target=np.array([0, 1, 0], np.float32))
    np.testing.assert_allclose(found["points"], [[-5, 0], [5, 0], [0, 0]])
    np.testing.assert_allclose(found["target"], [-1, 1, -1])


@pytest.mark.parametrize("name", [name for name in SCHEDULES if SCHEDULES[name].made])
def test_a_schedule_is_the_librarys_stretched(name: str) -> None:
    """Over 400 steps, at every fiftieth of them, against one that is declared for 400."""
    made, written = SCHEDULES[name].made, SCHEDULES[name].code
    assert made
    call = written.format(rate=0.5, steps=400, quarter=100).removeprefix("schedules.")
    kind, _, given = call.rstrip(")").partition("(")
    first, *named = given.split(", ")
    numbers = {key: float(value) for key, _, value in (each.partition("=") for each in named)}
    whole = {key: int(each) if each == int(each) else each for key, each in numbers.items()}
    declared = getattr(cr.schedules, kind)(float(first), **whole)(cr.input("step"))
    moved = updates.scheduled(made)
    program = cr.compile([moved["rate"], moved["done"], declared], target="numpy")
    for step in range(0, 400, 50):
        rate, done, expected = program(lr=0.5, span=400.0, done=float(step), step=float(step))
        np.testing.assert_allclose(rate, expected, atol=2e-3)
        assert done == step + 1
