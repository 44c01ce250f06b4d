"""`cr.compile`: from a declaration to something that runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from chainc import driver, ir
from chainc.backends.target import Budget, Target
from chainc.ir import Node, describe
from chainc.ir.errors import GraphError, InputError
from chainc.ir.types import names_of
from chainc.ops.movement import as_flag
from chainc.ops.runs.modes import MODES, Mode
from chainc.passes import Pass, passes_named, pipeline
from chainrule.compiled.function import Function, Numbers
from chainrule.compiled.lowering import training_stages
from chainrule.compiled.training import TrainingProgram
from chainrule.declare.arguments import byte_count, count, is_one_of
from chainrule.declare.graphs import BATCH_ROWS, Declaration, graph_of, graphs_of, of_each_row
from chainrule.steps.loop import Training
from chainrule.steps.step import Step

Passes = str | Sequence[Pass | str | Callable[[ir.Graph], ir.Graph]]
Compilable = Node | Sequence[Node] | ir.Graph | Step


@overload
def compile(
    what: Training,
    *,
    target: str | Target = "llvm",
    threads: int | None = None,
    mode: None = None,
    fast_math: bool = False,
    memory: str | int | None = None,
    passes: Passes | None = None,
    bake_in: Sequence[str] | bool = False,
    **sizes: int,
) -> TrainingProgram: ...
@overload
def compile(
    what: Node,
    *,
    target: str | Target = "llvm",
    mode: Mode | None = None,
    fast_math: bool = False,
    memory: str | int | None = None,
    passes: Passes | None = None,
    bake_in: Sequence[str] | bool = False,
    **sizes: int,
) -> Function[Numbers]: ...
@overload
def compile(
    what: Sequence[Node] | ir.Graph | Step,
    *,
    target: str | Target = "llvm",
    mode: Mode | None = None,
    fast_math: bool = False,
    memory: str | int | None = None,
    passes: Passes | None = None,
    bake_in: Sequence[str] | bool = False,
    **sizes: int,
) -> Function[tuple[Numbers, ...]]: ...
def compile(
    what: Compilable | Training,
    *,
    target: str | Target = "llvm",
    threads: int | None = None,
    mode: Mode | None = None,
    fast_math: bool = False,
    memory: str | int | None = None,
    passes: Passes | None = None,
    bake_in: Sequence[str] | bool = False,
    **sizes: int,
) -> Function[Numbers] | Function[tuple[Numbers, ...]] | TrainingProgram:
    """Optimise a graph and generate code for it.

    Args:
        what: a node, several nodes, a graph, an optimizer's step, or a training.
        target: "llvm" for machine code, "c" for C11, which a C compiler of this system makes run,
            "wasm" for WebAssembly, which `wasmtime` runs, "numpy" for NumPy source, or a target of
            your own.
        threads: of a native training, at most; by default one a core, and a single one where a
            step is too small to share. The results do not depend on it. A function whose calls
            take milliseconds finds out for itself whether one thread is quicker than one a core.
        mode: of what is no training. "train" gives layers such as dropout the form that they have
            in a step, and a call updates the states that they keep; "infer" computes outputs
            alone. By default "train" for a step and a graph with updates, "infer" for others.
        fast_math: also use rewrite rules that hold over the real numbers but may differ for NaN,
            infinities and signed zeros, or in rounding.
        memory: how much it may take, such as "64 MB" or a number of bytes: of machine code all
            that a run allocates (`plan.arena_bytes`), of NumPy the buffers of a step or a call.
            Where more would be needed, values that the backward pass reads are computed again,
            those first that take the fewest operations for a byte. The results keep their bits.
            All named sizes but a training's batch have to be given.
        passes: other passes than the default pipeline, in order: their names, or functions.
        bake_in: hyperparameters (inputs with defaults) to make constants: names, or True for all.
        sizes: values for named sizes, such as batch=64; the others are bound at each call.

    Raises:
        GraphError: the graph cannot be compiled, also not in so much memory, or there is no such
            target.
        InputError: a named size or hyperparameter does not exist, or `threads`, `mode` or `memory`
            cannot be used.
    """
    chosen_target = driver.target_named(target)
    _check_threads(what, threads)
    _check_mode(what, mode)
    real = as_flag("compile", "fast_math", fast_math)
    limit = None if memory is None else byte_count("compile", "memory", memory)
    budget = Budget.of(limit, chosen_target, threads)
    chosen_passes = pipeline(real) if passes is None else passes_named(passes)
    if isinstance(what, Training):
        _check_watched(what, chosen_target)
        step, evaluation = graphs_of(what, MODES, sizes=sizes, bake_in=bake_in)
        stages = training_stages(what, step, evaluation, chosen_passes)
        made = driver.compile_training(stages, chosen_target, threads, budget)
        return TrainingProgram(what, made)
    graph = graph_of(what, mode or _usual_mode(what), sizes=sizes, bake_in=bake_in)
    _check_rows_known(graph)
    if budget is not None:
        _check_all_bound(graph)
    compiled = driver.compile_function(graph, chosen_passes, chosen_target, budget=budget)
    if isinstance(what, Node):
        return Function[Numbers](compiled, single=True)
    return Function[tuple[Numbers, ...]](compiled, single=False)


def _usual_mode(what: Compilable) -> Mode:
    return "train" if isinstance(what, Declaration) and what.updates else "infer"


def _check_mode(what: Compilable | Training, mode: object) -> None:
    if mode is None:
        return
    if not is_one_of(mode, MODES):
        raise InputError(
            f"compile: there is no mode {mode!r}", hint='give mode="train" or mode="infer"'
        )
    if isinstance(what, Training):
        raise InputError(
            "compile: a training has both modes: its step trains, its evaluation infers",
            hint="leave mode out",
        )


def _check_threads(what: Compilable | Training, threads: int | None) -> None:
    if threads is None:
        return
    count("compile", "threads", threads, hint="give 1 or more, or leave it out")
    if not isinstance(what, Training):
        raise InputError(
            "compile: threads are for a training; a function finds out whether one is quicker",
            hint="leave threads out, and call functions made by bind in threads of your own",
        )


def _check_rows_known(graph: ir.Graph) -> None:
    """A state has room for so many rows."""
    for slot in of_each_row(graph):
        raise GraphError(
            f"compile: {describe(slot)} has something for each row of a batch, and a step alone "
            "does not say how many there are",
            hint="compile a training, cr.training(step, ..., batch_size=32, shuffle=False), or "
            f"give them: cr.compile(step, {BATCH_ROWS}=32)",
        )


def _check_all_bound(graph: ir.Graph) -> None:
    """A number of bytes holds for given sizes."""
    names = sorted({name for node in graph.nodes for dim in node.shape for name in names_of(dim)})
    if names:
        given = ", ".join(f"{name}=32" for name in names)
        raise InputError(
            f"compile: memory depends on {', '.join(names)}, which is not given",
            hint=f"give the named sizes too: cr.compile(..., {given})",
        )


def _check_watched(what: Training, target: Target) -> None:
    if what.watch and not target.can_watch:
        raise GraphError(
            f"a training that is watched cannot be compiled for {target.name!r}",
            hint='compile it with target="llvm", or declare it without watch=True',
        )
