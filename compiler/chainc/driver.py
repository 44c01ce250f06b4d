"""Compilation: a graph through the passes to what a target runs, with every stage kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chainc.backends.llvm.target import NativeTarget
from chainc.backends.numpy.target import NumpyTarget
from chainc.backends.target import ExecutableFunction, ExecutableTraining, Target
from chainc.ir import Graph, Node
from chainc.ir.errors import GraphError
from chainc.ir.verify import verify, verify_kept
from chainc.lowering.lower import lower
from chainc.lowering.program import Program, TrainingLoop
from chainc.ops.runs.modes import require_resolved
from chainc.passes import Pass
from chainc.rewriting.trace import Fired, tracing

_ALL: tuple[Target, ...] = (NativeTarget(), NumpyTarget())
TARGETS: Mapping[str, Target] = {target.name: target for target in _ALL}


@dataclass(frozen=True)
class Stage:
    """The graph after one pass, and the rules that fired in it."""

    name: str
    graph: Graph
    fired: tuple[Fired, ...] = ()
    meaning: str = ""  # what the pass does, in words


@dataclass(frozen=True)
class CompiledFunction:
    """A graph's stages, its lowered program, and what a target has made of it."""

    target: Target
    stages: tuple[Stage, ...]
    program: Program
    executable: ExecutableFunction


@dataclass(frozen=True)
class CompiledTraining:
    """A training loop: its step's stages, its lowered form, and what a target has made of it."""

    target: Target
    stages: tuple[Stage, ...]
    loop: TrainingLoop
    executable: ExecutableTraining


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


def compile_function(
    graph: Graph, passes: Sequence[Pass], target: Target, *, seldom: bool = False
) -> CompiledFunction:
    """A graph through the passes to a function that is bound to states and sizes.

    One that is called `seldom` compiles quickly rather than to run fast.
    """
    stages = optimize(graph, passes)
    optimized = stages[-1].graph
    program = replace(lower(optimized), seldom=seldom)
    return CompiledFunction(target, stages, program, target.compile_function(optimized, program))


def compile_training(
    loop: TrainingLoop, stages: tuple[Stage, ...], target: Target, threads: int | None = None
) -> CompiledTraining:
    """The step, the evaluation and the loops around them."""
    return CompiledTraining(target, stages, loop, target.compile_training(loop, threads))
