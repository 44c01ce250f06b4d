"""Compilation: a graph through the passes to what a target runs.

What lowers is imported when a graph is lowered: not where a target has kept what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

from chainc.backends import compiled_cache
from chainc.backends.llvm.target import NativeTarget
from chainc.backends.numpy.target import NumpyTarget
from chainc.backends.signature import Signature
from chainc.backends.target import (
    ExecutableFunction,
    ExecutableTraining,
    KeepingTarget,
    Known,
    Target,
)
from chainc.ir import Graph, Node
from chainc.ir.errors import GraphError
from chainc.ir.python.collection import without_collection
from chainc.ir.text.digest import Digest, UnknownMeaningError
from chainc.ir.verify import verify, verify_kept
from chainc.ops.runs.modes import require_resolved
from chainc.rewriting.trace import tracing

if TYPE_CHECKING:
    from chainc.lowering.program import EpochEnd, Program, Summary, TrainingLoop
    from chainc.passes import Pass
    from chainc.rewriting.trace import Fired

_ALL: tuple[Target, ...] = (NativeTarget(), NumpyTarget())
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

    A program that is called `seldom` compiles quickly rather than to run fast.
    """

    graph: Graph
    passes: Sequence[Pass]
    seldom: bool = False

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The declared graph and the graph after every pass."""
        return optimize(self.graph, self.passes)

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
    """A step and its evaluation on their way to a loop; made when it is first asked for.

    `report` says how their outputs are reported.
    """

    step: Graph
    evaluation: Graph
    end: EpochEndGraph | None
    passes: Sequence[Pass]
    form: LoopForm
    report: Callable[[], Reports]

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """All that is declared."""
        end = () if self.end is None else (self.end.graph,)
        return (self.step, self.evaluation, *end)

    @cached_property
    def reports(self) -> Reports:
        """How outputs are reported."""
        return self.report()

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Of the step."""
        return optimize(self.reports.step.graph, self.passes)

    @cached_property
    def loop(self) -> TrainingLoop:
        """All programs, and the loop around them."""
        from chainc.lowering.program import TrainingLoop

        reports, passes = self.reports, self.passes
        form = {each.name: getattr(self.form, each.name) for each in fields(self.form)}
        return TrainingLoop(
            step=_lowered(self.stages),
            evaluate=_lowered(optimize(reports.evaluation.graph, passes)),
            step_summary=reports.step.lowered(passes),
            evaluate_summary=reports.evaluation.lowered(passes),
            epoch_end=None if self.end is None else self.end.lowered(passes),
            whole=reports.whole,
            **form,
        )


def _lowered(stages: Sequence[Stage]) -> Program:
    from chainc.lowering.lower import lower

    return lower(stages[-1].graph)


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
    """The declared graph and the graph after every pass; each is verified.

    Raises:
        VerifyError: a pass left a graph that is not sound, or computes something else.
    """
    verify(graph)
    require_resolved(graph)
    stages = [Stage("declared", graph)]
    known: set[Node] = set()
    for step in passes:
        known.update(graph.nodes)
        with tracing() as fired:
            changed = step.run(graph)
        verify_kept(graph, changed, step.name)
        graph = changed
        verify(graph, known)
        stages.append(Stage(step.name, graph, tuple(fired), step.meaning))
    return tuple(stages)


@without_collection()
def compile_function(
    graph: Graph, passes: Sequence[Pass], target: Target, *, seldom: bool = False
) -> CompiledFunction:
    """A graph through the passes to a function that is bound to states and sizes.

    One that is called `seldom` compiles quickly rather than to run fast. What the target has kept
    of an equal graph is not made again.
    """
    declared = FunctionStages(graph, passes, seldom)
    known = _known([graph], passes, seldom)
    if known is not None and isinstance(target, KeepingTarget):
        return CompiledFunction(target, declared, *target.start_function(known, declared.made))
    executable = target.compile_function(*declared.made())
    return CompiledFunction(target, declared, Signature.of(declared.program), executable)


@without_collection()
def compile_training(
    declared: TrainingStages, target: Target, threads: int | None = None
) -> CompiledTraining:
    """The step, the evaluation and the loops around them; see `compile_function`."""
    known = _known(declared.graphs, declared.passes, declared.form)
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
    key = compiled_cache.key(compiled_cache.compiler(), digest.text(), repr(form), *names)
    return Known(key, digest.constants)
