"""A declared training as the loop that a target compiles."""

from __future__ import annotations

from collections.abc import Sequence

from chainc import driver, ir
from chainc.ir import Node, describe
from chainc.ir.errors import GraphError
from chainc.ir.leaves import Input, SizeOf
from chainc.ir.origin import originating
from chainc.ir.types import Size, coefficient_of
from chainc.ops.runs.random import stream_of
from chainc.passes import Pass
from chainrule.reports.columns import Columns
from chainrule.reports.epoch_end import epoch_end
from chainrule.steps.loop import Training

NO_DATA = "training/steps"  # stands for rows that no step reads: the loop counts steps by them


def training_stages(
    declared: Training, step: ir.Graph, evaluation: ir.Graph, passes: Sequence[Pass]
) -> driver.TrainingStages:
    """The step on its way to the loop around it and the evaluation.

    Raises:
        GraphError: the batch is not the first axis, or there is another named size.
    """
    columns = Columns.of(declared.names, evaluation.outputs)
    form = driver.LoopForm(
        batch_inputs=_batch_inputs(step) if declared.reads_rows else (NO_DATA,),
        batch_size=declared.batch_size,
        shuffle=declared.shuffle and declared.reads_rows,
        order_stream=stream_of("training/order"),
        least_rows=_least_rows(step),
        watch=declared.watch,
        reported=columns.names,
    )
    end = None if declared.ending is None else epoch_end(declared.ending, columns)
    return driver.TrainingStages(
        step, evaluation, end, passes, form, lambda: _reports(declared, step, evaluation)
    )


def _reports(declared: Training, step: ir.Graph, evaluation: ir.Graph) -> driver.Reports:
    """Whenever they are asked for, what is made for them comes from the line of the first loss."""
    from chainrule.reports.reporting import means_over_steps, reports

    with originating(step.outputs[0].origin):
        if not declared.reads_rows:
            return means_over_steps(step, evaluation)
        return reports(step, evaluation, range(len(declared.step.outputs)))


def _least_rows(step: ir.Graph) -> int:
    """Of a step: what its statistics need."""
    needs = [node.op for node in step.leaves("size") if isinstance(node.op, SizeOf)]
    return max((-(-op.least // coefficient_of(op.dim)) for op in needs), default=1)


def _batch_inputs(graph: ir.Graph) -> tuple[str, ...]:
    """The inputs whose first axis is the batch: the one named size there is."""
    found: dict[str, list[str]] = {}
    for node in graph.leaves("input"):
        assert isinstance(node.op, Input)
        for axis, dim in enumerate(node.shape):
            if isinstance(dim, Size):
                _check_batch_axis(node, axis, dim)
                found.setdefault(dim.names[0], []).append(node.op.key)
    if len(found) != 1:
        raise GraphError(
            f"training needs one named size, the batch; the inputs have {sorted(found) or 'none'}",
            hint='declare inputs as cr.input("x", ("batch", 64)), and bind other named sizes '
            "when compiling, such as cr.compile(training, time=32); for a step that reads no "
            "data leave batch_size out",
        )
    (inputs,) = found.values()
    return tuple(inputs)


def _check_batch_axis(node: Node, axis: int, dim: Size) -> None:
    if axis > 0 or dim.coefficient != 1 or len(dim.names) != 1:
        raise GraphError(
            f"{describe(node)} has the named size {dim} on axis {axis}; a batch is the first axis",
            hint="bind this size when compiling, such as cr.compile(training, time=32)",
        )
