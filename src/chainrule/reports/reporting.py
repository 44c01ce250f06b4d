"""What a training reports of its outputs, once an epoch, from what its batches add up.

An output that is a mean over rows is reported as the mean. Any other of static shape that reads the
rows through sums over them alone is cut there:

    sqrt(mean(e²))   →   batches: total ← total + Σ e²      epoch: sqrt(total / rows)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from chainc import driver, ir
from chainc.ir import Node, apply, rebuild, substitute
from chainc.ir.leaves import Input
from chainc.ir.types import TensorType, float64, static
from chainc.ops import astype, concat, reshape
from chainrule.reports.row_sums import Cutter, means_over_rows


def reports(step: ir.Graph, evaluation: ir.Graph, losses: Sequence[int]) -> driver.Reports:
    """Of a step and the evaluation of the same outputs.

    Outputs that are no scalar means are cut where that is exact for all rows of the evaluation
    together. In the step each row counts as the step finds it: a batch may have changed it, as
    normalisation does.

    Args:
        step: what trains.
        evaluation: its outputs in their form for inference.
        losses: places of the outputs that are reported as means of what the steps give.
    """
    means = means_over_rows(evaluation)
    others = [p for p, node in enumerate(evaluation.outputs) if not means[p] or node.shape != ()]
    found, cut = _reporting("evaluate", evaluation, others, independent=True)
    in_step = [place for place in cut if place not in losses]
    stepped, cut_in_step = _reporting("step", step, in_step, independent=False)
    lost = [place for place in in_step if place not in cut_in_step]
    whole = {place for place in others if place not in cut} | set(lost)
    return driver.Reports(stepped, found, tuple(sorted(whole)))


def means_over_steps(step: ir.Graph, evaluation: ir.Graph) -> driver.Reports:
    """Of a step that reads no rows, and the evaluation: every output is a mean, of any shape."""
    return driver.Reports(_as_means("step", step), _as_means("evaluate", evaluation), ())


def _as_means(name: str, graph: ir.Graph) -> driver.Reporting:
    if all(node.shape == () for node in graph.outputs):
        return driver.Reporting(graph)
    rows = apply(Input(_rows_key(name), TensorType((), float64)))
    return _summarized(name, graph, {}, Cutter(rows, f"{name}/sum", independent=False))


def _reporting(
    name: str, graph: ir.Graph, places: Sequence[int], *, independent: bool
) -> tuple[driver.Reporting, Sequence[int]]:
    """Cut the outputs at these places; which of them could be?"""
    if not places:
        return driver.Reporting(graph), ()
    merged = rebuild(graph, merge=True)  # so that equal sums are added up once
    rows = apply(Input(_rows_key(name), TensorType((), float64)))
    cutter = Cutter(rows, f"{name}/sum", independent=independent)
    rest = {place: cutter.cut(merged.outputs[place]) for place in places}
    cut = {place: node for place, node in rest.items() if node is not None}
    return (_summarized(name, merged, cut, cutter) if cut else driver.Reporting(graph)), list(cut)


def _summarized(
    name: str, graph: ir.Graph, cut: Mapping[int, Node], cutter: Cutter
) -> driver.Reporting:
    """Outputs that stay come first among the totals, then the sums, each as a vector."""
    kept = [place for place in range(len(graph.outputs)) if place not in cut]
    read = set(ir.Graph(tuple(cut.values())).leaves("input"))
    sums = {node: held for node, held in cutter.sums.items() if held in read}
    added = ir.Graph(
        (
            *(_flat(graph.outputs[place]) for place in kept),
            *(reshape(node, (-1,)) for node in sums),
        ),
        graph.updates,
        (*(graph.names[place] for place in kept), *(f"sum{i}" for i in range(len(sums)))),
    )
    lengths = [_elements(node) for node in (*(graph.outputs[place] for place in kept), *sums)]
    totals = apply(Input(_totals_key(name), TensorType((sum(lengths),), float64)))
    pieces = [totals[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]
    of_kept = dict(zip(kept, pieces, strict=False))
    from_totals = {
        held: reshape(piece, held.shape)
        for held, piece in zip(sums.values(), pieces[len(kept) :], strict=True)
    }
    computed = substitute(ir.Graph(tuple(cut.values())), from_totals).outputs
    values = dict(zip(cut, computed, strict=True))
    parts = [
        reshape(astype(values[place], "float64"), (-1,)) * cutter.rows
        if place in values
        else of_kept[place]
        for place in range(len(graph.outputs))
    ]
    sums_of = (*(False for _ in kept), *(True for _ in sums))
    summary = ir.Graph((concat(parts),))
    return driver.Reporting(added, sums_of, summary, _totals_key(name), _rows_key(name))


def _flat(output: Node) -> Node:
    return output if output.shape == () else reshape(output, (-1,))


def _elements(node: Node) -> int:
    return math.prod(static(node.shape))


def _totals_key(name: str) -> str:
    return f"{name}/totals"


def _rows_key(name: str) -> str:
    return f"{name}/rows"
