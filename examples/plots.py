"""A training looked at from all sides: curves, surfaces, boundaries, gradients and weights.

The data are two half moons. Every plot is computed by the compiled graph of the very network that
was trained, and saved as SVG.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim, plots

MOONS = datasets.moons(200, noise=0.2)
RATES = (0.003, 0.03, 0.3)  # too small, good, too large
SHOWN = (0, 2, 10, 30)  # epochs after which the decision boundary is drawn


@dataclass(frozen=True)
class Results:
    """Last losses by learning rate, the accuracy of the good one, the lowest point reached."""

    losses: dict[float, float]
    accuracy: float
    lowest: tuple[float, float]


def descend_a_valley(folder: Path) -> tuple[float, float]:
    """Momentum in Rosenbrock's valley, whose lowest point is (1, 1)."""
    a, b = cr.parameter("a", (), -1.0), cr.parameter("b", (), 1.5)
    loss = (1 - a) ** 2 + 10 * (b - a**2) ** 2
    step = cr.compile(optim.SGD(lr=0.005, momentum=0.8).minimize(loss))
    recording = plots.record_steps(step, steps=200)
    plots.loss_surface(loss, None, recording.states, over=(a, b)).save(folder / "valley.svg")
    last = recording.states[-1]
    return last["a"].item(), last["b"].item()


def read_digits(folder: Path) -> None:
    """What 16 hidden units look for in images of 8 by 8 pixels."""
    digits = datasets.digits().train
    x = cr.input("x", ("batch", 64))
    y = cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(model(x), y))
    program = cr.compile(cr.training(step, epochs=10, batch_size=32))
    state = program.run({x: digits.x, y: digits.y}).state
    plots.weight_images(state[model.parameters()[0]]).save(folder / "weights.svg")


class Moons:
    """A network of two hidden layers for points of the plane, and its training."""

    def __init__(self) -> None:
        self.x = cr.input("x", ("batch", 2))
        self.y = cr.input("y", ("batch",), dtype="int32")
        self.model = nn.Sequential(
            nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)
        )
        logits = cr.squeeze(self.model(self.x), axis=1)
        targets = cr.astype(self.y, "float32")
        self.loss = losses.binary_cross_entropy(logits, targets)
        self.accuracy = metrics.binary_accuracy(logits, targets)
        self.probability = cr.sigmoid(logits)
        self.data = {self.x: MOONS.train.x, self.y: MOONS.train.y}

    def train(self) -> dict[float, plots.Recording]:
        """A recording for each learning rate."""
        step = optim.Adam(lr=0.03).minimize(self.loss)
        metric = {"accuracy": self.accuracy}
        program = cr.compile(cr.training(step, epochs=30, batch_size=20, metrics=metric))
        held_out = {self.x: MOONS.test.x, self.y: MOONS.test.y}
        return {
            lr: plots.record(program, self.data, epochs=30, validation=held_out, lr=lr)
            for lr in RATES
        }

    def plot(self, recording: plots.Recording, folder: Path) -> None:
        states = recording.states
        plots.history(recording).save(folder / "history.svg")
        plots.loss_surface(self.loss, self.data, states).save(folder / "surface.svg")
        probability = cr.compile(self.probability)
        strip = {f"epoch {epoch}": probability.bind(states[epoch]) for epoch in SHOWN}
        plots.decision_boundary(strip, MOONS).save(folder / "boundary.svg")
        plots.gradient_norms(self.loss, self.data, states).save(folder / "gradients.svg")
        layers = {"first tanh": self.model[:2](self.x), "second tanh": self.model[:4](self.x)}
        points = {self.x: MOONS.train.x}
        plots.activation_histograms(layers, points, states).save(folder / "layers.svg")
        sample = MOONS.test.x[0]
        plots.network(self.model, states[-1], inputs=sample).save(folder / "network.svg")


def main(folder: Path) -> Results:
    """Train with three learning rates and plot; the pictures go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    plots.activation_functions().save(folder / "activations.svg")
    lowest = descend_a_valley(folder)
    print(f"after 200 steps in the valley: ({lowest[0]:.2f}, {lowest[1]:.2f})")
    read_digits(folder)

    moons = Moons()
    runs = moons.train()
    curves = {f"learning rate {lr:g}": run for lr, run in runs.items()}
    plots.comparison(curves, log=True).save(folder / "rates.svg")
    moons.plot(runs[RATES[1]], folder)
    last = {lr: run.history["loss"][-1] for lr, run in runs.items()}
    for lr, number in last.items():
        print(f"learning rate {lr:g}: loss {number:.4f}")
    accuracy = runs[RATES[1]].history["val_accuracy"][-1]
    print(f"accuracy on unseen points with learning rate {RATES[1]:g}: {accuracy:.1%}")
    return Results(last, accuracy, lowest)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/plots"))
    main(parser.parse_args().out)
