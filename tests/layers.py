"""Layers in both modes: their values and gradients, and difference quotients of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node
from chainc.ir.leaves import number_equal_names
from chainc.ops.runs.modes import Mode, resolve
from chainc.ops.runs.random import with_own_streams
from chainrule.evaluation.point import complete

Floats = npt.NDArray[np.float64]
Values = Mapping[str, npt.ArrayLike]


@dataclass(frozen=True)
class Applied:
    """A layer's result at a point, with weights that make a scalar of it."""

    y: Node
    wrt: Sequence[Node]
    mode: Mode
    values: Values

    def _compute(self, outputs: Sequence[Node], values: Values) -> list[Floats]:
        graph = resolve(with_own_streams(Graph((*outputs, self._loss))), self.mode)
        inputs, states = (
            {n.op.label: values[n.op.label] for n in graph.leaves(kind)}
            for kind in ("input", "state")
        )
        found = evaluate(graph, inputs, states).outputs
        return [cast("Floats", each) for each in found]

    @property
    def _loss(self) -> Node:
        return cr.sum(self.y * cr.cos(2 * self.y) + self.y)

    def gradients(self) -> list[Floats]:
        return self._compute(cr.grad(self._loss, list(self.wrt)), self.values)[:-1]

    def quotients(self, step: float = 1e-6) -> list[Floats]:
        """(f(x + h) - f(x - h)) / 2h for each number of each node."""
        return [self._quotients(node.op.label, step) for node in self.wrt]

    def _quotients(self, key: str, step: float) -> Floats:
        at = np.array(self.values[key], np.float64)
        found = np.zeros_like(at)
        for index in np.ndindex(at.shape):
            ends = []
            for sign in (1, -1):
                moved = at.copy()
                moved[index] += sign * step
                ends.append(float(self._compute([], {**self.values, key: moved})[-1]))
            found[index] = (ends[0] - ends[1]) / (2 * step)
        return found


def at_point(y: Node, wrt: Sequence[Node], mode: Mode, inputs: Values, seed: int = 3) -> Applied:
    """With states that are not given at their first values, moved a little."""
    graph = Graph((y,))
    number_equal_names(graph.leaves("state"))
    point = complete("test", graph, cast("Mapping[str, object]", inputs), seed)
    random = np.random.default_rng(seed)
    values: dict[str, npt.ArrayLike] = {}
    for node, value in point.items():
        given = node.op.label in inputs or not node.type.dtype.is_float
        noise = 0.0 if given else np.abs(random.standard_normal(value.shape)) / 8
        values[node.op.label] = value if given else cast("Floats", value) + noise
    return Applied(y, wrt, mode, values)
