"""Losses inside a training: what their kernels write, and what their steps change."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses, nn, optim, regularize

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])
Floats = npt.NDArray[np.float32]
RNG = np.random.default_rng(8)
CLASSES = [1.0, 2.0, 0.5, 3.0, 1.0]
X: Floats = RNG.normal(size=(22, 6)).astype(np.float32)
Y = RNG.integers(0, 5, 22).astype(np.int32)
SHARES: Floats = RNG.dirichlet(np.ones(5), 22).astype(np.float32)
SURE: Floats = RNG.uniform(0, 2, 22).astype(np.float32)
DATA = {"x": X, "y": Y, "shares": SHARES, "sure": SURE}

x, y = cr.input("x", ("batch", 6)), cr.input("y", ("batch",), "int32")
shares, sure = cr.input("shares", ("batch", 5)), cr.input("sure", ("batch",))

FORMS: dict[str, Callable[[cr.Node], cr.Node]] = {
    "of classes": lambda z: losses.cross_entropy(z, y, weights=CLASSES),
    "of rows": lambda z: losses.cross_entropy(z, y, weights=sure),
    "smoothed": lambda z: losses.cross_entropy(z, y, label_smoothing=0.1),
    "ignoring": lambda z: losses.cross_entropy(z, y, ignore_index=2),
    "all of it": lambda z: losses.cross_entropy(
        z, y, weights=CLASSES, label_smoothing=0.1, ignore_index=2
    ),
    "probabilities": lambda z: losses.cross_entropy(z, shares),
    "probabilities of classes": lambda z: losses.cross_entropy(z, shares, weights=CLASSES),
    "divergence": lambda z: losses.kl_divergence(z, shares),
    "focal": lambda z: losses.focal(z, y, weights=CLASSES),
    "hinge": lambda z: losses.hinge(z, y, weights=CLASSES),
}


def training(
    form: Callable[[cr.Node], cr.Node], target: str, epochs: int = 3
) -> cr.TrainingProgram:
    model = nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 5), name="model")
    step = optim.SGD(0.2, momentum=0.9).minimize(form(model(x)))
    return cr.compile(cr.training(step, epochs=epochs, batch_size=8), target=target)


@cache
def of_form(name: str, target: str) -> cr.TrainingProgram:
    """What several tests look at."""
    return training(FORMS[name], target)


def given_to(program: cr.TrainingProgram) -> dict[str, npt.NDArray[np.generic]]:
    read = {leaf.op.label for leaf in program.declared.leaves("input")}
    return {key: value for key, value in DATA.items() if key in read}


def arrays_of_logits(program: cr.TrainingProgram) -> int:
    """How many arrays of the logits' shape a step writes."""
    return sum(
        str(each.type) == "f32[batch,5]" and each.role == "work" and "evaluate" not in each.name
        for each in program.plan.allocations
    )


NEEDED = 3  # the logits, their exponentials, the gradient


def test_the_plain_form_writes_no_more_arrays_of_logits_than_it_needs() -> None:
    assert arrays_of_logits(training(lambda z: losses.cross_entropy(z, y), "llvm")) <= NEEDED


@pytest.mark.parametrize("name", FORMS)
def test_no_form_writes_more_arrays_of_logits_than_it_needs(name: str) -> None:
    more = name == "probabilities of classes"  # the probabilities times their weights
    assert arrays_of_logits(of_form(name, "llvm")) <= NEEDED + more


UNLABELLED: dict[str, Callable[[cr.Node], cr.Node]] = {
    "kl normal": lambda z: losses.kl_normal(z, 0.5 * z),
    "k means": lambda z: losses.k_means(z, cr.parameter("centres", (3, 5), "he_normal")),
    "nt xent": lambda z: losses.nt_xent(z, 2.0 * cr.tanh(z), 0.5),
}


@pytest.mark.parametrize("name", [*FORMS, *UNLABELLED])
def test_both_targets_train_alike(name: str) -> None:
    states = []
    for target in ("numpy", "llvm"):
        program = of_form(name, target) if name in FORMS else training(UNLABELLED[name], target)
        states.append(program.run(given_to(program), state=program.initial_state(0)).state)
    for key in ("model/linear1/weight", "model/linear2/weight"):
        left, right = (np.asarray(state[key], np.float64) for state in states)
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


@TARGETS
@pytest.mark.parametrize("name", FORMS)
def test_an_epoch_of_uneven_batches_is_all_its_rows(name: str, target: str) -> None:
    """A step that leaves the layer as it is, in batches of 8, 8 and 6 rows."""
    layer, other = nn.Linear(6, 5, name="layer"), cr.parameter("other", (), 1.0)
    loss = FORMS[name](layer(x))
    step = optim.SGD(0.1).minimize(cr.square(other))
    declared = cr.training(step, epochs=1, batch_size=8, metrics={"watched": loss})
    program = cr.compile(declared, target=target)
    given = given_to(program)
    result = program.run(given, state=program.initial_state(0), validation=given)
    at_once = cr.compile(loss, target=target)
    wanted = at_once.bind(result.state)(given)
    np.testing.assert_allclose(result.history["watched"][-1], wanted, rtol=2e-6)
    np.testing.assert_allclose(result.history["val_watched"][-1], wanted, rtol=2e-6)


@TARGETS
def test_a_batch_in_which_no_row_counts_changes_nothing(target: str) -> None:
    program = training(lambda z: losses.cross_entropy(z, y, ignore_index=-1), target, epochs=1)
    start = program.initial_state(0)
    nothing = program.run({"x": X, "y": np.full(22, -1, np.int32)}, state=start)
    np.testing.assert_array_equal(nothing.state["model/linear1/weight"],
                                  start["model/linear1/weight"])  # fmt: skip
    assert nothing.history["loss"] == (0.0,)


class Players:
    """A generator and a discriminator of points of the plane."""

    def __init__(self) -> None:
        self.real = cr.input("real", ("batch", 2))
        self.generator = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), name="g")
        self.critic = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1), name="d")
        self.fake = self.generator(cr.normal(("batch", 3)))


def changed(step: optim.Step, target: str) -> set[str]:
    """The parameters that an epoch changes, by their network."""
    program = cr.compile(cr.training(step, epochs=1, batch_size=8), target=target)
    start = program.initial_state(0)
    end = program.run({"real": X[:, :2]} if "real" in labels(step) else {}, state=start).state
    return {
        name[0] for name in start if name[:2] in ("g/", "d/") and (end[name] != start[name]).any()
    }


def labels(step: optim.Step) -> set[str]:
    return {leaf.op.label for leaf in step.graph.leaves("input")}


@TARGETS
def test_each_player_changes_its_own_weights(target: str) -> None:
    p = Players()
    held = p.critic(cr.stop_gradient(p.fake))
    adam = optim.Adam(2e-4, betas=(0.5, 0.999))
    d_loss = losses.gan.discriminator(p.critic(p.real), held)
    g_loss = losses.gan.generator(p.critic(p.fake)) + 0.0 * cr.mean(p.real)
    assert changed(adam.minimize(d_loss, p.critic.parameters()), target) == {"d"}
    assert changed(adam.minimize(g_loss, p.generator.parameters()), target) == {"g"}


@TARGETS
def test_a_critic_with_a_gradient_penalty_trains(target: str) -> None:
    p = Players()
    share = cr.uniform(("batch", 1))
    mixed = share * p.real + (1.0 - share) * p.fake
    penalty = regularize.gradient_penalty(p.critic(mixed), mixed)
    loss = cr.mean(p.critic(p.fake)) - cr.mean(p.critic(p.real)) + penalty
    step = optim.Adam(0.01).minimize(loss, p.critic.parameters())
    declared = cr.training(step, epochs=30, batch_size=8, metrics={"penalty": penalty})
    history = cr.compile(declared, target=target).run({"real": 2 + X[:, :2]}).history
    assert history["penalty"][-1] < 0.2 * history["penalty"][0]
