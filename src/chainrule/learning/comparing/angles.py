"""How far the signals of a rule point away from the gradient, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc.autodiff import grad
from chainc.ir import Node
from chainc.ops import astype, sum
from chainrule.compiled.compilation import compile
from chainrule.compiled.state import State
from chainrule.declare.leaves import by_layer
from chainrule.evaluation.values import Values
from chainrule.steps.step import Step

Angles = Mapping[str, float]  # degrees, by layer


class Compass:
    """Compares the signals of a step with the gradient of its loss, on some rows of data.

    Both are those of a training: with dropout, and with the random numbers of the next step.
    """

    def __init__(self, step: Step, parameters: Sequence[Node], rows: Values) -> None:
        signals = dict(zip(step.parameters, step.gradients, strict=True))
        gradients = dict(zip(parameters, grad(step.loss, parameters), strict=True))
        self._layers = by_layer(parameters)
        self._rows = rows
        sums = [
            _inner([(first[each], second[each]) for each in layer])
            for layer in self._layers.values()
            for first, second in ((signals, gradients), (signals, signals), (gradients, gradients))
        ]
        self._compute = compile(sums, target="numpy", mode="train")

    def angles(self, state: State) -> Angles:
        """At the values of a state; NaN for a layer that has no signal, or no gradient."""
        found = np.array(self._compute.bind(state)(self._rows), np.float64).reshape(-1, 3)
        with np.errstate(all="ignore"):
            cosines = found[:, 0] / np.sqrt(found[:, 1] * found[:, 2])
            degrees = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
        return dict(zip(self._layers, degrees.tolist(), strict=True))


def _inner(pairs: Sequence[tuple[Node, Node]]) -> Node:
    """The inner product of several pairs as one, in float64: the square of a small float32 is 0."""
    wide = [(astype(first, "float64"), astype(second, "float64")) for first, second in pairs]
    total, *others = (sum(first * second) for first, second in wide)
    for other in others:
        total = total + other
    return total
