"""Each optimizer's first steps, computed by its published equations in NumPy, on both targets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ir import Graph
from chainrule import optim

HERE = r"\n  where: .*test_by_hand\.py:\d+\n  try: "
Values = npt.NDArray[np.float64]
Kept = defaultdict[str, Values]  # all first 0; t is the number of the step, from 1
Rule = Callable[[Values, Values, Kept], Values]  # (w, g, what is kept) -> the new w

START = np.array([[1.0, -2.0], [0.5, 0.0]])
PULLS = np.array([[0.7, 0.3], [-1.0, 2.0]])  # the gradient of sum(pulls · w²) / 2 is pulls · w
STEPS = 3


def adagrad(w: Values, g: Values, kept: Kept) -> Values:
    kept["s"] = kept["s"] + g**2
    return w - 0.1 * g / (np.sqrt(kept["s"]) + 1e-10)


def adadelta(w: Values, g: Values, kept: Kept) -> Values:
    kept["s"] = 0.9 * kept["s"] + 0.1 * g**2
    move = np.sqrt(kept["u"] + 1e-6) / np.sqrt(kept["s"] + 1e-6) * g
    kept["u"] = 0.9 * kept["u"] + 0.1 * move**2
    return w - 1.0 * move


def rmsprop(momentum: float, centered: bool) -> Rule:
    def rule(w: Values, g: Values, kept: Kept) -> Values:
        kept["v"] = 0.9 * kept["v"] + 0.1 * g**2
        kept["m"] = 0.9 * kept["m"] + 0.1 * g
        spread = kept["v"] - kept["m"] ** 2 if centered else kept["v"]
        kept["b"] = momentum * kept["b"] + g / (np.sqrt(spread) + 1e-8)
        return w - 0.01 * kept["b"]

    return rule


def moments(g: Values, kept: Kept) -> tuple[Values, Values]:
    kept["m"] = 0.8 * kept["m"] + 0.2 * g
    kept["v"] = 0.9 * kept["v"] + 0.1 * g**2
    return kept["m"], kept["v"]


def adam(w: Values, g: Values, kept: Kept) -> Values:
    m, v = moments(g, kept)
    return w - 0.1 * (m / (1 - 0.8 ** kept["t"])) / (np.sqrt(v / (1 - 0.9 ** kept["t"])) + 1e-8)


def amsgrad(w: Values, g: Values, kept: Kept) -> Values:
    m, v = moments(g, kept)
    kept["largest"] = np.maximum(kept["largest"], v)
    return w - 0.1 * (m / (1 - 0.8 ** kept["t"])) / (
        np.sqrt(kept["largest"] / (1 - 0.9 ** kept["t"])) + 1e-8
    )


def adamw(w: Values, g: Values, kept: Kept) -> Values:
    return adam(w * (1 - 0.1 * 0.05), g, kept)


def nadam(w: Values, g: Values, kept: Kept) -> Values:
    m, v = moments(g, kept)
    t = int(kept["t"].flat[0])
    share = [0.8 * (1 - 0.5 * 0.96 ** (i * 0.004)) for i in range(t + 2)]
    mean = share[t + 1] * m / (1 - math.prod(share[1 : t + 2]))
    mean = mean + (1 - share[t]) * g / (1 - math.prod(share[1 : t + 1]))
    moved: Values = w - 0.1 * mean / (np.sqrt(v / (1 - 0.9 ** kept["t"])) + 1e-8)
    return moved


def lion(w: Values, g: Values, kept: Kept) -> Values:
    moved = w - 0.01 * (np.sign(0.9 * kept["m"] + (1 - 0.9) * g) + 0.1 * w)
    kept["m"] = 0.99 * kept["m"] + (1 - 0.99) * g
    return moved


BETAS = (0.8, 0.9)
OPTIMIZERS: dict[str, tuple[optim.Optimizer, Rule]] = {
    "AdaGrad": (optim.AdaGrad(0.1), adagrad),
    "AdaDelta": (optim.AdaDelta(), adadelta),
    "RMSProp": (optim.RMSProp(0.01, alpha=0.9), rmsprop(0, centered=False)),
    "RMSProp with momentum": (
        optim.RMSProp(0.01, alpha=0.9, momentum=0.7),
        rmsprop(0.7, centered=False),
    ),
    "RMSProp, centred": (
        optim.RMSProp(0.01, alpha=0.9, momentum=0.7, centered=True),
        rmsprop(0.7, centered=True),
    ),
    "Adam": (optim.Adam(0.1, betas=BETAS), adam),
    "AMSGrad": (optim.Adam(0.1, betas=BETAS, amsgrad=True), amsgrad),
    "AdamW": (optim.AdamW(0.1, betas=BETAS, weight_decay=0.05), adamw),
    "NAdam": (optim.NAdam(0.1, betas=BETAS), nadam),
    "Lion": (optim.Lion(0.01, weight_decay=0.1), lion),
}


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_the_equations(name: str, target: str) -> None:
    optimizer, rule = OPTIMIZERS[name]
    w = cr.parameter("w", (2, 2), START, dtype="float64")
    step = optimizer.minimize(cr.sum(PULLS * cr.square(w)) / 2)
    run = cr.compile(step, target=target)
    run = run.bind(run.initial_state())
    expected, kept = START, Kept(lambda: np.zeros((2, 2)))
    for _ in range(STEPS):
        run()
        kept["t"] = kept["t"] + 1
        expected = rule(expected, PULLS * expected, kept)
        found = run.state["w"].astype(np.float64)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    for value in run.state.values():
        assert np.isfinite(value).all()


def test_every_optimizer_is_tried() -> None:
    known = {each for each in vars(optim).values() if isinstance(each, type)}
    optimizers = {each for each in known if issubclass(each, optim.Optimizer)}
    tried = {type(optimizer) for optimizer, _ in OPTIMIZERS.values()}
    assert optimizers - tried == {optim.Optimizer, optim.SGD}  # SGD is in test_optimizers


@pytest.mark.parametrize(("name", "products"), [("Adam", 5), ("AdamW", 6), ("NAdam", 6)])
def test_what_all_elements_share_is_computed_once(name: str, products: int) -> None:
    """An element costs so many products, a root and a division, beside its gradient."""
    w, pull = cr.parameter("w", (2, 2), START, dtype="float64"), cr.input("pull", (2, 2), "float64")
    optimizer, _ = OPTIMIZERS[name]
    step = optimizer.minimize(cr.sum(pull * w))
    graph = Graph(step.outputs, step.updates)
    before = set(Graph((step.loss, *step.gradients)).nodes)
    each = [x.op.name for x in graph.nodes if x.shape == (2, 2) and x not in before]
    found = [each.count(op) for op in ("multiply", "sqrt", "divide")]
    assert found == [products, 1, 1]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_numbers_can_be_changed_between_runs(name: str) -> None:
    optimizer, _ = OPTIMIZERS[name]
    w = cr.parameter("w", (2, 2), START, dtype="float64")
    step = optimizer.minimize(cr.sum(PULLS * cr.square(w)) / 2)
    own = {key for key, value in vars(optimizer).items() if value and isinstance(value, float)}
    assert own <= set(step.hyperparameters)
    run = cr.compile(step, target="numpy")
    one, other = (run.bind(run.initial_state()) for _ in range(2))
    one(lr=0.1)
    other(lr=0.2)
    assert not np.array_equal(one.state["w"], other.state["w"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.AdaGrad(eps=0), "AdaGrad: eps must be .* above 0"),
        (lambda: optim.AdaDelta(rho=1.0), "AdaDelta: rho must be .* below 1"),
        (lambda: optim.AdaDelta(eps=-1e-6), "AdaDelta: eps must be .* above 0"),
        (lambda: optim.RMSProp(alpha=-0.1), "RMSProp: alpha must be .* at least 0"),
        (lambda: optim.RMSProp(momentum=1.0), "RMSProp: momentum must be .* below 1"),
        (lambda: optim.RMSProp(eps=0), "RMSProp: eps must be .* above 0"),
        (lambda: optim.AdamW(weight_decay=-0.1), "AdamW: weight_decay must be .* at least 0"),
        (lambda: optim.AdamW(betas=(0.9, 1.0)), r"AdamW: betas\[1\] must be .* below 1"),
        (lambda: optim.NAdam(momentum_decay=-1), "NAdam: momentum_decay must be .* at least 0"),
        (lambda: optim.NAdam(eps=0), "NAdam: eps must be .* above 0"),
        (lambda: optim.Lion(betas=(1.0, 0.9)), r"Lion: betas\[0\] must be .* below 1"),
        (lambda: optim.Lion(weight_decay=math.nan), "Lion: weight_decay must be .* at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(
    make: Callable[[], optim.Optimizer], message: str
) -> None:
    with pytest.raises(cr.InputError, match=f"^{message}.*{HERE}give "):
        make()
