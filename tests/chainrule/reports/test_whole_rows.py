"""Metrics that are no means over rows, against NumPy on all rows."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainc import ir
from chainc.ir import Node
from chainrule import losses, metrics, nn, optim
from chainrule.reports.row_sums import means_over_rows

x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch", 3))
labels = cr.input("labels", ("batch",), dtype="int32")
logits = nn.Linear(3, 4)(x)
loss = losses.squared_error(x * cr.parameter("w", (3,), 0.0), y)
rows = cr.size("batch")

MEANS = {
    "squared error": loss,
    "cross entropy": losses.cross_entropy(logits, labels),
    "accuracy": metrics.accuracy(logits, labels),
    "with decay": loss + 0.1 * cr.sum(cr.square(cr.parameter("v", (3,), 1.0))),
    "by columns first": cr.mean(cr.mean(x, axis=0)),
    "by rows first": cr.mean(cr.mean(x, axis=1)),
    "of two": 2 * loss - cr.mean(x),
    "with noise": cr.mean(x * cr.uniform(("batch", 3), seed=0)),
    "no rows at all": cr.sqrt(cr.sum(cr.parameter("u", (3,), 1.0))),
}
OTHERS = {
    "root": cr.sqrt(loss),
    "largest": cr.max(y),
    "smallest": cr.min(y),
    "sum": cr.sum(y),
    "rows": cr.astype(rows, "float32"),
    "rows and one": cr.mean(y) * cr.astype(rows, "float32"),
    "variance": cr.var(y),
    "pairs": cr.mean(y @ cr.permute_dims(x, (1, 0))),
    "ratio": cr.sum(y) / (1 + cr.sum(cr.square(x))),
}


@pytest.mark.parametrize("name", [*MEANS, *OTHERS])
def test_the_graph_tells_what_is_a_mean_over_rows(name: str) -> None:
    node: Node = {**MEANS, **OTHERS}[name]
    assert means_over_rows(ir.Graph((node,))) == (name in MEANS,)


def data(count: int) -> dict[str, np.typing.NDArray[np.float32]]:
    random = np.random.default_rng(count)
    return {key: random.standard_normal((count, 3)).astype(np.float32) for key in ("x", "y")}


def expected(given: dict[str, np.typing.NDArray[np.float32]]) -> dict[str, float]:
    a, b = given["x"].astype(float), given["y"].astype(float)
    values = {
        "root": np.sqrt((b**2).mean()),
        "largest": b.max(),
        "smallest": b.min(),
        "sum": b.sum(),
        "rows": len(b),
        "rows and one": b.mean() * len(b),
        "variance": b.var(),
        "pairs": (b @ a.T).mean(),
        "ratio": b.sum() / (1 + (a**2).sum()),
    }
    return {name: float(value) for name, value in values.items()}


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_metrics_that_are_no_means_are_those_of_all_rows(target: str) -> None:
    step = optim.SGD(lr=1e-30).minimize(loss)
    declared = cr.training(step, epochs=2, batch_size=4, metrics={**OTHERS, "mean": cr.mean(y)})
    program = cr.compile(declared, target=target)
    training, validation = data(18), data(7)
    result = program.run(training, validation=validation)
    evaluated = program.evaluate(validation, result.state)
    for name, value in {**expected(validation), "mean": validation["y"].mean()}.items():
        assert evaluated[name] == pytest.approx(value, rel=1e-4), name
        assert result.history[f"val_{name}"] == pytest.approx((value, value), rel=1e-4), name
    for name, value in {**expected(training), "mean": training["y"].mean()}.items():
        assert result.history[name] == pytest.approx((value, value), rel=1e-4), name


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_a_loss_that_is_no_mean_is_that_of_its_steps_and_of_all_held_out_rows(target: str) -> None:
    step = optim.SGD(lr=1e-30).minimize(cr.sum(cr.square(x * cr.parameter("w", (3,), 1.0))))
    program = cr.compile(cr.training(step, epochs=1, batch_size=6), target=target)
    given = data(18)
    result = program.run({"x": given["x"]}, validation={"x": given["x"]})
    whole = float((given["x"] ** 2).sum())
    assert result.history["loss"][0] == pytest.approx(whole / 3, rel=1e-4)
    assert result.history["val_loss"][0] == pytest.approx(whole, rel=1e-4)


def test_a_run_with_such_metrics_has_the_bits_of_one_without() -> None:
    step = optim.Adam(lr=0.1).minimize(loss)
    plain = cr.compile(cr.training(step, epochs=3, batch_size=4))
    with_root = cr.compile(
        cr.training(step, epochs=3, batch_size=4, metrics={"root": cr.sqrt(loss)})
    )
    given = data(18)
    assert plain.run(given).state == with_root.run(given).state
