"""Handwritten digits made of noise: a generator that forgets classes, and one that does not.

Both see the same images, from the same seed. The one is trained against a discriminator that is
left alone; it ends up making a few digits again and again. The other's discriminator is punished
for its slope at real images. Which digit an image shows is what the nearest real image shows.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import datasets, losses, nn, optim, regularize, schedules

DATA = datasets.digits().train
NOISE, HIDDEN, PIXELS = 16, 128, 64
EPOCHS, BATCH = 120, 64
SAMPLES = 1000
SEED = 2

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Results:
    """Shares of the ten digits among the images made, without a penalty and with one."""

    plain: list[float]
    penalised: list[float]


def shares(images: Images) -> list[float]:
    """How often each digit is there, by the nearest real image."""
    squares = (images**2).sum(1)[:, None] - 2 * images @ DATA.x.T + (DATA.x**2).sum(1)
    shown = DATA.y[squares.argmin(axis=1)]
    return [float(share) for share in np.bincount(shown, minlength=10) / len(images)]


def main(folder: Path) -> Results:
    """Train both and report; images of both go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    real, rate = cr.input("real", ("batch", PIXELS)), cr.input("penalty", default=0.3)
    layers = nn.MLP(NOISE, HIDDEN, HIDDEN, PIXELS, activation=nn.LeakyReLU)
    generator = nn.Sequential(layers, nn.Sigmoid(), name="generator")
    critic = nn.MLP(PIXELS, HIDDEN, HIDDEN, 1, activation=nn.LeakyReLU, name="critic")
    fake = generator(cr.normal(("batch", NOISE)))

    of_real = critic(real)
    slope = regularize.gradient_penalty(of_real, real, rate, target=0.0)
    adam = optim.Adam(schedules.cosine(0.003, EPOCHS * len(DATA) // BATCH), betas=(0.5, 0.999))
    d = adam.minimize(
        losses.gan.discriminator(of_real, critic(cr.stop_gradient(fake))) + slope,
        critic.parameters(),
    )
    g = adam.minimize(losses.gan.generator(critic(fake)), generator.parameters())
    program = cr.compile(cr.training([d, g], epochs=EPOCHS, batch_size=BATCH), threads=1)
    sample = cr.compile(fake, batch=SAMPLES)

    made: dict[str, Images] = {}
    for name, strength in (("without a penalty", 0.0), ("with a penalty", 0.3)):
        start = program.initial_state(SEED)
        state = program.run({real: DATA.x}, state=start, penalty=strength).state
        made[name] = np.asarray(sample.bind(state)(), np.float32)
    found = {name: shares(images) for name, images in made.items()}
    print("share of each digit  " + "".join(f"{digit:5d}" for digit in range(10)))
    for name, each in found.items():
        print(f"{name:21}" + "".join(f"{share:5.0%}" for share in each))
    rows = {"real": DATA.x[:12], **{name: images[:12] for name, images in made.items()}}
    cr.plots.image_rows(rows).save(folder / "images.svg")
    return Results(*found.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/digits_gan"))
    main(parser.parse_args().out)
