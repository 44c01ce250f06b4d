"""The examples without labels: what they reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.examples.running import load


@pytest.mark.nightly
def test_a_penalty_on_the_slope_lets_a_generator_cover_all_modes(tmp_path: Path) -> None:
    made = load("gaussians").main(tmp_path, seeds=5)
    assert sum(each.modes == 8 for each in made.penalised) >= 4
    assert min(each.good for each in made.penalised) > 0.7
    assert sum(each.modes < 8 for each in made.plain) >= 4  # it has collapsed
    assert min(each.good for each in made.plain) > 0.8  # onto points that are good
    assert sum(each.modes >= 7 for each in made.wasserstein) >= 4
