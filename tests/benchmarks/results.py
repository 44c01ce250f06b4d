"""What was measured, as one value that is kept in a file and written as a page."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.benchmarks.scaling import scaling
from tests.benchmarks.timing import Series

WORDS = (  # flags of a processor and what they are called
    ("avx512f", "512-bit vectors (AVX-512)"),
    ("avx2", "256-bit vectors (AVX2)"),
    ("sse2", "128-bit vectors (SSE2)"),
    ("asimd", "128-bit vectors (NEON)"),
)


@dataclass
class Start:
    """A contender in fresh processes that compile and train mnist on 10,000 samples.

    Attributes:
        cold: seconds to compile with empty caches.
        cached: seconds to compile with the caches that the run before has left.
        memory: bytes resident at most, caches empty.
    """

    cold: list[float] = field(default_factory=list)
    cached: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


@dataclass
class Compiling:
    """A case in fresh processes, from its declaration to the end of the first step.

    Attributes:
        phases: seconds by phase of each process with an empty cache.
        cached: seconds of a process with what the one before has kept.
        memory: bytes resident at most, cache empty.
    """

    phases: list[dict[str, float]] = field(default_factory=list)
    cached: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


@dataclass
class Results:
    """Everything that the page shows.

    Attributes:
        machine: what it ran on, in general words.
        own: the contender to which the others are compared.
        speeds: series by workload and contender, on one thread.
        threads: series by contender on mnist, `own` on one thread, the others on two.
        starts: by contender.
        library: bytes of the stripped library of the digits network; None where there is none.
        real_digits: whether the mnist samples were those of a folder of IDX files.
        compiling: where a cold compile goes, by case.
        drawn: series by drawn step and contender: the efficiency map.
    """

    machine: str
    own: str
    speeds: dict[str, dict[str, Series]] = field(default_factory=dict)
    threads: dict[str, Series] = field(default_factory=dict)
    starts: dict[str, Start] = field(default_factory=dict)
    library: int | None = None
    real_digits: bool = False
    compiling: dict[str, Compiling] = field(default_factory=dict)
    drawn: dict[str, dict[str, Series]] = field(default_factory=dict)

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        groups = {**self.drawn, "mnist": self.threads}
        gained = {name: scaling(group, self.own) for name, group in groups.items()}
        told = {name: asdict(each) for name, each in gained.items() if each is not None}
        file.write_text(json.dumps({**asdict(self), "scaling": told}), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Results:
        found = json.loads(file.read_text(encoding="utf-8"))
        found.pop("scaling", None)  # which follows from the series
        speeds, drawn = (
            {
                workload: {name: Series.from_json(series) for name, series in group.items()}
                for workload, group in found.pop(key, {}).items()
            }
            for key in ("speeds", "drawn")
        )
        threads = {name: Series.from_json(series) for name, series in found.pop("threads").items()}
        starts = {name: Start(**start) for name, start in found.pop("starts").items()}
        compiling = {name: Compiling(**each) for name, each in found.pop("compiling", {}).items()}
        return cls(
            speeds=speeds,
            drawn=drawn,
            threads=threads,
            starts=starts,
            compiling=compiling,
            **found,
        )

    def series(self) -> Iterator[Series]:
        for group in (*self.speeds.values(), *self.drawn.values(), self.threads):
            yield from group.values()


def machine() -> str:
    """The processor, its cores and vectors, without its name."""
    cores = os.cpu_count() or 1
    vectors = next((words for flag, words in WORDS if flag in _flags()), "vectors unknown")
    name = f"{platform.machine()} under {platform.system()}"
    return f"{name}, {cores} core{'s' if cores > 1 else ''}, {vectors}"


def _flags() -> set[str]:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    found = (line.partition(":") for line in lines)
    return {
        flag
        for name, _, flags in found
        if name.strip() in {"flags", "Features"}
        for flag in flags.split()
    }
