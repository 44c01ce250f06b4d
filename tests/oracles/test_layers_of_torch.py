"""Layers against PyTorch's, where it is installed: values, gradients, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ops.runs.modes import Mode
from chainrule import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

Floats = npt.NDArray[np.float32]
random = np.random.default_rng(11)
X: Floats = random.standard_normal((7, 6)).astype(np.float32)
LONG: Floats = random.standard_normal((5, 6, 3)).astype(np.float32)

PAIRS: Mapping[str, tuple[Callable[[], nn.Module], Callable[[], Any], Floats]] = {
    "BatchNorm1d": (lambda: nn.BatchNorm1d(6), lambda: torch.nn.BatchNorm1d(6), X),
    "BatchNorm1d of a length": (
        lambda: nn.BatchNorm1d(6, momentum=0.3, eps=0.01),
        lambda: torch.nn.BatchNorm1d(6, momentum=0.3, eps=0.01), LONG),
    "BatchNorm1d plain": (
        lambda: nn.BatchNorm1d(6, affine=False), lambda: torch.nn.BatchNorm1d(6, affine=False), X),
    "LayerNorm": (lambda: nn.LayerNorm(6), lambda: torch.nn.LayerNorm(6), X),
    "LayerNorm of two axes": (
        lambda: nn.LayerNorm((6, 3)), lambda: torch.nn.LayerNorm((6, 3)), LONG),
    "PReLU": (nn.PReLU, torch.nn.PReLU, X),
    "PReLU of features": (lambda: nn.PReLU(6), lambda: torch.nn.PReLU(6), LONG),
    "GELU": (nn.GELU, torch.nn.GELU, 3 * X),
    "GELU by tanh": (lambda: nn.GELU("tanh"), lambda: torch.nn.GELU("tanh"), 3 * X),
    "SiLU": (nn.SiLU, torch.nn.SiLU, 3 * X),
    "LogSoftmax": (nn.LogSoftmax, lambda: torch.nn.LogSoftmax(-1), X),
    "Flatten": (nn.Flatten, torch.nn.Flatten, LONG),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["train", "infer"])
@pytest.mark.parametrize("name", PAIRS)
def test_values_gradients_and_statistics_are_theirs(name: str, mode: Mode) -> None:
    declare, theirs, value = PAIRS[name]
    layer, other = declare(), theirs()
    other.train(mode == "train")
    x = cr.input("x", ("batch", *value.shape[1:]))
    y = layer(x)
    wanted = [x, *layer.parameters()]
    loss = cr.sum(y * cr.cos(y))
    function = cr.compile([y, *cr.grad(loss, wanted)], mode=mode)
    state = {key: np.array(array) for key, array in function.initial_state(0).items()}
    for key, first in [*state.items()]:
        part = key.split("/")[-1]
        if part in ("weight", "bias", "running_mean", "running_var"):
            drawn = np.abs(random.standard_normal(first.shape)).astype(np.float32)
            state[key] = drawn
            with torch.no_grad():
                getattr(other, part).copy_(torch.tensor(drawn))
    bound = function.bind(cr.State(state))
    ours = bound(x=value)
    given = torch.tensor(value, requires_grad=True)
    result = other(given)
    (result * result.cos()).sum().backward()
    expected = [result, given.grad, *(parameter.grad for parameter in other.parameters())]
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=2e-4, atol=2e-5)
    for key, kept in bound.state.items():
        part = key.split("/")[-1]
        if part.startswith("running_"):
            found = getattr(other, part).numpy()
            np.testing.assert_allclose(np.asarray(kept, float), found, rtol=1e-5, atol=1e-6)


def test_an_embedding_is_theirs() -> None:
    layer, other = nn.Embedding(9, 4), torch.nn.Embedding(9, 4)
    index = random.integers(0, 9, (5, 3))
    x = cr.input("x", ("batch", 3), dtype="int64")
    y = layer(x)
    function = cr.compile([y, cr.grad(cr.sum(y * y), layer.weight)])
    (key,) = function.initial_state(0)
    weight = other.weight.detach().numpy()
    ours = function.bind(cr.State({key: weight}))(x=index)
    result = other(torch.tensor(index))
    (result * result).sum().backward()
    for a, b in zip(ours, (result, other.weight.grad), strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-6)


def test_dropout_keeps_their_share_and_scale() -> None:
    ours = cr.compile(nn.Dropout(0.3)(cr.input("x", ("batch", 100))), mode="train")
    ones = np.ones((500, 100), np.float32)
    found = ours.bind(ours.initial_state(0))(x=ones)
    theirs = torch.nn.Dropout(0.3)(torch.tensor(ones)).numpy()
    np.testing.assert_allclose(np.unique(found), np.unique(theirs), rtol=1e-6)
    assert abs(float((found == 0).mean()) - float((theirs == 0).mean())) < 0.01
