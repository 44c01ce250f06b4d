"""What is missing, and what does not belong: two tasks of a network that gives back its input.

Half of the pixels of digits are hidden, in training too. A network that is asked for pixels which
it was not shown fills them in, better than the mean and than the nearest neighbours do. Then one
digit is left out of training: images of it are told by how badly the network gives them back.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim, schedules

DIGITS = datasets.digits()
PIXELS = 64
HIDDEN_SHARE = 0.5
NEIGHBOURS = 5
CODE = 8
BATCH = 32

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Results:
    """Root mean squared errors at missing pixels of test images, and areas under ROC curves."""

    mean: float
    nearest: float
    network: float
    areas: list[float]
    by_distance: list[float]


def trained(loss: cr.Node, epochs: int, rows: int) -> cr.TrainingProgram:
    steps = epochs * -(-rows // BATCH)
    step = optim.Adam(schedules.cosine(0.003, steps)).minimize(loss)
    return cr.compile(cr.training(step, epochs=epochs, batch_size=BATCH), threads=1)


def nearest(images: Images, known: Images, train: Images, train_known: Images) -> Images:
    """Missing pixels from the nearest images that have them, by the pixels that both have."""
    shared = np.maximum(known @ train_known.T, 1)
    squares = ((images**2) @ train_known.T - 2 * images @ train.T + known @ (train**2).T) / shared
    filled = images.copy()
    for row, order in enumerate(squares.argsort(axis=1)):
        for pixel in np.flatnonzero(known[row] == 0):
            having = order[train_known[order, pixel] == 1]
            filled[row, pixel] = train[having[:NEIGHBOURS], pixel].mean()
    return filled


def fill_in(folder: Path) -> tuple[float, float, float]:
    """The errors of the mean, of neighbours and of a network at pixels that are missing."""
    random = np.random.default_rng(0)
    whole = DIGITS.test.x
    known, test_known = (
        (random.random(rows.shape) > HIDDEN_SHARE).astype(np.float32)
        for rows in (DIGITS.train.x, whole)
    )
    train, test = DIGITS.train.x * known, whole * test_known

    x, there = cr.input("x", ("batch", PIXELS)), cr.input("known", ("batch", PIXELS))
    network = nn.MLP(2 * PIXELS, 128, 128, PIXELS)

    def filled(seen: cr.Node) -> cr.Node:
        return cr.sigmoid(network(cr.concat([x * seen, seen], axis=1)))

    shown = there * cr.astype(cr.bernoulli(("batch", PIXELS), 0.5), "float32")
    error = cr.square(filled(shown) - x)  # also where a pixel was not shown
    loss = cr.sum(there * error) / cr.sum(there)
    program = trained(loss, epochs=100, rows=len(train))
    state = program.run({x: train, there: known}).state
    found = np.asarray(cr.compile(filled(there)).bind(state)(x=test, known=test_known))

    mean = np.broadcast_to(train.sum(axis=0) / known.sum(axis=0), test.shape)
    guesses = [mean, nearest(test, test_known, train, known), found]
    rows = [np.where(test_known == 1, whole, guess) for guess in guesses]
    names = ("mean", "nearest", "network")
    shown_rows = {"real": whole[:12], "known": test[:12]}
    shown_rows |= {name: row[:12] for name, row in zip(names, rows, strict=True)}
    cr.plots.image_rows(shown_rows).save(folder / "filled.svg")
    errors = [float(np.sqrt(((row - whole) ** 2)[test_known == 0].mean())) for row in rows]
    return errors[0], errors[1], errors[2]


def detect(folder: Path) -> tuple[list[float], list[float]]:
    """For each digit left out, how well the error tells it, and the distance from the mean."""
    x = cr.input("x", ("batch", PIXELS))
    given = cr.sigmoid(nn.MLP(PIXELS, 64, CODE, 64, PIXELS)(x))
    loss = losses.squared_error(given, x)
    program = trained(loss, epochs=80, rows=1300)
    score = cr.compile(cr.mean(cr.square(given - x), axis=1))
    scores, odd = cr.input("scores", ("n",)), cr.input("odd", ("n",))
    judge = cr.compile([metrics.auc(scores, odd, exact=True), metrics.roc(scores, odd)])

    areas, by_distance, curves = [], [], {}
    for digit in range(10):
        usual = DIGITS.train.x[DIGITS.train.y != digit]
        state = program.run({x: usual}, state=program.initial_state(0)).state
        is_odd = (DIGITS.test.y == digit).astype(np.float32)
        far = ((DIGITS.test.x - usual.mean(axis=0)) ** 2).sum(axis=1)
        area, curve = judge(scores=score.bind(state)(x=DIGITS.test.x), odd=is_odd)
        areas.append(float(area))
        by_distance.append(float(judge(scores=far, odd=is_odd)[0]))
        if digit in (0, 1, 5, 9):
            curves[f"without {digit}"] = curve
    cr.plots.roc(curves).save(folder / "roc.svg")
    return areas, by_distance


def main(folder: Path) -> Results:
    """Fill in and detect; pictures go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    mean, near, network = fill_in(folder)
    areas, by_distance = detect(folder)
    print(f"missing pixels, error: mean {mean:.3f}, nearest {near:.3f}, network {network:.3f}")
    print("a digit that was left out, area under the ROC curve")
    print("digit         " + "".join(f"{digit:6d}" for digit in range(10)))
    for name, each in (("autoencoder", areas), ("from the mean", by_distance)):
        print(f"{name:14}" + "".join(f"{area:6.2f}" for area in each))
    return Results(mean, near, network, areas, by_distance)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/missing"))
    main(parser.parse_args().out)
