"""CTC and its gradient against PyTorch's, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

ROWS, STEPS, CLASSES, LABELS = 6, 7, 4, 3


def given(seed: int, blank: int) -> dict[str, Any]:
    """Rows with and without repetitions, labels and room for them."""
    random = np.random.default_rng(seed)
    others = [each for each in range(CLASSES) if each != blank]
    values: dict[str, Any] = {
        "z": 2 * random.normal(size=(ROWS, STEPS, CLASSES)),
        "labels": random.choice(others, (ROWS, LABELS)).astype(np.int32),
        "lengths": random.integers(3, STEPS + 1, ROWS).astype(np.int32),
        "label_lengths": random.integers(0, LABELS + 1, ROWS).astype(np.int32),
    }
    values["labels"][0] = others[0]  # three times the same: at least five steps
    values["lengths"][:2], values["label_lengths"][:2] = (5, STEPS), (LABELS, 0)
    return values


def theirs(values: dict[str, Any], **options: Any) -> tuple[Any, Any]:
    z = torch.tensor(values["z"], requires_grad=True)
    log_p = torch.log_softmax(z, -1).transpose(0, 1)
    tensors = [torch.tensor(values[n]).long() for n in ("labels", "lengths", "label_lengths")]
    loss = torch.nn.functional.ctc_loss(log_p, *tensors, **options)
    loss.sum().backward()
    return loss.detach().numpy(), z.grad.numpy()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_loss_and_gradient_are_theirs(reduction: str, blank: int, target: str) -> None:
    run = ours(reduction, blank, target)
    for seed in range(10):
        values = given(seed, blank)
        loss, slope = run(values)
        expected, gradient = theirs(values, blank=blank, reduction=reduction, zero_infinity=True)
        np.testing.assert_allclose(loss, expected, rtol=1e-10)
        np.testing.assert_allclose(slope, gradient, rtol=1e-10, atol=1e-12)


def ours(reduction: str, blank: int, target: str) -> Any:
    z = cr.input("z", ("batch", STEPS, CLASSES), "float64")
    labels = cr.input("labels", ("batch", LABELS), "int32")
    counts = {name: cr.input(name, ("batch",), "int32") for name in ("lengths", "label_lengths")}
    loss = losses.ctc(z, labels, **counts, blank=blank, reduction=reduction, zero_infinity=True)
    return cr.compile([loss, cr.grad(cr.sum(loss), z)], target=target)


def test_without_lengths_all_count_and_too_few_steps_are_impossible() -> None:
    z, labels = cr.input("z", (2, 3, 4), "float64"), cr.input("labels", (2, 3), "int32")
    run = cr.compile([losses.ctc(z, labels, reduction="none")], target="numpy")
    values = {
        "z": np.random.default_rng(0).normal(size=(2, 3, 4)),
        "labels": np.array([[1, 2, 3], [1, 1, 2]], np.int32),
        "lengths": np.array([3, 3]),
        "label_lengths": np.array([3, 3]),
    }
    (found,) = run(z=values["z"], labels=values["labels"])
    expected, _ = theirs(values, reduction="none")
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.isinf(found[1])
