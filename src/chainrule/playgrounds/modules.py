"""What the page runs as modules of WebAssembly, in one memory, for its worker."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from chainc import driver, ir
from chainc.backends.standalone.function_library import WantedFunction
from chainc.backends.standalone.web.together import placed_functions
from chainc.lowering.lower import lower
from chainc.passes import pipeline
from chainrule.declare.graphs import graph_of
from chainrule.playgrounds import kernels
from chainrule.playgrounds.data_sets import POINTS, data_sets

GRID = 64  # rows and columns of every surface
ROWS = max(POINTS, GRID * GRID)  # at once


@cache
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
    yield "layer", kernels.layer()
    yield "layer_backward", kernels.layer_backward()
    yield "measure", kernels.measure()
    for depth in range(kernels.DEEPEST + 1):
        yield f"step_{depth}", kernels.step(depth)


def _wanted(name: str, kernel: kernels.Kernel) -> WantedFunction:
    graph = graph_of(ir.Graph(tuple(kernel.values()), names=tuple(kernel)), "infer")
    program = lower(driver.optimize(graph, pipeline())[-1].graph)
    rows = ROWS if name in ("features", "layer") else POINTS
    return WantedFunction(name, program, {}, rows)
