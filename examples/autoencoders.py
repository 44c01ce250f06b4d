"""Autoencoders of digits: a linear one is PCA, a denoising one cleans, a variational one invents.

All pass images through a code that is smaller than they are, and want them back. What the linear
one finds is compared with the exact answer of a singular value decomposition.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule import datasets, losses, nn, optim, schedules

DIGITS = datasets.digits()
PIXELS, HIDDEN, CODE = 64, 96, 8
NOISE = 0.3
BATCH = 64

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Results:
    """What was reached; errors are mean squares over the pixels of test images, but for PCA's.

    Attributes:
        linear: the error of the linear autoencoder on the images that it was trained on.
        exact: that of as many principal components.
        angle: the cosine of the largest angle between what both span.
        noisy: the error of noisy images, and `denoised` of what the network makes of them.
        evidence: the bound on -ln p of an image, and `divergence` the part of the code in it.
    """

    linear: float
    exact: float
    angle: float
    noisy: float
    denoised: float
    evidence: float
    divergence: float


def trained(
    loss: cr.Node, images: Images, epochs: int, metrics: Mapping[str, cr.Node] | None = None
) -> cr.Result:
    """A run over the images, with the test images beside; the rate falls to 0."""
    steps = epochs * -(-len(images) // BATCH)
    step = optim.Adam(schedules.cosine(0.005, steps)).minimize(loss)
    declared = cr.training(step, epochs=epochs, batch_size=BATCH, metrics=metrics)
    return cr.compile(declared, threads=1).run({"x": images}, validation={"x": DIGITS.test.x})


def principal_components() -> tuple[float, float, float]:
    """The error of a linear autoencoder, the smallest there is, and the angle between both."""
    images = DIGITS.train.x - DIGITS.train.x.mean(axis=0)
    _, sizes, exact = np.linalg.svd(images, full_matrices=False)
    x = cr.input("x", ("batch", PIXELS))
    encoder = nn.Linear(PIXELS, CODE, bias=False)
    decoder = nn.Linear(CODE, PIXELS, bias=False)
    loss = losses.squared_error(decoder(encoder(x)), x)
    state = trained(loss, images, epochs=400).state
    error = float(cr.compile(loss).bind(state)(x=images))
    basis, _ = np.linalg.qr(np.asarray(state[decoder.weight], np.float64).T)
    cosines = np.linalg.svd(basis.T @ exact[:CODE].T, compute_uv=False)
    return error, float((sizes[CODE:] ** 2).sum() / images.size), float(cosines.min())


def denoise() -> tuple[float, float, Mapping[str, Images]]:
    """The error of noisy images, of cleaned ones, and some of both."""
    x = cr.input("x", ("batch", PIXELS))
    noisy = x + cr.normal(("batch", PIXELS), scale=NOISE)
    logits = nn.MLP(PIXELS, HIDDEN, HIDDEN, PIXELS)(noisy)
    clean = cr.sigmoid(logits)
    errors = {"noisy": cr.mean(cr.square(noisy - x)), "clean": cr.mean(cr.square(clean - x))}
    result = trained(losses.binary_cross_entropy(logits, x), DIGITS.train.x, 80, errors)
    given, found = cr.compile([noisy, clean]).bind(result.state)(x=DIGITS.test.x[:12])
    images = {"noisy": np.clip(given, 0, 1), "cleaned": found}
    return result.history["val_noisy"][-1], result.history["val_clean"][-1], images


def invent() -> tuple[float, float, Mapping[str, Images]]:
    """The bound on -ln p, the divergence of the code, and images of codes on a line."""
    x = cr.input("x", ("batch", PIXELS))
    encoder = nn.MLP(PIXELS, HIDDEN, 2 * CODE, name="encoder")
    decoder = nn.MLP(CODE, HIDDEN, PIXELS, name="decoder")
    coded = encoder(x)
    mean, log_variance = coded[:, :CODE], coded[:, CODE:]
    code = mean + cr.exp(0.5 * log_variance) * cr.normal(("batch", CODE))
    told = PIXELS * losses.binary_cross_entropy(decoder(code), x)
    divergence = losses.kl_normal(mean, log_variance)
    result = trained(told + divergence, DIGITS.train.x, 120, {"divergence": divergence})

    state = result.state
    drawn = cr.sigmoid(decoder(cr.normal(("batch", CODE))))
    ends = cr.compile(mean).bind(state)(x=DIGITS.test.x[:2])
    given = cr.input("given", ("batch", CODE))
    way = np.linspace(0, 1, 12, dtype=np.float32)[:, None]
    images = {
        "from one to another": cr.compile(cr.sigmoid(decoder(given))).bind(state)(
            given=(1 - way) * ends[:1] + way * ends[1:]
        ),
        "invented": cr.compile(drawn, batch=12).bind(state)(),
    }
    return result.history["val_loss"][-1], result.history["val_divergence"][-1], images


def main(folder: Path) -> Results:
    """Train all three and report; images go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    linear, exact, angle = principal_components()
    noisy, denoised, cleaned = denoise()
    evidence, divergence, invented = invent()
    print(f"{CODE} numbers an image, squared error: a linear autoencoder {linear:.5f}")
    print(f"as many principal components: {exact:.5f}, which span the same: {angle:.4f}")
    print(f"noisy images are off by {noisy:.4f}, cleaned ones by {denoised:.4f}")
    print(f"a variational one: -ln p below {evidence:.2f}, of which its code {divergence:.2f}")
    rows = {"real": DIGITS.test.x[:12], **cleaned, **invented}
    cr.plots.image_rows(rows).save(folder / "images.svg")
    return Results(linear, exact, angle, noisy, denoised, evidence, divergence)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/autoencoders"))
    main(parser.parse_args().out)
