"""What networks for images take of memory, and what a budget of bytes costs in time.

    python -m tests.benchmarks.images_memory

The plan of a training step of the residual net beside the values that its backward pass begins
with; the same step in 60 % of that plan; and the whole process that predicts with VGG16, compiled
from nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from tests.benchmarks import images
from tests.benchmarks.contender import ROOT, peak_memory

if TYPE_CHECKING:
    import chainrule as cr
    from chainrule.views.plan import Plan

BUDGET = 0.6  # of the plan
BATCHES = 16  # of a run
PARAMETERS = 138_357_544  # of VGG16


def residual_net(memory: int | None = None) -> cr.TrainingProgram:
    import chainrule as cr

    training = images.declared_training("resnet")
    return cr.compile(training, threads=1, memory=memory)


def live_bytes(plan: Plan) -> int:
    """Of the values that are kept when the loss is computed, and the backward pass begins."""
    begun = plan.kernels.index("loss")
    return sum(
        each.bytes
        for each in plan.allocations
        if each.role == "work" and each.first is not None and each.last is not None
        and each.first < begun <= each.last
    )  # fmt: skip


def rows() -> Sequence[str]:
    usual = residual_net()
    full, live = usual.plan.arena_bytes, live_bytes(usual.plan)
    small = residual_net(int(BUDGET * full))
    taken = small.plan.arena_bytes
    x, y = images.data_of(images.NETWORKS["resnet"], BATCHES)
    runs = {}
    for name, program in (("usual", usual), ("small", small)):
        runs[name] = images.run_of(program, x, y)
    found = images.interleaved(runs)
    ratios = [b / a for a, b in zip(found["usual"], found["small"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    peak, seconds = predicting_apart()
    weights = 4 * PARAMETERS
    return [
        "| memory | bytes | share |",
        "|---|---|---|",
        f"| residual net, plan of a step | {full:,} | {full / live:.3f} × what is kept when the "
        "backward pass begins |",
        f"| the same with memory= {BUDGET:.0%} of it | {taken:,} | {taken / full:.1%}; "
        f"{middle:.2f} × the time ({low:.2f}, {high:.2f}) |",
        f"| VGG16, the process of a prediction, {seconds:.1f} s cold | {peak:,} | "
        f"{peak / weights:.2f} × its weights |",
    ]


def predicting_apart() -> tuple[int, float]:
    """The peak of memory and the seconds to the first result, in a process with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "tests.benchmarks.images_memory", "vgg16"]
        environment = {**os.environ, "XDG_CACHE_HOME": cache}
        told = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
    peak, seconds = told.stdout.split()
    return int(peak), float(seconds)


def predict() -> None:
    """VGG16 on one image, from the declaration on."""
    import chainrule as cr
    from chainrule import zoo

    start = time.perf_counter()
    logits = zoo.vgg16()(cr.input("x", (1, 3, 224, 224)))
    function = cr.compile(logits)
    predict = function.bind(function.initial_state(seed=0))
    predict(x=np.ones((1, 3, 224, 224), np.float32))
    print(peak_memory(), time.perf_counter() - start)


def main() -> None:
    if sys.argv[1:] == ["vgg16"]:
        predict()
    else:
        print("\n".join(rows()))


if __name__ == "__main__":
    main()
