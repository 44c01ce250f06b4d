"""How far targets are apart after 200 steps: the table that `elsewhere.md` shows.

python -m docs.bits         prints it; it takes the emulators that the tests take
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from tests.emulated import Emulated
from tests.other_targets import HereAs, Relaxed

import chainrule as cr
from chainc.backends.llvm.processors.by_name import processor_named
from chainc.backends.llvm.processors.native import host
from chainc.backends.target import Target
from chainc.ir.types import Array
from chainc.schedules.layout.machine import AVX512
from chainrule import losses, nn, optim

ROWS, BATCH, EPOCHS = 37, 8, 40  # five steps an epoch, the last of them smaller
BESIDE = "x86-64-v3"  # what the others are compared with


def dense(x: cr.Node) -> cr.Node:
    return nn.Sequential(nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 4))(x)


def convolutional(x: cr.Node) -> cr.Node:
    images = cr.reshape(x, ("batch", 1, 6, 6))
    layers = (nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 4))
    return nn.Sequential(*layers)(images)


def recurrent(x: cr.Node) -> cr.Node:
    return nn.Linear(8, 4)(nn.LSTM(6, 8)(cr.reshape(x, ("batch", 6, 6)))[:, -1])


NETWORKS: Mapping[str, Callable[[cr.Node], cr.Node]] = {
    "dense": dense,
    "convolutional": convolutional,
    "LSTM": recurrent,
}


SHOWN: Mapping[str, str] = {
    BESIDE: '`"x86-64-v3"`, `"native"` with AVX2',
    "x86-64-v4": '`"x86-64-v4"`, `"native"` with AVX-512',
    "x86-64": '`"x86-64"`',
    "aarch64": '`"aarch64"`',
    "riscv64": '`"riscv64"`',
    "cortex-m4": '`"cortex-m4"`',
    "wasm": '`target="wasm"`',
    "wasm, relaxed": "the same, fused",
    "c": '`target="c"`, built here',
    "numpy": '`target="numpy"`',
}


def target_of(name: str) -> str | Target:
    """A target of the table, where this machine has it or an emulator of it."""
    if name in {"numpy", "wasm", "c"}:
        return name
    if name == "wasm, relaxed":
        return Relaxed()
    processor = processor_named(name)
    here = processor.machine.vector_bytes == 64 and host().machine != AVX512
    return HereAs(name, processor) if here else Emulated(name)


def trained(target: str | Target, network: str) -> cr.State:
    """What 200 steps leave, with the first values that the target itself draws."""
    x, y = cr.input("x", ("batch", 36)), cr.input("y", ("batch",), dtype="int32")
    loss = losses.cross_entropy(NETWORKS[network](x), y)
    declared = cr.training(optim.Adam(lr=0.01).minimize(loss), epochs=EPOCHS, batch_size=BATCH)
    random = np.random.default_rng(0)
    data: dict[str, Array] = {
        "x": random.standard_normal((ROWS, 36)).astype(np.float32),
        "y": random.integers(0, 4, ROWS).astype(np.int32),
    }
    return cr.compile(declared, target=target).run(data, progress=False).state


def apart(found: cr.State, other: cr.State) -> float:
    """The largest difference in any tensor, in parts of the tensor's largest element."""
    return max(
        float(np.max(np.abs(found[name] - value.astype(np.float64))) / np.max(np.abs(value)))
        for name, value in other.items()
        if value.dtype.kind == "f"
    )


def cell(found: cr.State, other: cr.State) -> str:
    """Of the table: without more digits than another engine or library would leave."""
    difference = apart(found, other)
    return f"{difference:.0e}".replace("e-0", "e-") if difference else "identical"


def row(name: str, beside: Mapping[str, cr.State]) -> str:
    """Of the table: a target, and how far it is from another in each network."""
    cells = [cell(trained(target_of(name), network), other) for network, other in beside.items()]
    return f"| {' | '.join([SHOWN[name], *cells])} |"


def reference() -> Mapping[str, cr.State]:
    """What the others are compared with, by network."""
    return {network: trained(target_of(BESIDE), network) for network in NETWORKS}


def main() -> None:
    """Prints the table."""
    beside = reference()
    print(f"| target | {' | '.join(NETWORKS)} |\n|---|{'---|' * len(NETWORKS)}")
    for name in SHOWN:
        print(row(name, beside), flush=True)


if __name__ == "__main__":
    main()
