"""How far predicted numbers are from their targets."""

from __future__ import annotations

from chainc.ir import Node, scope
from chainc.ops import abs, astype, less, mean, sqrt, square, sum, where
from chainrule.declare.losses.checks import check_alike

__all__ = ["mean_absolute_error", "mean_squared_error", "r2", "rmse"]

# Σy² - (Σy)²/n of equal numbers is what rounding leaves, by float64 well below this share of Σy²
ROUNDING = 1e-12


def mean_squared_error(predictions: Node, targets: Node) -> Node:
    """The mean of (prediction - target)².

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    check_alike("mean_squared_error", "predictions", predictions, targets)
    with scope("mean_squared_error"):
        return astype(mean(square(predictions - targets)), "float32")


def mean_absolute_error(predictions: Node, targets: Node) -> Node:
    """The mean of |prediction - target|.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    check_alike("mean_absolute_error", "predictions", predictions, targets)
    with scope("mean_absolute_error"):
        return astype(mean(abs(predictions - targets)), "float32")


def rmse(predictions: Node, targets: Node) -> Node:
    """The root of the mean of (prediction - target)² over the rows; of several outputs, the mean.

    Args:
        predictions: (rows, ...).
        targets: of the same shape.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    check_alike("rmse", "predictions", predictions, targets)
    with scope("rmse"):
        return astype(mean(sqrt(mean(square(predictions - targets), axis=0))), "float32")


def r2(predictions: Node, targets: Node) -> Node:
    """R² = 1 - Σ(prediction - target)² / Σ(target - mean)²; of several outputs, the mean.

    Of targets that are all equal, up to a millionth of their size, it is 1 where the predictions
    are the same, else 0. Sums are in float64.

    Args:
        predictions: (rows, ...).
        targets: of the same shape.

    Raises:
        DTypeError: either is not floating-point.
        ShapeError: the shapes differ.
    """
    check_alike("r2", "predictions", predictions, targets)
    with scope("r2"):
        y = astype(targets, "float64")
        missed = sum(square(astype(predictions, "float64") - y), axis=0)
        squares = sum(square(y), axis=0)
        spread = squares - sum(y, axis=0) * mean(y, axis=0)
        varies = less(ROUNDING * squares, spread)
        equal_targets = where(less(0.0, missed), 0.0, 1.0)
        share = 1.0 - missed / where(varies, spread, 1.0)
        return astype(mean(where(varies, share, equal_targets)), "float32")
