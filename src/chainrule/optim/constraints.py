"""Constraints: what new weights are moved to after each update, so that they stay within bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from chainc.ir import Node, describe, scope
from chainc.ir.errors import GraphError, InputError
from chainc.ir.leaves import Slot
from chainc.ops import less, logical_and, maximum, sqrt, square, sum, where
from chainc.ops.movement import normalize_axes
from chainrule.declare.arguments import number

__all__ = ["Constraint", "max_norm", "non_negative", "unit_norm"]

Axis = int | Sequence[int] | None
Nodes = Node | Sequence[Node]


class Constraint(NamedTuple):
    """What some of the weights are moved to after each update.

    Attributes:
        name: of the function that gave it.
        project: from a new value to the nearest one that is allowed.
        weights: which; None: of those that the optimizer changes all with two or more axes.
    """

    name: str
    project: Callable[[Node], Node]
    weights: tuple[Node, ...] | None

    def applies(self, parameter: Node) -> bool:
        if self.weights is None:
            return parameter.ndim > 1
        return any(parameter is weight for weight in self.weights)


def max_norm(limit: float, weights: Nodes | None = None, axis: Axis = None) -> Constraint:
    """The weights into each unit, scaled down to the length `limit` where theirs is larger.

        optim.SGD(lr=0.1, constraints=[regularize.max_norm(3.0)])

    Weights that are shorter stay as they are, exactly (Srebro and Shraibman 2005). So do weights
    whose squares overflow: such a training has diverged, and shall be seen to.

    Args:
        limit: the largest length, √Σ w², positive.
        weights: which parameters; by default all with two or more axes that the optimizer changes.
        axis: along which the squares are added. By default along those into one unit: axis 0 of a
            matrix (in, out), as in Keras, and all but the first of a kernel (out, in, ...).

    Raises:
        InputError: the limit is not positive.
        ShapeError: a weight does not have the axes.
        GraphError: a weight is no parameter.
    """
    largest = number("max_norm", "limit", limit, above=0, hint="give a length, such as 3.0")

    def project(weight: Node) -> Node:
        length = _length("max_norm", weight, axis)
        too_long = logical_and(less(largest, length), less(length, math.inf))
        return weight * where(too_long, largest / length, 1.0)

    return _constraint("max_norm", project, weights, axis)


def unit_norm(weights: Nodes | None = None, axis: Axis = None) -> Constraint:
    """The weights into each unit, scaled to length 1.

    Where all are 0, or their squares overflow, they stay as they are.

    Args:
        weights: which parameters; by default all with two or more axes that the optimizer changes.
        axis: along which the squares are added, as for `max_norm`.

    Raises:
        ShapeError: a weight does not have the axes.
        GraphError: a weight is no parameter.
    """

    def project(weight: Node) -> Node:
        length = _length("unit_norm", weight, axis)
        has_direction = logical_and(less(0.0, length), less(length, math.inf))
        return weight / where(has_direction, length, 1.0)

    return _constraint("unit_norm", project, weights, axis)


def non_negative(weights: Nodes | None = None) -> Constraint:
    """max(0, w) for each weight.

    Args:
        weights: which parameters; by default all with two or more axes that the optimizer changes.

    Raises:
        GraphError: a weight is no parameter.
    """
    return _constraint("non_negative", lambda weight: maximum(weight, 0.0), weights, None)


def as_constraints(optimizer: str, given: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """The constraints of an optimizer, in the order in which they act.

    Raises:
        InputError: something else is among them.
    """
    hint = "give constraints=[regularize.max_norm(3.0)], or another of cr.regularize"
    found: object = given
    if isinstance(found, Constraint) or not isinstance(found, list | tuple):
        shown = type(found).__name__
        raise InputError(f"{optimizer}: constraints is a {shown}, no list", hint=hint)
    for each in found:
        if not isinstance(each, Constraint):
            shown = type(each).__name__
            raise InputError(f"{optimizer}: a {shown} is no constraint", hint=hint)
    return tuple(given)


def constrained(
    updates: Mapping[Node, Node], parameters: Sequence[Node], constraints: Sequence[Constraint]
) -> dict[Node, Node]:
    """The updates with the new values of parameters moved to what is allowed, in this order.

    Raises:
        GraphError: a constraint is for a weight that is not among the parameters.
    """
    changed = dict(updates)
    for each in constraints:
        for weight in each.weights or ():
            if weight not in updates:
                raise GraphError(
                    f"{each.name}: the step does not change {describe(weight)}",
                    hint="give weights that the optimizer changes",
                )
        with scope(each.name):
            for parameter in filter(each.applies, parameters):
                changed[parameter] = each.project(changed[parameter])
    return changed


def _constraint(
    name: str, project: Callable[[Node], Node], weights: Nodes | None, axis: Axis
) -> Constraint:
    if weights is None:
        return Constraint(name, project, None)
    chosen = _parameters(name, weights)
    for weight in chosen:
        _axes(name, weight, axis)
    return Constraint(name, project, chosen)


def _parameters(name: str, weights: object) -> tuple[Node, ...]:
    listed = weights if isinstance(weights, list | tuple) else [weights]
    for weight in listed:
        if not isinstance(weight, Node) or not isinstance(weight.op, Slot):
            shown = describe(weight) if isinstance(weight, Node) else f"a {type(weight).__name__}"
            raise GraphError(
                f"{name}: {shown} is no parameter",
                hint="give weights, such as [p for p in model.parameters() if p.ndim > 1]",
            )
    return tuple(listed)


def _length(name: str, weight: Node, axis: Axis) -> Node:
    return sqrt(sum(square(weight), _axes(name, weight, axis), keepdims=True))


def _axes(name: str, weight: Node, axis: Axis) -> tuple[int, ...]:
    """Those into one unit, where none are given."""
    if axis is not None:
        return normalize_axes(name, axis, weight.ndim)
    return (0,) if weight.ndim <= 2 else tuple(range(1, weight.ndim))
