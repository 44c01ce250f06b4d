"""Where a cold compile goes, phase by phase, from the declaration to the end of the first step.

    python -m tests.benchmarks.compiling                 all cases, as a table
    python -m tests.benchmarks.compiling --case digits   one, in this process, as a line of JSON

Each is measured in fresh processes with an empty cache, and then once more with what was kept.
Importing the package does not count; what it imports later, to compile, does.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence

from tests.benchmarks.compiled_cases import CASES
from tests.benchmarks.contender import facts_of, peak_memory
from tests.benchmarks.report import compile_table
from tests.benchmarks.results import Compiling
from tests.benchmarks.timing import caches_in

# Functions whose time is that of a phase, by module; what they call of other phases is not theirs.
LLVM = "llvmlite.binding"
TIMED = (
    ("gradient", "chainrule.optim.signals.rules", "grad"),
    ("gradient", "chainrule", "grad"),
    ("passes", "chainc.driver", "optimize"),
    ("lowering", "chainc.lowering.lower", "lower"),
    ("lowering", "chainc.backends.llvm.training_code", "placement"),
    ("lowering", "chainc.backends.llvm.function_code", "prepare"),
    ("schedules", "chainc.schedules.training.routines", "write_training"),
    ("schedules", "chainc.backends.llvm.function_code", "ProgramWriter.program"),
    ("text", "chainc.backends.llvm.printing.module", "Module.kernel"),
    ("text", "chainc.backends.llvm.printing.module", "Module.routine"),
    ("text", "chainc.backends.llvm.printing.module", "Module.text"),
    ("LLVM: read", LLVM, "parse_assembly"),
    ("LLVM: read", LLVM, "ModuleRef.verify"),
    ("LLVM: passes", LLVM, "ModulePassManager.run"),
    ("LLVM: emit", LLVM, "TargetMachine.emit_object"),
    ("LLVM: emit", "chainc.backends.llvm.machine_code.emission", "_Emission._end"),
    ("link", "chainc.backends.llvm.machine_code.loading", "Library.__init__"),
    ("first values", "chainrule.compiled.starting", "FirstValues.state"),
)
LATER = ("chainrule.compiled.compilation", "chainc.backends.llvm.host.function",
         "chainc.backends.llvm.host.training_start", "chainc.backends.llvm.function_code",
         "chainc.schedules.training.routines", "chainc.lowering.lower", LLVM)  # fmt: skip


class Phases:
    """Seconds by phase: each function's own, without those of others that it calls.

    Of what several threads do at once, the main one's are counted.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = [0.0]

    def timed(self, phase: str, work: Callable[[], object]) -> object:
        if threading.current_thread() is not threading.main_thread():
            return work()
        start = time.perf_counter()
        self._inside.append(0.0)
        try:
            return work()
        finally:
            took = time.perf_counter() - start
            own = took - self._inside.pop()
            self._inside[-1] += took
            self.seconds[phase] = self.seconds.get(phase, 0.0) + own

    def watch(self, phase: str, module: str, name: str) -> None:
        """Time every call of a function, which is replaced in its module or class."""
        place: object = importlib.import_module(module)
        *classes, last = name.split(".")
        for each in classes:
            place = getattr(place, each)
        before = getattr(place, last)

        def watched(*given: object, **named: object) -> object:
            return self.timed(phase, lambda: before(*given, **named))

        setattr(place, last, watched)


def measure_here(case: str, *, kept: bool) -> dict[str, object]:
    """One case in this process: seconds by phase, and the most memory that was resident.

    Where code is `kept`, most phases are left out, with what they import: only the whole is timed.
    """
    import numpy.random  # noqa: F401  which the data is drawn with

    import chainrule  # noqa: F401  the package is there before the clock starts

    phases = Phases()
    start = time.perf_counter()
    if not kept:
        phases.timed("imports", lambda: [importlib.import_module(name) for name in LATER])
        for timed in TIMED:
            phases.watch(*timed)
    compiled, first = CASES[case].declare()
    phases.timed("rest", lambda: first(compiled()))
    total = time.perf_counter() - start
    phases.seconds["declare"] = total - sum(phases.seconds.values())
    return {"phases": phases.seconds, "memory": peak_memory()}


def measure(cases: Sequence[str], rounds: int) -> dict[str, Compiling]:
    """In fresh processes."""
    found = {case: Compiling() for case in cases}
    for _ in range(rounds):
        for case, compiling in found.items():
            print(f"compiling {case}", file=sys.stderr)
            command = (sys.executable, "-m", "tests.benchmarks.compiling", "--case", case)
            with tempfile.TemporaryDirectory() as caches:
                cold = facts_of(command, caches_in(caches))
                cached = facts_of((*command, "--kept"), caches_in(caches))
            compiling.phases.append(cold["phases"])
            compiling.memory.append(cold["memory"])
            compiling.cached.append(sum(cached["phases"].values()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", choices=list(CASES))
    parser.add_argument("--kept", action="store_true", help="its code is in the cache")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help="for `facts_of`; nothing is served")
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure_here(options.case, kept=options.kept)))
    else:
        print(compile_table(measure(list(CASES), options.rounds)))


if __name__ == "__main__":
    main()
