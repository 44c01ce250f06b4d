"""Layers of float64: parameters, states and results are, and gradients are checked in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainc.ir.types import float64, static
from chainrule import nn

RANDOM = np.random.default_rng(3)
ROWS, IMAGES, SEQUENCES = (2, 4), (2, 4, 5, 5), (2, 3, 4)

# With the shape of what each is applied to.
LAYERS: dict[str, tuple[Callable[..., nn.Module], tuple[int, ...]]] = {
    "Linear": (lambda **d: nn.Linear(4, 3, **d), ROWS),
    "MLP": (lambda **d: nn.MLP(4, 5, 3, batch_norm=True, activation=nn.PReLU, **d), ROWS),
    "PReLU": (lambda **d: nn.PReLU(4, **d), ROWS),
    "Maxout": (lambda **d: nn.Maxout(4, 3, **d), ROWS),
    "BatchNorm1d": (lambda **d: nn.BatchNorm1d(4, **d), ROWS),
    "LayerNorm": (lambda **d: nn.LayerNorm(4, **d), ROWS),
    "RMSNorm": (lambda **d: nn.RMSNorm(4, **d), ROWS),
    "Sequential": (lambda **d: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), **d), ROWS),
    "Residual": (lambda **d: nn.Residual(nn.Linear(4, 4), **d), ROWS),
    "Concat": (lambda **d: nn.Concat(nn.Linear(4, 3), nn.Linear(4, 2), **d), ROWS),
    "Conv2d": (lambda **d: nn.Conv2d(4, 3, 2, **d), IMAGES),
    "ConvTranspose2d": (lambda **d: nn.ConvTranspose2d(4, 3, 2, **d), IMAGES),
    "BatchNorm2d": (lambda **d: nn.BatchNorm2d(4, **d), IMAGES),
    "GroupNorm": (lambda **d: nn.GroupNorm(2, 4, **d), IMAGES),
    "RNN": (lambda **d: nn.RNN(4, 3, carry_state=2, **d), SEQUENCES),
    "LSTM": (lambda **d: nn.LSTM(4, 3, 2, bidirectional=True, **d), SEQUENCES),
    "GRU": (lambda **d: nn.GRU(4, 3, **d), SEQUENCES),
    "Reservoir": (lambda **d: nn.Reservoir(4, 3, **d), SEQUENCES),
    "LearnedPositions": (lambda **d: nn.LearnedPositions(3, 4, **d), SEQUENCES),
    "MultiHeadAttention": (lambda **d: nn.MultiHeadAttention(4, 2, **d), SEQUENCES),
    "TransformerBlock": (lambda **d: nn.TransformerBlock(4, 2, norm=nn.RMSNorm, **d), SEQUENCES),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_compiled_gradients_agree_with_differences(kind: str) -> None:
    declare, shape = LAYERS[kind]
    layer = declare(dtype="float64")
    assert {slot.dtype for slot in layer.states()} == {float64}
    x = cr.input("x", shape, dtype="float64")
    y = layer(x)
    assert y.dtype == float64
    loss = cr.sum(y * cr.constant(RANDOM.normal(size=static(y.shape))))
    wrt = layer.parameters()
    compute = cr.compile([loss, *cr.grad(loss, [x, *wrt])], target="numpy", mode="infer")
    start, given = compute.initial_state(), RANDOM.normal(size=shape)
    ways = [RANDOM.normal(size=static(each.shape)) for each in (x, *wrt)]

    def at(step: float) -> Any:
        pairs = zip(wrt, ways[1:], strict=True)
        moved = {p.op.label: np.asarray(start[p], np.float64) + step * way for p, way in pairs}
        return compute.bind(cr.State({**start, **moved}))(x=given + step * ways[0])

    slopes = at(0.0)[1:]
    slope = sum(float((g * way).sum()) for g, way in zip(slopes, ways, strict=True))
    assert {np.asarray(each).dtype for each in slopes} == {np.dtype(np.float64)}
    h = 1e-6
    assert slope == pytest.approx((float(at(h)[0]) - float(at(-h)[0])) / (2 * h), rel=1e-7)


@pytest.mark.parametrize("kind", ["Linear", "Conv2d", "LSTM", "Reservoir", "TransformerBlock"])
def test_inputs_of_float32_are_taken_too(kind: str) -> None:
    declare, shape = LAYERS[kind]
    assert declare(dtype="float64")(cr.input("x", shape)).dtype == float64


def test_a_language_model_and_a_table() -> None:
    model = nn.Transformer(7, width=4, heads=2, layers=1, context=3, tied=True, dtype="float64")
    tokens = cr.input("tokens", (2, 3), dtype="int32")
    assert model(tokens).dtype == float64
    assert nn.Embedding(7, 4, dtype=cr.float64)(tokens).dtype == float64
    assert {slot.dtype for slot in model.states()} == {float64}


def test_names_and_shared_parameters_stay() -> None:
    def made(**dtype: Any) -> nn.Module:
        inner = nn.Linear(4, 4)
        return nn.Sequential(inner, nn.Tanh(), inner, name="model", **dtype)

    x = cr.input("x", ROWS)
    found = [cr.compile(made(**given)(x)).initial_state(1) for given in ({}, {"dtype": "float64"})]
    for state, dtype in zip(found, (np.float32, np.float64), strict=True):
        assert list(state) == ["model/linear1/weight", "model/linear1/bias"]
        assert {np.asarray(value).dtype for value in state.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", ["int32", "float16", 3, cr.int64])
def test_other_types_are_refused(dtype: Any) -> None:
    message = (
        r"Linear: parameters cannot be of dtype .*\n  where: .*test_dtype\.py:\d+\n  try: give"
    )
    with pytest.raises(cr.DTypeError, match=message):
        nn.Linear(4, 3, dtype=dtype)
