"""A chaotic series, forecast by a reservoir: recurrent weights are drawn, a linear layer is solved.

The series of Mackey and Glass is fed to a recurrent layer that is never trained; a linear layer
behind it says the next number. Its weights are found twice: by least squares at once, and by
gradient steps, which go the same way more slowly. Then the first is left alone with what it says.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import datasets, losses, nn, optim

Floats = NDArray[np.float64]

SERIES = datasets.mackey_glass(1200).astype(np.float64)[:, None]
MEAN = SERIES.mean()
FORGOTTEN, TRAINED = 100, 900  # the steps behind which the start does not matter, and to learn from
UNITS = 100
ALONE = 50


@dataclass(frozen=True)
class Results:
    """Root mean squared errors on what was held out, as shares of the standard deviation."""

    repeated: float
    solved: float
    descended: float
    alone: list[float]


def share(error: Floats) -> float:
    """The root of the mean square, over the standard deviation of the series."""
    return float(np.sqrt((error**2).mean()) / SERIES.std())


def descend(features: Floats, targets: Floats) -> Floats:
    """The weights of the linear layer by gradient steps on all rows."""
    x, y = cr.input("x", ("batch", UNITS)), cr.input("y", ("batch", 1))
    layer = nn.Linear(UNITS, 1, bias=False)
    step = optim.Adam(lr=0.01).minimize(losses.squared_error(layer(x), y))
    training = cr.training(step, epochs=300, batch_size=len(features))
    result = cr.compile(training, target="numpy").run({"x": features, "y": targets})
    return np.asarray(result.state[layer.weight], np.float64)


def main(folder: Path) -> Results:
    """Forecast and report; the picture of the loop goes to `folder`."""
    layer = nn.Reservoir(1, UNITS, spectral_radius=0.95, leak=0.5)
    x = cr.input("x", ("batch", "time", 1))
    states = layer(x)
    compiled = cr.compile(states, target="numpy")
    run = compiled.bind(compiled.initial_state())
    series = SERIES - MEAN
    features = np.asarray(run(x=series[None, :-1].astype(np.float32)), np.float64)[0]
    train, test = slice(FORGOTTEN, TRAINED), slice(TRAINED, None)
    targets = series[1:]
    solved, *_ = np.linalg.lstsq(features[train], targets[train], rcond=None)
    descended = descend(features[train], targets[train])

    fed = series[: TRAINED + 1]  # then it is fed what it says
    for _ in range(ALONE):
        heard = fed[-2 * FORGOTTEN :]
        last = np.asarray(run(x=heard[None].astype(np.float32)), np.float64)[0, -1:]
        fed = np.concatenate([fed, last @ solved])
    alone = np.abs(fed - series[: len(fed)])[TRAINED + 1 :, 0] / SERIES.std()

    results = Results(
        repeated=share(series[:-1][test] - targets[test]),
        solved=share(features[test] @ solved - targets[test]),
        descended=share(features[test] @ descended - targets[test]),
        alone=alone.tolist(),
    )
    print("error of the next number, as a share of the deviation")
    print(f"the last number again: {results.repeated:.1%}")
    print(f"least squares:         {results.solved:.2%}")
    print(f"gradient descent:      {results.descended:.1%}")
    print(f"left alone, after 10 steps {alone[9]:.1%}, after {ALONE} {alone[-1]:.0%}")
    folder.mkdir(parents=True, exist_ok=True)
    cr.draw(states).save(folder / "reservoir.svg")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/reservoir"))
    main(parser.parse_args().out)
