"""Penalties and norms against PyTorch's, where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim, regularize

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

random = np.random.default_rng(5)
X, W, V = (random.normal(size=shape) for shape in ((8, 3), (3, 6), (6, 1)))


@pytest.mark.parametrize("in_the_signal", [False, True])
def test_l2_is_weight_decay(in_the_signal: bool) -> None:
    x = cr.input("x", ("batch", 3), "float64")
    weight = cr.parameter("weight", W.shape, W, dtype="float64")
    loss = cr.mean(cr.square(cr.tanh(x @ weight)))
    penalty = regularize.l2(0.1, weight)
    chain = [penalty] if in_the_signal else []
    step = optim.SGD(0.2, momentum=0.9, signal=chain).minimize(
        loss if in_the_signal else loss + penalty
    )
    program = cr.compile(cr.training(step, epochs=20, batch_size=8, shuffle=False))
    result = program.run({"x": X}, state=program.initial_state(0))
    found = np.asarray(result.state["weight"], np.float64)

    theirs = torch.tensor(W, requires_grad=True)
    optimizer = torch.optim.SGD([theirs], lr=0.2, momentum=0.9, weight_decay=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        torch.tanh(torch.tensor(X) @ theirs).square().mean().backward()
        optimizer.step()
    np.testing.assert_allclose(found, theirs.detach(), rtol=1e-10)


def test_the_gradient_penalty_and_its_gradients() -> None:
    x = cr.input("x", X.shape, "float64")
    w, v = cr.input("w", W.shape, "float64"), cr.input("v", V.shape, "float64")
    node = regularize.gradient_penalty(cr.tanh(x @ w) @ v, x)
    found = cr.compile([node, *cr.grad(node, [w, v])])(x=X, w=W, v=V)

    rows, first, second = (torch.tensor(each, requires_grad=True) for each in (X, W, V))
    output = torch.tanh(rows @ first) @ second
    (slope,) = torch.autograd.grad(output.sum(), rows, create_graph=True)
    penalty = 10 * ((slope.norm(2, dim=1) - 1) ** 2).mean()
    wanted = (penalty, *torch.autograd.grad(penalty, [first, second]))
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs.detach(), rtol=1e-10)


def test_max_norm_is_theirs_but_for_their_margin() -> None:
    weight = cr.parameter("weight", W.shape, W, dtype="float64")
    step = optim.SGD(1.0, constraints=[regularize.max_norm(1.5)]).minimize(0.0 * cr.sum(weight))
    run = cr.compile(cr.Graph([step.loss], step.updates))
    run = run.bind(run.initial_state())
    run()
    theirs = torch.renorm(torch.tensor(W), p=2, dim=1, maxnorm=1.5)
    found = np.asarray(run.state["weight"], np.float64)
    np.testing.assert_allclose(found, theirs, rtol=1e-6)
