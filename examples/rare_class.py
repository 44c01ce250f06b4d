"""One digit against nine others: a trainer for a rare class, with weights and without.

A tenth of the images are eights. A classifier that never says so has nine tenths right, so what
counts is how many of the eights are found, how many of those found are eights, and how well the
logits rank. All of it is measured on rows that were held out; the ROC curves, and the mistakes
among all ten digits, are saved as pictures.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import datasets, losses, metrics, nn, optim, plots

DIGITS = datasets.digits()
EIGHT = 8
EPOCHS = 20


@dataclass(frozen=True)
class Results:
    """What each trainer has reached on the test images, by the name of the metric."""

    plain: dict[str, float]
    balanced: dict[str, float]
    accuracy: float


def find_eights(class_weight: str | None) -> tuple[dict[str, float], object]:
    """A linear classifier of eights: scalars on the test images, and its ROC curve."""
    trainer = cr.Trainer(
        nn.Linear(64, 1),
        losses.binary_cross_entropy,
        optim.Adam(0.005),
        metrics=[metrics.binary_precision, metrics.binary_recall, metrics.auc, metrics.roc],
    )
    stop = cr.EarlyStopping("val_auc", patience=5, restore_best=True)
    trainer.fit(
        DIGITS.train.x,
        DIGITS.train.y == EIGHT,
        epochs=EPOCHS,
        validation=0.2,
        class_weight=class_weight,
        callbacks=[stop],
    )
    found = trainer.evaluate(DIGITS.test.x, DIGITS.test.y == EIGHT)
    return {name: float(v) for name, v in found.items() if np.ndim(v) == 0}, found["roc"]


def read_all(folder: Path) -> float:
    """All ten digits: the accuracy on the test images; the mistakes are drawn."""
    trainer = cr.Trainer(
        nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
        losses.cross_entropy,
        optim.Adam(0.005),
        metrics=[metrics.accuracy, metrics.confusion_matrix],
    )
    trainer.fit(DIGITS.train.x, DIGITS.train.y, epochs=EPOCHS, validation=0.2)
    found = trainer.evaluate(DIGITS.test.x, DIGITS.test.y)
    plots.confusion(found["confusion_matrix"], DIGITS.classes).save(folder / "mistakes.svg")
    return float(found["accuracy"])


def main(folder: Path) -> Results:
    """Train with and without weights, compare, and draw; the pictures go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    plain, plain_curve = find_eights(None)
    balanced, balanced_curve = find_eights("balanced")
    for name, found in (("without weights", plain), ("balanced", balanced)):
        told = ", ".join(f"{metric} {found[metric]:.2f}" for metric in found if metric != "loss")
        print(f"{name}: {told}")
    curves = {"without weights": plain_curve, "balanced": balanced_curve}
    plots.roc(curves).save(folder / "roc.svg")
    accuracy = read_all(folder)
    print(f"all ten digits: accuracy {accuracy:.1%}")
    return Results(plain, balanced, accuracy)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/rare_class"))
    main(parser.parse_args().out)
