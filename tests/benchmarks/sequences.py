"""Recurrent networks, a Transformer, attention and sampling, beside PyTorch and JAX.

    python -m tests.benchmarks.sequences                     all of them, as a table
    python -m tests.benchmarks.sequences --only lstm gpt     some

All in one process on one core, for functions would share long calls among all: each figure is the
median of rounds, in which Chainrule and the others, where they are installed, take turns. What is
trained goes through whole steps, updates included; the numbers of characters are those of a small
text.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.benchmarks.images import Run, interleaved
from tests.benchmarks.sequences_in_jax import jax_recurrent
from tests.benchmarks.sequences_in_torch import (
    torch_attention,
    torch_gpt,
    torch_recurrent,
    torch_sampler,
)

CHARACTERS = 65
STEPS = 24  # of training in one call
WRITTEN = 1000  # characters


@dataclass(frozen=True)
class Size:
    """What a network is trained on: rows of so many characters, and how wide it is."""

    batch: int
    time: int
    width: int


RECURRENT = Size(32, 64, 128)
GPT = Size(12, 64, 128)
LAYERS, HEADS = 4, 4
ATTENTION = (8, 8, 512, 64)  # rows, heads, queries and keys, and the width of a head


def text_of(size: Size) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    shape = STEPS * size.batch, size.time
    x, y = (random.integers(0, CHARACTERS, shape).astype(np.int32) for _ in range(2))
    return x, y


# ----- what is trained


def own_training(size: Size, model: Any, optimizer: Any, threads: int = 1) -> Run:
    import chainrule as cr
    from chainrule import losses

    x, y = (cr.input(key, ("batch", size.time), dtype="int32") for key in "xy")
    step = optimizer.minimize(losses.cross_entropy(model(x), y))
    program = cr.compile(
        cr.training(step, epochs=1, batch_size=size.batch, shuffle=False), threads=threads
    )
    state = program.initial_state(seed=0)
    rows = dict(zip("xy", text_of(size), strict=True))

    def run() -> None:
        nonlocal state
        state = program.run(rows, state=state, progress=False).state

    run()
    return run


def own_recurrent(kind: str) -> Run:
    from chainrule import nn, optim

    model = nn.Sequential(
        nn.Embedding(CHARACTERS, CHARACTERS),
        getattr(nn, kind)(CHARACTERS, RECURRENT.width),
        nn.Linear(RECURRENT.width, CHARACTERS),
    )
    return own_training(RECURRENT, model, optim.SGD(lr=0.01, momentum=0.9))


def transformer() -> Any:
    from chainrule import nn

    return nn.Transformer(
        vocabulary=CHARACTERS, width=GPT.width, heads=HEADS, layers=LAYERS, context=GPT.time,
        causal=True, dropout=0.0,
    )  # fmt: skip


def own_gpt(threads: int = 1) -> Run:
    from chainrule import optim

    clip = optim.clip.by_global_norm(1.0)
    optimizer = optim.AdamW(lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, clip=clip)
    return own_training(GPT, transformer(), optimizer, threads)


# ----- what is called


def own_attention() -> Run:
    import chainrule as cr

    given = [cr.input(key, ATTENTION) for key in "qkv"]
    total = cr.sum(cr.attention(*given, causal=True))
    function = cr.compile([total, *cr.grad(total, given)])
    arrays = dict(zip("qkv", queries_keys_values(), strict=True))

    def run() -> None:
        function(**arrays)

    return run


def queries_keys_values() -> Sequence[Any]:
    random = np.random.default_rng(0)
    return [random.standard_normal(ATTENTION).astype(np.float32) for _ in range(3)]


def own_sampling() -> Run:
    import chainrule as cr
    from chainrule import text

    writer = cr.compile(text.sampler(transformer(), length=WRITTEN, temperature=0.8))
    bound = writer.bind(writer.initial_state(seed=0))
    prompt = np.zeros(1, np.int32)

    def run() -> None:
        bound(prompt=prompt, seed=1)

    return run


# ----- the table


def contenders(name: str) -> tuple[Mapping[str, Run | None], int]:
    """What takes turns, and how many steps a call is."""
    if name in ("rnn", "lstm", "gru"):
        rows, kind = text_of(RECURRENT), name.upper()
        peers = {
            "torch": torch_recurrent(kind, rows, RECURRENT, CHARACTERS),
            "jax": jax_recurrent(kind, rows, RECURRENT, CHARACTERS),
        }
        return {"own": own_recurrent(kind), **peers}, STEPS
    if name == "gpt":
        torch = torch_gpt(text_of(GPT), GPT, CHARACTERS, LAYERS, HEADS)
        return {"own": own_gpt(), "torch": torch}, STEPS
    if name == "attention":
        return {"own": own_attention(), "torch": torch_attention(queries_keys_values())}, 1
    torch = torch_sampler(GPT, CHARACTERS, LAYERS, HEADS, WRITTEN)
    return {"own": own_sampling(), "torch": torch}, 1


WORKLOADS = ("rnn", "lstm", "gru", "gpt", "attention", "sampling")


def rows(names: Sequence[str]) -> Sequence[str]:
    found = ["| workload | Chainrule, ms | others, ms | ratio to the best, its quartiles | first |",
             "|---|---|---|---|---|"]  # fmt: skip
    for name in names:
        start = time.perf_counter()
        runs, steps = contenders(name)
        first = time.perf_counter() - start
        times = interleaved({key: run for key, run in runs.items() if run is not None})
        found.append(row_of(name, times, steps, first))
    return found


def row_of(name: str, times: Mapping[str, Sequence[float]], steps: int, first: float) -> str:
    medians = {key: statistics.median(each) / steps * 1e3 for key, each in times.items()}
    ours = medians.pop("own")
    if not medians:
        return f"| {name} | {ours:.2f} | not installed | | {first:.1f} s |"
    best = min(medians, key=medians.__getitem__)
    ratios = [b / a for a, b in zip(times["own"], times[best], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    told = ", ".join(f"{key} {value:.2f}" for key, value in medians.items())
    return (
        f"| {name} | {ours:.2f} | {told} | {middle:.2f} ({low:.2f}, {high:.2f}) | {first:.1f} s |"
    )


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ.setdefault("XLA_FLAGS", one_thread)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    print("\n".join(rows(parser.parse_args().only)))


if __name__ == "__main__":
    main()
