"""What becomes of parameters: the optimizers of the library, as functions on blocks of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainc import ops
from chainc.ir import Graph, Node, apply, substitute
from chainc.ir.leaves import Input, Label, Slot
from chainc.ir.types import TensorType, float32, named
from chainrule.declare.leaves import constant, input, step_counter
from chainrule.optim import Optimizer
from chainrule.playgrounds.choices import SPAN
from chainrule.playgrounds.kernels import BLOCK, Kernel, of_blocks

RATE = "lr"  # as optimizers call it


def update(optimizer: Optimizer) -> Kernel:
    """The new parameters, and the new value of each state that the optimizer keeps.

    A state is an input of the same name. What is masked has no gradient.
    """
    kind = TensorType((named("blocks"), BLOCK), float32)
    parameters = apply(Slot(Label("parameters"), kind))
    gradient = of_blocks("gradient") * of_blocks("mask")
    changes = optimizer.changes({parameters: gradient}).updates
    read = set(Graph((changes[parameters],)).leaves("state"))
    names = {slot: _name(slot, parameters, i) for i, slot in enumerate(changes) if slot in read}
    graph = Graph(tuple(changes[slot] for slot in names))
    known = {slot: apply(Input(name, slot.type)) for slot, name in names.items()}
    known.update((leaf, _fixed(leaf)) for leaf in graph.leaves("input"))
    return dict(zip(names.values(), substitute(graph, known).outputs, strict=True))


def _name(slot: Node, parameters: Node, number: int) -> str:
    if slot is step_counter():
        return "step"
    return "parameters" if slot is parameters else f"state{number}"


def _fixed(leaf: Node) -> Node:
    """Of what an optimizer can be given for a run, the page gives the rate."""
    op = leaf.op
    assert isinstance(op, Input)
    return leaf if op.default is None or op.label == RATE else constant(np.float32(op.default))


def penalised() -> Kernel:
    """The gradient with those of L1 and L2 penalties on what is a weight: there `pulls` is 1."""
    parameters = of_blocks("parameters")
    pulled = input("l2") * parameters + input("l1") * ops.sign(parameters)
    return {"gradient": of_blocks("gradient") + of_blocks("pulls") * pulled}


def scheduled(schedule: Callable[[Node], Node]) -> Kernel:
    """The rate of an update, and the number of those done.

    The schedule is declared for `SPAN` steps; the page says how many there are.
    """
    rate, span, done = input(RATE), input("span"), input("done")
    return {"rate": rate * schedule(done * (SPAN / span)), "done": done + 1}
