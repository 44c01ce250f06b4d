"""The handwritten digits of the UCI repository, bundled with the package."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chainc.ir.errors import ChainruleError
from chainrule.datasets.dataset import Dataset, stratified_split

BUNDLE = Path(__file__).parent / "data" / "digits.npz"
BUNDLE_SHA256 = "089d33176bf6819a5c6ebd6746c5293713f4e81c2c8fc52b672e6e15faa78f41"
COUNT = 1797
DARKEST = 16  # dark points in a 4x4 block

DESCRIPTION = """\
1,797 handwritten digits as 8x8 images; each pixel is the share, 0 to 1, of dark points in its \
4x4 block of a 32x32 scan. E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten \
Digits, UCI Machine Learning Repository, doi.org/10.24432/C50P49, CC BY 4.0."""


def digits() -> Dataset:
    """Optical recognition of handwritten digits: 1,797 images of 8x8 pixels, 10 classes.

    `x` is float32 (n, 64) in [0, 1], an image row by row: `x[i].reshape(8, 8)`. `y` is int32
    (n,), the digit. There are 1,433 images to train on and 364 to test on, always the same ones:
    the images are shuffled in a fixed order, then every fifth of each digit goes to test. The
    file does not say who wrote which digit, so both splits hold digits of the same writers.

    Source: E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository,
    https://doi.org/10.24432/C50P49, CC BY 4.0. These are the 1,797 images of its test part.

    Raises:
        ChainruleError: the bundled file is missing or damaged.
    """
    pixels, labels = _read_bundle()
    # The raw stream of PCG64 is the same in every NumPy version; `permutation` may change.
    order = np.argsort(np.random.PCG64(0).random_raw(COUNT), kind="stable")
    x = pixels[order].astype(np.float32) / np.float32(DARKEST)
    train, test = stratified_split(x, labels[order].astype(np.int32))
    classes = tuple(str(digit) for digit in range(10))
    return Dataset(train, test, "digits", classes, DESCRIPTION)


def _read_bundle() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels (1797, 64) from 0 to 16 and labels (1797,); the checksum vouches for every value."""
    try:
        content = BUNDLE.read_bytes()
    except OSError as error:
        raise _unusable(f"cannot be read ({error.strerror})") from error
    if hashlib.sha256(content).hexdigest() != BUNDLE_SHA256:
        raise _unusable("is damaged: its SHA-256 checksum is not the one of this version")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        pixels: NDArray[np.uint8] = arrays["pixels"]
        labels: NDArray[np.uint8] = arrays["labels"]
    return pixels, labels


def _unusable(reason: str) -> ChainruleError:
    return ChainruleError(
        f"datasets.digits(): the bundled file {BUNDLE} {reason}",
        hint="install Chainrule again from its source, which brings a sound copy of the file",
    )
