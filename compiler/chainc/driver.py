"""Compilation: a graph through the passes to what a target runs.

What lowers is imported when a graph is lowered: not where a target has kept what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

from chainc.backends import compiled_cache
from chainc.backends.llvm.c_programs.target import CTarget
from chainc.backends.llvm.target import NativeTarget
from chainc.backends.llvm.wasm.target import WasmTarget
from chainc.backends.numpy.target import NumpyTarget
from chainc.backends.signature import Signature
from chainc.backends.target import (
    Budget,
    ExecutableFunction,
    ExecutableTraining,
    KeepingTarget,
    Known,
    Target,
)
from chainc.dataclass import dataclass
from chainc.ir import Graph
from chainc.ir.errors import GraphError
from chainc.ir.python.collection import without_collection
from chainc.ir.text.digest import Digest, UnknownMeaningError
from chainc.ir.types import names_of
from chainc.ir.verify import Verified, verify, verify_kept
from chainc.ops.formula import RECOMPUTE
from chainc.ops.runs.modes import require_resolved
from chainc.rewriting.trace import tracing

if TYPE_CHECKING:
    from chainc.lowering.program import EpochEnd, Program, Summary, TrainingLoop
    from chainc.passes import Pass
    from chainc.rewriting.trace import Fired

_ALL: tuple[Target, ...] = (NativeTarget(), NumpyTarget(), CTarget(), WasmTarget())
TARGETS: Mapping[str, Target] = {target.name: target for target in _ALL}


@dataclass(frozen=True)
class Stage:
    """The graph after one pass, and the rules that fired in it."""

    name: str
    graph: Graph
    fired: tuple[Fired, ...] = ()
    meaning: str = ""  # what the pass does, in words


@dataclass(frozen=True, eq=False)
class FunctionStages:
    """A graph on its way to a program; each stage is made when it is first asked for.

    A program that is called `seldom` compiles quickly rather than to run fast. One with a budget
    has no named sizes.
    """

    graph: Graph
    passes: Sequence[Pass]
    seldom: bool = False
    budget: Budget | None = None

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The declared graph and the graph after every pass."""
        stages = optimize(self.graph, self.passes)
        if self.budget is None:
            return stages
        return _within(self.budget, stages, self.passes, None, self.budget.target.bytes_of_function)

    @cached_property
    def program(self) -> Program:
        """The last of them, lowered."""
        return replace(_lowered(self.stages), seldom=self.seldom)

    def made(self) -> tuple[Graph, Program]:
        """Both."""
        return self.stages[-1].graph, self.program


@dataclass(frozen=True)
class LoopForm:
    """What a training loop is but for its programs; see `TrainingLoop`."""

    batch_inputs: tuple[str, ...]
    batch_size: int
    shuffle: bool
    order_stream: int
    least_rows: int
    watch: bool
    reported: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Reporting:
    """What batches compute of a graph's outputs, and what is reported of an epoch.

    Attributes:
        graph: what batches compute.
        sums: of each of its outputs, whether it is a sum over rows; the others are means.
        summary: what is reported, times the rows; None if the outputs are all there is to report.
        totals: the input of the summary that stands for all totals.
        rows: that for the number of rows.
    """

    graph: Graph
    sums: tuple[bool, ...] = ()
    summary: Graph | None = None
    totals: str = ""
    rows: str = ""

    def lowered(self, passes: Sequence[Pass]) -> Summary | None:
        """The summary as a program."""
        if self.summary is None:
            return None
        from chainc.lowering.program import Summary

        program = _lowered(optimize(self.summary, passes))
        return Summary(program, self.sums, self.totals, self.rows)


@dataclass(frozen=True)
class Reports:
    """Of a step and an evaluation; `whole` are the outputs that only all rows at once give."""

    step: Reporting
    evaluation: Reporting
    whole: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class EpochEndGraph:
    """What is done after an epoch; see `EpochEnd`."""

    graph: Graph
    record: str
    last: str
    needs_validation: bool

    def lowered(self, passes: Sequence[Pass]) -> EpochEnd:
        """As a program."""
        from chainc.lowering.program import EpochEnd

        program = _lowered(optimize(self.graph, passes))
        return EpochEnd(program, self.record, self.last, self.needs_validation)


@dataclass(frozen=True, eq=False)
class TrainingStages:
    """A step and its evaluation on their way to a loop; made when it is first asked for."""

    step: Graph
    evaluation: Graph
    end: EpochEndGraph | None
    passes: Sequence[Pass]
    form: LoopForm
    report: Callable[[], Reports]  # how their outputs are reported
    budget: Budget | None = None

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """All that is declared."""
        return (self.step, self.evaluation, *([] if self.end is None else [self.end.graph]))

    @cached_property
    def reports(self) -> Reports:
        """How outputs are reported."""
        return self.report()

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Of the step."""
        stages, budget = optimize(self.reports.step.graph, self.passes), self.budget
        if budget is None:
            return stages

        def nbytes(step: Program) -> int:
            return budget.target.bytes_of_training(self._around(step), budget.threads)

        return _within(budget, stages, self.passes, self._sizes, nbytes)

    @cached_property
    def loop(self) -> TrainingLoop:
        """All programs, and the loop around them."""
        return self._around(_lowered(self.stages, self._sizes))

    def _around(self, step: Program) -> TrainingLoop:
        return replace(self._without_step, step=step)

    @cached_property
    def _without_step(self) -> TrainingLoop:
        """The loop with the evaluation in the place of the step."""
        from chainc.lowering.program import TrainingLoop

        reports, passes = self.reports, self.passes
        form = {each.name: getattr(self.form, each.name) for each in fields(self.form)}
        evaluate = _lowered(optimize(reports.evaluation.graph, passes))
        return TrainingLoop(
            step=evaluate,
            evaluate=evaluate,
            step_summary=reports.step.lowered(passes),
            evaluate_summary=reports.evaluation.lowered(passes),
            epoch_end=None if self.end is None else self.end.lowered(passes),
            whole=reports.whole,
            **form,
        )

    @property
    def _sizes(self) -> Mapping[str, int]:
        """Of a whole batch."""
        dims = [dim for node in self.step.leaves("input") for dim in node.shape]
        return {name: self.form.batch_size for dim in dims for name in names_of(dim)}


def _lowered(stages: Sequence[Stage], sizes: Mapping[str, int] | None = None) -> Program:
    """For given sizes, or where something is computed again, in an order that keeps few bytes."""
    from chainc.lowering.lower import lower

    program = lower(stages[-1].graph)
    if sizes is None and all(stage.name != RECOMPUTE for stage in stages):
        return program
    from chainc.lowering.order import thrifty

    return thrifty(program, sizes or {})


def _within(
    budget: Budget,
    stages: tuple[Stage, ...],
    passes: Sequence[Pass],
    sizes: Mapping[str, int] | None,
    nbytes: Callable[[Program], int],
) -> tuple[Stage, ...]:
    """The stages; with more and more that is computed again, until the program fits.

    Raises:
        GraphError: it never does.
    """
    from chainc.passes import Pass
    from chainc.passes.recompute import ForwardPass, recomputing

    least = nbytes(_lowered(stages, sizes))
    if least <= budget.bytes:
        return stages
    at = next((i for i, step in enumerate(passes) if step.name == "fuse"), len(passes))
    graph = stages[at].graph
    for places in ForwardPass(graph, sizes or {}).choices():
        step = Pass(RECOMPUTE, recomputing(places))
        tried = (*stages[: at + 1], *optimize(graph, (step, *passes[at:]))[1:])
        needed = nbytes(_lowered(tried, sizes))
        if needed <= budget.bytes:
            return tried
        least = min(least, needed)
    raise budget.exceeded(least)


@dataclass(frozen=True)
class CompiledFunction:
    """What a target has made of a graph; its stages and its program are there to be looked at."""

    target: Target
    declared: FunctionStages
    signature: Signature
    executable: ExecutableFunction

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The declared graph and the graph after every pass."""
        return self.declared.stages

    @property
    def program(self) -> Program:
        """The lowered program."""
        return self.declared.program


@dataclass(frozen=True)
class CompiledTraining:
    """What a target has made of a training loop; its stages are there to be looked at."""

    target: Target
    declared: TrainingStages
    signature: Signature
    executable: ExecutableTraining

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Of the step."""
        return self.declared.stages

    @property
    def loop(self) -> TrainingLoop:
        """The lowered loop."""
        return self.declared.loop


def target_named(name: str | Target) -> Target:
    """The target of that name; a target itself is taken as it is.

    Raises:
        GraphError: there is none.
    """
    if isinstance(name, Target):
        return name
    given: object = name
    if not isinstance(given, str) or given not in TARGETS:
        raise GraphError(
            f"there is no target {name!r}",
            hint=f"compile for one of {', '.join(map(repr, TARGETS))}",
        )
    return TARGETS[name]


def optimize(graph: Graph, passes: Sequence[Pass]) -> tuple[Stage, ...]:
    """The declared graph and the graph after every pass; each new one is verified.

    Raises:
        VerifyError: a pass left a graph that is not sound, or computes something else.
    """
    known = Verified()
    verify(graph, known)
    require_resolved(graph)
    stages = [Stage("declared", graph)]
    for step in passes:
        with tracing() as fired:
            changed = step.apply(graph)
        if changed is not graph:
            verify_kept(graph, changed, step.name)
            graph = changed
            verify(graph, known)
        stages.append(Stage(step.name, graph, tuple(fired), step.meaning))
    return tuple(stages)


@without_collection()
def compile_function(
    graph: Graph,
    passes: Sequence[Pass],
    target: Target,
    *,
    seldom: bool = False,
    budget: Budget | None = None,
) -> CompiledFunction:
    """A graph through the passes to a function that is bound to states and sizes.

    One that is called `seldom` compiles quickly rather than to run fast. What the target has kept
    of an equal graph is not made again.

    Raises:
        GraphError: it takes more memory than its budget.
    """
    declared = FunctionStages(graph, passes, seldom, budget)
    if budget is not None:
        _ = declared.stages  # not at the first call, as all else
    known = _known([graph], passes, (seldom, budget and budget.bytes))
    if known is not None and isinstance(target, KeepingTarget):
        return CompiledFunction(target, declared, *target.start_function(known, declared.made))
    executable = target.compile_function(*declared.made())
    return CompiledFunction(target, declared, Signature.of(declared.program), executable)


@without_collection()
def compile_training(
    declared: TrainingStages,
    target: Target,
    threads: int | None = None,
    budget: Budget | None = None,
) -> CompiledTraining:
    """The step, the evaluation and the loops around them; see `compile_function`."""
    declared = replace(declared, budget=budget)
    known = _known(declared.graphs, declared.passes, (declared.form, budget and budget.bytes))
    if known is not None and isinstance(target, KeepingTarget):
        started = target.start_training(known, lambda: declared.loop, threads)
        return CompiledTraining(target, declared, *started)
    executable = target.compile_training(declared.loop, threads)
    return CompiledTraining(target, declared, Signature.of_training(declared.loop), executable)


def _known(graphs: Sequence[Graph], passes: Sequence[Pass], form: object) -> Known | None:
    """None where what is done to the graphs does not follow from what is written in them."""
    digest = Digest()
    try:
        for graph in graphs:
            digest.add(graph)
    except UnknownMeaningError:
        return None
    if not all(step.ours for step in passes):
        return None
    names = [f"{step.name} {step.run.__module__} {step.run.__name__}" for step in passes]
    key = compiled_cache.key(compiled_cache.compiler(), digest.content(), repr(form), *names)
    return Known(key, digest.constants)
