"""What a page asks of a model beside its training: functions that are given the parameters."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from chainc import driver, ir
from chainc.backends.standalone.function_library import WantedFunction
from chainc.backends.standalone.web.describing import argument
from chainc.backends.standalone.web.together import Placed, placed_functions
from chainc.ir import Node, describe
from chainc.ir.errors import GraphError
from chainc.ir.graph import substitute
from chainc.lowering.lower import lower
from chainc.passes import pipeline
from chainrule.declare.graphs import graph_of
from chainrule.declare.leaves import input

Outputs = Mapping[str, Node]  # of a function, by name
Described = Mapping[str, object]


def functions(
    function: str, wanted: Mapping[str, Outputs], trained: Sequence[Node], rows: int
) -> Sequence[Described]:
    """Modules in one memory, with the slots whose values some of their inputs are.

    Raises:
        GraphError: one needs a slot that is not trained; `function: ...`.
    """
    read: dict[str, Mapping[str, str]] = {}
    made: list[WantedFunction] = []
    for name, outputs in wanted.items():
        graph = graph_of(ir.Graph(tuple(outputs.values()), names=tuple(outputs)), "infer")
        slots = graph.leaves("state")
        _check(function, slots, trained)
        inputs = [input(f"slot{i}", each.shape, each.dtype) for i, each in enumerate(slots)]
        given = substitute(graph, dict(zip(slots, inputs, strict=True)))
        program = lower(driver.optimize(given, pipeline())[-1].graph)
        made.append(WantedFunction(name, program, {}, rows))
        read[name] = {f"slot{i}": str(each.op.label) for i, each in enumerate(slots)}
    return [
        _described(each, read[each.interface.name], list(wanted[each.interface.name]))
        for each in placed_functions(made)
    ]


def _described(placed: Placed, slots: Mapping[str, str], outputs: Sequence[str]) -> Described:
    """With the names that were wanted: one output alone has another."""
    described = placed.described()
    named = zip(map(argument, placed.interface.outputs), outputs, strict=True)
    return {
        **described,
        "outputs": [{**each, "name": name} for each, name in named],
        "slots": slots,
        "wasm": base64.b64encode(placed.module.content).decode(),
    }


def _check(function: str, slots: Sequence[Node], trained: Sequence[Node]) -> None:
    known = {each.op for each in trained}
    for slot in slots:
        if slot.op not in known:
            raise GraphError(
                f"{function}: the model needs {describe(slot)}, which this training does not have",
                hint="give the model that is trained",
            )
