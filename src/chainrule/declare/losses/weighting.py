"""How much each element of a loss counts, and what becomes of the elements.

A weighted mean is Σ w l / Σ w: a weight of 2 is the same as a row that is there twice. PyTorch
does so for labels, squared and absolute errors; for probabilities, binary cross-entropy and Huber's
loss it divides by the number of elements. Where all weights are 0 the mean is 0, not 0 / 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chainc.ir import Node
from chainc.ir.errors import DTypeError, InputError, ShapeError
from chainc.ir.leaves import constant
from chainc.ir.types import Shape, TensorType, format_shape
from chainc.ops import astype, broadcast_to, equal, mean, reshape, sum, take, where
from chainrule.declare.arguments import array
from chainrule.declare.losses.checks import where_of

Weights = Node | npt.ArrayLike | None


class Weighting(NamedTuple):
    """The weights that are given: of rows, a node of the elements' shape, or of classes, (n,)."""

    rows: Node | None = None
    classes: Node | None = None

    def by_target(self, targets: Node) -> Node | None:
        """w₁ t + w₀ (1 - t): for each element its class's weight, of two classes."""
        if self.classes is None:
            return None
        return self.classes[1] * targets + self.classes[0] * (1.0 - targets)

    def by_label(self, labels: Node) -> Node | None:
        """For each row the weight of its class."""
        return None if self.classes is None else take(self.classes, labels)


class Elements(NamedTuple):
    """The losses that are weighed: those of `function`, of this type.

    Attributes:
        function: for messages.
        type: of all of them.
        number: of classes; None where there are none.
        kind: what the classes are called.
    """

    function: str
    type: TensorType
    number: int | None
    kind: str = "classes"

    def weighting(self, weights: Weights) -> Weighting:
        """Weights of rows and weights of classes, told apart.

        A node whose axes are the first axes of the elements, such as ("batch",), is one weight a
        row. A list, an array, or a node of shape (classes,) is one weight a class.

        Raises:
            DTypeError: a node is not floating-point.
            ShapeError: they fit neither, or both.
            InputError: an array has a negative weight, or one that is not finite.
        """
        if weights is None:
            return Weighting()
        if not isinstance(weights, Node):
            return Weighting(classes=self._of_classes(weights))
        if not weights.type.dtype.is_float:
            raise DTypeError(
                f"{self.function}: the weights are {weights.type}, not floating-point",
                where=where_of(weights=weights),
                hint='convert them with cr.astype(weights, "float32")',
            )
        of_rows = _are_first_axes(weights.shape, self.type.shape)
        of_classes = self.number is not None and weights.shape == (self.number,)
        if of_rows == of_classes:
            raise self._misfit(weights, "both" if of_rows else "neither")
        converted = astype(weights, self.type.dtype)
        if of_classes:
            return Weighting(classes=converted)
        return Weighting(rows=spread(converted, self.type.shape))

    def _of_classes(self, weights: object) -> Node:
        values = array(self.function, "the value of weights", weights)
        shape = format_shape(values.shape)
        a_row = 'of rows, give a node: cr.input("weights", ("batch",))'
        if self.number is None:
            raise ShapeError(
                f"{self.function}: weights {shape}, and there are no {self.kind} to weigh",
                hint=a_row,
            )
        if values.shape != (self.number,):
            raise ShapeError(
                f"{self.function}: weights {shape} for {self.number} {self.kind}",
                hint=f"give {self.number} numbers, one for each of the {self.kind}; {a_row}",
            )
        floats = values.astype(self.type.dtype.numpy)
        if not (np.isfinite(floats).all() and (floats >= 0).all() and floats.any()):
            raise InputError(
                f"{self.function}: the weights {values.tolist()} are not all finite and at least "
                "0, with one above",
                hint=f"give how much each of the {self.kind} counts, such as 1 for all",
            )
        return constant(floats)

    def _misfit(self, weights: Node, fitting: str) -> ShapeError:
        rows, word = format_shape(self.type.shape), "and" if fitting == "both" else "nor"
        known = f"rows {rows} {word} {self.number} {self.kind}"
        told = f"{fitting} {known}" if self.number is not None else f"no rows {rows}"
        return ShapeError(
            f"{self.function}: weights {format_shape(weights.shape)} fit {told}",
            where=where_of(weights=weights),
            hint=f"of {self.kind}, give a list or an array; of rows, a node whose axes are the "
            f"first of {rows}",
        )


def _are_first_axes(weights: Shape, elements: Shape) -> bool:
    return weights == elements[: len(weights)] and bool(weights or not elements)


def spread(weights: Node, shape: Shape) -> Node:
    """Weights of the first axes repeated along the others."""
    kept = reshape(weights, (*weights.shape, *(1 for _ in shape[weights.ndim :])))
    return broadcast_to(kept, shape)


def times(weights: Node | None, losses: Node) -> Node:
    return losses if weights is None else weights * losses


def both(first: Node | None, second: Node | None) -> Node | None:
    """The product of the weights that there are."""
    return second if first is None else times(second, first)


def reduced(weighted: Node, weights: Node | None, reduction: str) -> Node:
    """The elements themselves, their sum, or their mean, given those times their weights."""
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return sum(weighted)
    if weights is None:
        return mean(weighted)
    total = sum(weights)
    return sum(weighted) / where(equal(total, 0.0), 1.0, total)
