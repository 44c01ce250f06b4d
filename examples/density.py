"""Which points are likely? A flow learns the density of two half moons, and draws from it.

A flow is an invertible network: it moves the data to a normal distribution, layer by layer, and
knows by how much each layer stretches the plane. So the density of a point is known exactly; that
it is one is checked by adding it up over the plane.
"""

import argparse
import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import datasets, nn, optim, schedules

DATA = datasets.moons(2500, noise=0.08)
LAYERS, HIDDEN = 4, 16
EPOCHS, BATCH = 60, 64

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Results:
    """Mean -ln p of test points: of a normal distribution, and of the flow; and its integral."""

    normal: float
    flow: float
    integral: float
    drawn: float


@dataclass(frozen=True)
class Coupling:
    """One coordinate is kept; the other is scaled and moved by what a network makes of it."""

    kept: int
    network: nn.Module = field(
        default_factory=lambda: nn.MLP(1, HIDDEN, HIDDEN, 2, activation=nn.Tanh)
    )

    def parts(self, x: cr.Node) -> tuple[cr.Node, cr.Node, cr.Node, cr.Node]:
        """What is kept, what is moved, the logarithm of the scale, and how far."""
        kept, other = (x[:, i : i + 1] for i in (self.kept, 1 - self.kept))
        told = self.network(kept)
        return kept, other, 2 * cr.tanh(told[:, :1]), told[:, 1:]

    def together(self, kept: cr.Node, other: cr.Node) -> cr.Node:
        return cr.concat([kept, other] if self.kept == 0 else [other, kept], axis=1)

    def forward(self, x: cr.Node) -> tuple[cr.Node, cr.Node]:
        """The points after the layer, and the logarithm of how much it stretches at each."""
        kept, other, scale, shift = self.parts(x)
        return self.together(kept, other * cr.exp(scale) + shift), scale[:, 0]

    def backward(self, y: cr.Node) -> cr.Node:
        """The points before it."""
        kept, other, scale, shift = self.parts(y)
        return self.together(kept, (other - shift) * cr.exp(-scale))


def integral(log_density: cr.Function[NDArray[np.generic]]) -> float:
    """The density added up over a part of the plane outside of which there is next to nothing."""
    side = np.linspace(-6, 7, 800)
    places = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2).astype(np.float32)
    density = np.exp(np.asarray(log_density(x=places), np.float64))
    steps = [b - a for a, b in pairwise(side)]
    return float(density.sum() * np.mean(steps) ** 2)


def main(folder: Path) -> Results:
    """Train, add up, draw; the density goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    mean, deviation = DATA.train.x.mean(axis=0), DATA.train.x.std(axis=0)
    layers = [Coupling(i % 2) for i in range(LAYERS)]

    x = cr.input("x", ("batch", 2))
    z = (x - mean) / deviation
    log_density = cr.constant(-math.log(2 * math.pi) - float(np.log(deviation).sum()))
    for layer in layers:
        z, stretched = layer.forward(z)
        log_density = log_density + stretched
    log_density = log_density - 0.5 * cr.sum(cr.square(z), axis=1)
    steps = EPOCHS * len(DATA.train) // BATCH
    step = optim.Adam(schedules.cosine(0.005, steps)).minimize(-cr.mean(log_density))
    program = cr.compile(cr.training(step, epochs=EPOCHS, batch_size=BATCH), threads=1)
    result = program.run({x: DATA.train.x}, validation={x: DATA.test.x})

    drawn = cr.normal(("batch", 2))
    for layer in reversed(layers):
        drawn = layer.backward(drawn)
    points = cr.compile(drawn * deviation + mean, batch=1000).bind(result.state)()
    of_points = cr.compile(log_density).bind(result.state)
    normal = np.linalg.slogdet(2 * math.pi * math.e * np.cov(DATA.train.x.T))[1] / 2
    results = Results(
        normal=float(normal),
        flow=result.history["val_loss"][-1],
        integral=integral(of_points),
        drawn=float(-np.mean(of_points(x=points))),
    )
    print(f"-ln p of a point, by a normal distribution: {results.normal:.2f}")
    print(f"by the flow: {results.flow:.2f}, and of points that it draws: {results.drawn:.2f}")
    print(f"its density adds up to {results.integral:.3f}")
    cr.plots.density(of_points, DATA.test.x).save(folder / "density.svg")
    cr.plots.points({"drawn": points}, behind=DATA.test.x).save(folder / "drawn.svg")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/density"))
    main(parser.parse_args().out)
