"""Weights that let rare classes count as much as frequent ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chainc.ir.errors import InputError
from chainrule.declare.arguments import array, count

__all__ = ["balanced_weights"]


def balanced_weights(labels: npt.ArrayLike, classes: int) -> npt.NDArray[np.float32]:
    """A weight n / (K · nⱼ) for each of K classes, nⱼ of n labels being of class j.

    With them every class has the same part in a loss, as scikit-learn's class_weight="balanced".

        losses.cross_entropy(logits, y, weights=losses.balanced_weights(train.y, 10))

    Args:
        labels: an array of class numbers from 0, of any shape.
        classes: how many classes there are.

    Raises:
        InputError: the labels are no whole numbers below `classes`, or a class never occurs.
    """
    number = count("balanced_weights", "classes", classes, hint="give how many there are, as 10")
    given = array("balanced_weights", "the value of labels", labels)
    with np.errstate(invalid="ignore"):  # NaN is no whole number
        whole = np.asarray(given, np.int64)
    if not given.size or not (whole == given).all() or whole.min() < 0 or whole.max() >= number:
        raise InputError(
            f"balanced_weights: the labels are not whole numbers from 0 to {number - 1}",
            hint="give class numbers, such as those of the training set, and how many there are",
        )
    counts = np.bincount(whole.ravel(), minlength=number)
    missing = np.flatnonzero(counts == 0).tolist()
    if missing:
        raise InputError(
            f"balanced_weights: of {number} classes {missing[0]} never occurs among the labels",
            hint="split the rows so that each class is in the training set, or count fewer classes",
        )
    weights: npt.NDArray[np.float32] = (whole.size / (number * counts)).astype(np.float32)
    return weights
