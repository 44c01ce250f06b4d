"""The benchmarks run and compare equal work; no time is asserted."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.benchmarks import against_numpy, startup


@pytest.mark.parametrize("name", list(against_numpy.WORKLOADS))
def test_both_steps_do_the_same_work(name: str) -> None:
    workload = against_numpy.WORKLOADS[name]
    outcome = against_numpy.measure(
        against_numpy.Workload(workload.sizes, workload.batch, steps=3), pairs=2
    )
    assert len(outcome.ratios) == 2
    assert outcome.ratio > 0


def test_images_are_read_from_a_file(tmp_path: Path) -> None:
    pixels = np.arange(16 + 4 * 784, dtype=np.int64).astype(np.uint8)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(pixels.tobytes()))
    x, y = against_numpy.data_of(against_numpy.WORKLOADS["mnist"], path)
    assert x.shape == (4096, 784)
    assert y.shape == (4096,)
    np.testing.assert_allclose(x[0], pixels[16 : 16 + 784] / 255, rtol=1e-6)


def test_startup_is_measured_in_fresh_processes() -> None:
    figure = startup.figure("print(0.25)", 3)
    assert figure == {"median": 0.25, "minimum": 0.25, "maximum": 0.25}
