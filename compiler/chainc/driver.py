"""Compilation: a graph through the passes to source and a callable, with every stage kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from chainc.backends.numpy.module import assemble, prepare, print_function
from chainc.backends.numpy.training import print_training
from chainc.errors import GraphError
from chainc.ir import Graph, Node
from chainc.loops import Program, TrainingLoop
from chainc.lower import lower
from chainc.passes import Pass
from chainc.rewrite import Fired, tracing
from chainc.types import Array
from chainc.verify import verify

TARGETS = ("numpy",)


@dataclass(frozen=True)
class Stage:
    """The graph after one pass, and the rules that fired in it."""

    name: str
    graph: Graph
    fired: tuple[Fired, ...] = ()


State = Mapping[str, Array]
Run = Callable[..., tuple[Array, ...]]


class Bind(Protocol):
    """Lays out the buffers for given sizes, over state arrays that are updated in place."""

    def __call__(self, state: State, *sizes: int) -> Run: ...


class Train(Protocol):
    """The generated loop: (epoch, rows seen, mean of each output) after every epoch."""

    def __call__(
        self, data: Mapping[str, Array], state: State, epochs: int, stop: Callable[[], bool]
    ) -> Iterator[tuple[int, int, Array]]: ...


class Validate(Protocol):
    """The generated evaluation: the mean of each output over the rows."""

    def __call__(self, data: Mapping[str, Array], state: State) -> Array: ...


@dataclass(frozen=True)
class CompiledFunction:
    """A graph's stages, its lowered program, its source, and the function that binds it."""

    stages: tuple[Stage, ...]
    program: Program
    source: str
    bind: Bind


@dataclass(frozen=True)
class CompiledTraining:
    """A training loop's stages (of its step), its lowered form, its source and its functions."""

    stages: tuple[Stage, ...]
    loop: TrainingLoop
    source: str
    train: Train
    validate: Validate


def optimize(graph: Graph, passes: Sequence[Pass]) -> tuple[Stage, ...]:
    """The declared graph and the graph after every pass; each is verified."""
    verify(graph)
    stages = [Stage("declared", graph)]
    known: set[Node] = set()
    for step in passes:
        known.update(graph.nodes)
        with tracing() as fired:
            graph = step.run(graph)
        verify(graph, known)
        stages.append(Stage(step.name, graph, tuple(fired)))
    return tuple(stages)


def check_target(target: str) -> None:
    if target not in TARGETS:
        raise GraphError(
            f"there is no target {target!r}",
            hint=f"compile for one of {', '.join(map(repr, TARGETS))}",
        )


def compile_function(graph: Graph, passes: Sequence[Pass]) -> CompiledFunction:
    """NumPy source with one function, `run`."""
    stages = optimize(graph, passes)
    program = prepare(lower(stages[-1].graph))
    source = assemble([print_function(program, "run")])
    bind = cast(Bind, _execute(source, "function")["bind_run"])
    return CompiledFunction(stages, program, source, bind)


def compile_training(loop: TrainingLoop, stages: tuple[Stage, ...]) -> CompiledTraining:
    """NumPy source with the step, the evaluation and the loops around them."""
    source = print_training(loop)
    namespace = _execute(source, "training")
    train, validate = cast(Train, namespace["train"]), cast(Validate, namespace["validate"])
    return CompiledTraining(stages, loop, source, train, validate)


def _execute(source: str, title: str) -> dict[str, object]:
    """Define the functions of source that this compiler has just printed."""
    namespace: dict[str, object] = {}
    exec(compile(source, f"<chainrule {title}>", "exec"), namespace)
    return namespace
