"""The benchmarks of images: what is timed is what is said."""

from __future__ import annotations

import pytest
from tests.benchmarks import images
from tests.benchmarks.images import Kernel


def test_the_work_of_a_convolution_is_counted_by_its_windows() -> None:
    assert Kernel(2, 3, 5, 8, 3).flops == 2 * 2 * 64 * 3 * 5 * 9
    assert Kernel(2, 3, 5, 8, 3, stride=2).flops == 2 * 2 * 16 * 3 * 5 * 9


def test_each_part_of_a_kernel_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SECONDS", 0.0001)
    monkeypatch.setattr(images, "STEPS", 2)
    runs = images.kernel_runs(Kernel(1, 2, 3, 6, 3))
    assert {"forward", "image's gradient", "weight's gradient"} <= set(runs)
    found = images.interleaved(runs)
    assert {len(times) for times in found.values()} == {images.ROUNDS}
    assert all(time > 0 for times in found.values() for time in times)


def test_the_networks_have_as_many_parameters_as_in_pytorch() -> None:
    sizes = {
        name: images.declared(name).summary(("batch", *network.image)).total.parameters
        for name, network in images.NETWORKS.items()
    }
    assert sizes == {"lenet": 61_706, "resnet": 78_042}
