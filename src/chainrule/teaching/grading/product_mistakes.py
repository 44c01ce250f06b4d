"""Mistakes in products and sums over rows: order, transposes, factors, axes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from chainc.ir import Node
from chainc.ops.contract import Contract
from chainrule.evaluation.values import Floats
from chainrule.teaching.grading.case import Case, Suspect
from chainrule.teaching.grading.mistakes import Mistake

MOST_FACTORS = 12  # values that are tried in place of a factor


def wrong_product(case: Case) -> Iterator[Suspect]:
    """A matrix product with factors in another order, or transposed where they should not be."""
    for site in case.sites():
        if not isinstance(site.reader.op, Contract) or len(site.reader.inputs) != 2:
            continue
        other = site.reader.inputs[1 - site.added.position]
        if case.value(other).ndim != 2 or site.above.ndim != 2:
            continue
        for formula, value in _products(site.above, case.value(other), case.called(other)):
            gradient = case.instead(site, value)
            if gradient is not None:
                yield Suspect(
                    "matrix product",
                    gradient,
                    f"going back through {case.called(site.reader)} you computed {formula}, where "
                    "G is the gradient from above",
                    site.reader,
                    "write the axes of each factor below it: the product sums over the axis that "
                    "the result must lose",
                    formula,
                )


def _products(above: Floats, other: Floats, name: str) -> Iterator[tuple[str, Floats]]:
    left = [("G", above), ("Gᵀ", above.T)]
    right = [(name, other), (f"{name}ᵀ", other.T)]
    for pair in (*product(left, right), *product(right, left)):
        (a_name, a), (b_name, b) = pair
        if a.shape[1] == b.shape[0]:
            yield f"{a_name}·{b_name}", np.asarray(a.astype(float) @ b.astype(float))


def wrong_operand(case: Case) -> Iterator[Suspect]:
    """Another value of the same shape in place of the right factor."""
    for site in case.sites():
        reader = site.reader
        if len(reader.inputs) != 2 or reader.inputs[0] is reader.inputs[1]:
            continue
        other = reader.inputs[1 - site.added.position]
        if not other.type.dtype.is_float:
            continue  # an index is no factor
        for put in _of_shape(case, other):
            values = {other: case.value(put)}
            added = case.attempt.steps.pull(reader, site.above, values)[site.added.position]
            gradient = case.instead(site, added)
            if gradient is not None:
                yield Suspect(
                    "another factor",
                    gradient,
                    f"going back through {case.called(reader)}, {case.called(put)} is used in "
                    f"place of {case.called(other)}",
                    reader,
                    "which value was multiplied here in the forward pass?",
                    case.called(put),
                )


def _of_shape(case: Case, like: Node) -> Iterator[Node]:
    """Other floating-point values of a shape, those with a name first."""
    passed = case.attempt.steps.passed
    shape = case.value(like).shape
    found = [node for node in passed.nodes if node.type.dtype.is_float and node is not like]
    found = [node for node in found if passed.values[node].shape == shape]
    yield from sorted(found, key=lambda node: node not in case.names)[:MOST_FACTORS]


def one_row_only(case: Case) -> Iterator[Suspect]:
    """The last, or the first, row of the batch instead of the sum over all."""
    for site in case.sites():
        rows = len(site.above) if site.above.ndim else 0
        if rows < 2:
            continue
        for word, row in (("last", rows - 1), ("first", 0)):
            alone = _row_alone(site.above, row)
            added = case.attempt.steps.pull(site.reader, alone)[site.added.position]
            gradient = case.instead(site, added)
            if gradient is not None and site.added.value.shape[:1] != (rows,):
                yield Suspect(
                    "one row only",
                    gradient,
                    f"only the {word} of the {rows} rows counts",
                    site.reader,
                    "in a loop over the batch every row adds to the gradient: += instead of =",
                    word,
                )


def _row_alone(value: Floats, row: int) -> Floats:
    alone = np.zeros_like(value)
    alone[row] = value[row]
    return alone


def wrong_axis(case: Case) -> Iterator[Suspect]:
    """The gradient of something added to each row, summed over another axis than the rows."""
    for site in case.sites():
        above, value = site.above, site.added.value
        if above.ndim <= value.ndim or site.operand is not case.node:
            continue
        for axis in range(above.ndim):
            gradient = case.instead(site, np.asarray(np.sum(above, axis=axis)))
            if gradient is not None:
                yield Suspect(
                    "sum over the wrong axis",
                    gradient,
                    f"it is summed over axis {axis}",
                    site.reader,
                    "along which axis was the value repeated in the forward pass?",
                    str(axis),
                )


PRODUCTS: tuple[Mistake, ...] = (wrong_product, wrong_operand, one_row_only, wrong_axis)
