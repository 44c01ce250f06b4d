"""Symbolic against numeric: a gradient compared with finite differences in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainc.autodiff import grad
from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, describe
from chainc.ir.errors import GradientError, InputError
from chainc.ir.leaves import Input, Slot
from chainc.ir.types import Array
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count, number
from chainrule.declare.derivatives import nodes_of
from chainrule.evaluation.point import Point, complete, evaluate_at
from chainrule.evaluation.values import Floats, Values
from chainrule.writing.html_table import html_table

__all__ = ["GradientCheck", "check_grad"]

STEP = float(np.finfo(np.float64).eps) ** (1 / 3)  # balances rounding and curvature
NOISE = 1e-4  # of the loss: derivatives below it drown in the rounding of the differences


@dataclass(frozen=True)
class Comparison:
    """One node's derivative along the random direction where the two disagree most.

    Attributes:
        name: of the input or state.
        error: |symbolic - numeric| over the larger of the two.
        symbolic: gradient · direction.
        numeric: the central difference quotient.
    """

    name: str
    error: float
    symbolic: float
    numeric: float


@dataclass(frozen=True)
class GradientCheck:
    """What `check_grad` found, one comparison a node; prints as a table."""

    comparisons: tuple[Comparison, ...]
    tolerance: float

    @property
    def worst(self) -> Comparison:
        """The one of the largest error; NaN counts as the largest."""
        return max(self.comparisons, key=_severity)

    @property
    def passed(self) -> bool:
        return self.worst.error <= self.tolerance

    def __str__(self) -> str:
        width = max(len(comparison.name) for comparison in self.comparisons)
        return "\n".join(
            f"{c.name:<{width}}  relative error {c.error:.1e}  "
            f"symbolic {c.symbolic:+.9e}  numeric {c.numeric:+.9e}"
            for c in self.comparisons
        )

    def _repr_html_(self) -> str:
        header = ("gradient", "relative error", "symbolic", "numeric")
        rows = [
            (c.name, f"{c.error:.1e}", f"{c.symbolic:+.9e}", f"{c.numeric:+.9e}")
            for c in self.comparisons
        ]
        verdict = "passed" if self.passed else "failed"
        caption = f"{verdict}: largest relative error {self.worst.error:.1e}"
        return html_table(header, rows, caption=caption, numbers=(1, 2, 3))


def check_grad(
    loss: Node,
    wrt: Node | Sequence[Node],
    at: Values,
    *,
    directions: int = 5,
    tolerance: float = 1e-6,
    seed: int = 0,
    raise_error: bool = True,
) -> GradientCheck:
    """Compare `grad(loss, wrt)` with central differences in random directions, in float64.

    Args:
        loss: a floating-point scalar.
        wrt: inputs and parameters.
        at: the point: values by node or name; states not given have their first values.
        directions: random unit directions for each node.
        tolerance: the largest relative error that passes.
        seed: of the directions and of first values.
        raise_error: raise when the check fails, or only report it.

    Raises:
        GradientError: the gradient is wrong, does not exist, or is taken for something that is
            neither an input nor a parameter.
        InputError: a value is missing, unknown, or does not fit.
    """
    number("check_grad", "tolerance", tolerance, above=0, hint="give tolerance=1e-6")
    count("check_grad", "directions", directions, hint="give directions=5")
    count("check_grad", "seed", seed, at_least=0, hint="give seed=0")
    raises = as_flag("check_grad", "raise_error", raise_error)
    nodes = nodes_of("check_grad", wrt)
    if not nodes:
        raise InputError(
            "check_grad: wrt is empty, so there is no gradient to check",
            hint="give inputs and parameters, such as model.parameters()",
        )
    for node in nodes:
        _require_leaf(node)
    graph = Graph((loss, *grad(loss, nodes)))
    point = complete("check_grad", graph, at, seed)
    gradients = evaluate_at(graph, point)[1:]
    random = np.random.default_rng(seed)
    worst = [
        _worst_direction(loss, point, node, gradient, _directions(random, gradient, directions))
        for node, gradient in zip(nodes, gradients, strict=True)
    ]
    result = GradientCheck(tuple(worst), tolerance)
    if raises and not result.passed:
        found = result.worst
        raise GradientError(
            f"the gradient of {describe(loss)} is wrong for {found.name!r}: the relative error is "
            f"{found.error:.1e}, symbolic {found.symbolic:.9g} against numeric {found.numeric:.9g}",
            hint="look for a wrong custom_gradient, or for a kink or a jump at this very point",
        )
    return result


def _require_leaf(node: Node) -> None:
    if not isinstance(node.op, (Input, Slot)):
        raise GradientError(
            f"check_grad: {describe(node)} is computed, so it has no value of its own to vary",
            hint="check the gradient for inputs and parameters",
        )


def _directions(random: np.random.Generator, like: Array, number: int) -> Sequence[Floats]:
    drawn = [random.standard_normal(like.shape) for _ in range(number)]
    return [direction / max(float(np.linalg.norm(direction)), 1e-300) for direction in drawn]


def _worst_direction(
    loss: Node, point: Point, node: Node, gradient: Array, directions: Sequence[Floats]
) -> Comparison:
    found = [_compare(loss, point, node, gradient, direction) for direction in directions]
    return max(found, key=_severity)


def _compare(
    loss: Node, point: Point, node: Node, gradient: Array, direction: Floats
) -> Comparison:
    value = point[node].astype(np.float64)
    step = STEP * max(1.0, float(np.max(np.abs(value), initial=0.0)))
    ahead, behind = (
        float(evaluate_at(Graph((loss,)), {**point, node: value + sign * step * direction})[0])
        for sign in (1, -1)
    )
    numeric = (ahead - behind) / (2 * step)
    symbolic = float(np.sum(gradient.astype(np.float64) * direction))
    scale = max(abs(numeric), abs(symbolic), NOISE * max(abs(ahead), abs(behind)), 1e-300)
    return Comparison(node.op.label, abs(symbolic - numeric) / scale, symbolic, numeric)


def _severity(comparison: Comparison) -> float:
    return math.inf if math.isnan(comparison.error) else comparison.error
