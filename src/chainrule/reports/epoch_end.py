"""What a training does after each epoch, as a program over the record of the epoch.

A record is a vector of float64: the rows of the epoch, what is reported of them times the rows,
then the same of the validation data.
"""

from __future__ import annotations

from chainc import driver, ir
from chainc.ir import Node, apply, substitute
from chainc.ir.leaves import Input
from chainc.ir.types import TensorType, float64
from chainc.ops import equal
from chainrule.reports.columns import Columns
from chainrule.steps.ending import VALIDATION, Ending

RECORD, LAST = "epoch/record", "epoch/last"


def epoch_end(ending: Ending, columns: Columns) -> driver.EpochEndGraph:
    """The declared rules over a record."""
    reported = len(columns.names)
    record = apply(Input(RECORD, TensorType((2 * (1 + reported),), float64)))
    last = equal(apply(Input(LAST, TensorType((), float64))), 1.0)
    known: dict[Node, Node] = {ending.last: last}
    for name, node in ending.reported.items():
        start = 1 + reported if name.startswith(VALIDATION) else 0
        column = start + 1 + columns.scalars[name.removeprefix(VALIDATION)]
        known[node] = record[column] / record[start]

    verdict = ending.verdict
    declared = ir.Graph((verdict.over,), verdict.updates, ("over",))
    graph = substitute(declared, known)
    return driver.EpochEndGraph(graph, RECORD, LAST, ending.needs_validation)
