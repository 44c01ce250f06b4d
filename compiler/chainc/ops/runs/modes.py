"""What differs by mode: a node with two forms, and one that carries updates of state slots.

Both are decided by `resolve`, before the first pass: no pass and no target meets either of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from chainc.dataclass import dataclass
from chainc.ir import (
    Graph,
    Node,
    Op,
    Sample,
    apply,
    describe,
    originating,
    rebuild,
    with_inputs,
)
from chainc.ir.errors import GraphError, MisfitError, VerifyError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import Slot, constant
from chainc.ir.scalar import Scalar
from chainc.ir.types import TensorType, float32
from chainc.ops.elementwise import Unary
from chainc.ops.movement import broadcast_to
from chainc.ops.runs.scan import with_bodies

__all__ = ["by_mode", "updating"]

Mode = Literal["train", "infer"]
Modes = frozenset[Mode]
MODES: tuple[Mode, Mode] = ("train", "infer")  # in the order of the operands of `ByMode`
EVERY_MODE: Modes = frozenset(MODES)

T = TypeVar("T")


@dataclass(frozen=True)
class ByMode(Op):
    """y is one operand in a training step, the other everywhere else.

    Where nothing has been resolved, as in the reference, it has the value for inference.
    """

    name = "by_mode"
    roles = MODES
    backward_rules = ("{G} in training, else 0", "0 in training, else {G}")

    def infer(self, train: TensorType, infer: TensorType) -> TensorType:
        if train != infer:
            raise MisfitError(
                GraphError,
                f"the form for training is {train}, the one for inference {infer}",
                "give two nodes of one type, such as with cr.astype or cr.broadcast_to",
            )
        return train

    def kernel(self, k: Kernels[T], result: TensorType, train: T, infer: T) -> T:
        return infer

    def vjp(self, g: Node, y: Node, train: Node, infer: Node) -> Sequence[Node]:
        """Each gets all of it, in its own mode alone: the chain rule's driver sees to that."""
        return g, g

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(), (TensorType(shape, float32),) * 2) for shape in [(2, 3), (), (0,)]]


@dataclass(frozen=True)
class Updating(Op):
    """y is the first operand; the step that computes it gives slots new values.

    The other operands are slots, and then as many new values in the same order.
    """

    name = "updating"
    roles = ("y",)
    backward_rules = ("{G}", "0")

    def infer(self, y: TensorType, *others: TensorType) -> TensorType:
        half = len(others) // 2
        if others[:half] != others[half:]:
            raise MisfitError(
                GraphError,
                "a state and its new value are not of one type",
                "give each slot a node of its type, such as with cr.astype",
            )
        return y

    def kernel(self, k: Kernels[T], result: TensorType, y: T, *others: T) -> T:
        return y

    def vjp(self, g: Node, y: Node, x: Node, *others: Node) -> Sequence[Node | None]:
        return (g, *(None for _ in others))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        y, slot = TensorType((2, 3), float32), TensorType((3,), float32)
        return [Sample(cls(), (y, slot, slot)), Sample(cls(), (y,))]


@dataclass(frozen=True)
class Form(Unary):
    """y = x, in a picture of one mode: here stands another form in the other one."""

    name = "form"
    mode: str = "infer"
    accepts = "fib"

    @property
    def label(self) -> str:
        return f"{self.mode}_form"

    def scalar(self, s: Scalar[T], x: T) -> T:
        return x

    def vjp(self, g: Node, y: Node, x: Node) -> tuple[Node]:
        return (g,)


def by_mode(*, train: Node, infer: Node) -> Node:
    """`train` in a training step, `infer` everywhere else: validation, prediction, functions.

    The derivative in each mode is that of the form it has there.

    Raises:
        GraphError: the two are not of one type.
    """
    for form in (train, infer):
        _check_node("by_mode", form)
    return apply(ByMode(), train, infer)


def updating(y: Node, updates: Mapping[Node, Node]) -> Node:
    """`y`, and in a training step that computes it the states get new values.

    All updates of a step read the values from before it; elsewhere it is `y` alone.

        mean = cr.parameter("mean", (3,), "zeros", trainable=False)
        y = cr.updating(x - mean, {mean: 0.9 * mean + 0.1 * cr.mean(x, axis=0)})

    Args:
        y: any node.
        updates: states, such as those of `cr.parameter`, and their new values.

    Raises:
        GraphError: a key is no state, or a new value has another type.
    """
    given: object = updates
    if not isinstance(given, Mapping):
        raise GraphError(
            f"updating: the updates are a {type(given).__name__}, not a dictionary",
            hint="give states and their new values, such as {mean: 0.9 * mean}",
        )
    for node in (y, *updates, *updates.values()):
        _check_node("updating", node)
    for slot in updates:
        if not isinstance(slot.op, Slot):
            raise GraphError(
                f"updating: {describe(slot)} is no state",
                hint="update states only, such as what cr.parameter gives",
            )
    return apply(Updating(), y, *updates, *updates.values())


def _check_node(function: str, given: object) -> None:
    if not isinstance(given, Node):
        raise GraphError(
            f"{function}: a {type(given).__name__} is no node",
            hint="give nodes; cr.constant makes one of a number or an array",
        )


def modes_that_read(node: Node, position: int) -> Modes:
    """Those in which a node reads one of its operands."""
    return frozenset({MODES[position]}) if isinstance(node.op, ByMode) else EVERY_MODE


def only_in(modes: Modes, node: Node) -> Node:
    """The node in these modes, and 0 in the others."""
    if modes == EVERY_MODE:
        return node
    with originating(node.origin):
        zeros = broadcast_to(constant(0, node.type.dtype), node.shape)
        train, infer = (node if mode in modes else zeros for mode in MODES)
        return by_mode(train=train, infer=infer)


def resolve(graph: Graph, mode: Mode, *, marked: bool = False) -> Graph:
    """The graph in a mode; updates that are met on the way to its outputs join its own.

    Args:
        graph: as it was declared.
        mode: "train" or "infer".
        marked: for a picture, leave a `Form` where two forms differed.

    Raises:
        GraphError: a slot would be written twice.
    """
    form = MODES.index(mode)
    graph = with_bodies(graph, lambda body: resolve(body, mode, marked=marked))
    if not any(isinstance(node.op, ByMode | Updating) for node in graph.nodes):
        return graph

    def choose(node: Node, inputs: tuple[Node, ...]) -> Node:
        if not isinstance(node.op, ByMode):
            return without_updates(node, inputs)
        if not marked or node.origin.derivative is not None:
            return inputs[form]
        return Node(Form(mode), (inputs[form],), node.type, node.origin)

    met = _met(graph, form) if mode == "train" else ()
    if met:
        graph = Graph(graph.outputs, _joined(graph, met), graph.names)
    return rebuild(graph, choose)


def _met(graph: Graph, form: int) -> Sequence[Node]:
    """What carries updates and is read in a mode, operands before users."""
    read = set(graph.roots)
    for node in reversed(graph.nodes):
        if node in read:
            read.update((node.inputs[form],) if isinstance(node.op, ByMode) else node.inputs)
    return [node for node in graph.nodes if isinstance(node.op, Updating) and node in read]


def require_resolved(graph: Graph) -> None:
    """Refuse a graph that a mode has not been chosen for: its form for inference would be taken.

    Raises:
        VerifyError: a node has two forms, or carries updates.
    """
    for node in graph.nodes:
        if isinstance(node.op, ByMode | Updating):
            raise VerifyError(
                f"no mode has been chosen for {describe(node)}",
                where=f"{node.origin.location or 'unknown line'}",
                hint="compile with cr.compile, or resolve the graph before the passes",
            )


def without_updates(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The node over other operands, as a transform of `rebuild` that leaves the updates behind."""
    return inputs[0] if isinstance(node.op, Updating) else with_inputs(node, inputs)


def _joined(graph: Graph, met: Sequence[Node]) -> dict[Node, Node]:
    updates = dict(graph.updates)
    writers = {slot.op: value for slot, value in updates.items()}
    for node in met:
        half = 1 + len(node.inputs) // 2
        for slot, value in zip(node.inputs[1:half], node.inputs[half:], strict=True):
            writer = writers.setdefault(slot.op, node)
            if writer is not node:
                raise _written_twice(slot, writer, node)
            updates[slot] = value
    return updates


def _written_twice(slot: Node, first: Node, second: Node) -> GraphError:
    return GraphError(
        f"the state {slot.op.label!r} is written twice in one step",
        where=f"{describe(first)}\n         {describe(second)}",
        hint="use a layer that keeps statistics once a step: give the second use a layer of its "
        "own, such as copy.deepcopy(layer), or apply one layer to both parts joined by cr.concat",
    )
