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


def loss_at(loss: Node, values: Mapping[Node, Node]) -> Node:
    """The loss of a training with other values in the place of some parameters."""
    return substitute(resolve(Graph((loss,)), "train"), values).outputs[0]


def directions(parameters: Sequence[Node]) -> Signals:
    """A normal direction for each parameter."""
    return {each: normal(each.shape, dtype=each.type.dtype) for each in parameters}


def summed(
    parameters: Sequence[Node],
    trial: Callable[..., Signals],
    *,
    xs: Node | Sequence[Node] | None = None,
    count: int | None = None,
) -> Signals:
    """The sum over trials of what each gives for each parameter, as a loop."""

    def cell(sums: tuple[Node, ...], slices: object = ()) -> tuple[tuple[Node, ...], None]:
        given = trial(*slices) if isinstance(slices, tuple) else trial(slices)
        return tuple(s + given[p] for p, s in zip(parameters, sums, strict=True)), None

    found, _ = scan(cell, tuple(zeros_like(each) for each in parameters), xs=xs, length=count)
    return dict(zip(parameters, found, strict=True))


def by_layer(parameters: Sequence[Node]) -> Sequence[Sequence[Node]]:
    """The parameters of each layer: `model/linear1/bias` is one of `model/linear1`."""
    layers: dict[str, list[Node]] = {}
    for each in parameters:
        layers.setdefault(each.op.label.rpartition("/")[0], []).append(each)
    return list(layers.values())


def zeros_like(node: Node) -> Node:
    return broadcast_to(constant(0, node.type.dtype), node.shape)
