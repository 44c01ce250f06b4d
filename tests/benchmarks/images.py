"""Convolutions, and the training of convolutional networks: shares of the peak, and PyTorch's time.

    python -m tests.benchmarks.images                  kernels, then networks, as tables
    python -m tests.benchmarks.images --only networks  one of the two

All in one process on one thread, unless a column says so: each figure is the median of rounds, in
which Chainrule and PyTorch, where it is installed, take turns. Chainrule's kernels run in a loop,
as they do in a training: images lie as it lays them, padding is counted in, and arrays go in and
out once a run. What two threads gain beside what the machine gives is measured by `scaling.py`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import chainrule as cr
    from chainc.ir import Node
    from chainrule import nn

ROUNDS = 9
SECONDS = 0.05  # of one turn
STEPS = 128  # of a loop around a single convolution
RATE, MOMENTUM = 0.01, 0.9

Run = Callable[[], None]


@dataclass(frozen=True)
class Kernel:
    """A convolution of square images, padded to keep their size before they are strided."""

    batch: int
    inputs: int
    outputs: int
    size: int
    taps: int
    stride: int = 1

    @property
    def flops(self) -> int:
        pixels = (self.size // self.stride) ** 2
        return 2 * self.batch * pixels * self.inputs * self.outputs * self.taps**2


@dataclass(frozen=True)
class Network:
    """A network that is trained: its images, and the useful operations of a step."""

    image: tuple[int, int, int]
    batch: int
    flops: int


KERNELS: Mapping[str, Kernel] = {
    "3 × 3, 64 to 64, 16 × 16, batch 16": Kernel(16, 64, 64, 16, 3),
    "3 × 3, 32 to 64, 16 × 16, stride 2, batch 16": Kernel(16, 32, 64, 16, 3, stride=2),
    "1 × 1, 64 to 256, 14 × 14, batch 8": Kernel(8, 64, 256, 14, 1),
}
NETWORKS: Mapping[str, Network] = {
    "lenet": Network((1, 28, 28), 64, 2 * 64 * (2 * 28 * 28 * 25 * 6 + 3 * 10 * 10 * 25 * 96
                                               + 3 * (400 * 120 + 120 * 84 + 84 * 10))),
    "resnet": Network((3, 32, 32), 32, 0),
}  # fmt: skip
WIDTHS = (16, 16, 32, 64)  # of the small residual network: its stem, and one block each


def seconds(run: Run) -> float:
    """Of one call, of as many as fill a turn."""
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < SECONDS:
        run()
        count += 1
    return (time.perf_counter() - start) / count


def interleaved(runs: Mapping[str, Run]) -> dict[str, list[float]]:
    """Seconds by contender, round by round; the first round warms up."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for position in range(ROUNDS + 1):
        for name, run in runs.items():
            taken = seconds(run)
            if position:
                found[name].append(taken)
    return found


# ----- single kernels


def kernel_runs(kernel: Kernel) -> dict[str, Run]:
    """The three convolutions of a layer: its result, and the gradients of image and weight.

    Each of Chainrule's is done `STEPS` times in a run, PyTorch's once.
    """
    import chainrule as cr

    random = np.random.default_rng(0)
    side, pad = kernel.size, kernel.taps // 2
    shapes = {
        "x": (kernel.batch, kernel.inputs, side, side),
        "w": (kernel.outputs, kernel.inputs, kernel.taps, kernel.taps),
        "g": (kernel.batch, kernel.outputs, side // kernel.stride, side // kernel.stride),
    }
    given = {key: random.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}
    x, w, g = (cr.parameter(key, shape, given[key]) for key, shape in shapes.items())
    y = cr.conv2d(x, w, stride=kernel.stride, padding=pad)
    both = cr.grad(cr.sum(y * g), [x, w])
    nodes = dict(zip(("forward", "image's gradient", "weight's gradient"), (y, *both), strict=True))
    runs: dict[str, Run] = {}
    for name, node in nodes.items():
        runs[name] = _loop_around(name, node)
    runs.update(_torch_kernels(given, kernel.stride, pad))
    return runs


def _loop_around(name: str, node: Node) -> Run:
    """The node in each step of a training that learns nothing but a number."""
    import chainrule as cr
    from chainc.ir.types import static
    from chainrule import optim

    number = cr.parameter("number", (), "ones")
    step = optim.SGD(lr=RATE).minimize(number * number)
    slot = cr.parameter(f"slot of {name}", static(node.shape), "zeros", trainable=False)
    step = replace(step, updates={**step.updates, slot: node})
    program = cr.compile(cr.training(step, epochs=STEPS), threads=1)
    state = program.initial_state(seed=0)

    def run() -> None:
        program.run(state=state)

    return run


def _torch_kernels(given: Mapping[str, Any], stride: int, pad: int) -> dict[str, Run]:
    try:
        torch = import_module("torch")
    except ImportError:
        return {}
    torch.set_num_threads(1)
    x, w, g = (torch.tensor(given[key]) for key in "xwg")
    backward, forward = torch.ops.aten.convolution_backward, torch.nn.functional.conv2d
    fixed = ([0], [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1)
    return {
        "torch forward": lambda: forward(x, w, stride=stride, padding=pad),
        "torch image's gradient": lambda: backward(g, x, w, *fixed, [True, False, False]),
        "torch weight's gradient": lambda: backward(g, x, w, *fixed, [False, True, False]),
    }


# ----- networks


def declared(name: str) -> nn.Module:
    from chainrule import nn

    if name == "lenet":
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120),
            nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )  # fmt: skip
    blocks: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(WIDTHS)):
        stride = 2 if number else 1
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
        )
        block = nn.Residual(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
            shortcut=shortcut if number else None,
        )  # fmt: skip
        blocks += [block, nn.ReLU()]
    return nn.Sequential(
        nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(),
        *blocks, nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(WIDTHS[-1], 10),
    )  # fmt: skip


def data_of(network: Network, batches: int) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    rows = batches * network.batch
    images = random.standard_normal((rows, *network.image)).astype(np.float32)
    return images, random.integers(0, 10, rows).astype(np.int32)


def own_network(name: str, batches: int, threads: int = 1) -> tuple[Run, float]:
    """An epoch of so many steps, and the seconds from the declaration to its first end."""
    import chainrule as cr

    images, labels = data_of(NETWORKS[name], batches)
    start = time.perf_counter()
    run = run_of(cr.compile(declared_training(name), threads=threads), images, labels)
    run()
    return run, time.perf_counter() - start


def declared_training(name: str) -> cr.Training:
    import chainrule as cr
    from chainrule import losses, optim

    network = NETWORKS[name]
    x = cr.input("x", ("batch", *network.image))
    y = cr.input("y", ("batch",), dtype="int32")
    loss = losses.cross_entropy(declared(name)(x), y)
    step = optim.SGD(lr=RATE, momentum=MOMENTUM).minimize(loss)
    return cr.training(step, epochs=1, batch_size=network.batch, shuffle=False)


def run_of(program: cr.TrainingProgram, images: Any, labels: Any) -> Run:
    """An epoch after those before."""
    state = program.initial_state(seed=0)

    def run() -> None:
        nonlocal state
        state = program.run({"x": images, "y": labels}, state=state).state

    return run


def torch_network(name: str, batches: int) -> Run | None:
    try:
        torch = import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(1)
    network = NETWORKS[name]
    images, labels = (torch.tensor(part) for part in data_of(network, batches))
    model = _torch_model(torch, name)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)

    def run() -> None:
        for start in range(0, len(images), network.batch):
            rows = slice(start, start + network.batch)
            optimizer.zero_grad()
            scores = model(images[rows])
            torch.nn.functional.cross_entropy(scores, labels[rows].long()).backward()
            optimizer.step()

    return run


def _torch_model(torch: Any, name: str) -> Any:
    nn = torch.nn
    if name == "lenet":
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5),
            nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(),
            nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )  # fmt: skip

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.inner = nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs),
                nn.ReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )  # fmt: skip
            self.shortcut = nn.Identity() if stride == 1 else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            return (self.inner(x) + self.shortcut(x)).relu()

    pairs = enumerate(pairwise(WIDTHS))
    return nn.Sequential(
        nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(),
        *(Block(i, o, 2 if number else 1) for number, (i, o) in pairs),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 10),
    )  # fmt: skip


# ----- tables


def kernel_rows() -> Sequence[str]:
    from tests.benchmarks.peak import Peak, widest_bits

    peak = Peak("float32", widest_bits())
    rows = ["| convolution | part | Chainrule, of peak | PyTorch, of peak |", "|---|---|---|---|"]
    for name, kernel in KERNELS.items():
        best = peak()
        found = interleaved(kernel_runs(kernel))
        best = max(best, peak())
        share = {
            part: kernel.flops * (1 if part.startswith("torch") else STEPS)
            / statistics.median(times) / best
            for part, times in found.items()
        }  # fmt: skip
        rows += [
            f"| {name} | {part} | {value:.0%} | {_percent(share.get(f'torch {part}'))} |"
            for part, value in share.items()
            if not part.startswith("torch")
        ]
    return rows


def _percent(share: float | None) -> str:
    return "not installed" if share is None else f"{share:.0%}"


def network_rows(batches: int = 16) -> Sequence[str]:
    rows = ["| network | Chainrule, ms a step | PyTorch | ratio, its quartiles | first epoch | "
            "two threads |", "|---|---|---|---|---|---|"]  # fmt: skip
    for name in NETWORKS:
        own, first = own_network(name, batches)
        theirs = torch_network(name, batches)
        runs = {"own": own, "both": own_network(name, batches, threads=2)[0]}
        runs |= {} if theirs is None else {"torch": theirs}
        found = interleaved(runs)
        ours = statistics.median(found["own"]) / batches
        told = "not installed | "
        if theirs is not None:
            ratios = [b / a for a, b in zip(found["own"], found["torch"], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            torch_time = statistics.median(found["torch"]) / batches
            told = f"{torch_time * 1e3:.2f} | {middle:.2f} ({low:.2f}, {high:.2f})"
        useful = NETWORKS[name].flops
        speed = f" ({useful / ours / 1e9:.0f} GFLOP/s useful)" if useful else ""
        gain = statistics.median(a / b for a, b in zip(found["own"], found["both"], strict=True))
        took = f"{first:.2f} s | {gain:.2f} × as fast"
        rows.append(f"| {name} | {ours * 1e3:.2f}{speed} | {told} | {took} |")
    return rows


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("kernels", "networks"))
    only = parser.parse_args().only
    if only != "networks":
        print("\n".join(kernel_rows()))
    if only != "kernels":
        print("\n".join(network_rows()))


if __name__ == "__main__":
    main()
