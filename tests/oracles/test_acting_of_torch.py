"""The gradient of a policy, and one through a step of descent, against PyTorch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import acting

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")


def test_the_gradient_of_a_policy() -> None:
    """-log_prob of what was done, times the whitened returns, as PyTorch's example has it."""
    random = np.random.default_rng(0)
    steps, episodes, actions = 6, 4, 3
    running = (np.arange(steps)[:, None] < np.array([6, 2, 4, 1])).astype(np.float64)
    values: dict[str, Any] = {
        "seen": random.normal(size=(steps, episodes, 2)),
        "done": random.integers(0, actions, (steps, episodes)),
        "rewards": random.normal(size=(steps, episodes)) * running,
        "running": running,
        "w": random.normal(size=(2, actions)),
    }
    inputs = {name: cr.input(name, x.shape, dtype=str(x.dtype)) for name, x in values.items()}
    played = acting.Episodes(
        inputs["seen"], inputs["done"], inputs["rewards"], inputs["running"], inputs["running"],
        inputs["seen"][0],
    )  # fmt: skip
    worth = acting.whitened(acting.discounted(played.rewards, 0.9), played)
    loss = acting.policy_loss(played.observations @ inputs["w"], played, worth)
    found = cr.compile(cr.grad(loss, inputs["w"]), target="numpy")(**values)

    w = torch.tensor(values["w"], requires_grad=True)
    surprises, returns = [], []
    for episode in range(episodes):
        later = 0.0
        for step in reversed(range(int(running[:, episode].sum()))):
            logits = torch.tensor(values["seen"][step, episode]) @ w
            choice = torch.distributions.Categorical(logits=logits)
            surprises.append(-choice.log_prob(torch.tensor(values["done"][step, episode])))
            later = values["rewards"][step, episode] + 0.9 * later
            returns.append(later)
    scores = torch.tensor(returns)
    scores = (scores - scores.mean()) / scores.std(correction=0)
    (torch.stack(surprises) * scores).mean().backward()
    np.testing.assert_allclose(found, w.grad.numpy(), rtol=1e-6, atol=1e-9)


def test_the_gradient_through_a_step_of_the_gradient() -> None:
    random = np.random.default_rng(1)
    shapes = {"a": (5, 2), "b": (5, 1), "c": (4, 2), "d": (4, 1), "v": (2, 3), "u": (3, 1)}
    values = {name: random.normal(size=shape) for name, shape in shapes.items()}

    def error(tanh: Any, mean: Any, weights: Any, x: Any, y: Any) -> Any:
        return mean((tanh(x @ weights[0]) @ weights[1] - y) ** 2)

    node = {name: cr.input(name, shape, dtype="float64") for name, shape in shapes.items()}
    w = [node["v"], node["u"]]
    slopes = cr.grad(error(cr.tanh, cr.mean, w, node["a"], node["b"]), w)
    moved = [part - 0.3 * slope for part, slope in zip(w, slopes, strict=True)]
    loss = error(cr.tanh, cr.mean, moved, node["c"], node["d"])
    found = cr.compile(cr.grad(loss, w), target="numpy")(**values)

    tensor = {name: torch.tensor(x, requires_grad=name in "vu") for name, x in values.items()}
    ours = [tensor["v"], tensor["u"]]
    first = error(torch.tanh, torch.mean, ours, tensor["a"], tensor["b"])
    slopes = torch.autograd.grad(first, ours, create_graph=True)
    moved = [part - 0.3 * slope for part, slope in zip(ours, slopes, strict=True)]
    error(torch.tanh, torch.mean, moved, tensor["c"], tensor["d"]).backward()
    for mine, theirs in zip(found, ours, strict=True):
        np.testing.assert_allclose(mine, theirs.grad.numpy(), rtol=1e-9)
