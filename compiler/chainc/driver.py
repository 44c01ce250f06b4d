"""Compilation: a graph through the passes to source and a callable, with every stage kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from chainc.backends.epochs import TrainingRunner
from chainc.backends.listing import Listing
from chainc.backends.numpy.module import (
    assemble,
    function_lines,
    listed,
    prepare,
    print_function,
)
from chainc.backends.numpy.running import NumpyTraining, Train, Validate
from chainc.backends.numpy.training import list_training, print_training
from chainc.ir import Graph, Node
from chainc.ir.errors import GraphError
from chainc.ir.types import Array
from chainc.ir.verify import verify
from chainc.lowering.lower import lower
from chainc.lowering.program import Program, TrainingLoop
from chainc.passes import Pass
from chainc.rewriting.trace import Fired, tracing

if TYPE_CHECKING:
    from chainc.backends.llvm.target import NativeFunction, TrainingCode

TARGETS = ("llvm", "numpy")


@dataclass(frozen=True)
class Stage:
    """The graph after one pass, and the rules that fired in it."""

    name: str
    graph: Graph
    fired: tuple[Fired, ...] = ()
    meaning: str = ""  # what the pass does, in words


SlotArrays = Mapping[str, Array]
Run = Callable[..., tuple[Array, ...]]


class Bind(Protocol):
    """Lays out the buffers for given sizes, over state arrays that are updated in place."""

    def __call__(self, state: SlotArrays, *sizes: int) -> Run: ...


@dataclass(frozen=True)
class CompiledFunction:
    """A graph's stages, its lowered program, and the function that binds it.

    `source` is NumPy's, or empty; `native` is the machine code's side of it, if there is one.
    """

    stages: tuple[Stage, ...]
    program: Program
    bind: Bind
    source: str = ""
    native: NativeFunction | None = None

    def listing(self) -> Listing:
        """The NumPy source line by line."""
        return listed([function_lines(self.program, "run")])


@dataclass(frozen=True)
class CompiledTraining:
    """A training loop's stages (of its step), its lowered form, and what runs it.

    `source` is NumPy's, or empty; `native` is the machine code's side of it, if there is one.
    """

    stages: tuple[Stage, ...]
    loop: TrainingLoop
    runner: TrainingRunner
    source: str = ""
    native: TrainingCode | None = None

    def listing(self) -> Listing:
        """The NumPy source line by line."""
        return list_training(self.loop)


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
        stages.append(Stage(step.name, graph, tuple(fired), step.meaning))
    return tuple(stages)


def check_target(target: str) -> None:
    if target not in TARGETS:
        raise GraphError(
            f"there is no target {target!r}",
            hint=f"compile for one of {', '.join(map(repr, TARGETS))}",
        )


def compile_function(
    graph: Graph, passes: Sequence[Pass], target: str = "numpy"
) -> CompiledFunction:
    """NumPy source with one function, `run`, or machine code, made for the sizes of a call."""
    stages = optimize(graph, passes)
    optimized = stages[-1].graph
    program = lower(optimized)
    if target == "llvm":
        from chainc.backends.llvm.target import native_function  # the import takes its time

        native = native_function(optimized, program)
        return CompiledFunction(stages, program, native.bind, native=native)
    program = prepare(program)
    source = assemble([print_function(program, "run")])
    bind = cast(Bind, _execute(source, "function")["bind_run"])
    return CompiledFunction(stages, program, bind, source)


def compile_training(
    loop: TrainingLoop,
    stages: tuple[Stage, ...],
    target: str = "numpy",
    threads: int | None = None,
) -> CompiledTraining:
    """The step, the evaluation and the loops around them, as NumPy source or machine code."""
    if target == "llvm":
        from chainc.backends.llvm.target import native_training  # the import takes its time

        runner, code = native_training(loop, threads)
        return CompiledTraining(stages, loop, runner, native=code)
    source = print_training(loop)
    namespace = _execute(source, "training")
    train, validate = cast(Train, namespace["train"]), cast(Validate, namespace["validate"])
    return CompiledTraining(stages, loop, NumpyTraining(train, validate), source)


def _execute(source: str, title: str) -> dict[str, object]:
    """Define the functions of source that this compiler has just printed."""
    namespace: dict[str, object] = {}
    exec(compile(source, f"<chainrule {title}>", "exec"), namespace)
    return namespace
