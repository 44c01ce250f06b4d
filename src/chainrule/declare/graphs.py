"""Graphs from declarations: the one place where what was declared becomes what is compiled."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from chainc import ir
from chainc.dataclass import dataclass
from chainc.ir import Node, describe, rebuild, substitute, with_inputs
from chainc.ir.binding import bind_graph, too_small
from chainc.ir.errors import GraphError, InputError
from chainc.ir.leaves import Constant, Input, SizeOf, constant, number_equal_names
from chainc.ir.python.collection import without_collection
from chainc.ir.types import named, names_of
from chainc.ops.runs.modes import Mode, resolve
from chainc.ops.runs.random import Random, with_own_streams
from chainrule.declare.arguments import count, is_one_of, shown
from chainrule.declare.leaves import step_counter


@runtime_checkable
class Declaration(Protocol):
    """What says by itself what is to be computed and updated: a graph, a step, a training."""

    @property
    def outputs(self) -> tuple[Node, ...]:
        """What is computed."""

    @property
    def updates(self) -> Mapping[Node, Node]:
        """States and their new values."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the outputs are called."""


@dataclass(frozen=True)
class Turn:
    """One of several steps: the place of its loss among the outputs, and the slots it updates."""

    place: int
    slots: tuple[Node, ...]


@runtime_checkable
class TakesTurns(Protocol):
    """What does several steps, one after another."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """They, in order; a single step takes none."""


@runtime_checkable
class TakesBatches(Protocol):
    """What goes through rows a batch at a time."""

    @property
    def batch_size(self) -> int:
        """Rows of a batch, at most."""


BATCH_ROWS = "batch_rows"  # the named size of states that hold something for each row of a batch

Declared = Node | Sequence[Node] | Declaration


def graph_of(
    what: Declared,
    mode: Mode,
    *,
    sizes: Mapping[str, int] | None = None,
    bake_in: Sequence[str] | bool = False,
) -> ir.Graph:
    """The graph of a declaration in a mode.

    Args:
        what: a node, several nodes, a graph, a step or a training.
        mode: "train" for a step, with all updates of states; "infer" for the outputs alone.
        sizes: values for named sizes.
        bake_in: hyperparameters (inputs with defaults) to make constants: names, or True for all.

    Raises:
        GraphError: it is no declaration, two inputs or draws in it would be one, or a state is
            written twice.
        InputError: a named size does not exist, is empty, or smaller than a layer needs, or a
            hyperparameter does not exist.
    """
    (graph,) = graphs_of(what, (mode,), sizes=sizes, bake_in=bake_in)
    return graph


def graphs_of(
    what: Declared,
    modes: Sequence[Mode],
    *,
    sizes: Mapping[str, int] | None = None,
    bake_in: Sequence[str] | bool = False,
) -> Sequence[ir.Graph]:
    """Those in several modes, in which names and streams are the same; see `graph_of`."""
    with without_collection():
        declared = _plain(what)
        _check_baked(declared, bake_in)
        number_equal_names(declared.leaves("state"))
        declared = with_own_streams(declared)
        return [_baked(_in_mode(declared, mode, what, sizes or {}), bake_in) for mode in modes]


def _in_mode(declared: ir.Graph, mode: Mode, what: Declared, sizes: Mapping[str, int]) -> ir.Graph:
    if mode == "infer" and declared.updates:
        declared = ir.Graph(declared.outputs, {}, declared.names)
    graph = resolve(declared, mode)
    if mode == "train" and isinstance(what, TakesTurns) and what.turns:
        graph = _in_turn(graph, what.turns)
    _refuse_shared(graph)
    own = {BATCH_ROWS: what.batch_size} if isinstance(what, TakesBatches) else {}
    bound = _bound(graph if not of_each_row(graph) else bind_graph(graph, own), sizes)
    refuse_small(bound, {})
    return bound


def of_each_row(graph: ir.Graph) -> Sequence[Node]:
    """The states that hold something for each row of a batch, of which it is not known how many."""
    return [slot for slot in graph.leaves("state") if named(BATCH_ROWS) in slot.shape]


def refuse_small(graph: ir.Graph, sizes: Mapping[str, int]) -> None:
    """Refuse sizes with which a statistic has no value, such as a variance of one row.

    Raises:
        InputError: a node of the graph needs more.
    """
    found = too_small(graph, sizes)
    if found is None:
        return
    node, size = found
    assert isinstance(node.op, SizeOf)
    raise InputError(
        f"{node.origin.scope or node.op.label} needs at least {node.op.least} values for a "
        f"statistic and would get {size}",
        where=describe(node),
        hint="choose a batch_size that leaves no such last batch, or leave rows out",
    )


def _in_turn(graph: ir.Graph, turns: Sequence[Turn]) -> ir.Graph:
    """Each step reads what those before it have written; all of them count as one step.

    d: w ← w - g(w)    then v's loss f(v, w)   →   f(v, w - g(w))
    """
    written: dict[Node, Node] = {}
    outputs, updates = list(graph.outputs), dict(graph.updates)
    for turn in turns:
        roots = (outputs[turn.place], *(updates[slot] for slot in turn.slots))
        outputs[turn.place], *values = substitute(ir.Graph(roots), written).outputs
        found = dict(zip(turn.slots, values, strict=True))
        updates |= found
        written |= {slot: new for slot, new in found.items() if slot is not step_counter()}
    return ir.Graph(tuple(outputs), updates, graph.names)


def _plain(what: Declared) -> ir.Graph:
    """All that is declared, in a graph."""
    if isinstance(what, Declaration):
        return ir.Graph(what.outputs, what.updates, what.names)
    given: object = what
    nodes = (given,) if isinstance(given, Node) or not isinstance(given, Iterable) else (*given,)
    chosen = tuple(node for node in nodes if isinstance(node, Node))
    if not chosen or len(chosen) < len(nodes):
        raise GraphError(
            f"compile: {shown(what)} is nothing that can be compiled", hint=_what_to_compile(given)
        )
    return ir.Graph(chosen)


def _what_to_compile(given: object) -> str:
    if hasattr(given, "minimize"):
        return "give a training: cr.training(optimizer.minimize(loss), epochs=..., batch_size=...)"
    if callable(given):
        return 'call it first, and give the node: f(cr.input("x", ...))'
    return "give a node, a list of nodes, a graph, a step or a training"


def _bound(graph: ir.Graph, sizes: Mapping[str, int]) -> ir.Graph:
    if not sizes:
        return graph
    dims = [dim for node in graph.nodes for dim in node.shape]
    dims.extend(node.op.dim for node in graph.nodes if isinstance(node.op, SizeOf))
    known = {name for dim in dims for name in names_of(dim)}
    for name, value in sizes.items():
        if name not in known:
            raise InputError(
                f"compile: there is no named size {name!r}",
                hint=f"there is {', '.join(sorted(known)) or 'none'}",
            )
        count(
            "compile",
            f"the size in {name}={value!r}",
            value,
            hint=f"give 1 or more, such as {name}=32",
        )
    return bind_graph(graph, sizes)


def _check_baked(declared: ir.Graph, names: object) -> None:
    """Refuse what is no name of a hyperparameter."""
    if isinstance(names, str) or not isinstance(names, (bool, Sequence)):
        raise InputError(
            f"compile: bake_in is {names!r}, not names of hyperparameters",
            hint='give a list of names, such as bake_in=["lr"], or True for all',
        )
    inputs = [node.op for node in declared.leaves("input")]
    known = [op.key for op in inputs if isinstance(op, Input) and op.default is not None]
    for name in () if isinstance(names, bool) else names:
        if not is_one_of(name, known):
            raise InputError(
                f"compile: there is no hyperparameter {name!r} to bake in",
                hint=f"there is {', '.join(known) or 'none'}",
            )


def _baked(graph: ir.Graph, names: Sequence[str] | bool) -> ir.Graph:
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


# --- leaves that were declared apart and would be one


def _refuse_shared(graph: ir.Graph) -> None:
    """Copies of one declaration are one; hyperparameters of one name too.

    Raises:
        GraphError: there are two inputs of one name, or two draws of the same numbers.
    """
    _refuse_twice(
        _inputs(graph),
        "two inputs have the name {name!r}, so they would be one",
        "declare it once and use it twice, or rename one of them",
    )
    _refuse_twice(
        _draws(graph),
        "two draws have one seed, step and stream, so their numbers are the same",
        'leave the stream out, name others, such as stream="noise/1", or use one node twice',
    )


def _refuse_twice(named: Iterator[tuple[Hashable, str, Node]], what: str, hint: str) -> None:
    seen: dict[Hashable, Node] = {}
    for key, name, node in named:
        other = seen.setdefault(key, node)
        if other is not node and other.origin is not node.origin:
            raise GraphError(
                what.format(name=name),
                where=f"{describe(other)}\n         {describe(node)}",
                hint=hint,
            )


def _inputs(graph: ir.Graph) -> Iterator[tuple[Hashable, str, Node]]:
    for node in graph.leaves("input"):
        if isinstance(node.op, Input) and node.op.default is None:
            yield node.op.key, node.op.key, node


def _draws(graph: ir.Graph) -> Iterator[tuple[Hashable, str, Node]]:
    for node in graph.nodes:
        if isinstance(node.op, Random):
            yield (node.op, *map(_value, node.inputs)), "", node


def _value(operand: Node) -> Hashable:
    """Equal constants are one value, other nodes each its own."""
    return operand.op if isinstance(operand.op, Constant) else id(operand)
