"""The examples without labels: what they reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.examples.running import Run, load

First = Callable[[str], Run]


@pytest.mark.nightly
def test_a_penalty_on_the_slope_lets_a_generator_cover_all_modes(tmp_path: Path) -> None:
    made = load("gaussians").main(tmp_path, seeds=5)
    assert sum(each.modes == 8 for each in made.penalised) >= 4
    assert min(each.good for each in made.penalised) > 0.7
    assert sum(each.modes < 8 for each in made.plain) >= 4  # it has collapsed
    assert min(each.good for each in made.plain) > 0.8  # onto points that are good
    assert sum(each.modes >= 7 for each in made.wasserstein) >= 4


@pytest.mark.nightly
def test_a_generator_left_alone_makes_a_few_digits_and_a_punished_one_all(first_run: First) -> None:
    made = first_run("digits_gan").results
    assert max(made.plain) > 0.3
    assert min(made.plain) < 0.02
    assert min(made.penalised) > 0.03
    assert max(made.penalised) < 0.25
    for shares in (made.plain, made.penalised):
        assert sum(shares) == pytest.approx(1)


@pytest.mark.nightly
def test_a_linear_autoencoder_finds_the_principal_components(first_run: First) -> None:
    made = first_run("autoencoders").results
    assert made.exact <= made.linear * (1 + 1e-6) < made.exact * 1.005
    assert made.angle > 0.95
    assert made.noisy == pytest.approx(0.09, abs=0.005)  # the square of 0.3
    assert made.denoised < made.noisy / 4
    assert 1 < made.divergence < 8
    assert made.evidence < 25


@pytest.mark.nightly
def test_a_flow_is_a_density_that_knows_more_than_a_normal_one(first_run: First) -> None:
    made = first_run("density").results
    assert made.integral == pytest.approx(1, abs=0.01)
    assert made.flow < made.normal - 0.7
    assert made.drawn == pytest.approx(made.flow, abs=0.15)


@pytest.mark.nightly
def test_missing_pixels_and_a_missing_class_are_told(first_run: First) -> None:
    made = first_run("missing").results
    assert made.network < made.nearest - 0.01 < made.mean - 0.05
    assert np.mean(made.areas) > 0.9
    assert np.mean(made.by_distance) < 0.7
    assert min(made.areas) > 0.7


@pytest.mark.nightly
def test_groups_are_those_of_lloyd_and_views_teach_what_moving_leaves(first_run: First) -> None:
    made = first_run("without_labels").results
    assert made.descended == pytest.approx(made.lloyd, rel=0.03)
    assert made.purity > 0.65
    assert made.features > made.pixels + 0.02
    assert made.moved_features > made.moved_pixels + 0.2
