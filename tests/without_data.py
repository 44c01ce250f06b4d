"""Trainings whose steps draw what they learn from, exported: for several tests."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from tests.exported import SEED, Exported

import chainrule as cr
from chainrule import acting, nn, optim
from chainrule.steps.stopping import StoppingRule

EPOCHS, REPORTED = 6, 5  # the loss, the largest, and means of three


def declared(stop: StoppingRule | None = None, epochs: int = EPOCHS) -> tuple[cr.Training, cr.Node]:
    """A regression on points that each step draws; and its results for other rows."""
    points, weight = cr.normal((8, 3)), cr.parameter("weight", (3,), 0.0)
    wanted = points @ np.array([1, -2, 3], np.float32)
    step = optim.SGD(lr=0.1, momentum=0.5).minimize(cr.mean(cr.square(points @ weight - wanted)))
    measured = {"most": cr.max(wanted), "seen": cr.mean(points, axis=0)}
    training = cr.training(step, epochs=epochs, seed=SEED, metrics=measured, stop=stop)
    return training, cr.input("observed", ("rows", 3)) @ weight


def balancing() -> tuple[cr.Training, cr.Node]:
    """A policy that learns from what it does; and what it would do."""
    policy = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2), name="policy")
    played = acting.play(acting.CartPole(), policy, episodes=4, steps=20)
    worth = acting.whitened(acting.discounted(played.rewards, 0.99), played)
    loss = acting.policy_loss(policy(played.observations), played, worth)
    step, measured = optim.Adam(lr=0.01).minimize(loss), {"return": cr.mean(played.returns)}
    training = cr.training(step, epochs=EPOCHS, seed=SEED, metrics=measured)
    return training, policy(cr.input("observed", ("rows", 4)))


Declared = tuple[cr.Training, cr.Node]


def exported(
    folder: Path, what: Declared, target: str = "llvm", processor: str | None = "native"
) -> Exported:
    training, results = what
    made = cr.compile(training, target=target)
    made.export(folder, name="alone", predict=results, processor=processor)
    return Exported(cr.compile(training), results, folder, "alone")


def state_bytes(header: str, state: cr.State) -> bytes:
    """All tensors in the order of the header; hyperparameters follow there."""
    told = re.findall(r"^    \w+_TENSOR_\w+, /\* (.+): ", header, re.M)[: len(state)]
    assert set(told) == set(state)
    return b"".join(state[name].tobytes() for name in told)


def trained(program: cr.TrainingProgram, seed: int = SEED, epochs: int = EPOCHS) -> cr.Result:
    return program.run(state=program.initial_state(seed), epochs=epochs, progress=False)
