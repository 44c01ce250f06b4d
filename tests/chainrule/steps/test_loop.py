"""The declared loop: what it computes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import chainrule as cr
from chainrule import losses, metrics, optim

HERE = r"\n  where: .*test_loop\.py:\d+\n  try: "


def declared(**options: cr.Node) -> cr.Training:
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch", 1))
    logits = x @ cr.parameter("w", (3, 1), 0.0)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.squared_error(logits, y))
    found = {"error": metrics.mean_absolute_error(logits, y), **options}
    return cr.training(step, epochs=2, batch_size=8, metrics=found)


def test_a_step_reports_the_loss_and_the_metrics_and_updates() -> None:
    loop = declared()
    assert loop.names == ("loss", "error")
    assert loop.graph.outputs == loop.outputs == (loop.step.loss, loop.metrics["error"])
    assert loop.graph.updates == loop.updates == loop.step.updates
    assert [slot.op.label for slot in loop.updates] == ["w", "sgd/velocity/w", "step"]


def test_the_evaluation_updates_nothing() -> None:
    loop = declared()
    assert loop.evaluation.updates == {}
    assert loop.evaluation.outputs == loop.graph.outputs
    assert loop.evaluation.names == loop.graph.names


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: declared(loss=cr.constant(1.0)), "the metric name 'loss' is taken"),
        (lambda: declared(val_error=cr.constant(1.0)), "the metric name 'val_error' is taken"),
        (
            lambda: declared(rows=cr.input("rows", ("batch",))),
            "the metric 'rows' is no scalar but a value for each row",
        ),
    ],
)
def test_metrics_that_cannot_be_reported_are_refused(
    declare: Callable[[], cr.Training], message: str
) -> None:
    with pytest.raises(cr.ChainruleError, match=rf"{message}.*{HERE}"):
        declare()
