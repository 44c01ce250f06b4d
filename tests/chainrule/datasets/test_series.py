"""Computed series: that they solve their equation, and are told apart by their start."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import datasets
from chainrule.datasets import series


def test_finer_steps_give_the_same_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "UNITS_BEFORE", 0)
    coarse = datasets.mackey_glass(120)
    monkeypatch.setattr(series, "STEPS", 40)
    np.testing.assert_allclose(coarse, datasets.mackey_glass(120), atol=2e-4)


def test_the_start_follows_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the delayed value is the start, x goes to its limit as e^(-0.1 t)."""
    monkeypatch.setattr(series, "UNITS_BEFORE", 0)
    t, limit = np.arange(17), 2 * 1.2 / (1 + 1.2**10)
    np.testing.assert_allclose(
        datasets.mackey_glass(17), limit + (1.2 - limit) * np.exp(-0.1 * t), rtol=1e-6
    )


def test_it_stays_within_bounds_and_does_not_repeat() -> None:
    found = datasets.mackey_glass(600)
    assert found.dtype == np.float32
    assert found.shape == (600,)
    assert 0.2 < found.min() < 0.5
    assert 1.2 < found.max() < 1.4
    other = datasets.mackey_glass(600, start=1.2001)
    assert np.abs(found - other)[-100:].max() > 100 * np.abs(1.2 - 1.2001)


@pytest.mark.parametrize(("given", "name"), [({"n": 0}, "n"), ({"delay": 0}, "delay"),
                                             ({"start": -1.0}, "start")])  # fmt: skip
def test_numbers_out_of_range_are_refused(given: dict[str, int], name: str) -> None:
    with pytest.raises(cr.InputError, match=rf"mackey_glass: {name} must be (?s:.*)try: give"):
        datasets.mackey_glass(**given)
