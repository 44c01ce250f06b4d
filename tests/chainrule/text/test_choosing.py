"""How often tokens are chosen, against NumPy's probabilities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.text.choosing import choose, probabilities

LOGITS = np.array([2.0, -1.0, 0.5, 2.5, 0.0, 2.0, -30.0], np.float32)
DRAWS = 20_000


def wanted(temperature: float, top_k: int | None, top_p: float | None) -> npt.NDArray[np.float64]:
    """By hand: the likeliest first, cut, and divided by their sum."""
    order = np.argsort(-LOGITS, kind="stable")[: top_k or None]
    chances = np.exp(LOGITS[order].astype(np.float64) / temperature)
    chances /= chances.sum()
    kept = len(order) if top_p is None else np.searchsorted(np.cumsum(chances), top_p) + 1
    found = np.zeros(LOGITS.size)
    found[order[:kept]] = chances[:kept] / chances[:kept].sum()
    return found


SETTINGS: list[tuple[float, int | None, float | None]] = [
    (1.0, None, None), (0.5, None, None), (2.0, 3, None), (1.0, None, 0.7), (1.5, 4, 0.6),
    (1.0, 1, None), (1.0, None, 1e-6), (1.0, 20, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_frequencies(target: str) -> None:
    x = cr.input("x", ("batch", LOGITS.size))
    tokens = [choose(x, *setting, seed=number) for number, setting in enumerate(SETTINGS)]
    chances = [probabilities(x, *setting) for setting in SETTINGS]
    found = cr.compile([*tokens, *chances], target=target)(np.tile(LOGITS, (DRAWS, 1)))
    for setting, drawn, given in zip(SETTINGS, found, found[len(SETTINGS) :], strict=False):
        expected = wanted(*setting)
        np.testing.assert_allclose(np.asarray(given)[0], expected, rtol=1e-5, atol=1e-7)
        counts = np.bincount(np.asarray(drawn), minlength=LOGITS.size) / DRAWS
        assert not counts[expected == 0].any()
        deviation = np.sqrt(expected * (1 - expected) / DRAWS)
        assert (np.abs(counts - expected) <= 4.5 * deviation + 1e-4).all()


def test_without_temperature_it_is_the_likeliest() -> None:
    x = cr.input("x", ("batch", LOGITS.size))
    found = cr.compile(choose(x, 0.0), target="numpy")(LOGITS[None])
    assert np.asarray(found).tolist() == [3]
