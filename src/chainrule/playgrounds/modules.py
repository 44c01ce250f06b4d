"""What the page runs as modules of WebAssembly, in one memory, for its worker."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from chainc import driver, ir
from chainc.backends.standalone.function_library import WantedFunction
from chainc.backends.standalone.web.together import placed_functions
from chainc.ir.python.collection import without_collection
from chainc.lowering.lower import lower
from chainc.ops.runs.modes import MODES
from chainc.passes import pipeline
from chainrule.declare.graphs import graph_of
from chainrule.playgrounds import between, digits, kernels, seen
from chainrule.playgrounds.choices import (
    ACTIVATIONS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    Activation,
)
from chainrule.playgrounds.data_sets import POINTS, data_sets
from chainrule.playgrounds.updates import penalised, scheduled, update

GRID = 64  # rows and columns of every surface
MOST_ROWS = max(POINTS, digits.COUNT)  # of a data set
ROWS = max(MOST_ROWS, GRID * GRID)  # at once


@cache
@without_collection()
def modules() -> Sequence[Mapping[str, object]]:
    """Each described, with its bytes in base 64."""
    placed = placed_functions([_wanted(name, kernel) for name, kernel in _kernels()])
    return [
        {**each.described(), "wasm": base64.b64encode(each.module.content).decode()}
        for each in placed
    ]


def _kernels() -> Iterator[tuple[str, kernels.Kernel]]:
    yield "data_sets", data_sets()
    yield "first_parameters", kernels.first_parameters()
    yield "features", kernels.features()
    yield "norm", kernels.norm()
    yield "pictures", seen.pictures(GRID)
    yield "output", seen.output(GRID)
    yield "histogram", seen.histogram()
    yield "fitted", kernels.fitted()
    yield "feedback", kernels.feedback()
    yield "direct", kernels.direct()
    for name, activation in ACTIVATIONS.items():
        yield from _layer(name, activation)
    yield "head_tanh", kernels.head(squashed=True, logistic=False)
    for name in LOSSES:
        yield f"head_{name}", kernels.head(squashed=False, logistic=name == "logistic")
        yield f"measure_{name}", kernels.measure(logistic=name == "logistic")
    for mode in MODES:
        suffix = "" if mode == "train" else "_after"
        yield f"normalised{suffix}", between.normalised(mode)
        yield f"normalised{suffix}_backward", between.normalised_backward(mode)
    yield "dropped", between.dropped()
    yield "dropped_backward", between.dropped_backward()
    yield "penalised", penalised()
    for name, schedule in SCHEDULES.items():
        if schedule.made:
            yield f"scheduled_{name}", scheduled(schedule.made)
    yield from digits.kernels()
    for name, optimizer in OPTIMIZERS.items():
        yield f"update_{name}", update(optimizer.made)


def _layer(name: str, activation: Activation) -> Iterator[tuple[str, kernels.Kernel]]:
    """Forward, backward, and backward at the first layer."""
    if activation.sums == 2:
        yield f"forward_{name}", kernels.forward_of_two()
        yield f"backward_{name}", kernels.backward_of_two()
        yield f"first_{name}", kernels.backward_first_of_two()
        return
    yield f"forward_{name}", kernels.forward(activation.made)
    yield f"backward_{name}", kernels.backward(activation.made)
    yield f"first_{name}", kernels.backward_first(activation.made)


def _wanted(name: str, kernel: kernels.Kernel) -> WantedFunction:
    graph = graph_of(ir.Graph(tuple(kernel.values()), names=tuple(kernel)), "infer")
    program = lower(driver.optimize(graph, pipeline())[-1].graph)
    rows = ROWS if name.startswith(("features", "forward", "normalised_after")) else MOST_ROWS
    return WantedFunction(name, program, {}, rows)
