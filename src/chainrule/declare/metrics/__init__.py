"""Metrics: float32 values to watch, most of them scalars. No derivative is meant.

Each depends on a batch only through sums over its rows, so those of an epoch are exact whatever
its batches are; `exact=True` of `auc` and `average_precision` alone compares all pairs of rows.
The definitions are those of scikit-learn, with a quotient without a denominator being 0.
"""

from chainrule.declare.metrics.classes import *
from chainrule.declare.metrics.errors import *
from chainrule.declare.metrics.hits import *
from chainrule.declare.metrics.language import *
from chainrule.declare.metrics.ranking import *
from chainrule.declare.metrics.two_classes import *
from chainrule.writing.public import public_names


def __dir__() -> list[str]:
    return public_names(globals())
