"""Metrics that follow from sums over rows: cut there, and exact whatever the batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.exported import CC, Exported, Library, data_struct

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.ir.types import Array
from chainc.ops.reduce import Sum
from chainrule import metrics, nn, optim
from chainrule.reports.columns import Columns
from chainrule.reports.reporting import reports

CLASSES = 3
x, labels = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int32")
scores = nn.Linear(4, CLASSES)(x)
loss = cr.losses.cross_entropy(scores, labels)


def one_hot(classes: Node) -> Node:
    return cr.astype(cr.one_hot(classes, CLASSES), "float32")


confusion = cr.matrix_transpose(one_hot(labels)) @ one_hot(cr.argmax(scores, axis=-1))
hits = cr.sum(confusion * np.eye(CLASSES, dtype=np.float32), axis=0)
f1 = cr.mean(2 * hits / (cr.sum(confusion, axis=0) + cr.sum(confusion, axis=1) + 1e-30))
REPORTED = {
    "root": cr.sqrt(loss),
    "confusion": confusion,
    "f1": f1,
    "rows": cr.astype(cr.size("batch"), "float32"),
    "norm": cr.sqrt(cr.sum(cr.square(x))),
    "by_column": cr.mean(x, axis=0),
}


def data(rows: int) -> dict[str, Array]:
    random = np.random.default_rng(rows)
    return {
        "x": random.standard_normal((rows, 4)).astype(np.float32),
        "y": random.integers(0, CLASSES, rows).astype(np.int32),
    }


def expected(given: dict[str, Array], state: cr.State) -> dict[str, Array]:
    compute = cr.compile(scores, target="numpy").bind(state)
    found = np.asarray(compute(x=given["x"])).argmax(axis=1)
    counts = np.zeros((CLASSES, CLASSES))
    for label, guess in zip(given["y"], found, strict=True):
        counts[label, guess] += 1
    hit = np.diag(counts)
    return {
        "confusion": counts,
        "f1": np.asarray(np.mean(2 * hit / (counts.sum(0) + counts.sum(1)))),
        "rows": np.asarray(len(given["x"])),
        "norm": np.asarray(np.sqrt((given["x"].astype(float) ** 2).sum())),
        "by_column": given["x"].astype(float).mean(axis=0),
    }


def declared(**more: Node) -> cr.Training:
    step = optim.SGD(lr=1e-30).minimize(loss)
    return cr.training(step, epochs=2, batch_size=8, metrics={**REPORTED, **more})


def test_a_metric_is_cut_at_its_sums_over_rows() -> None:
    graph = Graph((loss, cr.sqrt(loss)), names=("loss", "root"))
    found = reports(graph, graph, ()).evaluation
    mean, total = found.graph.outputs
    assert mean.type == loss.type
    assert isinstance(total.inputs[0].op, Sum)
    assert found.sums == (False, True)
    assert found.summary is not None
    assert {node.op.label for node in found.summary.leaves("input")} == {
        "evaluate/totals",
        "evaluate/rows",
    }


def test_equal_sums_are_added_up_once() -> None:
    again = cr.matrix_transpose(one_hot(labels)) @ one_hot(cr.argmax(scores, axis=-1))
    graph = Graph((confusion, again), names=("a", "b"))
    found = reports(graph, graph, ()).evaluation
    assert [node.shape for node in found.graph.outputs] == [(CLASSES**2,)]


def test_what_no_sum_over_rows_gives_is_left_whole() -> None:
    outputs = (cr.max(x), cr.mean(x @ cr.matrix_transpose(x)), cr.sqrt(loss))
    graph = Graph(outputs, names=("largest", "pairs", "root"))
    assert reports(graph, graph, ()).whole == (0, 1)


@pytest.mark.parametrize(("target", "threads"), [("llvm", 1), ("llvm", 2), ("numpy", 1)])
def test_metrics_are_exact_over_uneven_batches(target: str, threads: int) -> None:
    program = cr.compile(declared(), target=target, threads=threads)
    given, held_out = data(43), data(29)
    result = program.run(given, validation=held_out)
    for prefix, rows in (("", given), ("val_", held_out)):
        for name, value in expected(rows, result.state).items():
            reported = np.asarray(result.metrics[prefix + name], np.float64)
            np.testing.assert_allclose(reported, value.astype(np.float64), rtol=1e-6, atol=1e-7)
    found = program.report(held_out, result)
    np.testing.assert_array_equal(found["confusion"], result.metrics["val_confusion"])
    assert program.evaluate(held_out, result)["f1"] == result.history["val_f1"][-1]
    assert "confusion" not in result.history


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_an_exported_library_reports_the_same(tmp_path: Path) -> None:
    program = cr.compile(declared())
    program.export(tmp_path, name="digits", processor="native")
    library, held_out = Library(Exported(program, scores, tmp_path), seed=0), data(29)
    outputs = np.zeros(len(Columns.of(*_outputs()).names))
    assert library.call("evaluate", data_struct(held_out), outputs) == 0
    reported = program.report(held_out, program.initial_state())
    flat = np.concatenate([np.ravel(value) for value in reported.values()])
    np.testing.assert_allclose(outputs, flat, rtol=1e-15)


def _outputs() -> tuple[tuple[str, ...], tuple[Node, ...]]:
    loop = declared()
    return loop.names, loop.outputs


def test_an_array_that_no_sums_give_is_refused() -> None:
    with pytest.raises(cr.GraphError, match="'largest' is no scalar, and does not follow"):
        cr.compile(declared(largest=cr.max(x, axis=0)))


def test_accuracy_is_a_mean_still() -> None:
    graph = Graph((metrics.accuracy(scores, labels),), names=("accuracy",))
    assert reports(graph, graph, ()).evaluation.summary is None


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_in_a_step_rows_are_added_up_as_the_batch_made_them(target: str) -> None:
    normalised = nn.BatchNorm1d(4)(x)
    error = cr.mean(cr.square(normalised - 1.0))
    step = optim.SGD(lr=1e-30).minimize(error + loss)
    named = {"root": cr.sqrt(error), "error": error}
    program = cr.compile(cr.training(step, epochs=1, batch_size=8, metrics=named), target=target)
    metrics_of = program.run(data(43), validation=data(29)).metrics
    for prefix in ("", "val_"):
        root, square = metrics_of[f"{prefix}root"], metrics_of[f"{prefix}error"]
        assert root == pytest.approx(np.sqrt(square), rel=1e-6)
