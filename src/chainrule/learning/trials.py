"""The loss at other parameters, and loops over trials of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chainc.ir import Graph, Node, substitute
from chainc.ops import normal
from chainc.ops.movement import broadcast_to
from chainc.ops.runs.modes import resolve
from chainrule.declare.leaves import constant
from chainrule.optim.signals.rule import Signals
from chainrule.sequences.scan import scan
from chainrule.sequences.steps import Nodes


def loss_at(loss: Node, values: Mapping[Node, Node]) -> Node:
    """The loss of a training with other values in the place of some parameters."""
    return substitute(resolve(Graph((loss,)), "train"), values).outputs[0]


def directions(parameters: Sequence[Node]) -> Signals:
    """A normal direction for each parameter."""
    return {each: normal(each.shape, dtype=each.type.dtype) for each in parameters}


def summed(parameters: Sequence[Node], trial: Callable[[], Signals], count: int) -> Signals:
    """The sum over trials of what each gives for each parameter, as a loop."""

    def cell(sums: tuple[Node, ...]) -> tuple[tuple[Node, ...], None]:
        given = trial()
        return tuple(s + given[p] for p, s in zip(parameters, sums, strict=True)), None

    found, _ = scan(cell, tuple(zeros_like(each) for each in parameters), length=count)
    return dict(zip(parameters, found, strict=True))


def each_of(trial: Callable[[Node], Nodes], xs: Node) -> Nodes:
    """What a trial gives for each slice, as a loop that hands nothing on."""

    def cell(nothing: Node, x: Node) -> tuple[Node, Nodes]:
        return nothing, trial(x)

    _, found = scan(cell, constant(0.0), xs=xs)
    assert found is not None
    return found


def zeros_like(node: Node) -> Node:
    return broadcast_to(constant(0, node.type.dtype), node.shape)
