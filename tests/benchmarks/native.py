"""Chainrule's native training loops beside NumPy's, JAX's, TensorFlow's and PyTorch's.

    python -m tests.benchmarks.native --peers .venv-peers/bin/python --mnist FOLDER

measures speed on one thread and on two, compile time, memory and the size of a library, and
writes docs/benchmarks.md with a plot; `make bench` does. Without --peers only Chainrule runs,
without --mnist the samples are random numbers. Let nothing else run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.compiled_cases import CASES
from tests.benchmarks.compiling import measure as measure_compiling
from tests.benchmarks.contender import ROOT, facts_of
from tests.benchmarks.own import TARGETS, exported_library
from tests.benchmarks.peak import DType, Peak, widest_bits
from tests.benchmarks.peers import PEERS
from tests.benchmarks.report import write
from tests.benchmarks.results import Results, Start, machine
from tests.benchmarks.scaling import copies_of
from tests.benchmarks.timing import Entry, Plan, caches_in, measure
from tests.benchmarks.workloads import (
    DRAWN,
    MNIST,
    WORKLOADS,
    Workload,
    data_from,
    drawn,
    random_data,
    spelled,
)

QUIET = 0.5  # processes that compete for the cores, on average over a minute
RESULTS = ROOT / ".benchmarks" / "native.json"
ROWS = 10_000  # of the processes whose memory is measured
ROWS_OF_DRAWN = 8  # batches of the samples of a drawn step


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--peers", default=os.environ.get("CHAINRULE_PEERS_PYTHON"), metavar="PYTHON",
        help="a Python with the other frameworks (or the variable CHAINRULE_PEERS_PYTHON)",
    )  # fmt: skip
    parser.add_argument(
        "--mnist", type=Path, default=os.environ.get("CHAINRULE_MNIST"), metavar="FOLDER",
        help="a folder of IDX files (or the variable CHAINRULE_MNIST)",
    )  # fmt: skip
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--workloads", nargs="*", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--only", nargs="*", choices=PEERS, default=list(PEERS), metavar="PEER")
    parser.add_argument("--drawn", type=int, default=DRAWN, help="steps of the efficiency map")
    parser.add_argument("--rounds", type=int, default=4, help="fresh processes of each")
    parser.add_argument("--blocks", type=int, default=8, help="timed blocks of each process")
    parser.add_argument("--seconds", type=float, default=0.1, help="of a block")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to keep the numbers in")
    parser.add_argument("--pages", type=Path, default=ROOT / "docs", help="folder of the page")
    return parser


class Benchmarks:
    """The measurements that the command line asks for."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.plan = Plan(options.rounds, options.blocks, options.seconds)
        # the last core is the least likely to serve the machine's interrupts
        self.cores = sorted(available_cores(), reverse=True)[:2]

    def entries(self, workload: str, threads: int) -> list[Entry]:
        """Every contender, in the order of the tables."""
        return [
            *(self.own(target, workload, threads) for target in self.options.targets),
            *(self.peer(name, workload, threads) for name in self._peers()),
        ]

    def _peers(self) -> list[str]:
        return list(self.options.only) if self.options.peers else []

    def own(
        self,
        target: str,
        workload: str,
        threads: int,
        *more: str,
        cores: Sequence[int] | None = None,
    ) -> Entry:
        module = ("-m", "tests.benchmarks.own", target, workload)
        name = f"Chainrule, {target}" + (f", {threads} threads" if threads > 1 else "")
        command = (sys.executable, *module, *self._arguments(threads, cores), *more)
        return Entry(name, command, required=True)

    def copies(self, workload: str, *more: str) -> Entry:
        """Two programs on one thread and a core each, which share nothing but the machine."""
        one, other = (
            self.own("llvm", workload, 1, *more, cores=[core]).command for core in self.cores
        )
        return Entry(copies_of("Chainrule, llvm"), one, required=True, beside=other)

    def peer(self, name: str, workload: str, threads: int, *more: str) -> Entry:
        module = ("-m", "tests.benchmarks.peers", name, workload)
        python = str(Path(self.options.peers).absolute())
        title = name + (f", {threads} threads" if threads > 1 else "")
        return Entry(title, (python, *module, *self._arguments(threads), *more))

    def _arguments(self, threads: int, cores: Sequence[int] | None = None) -> tuple[str, ...]:
        chosen = self.cores[:threads] if cores is None else cores
        names = ",".join(map(str, chosen))
        return ("--threads", str(threads), *(("--cores", names) if names else ()))

    def speeds(self, name: str, results: Results) -> None:
        workload = WORKLOADS[name]
        data = ("--data", str(self._data(name, workload)))
        entries = [replace(e, command=(*e.command, *data)) for e in self.entries(name, 1)]
        results.speeds[name] = measure(name, entries, peaks(workload.dtype), self.plan)

    def _data(self, name: str, workload: Workload) -> Path:
        from chainrule import datasets

        file = self.folder / f"{name}.npz"
        data = random_data(workload)
        if self.options.mnist and workload.sizes[0] == MNIST.sizes[0]:
            train = datasets.mnist(self.options.mnist).train
            data = data_from(workload, train.x, train.y)
        data.save(file)
        return file

    def threads(self, results: Results) -> None:
        """Two threads on mnist, beside one thread of Chainrule's first target."""
        one = self.own(self.options.targets[0], "mnist", 1)
        two = [entry for entry in self.entries("mnist", 2) if "Chainrule, numpy" not in entry.name]
        entries = [one, *two]
        if "llvm" in self.options.targets:
            entries.append(self.copies("mnist"))
        results.threads = measure("two threads", entries, peaks("float32"), self.plan)

    def drawn(self, results: Results) -> None:
        """The efficiency map: drawn steps on one thread and on two, beside JAX."""
        plan = Plan(1, self.options.blocks, self.options.seconds)
        for workload in drawn(self.options.drawn):
            name, rows = spelled(workload), ("--rows", str(ROWS_OF_DRAWN * workload.batch))
            entries = [self.own("llvm", name, 1, *rows, "--unchecked")]
            if len(self.cores) > 1:
                entries.append(self.own("llvm", name, 2, *rows, "--unchecked"))
                entries.append(self.copies(name, *rows, "--unchecked"))
            if "jax" in self._peers():
                entries.append(self.peer("jax", name, 1, *rows))
            results.drawn[name] = measure(name, entries, peaks("float32"), plan)

    def starts(self, results: Results) -> None:
        """Compile time and memory, of processes that do nothing else."""
        rows = ("--rows", str(ROWS))
        own = [self.own(t, "mnist", 1, *rows, "--unchecked") for t in self.options.targets]
        peers = [self.peer(name, "mnist", 1, *rows) for name in self._peers()]
        for entry in [*own, *peers]:
            print(f"{entry.name}: compile time and memory", file=sys.stderr)
            start = results.starts[entry.name] = Start()
            for _ in range(self.plan.rounds if entry in own else 1):
                _start(entry, start)

    def library(self) -> int | None:
        """Bytes of the stripped library of the digits network."""
        strip = shutil.which("strip")
        if strip is None:
            return None
        library = exported_library(WORKLOADS["digits"], self.folder / "exported")
        subprocess.run([strip, str(library)], check=True, timeout=60)
        return library.stat().st_size


def _start(entry: Entry, start: Start) -> None:
    with tempfile.TemporaryDirectory() as caches:
        cold = facts_of(entry.command, caches_in(caches))
        if "skipped" in cold:
            return
        start.cold.append(cold["compile"])
        start.memory.append(cold["memory"])
        start.cached.append(facts_of(entry.command, caches_in(caches))["compile"])


def available_cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def peaks(dtype: DType) -> tuple[Peak, Peak]:
    return Peak(dtype, widest_bits()), Peak(dtype, 256)


def run(options: argparse.Namespace) -> Results:
    results = Results(machine(), f"Chainrule, {options.targets[0]}")
    results.real_digits = options.mnist is not None
    with tempfile.TemporaryDirectory() as folder:
        benchmarks = Benchmarks(options, Path(folder))
        if benchmarks.cores:
            os.sched_setaffinity(0, benchmarks.cores[:1])
        if "mnist" in options.workloads:
            benchmarks.starts(results)
        for name in options.workloads:
            benchmarks.speeds(name, results)
        if "mnist" in options.workloads and len(benchmarks.cores) > 1:
            benchmarks.threads(results)
        if "llvm" in options.targets:
            benchmarks.drawn(results)
            results.library = benchmarks.library()
            results.compiling = measure_compiling(list(CASES), options.rounds)
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    options = command_line().parse_args(arguments)
    if os.getloadavg()[0] > QUIET:
        print("The machine is busy: times will be too long and uneven.", file=sys.stderr)
    results = run(options)
    results.save(options.results)
    write(results, options.pages)


if __name__ == "__main__":
    main()
