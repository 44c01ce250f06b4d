"""Gradients and optimizer steps against PyTorch, where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses, nn, optim

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

Floats = npt.NDArray[np.float64]


class TorchOptimizer(Protocol):
    """The part of a PyTorch optimizer that is used here."""

    def zero_grad(self) -> None: ...

    def step(self) -> None: ...


def numbers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape)


UNARY = [
    ("exp", cr.exp), ("expm1", cr.expm1), ("tanh", cr.tanh), ("sigmoid", cr.sigmoid),
    ("relu", cr.relu), ("sin", cr.sin), ("cos", cr.cos), ("abs", cr.abs), ("erf", cr.erf),
    ("square", cr.square),
]  # fmt: skip


@pytest.mark.parametrize(("name", "function"), UNARY)
def test_gradients_of_functions(name: str, function: Callable[[cr.Node], cr.Node]) -> None:
    x = cr.input("x", (3, 4), dtype="float64")
    value = numbers(3, 4)
    (ours,) = cr.compile([cr.grad(cr.sum(function(x)), x)])(x=value)
    theirs = torch.tensor(value, requires_grad=True)
    getattr(torch, name)(theirs).sum().backward()
    np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("axis", [0, 1])
def test_gradients_of_reductions(axis: int) -> None:
    x = cr.input("x", (3, 4), dtype="float64")
    value = numbers(3, 4)
    pairs: list[tuple[cr.Node, Callable[[Any], Any]]] = [
        (cr.logsumexp(x, axis), lambda t: torch.logsumexp(t, axis)),
        (cr.max(x, axis), lambda t: t.amax(axis)),
        (cr.prod(x, axis), lambda t: t.prod(axis)),
        (cr.var(x, axis), lambda t: t.var(axis, correction=0)),
        (cr.softmax(x, axis), lambda t: torch.softmax(t, axis)),
        (cr.log_softmax(x, axis), lambda t: torch.log_softmax(t, axis)),
    ]
    for ours, theirs in pairs:
        tensor = torch.tensor(value, requires_grad=True)
        theirs(tensor).square().sum().backward()
        (got,) = cr.compile([cr.grad(cr.sum(cr.square(ours)), x)])(x=value)
        np.testing.assert_allclose(got, tensor.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_a_network_its_loss_gradient_and_hessian_product() -> None:
    x = cr.input("x", (5, 4), dtype="float64")
    y = cr.input("y", (5,), dtype="int32")
    w, v = cr.input("w", (4, 3), dtype="float64"), cr.input("v", (4, 3), dtype="float64")
    loss = losses.cross_entropy(cr.tanh(x @ w), y)
    values = {"x": numbers(5, 4), "w": numbers(4, 3, seed=1), "v": numbers(4, 3, seed=2)}
    labels = np.array([0, 1, 2, 1, 0], np.int32)
    ours = cr.compile([loss, cr.grad(loss, w), *cr.hvp(loss, [w], [v])])(y=labels, **values)

    weight = torch.tensor(values["w"], requires_grad=True)
    rows, target = torch.tensor(values["x"]), torch.tensor(labels, dtype=torch.long)
    value = torch.nn.functional.cross_entropy(torch.tanh(rows @ weight), target)
    (slope,) = torch.autograd.grad(value, weight, create_graph=True)
    (product,) = torch.autograd.grad((slope * torch.tensor(values["v"])).sum(), weight)
    for got, expected in zip(ours, (value, slope, product), strict=True):
        np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-9, atol=1e-12)


def torch_sgd(
    momentum: float = 0.0, nesterov: bool = False
) -> Callable[[Sequence[object]], TorchOptimizer]:
    def build(parameters: Sequence[object]) -> TorchOptimizer:
        made: TorchOptimizer = torch.optim.SGD(
            parameters, lr=0.1, momentum=momentum, nesterov=nesterov
        )
        return made

    return build


def torch_adam(parameters: Sequence[object]) -> TorchOptimizer:
    made: TorchOptimizer = torch.optim.Adam(parameters, lr=0.01)
    return made


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (optim.SGD(lr=0.1), torch_sgd()),
        (optim.SGD(lr=0.1, momentum=0.9), torch_sgd(0.9)),
        (optim.SGD(lr=0.1, momentum=0.9, nesterov=True), torch_sgd(0.9, nesterov=True)),
        (optim.Adam(lr=0.01), torch_adam),
    ],
    ids=["sgd", "momentum", "nesterov", "adam"],
)
def test_optimizers_take_the_same_steps(
    ours: optim.Optimizer, theirs: Callable[[Sequence[object]], TorchOptimizer]
) -> None:
    x = cr.input("x", (6, 3))
    layer = nn.Linear(3, 2, name="layer")
    run = cr.compile(ours.minimize(losses.squared_error(layer(x), x[:, :2])))
    run = run.bind(run.initial_state(0))
    rows = numbers(6, 3).astype(np.float32)

    weight = torch.tensor(run.state["layer/weight"].copy(), requires_grad=True)
    bias = torch.tensor(run.state["layer/bias"].copy(), requires_grad=True)
    optimizer = theirs([weight, bias])
    tensor = torch.tensor(rows)
    for _ in range(50):
        run(x=rows)
        optimizer.zero_grad()
        ((tensor @ weight + bias - tensor[:, :2]) ** 2).mean().backward()
        optimizer.step()
    state = run.state
    for name, expected in (("layer/weight", weight), ("layer/bias", bias)):
        got = state[name].astype(np.float64)
        np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-4, atol=1e-6)
