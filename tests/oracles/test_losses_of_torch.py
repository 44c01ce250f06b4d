"""Losses and their gradients against PyTorch's, where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
F = torch.nn.functional

random = np.random.default_rng(7)
N, K = 9, 5
CLASSES = [1.0, 2.0, 0.5, 3.0, 1.5]
GIVEN: Mapping[str, npt.NDArray[np.generic]] = {
    "z": 3 * random.normal(size=(N, K)),
    "y": np.array([0, 4, 1, 1, 2, 0, 3, 3, 1], np.int32),
    "p": random.dirichlet(np.ones(K), N),
    "t": random.normal(size=(N, K)),
    "b": random.integers(0, 2, (N, K)).astype(np.float64),
    "v": random.uniform(0, 2, (N, K)) * (random.random((N, K)) < 0.8),
    "w": random.uniform(0, 2, (N, K)),
    "sequences": 3 * random.normal(size=(N, 4, K)),
    "tokens": np.where(random.random((N, 4)) < 0.3, -100, random.integers(0, K, (N, 4))).astype(
        np.int32
    ),
}
Named = Mapping[str, Any]
Loss = Callable[[Named], Any]
C = torch.tensor(CLASSES, dtype=torch.float64)


def hinge(n: Named) -> Any:
    rows = F.multi_margin_loss(n["z"], n["y"], weight=C, reduction="none")
    return rows.sum() / C[n["y"]].sum()


def nt_xent(n: Named) -> Any:
    views = F.normalize(torch.cat([n["z"], n["t"]]), dim=1)
    alike = (views @ views.T / 0.2).fill_diagonal_(-torch.inf)
    return F.cross_entropy(alike, (torch.arange(2 * N) + N) % (2 * N))


PAIRS: Mapping[str, tuple[Loss, Loss]] = {
    "cross entropy": (
        lambda n: losses.cross_entropy(n["z"], n["y"]), lambda n: F.cross_entropy(n["z"], n["y"])),
    "of classes": (
        lambda n: losses.cross_entropy(n["z"], n["y"], weights=CLASSES),
        lambda n: F.cross_entropy(n["z"], n["y"], weight=C)),
    "smoothed": (
        lambda n: losses.cross_entropy(n["z"], n["y"], label_smoothing=0.1),
        lambda n: F.cross_entropy(n["z"], n["y"], label_smoothing=0.1)),
    "all of it": (
        lambda n: losses.cross_entropy(
            n["z"], n["y"], weights=CLASSES, label_smoothing=0.3, ignore_index=1),
        lambda n: F.cross_entropy(
            n["z"], n["y"], weight=C, label_smoothing=0.3, ignore_index=1)),
    "all of it, added": (
        lambda n: losses.cross_entropy(
            n["z"], n["y"], weights=CLASSES, label_smoothing=0.3, ignore_index=1, reduction="sum"),
        lambda n: F.cross_entropy(
            n["z"], n["y"], weight=C, label_smoothing=0.3, ignore_index=1, reduction="sum")),
    "of sequences": (
        lambda n: losses.cross_entropy(n["sequences"], n["tokens"], ignore_index=-100),
        lambda n: F.cross_entropy(n["sequences"].transpose(1, 2), n["tokens"])),
    "all of it, of sequences": (
        lambda n: losses.cross_entropy(
            n["sequences"], n["tokens"], weights=CLASSES, label_smoothing=0.2, ignore_index=-100),
        lambda n: F.cross_entropy(
            n["sequences"].transpose(1, 2), n["tokens"], weight=C, label_smoothing=0.2)),
    "probabilities": (
        lambda n: losses.cross_entropy(n["z"], n["p"], label_smoothing=0.2),
        lambda n: F.cross_entropy(n["z"], n["p"], label_smoothing=0.2)),
    "probabilities of classes, added": (
        lambda n: losses.cross_entropy(n["z"], n["p"], weights=CLASSES, reduction="sum"),
        lambda n: F.cross_entropy(n["z"], n["p"], weight=C, reduction="sum")),
    "kl": (
        lambda n: losses.kl_divergence(n["z"], n["p"]),
        lambda n: F.kl_div(torch.log_softmax(n["z"], 1), n["p"], reduction="batchmean")),
    "binary": (
        lambda n: losses.binary_cross_entropy(n["z"], n["p"]),
        lambda n: F.binary_cross_entropy_with_logits(n["z"], n["p"])),
    "binary of the positive, added": (
        lambda n: losses.binary_cross_entropy(n["z"], n["p"], weights=[1, 3], reduction="sum"),
        lambda n: F.binary_cross_entropy_with_logits(
            n["z"], n["p"], pos_weight=torch.tensor(3.0), reduction="sum")),
    "hinge": (
        lambda n: losses.hinge(n["z"], n["y"], 0.5),
        lambda n: F.multi_margin_loss(n["z"], n["y"], margin=0.5)),
    "hinge of classes": (lambda n: losses.hinge(n["z"], n["y"], weights=CLASSES), hinge),
    "squared of weights": (
        lambda n: losses.squared_error(n["z"], n["t"], weights=n["w"]),
        lambda n: F.mse_loss(n["z"], n["t"], weight=n["w"])),
    "absolute of weights": (
        lambda n: losses.absolute_error(n["z"], n["t"], weights=n["w"]),
        lambda n: F.l1_loss(n["z"], n["t"], weight=n["w"])),
    "huber": (
        lambda n: losses.huber(n["z"], n["t"], 0.7),
        lambda n: F.huber_loss(n["z"], n["t"], delta=0.7)),
    "huber of weights, added": (
        lambda n: losses.huber(n["z"], n["t"], weights=n["w"], reduction="sum"),
        lambda n: F.huber_loss(n["z"], n["t"], weight=n["w"], reduction="sum")),
    "kl normal": (
        lambda n: losses.kl_normal(n["z"], n["t"]),
        lambda n: torch.distributions.kl_divergence(
            torch.distributions.Normal(n["z"], torch.exp(n["t"] / 2)),
            torch.distributions.Normal(0.0, 1.0)).sum(1).mean()),
    "k means": (
        lambda n: losses.k_means(n["z"], n["p"]),
        lambda n: (torch.cdist(n["z"], n["p"]) ** 2).min(1).values.mean()),
    "nt xent": (
        lambda n: losses.nt_xent(n["z"], n["t"], 0.2), nt_xent),
    "gaussian": (
        lambda n: losses.gaussian_nll(n["z"], n["t"], n["v"], eps=0.01),
        lambda n: F.gaussian_nll_loss(n["z"], n["t"], n["v"], eps=0.01)),
    "gaussian in full": (
        lambda n: losses.gaussian_nll(n["z"], n["t"], n["v"], full=True, reduction="sum"),
        lambda n: F.gaussian_nll_loss(n["z"], n["t"], n["v"], full=True, reduction="sum")),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_a_loss_and_its_gradients_are_theirs(name: str) -> None:
    ours, theirs = PAIRS[name]
    nodes = {key: cr.input(key, value.shape, str(value.dtype)) for key, value in GIVEN.items()}
    loss = ours(nodes)
    read = [leaf.op.label for leaf in cr.Graph([loss]).leaves("input")]
    wrt = [key for key in read if key in ("z", "p", "t", "v", "sequences")]
    function = cr.compile([loss, *cr.grad(loss, [nodes[key] for key in wrt])])
    found = function({key: GIVEN[key] for key in read})
    tensors = {
        key: torch.tensor(value, dtype=torch.long if key in ("y", "tokens") else torch.float64)
        for key, value in GIVEN.items()
    }
    for key in wrt:
        tensors[key].requires_grad_()
    value = theirs(tensors)
    value.backward()
    np.testing.assert_allclose(found[0], value.item(), rtol=1e-12)
    for key, gradient in zip(wrt, found[1:], strict=True):
        np.testing.assert_allclose(gradient, tensors[key].grad, rtol=1e-9, atol=1e-13)
