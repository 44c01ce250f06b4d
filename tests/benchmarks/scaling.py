"""How much two threads gain, beside what the machine gives to two programs in the same minute.

    python -m tests.benchmarks.scaling                  LeNet, a residual network and a Transformer
    python -m tests.benchmarks.scaling --only lenet     one of them

Two cores of a machine may share a clock that falls when both work, a cache, memory, or, where they
are virtual, a single core. What is left to a program of two threads is measured: two copies of the
same step on one thread each, every one on its own core and with its own memory, run at once, and
their work together is compared with that of one alone. All take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.contender import Facts, answer, arguments, prepare_process
from tests.benchmarks.tables import table
from tests.benchmarks.timing import Entry, Plan, Series, Spread, measure, ratios, spread

NETWORKS = ("lenet", "resnet", "gpt")
COPIES = """\
Two copies of a step on one thread each, which run at once on a core each and share nothing else,
show what the machine gives in these minutes: so many times the work of one alone."""
MEANING = f"{COPIES}\nThe last column is what two threads reach of that."


def copies_of(name: str) -> str:
    """What two programs at once are called."""
    return f"{name}, 2 copies at once"


@dataclass(frozen=True)
class Scaling:
    """Medians of neighbouring blocks.

    Attributes:
        ratio: how many times as fast two threads are as one.
        ceiling: how many times the work of one two copies at once do.
        quotient: of both.
    """

    ratio: float
    ceiling: float
    quotient: float

    @property
    def cells(self) -> tuple[str, str, str]:
        """Of a table."""
        return f"{self.ratio:.2f} ×", f"{self.ceiling:.2f} ×", f"{self.quotient:.0%}"


def scaling(group: Mapping[str, Series], own: str) -> Scaling | None:
    """Of one contender; None where two threads or two copies were not measured."""
    one, two, copies = (group.get(name) for name in (own, f"{own}, 2 threads", copies_of(own)))
    if one is None or two is None or copies is None:
        return None
    ratio, ceiling = (1 / ratios(series, one).median for series in (two, copies))
    return Scaling(ratio, ceiling, ratios(copies, two).median)


# ----- networks that are trained


class Trained:
    """A network's training program, a call of which is an epoch of so many steps."""

    def __init__(self, name: str, threads: int) -> None:
        from tests.benchmarks import images, sequences

        start = time.perf_counter()
        if name == "gpt":
            self.run, self.steps = sequences.own_gpt(threads), sequences.STEPS
        else:
            self.steps = 16
            self.run, _ = images.own_network(name, self.steps, threads)
        self.compile = time.perf_counter() - start

    def facts(self) -> Facts:
        return {"compile": self.compile, "versions": {}}

    def seconds(self, steps: int) -> float:
        calls = max(1, steps // self.steps)
        start = time.perf_counter()
        for _ in range(calls):
            self.run()
        return (time.perf_counter() - start) / (calls * self.steps)


def entries(name: str, cores: Sequence[int]) -> list[Entry]:
    """On one thread, on two, and twice at once."""

    def command(threads: int, *where: int) -> tuple[str, ...]:
        asked = ("--threads", str(threads), "--cores", ",".join(map(str, where)))
        return (sys.executable, "-m", "tests.benchmarks.scaling", "network", name, *asked)

    first, second = cores[:2]
    return [
        Entry("own", command(1, first), required=True),
        Entry("own, 2 threads", command(2, first, second), required=True),
        Entry(copies_of("own"), command(1, first), required=True, beside=command(1, second)),
    ]


def measured(names: Sequence[str], plan: Plan) -> dict[str, dict[str, Series]]:
    cores = sorted(os.sched_getaffinity(0), reverse=True)
    return {
        name: measure(name, entries(name, cores), (lambda: 1.0, lambda: 1.0), plan)
        for name in names
    }


def rows(found: Mapping[str, Mapping[str, Series]]) -> str:
    """The table, and what it means."""
    head = ("", "ms a step", "two threads", "two copies", "of that")
    lines = []
    for name, group in found.items():
        gained = scaling(group, "own")
        assert gained is not None, "all were measured"
        times: Spread = spread([sample.seconds * 1e3 for sample in group["own"].samples])
        lines.append((name, f"{times.median:.2f}", *gained.cells))
    return f"{table(head, lines)}\n\n{MEANING}"


def main(given: Sequence[str] | None = None) -> None:
    given = sys.argv[1:] if given is None else given
    if given[:1] == ["network"]:
        options = arguments(__doc__, "kind", ("network",)).parse_args(given)
        prepare_process(options.threads, options.cores)
        answer(Trained(options.workload, options.threads), serve=options.serve)
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file to keep the three numbers in")
    options = parser.parse_args(given)
    found = measured(options.only, Plan(1, options.blocks, 0.2))
    print(rows(found))
    if options.json:
        kept = {name: scaling(group, "own") for name, group in found.items()}
        told = {name: asdict(each) for name, each in kept.items() if each is not None}
        options.json.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
