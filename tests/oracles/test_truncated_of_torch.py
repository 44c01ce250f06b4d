"""Truncated backpropagation through time, against PyTorch's loop with `detach`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, nn, optim, text
from chainrule.text.windows import Pieces

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

CORPUS = text.Characters.of("she sells sea shells by the sea shore; the shells she sells are hers")
ROWS, LENGTH, HIDDEN, EPOCHS, RATE, MOST = 3, 4, 5, 3, 0.5, 0.2
PAIRS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


def ours(kind: str, rows: int | bool) -> tuple[nn.Module, cr.Training]:
    x, y = (cr.input(name, ("batch", LENGTH), dtype="int32") for name in ("x", "y"))
    model = nn.Sequential(
        nn.Embedding(CORPUS.size, HIDDEN),
        PAIRS[kind](HIDDEN, HIDDEN, 2, carry_state=rows),
        nn.Linear(HIDDEN, CORPUS.size),
        dtype="float64",
    )
    clipped = optim.SGD(lr=RATE, signal=[optim.clip.by_global_norm(MOST)])
    step = clipped.minimize(losses.cross_entropy(model(x), y))
    return model, cr.training(step, epochs=EPOCHS, batch_size=ROWS, shuffle=False)


def theirs(kind: str) -> Any:
    parts = {
        "embedding": torch.nn.Embedding(CORPUS.size, HIDDEN),
        "recurrent": getattr(torch.nn, kind)(HIDDEN, HIDDEN, 2, batch_first=True),
        "linear": torch.nn.Linear(HIDDEN, CORPUS.size),
    }
    return torch.nn.ModuleDict(parts).double()


def train(network: Any, data: Pieces) -> None:
    """A row goes on from batch to batch within an epoch, and no gradient goes back there."""
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        carried = None
        for start in range(0, len(data["x"]), ROWS):
            x, y = (torch.tensor(data[name][start : start + ROWS]).long() for name in ("x", "y"))
            every, carried = network["recurrent"](network["embedding"](x), carried)
            logits = network["linear"](every)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), MOST)
            optimizer.step()
            many = isinstance(carried, tuple)
            carried = tuple(c.detach() for c in carried) if many else carried.detach()


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("rows", [ROWS, True])
@pytest.mark.parametrize("kind", PAIRS)
def test_weights_are_theirs_after_some_epochs(kind: str, rows: int | bool, target: str) -> None:
    torch.manual_seed(0)
    (model, training), network = ours(kind, rows), theirs(kind)
    named = dict(zip(model.parameters(), weights(network), strict=True))
    program = cr.compile(training, target=target)
    start = program.initial_state()
    values = {node.op.label: value.copy() for node, value in named.items()}
    state = cr.State({**start, **values})
    data = CORPUS.streams(ROWS, LENGTH)
    found = program.run(data, state=state).state
    train(network, data)
    moved = 0.0
    for (node, before), after in zip(named.items(), weights(network), strict=True):
        moved = max(moved, float(np.abs(after - before).max()))
        np.testing.assert_allclose(np.asarray(found[node], np.float64), after, atol=1e-12)
    assert moved > 0.1


def weights(network: Any) -> list[Any]:
    """In our order, with matrices as ours."""
    parts, linear = network["recurrent"], network["linear"]
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    found = [getattr(parts, f"{name}_l{layer}") for layer in range(2) for name in names]
    found += [linear.weight, linear.bias]
    turned = [each.detach().numpy().copy().T for each in found]
    return [network["embedding"].weight.detach().numpy().copy(), *turned]
