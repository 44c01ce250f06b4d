"""Learning to learn: weights from which one step of gradient descent is enough for a new task.

Each task is a sine wave of its own height and phase, of which ten points are seen. Model-agnostic
meta-learning (Finn, Abbeel and Levine, 2017) takes a step for each of 8 tasks at once and asks how
good the network is after it, at other points; the derivative of that goes back through the step.
Beside it stands a network that was trained on all the tasks together.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import optim

TASKS, SHOTS, HIDDEN = 8, 10, 40
RATE = 0.01  # of the step for a task
UPDATES = 10_000

Weights = Sequence[cr.Node]


@dataclass(frozen=True)
class Results:
    """Squared errors on new tasks, before and after steps on ten points of each."""

    together: Sequence[float]
    learned: Sequence[float]


def weights() -> Weights:
    """Of a network of two hidden layers: a matrix and a bias for each layer."""
    found = []
    for layer, (rows, columns) in enumerate([(1, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)]):
        found.append(cr.parameter(f"w{layer}", (rows, columns), cr.init.he_normal()))
        found.append(cr.parameter(f"b{layer}", (1, columns), 0.0))
    return found


def error(w: Weights, x: cr.Node, y: cr.Node) -> cr.Node:
    """Of each task, where each has weights of its own: the first axis of all is that of tasks."""
    hidden = cr.relu(x @ w[0] + w[1])
    hidden = cr.relu(hidden @ w[2] + w[3])
    return cr.mean(cr.square(hidden @ w[4] + w[5] - y), axis=(1, 2))


class Waves:
    """Tasks that each step draws anew."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.height = cr.uniform((count, 1, 1), low=0.1, high=5.0)
        self.phase = cr.uniform((count, 1, 1), high=float(np.pi))

    def points(self, shots: int) -> tuple[cr.Node, cr.Node]:
        """Of each wave."""
        x = cr.uniform((self.count, shots, 1), low=-5.0, high=5.0)
        return x, self.height * cr.sin(x - self.phase)


def of_each(w: Weights, tasks: int) -> Weights:
    """The same weights for each task, to be changed for each alone."""
    return [cr.broadcast_to(part, (tasks, *part.shape)) for part in w]


def adapted(w: Weights, x: cr.Node, y: cr.Node) -> Weights:
    """The weights of each task after a step of gradient descent on its points."""
    slopes = cr.grad(cr.sum(error(w, x, y)), list(w))
    return [part - RATE * slope for part, slope in zip(w, slopes, strict=True)]


def trained(w: Weights, steps: int) -> cr.State:
    """Weights that are good after so many steps on a task; after 0, on all tasks together."""
    waves = Waves(TASKS)
    own = of_each(w, TASKS)
    for _ in range(steps):
        own = adapted(own, *waves.points(SHOTS))
    loss = cr.mean(error(own, *waves.points(SHOTS)))
    step = optim.Adam(lr=0.003).minimize(loss)
    return cr.compile(cr.training(step, epochs=UPDATES), threads=1).run().state


def tested(w: Weights, state: cr.State) -> Sequence[float]:
    """The error on 400 new tasks before a step, after one, two and three on the same points."""
    waves = Waves(400)
    shown, asked = waves.points(SHOTS), waves.points(50)
    own, errors = of_each(w, 400), []
    for _ in range(4):
        errors.append(cr.mean(error(own, *asked)))
        own = adapted(own, *shown)
    found = cr.compile(errors, target="numpy").bind(state)()
    return [float(value) for value in found]


def main(folder: Path) -> Results:
    """Train both ways, and compare on new tasks; nothing is drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    both = {}
    for name, steps in (("together", 0), ("learned", 1)):
        w = weights()
        both[name] = tested(w, trained(w, steps))
        told = ", ".join(f"{value:.2f}" for value in both[name])
        print(f"{name}: squared error after 0, 1, 2, 3 steps on ten points: {told}")
    ratio = both["together"][1] / both["learned"][1]
    print(f"after a step the error is {ratio:.1f} times smaller")
    return Results(both["together"], both["learned"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/sine_tasks"))
    main(parser.parse_args().out)
