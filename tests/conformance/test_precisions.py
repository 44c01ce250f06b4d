"""Layers of two precisions in one program."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, optim
from chainrule.compiled.training import TrainingProgram

TYPES = ("float32", "float64")


def program(target: str, *dtypes: str) -> TrainingProgram:
    sizes = (17, 19, 23, 5)
    h = cr.input("x", ("batch", sizes[0]), dtypes[0])
    labels = cr.input("labels", ("batch",), "int32")
    for position, dtype in enumerate(dtypes):
        shape = (sizes[position], sizes[position + 1])
        weight = cr.parameter(f"w{position}", shape, "he_normal", dtype=dtype)
        h = cr.relu(cr.astype(h, dtype) @ weight)
    step = optim.SGD(lr=1e-2).minimize(losses.cross_entropy(h, labels))
    metrics = {"mean": cr.mean(cr.astype(h, "float64"))}
    training = cr.training(step, epochs=2, batch_size=8, metrics=metrics)
    return cr.compile(training, target=target)


@pytest.mark.parametrize("dtypes", list(itertools.product(TYPES, repeat=3)), ids="-".join)
def test_a_training_is_the_same_on_both_targets(dtypes: tuple[str, ...]) -> None:
    rows = np.random.default_rng(0).normal(size=(20, 17)).astype(dtypes[0])
    data = {"x": rows, "labels": np.arange(20, dtype=np.int32) % 5}
    runs = [program(target, *dtypes).run(data, validation=data) for target in ("numpy", "llvm")]
    for name in ("loss", "mean", "val_loss", "val_mean"):
        found, wanted = (run.history[name] for run in runs)
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
