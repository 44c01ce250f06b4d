"""The pages of the site on which networks train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import chainrule as cr
from chainrule import datasets, losses, nn, optim, regularize, text

LETTERS = 32  # that the model of characters reads at once


def write(folder: Path) -> None:
    """Beside the pages of the site."""
    for name, page in PAGES.items():
        page(folder / name)


def playground(path: Path) -> Path:
    """Networks in the plane."""
    return cr.playground(path=path)


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


def digits_by_layers(path: Path) -> Path:
    """The same digits for a network of two layers, which knows no neighbours."""
    x, y = cr.input("x", ("batch", 64)), cr.input("y", ("batch",), dtype="int32")
    model = nn.MLP(64, 16, 10)
    step = optim.Adam(lr=0.003).minimize(losses.cross_entropy(model(x), y))
    training = cr.training(step, epochs=1, batch_size=32)
    return cr.lesson("Digits, by two layers", model, training, data=datasets.digits(), path=path)


def characters(path: Path) -> Path:
    """A Transformer that has begun to read Shakespeare, and goes on in the page."""
    corpus = text.Characters()
    x, y = (cr.input(name, ("batch", LETTERS), dtype="int32") for name in ("x", "y"))
    model = nn.Transformer(corpus.size, width=32, heads=2, layers=1, context=LETTERS)
    step = optim.Adam(lr=0.008).minimize(losses.cross_entropy(model(x), y))
    training = cr.training(step, epochs=2, batch_size=16)
    train, _ = corpus.split(0.9)
    result = cr.compile(training).run(train.windows(LETTERS), progress=False)
    title = "Characters of Shakespeare"
    return cr.lesson(title, model, training, data=corpus, result=result, path=path)


def ring(path: Path) -> Path:
    """Two networks against each other, about eight heaps of points on a circle."""
    real = cr.input("real", ("batch", 2))
    generator = nn.MLP(2, 32, 32, 2, name="generator")
    discriminator = nn.MLP(2, 32, 32, 1, name="discriminator")
    fake = generator(cr.normal(("batch", 2)))
    of_real = discriminator(real)
    told = losses.gan.discriminator(of_real, discriminator(cr.stop_gradient(fake)))
    told += regularize.gradient_penalty(of_real, real, 0.25, target=0.0)
    passed = losses.gan.generator(discriminator(fake))
    adam = optim.Adam(0.003, betas=(0.5, 0.999))
    steps = {
        "discriminator": adam.minimize(told, discriminator.parameters()),
        "generator": adam.minimize(passed, generator.parameters()),
    }
    training = cr.training(steps, epochs=1, batch_size=128)
    data = datasets.gaussians_on_ring(2560)
    networks = (generator, discriminator)
    return cr.lesson("Two networks and a ring", networks, training, data=data, path=path)


PAGES: Mapping[str, Callable[[Path], Path]] = {
    "playground_page.html": playground,
    "mlp_lesson.html": digits_by_layers,
    "digits_lesson.html": digits,
    "characters_lesson.html": characters,
    "ring_lesson.html": ring,
}
