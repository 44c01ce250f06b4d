"""`cr.compile`: from a declaration to something that runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from chainc import driver, ir
from chainc.backends.target import Target
from chainc.ir import Node, rebuild, with_inputs
from chainc.ir.binding import bind_graph
from chainc.ir.errors import GraphError, InputError
from chainc.ir.leaves import Input, constant
from chainc.ir.types import names_of
from chainc.passes import Pass, pipeline
from chainrule.compiled.function import Function, Numbers
from chainrule.compiled.training import Training, TrainingProgram, compile_training
from chainrule.declare.arguments import count
from chainrule.optim import Step

Compilable = Node | Sequence[Node] | ir.Graph | Step


@overload
def compile(
    what: Training,
    *,
    target: str | Target = "llvm",
    threads: int | None = None,
    fast_math: bool = False,
    passes: Sequence[Pass] | None = None,
    bake_in: Sequence[str] | bool = False,
    **sizes: int,
) -> TrainingProgram: ...
@overload
def compile(
    what: Node,
    *,
    target: str | Target = "llvm",
    fast_math: bool = False,
    passes: Sequence[Pass] | None = None,
    bake_in: Sequence[str] | bool = False,
    **sizes: int,
) -> Function[Numbers]: ...
@overload
def compile(
    what: Sequence[Node] | ir.Graph | Step,
    *,
    target: str | Target = "llvm",
    fast_math: bool = False,
    passes: Sequence[Pass] | None = None,
    bake_in: Sequence[str] | bool = False,
    **sizes: int,
) -> Function[tuple[Numbers, ...]]: ...
def compile(
    what: Compilable | Training,
    *,
    target: str | Target = "llvm",
    threads: int | None = None,
    fast_math: bool = False,
    passes: Sequence[Pass] | None = None,
    bake_in: Sequence[str] | bool = False,
    **sizes: int,
) -> Function[Numbers] | Function[tuple[Numbers, ...]] | TrainingProgram:
    """Optimise a graph and generate code for it.

    Args:
        what: a node, several nodes, a graph, an optimizer's step, or a training.
        target: "llvm" for machine code, "numpy" for NumPy source, or a target of your own.
        threads: of a native training, at most; by default one a core, and a single one where a
            step is too small to share. The results do not depend on it.
        fast_math: also use rewrite rules that hold over the real numbers but may differ for NaN,
            infinities and signed zeros, or in rounding.
        passes: other passes than the default pipeline, in order.
        bake_in: hyperparameters (inputs with defaults) to make constants: names, or True for all.
        sizes: values for named sizes, such as batch=64; the others are bound at each call.

    Raises:
        GraphError: the graph cannot be compiled, or there is no such target.
        InputError: a named size or hyperparameter does not exist, or `threads` cannot be used.
    """
    chosen_target = driver.target_named(target)
    _check_threads(what, threads)
    chosen_passes = pipeline(fast_math) if passes is None else tuple(passes)
    if isinstance(what, Training):
        step, evaluation = (
            _bake(_bound(graph, sizes), bake_in) for graph in (what.graph, what.evaluation)
        )
        return compile_training(what, step, evaluation, chosen_passes, chosen_target, threads)
    graph = _bake(_bound(_as_graph(what), sizes), bake_in)
    compiled = driver.compile_function(graph, chosen_passes, chosen_target)
    if isinstance(what, Node):
        return Function[Numbers](compiled, single=True)
    return Function[tuple[Numbers, ...]](compiled, single=False)


def _check_threads(what: Compilable | Training, threads: int | None) -> None:
    if threads is None:
        return
    count("compile", "threads", threads, hint="give 1 or more, or leave it out")
    if not isinstance(what, Training):
        raise InputError(
            "compile: threads are for a training; a function runs in the thread that calls it",
            hint="leave threads out, and call functions made by bind in threads of your own",
        )


def _as_graph(what: Compilable) -> ir.Graph:
    if isinstance(what, ir.Graph):
        return what
    if isinstance(what, Step):
        return ir.Graph((what.loss,), what.updates, ("loss",))
    nodes = (what,) if isinstance(what, Node) else tuple(what)
    if not nodes or not all(isinstance(node, Node) for node in nodes):
        raise GraphError(
            f"compile: {what!r} is nothing that can be compiled",
            hint="give a node, a list of nodes, a graph, a step or a training",
        )
    return ir.Graph(nodes)


def _bound(graph: ir.Graph, sizes: dict[str, int]) -> ir.Graph:
    known = {
        name
        for node in graph.leaves("input")
        if isinstance(node.op, Input)
        for dim in node.shape
        for name in names_of(dim)
    }
    for name, value in sizes.items():
        if name not in known:
            raise InputError(
                f"compile: there is no named size {name!r}",
                hint=f"the inputs have {', '.join(sorted(known)) or 'none'}",
            )
        if value < 1:
            raise InputError(f"compile: the size {name}={value} is empty", hint="give 1 or more")
    return bind_graph(graph, sizes) if sizes else graph


def _bake(graph: ir.Graph, names: Sequence[str] | bool) -> ir.Graph:
    """Hyperparameters as constants: all of them, or the named ones."""
    if not names:
        return graph
    wanted = None if isinstance(names, bool) else set(names)

    def transform(node: Node, inputs: tuple[Node, ...]) -> Node:
        op = node.op
        if (
            isinstance(op, Input)
            and op.default is not None
            and (wanted is None or op.key in wanted)
        ):
            return constant(op.default, op.type.dtype)
        return with_inputs(node, inputs)

    return rebuild(graph, transform)
