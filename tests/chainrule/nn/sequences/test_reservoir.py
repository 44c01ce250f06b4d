"""Reservoirs: what they compute, that they stay as drawn, and what is read out of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import datasets, nn, optim


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_a_reservoir_is_its_formula(target: str) -> None:
    layer = nn.Reservoir(2, 6, spectral_radius=0.8, leak=0.3, input_scale=0.5, seed=3)
    x = cr.input("x", ("batch", 5, 2))
    run = cr.compile(layer(x), target=target)
    state = run.initial_state()
    w, u, b = (np.asarray(state[each], float) for each in layer.states())
    assert np.abs(np.linalg.eigvals(u)).max() == pytest.approx(0.8)
    assert 0.3 < np.abs(w).max() <= 0.5
    given = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    h, expected = np.zeros((3, 6)), []
    for t in range(5):
        h = 0.7 * h + 0.3 * np.tanh(given[:, t] @ w + h @ u + b)
        expected.append(h)
    np.testing.assert_allclose(run.bind(state)(x=given), np.stack(expected, axis=1), atol=1e-6)


def test_a_seed_names_a_reservoir_that_is_not_trained() -> None:
    layers = [nn.Reservoir(1, 4, seed=seed) for seed in (0, 0, 1)]
    x, y = cr.input("x", ("batch", 3, 1)), cr.input("y", ("batch", 3, 1))
    one, same, other = (cr.compile(each(x), target="numpy").initial_state() for each in layers)
    assert all(np.array_equal(a, b) for a, b in zip(one.values(), same.values(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))
    assert layers[0].parameters() == ()
    loss = cr.losses.squared_error(nn.Linear(4, 1)(layers[0](x)), y)
    assert len(optim.SGD(lr=0.1).minimize(loss).parameters) == 2


@pytest.mark.parametrize(
    ("given", "name"), [({"leak": 0}, "leak"), ({"leak": 1.5}, "leak"),
                        ({"spectral_radius": -1}, "spectral_radius"),
                        ({"input_scale": 0}, "input_scale")],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(given: dict[str, Any], name: str) -> None:
    with pytest.raises(cr.InputError, match=rf"Reservoir: {name} must be (?s:.*)try: give"):
        nn.Reservoir(1, 4, **given)


def test_sequences_have_vectors() -> None:
    with pytest.raises(cr.ShapeError, match=r"expected \(batch, time, 1\)(?s:.*)the last axis 1"):
        nn.Reservoir(1, 4)(cr.input("x", ("batch", 3)))


def test_least_squares_forecast_a_chaotic_series() -> None:
    series = datasets.mackey_glass(700)[:, None] - 0.9
    x = cr.input("x", (1, 699, 1))
    run = cr.compile(nn.Reservoir(1, 60, spectral_radius=0.95, leak=0.5)(x), target="numpy")
    states = np.asarray(run.bind(run.initial_state())(x=series[None, :-1]))[0]
    weights, *_ = np.linalg.lstsq(states[100:500], series[101:501], rcond=None)
    error = states[500:] @ weights - series[501:]
    assert np.sqrt((error**2).mean()) < 0.02 * series.std()
