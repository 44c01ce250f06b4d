"""What everything that is timed has in common: how its process starts, answers and ends.

A contender's process prints one JSON line when it is ready. Served (`--serve`), it then reads
numbers of steps from its input, trains that many steps for each, and prints the seconds of one.
Only the standard library is needed: numbers of threads must be set before NumPy is imported.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).parents[2]
WARM_UP = 0.5  # seconds
Facts = dict[str, Any]  # read from a JSON line


class Contender(Protocol):
    """Something that trains a workload."""

    def facts(self) -> Facts:
        """At least "compile", in seconds, and "versions"."""

    def seconds(self, steps: int) -> float:
        """Train about so many steps, and give the seconds of one."""


class LeftOutError(Exception):
    """The contender's framework is not installed, or it has no program for the workload."""


def arguments(description: str | None, name: str, names: Sequence[str]) -> argparse.ArgumentParser:
    """The command line of every contender."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument(name, choices=names)
    parser.add_argument("workload")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cores", help="pin the process to them, such as 1 or 0,1")
    parser.add_argument("--data", type=Path, help="samples saved by native.py; else random ones")
    parser.add_argument("--rows", type=int, help="number of random samples")
    parser.add_argument("--serve", action="store_true", help="go on for steps read from the input")
    return parser


def prepare_process(threads: int, cores: str | None) -> None:
    """Pin the process, and tell every library its number of threads, before any is imported."""
    if cores is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = str(threads)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )


def peak_memory() -> int:
    """Bytes of the process's memory that were resident at most.

    Linux says so of the program that runs now. What `getrusage` tells there began before it: with
    as much as was resident in the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii").splitlines()
        peak = next((line for line in lines if line.startswith("VmHWM:")), None)
        if peak is not None:
            return int(peak.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def answer(contender: Contender, *, serve: bool) -> None:
    """Warm up, print the facts and the seconds of a step, then serve."""
    steps, seconds, start = 1, 0.0, time.perf_counter()
    while time.perf_counter() - start < WARM_UP:
        seconds = contender.seconds(steps)
        steps = max(1, int(WARM_UP / 4 / seconds))
    print(json.dumps({**contender.facts(), "seconds": seconds, "memory": peak_memory()}))
    sys.stdout.flush()
    if serve:
        for line in sys.stdin:
            print(contender.seconds(int(line)), flush=True)


class ProcessError(Exception):
    """A contender's process ended before it answered."""

    def __init__(self, command: Sequence[str], errors: str) -> None:
        reason = (errors.strip() or "it said nothing").splitlines()[-1]
        super().__init__(f"{' '.join(command[1:])} failed: {reason}")


@dataclass
class Process:
    """A served contender, seen from outside; a context manager that ends it.

    Attributes:
        command: what starts it.
        environment: variables beside those of this process.
        facts: what it said when it was ready; only "skipped", a reason, when it cannot run.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    facts: Facts = field(init=False, default_factory=dict)

    def __enter__(self) -> Process:
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill up
        self.process = subprocess.Popen(
            [*self.command, "--serve"], cwd=ROOT, env={**os.environ, **self.environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
        )  # fmt: skip
        try:
            self.facts = json.loads(self._answer())
        except ProcessError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()
        self.errors.close()

    def seconds(self, steps: int) -> float:
        """The time of one of so many steps."""
        self.begin(steps)
        return self.end()

    def begin(self, steps: int) -> None:
        """Let it do so many steps, while others may do theirs."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()

    def end(self) -> float:
        """Wait for the time of one of them."""
        return float(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise ProcessError(self.command, self.errors.read())
        return line


@dataclass
class AtOnce:
    """Served contenders that do the same at the same time, none of which knows of the others."""

    processes: Sequence[Process]

    @property
    def facts(self) -> Facts:
        """Of the first."""
        return self.processes[0].facts

    def seconds(self, steps: int) -> float:
        """The time in which one step is done, by whichever of them."""
        for process in self.processes:
            process.begin(steps)
        return 1 / sum(1 / process.end() for process in self.processes)


def facts_of(command: Sequence[str], environment: Mapping[str, str]) -> Facts:
    """The facts of a contender that is started for them alone."""
    with Process(command, environment) as process:
        return process.facts
