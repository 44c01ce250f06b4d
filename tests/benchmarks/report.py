"""The page of benchmarks: tables and a plot of what was measured.

    python -m tests.benchmarks.report

writes the page again from the numbers that native.py has kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.chart import draw
from tests.benchmarks.compiled_cases import CASES as COMPILED
from tests.benchmarks.compiled_cases import PHASES
from tests.benchmarks.contender import ROOT
from tests.benchmarks.efficiency import draw_map, map_of
from tests.benchmarks.results import Compiling, Results
from tests.benchmarks.scaling import COPIES, scaling
from tests.benchmarks.tables import table
from tests.benchmarks.timing import Series, Spread, ratios, spread
from tests.benchmarks.workloads import MEANINGS, WORKLOADS

PAGE = """\
# Benchmarks

How long a step of training takes in Chainrule and in what one would use instead, and what it costs
to get there. Every contender trains the same network from the same first weights, and its loss is
compared with that of NumPy before it is timed.

- Machine: {machine}.
- Versions: {versions}.
- Samples: {samples}.

![Time of a training step by workload and contender](benchmarks.svg)

## One thread

{speeds}

## Two threads

{threads}

## Any shape

{shapes}

## Compile time and memory

{starts}

### Where a cold compile goes

{compiling}

## What the columns mean

- **µs a step**: the median over all timed blocks; the quartiles stand in brackets. A block is
  many steps in one call, so what a call costs once does not count.
- **of peak**: useful floating-point operations a second as a share of the core's peak, which is
  measured right after each block, in registers, with the widest vectors the core has. An operation
  is useful when it belongs to a matrix product of the network (2 m k n each, no gradient for the
  first layer's input); activations, losses, optimizers and padding count as nothing.
- **of 256-bit peak**: the same beside vectors of 256 bits. More than 100 % needs wider ones.
- **× Chainrule**: how many times longer it takes than {own}: the median of the ratios of
  neighbouring blocks, with quartiles.
- **compile**: seconds from the declared training to the first step that is no slower than the
  others; *cold* with empty caches, *cached* with those of an earlier process. Importing the package
  does not count, but what it imports later, to compile, does.

## What is compared

- **{own}** runs the whole loop: a new order of the samples each epoch, gathering, forward,
  loss, backward, the optimizer, and the history of the loss.
- **NumPy** is a step by hand, in place where that saves time.
- **JAX** compiles a loop over epochs with everything inside (`jit`, `scan`, weights donated,
  vectors of 512 bits preferred), once as it is and once with four steps in a turn of the loop.
- **TensorFlow** runs the same loop in one `tf.function`, without XLA and with it.
- **PyTorch** steps from Python with fused optimizers, eagerly and with `torch.compile`.
- The other frameworks gather their batches by an order that they are given, the same each epoch,
  and so are spared the shuffling.

All run at the same time as processes pinned to one core, but only one of them works at any moment:
A, peak, B, peak, C, peak, A, …, again with fresh processes, {rounds} times over.

## Repeating it

```sh
make peers                                  # makes .venv-peers: JAX, TensorFlow, PyTorch
make bench                                  # Chainrule, and the others if .venv-peers is there
make bench MNIST=folder                     # real digits: a folder of IDX files, may be gzipped
python -m tests.benchmarks.native --help    # fewer workloads, other frameworks, longer runs
python -m tests.benchmarks.peak             # the peak of a core alone
python -m tests.benchmarks.accuracy folder  # how well and how fast digits are learned
python -m tests.benchmarks.sequences        # recurrent networks, a Transformer, sampling
python -m tests.benchmarks.scaling          # what two threads gain, and two programs
python -m tests.benchmarks.shakespeare file # how well and how fast a text is learned
python -m tests.benchmarks.acting           # cart-pole, with the environment in the loop
```
"""


def write(results: Results, folder: Path) -> None:
    """`benchmarks.md` and its plot."""
    folder.mkdir(parents=True, exist_ok=True)
    draw(results, folder / "benchmarks.svg")
    if results.drawn:
        draw_map(results, folder / "efficiency.svg")
    (folder / "benchmarks.md").write_text(page(results), encoding="utf-8")


def page(results: Results) -> str:
    versions: dict[str, str] = {}
    for series in results.series():
        versions.update(series.versions)
    samples = "random numbers of a fixed seed"
    if results.real_digits:
        samples += ", and the digits of MNIST where the input has 784 features"
    return PAGE.format(
        machine=results.machine,
        versions=", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        samples=samples,
        own=results.own,
        rounds=max((len(series.compile) for series in results.series()), default=0),
        speeds="\n\n".join(_workload(results, name) for name in results.speeds),
        threads=_threads(results),
        shapes=map_of(results),
        starts=_starts(results),
        compiling=compile_table(results.compiling),
    )


def _workload(results: Results, name: str) -> str:
    group, flops = results.speeds[name], WORKLOADS[name].flops
    head = ("", "µs a step", "of peak", "of 256-bit peak", "× Chainrule",
            "compile, cold", "cached")  # fmt: skip
    rows = [
        (contender, *_speed(series, flops), _ratio(series, group[results.own]),
         *_compile(series))
        for contender, series in group.items() if series.samples
    ]  # fmt: skip
    title = (
        f"### {name}\n\n{MEANINGS[name][0].upper()}{MEANINGS[name][1:]}; {flops:,} FLOPs a step."
    )
    return "\n\n".join([title, table(head, rows), *_skipped(group)])


def _skipped(group: Mapping[str, Series]) -> list[str]:
    reasons = [(name, series.skipped) for name, series in group.items() if series.skipped]
    return [f"Left out: {name} ({reason})." for name, reason in reasons]


def _speed(series: Series, flops: int) -> tuple[str, str, str]:
    times = spread([sample.seconds * 1e6 for sample in series.samples])
    widest = spread([flops / sample.seconds / sample.widest for sample in series.samples])
    narrow = spread([flops / sample.seconds / sample.narrow for sample in series.samples])
    return _with_quartiles(times), f"{widest.median:.1%}", f"{narrow.median:.1%}"


def _ratio(series: Series, own: Series) -> str:
    if series is own:
        return "1"
    return _with_quartiles(ratios(series, own))


def _compile(series: Series) -> tuple[str, str]:
    cold, *cached = series.compile
    return f"{cold:.2f} s", f"{spread(cached).median:.2f} s" if cached else "–"


def _with_quartiles(numbers: Spread) -> str:
    low, median, high = (_three_digits(x) for x in (numbers.low, numbers.median, numbers.high))
    return f"{median} ({low}, {high})"


def _three_digits(number: float) -> str:
    digits = 0 if number >= 100 else 1 if number >= 10 else 2 if number >= 1 else 3
    return f"{number:,.{digits}f}"


def _threads(results: Results) -> str:
    if not results.threads:
        return "Not measured: the machine has one core."
    own = results.threads[results.own]
    rows = [
        (name, _with_quartiles(spread([sample.seconds * 1e6 for sample in series.samples])),
         _with_quartiles(_inverse(ratios(series, own))))
        for name, series in results.threads.items() if series.samples
    ]  # fmt: skip
    head = ("mnist", "µs a step", f"times as fast as {results.own}, on one")
    gained = scaling(results.threads, results.own)
    told = [table(head, rows), *_skipped(results.threads)]
    if gained is not None:
        told.append(f"{COPIES}\nTwo threads reach {gained.quotient:.0%} of that.")
    return "\n\n".join(told)


def _inverse(numbers: Spread) -> Spread:
    return Spread(1 / numbers.high, 1 / numbers.median, 1 / numbers.low)


def _starts(results: Results) -> str:
    head = ("mnist, 10,000 samples", "compile, cold", "cached", "memory of the process")
    rows = [
        (name, f"{_with_quartiles(spread(start.cold))} s",
         f"{_with_quartiles(spread(start.cached))} s",
         f"{max(start.memory) / 2**20:.0f} MiB")
        for name, start in results.starts.items() if start.cold
    ]  # fmt: skip
    told = [table(head, rows)] if rows else ["Not measured."]
    told.append(
        "Memory is what was resident at most in a process that imports, compiles and trains, the\n"
        "samples included. The other frameworks ran once each."
    )
    if results.library is not None:
        told.append(
            f"The digits network (64-32-10), exported as a library and stripped: "
            f"{results.library:,} bytes."
        )
    return "\n\n".join(told)


def compile_table(cases: Mapping[str, Compiling]) -> str:
    """Milliseconds by phase, medians; phases that took none anywhere are left out."""
    found = {name: case for name, case in cases.items() if case.phases}
    if not found:
        return "Not measured."
    phases = [p for p in PHASES if any(_phase(case, p) >= 0.0005 for case in found.values())]
    rows = [
        (name, *(f"{1000 * _phase(case, phase):,.0f}" for phase in phases),
         *(f"{1000 * seconds:,.0f}" for seconds in (_whole(case), spread(case.cached).median)),
         f"{max(case.memory) / 2**20:.0f} MiB")
        for name, case in found.items()
    ]  # fmt: skip
    meanings = "; ".join(f"{name}: {COMPILED[name].meaning}" for name in found)
    told = (
        "Milliseconds from the declaration to the end of the first step, in fresh processes with\n"
        "an empty cache, and with one that is warm. " + meanings + "."
    )
    return f"{table(('', *phases, 'all', 'cached', 'memory'), rows)}\n\n{told}"


def _phase(case: Compiling, phase: str) -> float:
    return spread([each.get(phase, 0.0) for each in case.phases]).median


def _whole(case: Compiling) -> float:
    return spread([sum(each.values()) for each in case.phases]).median


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / ".benchmarks" / "native.json")
    parser.add_argument("--pages", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    write(Results.load(options.results), options.pages)


if __name__ == "__main__":
    main()
