"""Times of several contenders, taken in turn, each beside the peak of the same moment.

A, peak, B, peak, C, peak, A, peak, …: neighbours meet the same clock of the core and the same
load of the machine, so ratios of neighbours are far steadier than times. Several rounds of fresh
processes even out where code and data came to lie.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.contender import AtOnce, Process, ProcessError

Peak = Callable[[], float]


@dataclass(frozen=True)
class Entry:
    """One line of a table: its name, and the command that starts it.

    One that is not `required` is left out when it fails. If there is another command `beside` it,
    both run at once, and what is timed is their work together.
    """

    name: str
    command: tuple[str, ...]
    required: bool = False
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """How much is measured: fresh processes, timed blocks of each, and seconds of a block."""

    rounds: int
    blocks: int
    seconds: float


@dataclass(frozen=True)
class Sample:
    """Seconds of a step, and the FLOP/s of the widest and of 256-bit vectors just after it."""

    seconds: float
    widest: float
    narrow: float


@dataclass
class Series:
    """All that is known of one contender in one workload.

    Attributes:
        compile: seconds; the first process found its caches empty, the others did not.
        samples: in the order taken; those of equal position were neighbours in all series.
        versions: of the packages that do the work.
        skipped: why there is nothing else; empty when there is.
    """

    compile: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: str = ""

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Series:
        samples = [Sample(**sample) for sample in found["samples"]]
        return cls(found["compile"], samples, found["versions"], found["skipped"])


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    low: float
    median: float
    high: float


def spread(numbers: Sequence[float]) -> Spread:
    if len(numbers) == 1:
        return Spread(numbers[0], numbers[0], numbers[0])
    low, _, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Spread(low, statistics.median(numbers), high)


def ratios(series: Series, own: Series) -> Spread:
    """How many times longer a step takes than the neighbouring one of `own`."""
    pairs = zip(series.samples, own.samples, strict=False)
    return spread([theirs.seconds / ours.seconds for theirs, ours in pairs])


def caches_in(folder: str | Path) -> dict[str, str]:
    """Variables that make every compiler keep its cache in one folder."""
    return {
        "XDG_CACHE_HOME": str(folder),
        "TORCHINDUCTOR_CACHE_DIR": f"{folder}/inductor",
        "JAX_COMPILATION_CACHE_DIR": f"{folder}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def measure(
    title: str, entries: Sequence[Entry], peaks: tuple[Peak, Peak], plan: Plan
) -> dict[str, Series]:
    """Time the entries in turn; `peaks` are those of the widest and of 256-bit vectors."""
    found = {entry.name: Series() for entry in entries}
    with tempfile.TemporaryDirectory() as caches:
        for number in range(1, plan.rounds + 1):
            running = [entry for entry in entries if not found[entry.name].skipped]
            print(f"{title}: round {number} of {plan.rounds}", file=sys.stderr)
            _round(running, found, peaks, plan, caches_in(caches))
    return found


def _round(
    entries: Sequence[Entry],
    found: Mapping[str, Series],
    peaks: tuple[Peak, Peak],
    plan: Plan,
    environment: Mapping[str, str],
) -> None:
    """Start a process for each entry, time them in turn, and end them."""
    with ExitStack() as stack:
        started: list[tuple[Series, Process | AtOnce, int]] = []
        for entry in entries:
            series = found[entry.name]
            process = _started(stack, entry, series, environment)
            if process is not None:
                steps = max(1, round(plan.seconds / process.facts["seconds"]))
                started.append((series, process, steps))
        for _ in range(plan.blocks):
            for series, process, steps in started:
                seconds = process.seconds(steps)
                widest, narrow = (peak() for peak in peaks)
                series.samples.append(Sample(seconds, widest, narrow))


def _started(
    stack: ExitStack, entry: Entry, series: Series, environment: Mapping[str, str]
) -> Process | AtOnce | None:
    """What runs, or nothing and the reason in its series."""
    try:
        process = stack.enter_context(Process(entry.command, environment))
        both = [process]
        if entry.beside:
            both.append(stack.enter_context(Process(entry.beside, environment)))
    except ProcessError as error:
        if entry.required:
            raise
        series.skipped = str(error)
        return None
    series.skipped = process.facts.get("skipped", "")
    if series.skipped:
        return None
    series.compile.append(process.facts["compile"])
    series.versions.update(process.facts["versions"])
    return AtOnce(both) if entry.beside else process
