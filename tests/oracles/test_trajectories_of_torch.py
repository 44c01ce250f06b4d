"""Every optimizer that PyTorch has as well: 500 steps of a small network in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses, optim

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

Floats = npt.NDArray[np.float64]
Build = Callable[[Sequence[object]], Any]

STEPS = 500
BOUND = 1e-10  # of the largest element of each parameter
RNG = np.random.default_rng(5)
ROWS, AIMS = RNG.standard_normal((16, 3)), RNG.standard_normal((16, 2))
FIRST = {
    "first": RNG.standard_normal((3, 5)),
    "bias": 0.1 * RNG.standard_normal(5),
    "second": RNG.standard_normal((5, 2)),
}


class Clipped:
    """Momentum with gradients clipped by their common norm."""

    def __init__(self, parameters: Sequence[object]) -> None:
        self.parameters = parameters
        self.inner = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)

    def zero_grad(self) -> None:
        self.inner.zero_grad()

    def step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.parameters, 0.1)
        self.inner.step()


PAIRS: dict[str, tuple[optim.Optimizer, Build]] = {
    "SGD": (optim.SGD(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "momentum": (
        optim.SGD(0.05, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    ),
    "Nesterov": (
        optim.SGD(0.05, momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    ),
    "AdaGrad": (optim.AdaGrad(0.1), lambda p: torch.optim.Adagrad(p, lr=0.1)),
    # at a rate of 1 its way here is chaotic: PyTorch leaves its own after a change in the last bit
    "AdaDelta": (optim.AdaDelta(0.5), lambda p: torch.optim.Adadelta(p, lr=0.5)),
    "RMSProp": (optim.RMSProp(0.001), lambda p: torch.optim.RMSprop(p, lr=0.001)),
    "RMSProp, centred, with momentum": (
        optim.RMSProp(0.001, momentum=0.9, centered=True),
        lambda p: torch.optim.RMSprop(p, lr=0.001, momentum=0.9, centered=True),
    ),
    "Adam": (optim.Adam(0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
    "AMSGrad": (
        optim.Adam(0.01, betas=(0.8, 0.9), amsgrad=True),
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.9), amsgrad=True),
    ),
    "AdamW": (
        optim.AdamW(0.01, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    ),
    "NAdam": (optim.NAdam(), torch.optim.NAdam),
    "clipped": (optim.SGD(0.05, momentum=0.9, signal=[optim.clip.by_global_norm(0.1)]), Clipped),
}


def loss_of_ours() -> cr.Node:
    first, bias, second = (
        cr.parameter(name, value.shape, value, dtype="float64") for name, value in FIRST.items()
    )
    rows, aims = cr.constant(ROWS), cr.constant(AIMS)
    return losses.squared_error(cr.tanh(rows @ first + bias) @ second, aims)


def path_of_ours(step: optim.Step, target: str, steps: int = STEPS) -> dict[str, Floats]:
    run = cr.compile(step, target=target)
    run = run.bind(run.initial_state())
    for _ in range(steps):
        run()
    return {name: run.state[name].astype(np.float64) for name in FIRST}


def path_of_torch(build: Build, steps: int = STEPS) -> dict[str, Floats]:
    given = {name: torch.tensor(value, requires_grad=True) for name, value in FIRST.items()}
    optimizer = build(list(given.values()))
    rows, aims = torch.tensor(ROWS), torch.tensor(AIMS)
    for _ in range(steps):
        optimizer.zero_grad()
        found = torch.tanh(rows @ given["first"] + given["bias"]) @ given["second"]
        ((found - aims) ** 2).mean().backward()
        optimizer.step()
    return {name: value.detach().numpy() for name, value in given.items()}


def difference(ours: dict[str, Floats], theirs: dict[str, Floats]) -> float:
    return max(
        float(np.abs(ours[name] - value).max() / np.abs(value).max())
        for name, value in theirs.items()
    )


@pytest.fixture(autouse=True)
def scalars_of_float64() -> Iterator[None]:
    """NAdam's product of shares is kept in the default type, whatever the parameters have."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("name", PAIRS)
def test_trajectories_agree(name: str, target: str) -> None:
    ours, theirs = PAIRS[name]
    reached = path_of_torch(theirs)
    assert difference(path_of_ours(ours.minimize(loss_of_ours()), target), reached) <= BOUND
    assert difference(FIRST, reached) > 0.1  # they went somewhere


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (optim.averages.ema(0.98), torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)),
        (optim.averages.swa(1), torch.optim.swa_utils.get_swa_multi_avg_fn()),
    ],
    ids=["ema", "swa"],
)
def test_averages_agree(ours: Any, theirs: Any) -> None:
    """PyTorch takes the parameters after each update, the first of them as they are."""
    run = cr.compile(optim.SGD(0.1, average=ours).minimize(loss_of_ours()))
    run = run.bind(run.initial_state())
    module = torch.nn.ParameterDict(
        {n: torch.nn.Parameter(torch.tensor(v)) for n, v in FIRST.items()}
    )
    average = torch.optim.swa_utils.AveragedModel(module, multi_avg_fn=theirs)
    for _ in range(50):
        run()
        with torch.no_grad():
            for name, value in module.items():
                value.copy_(torch.tensor(run.state[name]))
        average.update_parameters(module)
    for name, value in average.module.items():
        found = run.state[f"average/{name}"].astype(np.float64)
        np.testing.assert_allclose(found, value.detach().numpy(), rtol=1e-12)


class OneIteration:
    """L-BFGS without a search, one iteration a step."""

    def __init__(self, parameters: Sequence[object]) -> None:
        self.inner = torch.optim.LBFGS(
            parameters, lr=0.5, max_iter=1, history_size=10, tolerance_grad=0, tolerance_change=0
        )

    def zero_grad(self) -> None:
        self.inner.zero_grad()

    def step(self) -> None:
        self.inner.step(lambda: torch.zeros(()))  # the gradients are there


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_lbfgs_agrees_while_rounding_has_not_grown(target: str) -> None:
    """Without a search rounding grows tenfold in some ten steps, so the network is for 40."""
    ours = path_of_ours(optim.LBFGS(0.5, trials=1).minimize(loss_of_ours()), target, steps=40)
    assert difference(ours, path_of_torch(OneIteration, steps=40)) <= BOUND


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_lbfgs_agrees_to_the_end_on_a_convex_loss(target: str) -> None:
    first = RNG.standard_normal((3, 2))
    w = cr.parameter("w", (3, 2), first, dtype="float64")
    loss = losses.squared_error(cr.constant(ROWS) @ w, cr.constant(AIMS)) + 0.1 * cr.sum(w**4)
    run = cr.compile(optim.LBFGS(0.5, trials=1).minimize(loss), target=target)
    run = run.bind(run.initial_state())
    theirs = torch.tensor(first, requires_grad=True)
    optimizer = OneIteration([theirs])
    for _ in range(STEPS):
        run()
        optimizer.zero_grad()
        found = ((torch.tensor(ROWS) @ theirs - torch.tensor(AIMS)) ** 2).mean()
        (found + 0.1 * (theirs**4).sum()).backward()
        optimizer.step()
        ours, expected = run.state["w"].astype(np.float64), theirs.detach().numpy()
        assert np.abs(ours - expected).max() <= BOUND * np.abs(expected).max()
