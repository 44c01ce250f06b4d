"""Bytes of pixels become what a model takes: compiled, against NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import datasets
from chainrule.playgrounds.lessons.pictures import from_pixels, picture_size

DIGITS = datasets.digits().test.x
Numbers = npt.NDArray[np.float32] | npt.NDArray[np.float64]


def rgba(grey: Numbers, cover: float = 1.0) -> npt.NDArray[np.uint8]:
    """Grey pixels, from 0 to 1."""
    channels = [grey, grey, grey, np.full(grey.shape, cover)]
    return np.round(255 * np.stack(channels, axis=-1)).astype(np.uint8)


def read(pixels: npt.NDArray[np.uint8], data: Numbers, channels: int = 1) -> Numbers:
    size = channels, *pixels.shape[:2]
    node = from_pixels(size, data)
    assert node.shape == size
    return np.asarray(cr.compile(node, target="numpy")(pixels=pixels))


@pytest.mark.parametrize("light", [True, False])
def test_a_digit_is_the_same_on_light_and_on_dark_paper(light: bool) -> None:
    digit = DIGITS[5].reshape(8, 8).astype(float)
    shown = 0.9 - 0.6 * digit if light else 0.1 + 0.6 * digit
    np.testing.assert_allclose(read(rgba(shown), DIGITS)[0], digit, atol=0.01)


def test_data_on_a_light_ground_stay_light() -> None:
    data = 3 - 2 * DIGITS.astype(float)
    digit = DIGITS[5].reshape(8, 8).astype(float)
    found = read(rgba(1 - digit), data)[0]
    np.testing.assert_allclose(found, 3 - 2 * digit, atol=0.02)


def test_what_covers_nothing_is_paper() -> None:
    nothing = read(rgba(np.zeros((8, 8)), cover=0.0), DIGITS)
    np.testing.assert_allclose(nothing, 0, atol=1e-6)  # white, of which nothing is darker
    half = read(rgba(np.tri(8), cover=0.5), DIGITS, channels=3)
    np.testing.assert_allclose(half[1], np.where(np.tri(8) > 0, 1, 0.5), atol=0.01)


def test_colours_are_channels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4)).astype(np.uint8)
    pixels[..., 3] = 255
    found = read(pixels, np.array([-1.0, 1.0]), channels=3)
    wanted = pixels[..., :3].transpose(2, 0, 1) / 255 * 2 - 1
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((64,), (1, 8, 8)), ((8, 8), (1, 8, 8)), ((1, 5, 9), (1, 5, 9)), ((3, 8, 8), (3, 8, 8)),
        ((2, 8, 8), None), ((63,), None), ((4,), None), ((1, 3, 9), None),
    ],
)  # fmt: skip
def test_what_is_a_picture(shape: tuple[int, ...], size: tuple[int, ...] | None) -> None:
    assert picture_size(cr.input("x", ("batch", *shape))) == size
