"""The pages of the site on which networks train."""

from __future__ import annotations

from pathlib import Path

import chainrule as cr
from chainrule import datasets, losses, nn, optim


def write(folder: Path) -> None:
    """Beside the pages of the site."""
    cr.playground(path=folder / "playground_page.html")
    digits(folder / "digits_lesson.html")


def digits(path: Path) -> Path:
    """A convolutional network that begins untrained, and digits to draw."""
    x, y = cr.input("x", ("batch", 1, 8, 8)), cr.input("y", ("batch",), dtype="int32")
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(128, 10),
    )
    step = optim.Adam(lr=0.003).minimize(losses.cross_entropy(model(x), y))
    training = cr.training(step, epochs=1, batch_size=32)
    return cr.lesson("Digits, by convolution", model, training, data=datasets.digits(), path=path)
