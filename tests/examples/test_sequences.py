"""The examples of sequences: what they reach."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.examples.running import Run

First = Callable[[str], Run]


@pytest.mark.nightly
def test_a_network_of_characters_knows_more_than_pairs(first_run: First) -> None:
    made = first_run("characters").results
    assert 4 < made.alone < 5
    assert made.network < made.pairs - 0.4 < made.alone - 1
    assert len(made.written) == 120
    assert made.written.count(" ") > 8


def test_least_squares_find_what_gradient_steps_go_to_slowly(first_run: First) -> None:
    made = first_run("reservoir").results
    assert made.solved < 0.002
    assert 10 * made.solved < made.descended < made.repeated
    assert len(made.alone) == 50
    assert max(made.alone[:10]) < 0.05


@pytest.mark.nightly
def test_one_recurrent_layer_does_four_tasks(first_run: First) -> None:
    made = first_run("sequence_tasks").results
    assert made.sine < 0.15  # the noise is 0.1
    assert made.rising > 0.95
    assert made.tags > 0.98
    assert made.sums > 0.8
