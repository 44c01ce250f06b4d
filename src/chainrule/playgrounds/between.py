"""What may stand between the layers of a network: batch normalisation and dropout."""

from __future__ import annotations

from chainc import ops
from chainc.ir import Graph, Node, apply, substitute
from chainc.ir.leaves import Input
from chainc.ops.runs.modes import Mode, resolve
from chainrule import nn
from chainrule.declare.derivatives import grad
from chainrule.declare.leaves import input
from chainrule.playgrounds.choices import WIDTH
from chainrule.playgrounds.kernels import Kernel


def normalised(mode: Mode) -> Kernel:
    """Values with mean 0 and variance 1, and in training the running statistics after it.

    It has no scale and no shift of its own: the weights behind it are one.
    """
    layer = nn.BatchNorm1d(WIDTH, affine=False)
    graph = resolve(Graph((layer(_of_rows("values")),)), mode)
    states = {"mean": layer.running_mean, "variance": layer.running_var}
    moved = {name: graph.updates[slot] for name, slot in states.items() if slot in graph.updates}
    found = {"normal": graph.outputs[0], **moved}
    known = {slot: apply(Input(name, slot.type)) for name, slot in states.items()}
    read = substitute(Graph(tuple(found.values())), known).outputs
    return dict(zip(found, read, strict=True))


def normalised_backward(mode: Mode) -> Kernel:
    """The gradient before a normalisation, from that behind it."""
    normal = normalised(mode)["normal"]
    (values,) = (leaf for leaf in Graph((normal,)).leaves("input") if leaf.op.label == "values")
    return {"above": grad(ops.sum(normal * _of_rows("above")), values)}


def dropped() -> Kernel:
    """Values of which a share is 0 and the others larger; a number of the draw gives the next."""
    values, rate, draw = _of_rows("values"), input("rate"), input("draw", (), dtype="int64")
    drawn = ops.uniform(values.shape, draw, stream="dropout")
    kept = ops.where(drawn < rate, 0.0, 1.0 / (1.0 - rate))
    return {"dropped": values * kept, "kept": kept, "draw": draw + 1}


def dropped_backward() -> Kernel:
    """What was 0 sends nothing back."""
    return {"above": _of_rows("above") * _of_rows("kept")}


def _of_rows(name: str) -> Node:
    return input(name, ("rows", WIDTH))
