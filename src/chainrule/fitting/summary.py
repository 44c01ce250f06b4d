"""A table of the layers of a model, also of one that is a function."""

from __future__ import annotations

import math

from chainc.ir import Graph, Node
from chainc.ir.errors import InputError
from chainc.ir.leaves import Slot
from chainc.ir.types import bind, coefficient_of
from chainc.ops.runs.modes import resolve
from chainrule.evaluation.cost import cost_of
from chainrule.fitting.network import BATCH, Model, Network
from chainrule.fitting.objective import name_of
from chainrule.nn.module import Module
from chainrule.nn.summary import Row, Summary

ONE_ROW = {BATCH: 1}


def summary_of(model: Model, network: Network | None) -> Summary:
    """That of a layer, or the outermost boxes of what a function computes.

    Raises:
        InputError: the model does not tell the shape of its input, and no data have told it.
    """
    inputs = () if network is None else tuple(network.inputs.by_name.values())
    if isinstance(model, Module) and len(inputs) < 2:
        return model.summary(inputs[0] if inputs else None)
    if network is None:
        raise InputError(
            "summary: the shapes of the model's inputs are not known yet",
            hint="call it after trainer.fit(x, y)",
        )
    graph = resolve(Graph(tuple(network.outputs.by_name.values())), "infer", marked=True)
    nodes = [node for node in graph.nodes if node.inputs]
    boxes: dict[str, list[Node]] = {}
    for node in nodes:
        boxes.setdefault(node.origin.scope.split("/")[0], []).append(node)
    name = name_of(model)
    inside = [_row(f"{name}/{box}", "box", found) for box, found in boxes.items() if box]
    return Summary((_row(name, "function", nodes), *inside), ONE_ROW)


def _row(path: str, kind: str, nodes: list[Node]) -> Row:
    """What these nodes compute, and the states that they read."""
    states = {each for node in nodes for each in node.inputs if isinstance(each.op, Slot)}
    kept, output = cost_of(states, ONE_ROW), nodes[-1]
    elements = math.prod(coefficient_of(bind(dim, ONE_ROW)) for dim in output.shape)
    return Row(
        path=path,
        kind=kind,
        output_shape=output.shape,
        parameters=kept.parameters,
        parameter_bytes=kept.parameter_bytes,
        flops=cost_of(nodes, ONE_ROW).flops,
        output_bytes=elements * output.type.dtype.itemsize,
    )
