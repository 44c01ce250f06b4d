"""How much classes and rows count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.declare.arguments import number, shown
from chainrule.fitting.parts import ONE, Parts, arrays_in

Floats = npt.NDArray[np.float64]


def class_weights(given: object, outputs: Parts[Node], y: Parts[Array]) -> Floats | None:
    """A weight for each class: given by class number, the others 1, or "balanced".

    Balanced weights are rows / (classes · rows of the class), so that all classes count alike.

    Raises:
        InputError: they are no weights, of no class, or a class never occurs.
    """
    if given is None:
        return None
    classes = _classes(outputs, y)
    if isinstance(given, str) and given == "balanced":
        return _balanced(y.by_name[ONE], classes)
    if not isinstance(given, Mapping):
        raise InputError(
            f"fit: class_weight={shown(given)} is no weighting",
            hint='give class_weight="balanced", or weights by class: {0: 1.0, 1: 5.0}',
        )
    weights = np.ones(classes)
    for label, weight in given.items():
        if label not in range(classes):
            raise InputError(
                f"fit: class_weight is of {label!r}, which is no class",
                hint=f"give class numbers from 0 to {classes - 1}",
            )
        hint = "give a number that is not negative"
        weights[label] = number("fit", f"the weight of {label}", weight, at_least=0, hint=hint)
    return weights


def _classes(outputs: Parts[Node], y: Parts[Array]) -> int:
    labels = y.by_name.get(ONE)
    if outputs.form == "one" and labels is not None and _are_whole(labels):
        shape = outputs.by_name[ONE].shape
        if len(shape) == 1:
            return 2
        if isinstance(shape[-1], int):
            return shape[-1]
    raise InputError(
        "fit: class_weight is for one output and a class number a row",
        hint="give each row a weight instead: sample_weight=",
    )


def _are_whole(labels: Array) -> bool:
    if labels.dtype.kind in "iub":
        return True
    return labels.dtype.kind == "f" and bool((labels == np.floor(labels)).all())


def _balanced(labels: Array, classes: int) -> Floats:
    flat = labels.reshape(-1).astype(np.int64)
    if flat.size and not 0 <= flat.min() <= flat.max() < classes:
        wrong = flat.min() if flat.min() < 0 else flat.max()
        raise InputError(
            f"fit: y holds {wrong}, and there are {classes} classes",
            hint=f"give class numbers from 0 to {classes - 1}",
        )
    counts = np.bincount(flat, minlength=classes)
    missing = np.flatnonzero(counts == 0)
    if missing.size:
        raise InputError(
            f'fit: class_weight="balanced", and class {missing[0]} never occurs',
            hint="give weights by class, or a model with as many outputs as there are classes",
        )
    balanced: Floats = flat.size / (classes * counts)
    return balanced


def row_weights(function: str, given: object, rows: int) -> Array:
    """A weight for each row, float32; 1 where none are given.

    Raises:
        InputError: they are not one number a row, finite and not negative.
    """
    if given is None:
        return np.ones(rows, np.float32)
    array = arrays_in(function, "sample_weight", given).by_name.get(ONE)
    if array is None or array.shape != (rows,):
        shape = "several arrays" if array is None else f"shape {list(array.shape)}"
        raise InputError(
            f"{function}: sample_weight has {shape}, and there are {rows} rows",
            hint="give one number a row",
        )
    weights = array.astype(np.float32)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise InputError(
            f"{function}: sample_weight holds numbers that are not finite, negative, or 0 alone",
            hint="give numbers of 0 or more, one of them above 0",
        )
    return weights
