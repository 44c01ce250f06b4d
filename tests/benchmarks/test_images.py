"""The benchmarks of images: what is timed is what is said."""

from __future__ import annotations

import pytest
from tests.benchmarks import images, images_memory
from tests.benchmarks.images import Kernel

from chainc.backends.storage import Allocation
from chainrule.views.plan import Plan


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


def test_a_step_takes_little_more_than_its_backward_pass_begins_with_and_may_take_less() -> None:
    program = images_memory.residual_net()
    full = program.plan.arena_bytes
    assert full <= 1.15 * images_memory.live_bytes(program.plan)
    small = images_memory.residual_net(int(images_memory.BUDGET * full))
    assert small.plan.arena_bytes <= images_memory.BUDGET * full


def test_only_what_is_kept_for_the_backward_pass_counts() -> None:
    def work(name: str, first: int, last: int) -> Allocation:
        return Allocation(name, "work", "f32[8]", "row-major", "arena", 0, 1 << first, first, last)

    found = [work("relu", 0, 6), work("sum", 1, 2), work("loss", 3, 3), work("late", 4, 9)]
    kernels = ("relu", "sum", "linear", "loss", "d_linear")
    state = Allocation("weight", "state", "f32[8]", "row-major", "arena", 0, 32)
    assert images_memory.live_bytes(Plan((state, *found), kernels, 64)) == 1
